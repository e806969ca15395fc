"""The command ``tinydigits evaluate``: a net's metrics on the given digits."""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tinydigits.data.dataset import Digits, mnist_part
from tinydigits.data.mnist import DISPUTED_TEST_LABELS
from tinydigits.errors import InputError, warn
from tinydigits.evaluate import mnist_c, numbers
from tinydigits.evaluate.assessment import (
    SAMPLE,
    SUSPICIOUS,
    Answers,
    Assessment,
    Change,
    Task,
    accuracies,
    changed,
    damaged,
    missing_changes,
)
from tinydigits.evaluate.corruptions import KINDS
from tinydigits.evaluate.metrics import Report, Tally, report
from tinydigits.files import read_bytes, write_atomically
from tinydigits.net.contract import CLASSES
from tinydigits.net.inference import infer, infer_onnx
from tinydigits.net.shipped import DEFAULT, ONNX
from tinydigits.net.trained import load
from tinydigits.reading import pictures
from tinydigits.reading.read_command import watched
from tinydigits.sets import folders, pairs

CSV = ".csv"


def evaluate(
    paths: tuple[Path, ...],
    *,
    data_dir: Path,
    model: str,
    as_json: bool,
    plots: Path | None,
    damage: bool,
    invert: bool,
    transpose: bool,
) -> int:
    """Print a net's metrics; return 0, or 1 if pictures had to be left out.

    ``paths`` is empty for MNIST's test digits, images and labels in files (see ``pairs.read``), one
    folder of pictures in sub-folders 0 to 9 or of kinds of damage as in MNIST-C, or one CSV file of
    pictures of whole numbers (see ``numbers.listed``), which the default nets read. ``plots`` is a
    folder for plots; ``damage`` adds the accuracy under each kind of damage. ``invert`` and
    ``transpose`` change the images in files first; a warning names those that seem to be missing.

    Raises:
        InputError: the digits or the model cannot be used, ``plots`` cannot be written, or an
            option is for other digits.
    """
    if len(paths) == 1 and paths[0].suffix.lower() == CSV and not paths[0].is_dir():
        given = {"model": model != DEFAULT, "corruptions": damage}
        given |= {"invert": invert, "transpose": transpose}
        _check_options(given, f"is for single digits, but {paths[0]} lists whole numbers")
        return _evaluate_numbers(paths[0], as_json, plots)
    told: dict[Change, bool] = {"invert": invert, "transpose": transpose}
    changes = tuple(name for name, wanted in told.items() if wanted)
    if len(paths) == 1 and mnist_c.is_set(paths[0]):
        given = {"corruptions": damage, "plots": plots is not None}
        _check_options(given, f"is for one set of digits, but {paths[0]} contains several")
        return _evaluate_kinds(paths[0], _answers(model), changes, as_json)
    answers, task = _answers(model), _task(paths, data_dir, changes)
    assessed = _assess(answers, task, damage)
    if pairs.are_pair(paths) and assessed.report.accuracy < SUSPICIOUS:
        warn(_advice(missing_changes(answers, task.digits), changes))
    print(json.dumps(_figures(assessed)) if as_json else _text(assessed))
    if plots:
        for path in _draw(assessed, plots):
            print(f"wrote {path}", file=sys.stderr)
    return 1 if assessed.task.left_out else 0


def _answers(model: str) -> Answers:
    if Path(model).suffix.lower() == ONNX:
        return partial(infer_onnx, read_bytes(Path(model)))
    return partial(infer, load(model))


def _assess(answers: Answers, task: Task, damage: bool) -> Assessment:
    tested = report(answers(task.digits.images), task.digits.labels)
    if not damage:
        return Assessment(task, tested, corruptions=None)
    kinds = tqdm(KINDS, desc="damaging", unit="kind", leave=False, disable=None)
    return Assessment(task, tested, accuracies(answers, damaged(task.digits, kinds)))


