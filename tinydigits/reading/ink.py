"""Find the strokes of one digit in a grey picture, whatever the paper, light and surroundings.

Ink is darker than the paper near it or, on dark ground, lighter. The paper's brightness under the
ink is estimated in two steps: a parabola for even light, then a morphological closing. The closing
fills what is narrower than its window and follows what is wider, so shadows count as paper even if
their edges are hard. Dividing by the paper's brightness leaves the share of light that the ink
absorbs, which does not depend on the light. Connected pieces of ink are then kept or dropped by
their shapes.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tinydigits.errors import NoDigit, SeveralDigits
from tinydigits.reading import messages

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

DIAGONALS = np.ones((3, 3))  # pixels that touch at a corner are connected
QUARTILE = 0.3186  # lower quartile of the absolute value of a standard normal variable

# Ink and paper, as shares of the paper's brightness.
GRAIN = 0.004  # noise above this is smoothed; rounding to 8 bits leaves less
UNEVEN = 0.06  # distance from the parabola: more is uneven light, left to the closing
PAPER_WINDOW = 0.35  # of the view's longer side: wider than strokes, narrower than shadows
DARKEST_PAPER = 32 / 255  # division by less would amplify noise
LEAST_CONTRAST = 0.06  # fainter ink cannot be told from stains
NOISE_FACTOR = 5  # ink exceeds this many standard deviations of the paper's noise

# Ink, as shares of the digit's own contrast.
STRONG = 0.45  # ink that makes a stroke
WEAK = 0.3  # ink that may bridge a gap in a stroke thinner than a pixel
FRINGE = 0.08  # where a stroke's anti-aliasing ends
SOFT = 0.5  # darkness gained over a stroke's width: pens gain more, bands of light less

# Shapes, as shares of the longer side. MNIST's figures are those of its training digits.
SPECK = 0.08  # of the largest piece: anything shorter is not a stroke
SPECK_AREA = 0.01  # of the largest piece's area
JOIN = 0.2  # of their joint size: the widest gap between the strokes of one digit
REACH = 0.12  # how far from a stroke its faint parts are searched for
BLOT = 1.25  # area in squared widths: a square has 1, the fattest 6 among 4,000 digits 1.3
TANGLE = 5  # length of all strokes together: MNIST's longest digit has 3.5
CROWD = 60  # pieces, without specks: no digit is written in as many
LEAST_WHOLE = 0.06  # of the view: smaller whole pieces do not replace those cut off by the edge
CUT_OFF = 0.5  # of a piece at the edge: a whole piece this large replaces it
ALONG = 0.4  # of the picture's side: a piece that touches this much is an edge of paper or light
LINED = 0.7  # share of the picture's side that a frame covers
RIVAL = 0.45  # of the digit's height: a separate piece this tall is another digit
BESIDE = 0.6  # of the height: both digits of a side-by-side pair are at least this tall
APART = 0.12  # of the height: the smallest gap in such a pair, or ...
WIDE = 1.35  # ... the smallest width of the pair, in heights
WIDEST = 2.0  # width of MNIST's widest digit, in heights

# In pixels: shapes too small to be seen are not judged.
JUDGED = 16  # size from which a piece can be called a blot
SLOPING = 4  # width from which a stroke has edges, not only a ridge
SHARP_FROM = 30  # size from which an edge can be called soft

PRIOR = 1.5  # how many times better the commoner of dark and light must score to be the ink
PAGE = 0.85  # share of its box that a page fills; an ellipse, such as a filled 0, has 0.79
WRITTEN_ON = 4  # least elongation of ink on a page; 98 % of MNIST's counters have less
WRITTEN = 6  # elongation above which more is no better


@dataclass(frozen=True)
class Strokes:
    """One digit in a view of (H, W) pixels."""

    ink: Floats
    """Strength of the digit's ink, 0 to 1; 0 elsewhere."""
    core: Mask
    """Where the ink is strong."""
    elongation: float
    """Area in squared widths: high for strokes, low for blots."""


@dataclass(frozen=True)
class Reading:
    """The digit found in a view if the ink is taken to be dark, or to be light."""

    strokes: Strokes
    several: bool
    """Whether there is more than one digit."""
    score: float
    """How much it looks like writing; higher is better."""


class Extent(NamedTuple):
    """A box of pixels; bottom and right are exclusive."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def part(self) -> tuple[slice, slice]:
        """The box's rows and columns, for indexing an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    @property
    def size(self) -> int:
        """The longer side, in pixels."""
        return max(self.height, self.width)

    def union(self, *others: "Extent") -> "Extent":
        """Return the smallest box around all of them."""
        boxes = np.array([self, *others])
        return Extent(*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())

    def holds(self, other: "Extent") -> bool:
        """Return whether the other box lies inside, touching no side."""
        return (
            self.top < other.top
            and self.left < other.left
            and self.bottom > other.bottom
            and self.right > other.right
        )


