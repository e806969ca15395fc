"""Learn the package's model of shapes from people's pen strokes.

    python benchmarks/shapes.py <folder or UNIPEN file> --out tinydigits/data/shapes.npz

One thing is added to what the strokes show: zeros that are crossed out in any direction. Those of
the collections are slashed from bottom left to top right, but people also cross them from side to
side or the other way.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data import shapes, unipen
from tinydigits.data.paths import Points, length
from tinydigits.data.ways import learn
from tinydigits.data.written import Written
from tinydigits.errors import exit_code
from tinydigits.files import write_atomically

COPIES = 3  # of each slashed zero: three in four are then crossed in any direction
STRAIGHT = 0.9  # of a slash: the distance between its ends, relative to its length


def main() -> None:
    """Learn the model, write it, and describe it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("strokes", type=Path, help="a UNIPEN file or a folder of them")
    parser.add_argument("--out", type=Path, default=shapes.FILE, help="file to write")
    options = parser.parse_args()
    digits = unipen.read_strokes(options.strokes)
    writers = {digit.writer for digit in digits}
    print(f"{len(digits):,} digits of {len(writers)} writers", flush=True)
    model = learn([*digits, *_crossed(digits, np.random.default_rng(0))])
    content = shapes.packed(model)
    write_atomically(options.out, content)
    ways = np.bincount(model.label)
    print(f"{len(model.label)} ways of writing, {ways.min()} to {ways.max()} for each digit")
    print(f"wrote {options.out}: {len(content):,} bytes")


def _crossed(digits: Iterable[Written], rng: np.random.Generator) -> Iterator[Written]:
    """Yield COPIES of each slashed zero, with its slash turned to random directions."""
    for digit in digits:
        if digit.label == 0 and len(digit.strokes) == 2:
            ring, slash = sorted(digit.strokes, key=_straightness)
            if _straightness(slash) > STRAIGHT > _straightness(ring):
                for angle in rng.uniform(0, np.pi, COPIES):
                    yield digit._replace(strokes=[ring, _turned(slash, angle)])


def _turned(stroke: Points, angle: float) -> Points:
    """Return a stroke turned about its middle by an angle in radians."""
    turn = np.array(((np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))))
    middle = (stroke[0] + stroke[-1]) / 2
    turned: Points = (stroke - middle) @ turn + middle
    return turned


def _straightness(stroke: Points) -> float:
    """Return the distance between a stroke's ends, relative to its length."""
    return float(np.linalg.norm(stroke[-1] - stroke[0])) / max(length(stroke), 1e-9)


if __name__ == "__main__":
    sys.exit(exit_code(main))
