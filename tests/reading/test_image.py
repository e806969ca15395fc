"""Digits on any paper, in any light, in any format, read by the net that ships."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageDraw, ImageFilter

from tests.pictures import LIGHTS, as_image, drawn, pasted, photo, side_by_side
from tinydigits import infer, load, predict
from tinydigits.data.dataset import Digits
from tinydigits.errors import InputError, NoDigit, SeveralDigits
from tinydigits.reading.image import from_array, to_mnist

Pixels = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.float64]
Rng = np.random.Generator


def read(picture: Image.Image) -> int:
    """Return the shipped net's answer, or -1 if no digit is found."""
    try:
        return predict(picture)[0].digit
    except NoDigit:
        return -1


def answers(inputs: Sequence[Pixels]) -> npt.NDArray[np.int64]:
    logits = infer(load(), torch.from_numpy(np.stack(inputs)))
    result: npt.NDArray[np.int64] = logits.argmax(1).numpy()
    return result


def framed(digit: int, width: int) -> Image.Image:
    image = drawn(digit)
    ImageDraw.Draw(image).rectangle((0, 0, 399, 399), outline=0, width=width)
    return image


def boxed(digit: int, angle: float) -> Image.Image:
    image = drawn(digit, box=(120, 100, 160, 200), pen=16)
    ImageDraw.Draw(image).rectangle((50, 50, 350, 350), outline=0, width=6)
    return image.rotate(angle, fillcolor=255)


def specked(digit: int, radius: int) -> Image.Image:
    image, rng = drawn(digit), np.random.default_rng(digit)
    for x, y in rng.integers(0, 400, (30, 2)).tolist():
        ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=40)
    return image


def turned(digit: int, orientation: int, back: int) -> Image.Image:
    """A picture lying on its side, whose EXIF data says so."""
    image = drawn(digit).rotate(back, expand=True)
    image.getexif()[0x0112] = orientation
    return image


def card(digit: int, ink: int, paper: int) -> Image.Image:
    """A card with rounded, transparent corners."""
    shape = Image.new("L", (400, 400))
    ImageDraw.Draw(shape).rounded_rectangle((0, 0, 399, 399), 80, fill=255)
    image = drawn(digit, ink=ink, paper=paper).convert("RGB")
    image.putalpha(shape)
    return image


def on_a_table(digit: int) -> Image.Image:
    """A white page, less than half of the picture, on dark wood."""
    table = Image.new("L", (800, 600), 50)
    table.paste(drawn(digit, size=(360, 440), pen=20), (210, 90))
    return table


def palette(digit: int) -> Image.Image:
    return drawn(digit, mode="RGB", ink=(20, 20, 90), paper=(250, 240, 220)).quantize(16)


def ruled(digit: int) -> Image.Image:
    image = Image.new("L", (400, 400), 250)
    for y in range(30, 400, 60):
        ImageDraw.Draw(image).line((0, y, 400, y), fill=215, width=2)
    ink = drawn(digit)
    image.paste(ink, mask=ink.point(lambda level: 255 - level))
    return image


def with_second_shape(image: Image.Image, points: list[tuple[int, int]]) -> Image.Image:
    ImageDraw.Draw(image).polygon(points, fill=30)
    return image