def extent_of(mask: Mask) -> Extent:
    """Return the box around the set pixels of a mask (H, W); at least one is set."""
    rows, columns = ndimage.find_objects(mask.astype(np.uint8))[0]
    return Extent(rows.start, columns.start, rows.stop, columns.stop)


class Piece(NamedTuple):
    """A connected piece of ink."""

    label: int
    extent: Extent
    area: int
    width: float
    """Width of its widest stroke, in pixels."""

    @property
    def elongation(self) -> float:
        """Area in squared widths."""
        return self.area / self.width**2

    def least(self, values: Floats, labels: Labels) -> float:
        """Return the smallest of the values (H, W) at the piece's pixels."""
        part = self.extent.part
        return float(values[part][labels[part] == self.label].min())


def find_strokes(view: Floats) -> Strokes:
    """Return the strokes of the only digit in a grey view (H, W), brightness 0 to 1.

    Raises:
        NoDigit: there is no digit.
        SeveralDigits: there is more than one.
    """
    calm = _calm(view)
    dark, light = _flat(calm), _flat(1 - calm)
    # Ink is rarer than paper, but strokes enclose counters and pages lie on tables.
    rarer_is_dark = ((dark - np.median(dark)) ** 3).sum() <= 0
    views = (dark, light) if rarer_is_dark else (light, dark)
    reading = _better(*(_attempt(_ink(each)) for each in views))
    if isinstance(reading, NoDigit):
        raise reading
    if reading.several:
        raise SeveralDigits(messages.SEVERAL)
    return reading.strokes


def _attempt(ink: Floats) -> Reading | NoDigit:
    try:
        return _read(ink)
    except NoDigit as reason:
        return reason


def _better(expected: Reading | NoDigit, other: Reading | NoDigit) -> Reading | NoDigit:
    """Return the reading that looks like writing; ``expected`` is that of the rarer ink."""
    if isinstance(other, NoDigit) or isinstance(expected, NoDigit):
        return expected if isinstance(other, NoDigit) else other
    if _is_page(expected.strokes, other.strokes):
        return other
    if _is_page(other.strokes, expected.strokes):
        return expected
    return other if other.score > PRIOR * expected.score else expected


def _is_page(outer: Strokes, inner: Strokes) -> bool:
    """Return whether the outer shape is a rectangle with the inner one written on it."""
    filled = ndimage.binary_fill_holes(outer.core)
    return bool(
        inner.elongation >= WRITTEN_ON
        and filled[inner.core].all()
        and filled[extent_of(outer.core).part].mean() >= PAGE
    )


def _calm(view: Floats) -> Floats:
    """Return the view, smoothed if it is noisy: a clean one would lose its thinnest strokes."""
    sigma = min(1.2, max(view.shape) / 160)
    grain = np.abs(view - ndimage.gaussian_filter(view, 1))
    noise = float(np.quantile(grain, 0.25)) / QUARTILE
    if noise <= GRAIN or sigma < 0.3:
        return view
    calm: Floats = ndimage.gaussian_filter(view, sigma)
    return calm


