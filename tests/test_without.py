"""``.ci/without``: a machine that lacks some programs, for the tests that must pass there too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two folders on PATH with programs that print where they are from."""
    folders = {"first": ("gcc", "gcc-12", "curl"), "second": ("gcc", "git", "named")}
    for folder, names in folders.items():
        (tmp_path / folder).mkdir()
        for name in names:
            program = tmp_path / folder / name
            program.write_text(f'#!/bin/sh\necho {folder} "$1"\n')
            program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'first'}:{tmp_path / 'second'}:{os.environ['PATH']}")


def left(*arguments: str) -> set[str]:
    """Return which of the programs above a command finds."""
    search = "for name in gcc gcc-12 curl git named; do command -v $name; done; exit 7"
    command = ["sh", str(ROOT / ".ci" / "without"), *arguments, "--", "/bin/sh", "-c", search]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (7, "")
    paths = list(map(Path, found.stdout.split()))
    assert not any(path.exists() for path in paths)  # the folder of links is removed
    return {path.name for path in paths}


@pytest.mark.usefixtures("programs")
def test_named_programs_cannot_be_found() -> None:
    assert left("curl") == {"gcc", "gcc-12", "git", "named"}
    assert left("gcc*", "named", "unheard-of") == {"curl", "git"}
    assert left("--all-but", "git", "sh") == {"git"}


@pytest.mark.usefixtures("programs")
def test_the_first_of_two_programs_with_one_name_is_run() -> None:
    command = ["sh", str(ROOT / ".ci" / "without"), "curl", "--", "gcc", "here we are"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"first here we are\n"


def test_an_environment_that_python_makes_outlives_it(tmp_path: Path) -> None:
    without = ["sh", str(ROOT / ".ci" / "without"), "curl", "--"]
    # The base of this environment: it has no name on PATH where only the environment has one.
    base = Path(sys.executable).resolve()
    path = f"{base.parent}{os.pathsep}{os.environ['PATH']}"
    command = [*without, base.name, "-m", "venv", "--without-pip", str(tmp_path / "env")]
    subprocess.run(command, env={**os.environ, "PATH": path}, check=True)
    subprocess.run([tmp_path / "env" / "bin" / "python", "-c", ""], check=True)
