"""The camera's part of a C header: frames of drawn scenes, and frames that nobody would take."""

import re
import subprocess
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.conftest import ROOT, need
from tinydigits import load
from tinydigits.data.dataset import Dataset
from tinydigits.export import c, camera, parity
from tinydigits.export.folded import fold
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.quantised import quantise
from tinydigits.scenes.glyphs import from_shapes

Pixels = npt.NDArray[np.uint8]
Call = Callable[[Pixels], tuple[int, Pixels]]

FOUND, NO_DIGIT, SEVERAL, BAD_SIZE = range(4)
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
SCENES = 50
USE = '#include "net.h"\n' + parity.READ_FRAME.replace(
    "int read_frame", "int read_frame(const uint8_t *, int, int, uint8_t *, tinydigits_logit *);\n"
    "int read_frame"
)  # fmt: skip
# Reads frames from standard input and puts each into memory of exactly its size, so that sanitizers
# notice a step beyond. Writes what is returned, and how many pixels were written.
FILTER = """
#include "net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void) {
  int32_t size[3], told[2];
  while (fread(size, sizeof size, 1, stdin) == 1) {
    const size_t length = (size_t)(size[2] * (size[1] - 1) + size[0]);
    uint8_t *frame = malloc(length), *pixels = malloc(784);
    if (!frame || !pixels || fread(frame, 1, length, stdin) != length) return 1;
    memset(pixels, 77, 784);
    told[0] = tinydigits_from_grey(frame, size[0], size[1], size[2], pixels);
    told[1] = 0;
    for (int i = 0; i < 784; i++) told[1] += pixels[i] != 77;
    fwrite(told, sizeof told, 1, stdout);
    free(frame);
    free(pixels);
  }
  return 0;
}
"""


@pytest.fixture(scope="module")
def layers(drawn: Dataset) -> list[IntegerConvolution]:
    return quantise(fold(load()), drawn.train.images[:200])


@pytest.fixture(scope="module")
def header(layers: list[IntegerConvolution]) -> str:
    return c.in_integers(layers, "0" * 64, camera=True)


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        yield import_module("camera")


@pytest.fixture(scope="module")
def call(
    compiler: str, header: str, benchmark: Any, tmp_path_factory: pytest.TempPathFactory
) -> Call:
    """The header's function, compiled for this machine."""
    assert compiler
    called: Call = benchmark.called(header, tmp_path_factory.mktemp("camera"), "-O2")
    return called


