"""safetensors: a folder in Hugging Face's layout, with a model card, ready to upload."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tinydigits import __version__
from tinydigits.errors import extra
from tinydigits.evaluate.metrics import Report
from tinydigits.net.model import Net, layer_table, parameter_count
from tinydigits.net.shipped import IN_FOLDER, WEIGHTS
from tinydigits.net.trained import Source

CARD = Path(__file__).parent / "card.md"
STUDIES = WEIGHTS / "studies.json"  # figures of the recipes' records, which are not in the package

STUDY = """
Recipe `{name}`, {n} seeds, of which this net is the first: mean accuracy {mean:.2f} %, 95 %
interval {low:.2f} to {high:.2f} %. Under fifteen kinds of damage that the recipe does not train on,
the mean is {damaged:.1f} %.
"""


def folder(source: Source, tested: Report, dataset: str) -> dict[str, bytes]:
    """Return the folder's files by name; ``tested`` is the net's report on ``dataset``.

    Raises:
        InputError: safetensors is not installed.
    """
    return {
        IN_FOLDER: weights(source),
        "config.json": _json(_config(source.net)),
        "README.md": _card(source, tested, dataset).encode(),
    }


def weights(source: Source) -> bytes:
    """Return the bytes of model.safetensors.

    Raises:
        InputError: safetensors is not installed.
    """
    with extra("safetensors", "export safetensors"):
        from safetensors.torch import save
    metadata = {"format": "pt", "made_by": f"tinydigits {__version__}", "sha256": source.sha256}
    return save(source.net.state_dict(), metadata)


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


@dataclass(frozen=True)
class Study:
    """A recipe's accuracy on MNIST's test digits over many seeds, in per cent."""

    n: int
    mean: float
    low: float
    """Lower end of the mean's 95 % interval."""
    high: float
    """Upper end of the mean's 95 % interval."""
    damaged: float
    """Mean over fifteen kinds of damage."""


def studies() -> dict[str, Study]:
    """Return the study of each recipe, by the recipe's name."""
    return {name: Study(**values) for name, values in json.loads(STUDIES.read_text()).items()}


def _card(source: Source, tested: Report, dataset: str) -> str:
    """Return a net's card in Markdown, with the fields that Hugging Face reads at the top."""
    study = studies().get(source.name)
    return CARD.read_text().format(
        accuracy=f"{tested.accuracy:.2f}",
        dataset=dataset,
        tested=tested,
        low=f"{tested.interval[0]:.2f}",
        high=f"{tested.interval[1]:.2f}",
        study=STUDY.format(name=source.name, **asdict(study)) if study else "",
        sha256=source.sha256,
    )
