"""``tinydigits export``: the files it writes and the lines it prints."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tinydigits import Net, load
from tinydigits.cli import main
from tinydigits.data import mnist
from tinydigits.data.dataset import Dataset, Digits, load_dataset
from tinydigits.export import command as exporting

PARITY = re.compile(
    r"parity on (.*): largest \|Δlogit\| ([-.e0-9]+), (\d+) of ([0-9,]+) answers differ, "
)
FORMS = {
    "onnx": ["onnx", "people", "net.onnx"],
    "onnx --int8": ["onnx", "--int8", "people", "net.onnx"],
    "c": ["c", "people", "net.h"],
    "c --int8": ["c", "--int8", "people", "net.h"],
    "html": ["html", "people", "net.html"],
    "safetensors": ["safetensors", "people", "net"],
}
RUN_WITH = {"c": "compiler", "c --int8": "compiler", "html": "chromium"}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    """A form of export that can be run on this machine."""
    form: str = request.param
    if form in RUN_WITH:
        request.getfixturevalue(RUN_WITH[form])
    return form


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def synthetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few synthetic digits in place of MNIST."""

    def nothing(part: mnist.Part, directory: Path) -> None:
        raise mnist.UnavailableError(f"no {part} digits in {directory}")

    monkeypatch.setattr(mnist, "load", nothing)
    monkeypatch.setattr("tinydigits.export.command.SYNTHETIC_COUNTS", (100, 50))


def export(*arguments: str) -> int:
    return main(["export", *arguments])


def told(capsys: pytest.CaptureFixture[str]) -> tuple[str, float, int, str]:
    found = PARITY.search(capsys.readouterr().out)
    assert found
    return found[1], float(found[2]), int(found[3]), found[4]


def first_thousand(*arguments: Any, **options: Any) -> Dataset:
    dataset = load_dataset(*arguments, **options)
    return replace(dataset, test=dataset.test[:1_000])


