"""C headers: compiled, run, and compared number by number."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import tinydigits
from tests.conftest import ROOT, need
from tinydigits import infer, load
from tinydigits.data.dataset import Dataset, Digits
from tinydigits.export import c
from tinydigits.export.folded import activations, fold
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.parity import (
    FILTER,
    Footprint,
    UnmeasuredError,
    c_logits,
    compiled,
    footprint,
)
from tinydigits.export.quantised import LOGIT, logits, quantise

SHA256 = "0123456789abcdef" * 4
STRICT = ("-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
# Reads a picture from standard input and writes what two headers' nets make of it.
BOTH = """
#include "net.h"
#include "other.h"
#include <stdio.h>
int main(void) {
  uint8_t pixels[784];
  tinydigits_logit logits[10];
  other_logit others[10];
  if (fread(pixels, 1, 784, stdin) != 784) return 1;
  const int digits[] = {tinydigits_predict(pixels, logits), other_predict(pixels, others)};
  fwrite(logits, sizeof logits, 1, stdout);
  fwrite(others, sizeof others, 1, stdout);
  return digits[0] != digits[1];
}
"""


@pytest.fixture(scope="module")
def floats() -> str:
    net = load()
    return c.in_floats(fold(net), c.golden_logits(net), SHA256)


@pytest.fixture(scope="module")
def integers(drawn: Dataset) -> str:
    return c.in_integers(quantise(fold(load()), drawn.train.images[:200]), SHA256)


@pytest.fixture(scope="module")
def four_bits(in_four_bits: list[IntegerConvolution]) -> str:
    return c.in_integers(in_four_bits, SHA256)


@pytest.fixture(params=["floats", "integers", "four_bits"])
def header(request: pytest.FixtureRequest) -> str:
    text: str = request.getfixturevalue(request.param)
    return text


def wrong_in_selftest(compiler: str, header: str, folder: Path) -> int:
    include = '#include "net.h"\n'
    program = compiled(compiler, header, include, folder, (*STRICT, "-DTINYDIGITS_SELFTEST"))
    return subprocess.run([program], check=False).returncode


@pytest.mark.usefixtures("compiler")
def test_float_header_gives_every_answer_of_the_net(
    floats: str, tested: Digits, net_logits: Tensor
) -> None:
    found = c_logits(floats, tested.images)
    assert torch.equal(found.argmax(dim=1), net_logits.argmax(dim=1))
    assert (found - net_logits).abs().max() < 1e-3


@pytest.mark.usefixtures("compiler")
def test_integer_header_is_exact_on_real_digits(
    calibrated: list[IntegerConvolution], integer_logits: Tensor, tested: Digits
) -> None:
    found = c_logits(c.in_integers(calibrated, SHA256), tested.images)
    assert torch.equal(found / LOGIT, integer_logits.double())


def flags_of_this_processor() -> set[str]:
    """What an x86 processor can do; on others, nothing."""
    told = Path("/proc/cpuinfo")
    return set(re.findall(r"\w+", told.read_text())) if told.exists() else set()


# The ways to add up products, by the options that choose them and what the processor must know.
WAYS = {
    "plain": (("-DTINYDIGITS_PLAIN",), ()),
    "sse2": (("-msse2",), ("sse2",)),
    "avx2": (("-mavx2",), ("avx2",)),
    "vnni": (("-mavx512vl", "-mavx512vnni"), ("avx512vl", "avx512_vnni")),
    "avx-vnni": (("-mavx2", "-mavxvnni"), ("avx_vnni",)),
}


def options_of(way: str) -> tuple[str, ...]:
    """Return a way's compiler options; skip the test if this processor cannot run it."""
    options, needed = WAYS[way]
    if missing := set(needed) - flags_of_this_processor():
        pytest.skip(f"this processor lacks {', '.join(sorted(missing))}")
    return tuple(options)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_exact_on_real_digits(
    way: str,
    compiler: str,
    calibrated: list[IntegerConvolution],
    integer_logits: Tensor,
    tested: Digits,
    tmp_path: Path,
) -> None:
    options = options_of(way)
    header = c.in_integers(calibrated, SHA256)
    program = compiled(compiler, header, FILTER, tmp_path, (*STRICT, *options))
    assert torch.equal(answers([program], tested.images), integer_logits)


@pytest.mark.parametrize("way", ["", "+dotprod", "+i8mm"])
@pytest.mark.parametrize("bits", ["calibrated", "in_four_bits"])
def test_every_way_of_an_arm_processor_is_exact(
    way: str, bits: str, request: pytest.FixtureRequest, drawn: Dataset, tmp_path: Path
) -> None:
    need("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross")
    need("qemu-aarch64", "qemu-user")
    layers, images = request.getfixturevalue(bits), drawn.test.images[:200]
    options = (*STRICT, "-static", f"-march=armv8.2-a{way}")
    header = c.in_integers(layers, SHA256)
    program = compiled("aarch64-linux-gnu-gcc", header, FILTER, tmp_path, options)
    expected = torch.from_numpy(logits(layers, images.numpy()))
    assert torch.equal(answers(["qemu-aarch64", "-cpu", "max", program], images), expected)


def answers(program: list[str | Path], images: Tensor) -> Tensor:
    """The int64 logits that a compiled FILTER gives."""
    ran = subprocess.run(program, input=images.numpy().tobytes(), capture_output=True, check=True)
    return torch.from_numpy(np.frombuffer(ran.stdout, np.int32).reshape(-1, 10).astype(np.int64))


@pytest.mark.parametrize("way", ["plain", "sse2", "avx2"])
def test_four_bit_header_is_exact_in_every_way(
    way: str,
    compiler: str,
    four_bits: str,
    in_four_bits: list[IntegerConvolution],
    drawn: Dataset,
    tmp_path: Path,
) -> None:
    options = options_of(way)
    program = compiled(compiler, four_bits, FILTER, tmp_path, (*STRICT, *options))
    expected = torch.from_numpy(logits(in_four_bits, drawn.test.images.numpy()))
    assert torch.equal(answers([program], drawn.test.images), expected)


@pytest.mark.usefixtures("compiler")
def test_four_bit_header_is_exact(
    four_bits: str, in_four_bits: list[IntegerConvolution], drawn: Dataset
) -> None:
    found = c_logits(four_bits, drawn.test.images)
    expected = torch.from_numpy(logits(in_four_bits, drawn.test.images.numpy()))
    assert torch.equal(found / LOGIT, expected.double())


@pytest.mark.usefixtures("compiler")
def test_biases_beyond_16_bits_are_stored_whole(
    in_four_bits: list[IntegerConvolution], drawn: Dataset
) -> None:
    first = in_four_bits[0]
    large = [replace(first, bias=first.bias + np.int32(40_000)), *in_four_bits[1:]]
    header = c.in_integers(large, SHA256)
    assert "typedef int32_t tinydigits_constant;" in header
    expected = torch.from_numpy(logits(large, drawn.test.images[:50].numpy()))
    assert torch.equal(c_logits(header, drawn.test.images[:50]) / LOGIT, expected.double())


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("odd", ["a dead channel", "no activation", "little activation"])
@pytest.mark.usefixtures("compiler")
def test_unusual_nets_are_exact(odd: str, bits: int, drawn: Dataset) -> None:
    layers, pixels = fold(load()), drawn.train.images[:50]
    if odd == "a dead channel":
        layers[2].weight[3] = 0
    elif odd == "no activation":
        pixels = torch.zeros_like(pixels)
        for layer in layers[:-1]:
            layer.bias[:] = 0
    else:
        _, second, *_ = activations(layers, pixels)
        layers[1].bias[:] -= second.max().item() - 1e-7
    quantised = quantise(layers, pixels, bits)
    found = c_logits(c.in_integers(quantised, SHA256), drawn.test.images[:50])
    expected = torch.from_numpy(logits(quantised, drawn.test.images[:50].numpy()))
    assert torch.equal(found / LOGIT, expected.double())


def test_two_weights_share_a_byte() -> None:
    assert c.packed(np.array([-8, 7, 0, -1, 3, -3], np.int8)).tolist() == [0xF0, 0x78, 0x5B]


def test_constants_are_what_training_found(floats: str, integers: str, four_bits: str) -> None:
    weights, channels = 12_712, 114
    assert c.constants(floats) == 4 * weights + 4 * channels
    # A fourth weight beside three in a row of the first layer, and 16 instead of 10 last outputs.
    weights += 8 * 3 + 6 * 16
    assert c.constants(integers) == weights + 8 * channels
    assert c.constants(four_bits) == weights // 2 + 4 * channels <= 7_000


