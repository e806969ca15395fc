"""The workflows, which cannot run here: their permissions, pins and commands are read instead."""

import os
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

import tinydigits
from tests.conftest import ROOT, need

FOLDER = ROOT / ".github" / "workflows"
TEXTS = {path.stem: path.read_text() for path in sorted(FOLDER.iterdir())}
WORKFLOWS: dict[str, dict[Any, Any]] = {name: yaml.safe_load(TEXTS[name]) for name in TEXTS}
CHECKS: dict[str, Any] = WORKFLOWS["model_checks"]["jobs"]
PAGES: dict[str, Any] = WORKFLOWS["pages"]["jobs"]
RELEASE: dict[str, Any] = WORKFLOWS["release"]["jobs"]
ZIZMOR = Path(sys.prefix) / "bin" / "zizmor"

# What a job may do besides reading the repository.
PERMISSIONS = {
    ("pages", "deploy"): {"pages": "write", "id-token": "write"},
    ("release", "publish"): {"id-token": "write"},
}

every_workflow = pytest.mark.parametrize("workflow", WORKFLOWS)
every_job = pytest.mark.parametrize(
    ("workflow", "job"), [(name, job) for name in WORKFLOWS for job in WORKFLOWS[name]["jobs"]]
)


def steps(workflow: str) -> Iterator[dict[str, Any]]:
    for job in WORKFLOWS[workflow]["jobs"].values():
        yield from job["steps"]


def runs(job: dict[str, Any]) -> list[str]:
    """The commands of a job."""
    return [step["run"] for step in job["steps"] if "run" in step]


def actions(job: dict[str, Any]) -> list[str]:
    """The names of the actions that a job uses."""
    return [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]


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


def test_they_run_on_what_they_are_for() -> None:
    # YAML reads the key `on` as true.
    assert {name: workflow[True] for name, workflow in WORKFLOWS.items()} == {
        "model_checks": {"push": {"branches": ["main"]}, "pull_request": {"branches": ["main"]}},
        "pages": {"push": {"branches": ["main"]}},
        "release": {"push": {"tags": ["v*"]}},
    }


@every_workflow
def test_they_may_read_and_need_no_secret(workflow: str) -> None:
    assert WORKFLOWS[workflow]["permissions"] == {"contents": "read"}
    assert "secrets." not in TEXTS[workflow]


@every_job
def test_a_job_that_may_write_runs_nothing_of_the_repository(workflow: str, job: str) -> None:
    content = WORKFLOWS[workflow]["jobs"][job]
    allowed = PERMISSIONS.get((workflow, job))
    assert content.get("permissions") == allowed
    if allowed:
        assert runs(content) == []
        assert "actions/checkout" not in actions(content)
    else:
        (checkout,) = (
            step for step in content["steps"] if step.get("uses", "").startswith("actions/checkout")
        )
        assert checkout["with"] == {"persist-credentials": False}


