"""The command line: one clear line and exit code 2 for every error."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT
from tinydigits import __version__
from tinydigits.cli import main
from tinydigits.data import dataset, mnist
from tinydigits.net.model import Net


@pytest.fixture(autouse=True)
def _offline_few_digits_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", ("http://127.0.0.1:9/",))
    assert dataset.load_dataset.__kwdefaults__
    monkeypatch.setitem(dataset.load_dataset.__kwdefaults__, "synthetic_counts", (600, 200))
    monkeypatch.delenv("TINYDIGITS_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail and return its only line on standard error."""
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1
    assert "in tinydigits" not in printed  # no hints at options of other subcommands
    return printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "",
            "Expected one of {train, train-finder, train-strip, predict, read, evaluate, study, co",
        ),
        (
            "tarin",
            "Unrecognized options: tarin; Available subcommands: train, train-finder, train-strip",
        ),
        ("train --epohs 3", "Unrecognized options: --epohs, 3; Perhaps you meant: --epochs"),
        ("train 3", "Unrecognized options: 3; For full helptext, run tinydigits"),
        ("predict --modle x", "options: --modle, x; Perhaps you meant: --model NAME|PATH"),
        ("train --worker 3", "options: --worker, 3; For full helptext, run tinydigits train"),
        ("export html people x --int8", "options: --int8; For full helptext, run tinydigits exp"),
        (
            "export --int8",
            "Available subcommands: onnx, c, html, safetensors, finder, strip; For full",
        ),
        ("--epochs 3", "Available subcommands: train, train-finder, train-strip, predict, read,"),
        ("train --epochs", "Missing value for argument '--epochs'"),
        ("train --epochs three", "invalid literal for int() with base 10: 'three'"),
        ("train --data", "--data names no digits: give mnist, synthetic, or a path of your own"),
        ("train --data cifar", "there is no cifar: expected mnist, synthetic, or a path of"),
        ("train --epochs 0", "--epochs is 0, but must be at least 1"),
        ("train --lr -1", "--lr is -1.0, but must be above 0, such as 0.01"),
        ("train --recipe slow", "invalid choice 'slow' for argument '--recipe'"),
        ("predict x.png --recipe fast", "Unrecognized options: --recipe, fast; For full helptext"),
        ("train --shares --epochs 1", "--shares is empty, but must be one or more shares"),
        ("train --shares 0.5 2", "--shares is 0.5 2.0, but must be one or more shares above 0"),
        ("train --light.patches -1", "--light.patches is -1, but must be at least 0"),
        ("train --light.contrast 3", "--light.contrast is 3.0, but must be from 0 to 1"),
        ("train --augmentation.elastic nan", "--augmentation.elastic is nan, but must be"),
        ("train --augmentation.shear 90", "--augmentation.shear is 90.0, but must be"),
        ("train --data synthetic --batch-size 601 --val 0", "expected at most 600"),
        ("train --data synthetic --val 600", "--val 600 leaves no digit to train on"),
        ("train --hands -1", "--hands is -1, but must be at least 0"),
        (
            "train --strokes pad.dat",
            "--hands is 0, but must be above 0 to draw from pad.dat: --hands 40000, for example",
        ),
        ("train --data synthetic --hands 5 --strokes pad.dat", "cannot read pad.dat: No such file"),
        ("train-finder --overlap 0", "--overlap is 0.0, but must be above 0"),
        ("train-finder", "put the four MNIST files into data, or name their folder"),
        ("train-strip --steps 0", "--steps is 0, but must be at least 1"),
        ("train-strip", "put the four MNIST files into data, or name their folder"),
        ("train --data mnist", "put the four MNIST files into data, or name their folder"),
        ("train --data synthetic --val 100 --resume", "there is no checkpoints/last.pth"),
        ("train --dry-run --resume", "leave out one of the two"),
    ],
)
def test_wrong_options_get_one_line(
    capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    assert message in complaint(capsys, *arguments.split())
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--device cuda is not available here" in complaint(capsys, "train", "--device", "cuda")


def test_bf16_is_refused_where_the_processor_lacks_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    arguments = ("train", "--data", "synthetic", "--device", "cpu", "--precision", "bf16")
    assert "use --precision fp32" in complaint(capsys, *arguments)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", b"", "it holds 0 bytes; expected"),
        ("train-images-idx3-ubyte.gz", b"<html>", "it holds 6 bytes; expected"),
        ("MNIST", b"", "none of the 1 mirrors provides it"),
    ],
)
def test_damaged_data_gets_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    folder = tmp_path / "digits"
    folder.mkdir()
    (folder / name).write_bytes(content)
    arguments = ("train", "--data", "mnist", "--data-dir", str(folder))
    assert message in complaint(capsys, *arguments)
    assert (folder / name).read_bytes() == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '.SEGMENT DIGIT 0 ? "x"\n',
            'pad.dat, line 1: the label "x", expected a digit from 0 to 9',
        ),
        ('.SEGMENT DIGIT 0 ? "1"\n', "pad.dat, line 1: component 0 of 0, expected components"),
        (".VERSION 3.1\n", "pad.dat, line 1: .VERSION 3.1, expected 1.0"),
        ("nothing", "no digits in pad.dat: expected a UNIPEN file"),
        (
            '.SEGMENT DIGIT 0 ? "1"\n.PEN_DOWN\n0 0\n1 1\n',
            "the strokes have no digit 0, 2, 3, 4, 5, 6, 7, 8, 9: expected 0 to 9",
        ),
    ],
)
def test_strokes_that_cannot_be_used_get_one_line(
    capsys: pytest.CaptureFixture[str], content: str, message: str
) -> None:
    Path("pad.dat").write_text(content)
    arguments = ("train", "--data", "synthetic", "--hands", "5", "--strokes", "pad.dat")
    assert message in complaint(capsys, *arguments)
    assert [path.name for path in Path.cwd().iterdir()] == ["pad.dat"]


