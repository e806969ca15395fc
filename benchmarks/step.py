"""Compile the page's training step to WebAssembly, with Debian 12's clang and lld (14.0).

The file is compressed by zlib: two thousand bytes less in the page.

Another version's file differs, and computes the same; a test compares its gradients with PyTorch's.

    python benchmarks/step.py --out tinydigits/web/step.wasm.zz
"""

import argparse
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.errors import InputError, exit_code
from tinydigits.files import write_atomically

SOURCE = ROOT / "tinydigits" / "web" / "step.c"
VERSION = "clang version 14.0.6"
CLANG = (
    *("clang", "--target=wasm32", "-msimd128", "-mbulk-memory", "-nostdlib", "-Wall", "-Wextra"),
    "-Os",  # as fast as -O3 in V8, and three quarters of its size
    "-ffast-math",  # sums in any order
    "-fno-strict-aliasing",  # vectors lie over arrays of floats
    "-fvisibility=hidden",
    *("-Wl,--no-entry", "-Wl,--export-dynamic", "-Wl,--strip-all"),
)


def is_pinned() -> bool:
    """Return whether this machine's clang is the one that made the committed file."""
    ran = subprocess.run(["clang", "--version"], check=True, capture_output=True, text=True)
    return VERSION in ran.stdout


def compiled() -> bytes:
    """Return the WebAssembly of the source.

    Raises:
        InputError: clang or lld is missing or fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "step.wasm"
        try:
            subprocess.run(
                [*CLANG, "-o", str(out), SOURCE.name],
                cwd=SOURCE.parent, check=True, capture_output=True, text=True,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise InputError("no clang: apt-get install clang lld") from error
        except subprocess.CalledProcessError as error:
            raise InputError(f"clang failed: {error.stderr.strip()}") from error
        return out.read_bytes()


def main() -> None:
    """Write the file, and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file to write")
    options = parser.parse_args()
    content = zlib.compress(compiled(), 9)
    write_atomically(options.out, content)
    print(f"wrote {options.out}, {len(content):,} bytes")


if __name__ == "__main__":
    sys.exit(exit_code(main))
