"""Write the pen strokes of both collections as UNIPEN files, a file for each writer.

The collections were prepared for training and judging nets: digits only, writers split into train
and dev, faults found by eye. ``unipen.npz`` and ``pendigits.npz`` hold them as arrays; they are not
part of this repository. Wrong labels (fault 1) and bad segments (fault 2) are left out.

    python benchmarks/pen.py <folder of the arrays> --out <folder for train and dev>
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.errors import exit_code
from tinydigits.files import write_atomically

COLLECTIONS = ("unipen", "pendigits")
SPLITS = ("train", "dev")  # by their numbers in the arrays
LEFT_OUT = (1, 2)  # faults: a wrong label, a bad segment
PER_INCH = 1000.0  # vertical points per inch: only its ratio to the horizontal ones matters


def main() -> None:
    """Write the files of all writers, and say how many digits there are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arrays", type=Path, help="folder of unipen.npz and pendigits.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    for name in COLLECTIONS:
        with np.load(options.arrays / f"{name}.npz") as archive:
            arrays = dict(archive)
        of_writer = defaultdict(list)
        for index in np.flatnonzero(~np.isin(arrays["fault"], LEFT_OUT)).tolist():
            of_writer[int(arrays["writers"][index])].append(index)
        for writer, digits in of_writer.items():
            split = SPLITS[arrays["split"][digits[0]]]
            file = options.out / split / name / f"{arrays['writer_names'][writer]}.dat"
            write_atomically(file, "\n".join(_lines(arrays, name, writer, digits)).encode())
        print(f"{name}: {sum(map(len, of_writer.values())):,} digits of {len(of_writer)} writers")


def _lines(
    arrays: dict[str, npt.NDArray[Any]], source: str, writer: int, digits: list[int]
) -> Iterator[str]:
    """Yield the lines of a writer's file."""
    yield ".VERSION 1.0"
    yield f".DATA_SOURCE {source}"
    yield f".WRITER_ID {arrays['writer_names'][writer]}"
    yield f".X_POINTS_PER_INCH {PER_INCH}"
    yield f".Y_POINTS_PER_INCH {PER_INCH * arrays['aspect'][writer]}"
    yield ".COORD X Y"
    component = 0
    for digit in digits:
        strokes = range(*arrays["digit_starts"][digit : digit + 2])
        last = component + len(strokes) - 1
        yield f'.SEGMENT DIGIT {component}-{last} ? "{arrays["labels"][digit]}"'
        component = last + 1
        for stroke in strokes:
            yield ".PEN_DOWN"
            start, end = arrays["stroke_starts"][stroke : stroke + 2]
            yield from (f"{x} {-y}" for x, y in arrays["points"][start:end].tolist())
            yield ".PEN_UP"


if __name__ == "__main__":
    sys.exit(exit_code(main))