def test_weights_are_in_groups_of_four_inputs_for_eight_outputs(
    calibrated: list[IntegerConvolution],
) -> None:
    first, *_, last = (c.grouped(layer.weight) for layer in calibrated)
    weight = calibrated[1].weight
    groups = c.grouped(weight)
    assert groups.shape == (2, 3, 6, 8, 4)
    # Output 13, the second row's third pixel, input channel 6.
    assert groups[1, 1, 2 * 2 + 1, 5, 2] == weight[13, 6, 1, 2]
    assert first.shape == (1, 3, 1, 8, 4)
    assert not first[..., 3].any()
    assert last.shape == (2, 1, 4, 8, 4)
    assert not last[1, :, :, 2:].any()


def test_header_checks_itself(compiler: str, header: str, tmp_path: Path) -> None:
    assert wrong_in_selftest(compiler, header, tmp_path) == 0


def test_self_test_finds_a_changed_weight(compiler: str, header: str, tmp_path: Path) -> None:
    start = re.search(r"tinydigits_(weight_4|all_weights)\[", header).start()  # type: ignore[union-attr]
    changed = header[:start] + re.sub(r"\{\n[-.0-9a-z]+,", "{\n99,", header[start:], count=1)
    assert wrong_in_selftest(compiler, changed, tmp_path) > 10


def test_self_test_finds_a_changed_answer(compiler: str, header: str, tmp_path: Path) -> None:
    start = header.index("tinydigits_golden_logits[16][10]")
    changed = header[:start] + re.sub(r"\{\n([-0-9]+)", r"{\n1\1", header[start:], count=1)
    changed = changed.replace("{\n1-", "{\n-1")
    assert wrong_in_selftest(compiler, changed, tmp_path) == 1


PRINT_DIGEST = """
import hashlib, sys
from tinydigits import load
from tinydigits.export import c
from tinydigits.export.folded import activations, fold
net = load()
header = c.in_floats(fold(net), c.golden_logits(net), sys.argv[1])
print(hashlib.sha256(header.encode()).hexdigest())
"""


