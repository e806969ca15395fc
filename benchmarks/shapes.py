"""Learn the package's model of shapes from people's pen strokes.

python benchmarks/shapes.py <folder or UNIPEN file> --out tinydigits/data/shapes.npz
"""

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data import shapes, unipen
from tinydigits.data.ways import learn
from tinydigits.errors import exit_code
from tinydigits.files import write_atomically


def main() -> None:
    """Learn the model, write it, and describe it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("strokes", type=Path, help="a UNIPEN file or a folder of them")
    parser.add_argument("--out", type=Path, default=shapes.FILE, help="file to write")
    options = parser.parse_args()
    digits = unipen.read(options.strokes)
    writers = {digit.writer for digit in digits}
    print(f"{len(digits):,} digits of {len(writers)} writers", flush=True)
    model = learn(digits)
    content = shapes.packed(model)
    write_atomically(options.out, content)
    ways = np.bincount(model.label)
    print(f"{len(model.label)} ways of writing, {ways.min()} to {ways.max()} for each digit")
    print(f"wrote {options.out}: {len(content):,} bytes")


if __name__ == "__main__":
    sys.exit(exit_code(main))
