"""``tinydigits label`` as a process: begun, stopped, gone on with, and refused."""

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.label.conftest import labelled
from tests.processes import started, wait_for
from tinydigits.cli import main
from tinydigits.label import journal


class Tab:
    """The page's requests."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.origin = re.sub(r"(?<=\d)/.*", "", address)

    def ask(self, path: str, **asked: Any) -> Any:
        """Send a request, with a body if there is something to ask."""
        body = json.dumps(asked).encode() if asked else None
        request = urllib.request.Request(self.address + path, body, {"origin": self.origin})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def decide(self, label: journal.Label) -> Any:
        """Decide about the next picture."""
        key = self.ask("state")["next"][0]["key"]
        return self.ask("decide", key=key, label=label, was=None)


@contextmanager
def labelling(*options: str, **environment: str) -> Iterator[tuple["subprocess.Popen[str]", Tab]]:
    command = ("-m", "tinydigits", "label", "scans", "--out", "my digits", *options)
    with started(*command, environment=environment) as process:
        line = wait_for("to label on", process.stderr)
        yield process, Tab(re.findall(r"http://127\.0\.0\.1:\d+/[\w-]{20,}/", line)[0])


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail and return its only line on standard error."""
    assert main(["label", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    return printed.err


def test_labelling_is_stopped_and_gone_on_with(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, opened = tmp_path / "my digits", tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {shlex.quote(str(opened))}\n')
    browser.chmod(0o755)
    before = {path: path.read_bytes() for path in scans.rglob("*.png")}
    with labelling(BROWSER=str(browser)) as (process, tab):
        first, second = tab.ask("state")["next"]
        assert first["file"] == "two.png"
        assert second["digit"] in range(10)
        tab.decide("none")
        tab.decide(3)
        # At once, not at the end.
        assert [path[:2] for path in labelled(out)] == ["3/"]
        assert [each.label for each in journal.read(out)] == ["none", 3]
        again = complaint(capsys, "scans", "--out", "my digits")
        assert "another run is writing to my digits: wait until it ends, or give anoth" in again
        process.send_signal(signal.SIGINT)
        printed, complained = process.communicate(timeout=30)
        assert (process.returncode, complained) == (130, "")
        assert opened.read_text() == f"{tab.address}\n"
    go_on = "tinydigits label scans --out 'my digits'"
    assert printed.splitlines() == [
        "1 labelled, 1 without a digit, 2 left",
        f"to go on: {go_on}",
        "to train: tinydigits train --recipe adapt --data 'my digits'",
    ]
    (scans / "copy.png").write_bytes((scans / "two.png").read_bytes())
    (scans / "broken.png").write_bytes(b"oops")
    with labelling("--no-browser") as (process, tab):
        told = tab.ask("state")
        assert (told["left"], len(told["recent"])) == (2, 2)
        last = told["recent"][0]
        tab.ask("decide", key=last["key"], label=7, was=3)
        tab.decide(1)
        tab.decide(2)
        tab.ask("finish", end=True)
        printed, _ = process.communicate(timeout=30)
        assert process.returncode == 1  # for the broken one, which is named below
    (scans / "broken.png").unlink()
    assert printed.splitlines() == [
        "3 labelled, 1 without a digit, 0 left",
        "to train: tinydigits train --recipe adapt --data 'my digits'",
    ]
    assert sorted(path[:2] for path in labelled(out)) == ["1/", "2/", "7/"]
    assert {path: path.read_bytes() for path in before} == before
    # Nothing is left: no page is shown. And the folder is what `evaluate` reads.
    assert main(["label", "scans", "--out", "my digits"]) == 0
    assert capsys.readouterr() == (
        printed,
        "copies of other pictures, asked once: 1\n",
    )
    assert main(["evaluate", "my digits"]) == 0
    assert "of 3 wrong, accuracy" in capsys.readouterr().out


def test_the_lines_about_unreadable_pictures(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in scans.rglob("*.png"):
        path.write_bytes(path.name.encode())
    assert main(["label", "scans", "--out", "out"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    first, *lines, last = printed.err.splitlines()
    assert first == "copies of other pictures, asked once: 1"
    assert {line.partition(": not a picture in a readable format")[0] for line in lines} == {
        f"error: scans/{name}.png" for name in ("a/1", "b/7", "two")
    }
    assert last == "error: none of 4 pictures can be read: give others"


@pytest.mark.usefixtures("scans")
def test_wrong_inputs_get_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    Path("damaged").mkdir()
    (Path("damaged") / journal.FILE).write_text("oops\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments, words in [
            (["gone", "--out", "out"], "there is no folder gone"),
            (["empty", "--out", "out"], "empty contains no pictures: expected files such as .png"),
            (["scans", "--out", "scans/out"], "are one, or one is inside the other"),
            (["scans"], "--out"),
            (["--out", "out"], "no folder given"),
            (
                ["scans", "--out", "out", "--port", "-1"],
                "--port is -1, but must be from 0 to 65535",
            ),
            (["scans", "--out", "out", "--model", "gone.pth"], "there is no gone.pth"),
            (
                ["scans", "--out", "new", "--port", port],
                f"cannot listen on 127.0.0.1, port {port}: Address already in use",
            ),
            (["scans", "--out", "damaged"], "labels.jsonl line 1 is damaged: b'oops'"),
        ]:
            assert words in complaint(capsys, *arguments)
    assert not Path("out").exists()
    assert sorted(each.name for each in Path("damaged").iterdir()) == [".lock", journal.FILE]


def test_a_missing_extra_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in [
        name for name in sys.modules if name.startswith(("tinydigits.label", "uvicorn"))
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    told = complaint(capsys, "scans", "--out", "out")
    assert (
        "label needs uvicorn, which is not installed: type pip install 'tinydigits[serve]'" in told
    )
