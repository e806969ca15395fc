"""Write the leaderboard: every record of a study, and what others have published.

Every figure is computed from the ``runs.jsonl`` of a record, those of headers in C from the
``headers.jsonl`` of ``benchmarks/bits.py``. A record is a folder, at any depth, with the files of
``tinydigits study`` or of ``benchmarks/synthetic.py``.

    python benchmarks/leaderboard.py --records records --out docs/leaderboard.md
"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import quote

from anchors import ANCHORS, Anchor  # beside this file

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.errors import InputError, exit_code
from tinydigits.files import read_bytes, write_atomically
from tinydigits.study import ledger
from tinydigits.study.comparison import comparison_of
from tinydigits.study.ledger import CONFIG, ENVIRONMENT, RUNS
from tinydigits.study.student import Summary, summarise
from tinydigits.train.config import TrainConfig
from tinydigits.train.recipes import RECIPES

BAR = 99.40  # per cent
# Options that say where, with what and on which digits a recipe trains, not how.
PLACE = {"data", "device", "precision", "engine"}
ENGINES = {"torch": "PyTorch", "c": "C"}
MISSING = "–"
HEADERS = "headers.jsonl"

PAGE = """\
# Leaderboard

This page ranks every study in [records/](../records) by its mean accuracy on MNIST's 10,000 test
digits, highest first. A command recomputes every row from a committed record; each run read the
test digits once, with its last net.

To add a row, run a study, keep its folder in `records/` and run the command:

```sh
tinydigits study --recipe fast --seeds 0-99 --out records/<date>-fast
python benchmarks/leaderboard.py
```

## Records

{accuracy}

- Every net has 13,034 parameters. Accuracies are in per cent; the interval is that of the mean.
- "≥ {bar:.2f}" is the share of runs that reach {bar:.2f} %. "Damage" is the mean accuracy under
  [fifteen kinds of damage](guide/evaluating.md).
- A dash means not measured, or too few seeds for an interval.
- If intervals overlap, the order settles nothing: seeds are compared in pairs below.
{differences}
### Recipes seed by seed

{comparisons}

Each recipe's record with the most seeds, compared with each other one's as `tinydigits compare`
does: the mean difference over the seeds that both trained, in points, with its 95 % interval and
the p of Student's test for pairs, not corrected for their number. Where the interval includes 0, no
recipe is known to be better.

### Time and hardware

{machines}

"Seconds" is the median training time of a seed, and "threads" are those of a seed.

### Accuracy against bytes

{sizes}

A header in C, compiled and run on the 10,000 test digits; "bytes" are its weights, biases and
multipliers. [The int4 header](guide/microcontrollers.md) is that of a net trained with 4-bit
weights. BitNetMCU's rows are claims of its author, of one run each, and count weights alone.

## Published results

These are the claims of their authors. None of them is reproduced here, and the protocols differ.
Accuracies are in per cent; names of the form `owner/name` are repositories on GitHub.

{anchors}
"""


@dataclass(frozen=True)
class Record:
    """What one folder holds: the figures of its runs, and how they were made."""

    folder: Path
    name: str
    """The folder's path in the records."""
    config: TrainConfig
    tested_on: str
    accuracies: dict[int, float]
    """Of each seed, in per cent."""
    damage: list[float]
    """Mean accuracy under damage of each run that measured it, in per cent."""
    seconds: list[float]
    """Of training, of each run that measured it."""
    machine: list[str]
    """Processor, cores, threads of a seed, seeds that train at once, precision, engine."""

    @property
    def mean(self) -> float:
        """Mean accuracy in per cent."""
        return statistics.mean(self.accuracies.values())

    @property
    def trained_on(self) -> str:
        """The sources of the training digits."""
        return " + ".join(self.config.data)

    @property
    def nearest_recipe(self) -> tuple[str, dict[str, Any]]:
        """The recipe that differs in the fewest options, and the record's values of those."""
        others = {
            recipe: {
                option: ours
                for option, (ours, _) in ledger.differing(self.config, theirs).items()
                if option not in PLACE
            }
            for recipe, theirs in RECIPES.items()
        }
        return min(others.items(), key=lambda item: len(item[1]))


