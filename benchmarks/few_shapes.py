"""Reduce the model of shapes to the few kilobytes with which the page draws digits.

Digits are drawn from ``shapes.npz``, grouped by their number of strokes and clustered. A cluster is
one way of writing in the page's model: its mean and its main variations, as in ``data.shapes``.

    python benchmarks/few_shapes.py --out tinydigits/web/hands.json
"""

import argparse
import base64
import json
import sys
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data import shapes
from tinydigits.errors import exit_code
from tinydigits.files import write_atomically
from tinydigits.net.contract import CLASSES

DRAWN = 6000  # digits of each label to cluster
STEP = 1 / 127  # unit of the stored coefficients: a sixth of a pixel

Floats = npt.NDArray[np.floating]


class Way(NamedTuple):
    """A way of writing a digit."""

    label: int
    share: float
    """Of its label's digits."""
    positions: list[int]
    """Number of positions on each stroke."""
    rows: Floats
    """The mean, then the variations: (1 + V, strokes * terms * 2)."""


def ways_of(label: int, count: int, terms: int, variations: int) -> list[Way]:
    """Return about ``count`` ways of writing a digit; strokes are series of ``terms`` terms."""
    model, rng = shapes.learned(), np.random.default_rng(label)
    own = np.flatnonzero(model.label == label)
    share = model.share[own].astype(np.float64)
    chosen = rng.choice(own, DRAWN, p=share / share.sum())
    amounts = np.clip(rng.standard_normal((DRAWN, model.variations.shape[1])), -2.5, 2.5)
    drawn = model.mean[chosen] + np.einsum("nv,nvstx->nstx", amounts, model.variations[chosen])
    strokes = (model.positions[chosen] > 0).sum(axis=1)
    found = []
    for number in np.unique(strokes):
        is_one = strokes == number
        flat = drawn[is_one][:, :number, :terms].reshape(is_one.sum(), -1)
        clusters = max(1, round(count * float(is_one.mean())))
        if is_one.mean() < 0.5 / count:
            continue  # too rare to be worth a way
        _, cluster = kmeans2(flat, clusters, minit="++", seed=label, iter=50)
        for one in np.unique(cluster):
            members = flat[cluster == one]
            positions = model.positions[chosen][is_one][cluster == one, :number].mean(axis=0)
            _, scales, axes = np.linalg.svd(members - members.mean(axis=0), full_matrices=False)
            main = scales[:variations, None] / np.sqrt(len(members)) * axes[:variations]
            rows = np.vstack((members.mean(axis=0), main))
            places = np.rint(positions).astype(int).tolist()
            found.append(Way(label, len(members) / DRAWN, places, rows))
    return found


def description(ways: list[Way], terms: int) -> dict[str, Any]:
    """Return what web/synthetic.js reads: ways, and their coefficients as compressed bytes."""
    numbers = [np.rint(way.rows / STEP).clip(-127, 127).astype(np.int8).ravel() for way in ways]
    told = [
        [[round(100 * way.share), *way.positions] for way in ways if way.label == label]
        for label in range(CLASSES)
    ]
    return {
        "terms": terms,
        "ways": told,
        "numbers": base64.b64encode(zlib.compress(np.concatenate(numbers).tobytes(), 9)).decode(),
    }


def main() -> None:
    """Write the model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ways", type=int, default=12, help="ways of writing a digit")
    parser.add_argument("--terms", type=int, default=9, help="terms of a stroke's series")
    parser.add_argument("--variations", type=int, default=7, help="variations of a way")
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    options = parser.parse_args()
    ways = [
        way
        for label in range(CLASSES)
        for way in ways_of(label, options.ways, options.terms, options.variations)
    ]
    content = json.dumps(description(ways, options.terms), separators=(",", ":")).encode()
    write_atomically(options.out, content)
    print(f"{len(ways)} ways, {len(content):,} bytes")


if __name__ == "__main__":
    sys.exit(exit_code(main))
