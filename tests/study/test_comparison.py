"""Two studies seed by seed: figures against SciPy, and what cannot be compared."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.study.test_student import both_tails
from tinydigits.cli import main
from tinydigits.data.sources import SYNTHETIC_WARNING
from tinydigits.study import ledger
from tinydigits.study.ledger import Run
from tinydigits.train.config import Augmentation, TrainConfig

CONFIG = TrainConfig(data=("mnist",), device="cpu", precision="fp32")
A = {0: 99.46, 1: 99.40, 2: 99.51, 3: 99.38, 4: 99.47, 5: 99.50}
B = {5: 99.54, 4: 99.50, 3: 99.49, 2: 99.49, 1: 99.47, 7: 99.99}
SHARED = [1, 2, 3, 4, 5]


def kept(
    folder: Path,
    accuracies: dict[int, float],
    config: TrainConfig = CONFIG,
    warning: str | None = None,
) -> str:
    ledger.begin(folder, config, warning, {})
    for seed, accuracy in accuracies.items():
        wrong = list(range(round(100 * (100 - accuracy))))
        ledger.append(folder, Run(seed, accuracy, len(wrong), wrong, 8.0))
    return str(folder)


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    """Two studies that share five seeds."""
    longer = replace(CONFIG, epochs=20, augmentation=Augmentation(shear=5.0))
    return [kept(tmp_path / "a", A), kept(tmp_path / "b", B, longer)]


def figures(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["compare", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_figures_are_those_of_the_seeds_that_both_have(
    pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = ([study[seed] for seed in SHARED] for study in (A, B))
    test = stats.ttest_rel(b, a)
    low, high = test.confidence_interval(0.95)
    found = figures(capsys, *pair)
    assert found["dataset"] == "mnist"
    assert found["warning"] is None
    assert found["seeds"] == SHARED
    assert found["mean_a"] == pytest.approx(np.mean(a))
    assert found["mean_b"] == pytest.approx(np.mean(b))
    assert found["difference"] == pytest.approx(np.mean(b) - np.mean(a))
    assert found["sd"] == pytest.approx(np.std(np.subtract(b, a), ddof=1))
    assert found["interval"] == pytest.approx([low, high])
    assert found["p"] == pytest.approx(test.pvalue)
    assert found["options"] == {"epochs": [10, 20], "augmentation.shear": [10.0, 5.0]}


def test_seeds_needed_have_the_power_and_one_less_has_not(
    pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    found = figures(capsys, *pair)
    assert list(found["needed"]) == ["0.05", "0.02", "0.01"]
    for points, seeds in found["needed"].items():
        effect = float(points) / found["sd"]
        assert both_tails(seeds - 1, effect) < 0.8 <= both_tails(seeds, effect)


def test_the_other_way_round_only_signs_change(
    pair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    forth, back = figures(capsys, *pair), figures(capsys, *reversed(pair))
    assert back["difference"] == pytest.approx(-forth["difference"])
    assert back["interval"] == pytest.approx([-end for end in reversed(forth["interval"])])
    assert (back["p"], back["needed"]) == (forth["p"], forth["needed"])


def test_the_text_tells_all(pair: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *pair]) == 0
    printed, told = capsys.readouterr()
    assert printed.splitlines() == [
        f"A: mean 99.452 % ({pair[0]})",
        f"B: mean 99.498 % ({pair[1]})",
        "B − A: +0.046 points (n = 5 pairs, 95 % interval -0.014 to +0.106, p = 0.1)",
        "options: --epochs 10 → 20, --augmentation.shear 10.0 → 5.0",
        "left out: 1 seeds that only A has, 1 that only B has",
        "seeds that find a difference (80 % power, two-sided test at 5 %):",
        "  0.05 points: 10 (5 more)",
        "  0.02 points: 48 (43 more)",
        "  0.01 points: 185 (180 more)",
    ]
    assert told == ""


def test_seeds_that_are_enough_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accuracies = {seed: 99.4 + seed % 3 / 100 for seed in range(20)}
    other = {seed: 99.4 + seed % 2 / 100 for seed in range(20)}
    assert main(["compare", kept(tmp_path / "a", accuracies), kept(tmp_path / "b", other)]) == 0
    text = capsys.readouterr().out
    assert "options: the same\n" in text
    assert "left out" not in text
    assert "  0.02 points: 5 (enough are here)\n" in text


def test_equal_differences_have_no_spread_to_test_against(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # 99.52 - 99.4 and 99.63 - 99.51 differ in binary.
    pair = [
        kept(tmp_path / "a", {0: 99.4, 1: 99.51, 2: 99.3}),
        kept(tmp_path / "b", {0: 99.52, 1: 99.63, 2: 99.42}),
    ]
    found = figures(capsys, *pair)
    assert found["difference"] == pytest.approx(0.12)
    assert (found["sd"], found["interval"], found["p"], found["needed"]) == (0, None, None, {})
    assert main(["compare", *pair]) == 0
    told = "B − A: +0.120 points for each of 3 seeds: no spread, so no interval and no test\n"
    assert told in capsys.readouterr().out
    assert main(["compare", pair[0], pair[0]]) == 0
    assert "+0.000 points for each of 3 seeds" in capsys.readouterr().out


def test_synthetic_figures_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    synthetic = replace(CONFIG, data=("synthetic",))
    folder = kept(tmp_path / "a", A, synthetic, SYNTHETIC_WARNING)
    assert main(["compare", folder, folder]) == 0
    assert capsys.readouterr().err == f"warning: {SYNTHETIC_WARNING}\n"
    assert figures(capsys, folder, folder)["warning"] == SYNTHETIC_WARNING


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "Missing from tinydigits compare: A"),
        ("a", "Missing from tinydigits compare: B"),
        ("a gone", "gone contains no study: there is no gone/config.json; run one with tinydigits"),
        ("text a", "text contains no study: there is no text/config.json"),
        ("a alone", "a and alone share 1 seeds, expected at least 2: run the same seeds with"),
        ("none a", "none and a share 0 seeds, expected at least 2"),
        ("a drawn", "a is a study on mnist and drawn on synthetic: give two studies on"),
        ("a damaged", "damaged/runs.jsonl line 1 is damaged: b'oops', expected a run's figures"),
    ],
)
def test_what_cannot_be_compared_gets_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    kept(Path("a"), A)
    kept(Path("alone"), {4: 99.4, 9: 99.4})
    kept(Path("none"), {})
    kept(Path("drawn"), A, replace(CONFIG, data=("synthetic",)))
    kept(Path("damaged"), {})
    Path("damaged/runs.jsonl").write_text("oops\n")
    Path("text").write_text("no folder")
    assert main(["compare", *arguments.split()]) == 2
    printed, told = capsys.readouterr()
    assert printed == ""
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert message in told
