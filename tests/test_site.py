"""The documentation site: built as ``make docs`` builds it, then followed link by link."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from filelock import FileLock

from tests.conftest import ROOT
from tests.test_contract import WINGS
from tinydigits.export import html
from tinydigits.export.folded import fold
from tinydigits.net.trained import source_of

for needed in ("sphinx", "furo", "myst_nb", "onnx", "fastapi"):
    pytest.importorskip(needed, reason=f"no {needed}: pip install -r requirements-docs.txt")

# One page of each kind, the widest tables among them.
PAGES = ["index", "guide/exporting", "leaderboard", "reference/train", "tutorial", "log"]


def command(folder: Path) -> list[str]:
    """The command of ``make docs``, made to write to another folder."""
    make = ["make", "--dry-run", "docs", f"VENV={sys.prefix}"]
    recipe = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = (each for each in recipe.replace("\\\n", "").splitlines() if "-m sphinx" in each)
    return shlex.split(line.replace("build/docs", str(folder)))


def build(source: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command(folder), *options], cwd=source, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a copy of the files that git carries."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    return folder / "site-source"


@pytest.fixture(scope="module")
def site(source: Path) -> Path:
    """The site, built once from the copy, whichever of several test processes asks first."""
    folder = source.parent / "site"
    with FileLock(source.parent / "site.lock"):
        if not folder.exists():
            copy_to(source)
            done = build(source, folder)
            assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


def copy_to(folder: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


class Page(HTMLParser):
    """What a page's links may lead to, where its own lead, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        (self.links if tag == "a" else self.loads).add(given.get("href", "#"))
        self.loads.add(given.get("src", "#"))
        self.loads.update(each.split()[0] for each in given.get("srcset", "").split(",") if each)
        self.loads.update(addresses(given.get("style", "")))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "style":
            self.loads.update(addresses(data))


def addresses(style: str) -> list[str]:
    """What CSS loads."""
    found = re.findall(r"""url\(\s*["']?(.*?)["']?\s*\)|@import\s+["'](.*?)["']""", style)
    return [url or imported for url, imported in found]


@cache
def parsed(path: Path) -> Page:
    return Page(path)


def pages(site: Path) -> list[Path]:
    found = sorted(site.rglob("*.html"))
    assert len(found) > 50
    return found


def test_pins_are_exact() -> None:
    lines = (ROOT / "requirements-docs.txt").read_text().splitlines()
    pins = [line for line in lines if line[:1].isalpha()]
    assert len(pins) >= 4
    assert all("==" in pin for pin in pins)


def test_warnings_are_errors() -> None:
    assert {"--fail-on-warning", "--keep-going"} <= set(command(Path("folder")))


def test_every_link_leads_to_a_file_and_every_anchor_is_there(site: Path) -> None:
    dead = []
    for path in pages(site):
        for link in parsed(path).links | parsed(path).loads:
            address = urlsplit(link)
            if address.scheme in ("http", "https", "data"):
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            anchor = unquote(address.fragment)
            is_there = target.is_file() and target.is_relative_to(site)
            if not is_there or (anchor and anchor not in parsed(target).ids):
                dead.append((str(path.relative_to(site)), link))
    assert dead == []


def test_no_page_loads_from_another_host(site: Path) -> None:
    loaded = {(path, each) for path in pages(site) for each in parsed(path).loads}
    styles = list(site.rglob("*.css"))
    loaded |= {(path, each) for path in styles for each in addresses(path.read_text())}
    assert len(styles) > 3
    assert len(loaded) > 200
    # An address that begins with // has a host and no scheme.
    foreign = {
        (path, each)
        for path, each in loaded
        if urlsplit(each).scheme not in ("", "data") or urlsplit(each).netloc
    }
    assert foreign == set()


@pytest.mark.parametrize("name", PAGES)
def test_a_browser_asks_no_other_host_and_a_phone_scrolls_one_way(
    name: str, site: Path, browser: Any
) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / f"{name}.html").as_uri(), wait_until="networkidle")
    assert len(asked) > 3
    assert [url for url in asked if urlsplit(url).scheme not in ("file", "data")] == []
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.close()