def _flat(view: Floats) -> Floats:
    """Return the view as if evenly lit, or unchanged if a parabola does not fit its light."""
    height, width = view.shape
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    step = max(1, max(view.shape) // 32)  # a few thousand pixels are enough
    some, brightness = terms[::step, ::step].reshape(-1, 6), view[::step, ::step].ravel()
    paper = np.ones(len(brightness), bool)
    for _ in range(5):
        fit, *_ = np.linalg.lstsq(some[paper], brightness[paper], rcond=None)
        off = np.abs(brightness - some @ fit)
        spread = 1.4826 * np.median(off)
        paper = off <= 2.5 * spread + 0.005  # ink counts as off; half a grey level does not
    if spread > UNEVEN * np.median(brightness):
        return view
    light = terms @ fit
    flat: Floats = light.mean() * (1 + (view - light) / np.maximum(light, DARKEST_PAPER))
    return flat


def _ink(view: Floats) -> Floats:
    """Return the share of light absorbed at each pixel; about 0 on bare paper."""
    window = max(3, round(PAPER_WINDOW * max(view.shape)))
    paper = ndimage.grey_closing(view, (window, window), mode="nearest")
    ink = 1 - view / np.maximum(paper, DARKEST_PAPER)
    # Noise makes the closing a little too bright; most of the lighter half is bare paper.
    levelled: Floats = ink - np.quantile(ink, 0.25)
    return levelled


def _noise(ink: Floats) -> float:
    """Return the standard deviation of bare paper, from the lightest quarter of the picture."""
    # In a normal distribution, the fifth percentile lies 0.97 standard deviations below the 25th,
    # which is 0 here.
    return float(-np.quantile(ink, 0.05)) / 0.97


def _read(ink: Floats) -> Reading:
    noise = _noise(ink)
    visible = max(LEAST_CONTRAST, NOISE_FACTOR * noise)
    candidates = ink[ink > visible]
    if not candidates.size:
        raise NoDigit(messages.NOISE if visible > LEAST_CONTRAST else messages.BLANK)
    level = float(np.quantile(candidates, 0.95))
    labels, pieces = _pieces(_stroke_mask(ink, level, visible))
    pieces = _sharp(pieces, labels, ink / level)
    digit, several = _one(_whole(pieces, labels), labels)
    core = np.isin(labels, [piece.label for piece in digit])
    strength = _strength(ink / level, core, max(FRINGE, NOISE_FACTOR * noise / level))
    elongation = max(piece.elongation for piece in digit)
    edge = np.concatenate([core[0], core[-1], core[:, 0], core[:, -1]]).mean()
    size = _around(digit).size / max(ink.shape)
    score = level * min(elongation, WRITTEN) * (1 - edge) * size**0.5
    return Reading(Strokes(strength, core, elongation), several, float(score))


def _stroke_mask(ink: Floats, level: float, visible: float) -> Mask:
    """Return where ink is strong, or weaker but next to strong ink."""
    weak = ink > max(WEAK * level, visible)
    mask: Mask = ndimage.binary_dilation(
        ink > max(STRONG * level, visible), DIAGONALS, iterations=2, mask=weak
    )
    return mask


def _pieces(mask: Mask) -> tuple[Labels, list[Piece]]:
    """Return the label of each pixel's piece of ink, and the pieces that may be strokes."""
    if mask.all():
        raise NoDigit(messages.BLANK)
    mask = _inside_of_frame(mask)
    labels, _ = ndimage.label(mask, DIAGONALS)
    depth = ndimage.distance_transform_edt(mask)
    pieces = []
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        extent = Extent(rows.start, columns.start, rows.stop, columns.stop)
        own = labels[rows, columns] == label
        width = 2 * float(depth[rows, columns][own].max()) - 1
        pieces.append(Piece(label, extent, int(own.sum()), width))
    return labels, _without_rings(pieces, labels)


def _sharp(pieces: list[Piece], labels: Labels, ink: Floats) -> list[Piece]:
    """Drop bands of light: unlike a pen stroke, they do not reach full darkness in their width."""
    slope = ndimage.gaussian_gradient_magnitude(ink, 1)
    return [
        piece
        for piece in pieces
        if piece.extent.size < SHARP_FROM
        or piece.width < SLOPING
        or _rise(piece, labels, slope) >= SOFT
    ]


def _rise(piece: Piece, labels: Labels, slope: Floats) -> float:
    """Return the darkness gained over a stroke's width at its softer edges."""
    part = piece.extent.part
    mask = labels[part] == piece.label
    rim = mask & ~ndimage.binary_erosion(mask)
    return float(np.quantile(slope[part][rim], 0.25)) * piece.width


def _inside_of_frame(mask: Mask) -> Mask:
    """Return the mask without a frame along the picture's edges."""
    inside = mask.copy()
    sides = [inside, inside[::-1], inside.T, inside.T[::-1]]
    lined = [side for side in sides if side[0].mean() >= LINED]
    if len(lined) < 3:
        return mask
    for side in lined:
        bare = np.flatnonzero(side.mean(axis=1) < LINED)
        side[: bare[0] if bare.size else len(side)] = False
    return inside if inside.any() else mask


def _without_rings(pieces: list[Piece], labels: Labels) -> list[Piece]:
    """Drop pieces that enclose another: a frame, or a circle drawn around the digit."""
    pieces = _without_specks(pieces)
    rings = [
        outer
        for outer in pieces
        if any(
            outer.extent.holds(inner.extent)
            and inner.extent.size >= SPECK * outer.extent.size
            and _encloses(outer, inner, labels)
            for inner in pieces
        )
    ]
    return _without_specks([piece for piece in pieces if piece not in rings])


def _encloses(outer: Piece, inner: Piece, labels: Labels) -> bool:
    part = labels[outer.extent.part]
    filled = ndimage.binary_fill_holes(part == outer.label)
    return bool(filled[part == inner.label].all())


def _without_specks(pieces: list[Piece]) -> list[Piece]:
    largest = max((piece.extent.size for piece in pieces), default=0)
    return [piece for piece in pieces if piece.extent.size >= SPECK * largest]


def _whole(pieces: list[Piece], labels: Labels) -> list[Piece]:
    """Drop pieces along or cut off by the picture's edge, if a large enough whole one remains."""
    page = Extent(0, 0, *labels.shape)
    inside = [piece for piece in pieces if page.holds(piece.extent)]
    whole = [piece for piece in inside if piece.elongation >= BLOT]
    largest = max((piece.extent.size for piece in whole), default=0)
    if largest < LEAST_WHOLE * page.size:
        return pieces
    return inside + [
        piece
        for piece in pieces
        if piece not in inside
        and largest < CUT_OFF * piece.extent.size
        and not _runs_along_edge(piece, labels)
    ]


def _runs_along_edge(piece: Piece, labels: Labels) -> bool:
    sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    contacts = [float((side == piece.label).mean()) for side in sides]
    return max(contacts) >= ALONG or sum(contact > 0 for contact in contacts) > 1


def _one(pieces: list[Piece], labels: Labels) -> tuple[list[Piece], bool]:
    """Return the pieces of the most prominent digit, and whether there is another."""
    written = [p for p in pieces if p.elongation >= BLOT or p.extent.size < JUDGED]
    if not written:
        raise NoDigit(messages.BLOTS)
    if len(written) > CROWD:
        raise NoDigit(messages.TEXTURE)
    joined, apart = _cluster(written, labels)
    extent = _around(joined)
    if _length(joined, labels) > TANGLE * extent.size:
        raise NoDigit(messages.TEXTURE)
    rivals = [piece for piece in apart if piece.extent.height >= RIVAL * extent.height]
    several = bool(rivals) or _is_pair(joined, extent)
    if extent.width > WIDEST * extent.height and not several:
        raise NoDigit(messages.WIDE)
    return joined, several


def _around(pieces: list[Piece]) -> Extent:
    return pieces[0].extent.union(*(piece.extent for piece in pieces[1:]))


def _cluster(pieces: list[Piece], labels: Labels) -> tuple[list[Piece], list[Piece]]:
    """Return the largest piece with all those near it, and the rest."""
    joined = [max(pieces, key=lambda piece: piece.extent.size)]
    apart = [piece for piece in pieces if piece not in joined]
    while apart:
        distance = ndimage.distance_transform_edt(~np.isin(labels, [p.label for p in joined]))
        extent = _around(joined)
        near = [
            piece
            for piece in apart
            if piece.least(distance, labels) <= JOIN * extent.union(piece.extent).size
        ]
        if not near:
            break
        joined += near
        apart = [piece for piece in apart if piece not in near]
    largest = max(piece.area for piece in joined)
    return [piece for piece in joined if piece.area >= SPECK_AREA * largest], apart


def _length(pieces: list[Piece], labels: Labels) -> float:
    mask = np.isin(labels, [piece.label for piece in pieces])
    return float(mask.sum()) / mean_width(mask)


def mean_width(mask: Mask) -> float:
    """Return the mean stroke width in pixels: four times the mean depth, as in a long ribbon."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return max(1.0, 4 * float(depth[mask].mean() - 0.5))


def _is_pair(pieces: list[Piece], extent: Extent) -> bool:
    """Return whether a column of paper separates the pieces into two digits side by side."""
    ordered = sorted(pieces, key=lambda piece: piece.extent.left)
    return any(
        _are_beside(_around(ordered[:count]), _around(ordered[count:]), extent)
        for count in range(1, len(ordered))
    )


def _are_beside(left: Extent, right: Extent, both: Extent) -> bool:
    gap = right.left - left.right
    return (
        gap > 0
        and min(left.height, right.height) >= BESIDE * both.height
        and (gap > APART * both.height or both.width > WIDE * both.height)
    )


def _strength(ink: Floats, core: Mask, fringe: float) -> Floats:
    """Return the ink of the core and of anything connected to it nearby; 0 elsewhere."""
    reach = max(1.5, REACH * extent_of(core).size)
    near = (ink > fringe) & (ndimage.distance_transform_edt(~core) <= reach)
    labels, _ = ndimage.label(near | core, DIAGONALS)
    kept = np.isin(labels, np.unique(labels[core]))
    strength: Floats = np.where(kept, ink, 0).clip(0, 1).astype(np.float32)
    return strength
