"""The leaderboard is what its command makes of the records, and its figures are theirs."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from scipy import stats

from tests.conftest import ROOT

PROGRAM = str(ROOT / "benchmarks" / "leaderboard.py")
RECORDS = ROOT / "records"
PAGE = (ROOT / "docs" / "leaderboard.md").read_text()
STUDIES = sorted(path.parent.relative_to(RECORDS) for path in RECORDS.rglob("runs.jsonl"))


class Leaderboard(Protocol):
    """Run the program in this process and return its exit code, output and errors."""

    def __call__(self, records: Path, out: Path) -> tuple[int, str, str]: ...


@pytest.fixture
def leaderboard(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Leaderboard:
    def run(records: Path, out: Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [PROGRAM, "--records", str(records), "--out", str(out)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(PROGRAM, run_name="__main__")
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return run


@pytest.fixture
def written(leaderboard: Leaderboard, copied: Path) -> Callable[[], str]:
    """Write and read the page of the copied records, as they are by then."""

    def page() -> str:
        out = copied.parent / "docs" / "leaderboard.md"
        assert leaderboard(copied, out) == (0, f"wrote {out}\n", "")
        return out.read_text()

    return page


def tables(page: str) -> list[list[dict[str, str]]]:
    """The rows of the page's tables, each by its column's header."""
    found = []
    for block in re.findall(r"(?:^\|.*\|\n)+", page, re.MULTILINE):
        header, _, *rows = [line.strip("|").split("|") for line in block.splitlines()]
        names = [cell.strip() for cell in header]
        found.append([dict(zip(names, map(str.strip, row), strict=True)) for row in rows])
    return found


def linked(row: dict[str, str]) -> Path:
    """The folder that a row links to, below the records."""
    target = re.fullmatch(r"\[.+\]\((.+)\)", row["record"])
    assert target is not None
    return Path(target[1].removesuffix("/README.md")).relative_to("../records")


def row_of(record: str | Path, page: str = PAGE) -> dict[str, str]:
    """Both rows of a record as one."""
    accuracy, _, machine, *_ = tables(page)
    (first,) = (row for row in accuracy if linked(row) == Path(record))
    (second,) = (row for row in machine if linked(row) == Path(record))
    return first | second


def rewrite(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of all records."""
    return shutil.copytree(RECORDS, tmp_path / "records", ignore=shutil.ignore_patterns("*.png"))


