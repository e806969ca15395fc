"""Every command prints on terminals that lack some characters, and leaves nothing out."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest

from tests.conftest import ROOT
from tests.pictures import drawn
from tinydigits import workers
from tinydigits.cli import Command, Export, main
from tinydigits.data import dataset
from tinydigits.study import seed
from tinydigits.terminal import plain_where_needed
from tinydigits.workers import Pool

STUDIES = [f"{ROOT}/records/2026-11-26-{name}" for name in ("classic", "fast")]
NAMES = [
    re.sub("(?<=.)(?=[A-Z])", "-", each.__name__).lower()  # TrainFinder is train-finder
    for each in get_args(Command)
]
FORMS = [each.__name__.lower() for each in get_args(Export.__annotations__["form"].__origin__)]
COMMANDS = [
    "--help",
    "--version",
    "--wrong",
    *(f"{name} --help" for name in NAMES),
    *(f"export {form} --help" for form in FORMS),
    "train --epochs 1 --val 100 --data synthetic",
    "train --dry-run --val 100 --data synthetic",
    "predict pictures",
    "predict pictures/8–7.png --json",
    "predict pictures/中.png",
    "read pictures",
    "read pictures/8–7.png --json",
    "read pictures/8–7.png --csv",
    "read pictures/中.png",
    "evaluate pictures",
    "study --data synthetic --epochs 1 --val 100 --seeds 0 --out study",
    f"compare {' '.join(STUDIES)}",
    "export c --int8 people digits–7.h",
    "export onnx people digits.onnx",
    "export html people digits.html",
    "export safetensors people digits",
    "serve --host 8–7",
    "label pictures --out pictures/wrong–7",
    "verify",
]
ENCODINGS = ["ascii", "cp1252", "cp437"]


class Terminal(io.TextIOWrapper):
    """A stream that encodes as strictly as a real one."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding, "strict", write_through=True)

    def shown(self) -> str:
        """Return all that was printed."""
        self.seek(0)
        return self.read()


@contextmanager
def _one_thread(*_: object) -> Iterator[Pool]:
    with ThreadPoolExecutor(1) as executor:
        yield Pool(executor, 1)


@pytest.fixture
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    assert dataset.load_dataset.__kwdefaults__
    monkeypatch.setitem(dataset.load_dataset.__kwdefaults__, "synthetic_counts", (600, 200))
    monkeypatch.setattr(dataset, "SYNTHETIC_COUNTS", (600, 200))
    monkeypatch.setattr("tinydigits.data.mnist.MIRRORS", ("http://127.0.0.1:9/",))
    monkeypatch.setattr("tinydigits.export.parity.BROWSERS", ())
    monkeypatch.setattr("tinydigits.export.parity.FAST", ("-O0",))  # sooner compiled
    monkeypatch.delenv("TINYDIGITS_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workers, "pool", _one_thread)
    seed.dataset_of.cache_clear()
    Path("pictures/7").mkdir(parents=True)
    drawn(7).save("pictures/7/seven.png")
    drawn(7).save("pictures/8–7.png")
    yield
    seed.dataset_of.cache_clear()


@pytest.mark.usefixtures("_folder")
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_prints_in_every_encoding(
    monkeypatch: pytest.MonkeyPatch, command: str, encoding: str
) -> None:
    out, err = Terminal(encoding), Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    try:
        code = main(command.split())
    except SystemExit as stop:
        code = int(stop.code or 0)
    is_wrong = any(part in command for part in ("wrong", "中", "host"))
    assert code == (2 if is_wrong else 0), err.shown()
    assert "Traceback" not in err.shown()
    assert err.shown().startswith("error: ") == is_wrong
    assert (out.shown() == "") == is_wrong
    assert out.errors == err.errors == "strict"  # as before


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("mean 99.5–99.7 %, B − A, |Δlogit|, 0 → 1, 5×5 …", "ascii", None),
        ("mean 99.5–99.7 %, …", "cp1252", "mean 99.5–99.7 %, …"),
        ("B − A", "cp1252", "B - A"),
        ("Ω中", "cp437", r"Ω\u4e2d"),
        ("\udcff.png", "utf-8", "\udcff.png"),
    ],
)
def test_what_is_lacking_is_replaced_by_what_is_similar(
    monkeypatch: pytest.MonkeyPatch, text: str, encoding: str, shown: str | None
) -> None:
    terminal = Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    with plain_where_needed():
        print(text, end="")
    terminal.seek(0)
    told = bytes(terminal.buffer.read()).decode(encoding, "surrogateescape")
    assert told == (shown or "mean 99.5-99.7 %, B - A, |delta logit|, 0 -> 1, 5x5 ...")


def test_a_real_process_prints_in_ascii() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tinydigits", "compare", *STUDIES],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, b"")
