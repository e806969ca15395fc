"""The promises to users: the doors, the wheel and the README's commands, each run for real."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml

import tinydigits
from tests.conftest import MNIST, ROOT, missing_mnist, need
from tests.pictures import drawn
from tests.serving import server
from tinydigits.export.parity import COMPILERS
from tinydigits.net.shipped import NAMES

WINGS = (
    "net",
    "data",
    "reading",
    "scenes",
    "evaluate",
    "train",
    "study",
    "finder",
    "strips",
    "export",
    "serve",
    "label",
)
README = (ROOT / "README.md").read_text()
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
PAGES = [README, (ROOT / "CONTRIBUTING.md").read_text(), *(page.read_text() for page in GUIDE)]


def commands(text: str) -> list[str]:
    """Return a page's shell commands, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


COMMANDS = {command for page in PAGES for command in commands(page)}


# Runs a file with few synthetic digits.
FEW_DRAWN = """
import runpy, sys
from tinydigits.data.dataset import load_dataset
load_dataset.__kwdefaults__["synthetic_counts"] = (6000, 1000)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
# Evaluates with two kinds of damage in place of fifteen, which take a minute.
FEW_DAMAGED = """
import sys
from tinydigits.cli import main
from tinydigits.evaluate import command
command.KINDS = ("shear", "stripe")
main(sys.argv[1:])
"""


def run(command: list[str] | str, folder: Path, **environment: str) -> str:
    """Run a command as a user would and return its output; fail if it fails."""
    done = subprocess.run(
        shlex.split(command) if isinstance(command, str) else command,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, in an empty folder, of the files that a user gets from git."""
    folder = tmp_path_factory.mktemp("clone")
    need("git", "git")
    if not (ROOT / ".git").exists():
        pytest.skip(f"{ROOT} is not a repository: download it with git clone")
    listed = run("git ls-files --cached --others --exclude-standard -z", ROOT)
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        # With its date: make would install requirements again that are newer than the environment.
        shutil.copy2(ROOT / name, folder / name)
    return folder


def test_git_carries_every_module(clone: Path) -> None:
    # An unanchored "data/" in .gitignore would drop tinydigits/data/ without a word.
    written = {path.relative_to(ROOT) for path in (ROOT / "tinydigits").rglob("*.py")}
    carried = {path.relative_to(clone) for path in (clone / "tinydigits").rglob("*.py")}
    assert written == carried


def test_doors_work_where_nothing_is_installed(clone: Path) -> None:
    # Two more doors are commands of the pages, which are run below.
    assert {"python model.py", "python train.py", "python train.py --data synthetic"} <= COMMANDS
    code = "from model import Net; print(sum(p.numel() for p in Net().parameters()))"
    assert run([sys.executable, "-c", code], clone) == "13034\n"
    assert run([sys.executable, "-m", "tinydigits", "--version"], clone).startswith("tinydigits")


