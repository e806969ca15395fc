"""Synthetic digits: handwriting drawn from strokes, for training without the MNIST files.

A digit's path comes from the model of shapes, or from strokes that somebody wrote. A hand varies
it, a pen inks it, and the picture is in MNIST's frame: 20 pixels on the longer side, the centre of
mass in the middle of 28 x 28 pixels.
"""

import numpy as np
import numpy.typing as npt

from tinydigits.data import shapes
from tinydigits.data.hand import Hand, vary
from tinydigits.data.paths import IntArray, Paths
from tinydigits.data.pen import Pen
from tinydigits.data.pen import draw as ink
from tinydigits.data.written import Sampler
from tinydigits.net.contract import CLASSES, SIDE
from tinydigits.seeds import derive

__all__ = ["draw"]

BLOCK = 250  # digits per random stream: a multiple of ten

# Chosen by what nets trained on these digits read of people's digits and of MNIST's training
# digits; MNIST's test digits played no part.
HAND = Hand(
    lean=0.08,  # MNIST's digits lean to the right by 7 degrees on average, people's by 2
    slant=0.1,  # training varies all this again: with half as much more, nets read less
    aspect=0.06,
    rotation=0.04,
    taper=0.1,
    balance=0.1,
    warp=0.02,
    drift=0.01,
    overrun=0.02,
    hurry=0.5,
)
PEN = Pen(
    width=2.4,  # wider pens fill the loops
    spread=0.28,
    flatness=0.15,
    pressure=0.15,
    roughness=0.06,
    fading=0.4,
    hollow=0.05,  # as in headings and doodles; a quarter teaches a net no more about outlines
)


def from_shapes(labels: IntArray, rng: np.random.Generator) -> Paths:
    """Return the path of a new digit for each label, from the package's model of shapes."""
    return shapes.sample(shapes.learned(), labels, rng)


def draw(
    count: int,
    *,
    seed: int,
    paths: Sampler = from_shapes,
    hand: Hand = HAND,
    pen: Pen = PEN,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return the first ``count`` digits of the endless sequence for ``seed``, with their labels.

    Images are uint8 (count, 28, 28), white (255) on black (0); labels are uint8 (count,). Each
    group of ten contains every digit from 0 to 9 once, in random order. ``paths`` returns what is
    drawn; ``hand`` and ``pen`` say how far hands and pens differ. Digit i depends only on these,
    ``seed`` and i.

    Raises:
        ValueError: ``count`` is negative.
    """
    if count < 0:
        raise ValueError(f"count must be at least 0, got {count}")
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    labels = np.zeros(count, np.uint8)
    for start in range(0, count, BLOCK):
        # The last block is drawn whole and then cut, so its digits do not depend on count.
        rng = np.random.default_rng(derive(seed, "synthetic", start // BLOCK))
        block = _draw_labels(rng)
        varied = vary(paths(block, rng), hand, rng)
        images[start : start + BLOCK] = ink(varied, pen, rng)[: count - start]
        labels[start : start + BLOCK] = block[: count - start]
    return images, labels


def _draw_labels(rng: np.random.Generator) -> IntArray:
    """Return one block's labels (BLOCK,): each group of ten has every digit, in random order."""
    cycles = np.tile(np.arange(CLASSES), (BLOCK // CLASSES, 1))
    return rng.permuted(cycles, axis=1).ravel()