def seven(height: int = 60, width: int = 80, *, size: int = 40, pen: int = 5) -> Pixels:
    """Return a frame with a 7, black on white."""
    frame = np.full((height, width), 255, np.uint8)
    top, left = (height - size) // 2, (width - size // 2) // 2
    frame[top : top + pen, left : left + size // 2] = 0
    for y in range(size):
        x = left + size // 2 - pen - y * (size // 2 - pen) // size
        frame[top + y, x : x + pen] = 0
    return frame


def noise(level: float, seed: int = 0, shape: tuple[int, int] = (120, 160)) -> Pixels:
    grain = np.random.default_rng(seed).standard_normal(shape)
    return (128 + level * grain).clip(0, 255).astype(np.uint8)


def test_frames_are_read_as_python_reads_them(call: Call, benchmark: Any) -> None:
    source = from_shapes()
    frames = [benchmark.plain(source, number, "tested") for number in range(SCENES)]

    def read(frame: Pixels) -> Pixels | None:
        error, pixels = call(frame)
        return None if error else pixels

    told = benchmark.figures(frames, read)
    assert told["agree"] >= SCENES - 3
    assert told["c_right"] >= SCENES - 3
    assert told["c_none"] >= SCENES / benchmark.EMPTY


@pytest.mark.parametrize("size", [12, 20, 40, 58])
@pytest.mark.parametrize("pen", [1, 3, 6])
def test_a_digit_of_any_size_gets_mnists_frame(size: int, pen: int, call: Call) -> None:
    error, pixels = call(seven(size=size, pen=min(pen, size // 6)))
    assert error == FOUND
    rows, columns = (np.flatnonzero(pixels.max(axis=axis) > 100) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(20, abs=1)
    assert pixels.max() == 255
    y, x = (np.average(np.arange(28), weights=pixels.sum(axis=axis)) for axis in (1, 0))
    assert (y, x) == pytest.approx((14, 14), abs=0.5)
    strokes = pixels[np.ix_(rows[6:14], columns)].astype(float).sum(axis=1) / 255
    assert 0.9 < np.median(strokes) < 7


def test_a_hairline_is_thickened(call: Call) -> None:
    error, pixels = call(seven(height=120, size=100, pen=2))
    assert error == FOUND
    middle = pixels[12:16].astype(float).sum(axis=1) / 255
    assert middle == pytest.approx(np.full(4, 2.2), abs=0.6)


def test_polarity_makes_no_difference(call: Call) -> None:
    dark, light = call(seven()), call(255 - seven())
    assert dark[0] == light[0] == FOUND
    assert np.abs(dark[1].astype(int) - light[1]).max() <= 8


def test_a_stride_skips_what_is_between_rows(call: Call) -> None:
    frame = seven()
    wide = np.random.default_rng(0).integers(0, 256, (60, 97)).astype(np.uint8)
    wide[:, :80] = frame
    assert call(wide[:, :80])[0] == FOUND
    assert np.array_equal(call(wide[:, :80])[1], call(frame)[1])


def test_uneven_light_is_not_ink(call: Call) -> None:
    light = np.linspace(0.5, 1, 80)
    error, pixels = call((seven() * light).astype(np.uint8))
    assert error == FOUND
    assert np.abs(pixels.astype(int) - call(seven())[1]).mean() < 3


def test_ink_at_the_edge_of_the_frame_is_read(call: Call) -> None:
    for frame in (seven()[10:], seven()[:, 30:], seven()[10:50, 30:50]):
        assert call(np.ascontiguousarray(frame))[0] == FOUND


def empty_frames() -> dict[str, Pixels]:
    across, down = np.meshgrid(np.arange(160), np.arange(120))
    hill = ((across - 80.0) ** 2 + (down - 60.0) ** 2) / 200
    return {
        "black": np.zeros((120, 160), np.uint8),
        "white": np.full((120, 160), 255, np.uint8),
        "gradient": (across * 1.6).astype(np.uint8),
        "slope": (across + 0.8 * down).astype(np.uint8),
        "vignette": (250 - hill).clip(0, 255).astype(np.uint8),
        "half": np.where(down < 60, 30, 220).astype(np.uint8),
        "checkerboard": ((across + down) % 2 * 255).astype(np.uint8),
        "one pixel": np.where((across == 80) & (down == 60), 0, 255).astype(np.uint8),
        "faint noise": noise(2),
        "noise": noise(12),
        "strong noise": noise(60),
        "small": np.full((8, 8), 200, np.uint8),
        "smallest": np.zeros((1, 1), np.uint8),
    }


@pytest.mark.parametrize("name", empty_frames())
def test_a_frame_without_a_digit_is_told_as_such(name: str, call: Call) -> None:
    error, pixels = call(empty_frames()[name])
    assert error == NO_DIGIT
    assert not pixels.any()


def test_two_digits_are_not_read_as_one(call: Call) -> None:
    assert call(np.concatenate([seven(), seven()], axis=1))[0] == SEVERAL


@pytest.mark.parametrize("shape", [(60, 161), (121, 80), (60, 0), (0, 80)])
def test_a_frame_of_a_wrong_size_is_rejected(shape: tuple[int, int], call: Call) -> None:
    assert call(np.zeros(shape, np.uint8))[0] == BAD_SIZE


def test_a_stride_below_the_width_is_rejected(call: Call) -> None:
    frame = np.lib.stride_tricks.as_strided(seven(), (30, 80), (79, 1))
    assert call(frame)[0] == BAD_SIZE


def strange_frames() -> Iterator[Pixels]:
    """Yield frames of all sizes: noise, blocks, lines and combs, and all that are empty."""
    rng = np.random.default_rng(0)
    yield from empty_frames().values()
    for number in range(60):
        height, width = rng.integers(1, 121), rng.integers(1, 161 if number % 3 else 20)
        y, x = np.mgrid[:height, :width]
        frames = (
            rng.integers(0, 256, (height, width)),
            np.where(rng.random((height, width)) < rng.uniform(0, 0.5), 0, 255),
            np.where((y % 4 < 2) | (x == np.where(y // 4 % 2, 0, width - 1)), 0, 255),
            np.where(np.hypot(y - height / 2, x - width / 2) < rng.uniform(0, 90), 255, 0),
            np.where((x > rng.integers(width)) ^ (y > rng.integers(height)), 200, 90),
        )
        yield frames[number % len(frames)].astype(np.uint8)
    for size in (20, 58, 60):  # strokes as wide as the digit, and digits at the edge
        yield seven(size=size, pen=size // 2)


def test_no_frame_is_read_or_written_out_of_bounds(
    compiler: str, header: str, tmp_path: Path
) -> None:
    sanitize = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    frames = list(strange_frames())
    content = b"".join(
        np.array([*frame.shape[::-1], frame.shape[1]], np.int32).tobytes() + frame.tobytes()
        for frame in frames
    )
    try:
        program = parity.compiled(compiler, header, FILTER, tmp_path, sanitize)
    except parity.UnmeasuredError as reason:
        pytest.skip(f"{reason}: this compiler has no sanitizers")
    ran = subprocess.run([program], input=content, capture_output=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr.decode()
    told = np.frombuffer(ran.stdout, np.int32).reshape(-1, 2)
    assert len(told) == len(frames)
    assert set(told[:, 0]) == {FOUND, NO_DIGIT, SEVERAL}
    assert not told[told[:, 0] != FOUND, 1].any()  # nothing is written without a digit


@pytest.mark.parametrize("language", ["-std=c99", "-std=c++17"])
def test_it_compiles_without_a_warning(
    language: str, compiler: str, header: str, tmp_path: Path
) -> None:
    (tmp_path / "net.h").write_text(header)
    (tmp_path / "program.c").write_text(USE)
    options = [language, *STRICT, "-x", "c++" if "++" in language else "c", "-fsyntax-only"]
    ran = subprocess.run(
        [compiler, *options, "program.c"], cwd=tmp_path, capture_output=True, check=False, text=True
    )
    if re.search(r"cc1plus|error trying to exec", ran.stderr):
        pytest.skip("no C++ compiler: apt-get install g++")
    assert ran.stderr == ""


@pytest.mark.parametrize("chip", ["cortex-m4", "cortex-m0"])
def test_a_chip_needs_no_library_and_8_kb(chip: str, header: str, tmp_path: Path) -> None:
    need("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    net = c.buffers(header[: header.index("TINYDIGITS_NO_DIGIT")])
    options = ("-Os", f"-mcpu={chip}", "-mthumb", *STRICT, "-c", "-fstack-usage")
    use = USE.replace("tinydigits_predict(pixels, logits)", "(int)(logits[0] = 0)")
    program = parity.compiled(
        "arm-none-eabi-gcc", header, use, tmp_path, (*options, "-Wno-unused-function")
    )
    undefined = subprocess.run(
        ["arm-none-eabi-nm", "--undefined-only", program], capture_output=True, check=True
    )
    assert undefined.stdout == b""
    told = subprocess.run(["arm-none-eabi-size", program], capture_output=True, check=True)
    text, data, bss = map(int, told.stdout.split()[6:9])
    assert 3_000 < text < 6_000
    assert data + bss == c.buffers(header) - net
    used = [int(line.split()[1]) for line in next(tmp_path.glob("*.su")).read_text().splitlines()]
    assert data + bss + 2 * max(used) <= 8192


def test_its_self_test_passes_and_can_fail(compiler: str, header: str, tmp_path: Path) -> None:
    options = ("-O0", *STRICT, "-DTINYDIGITS_SELFTEST")  # which compiles fastest
    broken = header.replace(str(camera.values()["lanczos"]), "0, " * 48 + "0")
    assert broken != header
    for text, wrong in ((header, 0), (broken, 14)):
        program = parity.compiled(compiler, text, '#include "net.h"\n', tmp_path, options)
        assert subprocess.run([program], check=False).returncode == wrong


def test_every_name_begins_with_the_prefix(header: str, layers: list[IntegerConvolution]) -> None:
    other = c.in_integers(layers, "0" * 64, prefix="eye", camera=True)
    assert "`tinydigits export c --int8 --camera --prefix eye`" in other
    assert "eye_from_grey" in other
    assert "EYE_NO_DIGIT" in other
    assert not set(re.findall(r"\b(?:tinydigits|TINYDIGITS)_\w+", header)) & set(
        re.findall(r"\w+", other)
    )
    assert "@" not in header
    assert len(other) < len(header)


def test_a_header_without_a_camera_has_none_of_it(layers: list[IntegerConvolution]) -> None:
    assert "from_grey" not in c.in_integers(layers, "0" * 64)
