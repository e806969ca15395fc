"""A scene: digits on something, in some light, taken by a camera, and where their ink is."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.Image import Resampling
from scipy import ndimage

from tinydigits.scenes import drawing, light, surfaces, writing
from tinydigits.scenes.clutter import CLUTTER
from tinydigits.scenes.drawing import Floats, Line, Projection, Shape
from tinydigits.scenes.printing import printed
from tinydigits.scenes.writing import Mark, Source

Colour = npt.NDArray[np.float32]

LEAST_COVER = 0.05  # of a pixel: thinner strokes cannot be seen


@dataclass(frozen=True)
class Setting:
    """Everything about a scene but its digits. Lengths are in digit heights, unless noted."""

    ink: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Its red, green and blue, 0 to 1, like all colours."""
    opacity: float = 1.0
    """Share of the ground's light that ink keeps away."""
    pen: float = 0.1
    """Width of the pen."""
    flow: float = 0.0
    """Standard deviation of the relative change of the pen's width along its path."""
    chalk: float = 0.0
    """Share of the ink that grain leaves out, as chalk and pencils do."""
    sheet: str = ""
    """Shape of the sheet: all (no edge in sight), note or label; none: written on the desk."""
    paper: tuple[float, float, float] = (1.0, 1.0, 1.0)
    room: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    """From the writing to the sheet's left, upper, right and lower edge."""
    desk: str = "plain"
    wood: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Colour of the desk."""
    turn: float = 0.0
    """Of the sheet, in degrees."""
    tilt: tuple[float, float] = (0.0, 0.0)
    """Relative change of scale along the sheet's x and y, per digit height."""
    ruling: tuple[float, ...] = ()
    """Distances between ruled lines: of horizontal ones and, in squared paper, of vertical ones."""
    rule: tuple[float, float, float] = (0.7, 0.8, 0.95)
    """Colour of ruled lines."""
    rule_width: float = 0.03
    margin: float | None = None
    """Where the margin line is, to the right of the writing's centre."""
    underline: float | None = None
    """Distance of a line below the digits."""
    box: float | None = None
    """Distance of a frame around the digits."""
    circle: float | None = None
    strike: bool = False
    bleed: float = 0.0
    """Strength of the ink on the other side of the paper."""
    text: float = 0.0
    """Size of printed letters beside the digits; 0: there are none."""
    clutter: str = ""
    """What else lies in the picture: a name in ``CLUTTER``."""
    falloff: float = 0.0
    shadow: float | None = None
    """Over how many digit heights a shadow's edge fades."""
    blur: float = 0.0
    """Standard deviation, in digit heights."""
    noise: float = 0.0
    """Standard deviation."""
    pixels: int | None = None
    """Longer side of the picture that the camera takes, in pixels; None: that of the scene."""
    quality: int | None = None
    """Quality of the JPEG file that keeps the picture, 0 to 100; None: nothing is lost."""


class Scene(NamedTuple):
    """A picture of digits."""

    picture: npt.NDArray[np.uint8]
    """(height, width, 3)"""
    ink: Floats
    """Share of each pixel that digits' ink covers, (height, width), 0 to 1; each digit's strongest
    pixel has 1."""
    owner: npt.NDArray[np.uint8]
    """The number of the digit, from 1, whose ink is strongest at each pixel; 0 without ink."""
    labels: tuple[int, ...]
    """The digits, in the order of their numbers."""
    turn: float = 0.0
    """How far the sheet is turned clockwise, in degrees."""


