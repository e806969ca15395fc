"""Compiling the engine: once, whole or not at all, and PyTorch where it cannot be had."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tinydigits.train.engine import build as building
from tinydigits.train.engine.build import UnavailableError, build
from tinydigits.train.engine.library import load

COUNTING = """#!/bin/sh
case "$*" in *--version*) ;; *) echo >> "{log}" ;; esac
exec "{compiler}" "$@"
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(building, "COMPILERS", ())  # each test names its own as $CC
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr(building, "GCC", ("-O0",))  # sooner compiled
    monkeypatch.setattr(building, "CLANG", ("-O0",))
    return tmp_path / "cache" / "tinydigits" / "engine"


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def log(tmp_path: Path, compiler: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a line for each time that $CC has compiled something."""
    log = tmp_path / "log"
    counting = program(tmp_path / "counting-cc", COUNTING.format(log=log, compiler=compiler))
    monkeypatch.setenv("CC", str(counting))
    return log


def compiled(log: Path) -> int:
    return len(log.read_text().splitlines())


def test_it_is_compiled_once(log: Path, cache: Path) -> None:
    first, second = build("fp32"), build("fp32")
    assert compiled(log) == 1
    assert (first.path, first.compiler) == (second.path, second.compiler)
    assert first.seconds
    assert second.seconds is None
    assert {each.suffix for each in cache.iterdir()} == {".so", ""}  # and .lock
    assert load(second).lanes in (4, 8, 16)


@pytest.mark.parametrize("other", ["_processor", "_flags", "SOURCE"])
def test_other_processors_flags_and_sources_have_libraries_of_their_own(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    first = build("fp32").path
    if other == "SOURCE":
        for path in building.SOURCE.glob("*.[ch]"):
            (tmp_path / path.name).write_text(path.read_text() + "\n")
        monkeypatch.setattr(building, other, tmp_path)
    else:
        kept = getattr(building, other)
        more: Any = " other" if other == "_processor" else ["-g0"]
        monkeypatch.setattr(building, other, lambda *arguments: kept(*arguments) + more)
    second = build("fp32").path
    assert second.name.partition("-")[0] != first.name.partition("-")[0]
    assert compiled(log) == 2
    assert first.exists()


@pytest.mark.parametrize("left", [0, 1000, -1])
def test_a_damaged_library_is_replaced(log: Path, left: int) -> None:
    path = build("fp32").path
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    assert load(build("fp32")).lanes
    assert compiled(log) == 2
    assert path.read_bytes() == whole or not path.exists()


def test_several_processes_compile_it_once(log: Path) -> None:
    code = "from tinydigits.train.engine.build import build; print(build('fp32').path)"
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    paths = {process.communicate()[0] for process in running}
    assert len(paths) == 1
    assert compiled(log) == 1


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 1", "broken-cc does not compile it (it exits with 1)"),
        ("echo 'x.c: error: no such header' >&2; exit 1", "compile it (no such header)"),
        ("echo 1", "broken-cc does not compile it (it wrote nothing)"),
    ],
)
def test_a_broken_compiler_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path, script: str, message: str
) -> None:
    monkeypatch.setenv("CC", str(program(tmp_path / "broken-cc", f"#!/bin/sh\n{script}\n")))
    with pytest.raises(UnavailableError, match=re.escape(message)) as refused:
        build("fp32")
    assert "\n" not in str(refused.value)
    assert not list(cache.glob("*.so"))


def test_the_next_compiler_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiler: str
) -> None:
    monkeypatch.setenv("CC", str(tmp_path / "gone-cc"))
    monkeypatch.setattr(building, "COMPILERS", (compiler,))
    assert load(build("fp32")).lanes


def test_without_any_compiler_the_message_says_what_to_install() -> None:
    message = r"no C compiler was found: .* pip install 'tinydigits\[engine\]'"
    with pytest.raises(UnavailableError, match=message):
        build("fp32")


@pytest.mark.usefixtures("log")
def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UnavailableError, match=r"the cache .*file.* cannot be written"):
        build("fp32")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.usefixtures("log")
def test_a_finished_library_is_used_in_a_cache_that_cannot_be_written(cache: Path) -> None:
    first = build("fp32").path
    cache.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert build("fp32").path == first
