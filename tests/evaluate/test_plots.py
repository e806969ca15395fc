"""Plots, read back from the bytes of the PNG or from the figure just before it is saved."""

import io
import math
from collections.abc import Callable, Iterable

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image
from torch import Tensor

from tinydigits.data.sources import SYNTHETIC_WARNING
from tinydigits.evaluate import plots
from tinydigits.evaluate.metrics import Report, report, wilson

NAME = "some net on some digits"
KINDS = {"fog": 10.0, "shear": 99.25, "stripe": 40.5}
Picture = Callable[[Report, Tensor, str], bytes]
PICTURES: dict[str, Picture] = {
    "confusion": lambda tested, _, name: plots.confusion(tested, name),
    "mistakes": plots.mistakes,
    "reliability": lambda tested, _, name: plots.reliability(tested, name),
    "corruptions": lambda _, __, name: plots.corruptions(KINDS, 99.5, name),
}
each_picture = pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())


def answered(labels: list[int], answers: list[int], logits: list[float]) -> Report:
    """A report on these answers; higher logits mean more confident answers."""
    return report(torch.eye(10)[answers] * torch.tensor(logits)[:, None], torch.tensor(labels))


def with_wrong(wrong: int, total: int) -> tuple[Report, Tensor]:
    """A report with the first digits wrong, each more confidently than the last, and its images."""
    labels = [i % 10 for i in range(total)]
    answers = [(label + (i < wrong)) % 10 for i, label in enumerate(labels)]
    tested = answered(labels, answers, [1 + 8 * i / total for i in range(total)])
    stream = torch.Generator().manual_seed(0)
    return tested, torch.randint(0, 256, (total, 28, 28), dtype=torch.uint8, generator=stream)


