"""Runs that end in the middle: killed, out of disk, or in each other's way."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, need
from tests.crashes import LINES


def told_by(*command: str) -> Any:
    """Return the JSON that a program prints."""
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize(("task", "count"), [("train", 2), ("study", 2), ("export", 2)])
def test_killed_at_any_moment_nothing_is_half_and_the_end_is_the_same(
    task: str, count: int, tmp_path: Path
) -> None:
    trials = told_by(sys.executable, "-m", "tests.crashes", task, str(tmp_path), str(count))
    lines = LINES if task == "train" else {}
    assert [trial["moment"] for trial in trials[: len(lines)]] == list(lines)
    assert len(trials) >= len(lines) + count
    for number, trial in enumerate(trials):
        moment, saved = trial.pop("moment"), trial.pop("saved")
        assert moment is None or saved >= lines[moment]
        assert trial == {"half": [], "code": 0, "equal": True, "left": []}, moment or number


def test_a_second_run_into_the_same_folder_stops_at_once(tmp_path: Path) -> None:
    found = told_by(sys.executable, "-m", "tests.crashes", "twice", str(tmp_path))
    told = found.pop("told")
    assert "another run is writing to" in told
    assert "wait until it ends, or give another --out" in told
    # The killed run's hold on the folder went with it.
    assert found == {"second": 2, "kept": True, "third": 0, "final": True}


# In turn: each task's undisturbed run is compared with one that began on a disk too small for it.
FULL = """
import contextlib, io, json, subprocess, sys
from pathlib import Path
from tests import crashes

disk = Path(sys.argv[1])

def mount(size):
    options = ["-t", "tmpfs", "-o", f"size={size}"]
    subprocess.run(["mount", *options, "none", disk], check=True)

def go_on(task, out):
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
        code = crashes.exit_code(lambda: crashes.TASKS[task](out))
    return code, told.getvalue()

found, expected = [], {}
for each in sys.argv[2:]:
    task, size = each.split()
    if task not in expected:
        mount("64m")
        assert go_on(task, disk / "undisturbed")[0] == 0
        expected[task] = crashes.outcome(task, disk / "undisturbed")
        subprocess.run(["umount", disk], check=True)
    mount(size)
    out = disk / "out"
    code, told = go_on(task, out)
    half = crashes.half_files(out)
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    again, _ = go_on(task, out)
    equal = crashes.outcome(task, out) == expected[task]
    subprocess.run(["umount", disk], check=True)
    found.append({"code": code, "told": told, "half": half, "again": again, "equal": equal})
print(json.dumps(found))
"""


def test_a_full_disk_is_told_and_with_room_the_same_command_goes_on(tmp_path: Path) -> None:
    need("unshare", "util-linux")
    # In a namespace of its own a process may mount a disk, which goes with it.
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    if subprocess.run([*own, "mount", "-t", "tmpfs", "none", tmp_path], check=False).returncode:
        pytest.skip("this system lets the tests mount no disk of their own")
    disks = ["train 300k", "train 500k", "study 8k", "export 76k"]
    for disk, found in zip(
        disks, told_by(*own, sys.executable, "-c", FULL, str(tmp_path), *disks), strict=True
    ):
        errors = [line for line in found.pop("told").splitlines() if "SYNTHETIC" not in line]
        assert len(errors) == 1, disk
        assert errors[0].startswith("error: cannot write"), disk
        assert found == {"code": 2, "half": [], "again": 0, "equal": True}, disk
