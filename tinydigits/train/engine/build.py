"""Compile the engine on the user's machine, once, into the user's cache folder."""

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from tinydigits.errors import InputError
from tinydigits.files import write_atomically

SOURCE = Path(__file__).parent
MAIN = "engine.c"
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-std=gnu11", "-ffp-contract=fast", "-fno-math-errno")
GCC = ("-O2", "-ftree-vectorize", "-fvect-cost-model=dynamic")  # as fast as -O3, compiled sooner
CLANG = ("-O3",)
LIBRARY = ("-fPIC", "-shared", "-w")
LIBRARIES = ("-lm", "-pthread")
PATIENCE = 120.0  # seconds that a compiler, or another process's, may take; it takes a few

Products = Literal["fp32", "bf16"]


class UnavailableError(Exception):
    """The engine cannot be used; the message says why."""


@dataclass(frozen=True)
class Built:
    """A compiled engine."""

    path: Path
    compiler: str
    """Its name and version, as it states them."""
    seconds: float | None
    """Time the compiler took; None if the library was in the cache."""


def build(products: Products) -> Built:
    """Return the engine for this processor, from the cache or newly compiled.

    It is compiled with $CC, cc, gcc, clang or the package ziglang, whichever works first. The name
    of the file is made of sources, flags, compiler and processor, so machines can share a cache. It
    also holds a digest of the content, so a damaged file is replaced.

    Raises:
        UnavailableError: no compiler was found, none compiles the engine, or the cache cannot be
            written.
    """
    if sys.platform == "win32":
        raise UnavailableError("it needs POSIX threads, which Windows lacks")
    reasons = list[str]()
    for command in _compilers():
        try:
            return _built(command, products)
        except UnavailableError as error:  # noqa: PERF203 - each compiler fails on its own
            reasons.append(str(error))
    raise UnavailableError(
        reasons[0]
        if reasons
        else "no C compiler was found: install gcc or clang, or pip install 'tinydigits[engine]'"
    )


def _compilers() -> Iterator[list[str]]:
    """Yield the commands that may compile C here, each program once."""
    named = shlex.split(os.environ.get("CC", ""))
    if named:
        yield named
    seen = set[str]()
    for path in filter(None, map(shutil.which, COMPILERS)):
        if os.path.realpath(path) not in seen:
            seen.add(os.path.realpath(path))
            yield [path]
    if importlib.util.find_spec("ziglang"):
        yield [sys.executable, "-m", "ziglang", "cc"]


def _built(command: list[str], products: Products) -> Built:
    version = _run([*command, "--version"]).partition("\n")[0]
    flags = [*_flags(version, products), *LIBRARY]
    folder = user_cache_path("tinydigits") / "engine"
    key = _key(version, flags)
    found = _cached(folder, key)
    if found:
        return Built(found, version, None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Several processes may start at once: one compiles, and the others wait for it.
        with FileLock(folder / ".lock", timeout=PATIENCE):
            found = _cached(folder, key)
            if found:
                return Built(found, version, None)
            began = time.perf_counter()
            content = _compiled(command, flags)
            path = folder / f"{key}-{_digest(content)}.so"
            write_atomically(path, content)
            return Built(path, version, time.perf_counter() - began)
    except (OSError, InputError, Timeout) as error:
        raise UnavailableError(f"the cache {folder} cannot be written ({error})") from error


def _flags(version: str, products: Products) -> list[str]:
    """Return the flags for a compiler, which ``version`` names, and for this processor."""
    is_x86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
    native = "-march=native" if is_x86 else "-mcpu=native"  # clang on Arm knows only the latter
    optimised = CLANG if "clang" in version.lower() else GCC
    return [*FLAGS, *optimised, native, *(["-DBF16"] if products == "bf16" else [])]


def _cached(folder: Path, key: str) -> Path | None:
    """Return the library of that key, if there is a whole one."""
    for path in folder.glob(f"{key}-*.so"):
        if path.stem == f"{key}-{_digest(path.read_bytes())}":
            return path
    return None


def _compiled(command: list[str], flags: list[str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "engine.so"
        _run([*command, *flags, str(SOURCE / MAIN), "-o", str(library), *LIBRARIES])
        if not library.exists():
            raise UnavailableError(f"{command[0]} does not compile it (it wrote nothing)")
        return library.read_bytes()


def _run(command: list[str]) -> str:
    """Return what a program prints.

    Raises:
        UnavailableError: it cannot be started, fails, or takes too long.
    """
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=True
        )
    except subprocess.CalledProcessError as error:
        told = error.stderr.partition("error: ")[2] or error.stderr
        reason = told.strip().partition("\n")[0] or f"it exits with {error.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    else:
        return ran.stdout
    raise UnavailableError(f"{shlex.join(command[:1])} does not compile it ({reason})")


def _key(version: str, flags: list[str]) -> str:
    sources = sorted(path for path in SOURCE.iterdir() if path.suffix in (".c", ".h"))
    parts = [path.read_bytes() for path in sources]
    parts += [each.encode() for each in (version, *flags, *LIBRARIES, _processor())]
    return _digest(b"\0".join(parts))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _processor() -> str:
    """Return what machine code depends on: the processor's kind and its instructions."""
    names = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU implementer", "CPU part")
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    told = {line for line in lines if line.partition(":")[0].strip() in names}
    return "\n".join([platform.system(), platform.machine(), platform.processor(), *sorted(told)])
