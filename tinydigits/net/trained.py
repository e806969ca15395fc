"""Trained nets, ready to answer, and where each comes from."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinydigits.net.checkpoint import load_net
from tinydigits.net.model import Net
from tinydigits.net.shipped import DEFAULT, NAMES, net_file


@dataclass(frozen=True)
class Source:
    """A trained net and where it comes from."""

    name: str
    """The recipe's, or the file's."""
    path: Path
    net: Net
    sha256: str
    """Of the checkpoint's file."""


def load(model: Path | str = DEFAULT) -> Net:
    """Return a trained net, on the CPU, in evaluation mode.

    A recipe's name stands for the net that comes with the package; anything else is the path of a
    checkpoint, as ``./best`` is of a file with such a name.

    Raises:
        InputError: there is no such net, or the file is no checkpoint of this one.
    """
    return _own(str(model)) if model in NAMES else load_net(net_file(model))


def source_of(model: str) -> Source:
    """Return the net that ``load`` returns, with the name and the sum of its file.

    Raises:
        InputError: as there.
    """
    net, path = load(model), net_file(model)
    return Source(
        name=model if model in NAMES else path.name,
        path=path,
        net=net,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


@cache
def _own(name: str) -> Net:
    return load_net(net_file(name))
