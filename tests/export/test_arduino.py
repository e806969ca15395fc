"""The library for Arduino and PlatformIO: its metadata, and its sketch compiled as the IDE does."""

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

import tinydigits
from tests.conftest import ROOT, need
from tests.export.test_avr import CHIP_C, printed
from tinydigits import load
from tinydigits.data.dataset import Dataset
from tinydigits.export import arduino, c
from tinydigits.export.folded import fold
from tinydigits.export.layers import IntegerConvolution
from tinydigits.export.quantised import logits, quantise
from tinydigits.files import write_folder

MEGA = "atmega2560"  # the chip of an Arduino Mega 2560: 256 kB of flash, 8 kB of RAM
# The start of the tools' names, and the compiler's options, for each processor.
TARGETS = {
    MEGA: ("avr-", [f"-mmcu={MEGA}"]),
    "cortex-m0plus": ("arm-none-eabi-", ["-mcpu=cortex-m0plus", "-mthumb"]),
    "cortex-m4": ("arm-none-eabi-", ["-mcpu=cortex-m4", "-mthumb"]),
}
PACKAGES = {"avr-": "gcc-avr", "arm-none-eabi-": "gcc-arm-none-eabi"}
# The options of Arduino's AVR core 1.8.6, with warnings as errors.
COMMON = [
    "-c",
    "-g",
    "-Os",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffunction-sections",
    "-fdata-sections",
]
LINK_TIME = ["-flto", "-fno-fat-lto-objects"]  # optimises again when linking
CPP = ["-fpermissive", "-fno-exceptions", "-fno-threadsafe-statics", "-Wno-error=narrowing"]
LINK = ["-Os", "-g", "-fuse-linker-plugin", "-Wl,--gc-sections"]
# What the sketch uses of the real one.
ARDUINO_H = """
#pragma once
#include <stdint.h>
#ifdef __AVR__
#include <avr/pgmspace.h>
#else
#define PROGMEM
#define pgm_read_byte(address) (*(const uint8_t *)(address))
#endif
extern "C" {
void delay(unsigned long milliseconds);
void setup(void);
void loop(void);
}
struct HardwareSerial {
  void begin(unsigned long baud);
  void print(const char *text);
  void println(int number);
};
extern HardwareSerial Serial;
"""
SERIAL_CPP = """
#include "Arduino.h"
#include <stdio.h>
HardwareSerial Serial;
void HardwareSerial::begin(unsigned long) {}
void HardwareSerial::print(const char *text) { printf("%s", text); }
void HardwareSerial::println(int number) { printf("%d\\n", number); }
void delay(unsigned long) {}
"""
MAIN_C = f"""
{CHIP_C}
void setup(void);
void loop(void);
static void answer(void) {{
  setup();
  loop();
}}
"""
# Reads a picture from standard input and writes the logits of two libraries.
BOTH_C = """
#include "tinydigits.h"
#include "other.h"
#include <stdio.h>
int main(void) {
  uint8_t pixels[784];
  int32_t results[2][10];
  if (fread(pixels, 1, 784, stdin) != 784) return 1;
  tinydigits_predict(pixels, results[0]);
  other_predict(pixels, results[1]);
  return fwrite(results, sizeof results, 1, stdout) != 1;
}
"""


@pytest.fixture(scope="module")
def in_eight_bits(drawn: Dataset) -> list[IntegerConvolution]:
    return quantise(fold(load()), drawn.train.images[:200])


