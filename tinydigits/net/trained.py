"""Loading trained nets by name or path, with their origin."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tinydigits.net.formats import load_net
from tinydigits.net.model import Net
from tinydigits.net.shipped import DEFAULT, NAMES, net_file


@dataclass(frozen=True)
class Source:
    """A trained net and where it comes from."""

    name: str
    """The recipe's name for a net of the package, otherwise the file's name."""
    path: Path
    net: Net
    sha256: str
    """SHA-256 of the file, in hexadecimal."""


def load(model: Path | str = DEFAULT) -> Net:
    """Return a trained net, on the CPU, in evaluation mode.

    A recipe's name selects a net of the package, which is loaded once. Anything else is a path:
    of a file for ``load_net``, or of a folder from ``tinydigits export safetensors``; ``./best``
    names a file called ``best``.

    Raises:
        InputError: the file does not exist, or as for ``load_net``.
    """
    return _own(str(model)) if model in NAMES else load_net(net_file(model))


def source_of(model: str) -> Source:
    """Return the net that ``load`` returns, with the name, path and SHA-256 of its file.

    Raises:
        InputError: as for ``load``.
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
