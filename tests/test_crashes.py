"""Runs that end in the middle: killed, out of disk, or in each other's way."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, need
from tests.processes import wait_for
from tests.train.test_run import final_weights, start_training


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


@pytest.mark.parametrize(("task", "count"), [("train", 4), ("study", 3), ("export", 3)])
def test_killed_at_any_moment_nothing_is_half_and_the_end_is_the_same(
    task: str, count: int, tmp_path: Path
) -> None:
    trials = told_by(sys.executable, "-m", "tests.crashes", task, str(tmp_path), str(count))
    assert sum(trial.pop("killed") for trial in trials) == count
    for number, trial in enumerate(trials):
        assert trial == {"half": [], "code": 0, "equal": True, "left": []}, number


def test_a_second_run_into_the_same_folder_stops_at_once(tmp_path: Path) -> None:
    first = start_training(tmp_path, "anew")
    wait_for("net: ", first.stdout)
    first.send_signal(signal.SIGSTOP)  # it holds the folder, however long this takes
    try:
        second = start_training(tmp_path, "anew")
        _, told = second.communicate(timeout=60)
        assert "another run is writing to" in told
        assert "wait until it ends, or give another --out" in told
        assert second.returncode != 0
        assert not list(tmp_path.glob("previous-*"))
    finally:
        first.kill()
        first.communicate()
    # The killed run's hold on the folder went with it.
    third = start_training(tmp_path, "resume")
    third.communicate(timeout=60)
    assert third.returncode == 0
    assert final_weights(tmp_path)


FULL = """
import contextlib, io, json, os, subprocess, sys
from pathlib import Path
from tests import crashes

disk, task = Path(sys.argv[1]), sys.argv[2]

def mount(size):
    options = ["-t", "tmpfs", "-o", f"size={size}"]
    subprocess.run(["mount", *options, "none", disk], check=True)

def go_on():
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
        code = crashes.exit_code(lambda: crashes.TASKS[task](out))
    return code, told.getvalue()

mount("64m")
out = disk / "undisturbed"
assert go_on()[0] == 0
expected = crashes.outcome(task, out)
subprocess.run(["umount", disk], check=True)
mount(sys.argv[3])
out = disk / "out"
code, told = go_on()
half = crashes.half_files(out)
subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
again, _ = go_on()
equal = crashes.outcome(task, out) == expected
print(json.dumps({"code": code, "told": told, "half": half, "again": again, "equal": equal}))
"""


@pytest.mark.parametrize(
    ("task", "size"), [("train", "300k"), ("train", "600k"), ("study", "8k"), ("export", "76k")]
)
def test_a_full_disk_is_told_and_with_room_the_same_command_goes_on(
    task: str, size: str, tmp_path: Path
) -> None:
    need("unshare", "util-linux")
    # In a namespace of its own a process may mount a disk, which goes with it.
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "-Urm"]
    if subprocess.run([*own, "mount", "-t", "tmpfs", "none", tmp_path], check=False).returncode:
        pytest.skip("this system lets the tests mount no disk of their own")
    found = told_by(*own, sys.executable, "-c", FULL, str(tmp_path), task, size)
    errors = [line for line in found.pop("told").splitlines() if "SYNTHETIC" not in line]
    assert len(errors) == 1
    assert errors[0].startswith("error: cannot write")
    assert found == {"code": 2, "half": [], "again": 0, "equal": True}
