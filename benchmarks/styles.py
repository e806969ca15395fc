"""Ways of writing digits that nets misread: mirrored, turned and unusual forms.

A style is one person's way of writing one digit: a form, which a hand and a pen vary.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinydigits.data import shapes
from tinydigits.data.hand import Hand, vary
from tinydigits.data.paths import paths_of
from tinydigits.data.pen import draw
from tinydigits.data.synthetic import PEN
from tinydigits.seeds import derive

Points = npt.NDArray[np.floating]
Pixels = npt.NDArray[np.uint8]

# One person's hand: as unsteady as the hands of synthetic digits differ.
HAND = Hand(
    slant=0.1, aspect=0.1, rotation=0.07, taper=0.1, balance=0.1, warp=0.03, drift=0.02,
    overrun=0.03, hurry=0.5,
)  # fmt: skip


class Style(NamedTuple):
    """A way of writing one digit."""

    name: str
    label: int
    strokes: tuple[Points, ...]

    def digits(self, count: int, stream: str) -> Pixels:
        """Return pictures (count, 28, 28) of the style, white on black."""
        rng = np.random.default_rng(derive(0, "style", self.name, stream))
        return draw(vary(paths_of([self.strokes] * count), HAND, rng), PEN, rng)


def _line(*corners: tuple[float, float]) -> Points:
    return np.array(corners, np.float64)


def _arc(
    middle: tuple[float, float], radii: tuple[float, float], start: float, end: float
) -> Points:
    """Return an arc from one angle to another, in degrees, clockwise from the right."""
    angle = np.radians(np.linspace(start, end, 40))
    return np.stack((np.cos(angle), np.sin(angle)), axis=1) * radii + middle


def _joined(*parts: Points) -> Points:
    return np.concatenate(parts)


# Forms in a box of 1 by 1, y down. Each is what some people write, or what learners of a script or
# children write.
FORMS: dict[str, tuple[int, tuple[Points, ...]]] = {
    "1 as a caret": (1, (_line((0, 1), (0.4, 0), (0.8, 1)),)),
    "1 as a horizontal bar": (1, (_line((0, 0.5), (1, 0.45)),)),
    "1 in two parallel lines": (1, (_line((0.3, 0), (0.3, 1)), _line((0.6, 0), (0.6, 1)))),
    "2 as two bars": (2, (_line((0, 0.2), (0.9, 0.2)), _line((0, 0.8), (1, 0.8)))),
    "3 as three bars": (
        3,
        (_line((0.1, 0), (0.9, 0)), _line((0.1, 0.5), (0.8, 0.5)), _line((0, 1), (1, 1))),
    ),
    "3 in straight lines": (
        3,
        (_line((0, 0), (0.7, 0), (0.7, 0.5), (0.1, 0.5), (0.7, 0.5), (0.7, 1), (0, 1)),),
    ),
    "3 as a zed above a bow": (
        3,
        (_joined(_line((0, 0), (0.8, 0), (0.2, 0.4)), _arc((0.4, 0.68), (0.4, 0.32), -90, 150)),),
    ),
    "3 as sigma": (3, (_line((0.8, 0), (0, 0), (0.5, 0.5), (0, 1), (0.8, 1)),)),
    "4 as a closed triangle": (4, (_line((0.7, 0), (0, 0.6), (0.7, 0.6), (0.7, 0)),)),
    "4 as a chair": (4, (_line((0, 0), (0, 0.5), (0.6, 0.5), (0.6, 1)),)),
    "4 as epsilon": (
        4,
        (
            _joined(
                _arc((0.5, 0.25), (0.45, 0.25), -30, -270),
                _arc((0.5, 0.75), (0.5, 0.25), -90, -330),
            ),
        ),
    ),
    "4 as a cross": (4, (_line((0.5, 0), (0.5, 1)), _line((0, 0.5), (1, 0.5)))),
    "5 as a flag": (5, (_line((0, 1), (0, 0), (0.8, 0), (0.8, 0.45), (0, 0.45)),)),
    "5 in straight lines": (5, (_line((0.7, 0), (0, 0), (0, 0.5), (0.7, 0.5), (0.7, 1), (0, 1)),)),
    "6 as a triangle below a line": (6, (_line((0.5, 0), (0, 0.95), (0.8, 0.95), (0.25, 0.5)),)),
    "7 as V": (7, (_line((0, 0), (0.45, 1), (0.9, 0)),)),
    "7 as gamma": (7, (_line((0.1, 1), (0.1, 0), (0.8, 0)),)),
    "7 with two bars": (
        7,
        (
            _line((0, 0), (0.8, 0), (0.3, 1)),
            _line((0.15, 0.4), (0.85, 0.4)),
            _line((0.1, 0.65), (0.75, 0.65)),
        ),
    ),
    "8 as an hourglass": (8, (_line((0, 0), (0.8, 0), (0, 1), (0.8, 1), (0, 0)),)),
    "8 as two boxes": (
        8,
        (_line((0, 0), (0.6, 0), (0.6, 1), (0, 1), (0, 0)), _line((0, 0.5), (0.6, 0.5))),
    ),
    "8 on its side": (
        8,
        (
            _joined(
                _arc((0.25, 0.5), (0.25, 0.22), 0, 360), _arc((0.75, 0.5), (0.25, 0.22), 180, -180)
            ),
        ),
    ),
    "9 as a flag": (9, (_line((0.6, 1), (0.6, 0), (0, 0.25), (0.6, 0.5)),)),
    "9 as a hook": (9, (_line((0.1, 0.4), (0.7, 0), (0.7, 0.6), (0.5, 1), (0, 0.9)),)),
    "0 as a square with a slash": (
        0,
        (_line((0, 0), (0.8, 0), (0.8, 1), (0, 1), (0, 0)), _line((0, 1), (0.8, 0))),
    ),
    "0 with two slashes": (
        0,
        (
            _arc((0.5, 0.5), (0.4, 0.5), -90, 270),
            _line((0.1, 0.75), (0.75, 0.1)),
            _line((0.25, 0.9), (0.9, 0.25)),
        ),
    ),
    "0 with a dot": (0, (_arc((0.5, 0.5), (0.45, 0.5), -90, 270), _line((0.5, 0.42), (0.5, 0.58)))),
    "0 as a triangle": (0, (_line((0.5, 0), (1, 0.9), (0, 0.9), (0.5, 0)),)),
    "0 with a bar": (0, (_arc((0.5, 0.5), (0.4, 0.5), -90, 270), _line((0.1, 0.5), (0.9, 0.5)))),
}


def _of_model(label: int, rank: int, change: Callable[[Points], Points]) -> tuple[Points, ...]:
    """Return a frequent way of writing a digit, changed."""
    model = shapes.learned()
    own = np.flatnonzero(model.label == label)
    way = own[np.argsort(-model.share[own])[rank]]
    points = model.series[way] @ model.mean[way].reshape(-1, 2)
    return tuple(change(points[model.stroke[way] == n]) for n in np.unique(model.stroke[way]))


def _mirrored(points: Points) -> Points:
    return points * (-1, 1)


def _turned(points: Points) -> Points:
    return points[:, ::-1] * (-1, 1)


MIRRORED = (2, 3, 4, 5, 6, 7, 9)
TURNED = (2, 3, 4, 5, 6, 7, 9)  # a turned 0, 1 or 8 is another digit's form or none


def styles() -> Sequence[Style]:
    """Return all styles, in a fixed order."""
    formed = [Style(name, *form) for name, form in FORMS.items()]
    mirrored = [
        Style(f"mirrored {label}, way {rank}", label, _of_model(label, rank, _mirrored))
        for label in MIRRORED
        for rank in (0, 1)
    ]
    turned = [
        Style(f"turned {label}, way {rank}", label, _of_model(label, rank, _turned))
        for label in TURNED
        for rank in (0, 1)
    ]
    return [*formed, *mirrored, *turned]