@pytest.fixture(scope="module")
def library(
    in_eight_bits: list[IntegerConvolution], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder with the net in 8 bits."""
    return written(in_eight_bits, tmp_path_factory.mktemp("libraries"))


def written(layers: list[IntegerConvolution], folder: Path, prefix: str = c.PREFIX) -> Path:
    write_folder(folder / prefix, arduino.folder(layers, "0" * 64, prefix=prefix))
    return folder / prefix


def properties(library: Path) -> dict[str, str]:
    lines = (library / "library.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_arduino_finds_what_its_specification_requires(library: Path) -> None:
    fields = properties(library)
    required = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category"}
    assert set(fields) == required | {"url", "architectures", "includes"}
    assert all(fields[name] for name in set(fields) - {"url"})  # the project has no address
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]*", fields["name"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", fields["version"])
    assert (fields["category"], fields["architectures"]) == ("Data Processing", "*")
    assert [path.name for path in (library / "src").glob("*.h")] == [fields["includes"]]
    assert (library / "examples" / "ReadDigit" / "ReadDigit.ino").exists()
    assert "@" not in "".join(path.read_text() for path in library.rglob("*.*"))


def test_platformio_finds_what_its_manifest_names(library: Path) -> None:
    manifest, fields = json.loads((library / "library.json").read_text()), properties(library)
    for field in ("name", "version"):
        assert manifest[field] == fields[field]
    assert manifest["headers"] == fields["includes"]
    assert manifest["description"].startswith(fields["sentence"].rstrip("."))
    assert all(re.fullmatch("[a-z0-9 .+-]+", word) for word in manifest["keywords"])
    (example,) = manifest["examples"]
    assert all((library / example["base"] / name).exists() for name in example["files"])


def test_metadata_are_those_of_the_package(library: Path) -> None:
    manifest, fields = json.loads((library / "library.json").read_text()), properties(library)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    (author,) = citation["authors"]
    assert fields["version"] == tinydigits.__version__
    assert {fields["author"], fields["maintainer"]} == {author["name"]}
    assert manifest["authors"] == [{"name": author["name"], "maintainer": True}]
    assert manifest["license"] == citation["license"]
    assert (library / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_editor_colours_the_names_of_the_header(library: Path) -> None:
    header = (library / "src" / "tinydigits.h").read_text()
    words = [line.split("\t") for line in (library / "keywords.txt").read_text().splitlines()]
    assert {kind for _, kind in words} == {"KEYWORD1", "KEYWORD2", "LITERAL1"}
    names = set(re.findall(r"\btinydigits_\w+|\bTINYDIGITS_LOGIT_ONE", header))
    assert {word for word, _ in words} == names


def test_the_sketch_shows_the_answer_of_the_net(
    library: Path, in_eight_bits: list[IntegerConvolution]
) -> None:
    sketch = (library / "examples" / "ReadDigit" / "ReadDigit.ino").read_text()
    numbers = re.search(r"PROGMEM = \{([\d,\s]+)\}", sketch)
    assert numbers
    picture = np.array(numbers[1].split(","), np.uint8).reshape(1, 28, 28)
    digit = logits(in_eight_bits, picture).argmax()
    assert f"The net's answer is {digit}." in sketch
    assert f"`digit: {digit}`" in (library / "README.md").read_text()


def test_libraries_with_two_prefixes_are_used_together(
    library: Path,
    in_four_bits: list[IntegerConvolution],
    in_eight_bits: list[IntegerConvolution],
    compiler: str,
    drawn: Dataset,
    tmp_path: Path,
) -> None:
    other = written(in_four_bits, tmp_path, "other")
    assert properties(other)["name"] == "other"
    (tmp_path / "main.c").write_text(BOTH_C)
    include = [f"-I{folder / 'src'}" for folder in (library, other)]
    sources = [str(library / "src" / "tinydigits.c"), str(other / "src" / "other.c")]
    command = [compiler, "-std=c99", "-Werror", *include, "main.c", *sources, "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    picture = drawn.test.images[:1].numpy()
    ran = subprocess.run(
        tmp_path / "main", input=picture.tobytes(), capture_output=True, check=True
    )
    expected = np.concatenate([logits(layers, picture) for layers in (in_eight_bits, in_four_bits)])
    np.testing.assert_array_equal(np.frombuffer(ran.stdout, np.int32).reshape(2, 10), expected)


def compiled(source: Path, folder: Path, tool: str, *options: str) -> str:
    """Compile a C or C++ file, including ``folder``'s headers; return the object file's name."""
    done = f"{source.name}.o"
    language = ("-x", "c" if source.suffix == ".c" else "c++")
    command = [tool, *COMMON, "-I.", *options, *language, str(source), "-o", done]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return done


def net(library: Path, folder: Path, tools: str, *options: str) -> str:
    """Compile the library as Arduino does, and return the object file's name."""
    return compiled(library / "src" / "tinydigits.c", folder, f"{tools}gcc", "-std=gnu11", *options)


def sketch(library: Path, folder: Path, tools: str, standard: str, *options: str) -> str:
    """Compile the example as Arduino does, which makes C++ of it; return the object file's name."""
    (folder / "Arduino.h").write_text(ARDUINO_H)
    cpp = (*CPP, f"-std={standard}", "-include", "Arduino.h", f"-I{library / 'src'}")
    source = library / "examples" / "ReadDigit" / "ReadDigit.ino"
    return compiled(source, folder, f"{tools}g++", *cpp, *options)


@pytest.mark.parametrize("target", TARGETS)
def test_library_and_sketch_compile_without_a_warning(
    target: str, library: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    tools, options = TARGETS[target]
    if tools == "avr-":
        request.getfixturevalue("avr")
    need(f"{tools}g++", PACKAGES[tools])
    objects = {net(library, tmp_path, tools, *options)}
    for standard in ("gnu++11", "gnu++17"):
        objects.add(sketch(library, tmp_path, tools, standard, *options))
    assert objects == {"tinydigits.c.o", "ReadDigit.ino.o"}


@pytest.fixture(scope="module")
def program(avr: None, library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example for an Arduino Mega 2560, compiled and linked as Arduino does."""
    del avr
    need("avr-g++", PACKAGES["avr-"])
    folder = tmp_path_factory.mktemp("program")
    tools, options = TARGETS[MEGA]
    options = [*options, *LINK_TIME]
    for name, text in {"net.h": "", "main.c": MAIN_C, "serial.cpp": SERIAL_CPP}.items():
        (folder / name).write_text(text)
    objects = [
        net(library, folder, tools, *options),
        sketch(library, folder, tools, "gnu++11", *options),
        compiled(folder / "main.c", folder, "avr-gcc", *options),
        compiled(folder / "serial.cpp", folder, "avr-g++", *options),
    ]
    link = ["avr-gcc", *options, *LINK, *objects, "-o", "program"]
    subprocess.run(link, cwd=folder, check=True, timeout=60)
    return folder / "program"


def test_the_sketch_prints_the_digit(
    program: Path, in_eight_bits: list[IntegerConvolution]
) -> None:
    digit = logits(in_eight_bits, c.golden()[arduino.EXAMPLE][None]).argmax()
    assert printed(program, MEGA) == [f"digit: {digit}"]


def test_weights_and_picture_stay_in_flash(program: Path) -> None:
    told = subprocess.run(["avr-size", "-A", program], capture_output=True, text=True, check=True)
    sizes = {name: int(size) for name, size in re.findall(r"(?m)^\.(\S+) +(\d+)", told.stdout)}
    assert sizes["text"] > 13_000 + 784
    assert 3_680 + 784 < sizes["data"] + sizes["bss"] < 5_000