CONDITIONS: dict[str, Callable[[int], Image.Image]] = {
    "black on white": drawn,
    "white on black": lambda d: drawn(d, ink=255, paper=0),
    "pencil on grey": lambda d: drawn(d, ink=130, paper=165),
    "nearly white on white": lambda d: drawn(d, ink=230, paper=255),
    # Of equal brightness: only their colours tell them apart.
    "red on green": lambda d: drawn(d, mode="RGB", ink=(200, 40, 40), paper=(40, 118, 60)),
    "yellow on white": lambda d: drawn(d, mode="RGB", ink=(250, 230, 60), paper=(255, 255, 255)),
    "blue on yellow": lambda d: drawn(d, mode="RGB", ink=(40, 60, 200), paper=(240, 230, 120)),
    "palette": palette,
    "CMYK": lambda d: drawn(d).convert("CMYK"),
    "one bit": lambda d: drawn(d, mode="1", ink=0, paper=1),
    "16 bit": lambda d: drawn(d, mode="I;16", ink=3_000, paper=60_000),
    "12 of 16 bit": lambda d: drawn(d, mode="I;16", ink=300, paper=4_000),
    "32 bit": lambda d: drawn(d, mode="I", ink=70_000, paper=1_000),
    "float": lambda d: drawn(d, mode="F", ink=0.9, paper=0.1),
    "black on transparent": lambda d: drawn(d, mode="RGBA", ink=(0, 0, 0, 255), paper=(0, 0, 0, 0)),
    "white on transparent": lambda d: drawn(
        d, mode="RGBA", ink=(255, 255, 255, 255), paper=(0, 0, 0, 0)
    ),
    "half transparent": lambda d: drawn(
        d, mode="RGBA", ink=(0, 0, 0, 180), paper=(255, 255, 255, 0)
    ),
    "nearly transparent": lambda d: drawn(
        d, mode="RGBA", ink=(0, 0, 0, 90), paper=(255, 255, 255, 0)
    ),
    "grey and alpha": lambda d: drawn(d, mode="LA", ink=(20, 255), paper=(255, 0)),
    "card with transparent corners": lambda d: card(d, 0, 250),
    "dark card with transparent corners": lambda d: card(d, 150, 60),
    "EXIF 6, lying on its left": lambda d: turned(d, 6, 90),
    "EXIF 8, lying on its right": lambda d: turned(d, 8, -90),
    "EXIF 3, upside down": lambda d: turned(d, 3, 180),
    "frame of 4": lambda d: framed(d, 4),
    "frame of 25": lambda d: framed(d, 25),
    "box around": lambda d: boxed(d, 0),
    "tilted box around": lambda d: boxed(d, 4),
    "specks of 1": lambda d: specked(d, 1),
    "specks of 3": lambda d: specked(d, 3),
    "ruled paper": ruled,
    "page on a dark table": on_a_table,
    "dark corner": lambda d: with_second_shape(drawn(d), [(0, 0), (110, 0), (0, 90)]),
    "dark strip at the side": lambda d: with_second_shape(
        drawn(d), [(375, 0), (400, 0), (400, 400), (380, 400)]
    ),
    "near the edges": lambda d: drawn(d, box=(20, 20, 360, 360), pen=30),
    "in the corner": lambda d: drawn(d, box=(310, 290, 70, 100), pen=9),
    "strokes apart": lambda d: drawn(d, pen=20, lifted=0.06),
    "thick pen": lambda d: drawn(d, pen=64),
    "very thick pen": lambda d: drawn(d, pen=80),
    "thin pen": lambda d: drawn(d, pen=4),
    "thinnest pen": lambda d: drawn(d, pen=2),
    "12 megapixels, thin pen": lambda d: drawn(d, size=(3_000, 4_000), pen=6),
    "12 megapixels, small digit": lambda d: drawn(
        d, size=(4_000, 3_000), box=(2_500, 300, 70, 100), pen=7
    ),
    "wide picture": lambda d: drawn(d, size=(2_000, 200), box=(1_500, 20, 110, 160), pen=10),
    "tall picture": lambda d: drawn(d, size=(150, 3_000), box=(20, 400, 100, 150), pen=10),
    "64 pixels, pencil": lambda d: drawn(d, size=(64, 64), pen=1),
    "28 pixels": lambda d: drawn(d, size=(28, 28), pen=3),
    "blurred": lambda d: drawn(d).filter(ImageFilter.GaussianBlur(6)),
}
MISREAD = {("thinnest pen", 0)}  # a hairline of one pixel in 400 is marked in parts
CASES = [
    pytest.param(name, digit, marks=[pytest.mark.xfail(strict=True)] * ((name, digit) in MISREAD))
    for name in CONDITIONS
    for digit in range(10)
]


@pytest.mark.parametrize(("condition", "digit"), CASES)
def test_a_drawn_digit_is_read_under_every_condition(condition: str, digit: int) -> None:
    assert read(CONDITIONS[condition](digit)) == digit