@every_workflow
def test_every_action_is_pinned_to_a_commit_and_tells_its_version(workflow: str) -> None:
    lines = [line for line in TEXTS[workflow].splitlines() if "uses:" in line]
    assert len(lines) == sum("uses" in step for step in steps(workflow)) > 0
    pinned = re.compile(r"\s+(- )?uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in lines if not pinned.fullmatch(line)] == []


def test_an_action_has_the_same_pin_everywhere() -> None:
    pins = {step["uses"] for name in WORKFLOWS for step in steps(name) if "uses" in step}
    assert len(pins) == len({pin.partition("@")[0] for pin in pins})


@every_job
def test_every_job_ends(workflow: str, job: str) -> None:
    content = WORKFLOWS[workflow]["jobs"][job]
    assert content["timeout-minutes"] <= 30
    assert re.fullmatch(r"ubuntu-\d\d\.\d\d", content["runs-on"])


def test_a_push_ends_the_checks_of_the_one_before_and_cuts_off_no_publication() -> None:
    assert {name: workflow["concurrency"] for name, workflow in WORKFLOWS.items()} == {
        "model_checks": {
            "group": "${{ github.workflow }}-${{ github.ref }}",
            "cancel-in-progress": True,
        },
        "pages": {"group": "${{ github.workflow }}", "cancel-in-progress": False},
        "release": {
            "group": "${{ github.workflow }}-${{ github.ref }}",
            "cancel-in-progress": False,
        },
    }


def test_the_developers_own_commands_are_run() -> None:
    commands = runs(CHECKS["checks"])
    assert ".venv/bin/python model.py" in commands
    local = (ROOT / ".ci" / "run").read_text().splitlines()
    steps = [line.partition(" >")[0] for line in local if re.match(r"make \w|\.ci/", line)]
    assert sorted(steps) == [".ci/lacking", "make check", "make docs", "make test"]
    # There is time for the coverage there: the jobs run side by side.
    assert commands[-4:] == [".ci/lacking", "make docs", "make check", "make test ARGS=--cov"]
    (needed,) = re.findall(r"apt-get install .*recommends (.*)", commands[0])
    # The runner has gcc, clang, and Chrome for a browser.
    wanted = re.findall(r"needed\+=\((.*?)\)", "\n".join(local))
    there = {"gcc", "libc6-dev", "clang", "chromium"}
    assert set(needed.split()) == set(" ".join(wanted).split()) - there


def test_nothing_is_installed_by_a_bare_name() -> None:
    commands = [step.get("run", "") for name in WORKFLOWS for step in steps(name)]
    lines = [line for command in commands for line in command.splitlines()]
    named = [installed(line) for line in lines if re.search(r"\b(pip3?|uv) .*install ", line)]
    packages = set.union(*named) - {f"${{wheel}}[{','.join(sorted(extras()))}]"}
    pins = {pin.name: pin for pin in map(Requirement, packages)}
    assert {"build", "hatchling", "pip-audit", "uv"} == pins.keys()
    assert len(packages) == len(pins)  # one version of each
    assert all(re.fullmatch(r"==[\d.]+", str(pin.specifier)) for pin in pins.values())
    assert f"\n{pins['hatchling']}\n" in (ROOT / "requirements-dev.txt").read_text()


def test_every_extra_is_installed_with_the_wheel() -> None:
    assert len(extras()) >= 5
    assert f"[{','.join(sorted(extras()))}]" in "".join(runs(CHECKS["wheel"]))


def test_the_oldest_python_meets_the_oldest_of_what_is_needed() -> None:
    (python,) = re.findall(r'requires-python = ">=(.*)"', (ROOT / "pyproject.toml").read_text())
    versions = [step["with"]["python-version"] for step in CHECKS["oldest"]["steps"][:2][1:]]
    assert versions == [python]
    assert python in CHECKS["checks"]["strategy"]["matrix"]["python"]
    bounds = "--resolution lowest-direct --requirement pyproject.toml --all-extras"
    assert bounds in "".join(runs(CHECKS["oldest"]))
    left_out = re.findall(r"--ignore (\S+)", runs(CHECKS["oldest"])[-1])
    assert all((ROOT / name).exists() for name in left_out)


def test_every_file_of_pins_is_audited_and_no_package_passes_unseen() -> None:
    files = {path.name for path in ROOT.glob("requirements*.txt")}
    assert len(files) == 4
    assert set(runs(CHECKS["audit"])[1:]) == {f"pip-audit --strict -r {name}" for name in files}


def test_the_site_is_built_as_a_developer_builds_it_and_then_published() -> None:
    build, deploy = PAGES["build"], PAGES["deploy"]
    assert runs(build) == ["make docs"]
    upload = build["steps"][-1]
    assert upload["uses"].startswith("actions/upload-pages-artifact@")
    recipe = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "docs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert recipe.endswith(f" {upload['with']['path']}\n")
    assert deploy["needs"] == "build"
    assert actions(deploy) == ["actions/configure-pages", "actions/deploy-pages"]
    assert deploy["environment"] == {
        "name": "github-pages",
        "url": f"${{{{ steps.{deploy['steps'][-1]['id']}.outputs.page_url }}}}",
    }


@pytest.mark.parametrize(
    ("tag", "code"),
    [(f"v{tinydigits.__version__}", 0), ("v0.0.9", 1), (tinydigits.__version__, 1), ("v", 1)],
)
def test_only_the_tag_of_this_version_is_released(tag: str, code: int) -> None:
    pytest.importorskip("hatchling", reason="no hatchling: pip install hatchling")
    need("bash", "bash")
    (check,) = (command for command in runs(RELEASE["build"]) if "GITHUB_REF_NAME" in command)
    done = subprocess.run(
        ["bash", "-e", "-c", check],
        cwd=ROOT,
        env={"GITHUB_REF_NAME": tag, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        check=False,
    )
    assert done.returncode == code


def test_what_is_released_was_built_from_the_tag_and_tested_first() -> None:
    build, publish = RELEASE["build"], RELEASE["publish"]
    installs, tag, *rest = runs(build)
    assert "GITHUB_REF_NAME" in tag
    assert [installs, *rest] == runs(CHECKS["wheel"])
    upload = build["steps"][-1]  # after the last test
    assert upload["uses"].startswith("actions/upload-artifact@")
    assert publish["needs"] == "build"
    download, release = publish["steps"]
    assert actions(publish) == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
    assert {**download["with"], "if-no-files-found": "error"} == upload["with"]
    assert upload["with"]["path"] == "dist/"
    assert publish["environment"] == "pypi"
    assert release["with"] == {"attestations": True}


def test_nothing_is_cached_in_a_release() -> None:
    assert "cache" not in TEXTS["release"]


@every_job
def test_commands_are_shell(workflow: str, job: str) -> None:
    need("bash", "bash")
    for command in runs(WORKFLOWS[workflow]["jobs"][job]):
        subprocess.run(["bash", "-n"], input=command, text=True, check=True)


def lint(file: Path) -> str:
    if not ZIZMOR.exists():
        pytest.skip("zizmor is not installed: pip install zizmor")
    command = [str(ZIZMOR), "--offline", "--no-progress", "--persona", "pedantic", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == ("No findings" in done.stdout), done.stderr
    return done.stdout


@every_workflow
def test_zizmor_finds_nothing(workflow: str) -> None:
    found = lint(FOLDER / f"{workflow}.yml")
    assert "No findings" in found, found


@every_workflow
def test_zizmor_finds_what_is_wrong(workflow: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(TEXTS[workflow].replace("persist-credentials: false", "fetch-depth: 1"))
    assert "artipacked" in lint(broken)