@dataclass(frozen=True)
class Header:
    """What a folder holds of one kind of header in C."""

    record: str
    """The record's name."""
    folder: Path
    form: str
    size: int
    """Bytes of weights, biases and multipliers: of the largest, if seeds differ."""
    accuracies: list[float]
    """Of each seed, in per cent."""


def read_headers(records: Path) -> list[Header]:
    """Return every kind of header in a folder of records, the largest first.

    Raises:
        InputError: a record is damaged.
    """
    found = [each for path in records.rglob(HEADERS) for each in _headers(path, records)]
    return sorted(found, key=lambda header: (-header.size, header.record))


def _headers(path: Path, records: Path) -> Iterator[Header]:
    by_form: dict[str, dict[int, tuple[int, float]]] = {}
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        form, seed, size, accuracy = _sized(line, f"{path} line {number}")
        by_form.setdefault(form, {})[seed] = size, accuracy
    name = path.parent.relative_to(records).as_posix()
    for form, seeds in by_form.items():
        sizes, accuracies = zip(*seeds.values(), strict=True)
        yield Header(name, path.parent, form, max(sizes), list(accuracies))


def _sized(line: bytes, place: str) -> tuple[str, int, int, float]:
    """Return the form, seed, bytes and accuracy in a line of ``benchmarks/bits.py``."""
    try:
        told = json.loads(line)
        return str(told["form"]), int(told["seed"]), int(told["bytes"]), float(told["accuracy"])
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{place} is damaged: {line[:40]!r}, expected a header's figures: restore it"
        ) from error


def read_records(records: Path) -> list[Record]:
    """Return every record in a folder, highest mean first.

    Raises:
        InputError: there is no record, or one is incomplete or damaged.
    """
    folders = {path.parent for name in (CONFIG, RUNS) for path in records.rglob(name)}
    if not folders:
        raise InputError(
            f"{records} holds no study, expected folders with {CONFIG}, {ENVIRONMENT} and {RUNS}: "
            f"make one with tinydigits study --seeds 0-9 --out {records / '<date>-classic'}"
        )
    found = [_record(folder, records) for folder in folders]
    return sorted(found, key=lambda record: (-record.mean, record.name))


def page(found: Sequence[Record], headers: Sequence[Header], place: Path) -> str:
    """Return the page; its links are relative to the folder ``place``."""
    left, right = "---", "---:"
    accuracy = {
        "record": left,
        "recipe": left,
        "seeds": right,
        "mean": right,
        "95 % interval": right,
        "lowest–highest": right,
        f"≥ {BAR:.2f}": right,
        "damage": right,
    }
    comparisons = {
        "recipe": left,
        "against": left,
        "points": right,
        "95 % interval": right,
        "pairs": right,
        "p": right,
    }
    machines = {
        "record": left,
        "seconds": right,
        "processor": left,
        "cores": right,
        "threads": right,
        "seeds at once": right,
        "precision": left,
        "engine": left,
    }
    sizes = {
        "weights": left,
        "bytes": right,
        "seeds": right,
        "mean": right,
        "95 % interval": right,
        "source": left,
    }
    anchors = {"accuracy": right, "parameters": right, "protocol": left, "source": left}
    claims = sorted(ANCHORS, key=lambda anchor: -anchor.accuracy)
    return PAGE.format(
        bar=BAR,
        accuracy=_table(accuracy, (_accuracy_row(record, place) for record in found)),
        differences=_differences(found),
        comparisons=_table(comparisons, map(_comparison_row, _comparisons(found))),
        machines=_table(machines, (_machine_row(record, place) for record in found)),
        sizes=_table(sizes, _size_rows(headers, place)),
        anchors=_table(anchors, map(_anchor_row, claims)),
    )


def _record(folder: Path, records: Path) -> Record:
    for name in (CONFIG, ENVIRONMENT, RUNS):
        if not (folder / name).exists():
            raise InputError(
                f"{folder} has no {name}, expected {CONFIG}, {ENVIRONMENT} and {RUNS}: restore it, "
                f"or move the folder out of {records}"
            )
    content = read_bytes(folder / RUNS)
    if not content.endswith(b"\n"):
        found = "ends in the middle of a line" if content else "is empty"
        raise InputError(
            f"{folder / RUNS} {found}, expected whole lines: run the study's command again, or "
            f"move the folder out of {records}"
        )
    read = _synthetic if _reads_mnist_from_synthetic(folder) else _study
    return read(folder, folder.relative_to(records).as_posix(), _machine(folder / ENVIRONMENT))


