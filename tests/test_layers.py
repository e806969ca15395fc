"""The layers of the package: what `make check` holds, seen failing on a copy."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

LINT = Path(sys.prefix) / "bin" / "lint-imports"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package and its configuration."""
    shutil.copytree(ROOT / "tinydigits", tmp_path / "tinydigits")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def layers(folder: Path) -> str:
    """Return what the linter says of the layers, or nothing if all contracts are kept."""
    if not LINT.exists():
        pytest.skip("no import-linter: pip install import-linter")
    command = [str(LINT), "--no-cache"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return ran.stdout if ran.returncode else ""


def add(folder: Path, module: str, line: str) -> None:
    path = folder / "tinydigits" / module
    with path.open("a") as file:
        file.write(f"\n{line}\n")


def test_imports_point_downwards(copy: Path) -> None:
    assert layers(copy) == ""


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("net/model.py", "from tinydigits.data import idx", "imports point downwards only BROKEN"),
        ("train/loop.py", "from tinydigits.export import c", "imports point downwards only BROKEN"),
        ("new.py", "", "not listed as layers"),
        ("serve/api.py", "import torch", "the server does without PyTorch BROKEN"),
        ("study/ledger.py", "import tqdm", "is a command or a run BROKEN"),
    ],
)
def test_what_breaks_the_layers_is_found(copy: Path, module: str, line: str, contract: str) -> None:
    add(copy, module, line)
    assert contract in layers(copy)


def test_what_prints_is_a_command_or_a_run(copy: Path) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--select", "T20", "tinydigits"]
    assert subprocess.run(command, cwd=copy, check=False, capture_output=True).returncode == 0
    add(copy, "study/ledger.py", 'print("told")')
    assert subprocess.run(command, cwd=copy, check=False, capture_output=True).returncode == 1