DOTS = {  # five pixels high and three wide, as on a display, one pixel of paper around
    0: "###/#.#/#.#/#.#/###",
    1: "..#/..#/..#/..#/..#",
    2: "###/..#/###/#../###",
    3: "###/..#/###/..#/###",
    4: "#.#/#.#/###/..#/..#",
    5: "###/#../###/..#/###",
    7: "###/..#/..#/..#/..#",
}


@pytest.mark.parametrize("digit", DOTS)
def test_a_picture_of_five_pixels_is_read(digit: int) -> None:
    dots = np.array([[255 * (dot == "#") for dot in row] for row in DOTS[digit].split("/")])
    assert read(Image.fromarray(np.pad(dots, 1).astype(np.uint8))) == digit


@pytest.mark.parametrize("ink", ["dark", "light"])
@pytest.mark.parametrize("light", LIGHTS)
def test_digits_photographed_in_any_light_are_read(
    real: tuple[Digits, Digits], light: str, ink: str
) -> None:
    digits, rng = real[0][:40], np.random.default_rng(7)
    levels = (0.2, 0.85) if ink == "dark" else (0.9, 0.15)
    read_ = [
        read(as_image(photo(image, rng, light=light, ink=levels[0], paper=levels[1])))
        for image in digits.images.numpy()
    ]
    right = (np.array(read_) == digits.labels.numpy()).mean()
    # Where a shadow with a hard edge lies over the page, some are lost.
    assert right >= (0.75 if light == "a hard shadow" else 0.95)


@pytest.mark.parametrize("noise", [0.05, 0.1])
def test_digits_in_noise_are_read(real: tuple[Digits, Digits], noise: float) -> None:
    digits, rng = real[0][:60], np.random.default_rng(8)
    read_ = [read(as_image(photo(image, rng, noise=noise))) for image in digits.images.numpy()]
    assert (np.array(read_) == digits.labels.numpy()).mean() >= 0.95


def test_mnist_digits_pasted_anywhere_keep_their_answer(real: tuple[Digits, Digits]) -> None:
    # Enlarged 2 to 10 times by four filters, inverted half the time. The goal is 99.9 %; the record
    # of scenes has 98.8 %: a tail that stands off its digit is taken for a second one.
    originals, rng = real[1].images[:300].numpy(), np.random.default_rng(0)
    found = np.array([read(pasted(image, rng)) for image in originals])
    assert (found == answers([*originals])).mean() >= 0.98


def prepared(image: Pixels) -> Pixels | None:
    try:
        return to_mnist(Image.fromarray(image))
    except NoDigit:
        return None


def test_a_digit_in_mnists_format_stays_almost_as_it_is(real: tuple[Digits, Digits]) -> None:
    originals = real[1].images[:200].numpy()
    pairs = [(found, image) for image in originals if (found := prepared(image)) is not None]
    assert len(pairs) >= 0.98 * len(originals)
    # What remains is the ink's contrast, stretched to the full range.
    off = np.stack([np.abs(found.astype(int) - image) for found, image in pairs])
    assert off.mean() < 2
    assert (off.max(axis=(1, 2)) < 60).mean() > 0.9


def is_mnist_picture(pixels: Pixels) -> bool:
    return pixels.shape == (28, 28) and pixels.dtype == np.uint8 and pixels.max() == 255


@pytest.mark.parametrize("digit", range(10))
def test_size_and_centre_are_those_of_mnist(digit: int) -> None:
    pixels = to_mnist(drawn(digit, pen=30))
    assert is_mnist_picture(pixels)
    rows, columns = np.nonzero(pixels)
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    index = np.arange(28)
    assert pixels.sum(1) @ index / pixels.sum() == pytest.approx(14, abs=0.5)
    assert pixels.sum(0) @ index / pixels.sum() == pytest.approx(14, abs=0.5)


def stroke_width(pixels: Pixels) -> float:
    """Ink by length of the straight 1: its width in pixels."""
    return float((pixels[8:20] / 255).sum(axis=1).mean())


def test_thin_strokes_neither_vanish_nor_thick_ones_grow() -> None:
    widths = [stroke_width(to_mnist(drawn(1, pen=pen))) for pen in (2, 4, 10, 20, 40)]
    assert all(width > 1.5 for width in widths)
    assert widths[-1] == pytest.approx(40 / 300 * 20, abs=0.6)