def _task(paths: tuple[Path, ...], data_dir: Path, changes: tuple[Change, ...]) -> Task:
    if pairs.are_pair(paths):
        names = ", ".join(path.name for path in paths)
        return Task(names, changed(pairs.read(paths), changes))
    if changes:
        raise InputError(f"--{changes[0]} is for files of images and labels: leave it out")
    if not paths:
        test = mnist_part("test", data_dir)
        return Task("MNIST test", test, disputed=DISPUTED_TEST_LABELS)
    if len(paths) == 1 and paths[0].is_dir():
        return _folder_task(paths[0])
    given = " ".join(str(path) for path in paths)
    raise InputError(
        f"cannot evaluate on {given}: expected nothing for MNIST's test digits, two IDX or .npy "
        "files of images and labels, one .npz file of both, one folder of pictures in sub-folders "
        "0 to 9 or of MNIST-C, or one .csv file that lists pictures of numbers"
    )


def _advice(missing: tuple[Change, ...], given: tuple[Change, ...]) -> str | None:
    if not missing:
        return None
    options = " and ".join(
        f"{'leave out' if name in given else 'add'} --{name}" for name in missing
    )
    return f"the net reads far more of these digits in another form: {options}"


def _folder_task(folder: Path) -> Task:
    labels = folders.labels_of(folder)
    found = folders.of_files(labels)
    if not len(found):
        raise InputError(
            f"no digits in {folder}: expected pictures in sub-folders named 0 to 9, such as "
            f"{folder / '7'}, or {' and '.join(mnist_c.FILES)} in a sub-folder for each kind of "
            "damage"
        )
    return Task(folder.name, found, left_out=len(labels) - len(found))


def _figures(assessed: Assessment) -> dict[str, Any]:
    tested, undisputed = assessed.report, assessed.undisputed
    figures = {
        "dataset": assessed.task.name,
        "accuracy": tested.accuracy,
        "wrong": tested.wrong,
        "total": tested.total,
        "left_out": assessed.task.left_out,
        "interval": tested.interval,
        "accuracy_undisputed": undisputed.accuracy if undisputed else None,
        "precision": tested.precision,
        "recall": tested.recall,
        "confusion": tested.confusion.tolist(),
        "nll": tested.nll,
        "ece": tested.ece,
    }
    return figures | ({"corruptions": assessed.corruptions} if assessed.corruptions else {})


def _text(assessed: Assessment) -> str:
    tested, undisputed = assessed.report, assessed.undisputed
    low, high = tested.interval
    lines = [
        f"{assessed.task.name}: {tested.wrong:,} of {tested.total:,} wrong, accuracy "
        f"{tested.accuracy:.2f} % (95 % interval {low:.2f}–{high:.2f} %)"
    ]
    if assessed.task.left_out:
        lines.append(
            f"left out: {assessed.task.left_out:,} pictures that could not be read as one digit"
        )
    if undisputed:
        lines.append(f"without the {len(assessed.task.disputed)} disputed labels: {undisputed}")
    lines += [
        f"negative log-likelihood: {tested.nll:.4f} nats",
        f"expected calibration error: {100 * tested.ece:.2f} %",
        "",
        *_class_table(tested),
    ]
    if assessed.corruptions:
        lines += ["", *_corruption_table(assessed.corruptions)]
    return "\n".join(lines)


def _class_table(tested: Report) -> list[str]:
    """Return the confusion matrix, labels down and answers across, with precision and recall."""
    header = f"{'label':12}" + "".join(f"{answer:6}" for answer in range(CLASSES))
    rows = [
        f"{label:<12}" + "".join(f"{count:6}" for count in counts) + _share(recall, 11, 2)
        for label, (counts, recall) in enumerate(
            zip(tested.confusion.tolist(), tested.recall, strict=True)
        )
    ]
    precision = "precision, %" + "".join(_share(share, 6, 1) for share in tested.precision)
    return [header + "  recall, %", *rows, precision]


def _share(share: float | None, width: int, decimals: int) -> str:
    return f"{'–':>{width}}" if share is None else f"{share:{width}.{decimals}f}"


def _corruption_table(accuracies: dict[str, float]) -> list[str]:
    rows = [f"{kind:14} {accuracy:6.2f} %" for kind, accuracy in accuracies.items()]
    mean = sum(accuracies.values()) / len(accuracies)
    return ["damage         accuracy", *rows, f"{'mean':14} {mean:6.2f} %"]