def scene(
    marks: Sequence[Mark],
    setting: Setting,
    shape: Shape,
    height: float,
    centre: tuple[float, float],
    rng: np.random.Generator,
    others: Source | None = None,
) -> Scene:
    """Return a picture of ``shape`` with marks around ``centre``, digits ``height`` pixels high."""
    at = Projection.of(centre, np.deg2rad(setting.turn), tuple(np.array(setting.tilt) / height))
    width = max(0.3, setting.pen * height)
    covers = [mark.coverage(shape, width, _flow(setting.flow, rng), at) for mark in marks]
    if setting.chalk:
        grain = 1 - setting.chalk * rng.random(shape, np.float32)
        covers = [cover * grain for cover in covers]
    is_digit = [mark.label is not None for mark in marks]
    digits = [cover for cover, wanted in zip(covers, is_digit, strict=True) if wanted]
    extra = [cover for cover, wanted in zip(covers, is_digit, strict=True) if not wanted]

    ground = _ground(marks, setting, shape, height, at, rng)
    if setting.bleed and others:
        ground = _bled(ground, setting, shape, height, at, rng, others)
    ground = _ruled(ground, setting, shape, height, at)
    if setting.clutter:
        cover = CLUTTER[setting.clutter](shape, height, rng)
        ground = _mixed(
            ground, cover, np.array(setting.ink, np.float32), float(rng.uniform(0.4, 1))
        )
    drawn = _drawn(marks, setting, height, rng)
    if drawn:
        extra.append(drawing.lines(shape, [Line(points, width) for points in drawn], at))
    if setting.text:
        extra_text = printed(shape, marks, setting.text * height, at, rng)
        ground = _mixed(ground, extra_text, np.array(setting.ink, np.float32), setting.opacity)
    everything = _union([*digits, *extra], shape)
    seen = _mixed(ground, everything, np.array(setting.ink, np.float32), setting.opacity)
    seen *= _lit(setting, shape, height, centre, rng)[:, :, None]
    return _taken(
        seen, digits, [m.label for m in marks if m.label is not None], setting, height, rng
    )