@pytest.fixture(scope="module")
def installed(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel installed and no source."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    shutil.copytree(clone, source)
    build = "-m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir"
    run([sys.executable, *build.split(), str(folder), str(source)], folder)
    shutil.rmtree(source)
    venv.create(folder / "env", with_pip=False)
    programs = folder / "env" / "bin"
    # Dependencies come from the running environment; only the package is installed.
    libraries = next((folder / "env" / "lib").glob("python*/site-packages"))
    here = Path(pytest.__file__).parent.parent
    (libraries / "dependencies.pth").write_text(f"{here}\n")
    (wheel,) = folder.glob("tinydigits-*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--quiet"]
    run([*pip, "--no-deps", "--no-index", str(wheel)], folder)
    return programs


def test_wheel_works_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    where = "import tinydigits; print(tinydigits.__file__)"
    assert str(installed.parent) in run([str(installed / "python"), "-c", where], tmp_path)
    assert "13,034" in run([str(installed / "tinydigits"), "verify"], tmp_path)
    drawn(5).save(tmp_path / "five.png")
    answer = run([str(installed / "tinydigits"), "predict", "--json", "five.png"], tmp_path)
    assert json.loads(answer)["digit"] == 5
    (tmp_path / "five.png").unlink()
    # MNIST is read in a second; to draw as many digits takes twenty.
    data = "synthetic" if missing_mnist(MNIST) else "mnist"
    train = [str(installed / "tinydigits"), "train", "--data", data, "--data-dir", str(MNIST)]
    assert "nothing was kept" in run([*train, "--dry-run"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_wheel_holds_the_package_and_nothing_else(installed: Path) -> None:
    (wheel,) = installed.parent.parent.glob("tinydigits-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "tinydigits/py.typed" in names
    assert "tinydigits/data/mnist.py" in names
    assert {f"tinydigits/net/weights/{recipe}.pth" for recipe in NAMES} <= set(names)
    parts = [
        path
        for folder in ("web", "export", "label")
        for path in (ROOT / "tinydigits" / folder).rglob("*")
    ]
    files = {
        str(path.relative_to(ROOT))
        for path in parts
        if path.is_file() and path.suffix not in {".py", ".pyi", ".pyc"}
    }
    assert len(files) > 10
    assert files <= set(names)
    assert {name.partition("/")[0] for name in names} == {
        "tinydigits",
        f"tinydigits-{tinydigits.__version__}.dist-info",
    }


def test_every_public_name_is_there_and_hides_no_module() -> None:
    for package in ("tinydigits", *(f"tinydigits.{wing}" for wing in WINGS)):
        handed_out = import_module(package)
        assert handed_out.__all__
        assert all(hasattr(handed_out, name) for name in handed_out.__all__)
        modules = {path.stem for path in (ROOT / package.replace(".", "/")).iterdir()}
        assert not modules & set(handed_out.__all__)
        with pytest.raises(AttributeError, match="nonsense"):
            _ = handed_out.nonsense


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a server, which all requests of the pages are sent to."""
    with server() as running:
        yield running.url


def shown_below(command: str) -> str:
    """Return what the pages show below a command, which is what the command prints."""
    block = rf"```sh\n(?:[^`]*\n)?{re.escape(command)}\n```\n\n```text\n(.*?)```"
    shown = {text for page in PAGES for text in re.findall(block, page, re.DOTALL)}
    assert len(shown) <= 1, f"two pages show different outputs of {command}"
    return "".join(shown)


def measurable(printed: str) -> list[str]:
    """Return the lines of an output that this machine's compilers and processor do not change.

    A size differs from one version of a compiler to the next: the figure's source is its record.
    What rounding leaves of two results' difference depends on the processor's vectors.
    """
    unmeasured = ["size: "]
    if not shutil.which("arm-none-eabi-gcc"):
        unmeasured.append("N bytes of code")
    if not any(map(shutil.which, COMPILERS)):
        unmeasured.append("parity")
    depends = r"^[\d,]+(?= bytes of code)|\b\de-\d\d\b|\b0\.000\d\b"
    lines = [re.sub(depends, "N", each) for each in printed.splitlines()]
    return [line for line in lines if not line.startswith(tuple(unmeasured))]


def test_readme_begins_with_the_two_commands() -> None:
    assert commands(README)[:2] == ["make train", "make test"]


def test_readme_is_one_screen_of_everything() -> None:
    assert len(README.splitlines()) <= 170


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_of_every_page_works(
    command: str, clone: Path, mnist_folder: Path, request: pytest.FixtureRequest
) -> None:
    """Each command is run, with an option that keeps it short where it would take minutes."""
    environment = {"TINYDIGITS_DATA": str(mnist_folder)}
    marker = Path(sys.prefix) / "installed-dev"
    if command.startswith("make "):
        if not marker.exists():
            pytest.skip(f"{sys.prefix} was not made by make")
        target, *given = shlex.split(command)[1:]
        if target == "docs":
            pytest.skip("tests/test_site.py builds the site")
        if target == "check":
            pytest.skip(".ci/run checks all files")
        short = {"train": "--dry-run", "test": "--collect-only -q -n0"}[target]
        options = [*(option.removeprefix("ARGS=") for option in given), short]
        if given:
            options.append("tests/net/test_model.py")  # all are collected for the plain command
        run(
            ["make", target, f"VENV={sys.prefix}", f"ARGS={' '.join(options)}"],
            clone,
            **environment,
        )
    elif command == "bash .ci/run":
        # It would run this test again; what it consists of is tested one by one.
        need("bash", "bash")
        run(["bash", "-n", ".ci/run"], clone)
        steps = re.findall(r"^make \w+", (clone / ".ci" / "run").read_text(), re.MULTILINE)
        assert steps == ["make docs", "make check", "make test"]
    elif command.startswith("pip install "):
        request.getfixturevalue("installed")
    elif command.startswith("torchrun "):
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        printed = run([*launcher, *command.split()[1:], "--dry-run"], clone, **environment)
        assert printed.endswith("nothing was kept\n")
    elif command == "tinydigits serve":
        pass  # the next command is sent to it
    elif command.startswith("curl "):
        need("curl", "curl")
        url = request.getfixturevalue("url")
        printed = run(["sh", "-c", command.replace("http://127.0.0.1:8000", url)], clone)
        assert {"predictions", "pages"} & set(json.loads(printed))
        shown = shown_below(command)
        assert not shown or json.loads(printed) == json.loads(shown)
    elif command.startswith("tinydigits study "):
        short = " --seeds 0 --epochs 1 --shares 0.01"
        run(str(request.getfixturevalue("installed") / command) + short, clone, **environment)
    elif command.startswith("tinydigits export html "):
        # tests/export/test_command.py opens the page, in the browser that is hidden here.
        printed = run(str(request.getfixturevalue("installed") / command), clone, PATH="")
        assert printed.startswith("wrote ")
    elif command == "tinydigits evaluate --corruptions --plots plots":
        python = request.getfixturevalue("installed") / "python"
        printed = run([str(python), "-c", FEW_DAMAGED, *command.split()[1:]], clone, **environment)
        lines = printed.splitlines()
        below = shown_below(command).splitlines()  # tests/test_records.py knows the other damage
        assert [line for line in lines if not line.startswith("mean ")] == [
            line for line in below if not re.match(r"\w+ +[\d.]+ %$", line) or line in lines
        ]
        assert {"shear", "stripe", "mean"} <= {line.partition(" ")[0] for line in lines}
        assert len(list((clone / "plots").glob("*.png"))) == 4
    elif command.startswith("tinydigits "):
        printed = run(str(request.getfixturevalue("installed") / command), clone, **environment)
        shown = shown_below(command)
        assert not shown or measurable(printed) == measurable(shown)
    elif command.startswith("podman "):
        pytest.skip("tests/serve/test_deploy.py follows the Containerfile without a container")
    elif command.startswith(("python benchmarks/", "python docs/")):
        run([sys.executable, command.split()[1], "--help"], clone, **environment)
    elif command == "python train.py":
        assert f"{command} --dry-run" in COMMANDS
    elif command.startswith("python train.py"):
        # To draw all digits takes twenty seconds; of options given twice the last counts.
        door = ["-c", FEW_DRAWN] if "synthetic" in command else []
        fewer = ["--hands", "400"] if "--hands" in command else []
        arguments = [*door, *command.split()[1:], *fewer, "--dry-run"]
        printed = run([sys.executable, *arguments], clone, **environment)
        assert printed.endswith("nothing was kept\n")
    else:
        assert command == "python model.py", f"no test knows how to run {command!r}"
        assert "13,034" in run([sys.executable, "model.py"], clone)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_to_files(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", (ROOT / name).read_text())
    files = [link for link in links if "://" not in link]
    assert files
    assert [link for link in files if not (ROOT / link).exists()] == []


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == tinydigits.__version__
    assert citation["title"] == tinydigits.__name__
    assert citation["authors"] == [{"name": "The tinydigits authors"}]
    project = (ROOT / "pyproject.toml").read_text()
    assert f'license = "{citation["license"]}"' in project
    assert f"keywords = {json.dumps(citation['keywords'])}" in project


def test_pins_are_exact_and_bounds_are_loose() -> None:
    for name in sorted(path.name for path in ROOT.glob("requirements*.txt")):
        lines = [line for line in (ROOT / name).read_text().splitlines() if line[:1].isalpha()]
        assert lines
        assert all("==" in line for line in lines)
    project = (ROOT / "pyproject.toml").read_text()
    needs = re.search(r"dependencies = \[(.*?)\]", project, flags=re.DOTALL)
    assert needs is not None
    assert "==" not in needs.group(1)
    assert "torch==2.13.0" in (ROOT / "requirements.txt").read_text()
