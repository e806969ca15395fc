"""onnxruntime as tinydigits loads it: it runs nets and sends no telemetry."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("module", ["tinydigits.net.runtime", "tinydigits.serve.server"])
def test_nothing_is_left_or_reported_where_onnxruntime_is_loaded(
    module: str, tmp_path: Path
) -> None:
    # In continuous integration telemetry is off anyway, which would hide a failure.
    hidden = ("CI", "GITHUB", "PYTEST", "TF_BUILD", "ORT_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    subprocess.run(
        [sys.executable, "-c", f"import {module}, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"],
        cwd=ROOT,
        env={**environment, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)},
        check=True,
    )
    assert list(tmp_path.iterdir()) == []
