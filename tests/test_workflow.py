"""The workflow, which cannot run here: its permissions, pins and commands are checked instead."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from tests.conftest import ROOT

FILE = ROOT / ".github" / "workflows" / "model_checks.yml"
TEXT = FILE.read_text()
# YAML reads the key `on` as true.
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]
ZIZMOR = Path(sys.prefix) / "bin" / "zizmor"


def steps() -> Iterator[dict[str, Any]]:
    for job in JOBS.values():
        yield from job["steps"]


def runs(job: str) -> list[str]:
    """The commands of a job."""
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def extras() -> set[str]:
    """The package's extras."""
    project = (ROOT / "pyproject.toml").read_text()
    table = re.search(r"^\[project\.optional-dependencies\]$(.*?)^\[", project, re.M | re.S)
    assert table is not None
    return set(re.findall(r"^(\w+) = ", table[1], re.M))


def installed(command: str) -> set[str]:
    """The packages that a command installs by name."""
    _, _, words = command.partition(" install ")
    flags = ("-r", "--requirement", "--resolution")
    named = shlex.split(words)
    values = {named[place + 1] for place, word in enumerate(named) if word in flags}
    return {word for word in named if word[0] != "-" and word not in values}


def test_it_runs_on_pushes_and_pull_requests_to_main() -> None:
    assert WORKFLOW[True] == {
        "push": {"branches": ["main"]},
        "pull_request": {"branches": ["main"]},
    }


def test_it_may_read_and_nothing_else() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in JOBS.values())
    assert "secrets." not in TEXT
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(JOBS)
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_every_action_is_pinned_to_a_commit_and_tells_its_version() -> None:
    lines = [line for line in TEXT.splitlines() if "uses:" in line]
    assert len(lines) == sum("uses" in step for step in steps())
    pinned = re.compile(r"\s+- uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in lines if not pinned.fullmatch(line)] == []


def test_every_job_ends_and_is_ended_by_the_next_push() -> None:
    assert WORKFLOW["concurrency"] == {
        "group": "${{ github.workflow }}-${{ github.ref }}",
        "cancel-in-progress": True,
    }
    for job in JOBS.values():
        assert job["timeout-minutes"] <= 30
        assert re.fullmatch(r"ubuntu-\d\d\.\d\d", job["runs-on"])


def test_the_developers_own_commands_are_run() -> None:
    commands = runs("checks")
    assert ".venv/bin/python model.py" in commands
    local = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [line for line in local if line.startswith("make ")] == commands[-2:]
    assert commands[-2:] == ["make check", "make test ARGS=--cov"]
    (needed,) = re.findall(r"apt-get install .*recommends (.*)", commands[0])
    # The runner has gcc, and Chrome for a browser.
    wanted = re.findall(r"needed\+=\((.*?)\)", "\n".join(local))
    assert set(needed.split()) == set(wanted) - {"gcc libc6-dev", "chromium"}


def test_nothing_is_installed_by_a_bare_name() -> None:
    lines = [line for step in steps() for line in step.get("run", "").splitlines()]
    named = [installed(line) for line in lines if re.search(r"\b(pip3?|uv) .*install ", line)]
    packages = set.union(*named) - {f"${{wheel}}[{','.join(sorted(extras()))}]"}
    pins = {pin.name: pin for pin in map(Requirement, packages)}
    assert {"build", "hatchling", "pip-audit", "uv"} == pins.keys()
    assert all(re.fullmatch(r"==[\d.]+", str(pin.specifier)) for pin in pins.values())
    assert f"\n{pins['hatchling']}\n" in (ROOT / "requirements-dev.txt").read_text()


def test_every_extra_is_installed_with_the_wheel() -> None:
    assert len(extras()) >= 5
    assert f"[{','.join(sorted(extras()))}]" in "".join(runs("wheel"))


def test_the_oldest_python_meets_the_oldest_of_what_is_needed() -> None:
    (python,) = re.findall(r'requires-python = ">=(.*)"', (ROOT / "pyproject.toml").read_text())
    versions = [step["with"]["python-version"] for step in JOBS["oldest"]["steps"][:2][1:]]
    assert versions == [python]
    assert python in JOBS["checks"]["strategy"]["matrix"]["python"]
    bounds = "--resolution lowest-direct --requirement pyproject.toml --all-extras"
    assert bounds in "".join(runs("oldest"))
    left_out = re.findall(r"--ignore (\S+)", runs("oldest")[-1])
    assert all((ROOT / name).exists() for name in left_out)


def test_every_file_of_pins_is_audited_and_no_package_passes_unseen() -> None:
    files = {path.name for path in ROOT.glob("requirements*.txt")}
    assert len(files) == 3
    assert set(runs("audit")[1:]) == {f"pip-audit --strict -r {name}" for name in files}


@pytest.mark.parametrize("job", JOBS)
def test_commands_are_shell(job: str) -> None:
    for command in runs(job):
        subprocess.run(["bash", "-n"], input=command, text=True, check=True)


def lint(file: Path) -> str:
    if not ZIZMOR.exists():
        pytest.skip("zizmor is not installed: pip install zizmor")
    command = [str(ZIZMOR), "--offline", "--no-progress", "--persona", "pedantic", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == ("No findings" in done.stdout), done.stderr
    return done.stdout


def test_zizmor_finds_nothing() -> None:
    found = lint(FILE)
    assert "No findings" in found, found


def test_zizmor_finds_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(TEXT.replace("persist-credentials: false", "fetch-depth: 1"))
    assert "artipacked" in lint(broken)
