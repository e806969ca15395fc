"""Sources of the digits in scenes: the model of shapes, pen strokes, pictures and fonts."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from tinydigits.data import synthetic
from tinydigits.data.hand import vary
from tinydigits.data.paths import Points, in_unit_box
from tinydigits.data.written import Written
from tinydigits.net.contract import CLASSES
from tinydigits.scenes import printing
from tinydigits.scenes.printing import FONTS
from tinydigits.scenes.writing import Glyph, Source

# A 1 looks like many other lines: it takes twice as many to tell them apart.
SHARES = np.array([2 if label == 1 else 1 for label in range(CLASSES)]) / (CLASSES + 1)
AT_ONCE = 250  # digits of the model: one alone takes almost as long


def from_shapes() -> Source:
    """Return a source of new digits, from the package's model of shapes and varied by hands."""
    ready: list[tuple[int, Glyph]] = []

    def draw(rng: np.random.Generator) -> tuple[int, Glyph]:
        if not ready:
            ready.extend(_varied(rng))
        return ready.pop()

    return draw


def _varied(rng: np.random.Generator) -> Iterator[tuple[int, list[Points]]]:
    labels = rng.choice(CLASSES, size=AT_ONCE, p=SHARES)
    points, stroke = vary(synthetic.from_shapes(labels, rng), synthetic.HAND, rng)
    for label, path, number in zip(labels.tolist(), points, stroke, strict=True):
        strokes = [path[number == each] for each in range(number.max() + 1)]
        yield label, in_unit_box(strokes)


def from_written(digits: Sequence[Written]) -> Source:
    """Return a source of digits that people wrote with a pen."""

    def choose(rng: np.random.Generator) -> tuple[int, Glyph]:
        chosen = digits[int(rng.integers(len(digits)))]
        return chosen.label, in_unit_box(chosen.strokes)

    return choose


def from_images(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer]) -> Source:
    """Return a source of digits from pictures (N, height, width), white on black."""

    def choose(rng: np.random.Generator) -> tuple[int, Glyph]:
        index = int(rng.integers(len(images)))
        picture = Image.fromarray(images[index])
        return int(labels[index]), picture.crop(picture.getbbox())

    return choose


def from_fonts() -> Source:
    """Return a source of printed digits."""

    def choose(rng: np.random.Generator) -> tuple[int, Glyph]:
        label = int(rng.integers(CLASSES))
        return label, printing.digit(label, FONTS[int(rng.integers(len(FONTS)))])

    return choose


def mixed(sources: Sequence[Source], shares: Sequence[float]) -> Source:
    """Return a source that chooses one of several each time; the shares sum to 1."""

    def choose(rng: np.random.Generator) -> tuple[int, Glyph]:
        return sources[rng.choice(len(sources), p=shares)](rng)

    return choose