def _study(folder: Path, name: str, machine: list[str]) -> Record:
    study = ledger.read(folder)
    return Record(
        folder=folder,
        name=name,
        config=study.config,
        tested_on=study.dataset,
        accuracies=study.accuracies,
        damage=[statistics.mean(run.corruptions.values()) for run in study.runs if run.corruptions],
        seconds=[run.seconds_training for run in study.runs],
        machine=machine,
    )


def _synthetic(folder: Path, name: str, machine: list[str]) -> Record:
    """Return a record of ``benchmarks/synthetic.py``, which measures neither damage nor seconds."""
    lines = read_bytes(folder / RUNS).splitlines()
    accuracies = dict(
        _reading(line, f"{folder / RUNS} line {n}") for n, line in enumerate(lines, 1)
    )
    if len(accuracies) < len(lines):
        raise InputError(f"{folder / RUNS} holds a seed twice: delete one of its lines")
    try:
        config = TrainConfig.from_dict(_json(folder / CONFIG))
    except (InputError, TypeError, ValueError) as error:
        raise InputError(
            f"{folder / CONFIG} does not hold the options of a training ({error}): restore it"
        ) from error
    return Record(folder, name, config, "mnist", accuracies, [], [], machine)


def _reading(line: bytes, place: str) -> tuple[int, float]:
    """Return the seed and the accuracy in a line of ``benchmarks/synthetic.py``."""
    try:
        run = json.loads(line)
        right = 100 * (1 - len(run["wrong_indices"]) / run["total"])
        if abs(run["accuracy"] - right) < 0.001:
            return int(run["seed"]), float(run["accuracy"])
    except (ValueError, TypeError, KeyError, ZeroDivisionError):
        pass
    raise InputError(f"{place} is damaged: {line[:40]!r}, expected a run's figures: restore it")


def _reads_mnist_from_synthetic(folder: Path) -> bool:
    config = _json(folder / CONFIG)
    return config.get("data") == "synthetic" and "dataset" not in config


def _machine(path: Path) -> list[str]:
    told = _json(path)
    try:
        device = "" if told["device"] == "cpu" else f" ({told['device']})"
        numbers = [told["cores"], told["threads"], told.get("workers", 1)]
        engine = ENGINES[told.get("engine", "torch")]  # earlier records had no choice
        precision = str(told["precision"])
        return [f"{told['processor']}{device}", *map(str, numbers), precision, engine]
    except KeyError as error:
        raise InputError(
            f"{path} has no {error}, expected processor, cores, threads, device and precision: "
            "restore it"
        ) from error


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_bytes(path))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}), expected JSON: restore it") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged, expected a JSON object: restore it")
    return content


def _accuracy_row(record: Record, place: Path) -> list[str]:
    accuracy = summarise(list(record.accuracies.values()))
    enough = 100 * sum(value >= BAR for value in record.accuracies.values()) / accuracy.n
    return [
        _link(record, place),
        _recipe(record),
        str(accuracy.n),
        f"{accuracy.mean:.2f}",
        _range(*accuracy.interval) if accuracy.interval else MISSING,
        _range(accuracy.low, accuracy.high),
        f"{round(enough, 1):g} %",
        f"{statistics.mean(record.damage):.1f}" if record.damage else MISSING,
    ]


def _machine_row(record: Record, place: Path) -> list[str]:
    seconds = f"{statistics.median(record.seconds):.0f}" if record.seconds else MISSING
    return [_link(record, place), seconds, *record.machine]


def _size_rows(headers: Iterable[Header], place: Path) -> list[list[str]]:
    """Return the rows of our headers and of others' microcontrollers, the most bytes first."""
    rows = [(header.size, _header_row(header, place)) for header in headers]
    rows += [
        (
            each.bytes,
            [each.label, f"{each.bytes:,}", "1", f"{each.accuracy:.2f}", MISSING, each.source],
        )
        for each in ANCHORS
        if each.bytes
    ]
    return [row for _, row in sorted(rows, key=lambda sized: -sized[0])]


