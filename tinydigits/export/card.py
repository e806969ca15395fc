"""The model card: what a net is for, how good it is, and where it ends."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tinydigits.evaluation import Report
from tinydigits.nets import WEIGHTS
from tinydigits.prediction import Source

CARD = Path(__file__).parent / "card.md"
STUDIES = WEIGHTS / "studies.json"  # of the recipes' records, which the package does not carry

STUDY = """
Recipe `{name}`, {n} seeds of which this net is the first: mean {mean:.2f} %, 95 % interval
{low:.2f} to {high:.2f} %. Under fifteen kinds of damage that it
was not trained on, {damaged:.1f} %.
"""


@dataclass(frozen=True)
class Study:
    """What many seeds of a recipe gave on MNIST's test digits, in per cent."""

    n: int
    mean: float
    low: float
    """Of the mean's 95 % interval."""
    high: float
    damaged: float
    """Mean over fifteen kinds of damage."""


def studies() -> dict[str, Study]:
    """Return the study of each recipe."""
    return {name: Study(**values) for name, values in json.loads(STUDIES.read_text()).items()}


def card(source: Source, tested: Report, dataset: str) -> str:
    """Return a net's card in Markdown, with the fields that Hugging Face reads at its head."""
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
