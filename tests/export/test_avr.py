"""C headers where int has 16 bits: compiled for an AVR by avr-gcc, and run in simavr."""

import re
import subprocess
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.export.conftest import array
from tinydigits import load
from tinydigits.data.dataset import Dataset
from tinydigits.export import c
from tinydigits.export.folded import activations, fold
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.quantised import logits, quantise

pytestmark = pytest.mark.usefixtures("avr")

CHIP, CLOCK = "atmega1284", 16_000_000  # 128 kB of flash, 16 kB of RAM
COMPILE = ("avr-gcc", f"-mmcu={CHIP}", "-Os", "-Wall", "-Wextra", "-Wconversion", "-Werror")
# Without the buffers of functions that are not called.
PART = ("-fdata-sections", "-Wl,--gc-sections", "-Wno-unused-function")
# What `main` prints through the serial port is what simavr prints. It ends when the chip sleeps.
CHIP_C = """
#include "net.h"
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <stdio.h>

static int put(char byte, FILE *file) {
  (void)file;
  loop_until_bit_is_set(UCSR0A, UDRE0);
  UDR0 = (uint8_t)byte;
  return 0;
}

static FILE serial = FDEV_SETUP_STREAM(put, NULL, _FDEV_SETUP_WRITE);
static void answer(void);

int main(void) {
  UCSR0B = _BV(TXEN0);
  stdout = &serial;
  answer();
  cli();
  sleep_enable();
  sleep_cpu();
  return 0;
}
"""
WHOLE_NET = """
static void answer(void) {
  TCCR1B = _BV(CS12) | _BV(CS10); /* a tick is 1024 cycles */
  for (int n = 0; n < (int)(sizeof pictures / 784); n++) {
    static uint8_t pixels[784];
    tinydigits_logit logits[10];
    for (int i = 0; i < 784; i++) pixels[i] = pictures[784 * n + i];
    TCNT1 = 0;
    const int digit = tinydigits_predict(pixels, logits);
    printf("%u %d", TCNT1, digit);
    for (int o = 0; o < 10; o++) printf(" %ld", (long)logits[o]);
    printf("\\n");
  }
}
"""
# The buffers of a float net need more than the chip's RAM; those after its first layers do not.
AFTER_FIRST_LAYERS = """
static void answer(void) {
  tinydigits_logit logits[10];
  for (int i = 0; i < 12 * 12 * 16; i++) tinydigits_first[i] = first[i];
  tinydigits_block(tinydigits_first, 12, &tinydigits_layers[2], tinydigits_second);
  tinydigits_rows(tinydigits_second, tinydigits_second + 2 * 4 * 24, 4, &tinydigits_layers[4],
                  tinydigits_third);
  tinydigits_rows(tinydigits_third, 0, 2, &tinydigits_layers[5], tinydigits_last);
  tinydigits_end(tinydigits_last, &tinydigits_layers[6], logits);
  for (int o = 0; o < 10; o++) printf("%ld ", (long)(logits[o] * 10000));
  printf("\\n");
}
"""


@pytest.fixture(scope="module")
def layers(drawn: Dataset) -> list[IntegerConvolution]:
    return quantise(fold(load()), drawn.train.images[:200])


def compiled(header: str, source: str, folder: Path, *options: str) -> Path:
    (folder / "net.h").write_text(header)
    (folder / "program.c").write_text(source)
    command = [*COMPILE, *options, "program.c", "-o", "program"]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return folder / "program"


def printed(program: Path, chip: str = CHIP) -> list[str]:
    """Return the lines that a program prints on a chip."""
    command = ["simavr", "-m", chip, "-f", str(CLOCK), str(program)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    # simavr colours what comes through the serial port, and shows a line's end as a point.
    return re.findall(r"\x1b\[32m(.*)\.", ran.stdout + ran.stderr)


def test_integer_header_gives_the_same_logits(
    layers: list[IntegerConvolution], drawn: Dataset, tmp_path: Path
) -> None:
    white = np.full((1, 28, 28), 255, np.uint8)  # the largest sums
    pictures = np.concatenate([drawn.test.images[:1].numpy(), white])
    source = CHIP_C + array("uint8_t", "pictures", pictures) + WHOLE_NET
    lines = printed(compiled(c.in_integers(layers, "0" * 64), source, tmp_path))
    expected = [[row.argmax(), *row] for row in logits(layers, pictures)]
    assert [[int(word) for word in line.split()[1:]] for line in lines] == expected
    assert all(1024 * int(line.split()[0]) < 4 * CLOCK for line in lines)  # four seconds


def test_float_header_gives_the_same_logits_after_its_first_layers(tmp_path: Path) -> None:
    net = load()
    folded, expected = fold(net), c.golden_logits(net)
    _, second = islice(activations(folded, torch.from_numpy(c.golden()[:1])), 2)
    first = functional.max_pool2d(second, 2).permute(0, 2, 3, 1)
    source = CHIP_C + array("float", "first", first.numpy()) + AFTER_FIRST_LAYERS
    header = c.in_floats(folded, expected, "0" * 64)
    (line,) = printed(compiled(header, source, tmp_path, *PART))
    np.testing.assert_allclose(np.array(line.split(), int) / 10_000, expected[0], atol=1e-3)


@pytest.mark.parametrize(("bits", "constants"), [(8, 13_000), (4, 6_000)])
def test_weights_stay_in_flash(
    bits: int, constants: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    layers = request.getfixturevalue({8: "layers", 4: "in_four_bits"}[bits])
    use = """
        #include "net.h"
        int read_digit(const uint8_t *p, tinydigits_logit *l);
        int read_digit(const uint8_t *p, tinydigits_logit *l) { return tinydigits_predict(p, l); }
    """
    program = compiled(c.in_integers(layers, "0" * 64), use, tmp_path, "-c")
    told = subprocess.run(["avr-size", "-A", program], capture_output=True, text=True, check=True)
    sizes = {name: int(size) for name, size in re.findall(r"(?m)^\.(\S+) +(\d+)", told.stdout)}
    assert constants < sizes["progmem.data"] < constants + 1_000
    assert sizes["text"] < 4_500
    assert sizes["data"] + sizes["bss"] + sizes["rodata"] < 4_000