def _header_row(header: Header, place: Path) -> list[str]:
    accuracy = summarise(header.accuracies)
    return [
        header.form,
        f"{header.size:,}",
        str(accuracy.n),
        f"{accuracy.mean:.2f}",
        _range(*accuracy.interval) if accuracy.interval else MISSING,
        _link_to(header.record, header.folder, place),
    ]


def _link(record: Record, place: Path) -> str:
    return _link_to(record.name, record.folder, place)


def _link_to(name: str, folder: Path, place: Path) -> str:
    readme = folder / "README.md"
    path = os.path.relpath(readme if readme.exists() else folder, place)
    return f"[{name}]({quote(Path(path).as_posix())})"


def _recipe(record: Record) -> str:
    recipe, options = record.nearest_recipe
    words = "other options" if options else f"`{recipe}`"
    if record.tested_on != "mnist":
        return f"{words}, not MNIST"
    return words if record.trained_on == "mnist" else f"{words}, {record.trained_on} digits"


def _differences(found: Iterable[Record]) -> str:
    """Return the list of the records with other options or digits than a recipe on MNIST."""
    lines = []
    for record in found:
        recipe, options = record.nearest_recipe
        flags = [f"--recipe {recipe}", *(_flag(*option) for option in options.items())]
        line = f"- {record.name}: `{' '.join(flags)}`"
        if record.tested_on != "mnist":
            line += f", trained and tested on {record.tested_on} digits: not an MNIST result"
        elif record.trained_on != "mnist":
            line += f", trained on {record.trained_on} digits, tested on MNIST"
        elif not options:
            continue
        lines.append(f"{line}\n")
    return f"\nRecords with other options or digits:\n\n{''.join(lines)}" if lines else ""


def _comparisons(found: Sequence[Record]) -> Iterator[tuple[str, str, Summary]]:
    """Yield pairs of recipes, the one of higher mean first, then their difference in points."""
    known = _best_known(found)
    for lower, higher in combinations(sorted(known, key=lambda name: known[name].mean), 2):
        a, b = known[lower], known[higher]
        if len(a.accuracies.keys() & b.accuracies.keys()) > 1:
            yield higher, lower, comparison_of(a.folder, b.folder).difference


def _best_known(found: Iterable[Record]) -> dict[str, Record]:
    """Return each recipe's record on MNIST with the most seeds, the latest of several."""
    known: dict[str, Record] = {}
    for record in sorted(found, key=lambda record: (len(record.accuracies), record.name)):
        recipe, options = record.nearest_recipe
        if not options and record.tested_on == record.trained_on == "mnist":
            known[recipe] = record
    return known


def _comparison_row(compared: tuple[str, str, Summary]) -> list[str]:
    higher, lower, difference = compared
    return [
        f"`{higher}`",
        f"`{lower}`",
        f"{difference.mean:+.3f}",
        _signed_range(*difference.interval) if difference.interval else MISSING,
        str(difference.n),
        MISSING if difference.p_value is None else f"{difference.p_value:.2g}",
    ]


def _flag(option: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    return " ".join([f"--{option}", *map(str, value if isinstance(value, tuple) else (value,))])


def _anchor_row(anchor: Anchor) -> list[str]:
    return [
        anchor.claim or f"{anchor.accuracy:.2f}",
        anchor.size or f"{anchor.parameters:,}",
        anchor.protocol,
        anchor.source,
    ]


def _table(columns: dict[str, str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (columns, *rows)]
    lines.insert(1, "|" + "|".join(columns.values()) + "|")
    return "\n".join(lines)


def _range(low: float, high: float) -> str:
    return f"{low:.2f}–{high:.2f}"


def _signed_range(low: float, high: float) -> str:
    return f"{low:+.3f} to {high:+.3f}"


def main() -> None:
    """Read all records and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=Path, default=ROOT / "records")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "leaderboard.md")
    options = parser.parse_args()

    records, headers = read_records(options.records), read_headers(options.records)
    text = page(records, headers, options.out.parent)
    write_atomically(options.out, text.encode())
    print(f"wrote {options.out}")


if __name__ == "__main__":
    sys.exit(exit_code(main))
