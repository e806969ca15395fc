"""Drawing on a view: how much of each pixel lines, areas and pictures cover.

Shapes are given on a sheet in the plane, in pixels around its centre; a projection says where the
camera sees them. A coverage is float32 (height, width), 0 to 1.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from PIL.Image import Resampling, Transform

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.floating]
Shape = tuple[int, int]  # height and width

FINER = 4  # shapes are drawn this much larger, then reduced: their edges become smooth


class Line(NamedTuple):
    """A line of a pen, drawn from point to point."""

    points: Points  # (points, 2): x to the right and y down
    width: float | Points  # of the whole line, or at each point


class Projection(NamedTuple):
    """Where a camera sees the points of a sheet."""

    matrix: npt.NDArray[np.float64]
    """Homography (3, 3) from the sheet to the view."""

    @classmethod
    def of(
        cls, centre: tuple[float, float], turn: float = 0.0, tilt: tuple[float, float] = (0.0, 0.0)
    ) -> "Projection":
        """Return that of a sheet around ``centre``, x and y in the view.

        It is turned by ``turn`` radians; ``tilt`` is the relative change of scale along the sheet's
        x and y, per pixel.
        """
        cosine, sine = np.cos(turn), np.sin(turn)
        rotation = np.array(((cosine, -sine, 0), (sine, cosine, 0), (0, 0, 1)))
        perspective = np.array(((1, 0, 0), (0, 1, 0), (*tilt, 1)), np.float64)
        moved = np.array(((1, 0, centre[0]), (0, 1, centre[1]), (0, 0, 1)))
        return cls(moved @ rotation @ perspective)

    def __call__(self, points: Points) -> npt.NDArray[np.float64]:
        """Return points (N, 2) of the sheet as points of the view."""
        x, y, scale = self.matrix @ np.vstack((points.T, np.ones(len(points))))
        return np.stack((x / scale, y / scale), axis=1)


def lines(shape: Shape, drawn: Sequence[Line], projection: Projection) -> Floats:
    """Return the coverage by lines with round ends."""
    image, draw = _paper(shape)
    for line in drawn:
        points = projection(line.points) * FINER
        if isinstance(line.width, float):
            _even(draw, points, max(1.0, line.width * FINER))
        else:
            _uneven(draw, points, np.maximum(1, line.width * FINER))
    return _reduced(image)


def area(shape: Shape, corners: Points, projection: Projection) -> Floats:
    """Return the coverage by a polygon, given by its corners (N, 2)."""
    image, draw = _paper(shape)
    draw.polygon([tuple(corner) for corner in projection(corners) * FINER], fill=255)
    return _reduced(image)


def stamp(shape: Shape, picture: Image.Image, corners: Points, projection: Projection) -> Floats:
    """Return the coverage by a grey picture, white where it covers.

    Its upper left, upper right, lower right and lower left corner lie at ``corners``, (4, 2).
    """
    larger = (shape[1] * 2, shape[0] * 2)
    there = projection(corners) * 2
    size = np.array(((0, 0), (picture.width, 0), picture.size, (0, picture.height)))
    warped = picture.transform(
        larger, Transform.PERSPECTIVE, _coefficients(there, size), Resampling.BICUBIC
    )
    return np.asarray(warped.reduce(2), np.float32) / np.float32(255)


def _paper(shape: Shape) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("L", (shape[1] * FINER, shape[0] * FINER))
    return image, ImageDraw.Draw(image)


def _reduced(image: Image.Image) -> Floats:
    return np.asarray(image.reduce(FINER), np.float32) / np.float32(255)


def _even(draw: ImageDraw.ImageDraw, points: Points, width: float) -> None:
    flat = points.ravel().tolist()
    draw.line(flat, fill=255, width=round(width), joint="curve" if width > 3 else None)
    if width > 2:
        for x, y in (points[0], points[-1]):
            _dot(draw, x, y, width / 2)


def _uneven(draw: ImageDraw.ImageDraw, points: Points, width: Points) -> None:
    rows = np.concatenate((points[:-1], points[1:]), axis=1).tolist()
    for row, thickness in zip(rows, width.tolist(), strict=False):
        draw.line(row, fill=255, width=round(thickness))
        if thickness > 2:
            _dot(draw, row[0], row[1], thickness / 2)
    x, y = points[-1]
    _dot(draw, x, y, width[-1] / 2)


def _dot(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def _coefficients(seen: Points, source: Points) -> tuple[float, ...]:
    """Return the eight numbers by which Pillow finds the source of each point that is seen."""
    x, y = seen.T
    u, v = source.T.astype(float)
    one, none = np.ones(4), np.zeros(4)
    rows = np.concatenate(
        (
            np.stack((x, y, one, none, none, none, -u * x, -u * y), axis=1),
            np.stack((none, none, none, x, y, one, -v * x, -v * y), axis=1),
        )
    )
    return tuple(np.linalg.solve(rows, np.concatenate((u, v))).tolist())