def test_export_ends_with_its_parity_on_mnist(
    form: str,
    mnist_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # tests/test_contract.py runs the commands of the pages, which compare all digits.
    monkeypatch.setattr(exporting, "load_dataset", first_thousand)
    assert export(*FORMS[form], "--data-dir", str(mnist_folder)) == 0
    digits, delta, differ, total = told(capsys)
    assert (digits, total) == ("MNIST's test digits", "1,000")
    assert (differ, delta < 1e-3) == (0, True) if "int8" not in form else differ < 10


@pytest.mark.usefixtures("synthetic")
def test_export_works_without_mnist_and_says_so(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export(*FORMS[form]) == 0
    printed = capsys.readouterr()
    assert "warning: SYNTHETIC digits" in printed.err
    assert "parity on synthetic digits: " in printed.out
    assert "of 50 answers differ" in printed.out


@pytest.mark.usefixtures("compiler", "synthetic")
def test_a_header_takes_a_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    assert export("c", "--int8", "--prefix", "net7", "people", "net.h") == 0
    assert "int net7_predict(" in Path("net.h").read_text()
    printed = capsys.readouterr().out
    assert "3,680 bytes of static memory" in printed
    assert "bytes of code and constants" in printed
    assert "of 50 answers differ" in printed


@pytest.mark.usefixtures("compiler", "synthetic")
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_net_of_4_bit_weights_becomes_a_small_header(
    rounded: Net, precision: torch.dtype, capsys: pytest.CaptureFixture[str]
) -> None:
    state = {name: value.to(precision) for name, value in rounded.state_dict().items()}
    torch.save(state, "net.pth")
    assert export("c", "--int4", "net.pth", "net.h") == 0
    assert "Made by `tinydigits export c --int4`" in Path("net.h").read_text()
    _, delta, differ, total = told(capsys)
    assert (differ <= 5, delta < 5, total) == (True, True, "50")


@pytest.mark.usefixtures("compiler", "synthetic")
def test_an_arduino_library_is_a_folder_of_integers(capsys: pytest.CaptureFixture[str]) -> None:
    assert export("c", "--arduino", "--prefix", "net7", "people", "library") == 0
    made_by = "Made by `tinydigits export c --int8 --prefix net7_net`"
    assert made_by in Path("library/src/internal/net7_net.h").read_text()
    assert "int net7_predict(" in Path("library/src/net7.h").read_text()
    printed = capsys.readouterr().out
    assert "wrote library/library.properties (" in printed
    assert "3,680 bytes of static memory" in printed
    assert "of 50 answers differ" in printed


@pytest.mark.usefixtures("compiler", "synthetic")
def test_an_arduino_library_takes_4_bit_weights(rounded: Net) -> None:
    torch.save(rounded.state_dict(), "net.pth")
    assert export("c", "--arduino", "--int4", "net.pth", "library") == 0
    assert "with 4-bit weights" in Path("library/README.md").read_text()


@pytest.mark.parametrize("options", [[], ["--arduino"]])
@pytest.mark.usefixtures("synthetic")
def test_a_net_of_other_weights_is_refused_for_4_bits(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = refusal(capsys, "c", *options, "--int4", "people", "out")
    assert re.search(r"people was trained without --weight-bits 4: .* off a grid of 4 bits", told)
    assert "tinydigits train --recipe best --epochs 60 --weight-bits 4" in told


def test_one_kind_of_integers_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    told = refusal(capsys, "c", "--int4", "--int8", "people", "net.h")
    assert told == "error: --int8 and --int4 cannot be combined: leave out one of the two"


@pytest.mark.parametrize("prefix", ["", "7net", "a-b", "a b", "_net", "é", "net;"])
def test_a_prefix_that_no_c_name_has_is_refused(
    prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = refusal(capsys, "c", "--prefix", prefix, "people", "net.h")
    assert told.startswith(f"error: --prefix is {prefix!r}, but must be letters")


@pytest.mark.parametrize("form", ["c", "html"])
@pytest.mark.usefixtures("synthetic")
def test_without_a_compiler_or_browser_the_file_is_written(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert export(form, "people", "net") == 0
    assert Path("net").stat().st_size > 50_000
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"parity: not measured, no (C compiler|Chromium) was found", last)


@pytest.mark.usefixtures("synthetic")
def test_a_browser_that_shows_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho '<body>cannot open the file</body>'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert export("html", "people", "net") == 0
    assert capsys.readouterr().out.endswith("not measured, Chromium did not show the page\n")


def test_an_exported_file_is_evaluated(
    real: tuple[Digits, Digits],
    mnist_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del real
    monkeypatch.setattr(exporting, "load_dataset", first_thousand)
    data = ["--data-dir", str(mnist_folder)]
    assert export("onnx", "people", "net.onnx", *data) == 0
    capsys.readouterr()
    assert main(["evaluate", "--model", "net.onnx", *data]) == 0
    from_file = capsys.readouterr().out
    assert main(["evaluate", "--model", "people", *data]) == 0
    assert from_file == capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    before = sorted(Path().rglob("*"))
    assert export(*arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if not line.startswith("warning: SYNTHETIC")]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert sorted(Path().rglob("*")) == before
    return errors[0]


@pytest.mark.parametrize("form", ["onnx", "c", "html", "safetensors"])
@pytest.mark.usefixtures("synthetic")
def test_wrong_models_are_refused(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("text.pth").write_text("no checkpoint")
    assert "not a PyTorch file" in refusal(capsys, form, "text.pth", "out")
    assert "there is no nothing.pth" in refusal(capsys, form, "nothing.pth", "out")
    torch.save({"weight": torch.zeros(3)}, "other.pth")
    assert "other.pth holds another net" in refusal(capsys, form, "other.pth", "out")
    content = {"format": "tinydigits", "version": 1}
    state = load().state_dict()
    torch.save(content | {"model_state_dict": state | {"x": torch.zeros(1)}}, "more.pth")
    assert "holds another net" in refusal(capsys, form, "more.pth", "out")
    nans = {"layers.conv4.bias": torch.full((24,), float("nan"))}
    torch.save(content | {"model_state_dict": state | nans}, "broken.pth")
    assert "not finite" in refusal(capsys, form, "broken.pth", "out")


@pytest.mark.parametrize("form", ["onnx", "c", "html", "safetensors"])
@pytest.mark.usefixtures("synthetic")
def test_what_cannot_be_written_is_told(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").touch()
    assert "file" in refusal(capsys, form, "people", "file/out")


@pytest.mark.parametrize(("form", "module"), [("onnx", "onnx"), ("safetensors", "safetensors")])
@pytest.mark.usefixtures("synthetic")
def test_a_missing_extra_is_named(
    form: str, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, f"tinydigits.export.{module}", raising=False)
    monkeypatch.delattr(f"tinydigits.export.{module}", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    told = refusal(capsys, form, "people", "out")
    assert told.endswith(f"type pip install 'tinydigits[{form}]'")


@pytest.mark.parametrize("form", [["safetensors"], ["c", "--arduino"]])
def test_a_folder_is_no_file(form: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").touch()
    assert "file is a file: expected a folder" in refusal(capsys, *form, "people", "file")