def read(png: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(png))
    picture.load()
    assert picture.format == "PNG"
    return picture


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures saved during the test."""
    saved: list[Figure] = []
    save = plots.png

    def keep(figure: Figure, **options: float) -> bytes:
        saved.append(figure)
        return save(figure, **options)

    monkeypatch.setattr(plots, "png", keep)
    return saved


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]


def rectangles(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def title(figure: Figure) -> str:
    return next(text for text in texts(figure) if text.startswith(NAME))


@each_picture
def test_each_picture_is_a_png_that_fits_a_screen(picture: Picture) -> None:
    width, height = read(picture(*with_wrong(43, 300), NAME)).size
    assert width == 840
    assert 200 <= height <= 1200


@each_picture
def test_title_tells_the_net_and_its_figures(picture: Picture, figures: list[Figure]) -> None:
    picture(*with_wrong(7, 200), NAME)
    expected = "clean 99.50 %" if "kinds" in title(figures[0]) else "96.50 % (7 of 200 wrong)"
    assert expected in title(figures[0])


@each_picture
def test_title_has_room_for_the_warning_of_synthetic_digits(picture: Picture) -> None:
    png = picture(*with_wrong(1, 20), f"classic: {SYNTHETIC_WARNING}")
    top = np.asarray(read(png).convert("L"))[:40]
    assert (top[:, [0, -1]] == 255).all()
    assert (top[0] == 255).all()
    assert (top < 128).any()


@each_picture
def test_what_is_drawn_is_not_changed(picture: Picture) -> None:
    tested, images = with_wrong(5, 20)
    before = [tensor.clone() for tensor in (tested.logits, tested.labels, images)]
    picture(tested, images, NAME)
    for tensor, copy in zip((tested.logits, tested.labels, images), before, strict=True):
        assert torch.equal(tensor, copy)


def test_confusion_has_each_count_in_its_labels_row_and_its_answers_column(
    figures: list[Figure],
) -> None:
    tested, _ = with_wrong(43, 2000)
    plots.confusion(tested, NAME)
    (axes,) = figures[0].axes
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "label")
    for label, row in enumerate(tested.confusion.tolist()):
        for answer, count in enumerate(row):
            assert cells[answer, label] == str(count)
    # Row 0 is at the top, where a reader looks for it.
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_a_single_error_among_thousands_is_seen(figures: list[Figure]) -> None:
    labels = [0] * 3000 + [1] * 3000
    plots.confusion(answered(labels, [0] * 3001 + [1] * 2999, [1.0] * 6000), NAME)
    (image,) = figures[0].axes[0].images
    colours = image.to_rgba(np.ma.asarray(image.get_array()))[..., :3]  # (label, answer, channel)
    grey = colours[0, 0]
    assert grey.max() == grey.min() < 1
    assert all((colours[i, i] == grey).all() for i in range(10))
    assert colours[1, 0].max() - colours[1, 0].min() > 0.5
    assert (colours[0, 1] == 1).all()


def test_every_wrong_digit_is_in_the_picture_and_no_right_one() -> None:
    # Each digit has two neighbouring levels of grey to itself (a colour map may round one down to
    # the other), so that its area can be measured in the PNG.
    tested, _ = with_wrong(43, 100)
    images = (torch.arange(100) * 2 + 1).byte().reshape(-1, 1, 1).expand(-1, 28, 28)
    pixels = np.asarray(read(plots.mistakes(tested, images, NAME)).convert("L"))
    areas = np.bincount(pixels.flatten() // 2)
    tile = (28 / plots.PIXELS_AN_INCH * plots.DPI) ** 2
    assert (areas[:43] > 0.95 * tile).all()
    assert (areas[43:100] < 0.1 * tile).all()


def test_captions_tell_label_answer_probability_and_index_surest_first(
    figures: list[Figure],
) -> None:
    # e^logit / (e^logit + 9): 91.0 %, 45.1 %, 69.1 %; the one right answer is not shown.
    tested = answered([4, 1, 7, 5], [9, 1, 2, 3], [4.5, 3.0, 2.0, 3.0])
    plots.mistakes(tested, torch.zeros(4, 28, 28, dtype=torch.uint8), NAME)
    captions = [text.get_text() for text in figures[0].axes[0].texts]
    assert captions == ["4 → 9  91 %\n#0", "5 → 3  69 %\n#3", "7 → 2  45 %\n#2"]


def shown_at(images: Iterable[AxesImage], x: float, y: float) -> float:
    for image in images:
        left, right, bottom, top = image.get_extent()
        if left <= x < right and top <= y < bottom:
            return float(np.asarray(image.get_array())[int(y - top), int(x - left)])
    raise AssertionError(f"no image at {x}, {y}")


@pytest.mark.parametrize("wrong", [1, 2, 3, 43, 100])
def test_each_caption_is_under_its_own_digit(figures: list[Figure], wrong: int) -> None:
    tested, _ = with_wrong(wrong, 100)
    images = torch.arange(100).byte().reshape(-1, 1, 1).expand(-1, 28, 28)
    plots.mistakes(tested, images, NAME)
    (axes,) = figures[0].axes
    found = [int(text.get_text().partition("#")[2]) for text in axes.texts]
    assert sorted(found) == list(range(wrong))
    for text, index in zip(axes.texts, found, strict=True):
        x, y = text.get_position()
        assert shown_at(axes.images, x, y - 2) == index
        assert shown_at(axes.images, x, y + 2) == 255
        assert axes.get_xlim()[0] < x < axes.get_xlim()[1]
        assert axes.get_ylim()[0] > y > axes.get_ylim()[1]


def test_no_mistakes_are_said_to_be_none(figures: list[Figure]) -> None:
    plots.mistakes(*with_wrong(0, 10), NAME)
    assert title(figures[0]).endswith("no mistakes")
    assert not figures[0].axes[0].images


@pytest.mark.parametrize(("wrong", "size"), [(0, (840, 244)), (1, (840, 244)), (50, (960, 1133))])
def test_mosaic_grows_with_the_mistakes(wrong: int, size: tuple[int, int]) -> None:
    assert read(plots.mistakes(*with_wrong(wrong, 50), NAME)).size == size


def test_many_mistakes_get_smaller_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "LARGEST", 500)
    assert 490 <= max(read(plots.mistakes(*with_wrong(64, 64), NAME)).size) <= 500


def test_images_of_other_digits_are_refused() -> None:
    tested, images = with_wrong(3, 10)
    with pytest.raises(ValueError, match="9 images for a report on 10 digits"):
        plots.mistakes(tested, images[:9], NAME)


def test_reliability_shows_each_bin_with_its_interval_and_count(figures: list[Figure]) -> None:
    tested, _ = with_wrong(60, 200)
    plots.reliability(tested, NAME)
    above, below = figures[0].axes
    points = np.asarray(above.lines[1].get_xydata())
    bins = tested.calibration
    assert len(bins) > 5
    assert np.allclose(points, [(b.confidence, b.accuracy) for b in bins])
    assert np.asarray(above.lines[0].get_xydata()).tolist() == [[0, 0], [1, 1]]
    spans = [np.asarray(path.vertices)[:, 1] for path in above.collections[0].get_paths()]
    assert np.allclose(100 * np.array(spans), [wilson(b.right, b.count) for b in bins])
    bars = [(bar.get_x(), bar.get_height()) for bar in rectangles(below)]
    assert bars == [(b.lower, b.count) for b in bins]
    assert [text.get_text() for text in below.texts] == [str(b.count) for b in bins]
    assert f"calibration error {tested.ece:.4f}" in title(figures[0])


@pytest.mark.parametrize("wrong", [0, 1])
@pytest.mark.parametrize("total", [1, 50])
def test_reliability_of_bins_all_right_or_all_wrong(wrong: int, total: int) -> None:
    read(plots.reliability(with_wrong(wrong * total, total)[0], NAME))


@pytest.mark.parametrize("name", ["mistakes", "reliability"])
def test_logits_that_are_no_numbers_are_named(name: str) -> None:
    tested = report(torch.full((2, 10), math.nan), torch.ones(2))
    with pytest.raises(ValueError, match="digit 0 has the logits"):
        PICTURES[name](tested, torch.zeros(2, 28, 28, dtype=torch.uint8), NAME)


def test_corruptions_stand_in_the_given_order_with_their_figures(figures: list[Figure]) -> None:
    plots.corruptions(KINDS, 99.5, NAME)
    (axes,) = figures[0].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(KINDS)
    assert [bar.get_width() for bar in rectangles(axes)] == list(KINDS.values())
    assert [text.get_text() for text in axes.texts] == ["10.00", "99.25", "40.50"]
    assert [text.get_position()[1] for text in axes.texts] == [0, 1, 2]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first is at the top
    assert axes.lines[0].get_xdata() == [99.5, 99.5]
    assert "mean of 3 kinds of damage 49.92 %" in title(figures[0])