def test_the_picture_is_left_as_it_was() -> None:
    image = drawn(3, mode="RGBA", ink=(0, 0, 0, 255), paper=(0, 0, 0, 0))
    before = image.tobytes()
    to_mnist(image)
    assert image.tobytes() == before


def shape(draw: Callable[[ImageDraw.ImageDraw], None]) -> Image.Image:
    image = Image.new("L", (400, 400), 255)
    draw(ImageDraw.Draw(image))
    return image


NOISES: dict[str, Callable[[Rng], npt.NDArray[Any]]] = {
    "uniform": lambda rng: rng.integers(0, 256, (480, 640)),
    "normal": lambda rng: 128 + rng.normal(0, 25, (480, 640)),
    "colour": lambda rng: 128 + rng.normal(0, 40, (480, 640, 3)),
    "faint": lambda rng: 220 + rng.normal(0, 4, (480, 640)),
    "static": lambda rng: 255 * rng.integers(0, 2, (480, 640)),
    "coarse static": lambda rng: np.kron(rng.integers(0, 2, (60, 80)), np.full((8, 8), 255)),
    "salt": lambda rng: np.where(rng.random((480, 640)) < 0.01, 0, 255),
    "small": lambda rng: rng.integers(0, 256, (28, 28)),
}


EMPTY: dict[str, Callable[[], Image.Image]] = {
    "white": lambda: Image.new("L", (300, 400), 255),
    "black": lambda: Image.new("RGB", (300, 400)),
    "transparent": lambda: Image.new("RGBA", (300, 400), (0, 0, 0, 0)),
    "one pixel": lambda: Image.new("L", (1, 1), 200),
    "light from one side": lambda: Image.linear_gradient("L"),
    "light from the middle": lambda: Image.radial_gradient("L"),
    "half in the shadow": lambda: shape(lambda d: d.rectangle((230, 0, 400, 400), fill=120)),
    "a frame": lambda: shape(lambda d: d.rectangle((0, 0, 399, 399), outline=0, width=12)),
    "a disc": lambda: shape(lambda d: d.ellipse((100, 100, 250, 250), fill=0)),
    "a square": lambda: shape(lambda d: d.rectangle((100, 100, 250, 250), fill=0)),
    "a speck": lambda: shape(lambda d: d.ellipse((200, 200, 205, 205), fill=0)),
    "a hair": lambda: shape(lambda d: d.line((20, 200, 380, 210), fill=0, width=4)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_where_no_digit_is_none_is_guessed(name: str) -> None:
    with pytest.raises(NoDigit):
        to_mnist(EMPTY[name]())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", NOISES)
def test_a_picture_of_noise_is_no_digit(kind: str, seed: int) -> None:
    pixels = NOISES[kind](np.random.default_rng(seed)).clip(0, 255).astype(np.uint8)
    with pytest.raises(NoDigit):
        to_mnist(Image.fromarray(pixels))


@pytest.mark.parametrize("gap", [10, 60, 200])
@pytest.mark.parametrize("pair", [(4, 2), (1, 1), (1, 0), (7, 5), (8, 8), (4, 1), (6, 9)])
def test_two_digits_side_by_side_are_told(pair: tuple[int, int], gap: int) -> None:
    with pytest.raises(SeveralDigits, match="more than one digit"):
        to_mnist(side_by_side(*pair, gap))


@pytest.mark.parametrize("text", ["42", "11", "07", "123", "1 9"])
def test_a_printed_number_is_more_than_one_digit(text: str) -> None:
    with pytest.raises(SeveralDigits):
        to_mnist(shape(lambda d: d.text((40, 60), text, fill=0, font_size=180)))


def test_a_page_of_text_is_no_digit() -> None:
    with pytest.raises(NoDigit):
        to_mnist(
            shape(lambda d: d.text((10, 10), "lorem ipsum dolor\n" * 12, fill=0, font_size=24))
        )


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 5)),
        np.zeros(784),
        np.zeros((2, 28, 28, 3)),
        np.zeros((28, 28, 2)),
        np.array([["a", "b"]]),
        np.zeros((28, 28), complex),
    ],
)
def test_arrays_that_are_no_picture_are_refused(array: npt.NDArray[np.generic]) -> None:
    with pytest.raises(InputError, match="is not a picture: expected numbers of shape"):
        from_array(array)