def test_an_unwritable_out_is_refused_before_training(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    arguments = ("train", "--data", "synthetic", "--val", "0", "--out", "file/below")
    assert "cannot write file/below: Not a directory" in complaint(capsys, *arguments)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_resuming_something_else_gets_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    torch.save({"weights": Net().state_dict()}, tmp_path / "last.pth")
    arguments = ("train", "--data", "synthetic", "--val", "0", "--resume", "--out", ".")
    assert "last.pth is not a tinydigits checkpoint" in complaint(capsys, *arguments)


def test_dry_run_goes_all_the_way_and_keeps_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["train", "--data", "synthetic", "--val", "100", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "dry run: one batch passed every step, nothing was kept"
    )
    assert list(tmp_path.iterdir()) == []


def test_auto_trains_on_synthetic_digits_with_a_warning(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["train", "--epochs", "1", "--val", "100"]) == 0
    printed, warned = capsys.readouterr()
    assert warned.count("SYNTHETIC digits") == 2
    named = {line.removeprefix("wrote ") for line in printed.splitlines() if line[:6] == "wrote "}
    files = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert {str(path) for path in files} == named | {"checkpoints/last.pth", "checkpoints/.lock"}


def test_divergence_gets_one_line_and_keeps_no_broken_net(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["train", "--data", "synthetic", "--val", "100", "--lr", "1e30"]) == 2
    complained = capsys.readouterr().err.splitlines()[-1]
    assert complained.startswith("error: training diverged in epoch 0: its loss is nan, expected")
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"last.pth", ".lock"}
    weights = torch.load(tmp_path / "checkpoints" / "last.pth")["model_state_dict"]
    assert all(tensor.isfinite().all() for tensor in weights.values())


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"tinydigits {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["--help"]]
    + [
        [each, "--help"]
        for each in (
            "train",
            "train-finder",
            "train-strip",
            "predict",
            "read",
            "evaluate",
            "study",
            "compare",
            "serve",
            "label",
            "verify",
        )
    ],
)
def test_help_exits_with_0_and_explains_on_standard_output(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    printed, complained = capsys.readouterr()
    assert "usage: tinydigits" in printed
    assert complained == ""


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, tinydigits.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


TRAIN_FEW = """
import sys
from tinydigits.cli import main
from tinydigits.data.dataset import load_dataset
load_dataset.__kwdefaults__["synthetic_counts"] = (600, 200)
sys.exit(main(["train", "--data", "synthetic", "--val", "0", "--out", sys.argv[1]]))
"""


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))


def test_a_full_disk_gets_one_line_and_leaves_no_half_file(tmp_path: Path) -> None:
    # A limit on file size is what a process can set for itself; the write fails as on a full disk.
    done = subprocess.run(
        [sys.executable, "-c", TRAIN_FEW, str(tmp_path / "out")],
        cwd=ROOT,
        preexec_fn=limit_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if not line.startswith("warning")]
    assert len(errors) == 1
    assert errors[0].startswith("error: cannot write")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]
