"""The command ``tinydigits label``: reads pictures, then asks about each on a local page."""

import os
import secrets
import shlex
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from tinydigits.errors import InputError
from tinydigits.files import read_bytes, sole_writer
from tinydigits.label.copies import Copies
from tinydigits.label.page import page
from tinydigits.label.scans import Scan, check_folders, found_in, key_of
from tinydigits.label.server import application, server
from tinydigits.label.session import Session
from tinydigits.label.suggestions import Reader
from tinydigits.net.shipped import DEFAULT
from tinydigits.serve.running import listening, process_kept, run_here

HOST = "127.0.0.1"  # this machine only
FEW = 64  # pictures: as many are read before a progress bar could be seen
SECRET = 16  # random bytes in the page's address


def label(folders: tuple[Path, ...], *, out: Path, model: str, port: int, browser: bool) -> int:
    """Ask about each picture in the folders on a local page, until the user ends it.

    Labelled pictures are copied to the sub-folders 0 to 9 of ``out`` at once. Return 0, or 1 if
    pictures were left out because they cannot be read.

    Raises:
        InputError: a folder or the model cannot be used, no picture can be read, another process
            labels into ``out``, its journal is damaged, or the port is taken.
        KeyboardInterrupt: the user has pressed Ctrl-C; the summary is printed.
    """
    check_folders(folders, out)
    files = found_in(folders)
    read = Reader(model)
    given = [*map(str, folders), "--out", str(out), *(["--model", model] * (model != DEFAULT))]
    go_on, train = shlex.join(["tinydigits", "label", *given]), _training(out)
    with sole_writer(out), listening(HOST, port, "--port") as on, process_kept():
        scans = _scans(files)
        different = {each.key: each for each in reversed(scans)}
        _tell_copies(len(scans) - len(different))
        session = Session(different, Copies(out), read)
        try:
            unread = len(files) - len(scans) + _read(session)
            if not session.left and not session.decided:
                raise InputError(f"none of {len(files)} pictures can be read: give others")
            if session.left:
                _ask(session, page(go_on, train), on, browser)
        except KeyboardInterrupt:
            print(_summary(session, go_on, train))
            raise
        print(_summary(session, go_on, train))
    return 1 if unread else 0


def _training(out: Path) -> str:
    # Labelled by hand, they are few: enough for a trained net to learn from, not to train one.
    return shlex.join(["tinydigits", "train", "--recipe", "adapt", "--data", str(out)])


def _scans(files: Sequence[tuple[Path, str]]) -> list[Scan]:
    """Return the pictures; a file that cannot be read gets a line and is left out."""
    scans = list[Scan]()
    hide = None if len(files) > FEW else True
    for file, name in tqdm(files, "opening", unit="picture", leave=False, disable=hide):
        try:
            scans.append(Scan(file, name, key_of(read_bytes(file))))
        except InputError as error:  # noqa: PERF203 - each picture fails on its own
            tqdm.write(f"error: {error}", file=sys.stderr)
    return scans


def _tell_copies(count: int) -> None:
    if count:
        print(f"copies of other pictures, asked once: {count}", file=sys.stderr)


def _read(session: Session) -> int:
    """Read the pictures that are left and sort them; return how many cannot be read.

    Each of these gets a line and is left out.
    """
    keys, unread = list(session.left), 0
    hide = None if len(keys) > FEW else True
    for key in tqdm(keys, "reading", unit="picture", leave=False, disable=hide):
        try:
            session.suggestion(key)
        except InputError as error:  # noqa: PERF203 - each picture fails on its own
            tqdm.write(f"error: {session.scans[key].file}: {error}", file=sys.stderr)
            session.leave_out(key)
            unread += 1
    session.sort()
    return unread


def _ask(session: Session, content: bytes, on: socket.socket, browser: bool) -> None:
    """Serve the page until its user has finished, or until a signal."""

    def finish() -> None:
        running.should_exit = True

    token = secrets.token_urlsafe(SECRET)
    running = server(application(session, content, token, finish))
    address = f"http://{HOST}:{on.getsockname()[1]}/{token}/"
    print(f"{len(session.left)} to label on {address}; press Ctrl-C to stop", file=sys.stderr)
    if browser:
        _open(address)
    run_here(running, on)


def _open(address: str) -> None:
    """Open the page in the user's browser, if there is one outside this terminal."""
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return
    # Python's last resort are browsers for text, which would take over the terminal.
    if type(found) is not webbrowser.GenericBrowser or "BROWSER" in os.environ:
        threading.Thread(target=found.open, args=(address,), daemon=True).start()


def _summary(session: Session, go_on: str, train: str) -> str:
    none = session.count("none")
    labelled, left = len(session.decided) - none, len(session.left)
    told = [f"{labelled} labelled, {none} without a digit, {left} left"]
    told += [f"to go on: {go_on}"] if left else []
    told += [f"to train: {train}"] if labelled else []
    return "\n".join(told)
