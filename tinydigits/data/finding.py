"""Where a file of MNIST may lie, and under which names.

Browsers, unpackers and other publishers rename the files or put each into a folder of its own.
Names only suggest a file; ``data.mnist`` decides by its content.
"""

import re
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

SUBFOLDERS = 200  # as many are searched: a folder may hold thousands that have other purposes
TEST = ("t10k", "test")


def named(name: str, directory: Path) -> Iterator[Path]:
    """Yield the files that have the original's ``name``, in ``directory`` or its ``MNIST/raw``.

    Letter case and punctuation may differ, and the suffix ``.gz`` may be missing or wrong. A folder
    of that name, which some unpackers make, stands for the files in it.
    """
    folders = (directory, directory / "MNIST" / "raw")
    usual = [folder / (name + suffix) for folder in folders for suffix in ("", ".gz")]
    yield from (path for path in usual if path.is_file())
    for folder in folders:
        yield from (path for path in _with_name(name, folder) if path not in usual)


def similar(name: str, directory: Path) -> Iterator[Path]:
    """Yield the files whose names have the words of ``name``, such as train and images.

    They are in ``directory``, its sub-folders, a folder ``raw`` in one of these, or the folder
    above ``directory``.
    """
    part, kind, *_ = name.split("-")
    parts = TEST if part in TEST else (part,)
    for folder in _folders(directory):
        yield from _with_name(name, folder)
        for path in _visible(folder):
            words = path.name.lower()
            if kind[:-1] in words and any(word in words for word in parts) and path.is_file():
                yield path


def _folders(directory: Path) -> Iterator[Path]:
    below = list(islice((path for path in _visible(directory) if path.is_dir()), SUBFOLDERS))
    raw = (path for folder in below for path in _visible(folder) if path.name.lower() == "raw")
    yield from chain([directory], below, raw, [directory.resolve().parent])


def _with_name(name: str, folder: Path) -> Iterator[Path]:
    for path in _visible(folder):
        if _letters(path.name).removesuffix("gz") == _letters(name):
            yield from filter(Path.is_file, _visible(path) if path.is_dir() else [path])


def _letters(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def _visible(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted, without hidden names; nothing if it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []
