"""safetensors: a folder in Hugging Face's layout, with a model card, ready to be uploaded."""

import json
from typing import Any

from torch import Tensor

from tinydigits import __version__
from tinydigits.errors import extra
from tinydigits.evaluation import Report, infer
from tinydigits.export.card import card
from tinydigits.export.folded import refuse_broken
from tinydigits.model import Net, layer_table, parameter_count
from tinydigits.prediction import Source


def folder(source: Source, tested: Report, dataset: str) -> dict[str, bytes]:
    """Return the files of the folder by their names; ``tested`` are the net's own figures.

    Raises:
        InputError: safetensors is not installed, or the net is broken.
    """
    return {
        "model.safetensors": weights(source),
        "config.json": _json(_config(source.net)),
        "README.md": card(source, tested, dataset).encode(),
    }


def weights(source: Source) -> bytes:
    """Return model.safetensors.

    Raises:
        InputError: safetensors is not installed, or the net is broken.
    """
    with extra("safetensors", "export safetensors"):
        from safetensors.torch import save
    refuse_broken(source.net)
    metadata = {"format": "pt", "made_by": f"tinydigits {__version__}", "sha256": source.sha256}
    return save(source.net.state_dict(), metadata)


def logits(content: bytes, pixels: Tensor) -> Tensor:
    """Return what the net in a model.safetensors makes of pixels uint8 (N, 28, 28): (N, 10)."""
    return infer(loaded(content), pixels)


def loaded(content: bytes) -> Net:
    """Return the net in a model.safetensors."""
    with extra("safetensors", "a safetensors file"):
        from safetensors.torch import load
    net = Net()
    net.load_state_dict(load(content))
    return net


def _config(net: Net) -> dict[str, Any]:
    return {
        "architectures": ["Net"],
        "model_type": "tinydigits",
        "image_size": 28,
        "num_channels": 1,
        "num_labels": 10,
        "parameters": parameter_count(net),
        "layers": [{"name": layer.name, "kind": layer.kind} for layer in layer_table(net)],
        "tinydigits_version": __version__,
    }


def _json(content: Any) -> bytes:
    return f"{json.dumps(content, indent=1)}\n".encode()