def test_every_processor_writes_the_same_float_header(floats: str) -> None:
    # PyTorch, told to do without the instructions that processors differ in.
    plain = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    digest = subprocess.run(
        [sys.executable, "-c", PRINT_DIGEST, SHA256],
        cwd=ROOT,
        env={**os.environ, **plain, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert digest == hashlib.sha256(floats.encode()).hexdigest()


def test_one_program_holds_two_nets(
    compiler: str, integers: str, drawn: Dataset, tmp_path: Path
) -> None:
    net = load()
    other = c.in_floats(fold(net), c.golden_logits(net), SHA256, prefix="other")
    (tmp_path / "other.h").write_text(other)
    program = compiled(compiler, integers, BOTH, tmp_path, STRICT)
    image = drawn.test.images[0].numpy()
    ran = subprocess.run([program], input=image.tobytes(), capture_output=True, check=True)
    found = np.frombuffer(ran.stdout[:40], np.int32), np.frombuffer(ran.stdout[40:], np.float32)
    layers = quantise(fold(net), drawn.train.images[:200])
    np.testing.assert_array_equal(found[0], logits(layers, image[None])[0])
    np.testing.assert_allclose(found[1], infer(net, drawn.test.images[:1])[0], atol=1e-3)


@pytest.mark.parametrize("prefix", ["Net_7", "tinydigits_b"])
def test_every_name_begins_with_the_prefix(prefix: str, floats: str) -> None:
    net = load()
    header = c.in_floats(fold(net), c.golden_logits(net), SHA256, prefix=prefix)
    assert f"`tinydigits export c --prefix {prefix}`" in header
    names = set(re.findall(r"\b(?:tinydigits|TINYDIGITS)_(?!FILE_)\w+", floats))
    words = set(re.findall(r"\w+", header))
    assert {"tinydigits_predict", "TINYDIGITS_H", "TINYDIGITS_SELFTEST"} <= names
    assert not names & words
    length = len(c.PREFIX)
    renamed = {(prefix.upper() if name.isupper() else prefix) + name[length:] for name in names}
    assert renamed <= words
    assert c.buffers(header) == c.buffers(floats)


@pytest.mark.parametrize("other", ["of another form", "calibrated otherwise"])
def test_two_nets_of_one_prefix_do_not_compile(
    other: str, compiler: str, integers: str, floats: str, drawn: Dataset, tmp_path: Path
) -> None:
    if other == "calibrated otherwise":
        floats = c.in_integers(quantise(fold(load()), drawn.train.images[:50]), SHA256)
    (tmp_path / "other.h").write_text(floats)
    reason = "defined tinydigits_predict: export one of the two with --prefix NAME"
    with pytest.raises(UnmeasuredError, match=reason):
        compiled(compiler, integers, BOTH.replace("other_", "tinydigits_"), tmp_path)


def test_a_header_may_be_included_twice(compiler: str, header: str, tmp_path: Path) -> None:
    compiled(compiler, header, '#include "net.h"\n' + FILTER, tmp_path)


def test_header_needs_nothing(header: str) -> None:
    # Besides, what makes a compiler's own vectors known.
    vectors = {"<arm_acle.h>", "<arm_mve.h>", "<arm_neon.h>", "<immintrin.h>"}
    assert set(re.findall(r"#include (.*)", header)) - vectors == {"<stdint.h>"}
    assert "alloc" not in re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    assert f'#define TINYDIGITS_SHA256 "{SHA256}"' in header
    assert f'#define TINYDIGITS_VERSION "{tinydigits.__version__}"' in header
    assert "@" not in header


@pytest.mark.parametrize("header", ["integers", "four_bits"], indirect=True)
def test_integer_header_has_no_floats(header: str) -> None:
    code = re.sub(r'/\*.*?\*/|".*?"', "", header, flags=re.DOTALL)
    assert not re.search(r"\b(float|double)\b|\d\.\d|\d\.?f\b", code)


@pytest.fixture(params=["arm-none-eabi-gcc", "compiler"])
def sizer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The compiler that sizes are measured with: a microcontroller's, or this machine's."""
    arm, which = "arm-none-eabi-gcc", shutil.which
    if request.param == arm:
        need(arm, "gcc-arm-none-eabi")
        return arm
    path: str = request.getfixturevalue("compiler")
    monkeypatch.setattr(shutil, "which", lambda name: None if name == arm else which(name))
    return Path(path).name


def measured(header: str) -> Footprint:
    try:
        return footprint(header)
    except UnmeasuredError as reason:
        pytest.skip(f"{reason}: apt-get install binutils")


def test_buffers_are_all_of_the_static_memory(sizer: str, header: str) -> None:
    size = measured(header)
    assert size.compiler.startswith(f"{sizer} -Os")
    # This machine's arrays may begin at multiples of up to 32 bytes.
    arrays = len(re.findall(r"^static \w+ \w+\[", header, re.MULTILINE))
    gaps = 0 if sizer == "arm-none-eabi-gcc" else 31 * arrays
    assert 0 <= size.memory - c.buffers(header) <= gaps


@pytest.mark.usefixtures("sizer")
def test_integer_headers_fit_a_small_chip(integers: str, four_bits: str) -> None:
    for header, flash in ((integers, 20_000), (four_bits, 12_000)):
        size = measured(header)
        assert size.flash <= flash
        assert size.memory <= 10_000


@pytest.mark.usefixtures("compiler")
def test_a_compiler_that_does_not_know_its_processor_is_used(
    compiler: str, integers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Such as clang on Arm before version 15.
    refusing = tmp_path / "cc"
    refuse = "case $* in *native*) echo error: not supported >&2; exit 1;; esac"
    refusing.write_text(f'#!/bin/sh\n{refuse}\nexec {compiler} "$@"\n')
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert c_logits(integers, torch.zeros(2, 28, 28, dtype=torch.uint8)).shape == (2, 10)


@pytest.mark.usefixtures("compiler")
def test_a_header_that_does_not_compile_is_told_as_such(floats: str) -> None:
    with pytest.raises(UnmeasuredError, match=r"cannot compile the header: .*nonsense"):
        c_logits(floats + "#error nonsense", torch.zeros(1, 28, 28, dtype=torch.uint8))


def test_every_float_survives_as_text() -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0)).numpy()
    for value in (*values, values.dtype.type(3)):
        text = c._literal(value)
        assert text.endswith("f")
        assert values.dtype.type(text[:-1]) == value
    assert c._literal(values.dtype.type(3)) == "3.0f"
