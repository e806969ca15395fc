"""Every figure the README quotes, recomputed from the files in records/."""

import json
import math
import re
import statistics
from collections.abc import Iterable
from typing import Any

import pytest

from tests.conftest import ROOT
from tinydigits.config import TrainConfig
from tinydigits.run import _line
from tinydigits.training import EpochResult

README = (ROOT / "README.md").read_text()
RECORDS = ROOT / "records"
T_QUANTILE = {3: 4.3027}  # of Student's distribution, 97.5 %, n - 1 degrees of freedom


def record(name: str) -> Any:
    return json.loads((RECORDS / name).read_text())


CLASSIC = [record(f"2026-11-23-classic/seed-{seed}.json") for seed in (0, 1, 2)]
PIPELINE = record("2026-11-23-pipeline/result.json")
SHIPPED = record("2026-11-23-shipped/evaluation.json")
SYNTHETIC = [
    json.loads(line)
    for line in (RECORDS / "2026-11-23-synthetic" / "runs.jsonl").read_text().splitlines()
]


def unwrapped(text: str) -> str:
    return " ".join(text.split())


def mean_with_interval(accuracies: Iterable[float]) -> str:
    values = list(accuracies)
    mean, n = statistics.mean(values), len(values)
    half = T_QUANTILE[n] * statistics.stdev(values) / math.sqrt(n)
    return f"mean {mean:.2f} % (n = {n}, 95 % interval {mean - half:.2f}–{mean + half:.2f} %)"


def classic_figures() -> list[str]:
    rows = [
        f"| {run['config']['seed']} | {run['test_wrong']} of {run['test_total']:,} | "
        f"{run['test_accuracy']:.2f} % | {run['seconds_training']:.0f} s |"
        for run in CLASSIC
    ]
    return [*rows, mean_with_interval(run["test_accuracy"] for run in CLASSIC)]


def pipeline_figures() -> list[str]:
    seconds = {
        name: statistics.median(all_) for name, all_ in PIPELINE["seconds_per_epoch"].items()
    }
    ratios = PIPELINE["ratios"]
    best = PIPELINE["best_reference"]
    assert best == min((name for name in seconds if name != "tinydigits"), key=seconds.__getitem__)
    return [
        f"{seconds['tinydigits']:.1f} s an epoch",
        f"{seconds[best]:.1f} s for the usual way",
        f"{statistics.median(ratios):.2f} times faster (median of {len(ratios)} rounds, "
        f"{min(ratios):.2f} to {max(ratios):.2f})",
        f"{PIPELINE['peak_megabytes']} MB",
    ]


def synthetic_figures() -> list[str]:
    return [mean_with_interval(run["accuracy"] for run in SYNTHETIC)]


def shipped_figures() -> list[str]:
    low, high = SHIPPED["interval"]
    damage = SHIPPED["corruptions"].values()
    return [
        f"{SHIPPED['wrong']} of {SHIPPED['total']:,}",
        f"accuracy {SHIPPED['accuracy']:.2f} % (95 % interval {low:.2f}–{high:.2f} %)",
        f"{SHIPPED['accuracy_undisputed']:.2f} % (34 of 9,985 wrong)",
        f"{100 * SHIPPED['ece']:.2f} %",
        f"{statistics.mean(damage):.2f} %",
    ]


def shipped_rows() -> list[str]:
    """The tables of the evaluation and the line of the prediction, as the README shows them."""
    classes = [
        f"{label} {' '.join(map(str, counts))} {recall:.2f}"
        for label, (counts, recall) in enumerate(
            zip(SHIPPED["confusion"], SHIPPED["recall"], strict=True)
        )
    ]
    damage = [f"{kind} {accuracy:.2f} %" for kind, accuracy in SHIPPED["corruptions"].items()]
    told = record("2026-11-23-shipped/prediction.json")
    first, second, _ = told["top"]
    answer = (
        f"{told['file']} {first['digit']} {100 * first['probability']:.2f} % "
        f"{second['digit']} ({100 * second['probability']:.2f} %)"
    )
    return [*classes, *damage, answer]


def output_lines() -> list[str]:
    run, best = CLASSIC[0], 0.0
    lines = []
    for values in run["history"]:
        result = EpochResult(**values)
        accuracy = result.validation_accuracy or 0.0
        lines.append(_line(result, best=accuracy > best))
        best = max(best, accuracy)
    seconds = run["seconds_per_epoch"]
    return [
        *lines,
        f"test: {run['test_wrong']} of {run['test_total']:,} wrong ({run['test_accuracy']:.2f} %)",
        f"time: {sum(seconds):.1f} s of training, {sum(seconds) / len(seconds):.1f} s an epoch",
    ]


FIGURES = [
    *classic_figures(),
    *pipeline_figures(),
    *synthetic_figures(),
    *shipped_figures(),
    *shipped_rows(),
    *output_lines(),
]


@pytest.mark.parametrize("figure", FIGURES)
def test_readme_quotes_the_records(figure: str) -> None:
    assert unwrapped(figure) in unwrapped(README)


def test_readme_quotes_nothing_else() -> None:
    known = re.findall(r"\d+\.\d+(?= %| s\b| times)", "\n".join(FIGURES))
    quoted = re.findall(r"\d+\.\d\d(?= %)|\d+\.\d+(?= s\b| times)", README)
    assert quoted
    assert set(quoted) <= set(known)


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("classic", classic_figures()),
        ("pipeline", pipeline_figures()),
        ("synthetic", synthetic_figures()),
        ("shipped", shipped_figures()),
    ],
)
def test_each_record_states_its_own_figures(name: str, figures: list[str]) -> None:
    text = (RECORDS / f"2026-11-23-{name}" / "README.md").read_text()
    assert all(unwrapped(figure) in unwrapped(text) for figure in figures)


def test_classic_records_are_of_the_classic_recipe_and_consistent() -> None:
    for seed, run in enumerate(CLASSIC):
        config = TrainConfig.from_dict(run["config"])
        assert config == TrainConfig(seed=seed, data=config.data)
        assert run["dataset"] == "mnist"
        assert run["test_wrong"] == len(set(run["wrong_indices"]))
        assert run["test_accuracy"] == pytest.approx(100 - run["test_wrong"] / 100)
        assert run["test_accuracy"] >= 99.40
        assert run["seconds_training"] == pytest.approx(sum(run["seconds_per_epoch"]), abs=0.01)


def test_the_shipped_net_was_trained_as_its_record_says() -> None:
    told = json.loads((ROOT / "tinydigits" / "weights" / "classic.json").read_text())
    assert (told["test_wrong"], told["test_total"]) == (SHIPPED["wrong"], SHIPPED["total"])
    assert sum(map(sum, SHIPPED["confusion"])) == SHIPPED["total"]
    right = sum(row[label] for label, row in enumerate(SHIPPED["confusion"]))
    assert right == SHIPPED["total"] - SHIPPED["wrong"]


def test_bars_of_speed_and_memory_are_met() -> None:
    assert statistics.median(PIPELINE["ratios"]) >= 2
    assert PIPELINE["peak_megabytes"] < 700


def test_records_name_no_machines_paths() -> None:
    for path in RECORDS.rglob("*"):
        if path.suffix in {".json", ".jsonl", ".md"}:
            assert not re.search(r"/(home|root|work|tmp|Users)/", path.read_text()), path