@pytest.mark.parametrize("dtype", ["uint8", "bool", "float32", "float64", "int64", "uint16"])
def test_arrays_of_every_type_show_the_same_digit(dtype: str) -> None:
    ink = np.asarray(drawn(5, ink=255, paper=0)) > 127
    scale = {"uint8": 255, "int64": 255, "uint16": 65_535}.get(dtype, 1)
    assert np.array_equal(
        to_mnist(from_array((ink * scale).astype(dtype))),
        to_mnist(Image.fromarray(ink.astype(np.uint8) * 255)),
    )


SCALES: dict[str, Callable[[Numbers], Numbers]] = {
    "0 to 1": lambda x: x / 255,
    "0 to 2": lambda x: x / 127.5,
    "0 to 10": lambda x: x / 25.5,
    "0 to 16": lambda x: x / 255 * 16,
    "0 to 100": lambda x: x / 2.55,
    "12 bits": lambda x: x / 255 * 4095,
    "-1 to 1": lambda x: x / 127.5 - 1,
    "MNIST's mean and deviation": lambda x: (x / 255 - 0.1307) / 0.3081,
    "its own mean and deviation": lambda x: (x - x.mean()) / x.std(),
    "-255 to 0": lambda x: x - 255,
    "millions": lambda x: (x - 100) * 1e6,
}


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0)], ids=["dark", "light"])
@pytest.mark.parametrize("scaled", SCALES.values(), ids=SCALES)
def test_numbers_on_any_scale_show_the_same_digit(
    scaled: Callable[[Numbers], Numbers], ink: int, paper: int
) -> None:
    picture = drawn(5, ink=ink, paper=paper)
    pixels = scaled(np.asarray(picture, np.float64))
    expected = to_mnist(picture).astype(int)
    for kind in (np.float64, np.float32):
        assert np.abs(to_mnist(from_array(pixels.astype(kind))) - expected).max() <= 12


@pytest.mark.parametrize("white", [1, 2, 16])
def test_small_integers_show_the_same_digit(white: int) -> None:
    mask = np.asarray(drawn(5, ink=255, paper=0)) > 127
    for kind in ("uint8", "int8", "int64"):
        levels = to_mnist(from_array((mask * white).astype(kind)))
        assert np.array_equal(levels, to_mnist(from_array(mask)))


def test_numbers_that_are_not_finite_count_as_the_lowest() -> None:
    pixels = np.asarray(drawn(5, ink=255, paper=0)) / 127.5 - 1
    holes = pixels.copy()
    holes[:9, :9] = [np.nan, np.inf, -np.inf] * 3
    assert np.array_equal(to_mnist(from_array(holes)), to_mnist(from_array(pixels)))


@pytest.mark.parametrize("value", [-0.42, 0.0, 0.5, 3.0, 200.0, 1e9, np.nan])
def test_an_even_array_is_blank(value: float) -> None:
    with pytest.raises(NoDigit, match="blank"):
        to_mnist(from_array(np.full((40, 40), value)))


def test_channels_may_come_first() -> None:
    colours = np.asarray(drawn(5).convert("RGB"))
    expected = to_mnist(from_array(colours))
    assert np.array_equal(to_mnist(from_array(np.moveaxis(colours, 2, 0))), expected)
    assert np.array_equal(to_mnist(from_array(colours[None, :, :, 0])), expected)


any_array = arrays.arrays(
    dtype=st.sampled_from(["uint8", "int8", "uint16", "int32", "float32", "float64", "bool"]),
    shape=st.one_of(
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
        st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3, 4])),
    ),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(any_array)
def test_random_arrays_give_an_answer_or_a_reason(array: npt.NDArray[np.generic]) -> None:
    with contextlib.suppress(NoDigit):
        assert is_mnist_picture(to_mnist(from_array(array)))