def _flow(amount: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return (1 + amount * rng.standard_normal(6)).clip(0.4, 1.8)


def _union(covers: Sequence[Floats], shape: Shape) -> Floats:
    return np.maximum.reduce(covers) if len(covers) else np.zeros(shape, np.float32)


def _mixed(ground: Floats, cover: Floats, colour: Colour, opacity: float) -> Floats:
    share = (cover * np.float32(opacity))[:, :, None]
    return ground * (1 - share) + colour * share


def _ground(
    marks: Sequence[Mark],
    setting: Setting,
    shape: Shape,
    height: float,
    at: Projection,
    rng: np.random.Generator,
) -> Floats:
    """Return the desk, with the sheet on it."""
    paper = surfaces.paper(shape, rng)[:, :, None] * np.array(setting.paper, np.float32)
    if setting.sheet == "all":
        return paper
    desk = surfaces.DESKS[setting.desk](shape, rng)[:, :, None] * np.array(setting.wood, np.float32)
    if not setting.sheet:
        return np.asarray(desk, np.float32)
    cover = drawing.area(shape, _outline(marks, setting, height), at)
    if rng.random() < 0.6:  # the sheet's own shadow on the desk
        edge = max(0.4, rng.uniform(0.02, 0.15) * height)
        moved = ndimage.shift(cover, rng.normal(0, edge, 2), order=1, mode="nearest")
        dark = ndimage.gaussian_filter(moved, edge) * np.float32(rng.uniform(0.1, 0.5))
        desk = desk * (1 - dark[:, :, None])
    return np.asarray(desk * (1 - cover[:, :, None]) + paper * cover[:, :, None], np.float32)


def _outline(marks: Sequence[Mark], setting: Setting, height: float) -> npt.NDArray[np.float64]:
    low, high = writing.bounds(marks) if marks else (np.zeros(2), np.zeros(2))
    left, top = low - np.array(setting.room[:2]) * height
    right, bottom = high + np.array(setting.room[2:]) * height
    if setting.sheet == "note":
        return np.array(((left, top), (right, top), (right, bottom), (left, bottom)))
    angle = np.linspace(0, 2 * np.pi, 60)[:-1]
    radius = np.array(((right - left) / 2, (bottom - top) / 2)) * 1.2
    ring = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    return np.array(((left + right) / 2, (top + bottom) / 2)) + ring * radius


def _ruled(ground: Floats, setting: Setting, shape: Shape, height: float, at: Projection) -> Floats:
    far = 1.5 * max(shape)
    width = max(0.3, setting.rule_width * height)
    rows = []
    for axis, pitch in enumerate(setting.ruling):
        for place in np.arange(-far, far, pitch * height) + 0.37 * pitch * height:
            ends = np.array(((-far, place), (far, place)))
            rows.append(Line(ends if axis == 0 else ends[:, ::-1], width))
    if setting.margin is not None:
        x = setting.margin * height
        rows.append(Line(np.array(((x, -far), (x, far))), width))
    if not rows:
        return ground
    cover = drawing.lines(shape, rows, at)
    if setting.sheet in ("note", "label"):
        # Lines end where the paper does: the paper differs from the desk in light or in colour.
        cover = cover * (np.abs(ground - np.array(setting.paper, np.float32)).max(axis=2) < 0.08)
    return _mixed(ground, cover, np.array(setting.rule, np.float32), 1.0)


def _bled(
    ground: Floats,
    setting: Setting,
    shape: Shape,
    height: float,
    at: Projection,
    rng: np.random.Generator,
    others: Source,
) -> Floats:
    """Return the ground with the writing of the other side, mirrored and faint."""
    place = rng.normal(0, 1.0, (rng.integers(1, 4), 2)) * height
    marks = [writing.digit(others, height * rng.uniform(0.6, 1.3), rng).moved(by) for by in place]
    covers = [mark.coverage(shape, setting.pen * height, _flow(0, rng), at) for mark in marks]
    cover = ndimage.gaussian_filter(_union(covers, shape)[:, ::-1], 0.03 * height)
    return _mixed(ground, cover, np.array(setting.ink, np.float32), setting.bleed)


def _drawn(
    marks: Sequence[Mark], setting: Setting, height: float, rng: np.random.Generator
) -> list[npt.NDArray[np.floating]]:
    """Return the lines that a pen draws around the marks."""
    if not marks:
        return []
    drawn = []
    if setting.underline is not None:
        drawn.append(writing.underline(marks, setting.underline * height, rng))
        if rng.random() < 0.15:
            drawn.append(writing.underline(marks, (setting.underline + 0.12) * height, rng))
    if setting.box is not None:
        drawn.append(writing.box(marks, setting.box * height, rng))
    if setting.circle is not None:
        drawn.append(writing.circle(marks, setting.circle * height, rng))
    if setting.strike:
        drawn.append(writing.strike(marks, rng))
    return drawn


def _lit(
    setting: Setting,
    shape: Shape,
    height: float,
    near: tuple[float, float],
    rng: np.random.Generator,
) -> Floats:
    lit = light.falloff(shape, setting.falloff, rng)
    if setting.shadow is not None:
        beside = tuple(np.array(near) + rng.normal(0, 0.4, 2) * height)
        lit *= light.shadow(shape, setting.shadow * height, beside, rng)
    return lit


def _taken(
    seen: Floats,
    digits: Sequence[Floats],
    labels: Sequence[int],
    setting: Setting,
    height: float,
    rng: np.random.Generator,
) -> Scene:
    """Return the scene as the camera takes it."""
    planes = [*np.moveaxis(seen, 2, 0), *digits]
    blur = setting.blur * height
    if blur > 0.25:
        planes = [ndimage.gaussian_filter(plane, blur, mode="nearest") for plane in planes]
    if setting.pixels:
        scale = setting.pixels / max(seen.shape)
        size = tuple(max(1, round(side * scale)) for side in seen.shape[1::-1])
        planes = [
            np.asarray(Image.fromarray(plane).resize(size, Resampling.BOX)) for plane in planes
        ]
    light_ = np.stack(planes[:3], axis=2)
    grain = rng.standard_normal(light_.shape[:2], np.float32)[:, :, None]
    noisy = light_ + np.float32(setting.noise) * grain
    picture = np.rint(255 * noisy.clip(0, 1)).astype(np.uint8)
    if setting.quality is not None:
        picture = _compressed(picture, setting.quality)
    # A stroke thinner than a pixel is ink as much as a wide one is.
    whole = [plane / max(float(plane.max()), LEAST_COVER) for plane in planes[3:]]
    cover = np.stack([np.full(picture.shape[:2], 0.1, np.float32), *whole])
    owner = cover.argmax(axis=0).astype(np.uint8)
    ink = cover[1:].max(axis=0) if len(cover) > 1 else np.zeros_like(cover[0])
    return Scene(picture, ink, owner, tuple(labels), setting.turn)


def _compressed(picture: npt.NDArray[np.uint8], quality: int) -> npt.NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))