def test_the_search_knows_pages_by_their_addresses(site: Path) -> None:
    index = (site / "searchindex.js").read_text()
    names = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))["docnames"]
    assert {"index", "guide/training", "tutorial", "records/2026-11-26-fast/README"} <= set(names)
    assert all((site / f"{name}.html").is_file() for name in names)


def test_the_drawing_page_is_the_exporters(site: Path) -> None:
    people = source_of("people")
    exported = html.page(fold(people.net), people.name)
    assert (site / "demo.html").read_bytes() == exported
    assert "demo.html" in parsed(site / "index.html").links


@pytest.mark.parametrize("wing", WINGS)
def test_every_public_name_is_described_once(wing: str, site: Path) -> None:
    described = [each for path in (site / "reference").iterdir() for each in parsed(path).ids]
    names = [f"tinydigits.{wing}.{name}" for name in import_module(f"tinydigits.{wing}").__all__]
    assert {name: described.count(name) for name in names} == dict.fromkeys(names, 1)
    assert set(names) <= parsed(site / "reference" / f"{wing}.html").ids


def test_the_reference_begins_with_the_names_of_the_package(site: Path) -> None:
    page = parsed(site / "reference" / "index.html")
    links = {urldefrag(link).fragment for link in page.links} | page.ids
    known = {name.rpartition(".")[2] for name in links if name.startswith("tinydigits.")}
    assert set(import_module("tinydigits").__all__) <= known


def test_fields_have_their_docstrings(site: Path) -> None:
    page = (site / "reference" / "train.html").read_text()
    text = " ".join(re.sub(r"<.*?>", "", page).replace("’", "'").split())
    source = (ROOT / "tinydigits" / "train" / "config.py").read_text()
    docstrings = re.findall(r'^    \w+: .* = .*\n    """(\w[^`"]*?)[.;:`"]', source, re.M)
    assert len(docstrings) > 20
    assert [each for each in docstrings if " ".join(each.split()) not in text] == []


def test_sources_and_folders_that_pages_link_to_are_shown(site: Path) -> None:
    assert "RECIPES" in (site / "tinydigits/train/recipes.py.html").read_text()
    listed = parsed(site / "tinydigits/web.html").links
    sources = [path for path in (ROOT / "tinydigits/web").iterdir() if path.suffix != ".zz"]
    assert {f"web/{path.name}.html" for path in sources} <= listed


def test_objects_lead_to_their_lines(site: Path) -> None:
    source = (ROOT / "tinydigits/net/model.py").read_text()
    line = source[: source.index("\nclass Net(")].count("\n") + 2
    links = parsed(site / "reference/net.html").links
    assert f"../tinydigits/net/model.py.html#line-{line}" in links


BROKEN = {
    "[page](missing.md)": "missing.md",
    "[anchor](reading.md#missing-heading)": "missing-heading",
    "[own anchor](#no-such-heading)": "no-such-heading",
    "[source](../../tinydigits/missing.py)": "missing.py",
    "[folder](../../tinydigits/missing)": "'../../tinydigits/missing'",
    "![picture](missing.png)": "missing.png",
    "{py:func}`tinydigits.missing`": "tinydigits.missing",
}


def test_a_broken_link_fails_the_build(site: Path, source: Path) -> None:
    with (source / "docs" / "guide" / "training.md").open("a") as guide:
        guide.write("\n" + "\n\n".join(BROKEN) + "\n")
    # All links of the changed page, without writing: the others have been read.
    done = build(source, site.parent, "--builder", "dummy")
    assert done.returncode == 1
    warnings = [line for line in done.stderr.splitlines() if "WARNING: " in line]
    found = {name: [line for line in warnings if name in line] for name in BROKEN.values()}
    assert all(found.values()), found
    assert len(warnings) == len(BROKEN), warnings
    assert all("guide/training.md:" in line for line in warnings)