def _draw(assessed: Assessment, folder: Path) -> list[Path]:
    from tinydigits.evaluate import plots  # matplotlib is slow to import and needed only here

    name = assessed.task.name
    contents = {
        "confusion.png": plots.confusion(assessed.report, name),
        "mistakes.png": plots.mistakes(assessed.report, assessed.task.digits.images, name),
        "reliability.png": plots.reliability(assessed.report, name),
    }
    if assessed.corruptions:
        contents["corruptions.png"] = plots.corruptions(
            assessed.corruptions, assessed.report.accuracy, name
        )
    for file, content in contents.items():
        write_atomically(folder / file, content)
    return [folder / file for file in contents]


def _check_options(options: dict[str, bool], reason: str) -> None:
    """Raise an error if an option is given that has no meaning here."""
    for name, is_given in options.items():
        if is_given:
            raise InputError(f"--{name} {reason}: leave it out")


def _evaluate_kinds(
    folder: Path, answers: Answers, changes: tuple[Change, ...], as_json: bool
) -> int:
    """Print the accuracy on each kind of damage in a folder; return 1 if a kind is left out.

    A kind that cannot be read gets a line on standard error.
    """
    kinds = mnist_c.kinds_in(folder)
    tallies: dict[str, Tally] = {}
    samples: list[Digits] = []
    for name, found in _read_kinds(kinds, changes):
        read = report(answers(found.images), found.labels)
        tallies[name] = Tally(read.total - read.wrong, read.total)
        samples.append(found[: math.ceil(SAMPLE / len(kinds))])
    if not tallies:
        raise InputError(f"no kind of damage is left of the {len(kinds)} in {folder}: correct them")
    tested = mnist_c.Assessment(folder.absolute().name, tallies, len(kinds) - len(tallies))
    if tested.total.accuracy < SUSPICIOUS:
        # One kind of damage may look like another form, but all together do not.
        warn(_advice(missing_changes(answers, reduce(add, samples)), changes))
    print(json.dumps(mnist_c.figures(tested)) if as_json else mnist_c.table(tested))
    return 1 if tested.left_out else 0


def _read_kinds(kinds: Sequence[Path], changes: tuple[Change, ...]) -> Iterator[tuple[str, Digits]]:
    """Yield each kind's name and digits; one that cannot be read gets a line and is skipped."""
    for kind in tqdm(kinds, desc="reading", unit="kind", leave=False, disable=None):
        try:
            yield kind.name, changed(mnist_c.read(kind), changes)
        except InputError as error:  # noqa: PERF203 - each kind fails on its own
            tqdm.write(f"error: {error}; this kind is left out", file=sys.stderr)


def _evaluate_numbers(path: Path, as_json: bool, plots: Path | None) -> int:
    """Print how many of the numbers that a CSV file lists are read; return 1 if a row is left out.

    A row that cannot be used gets a line on standard error.
    """
    rows = numbers.listed(path)
    for fault in rows.faults:
        print(f"error: {path}, {fault}", file=sys.stderr)
    answers = list(_read_numbers(path, rows.pictures))
    if not answers:
        raise InputError(f"no picture is left of the {rows.total} in {path}: correct its rows")
    tested = numbers.Assessment(path.name, tuple(answers), rows.total - len(answers))
    print(json.dumps(numbers.figures(tested)) if as_json else numbers.table(tested))
    if plots:
        print(f"wrote {_draw_mistakes(tested, plots)} mistakes to {plots}", file=sys.stderr)
    return 1 if tested.left_out else 0


def _read_numbers(path: Path, listed: Sequence[numbers.Labelled]) -> Iterator[numbers.Answer]:
    """Yield what is read in each picture; one that cannot be read gets a line and is skipped."""
    with watched([each.path for each in listed]) as told:
        for picture, page in zip(listed, told, strict=True):
            if isinstance(page, str):
                place = f"{path}, row {picture.row}: {picture.file}"
                tqdm.write(f"error: {place}: {page}", file=sys.stderr)
            else:
                yield numbers.Answer(picture, page)


def _draw_mistakes(tested: numbers.Assessment, folder: Path) -> int:
    """Write a picture of each mistake, named after its row, and return how many there are."""
    wrong = [each for each in tested.answers if not each.is_right]
    for each in wrong:
        name = pictures.numbered(folder, each.picture.file, each.picture.row)
        write_atomically(name, pictures.png(numbers.mistake(each)))
    return len(wrong)