def test_the_committed_page_is_what_the_command_writes(copied: Path) -> None:
    out = copied.parent / "docs" / "leaderboard.md"
    command = [sys.executable, PROGRAM, "--records", str(copied), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert out.read_text() == PAGE


def test_every_study_is_listed_once_in_both_tables_highest_mean_first() -> None:
    assert len(STUDIES) >= 8
    accuracy, _, machine, *_ = tables(PAGE)
    order = [linked(row) for row in accuracy]
    assert sorted(order) == STUDIES
    assert [linked(row) for row in machine] == order
    means = [float(row["mean"]) for row in accuracy]
    assert means == sorted(means, reverse=True)


def test_links_lead_to_files_of_the_clone() -> None:
    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert len(links) > 16
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


@pytest.mark.parametrize("study", STUDIES, ids=str)
def test_figures_are_those_of_the_record(study: Path) -> None:
    folder, row = RECORDS / study, row_of(study)
    runs = [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]
    accuracies = np.array([100 - len(run["wrong_indices"]) / 100 for run in runs])
    error = np.std(accuracies, ddof=1) / np.sqrt(len(runs))
    low, high = stats.t.interval(0.95, len(runs) - 1, np.mean(accuracies), error)
    assert row["seeds"] == str(len(runs))
    assert row["mean"] == f"{np.mean(accuracies):.2f}"
    assert row["95 % interval"] == f"{low:.2f}–{high:.2f}"
    assert row["lowest–highest"] == f"{accuracies.min():.2f}–{accuracies.max():.2f}"
    assert row["≥ 99.40"] == f"{100 * np.mean(accuracies > 99.395):.0f} %"

    damage = [list(run["corruptions"].values()) for run in runs if "corruptions" in run]
    assert row["damage"] == (f"{np.mean(damage):.1f}" if damage else "–")
    seconds = [run["seconds_training"] for run in runs if "seconds_training" in run]
    assert row["seconds"] == (f"{np.median(seconds):.0f}" if seconds else "–")

    told = json.loads((folder / "environment.json").read_text())
    assert row["processor"] == told["processor"]
    assert row["cores"] == str(told["cores"])
    assert row["threads"] == str(told["threads"])
    assert row["seeds at once"] == str(told.get("workers", 1))
    assert row["precision"] == told["precision"]
    assert row["engine"] == {"torch": "PyTorch", "c": "C"}[told.get("engine", "torch")]


def test_a_record_is_called_a_recipe_only_if_its_options_are() -> None:
    recipes = {str(study): row_of(study)["recipe"] for study in STUDIES}
    assert recipes == {
        "2026-11-23-best": "`best`",
        "2026-11-23-best/fresh": "`best`",
        "2026-11-23-classic": "`classic`",
        "2026-11-23-fast": "`fast`",
        "2026-11-23-fast/fresh": "`fast`",
        "2026-11-23-fast/longer": "other options",
        "2026-11-23-robust": "other options",
        "2026-11-23-synthetic": "other options, synthetic digits",
        "2026-11-26-best": "`best`",
        "2026-11-26-best/fresh": "`best`",
        "2026-11-26-classic": "`classic`",
        "2026-11-26-fast": "`fast`",
        "2026-11-26-fast/fresh": "`fast`",
        "2026-11-26-people": "`people`",
        "2026-11-26-robust": "other options",
        "2026-11-26-synthetic": "`people`, synthetic digits",
        "2026-11-27-damage": "other options",
        "2026-11-27-four-bits": "other options",
        "2026-11-27-four-bits/float": "`best`",
    }
    told = "`--recipe best --epochs 60 --weight-bits 4`"
    assert f"- 2026-11-27-four-bits: {told}\n" in PAGE
    assert "- 2026-11-23-fast/longer: `--recipe fast --shares 0.42 0.08`\n" in PAGE
    told = "`--recipe classic --val 0`, trained on synthetic digits, tested on MNIST"
    assert f"- 2026-11-23-synthetic: {told}\n" in PAGE


def paired(higher: str, lower: str) -> list[str]:
    """The cells for two records, from SciPy's paired test."""
    runs = [
        {run["seed"]: run["wrong"] for run in map(json.loads, lines.splitlines())}
        for lines in ((RECORDS / name / "runs.jsonl").read_text() for name in (higher, lower))
    ]
    seeds = sorted(runs[0].keys() & runs[1].keys())
    fewer = [(runs[1][seed] - runs[0][seed]) / 100 for seed in seeds]
    test = stats.ttest_1samp(fewer, 0)
    low, high = test.confidence_interval()
    interval = f"{low:+.3f} to {high:+.3f}"
    return [f"{np.mean(fewer):+.3f}", interval, str(len(seeds)), f"{test.pvalue:.2g}"]


def test_every_two_recipes_are_compared_in_pairs_of_seeds() -> None:
    rows = {(row["recipe"], row["against"]): list(row.values())[2:] for row in tables(PAGE)[1]}
    best, people, classic, fast = (
        f"2026-11-26-{recipe}" for recipe in ("best", "people", "classic", "fast")
    )
    assert rows == {
        ("`classic`", "`fast`"): paired(classic, fast),
        ("`people`", "`fast`"): paired(people, fast),
        ("`best`", "`fast`"): paired(best, fast),
        ("`people`", "`classic`"): paired(people, classic),
        ("`best`", "`classic`"): paired(best, classic),
        ("`best`", "`people`"): paired(best, people),
    }


def test_a_recipe_without_common_seeds_is_not_compared(
    copied: Path, written: Callable[[], str]
) -> None:
    runs = copied / "2026-11-26-people" / "runs.jsonl"
    found = [json.loads(line) for line in runs.read_text().splitlines()]
    others = [run | {"seed": run["seed"] + 1000} for run in found]
    runs.write_text("".join(f"{json.dumps(run)}\n" for run in others))
    rows = tables(written())[1]
    assert len(rows) == 3
    assert not [row for row in rows if "`people`" in row.values()]


def test_headers_are_ranked_by_their_bytes_beside_those_of_others() -> None:
    rows = tables(PAGE)[3]
    expected = []
    for folder, form, size in (
        ("float", "float32", 4 * 12_712 + 4 * 114),
        ("float", "int8", 12_832 + 8 * 114),
        (".", "int4", 12_832 // 2 + 4 * 114),
    ):
        lines = (RECORDS / "2026-11-27-four-bits" / folder / "headers.jsonl").read_text()
        told = [line for line in map(json.loads, lines.splitlines()) if line["form"] == form]
        accuracies = [100 - len(line["wrong_indices"]) / 100 for line in told]
        low, high = stats.t.interval(0.95, 2, np.mean(accuracies), stats.sem(accuracies))
        interval = f"{low:.2f}–{high:.2f}"
        expected.append([form, f"{size:,}", "3", f"{np.mean(accuracies):.2f}", interval])
    expected.insert(2, ["BitNetMCU", "13,357", "1", "99.58", "–"])
    expected.append(["BitNetMCU, small", "5,360", "1", "99.06", "–"])
    assert [list(row.values())[:5] for row in rows] == expected


def test_damaged_headers_are_refused(copied: Path, leaderboard: Leaderboard) -> None:
    path = copied / "2026-11-27-four-bits" / "headers.jsonl"
    path.write_text('{"form": "int4", "seed": 0}\n')
    out = copied.parent / "page.md"
    code, _, errors = leaderboard(copied, out)
    assert (code, out.exists()) == (2, False)
    assert errors.startswith(f"error: {path} line 1 is damaged: ")


def test_a_new_record_appears(copied: Path, written: Callable[[], str]) -> None:
    new = copied / "2027-01-02-mine" / "three seeds"
    shutil.copytree(copied / "2026-11-23-classic", new)
    (new / "README.md").unlink()
    rewrite(new / "config.json", muon_lr=0.03, device="cuda", precision="fp32")
    rewrite(new / "environment.json", processor="NVIDIA A2", device="cuda", workers=1, engine="c")
    lines = [
        {"seed": seed, "accuracy": accuracy, "wrong": 1, "wrong_indices": [7], **measured}
        for seed, (accuracy, measured) in enumerate(
            [
                (99.9, {"seconds_training": 9, "corruptions": {"fog": 50, "shear": 90}}),
                (99.8, {"seconds_training": 5, "corruptions": {"fog": 70, "shear": 91}}),
                (99.3, {"seconds_training": 70, "corruptions": {"fog": 60, "shear": 93}}),
            ]
        )
    ]
    (new / "runs.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    page = written()
    (row,) = (row for row in tables(page)[0] if "mine" in row["record"])
    assert tables(page)[0][0] == row
    assert list(row.values()) == [
        "[2027-01-02-mine/three seeds](../records/2027-01-02-mine/three%20seeds)",
        "other options",
        "3",
        "99.67",
        "98.87–100.47",
        "99.30–99.90",
        "66.7 %",
        "75.7",
    ]
    assert list(tables(page)[2][0].values())[1:] == [
        *("9", "NVIDIA A2 (cuda)", "2", "1", "1", "bf16", "C"),
    ]
    assert "- 2027-01-02-mine/three seeds: `--recipe classic --muon-lr 0.03`\n" in page


def test_one_seed_has_no_interval(copied: Path, written: Callable[[], str]) -> None:
    runs = copied / "2026-11-23-best" / "fresh" / "runs.jsonl"
    runs.write_text(runs.read_text().splitlines(keepends=True)[0])
    row = row_of("2026-11-23-best/fresh", written())
    assert (row["seeds"], row["95 % interval"]) == ("1", "–")


def test_a_study_that_is_not_of_mnist_says_so(copied: Path, written: Callable[[], str]) -> None:
    config = copied / "2026-11-23-best" / "config.json"
    rewrite(config, dataset="synthetic", data="synthetic", warning="SYNTHETIC digits")
    page = written()
    assert row_of("2026-11-23-best", page)["recipe"] == "`best`, not MNIST"
    told = "`--recipe best`, trained and tested on synthetic digits: not an MNIST result"
    assert f"- 2026-11-23-best: {told}\n" in page


def half_written(folder: Path) -> None:
    path = folder / "runs.jsonl"
    path.write_bytes(path.read_bytes()[:-30])


def damaged_line(folder: Path) -> None:
    path = folder / "runs.jsonl"
    path.write_text(path.read_text().replace('"wrong_indices": [', '"wrong_indices": [9999, ', 1))


def no_json(folder: Path) -> None:
    (folder / "runs.jsonl").write_bytes(b"\x80\n")


def same_seed(folder: Path) -> None:
    path = folder / "runs.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines(keepends=True)[0])


def empty(folder: Path) -> None:
    (folder / "runs.jsonl").write_bytes(b"")


def no_runs(folder: Path) -> None:
    (folder / "runs.jsonl").unlink()


def no_machine(folder: Path) -> None:
    (folder / "environment.json").unlink()


def damaged_machine(folder: Path) -> None:
    (folder / "environment.json").write_text('{"processor": "AMD')


def poor_machine(folder: Path) -> None:
    (folder / "environment.json").write_text('{"processor": "AMD EPYC", "device": "cpu"}')


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def damaged_config(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


def unknown_option(folder: Path) -> None:
    rewrite(folder / "config.json", depth=3)


@pytest.mark.parametrize("record", ["2026-11-23-fast/fresh", "2026-11-23-synthetic"])
@pytest.mark.parametrize(
    ("harm", "file", "message"),
    [
        (half_written, "runs.jsonl", "ends in the middle of a line"),
        (damaged_line, "runs.jsonl line 1", "is damaged"),
        (no_json, "runs.jsonl line 1", "is damaged"),
        (same_seed, "runs.jsonl", "twice"),
        (empty, "runs.jsonl", "is empty"),
        (no_runs, "", "has no runs.jsonl"),
        (no_machine, "", "has no environment.json"),
        (damaged_machine, "environment.json", "is damaged"),
        (poor_machine, "environment.json", "has no 'cores'"),
        (no_config, "", "has no config.json"),
        (damaged_config, "config.json", "is damaged"),
        (unknown_option, "config.json", "unknown option depth"),
    ],
)
def test_a_damaged_record_is_refused_in_one_line_and_nothing_is_written(
    leaderboard: Leaderboard,
    copied: Path,
    record: str,
    harm: Callable[[Path], None],
    file: str,
    message: str,
) -> None:
    harm(copied / record)
    out = copied.parent / "leaderboard.md"
    out.write_text("the page before")
    code, printed, error = leaderboard(copied, out)
    assert (code, printed) == (2, "")
    assert error.startswith(f"error: {copied / record / file} ")
    assert message in error
    assert error.count("\n") == 1
    assert out.read_text() == "the page before"
    assert sorted(os.listdir(copied.parent)) == ["leaderboard.md", "records"]


def test_a_folder_without_records_is_refused(leaderboard: Leaderboard, tmp_path: Path) -> None:
    code, _, error = leaderboard(tmp_path / "records", tmp_path / "leaderboard.md")
    assert code == 2
    assert error.startswith(f"error: {tmp_path / 'records'} holds no study, ")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_published_results_are_marked_as_claims_of_others() -> None:
    section = PAGE.partition("## Published results\n")[2]
    assert "None of them is reproduced here" in unwrapped(section)
    *_, claims = tables(PAGE)
    assert len(claims) == 9
    assert all(all(cells.values()) for cells in claims)
    accuracies = [float(row["accuracy"][:5]) for row in claims]
    assert accuracies == sorted(accuracies, reverse=True)


def test_the_pictures_draw_the_same_claims() -> None:
    # The list is beside the programs that read it, which are no package.
    code = (
        "import anchors, figures, leaderboard; "
        "assert figures.ANCHORS is leaderboard.ANCHORS is anchors.ANCHORS"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "benchmarks", check=True)


def unwrapped(text: str) -> str:
    return " ".join(text.split())
