"""Kill training, studies and exports, and print what is found afterwards.

    python -m tests.crashes train|study|export FOLDER COUNT
    python -m tests.crashes twice FOLDER

A separate program because it forks: all children share one import of PyTorch and matplotlib, so
each kill takes a fraction of a second. COUNT trials get SIGKILL at a random moment within the
duration of an undisturbed run; others of a training when it prints a certain line. Then the files
are checked, and it is run again and compared with the undisturbed run. With "twice", a training is
started in the folder of another that stands still.
"""

import contextlib
import io
import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from matplotlib.figure import Figure
from PIL import Image

from tinydigits.data.dataset import load_dataset
from tinydigits.errors import exit_code
from tinydigits.evaluate.plots import png
from tinydigits.export import command
from tinydigits.net.shipped import WEIGHTS
from tinydigits.study import seed
from tinydigits.study.command import study
from tinydigits.train import run
from tinydigits.train.checkpoint import LAST
from tinydigits.train.config import TrainConfig
from tinydigits.train.hardware import Compute
from tinydigits.workers import Pool

CPU = Compute(torch.device("cpu"), torch.float32)
CONFIG = TrainConfig(epochs=4, batch_size=64, val=100, data=("synthetic",), device="cpu")
SEEDS = range(6)
# Lines of a training at which it is killed, and how many epochs it has saved by then.
LINES = {"net: ": 0, "epoch  1": 2, "test: ": 4}
NETS = [(WEIGHTS / f"{name}.onnx").read_bytes() for name in ("best", "people")]
DIGITS = load_dataset("synthetic", Path(), synthetic_counts=(292, 60))


def train(out: Path) -> None:
    """Train, or resume if there is a saved state."""
    run.train_on(DIGITS, CONFIG, CPU, out=out, resume=(out / LAST).exists())


@contextmanager
def pool() -> Iterator[Pool]:
    """One thread, since processes take seconds to start."""
    with ThreadPoolExecutor(1) as executor:
        yield Pool(executor, 1)


def study_seeds(out: Path) -> None:
    """Run a study, or the missing part of it."""
    with mock.patch.object(seed, "load_digits", return_value=DIGITS):
        one = TrainConfig(epochs=1, batch_size=64, val=100, data=("synthetic",), device="cpu")
        study(one, SEEDS, pool(), data_dir=Path(), out=out, damage=False)


def export(out: Path) -> None:
    """Export two nets to one name in turn: at most kills the file exists."""
    with mock.patch.object(command, "load_dataset", return_value=DIGITS):
        for model in 4 * ["best", "people"]:
            command.to_onnx(model, out / "net.onnx", integers=False, data_dir=Path())


TASKS: dict[str, Callable[[Path], None]] = {
    "train": train,
    "study": study_seeds,
    "export": export,
}


class Output(io.StringIO):
    """What a process prints: it gets a signal when it begins to print a certain line."""

    def __init__(self, line: str, sent: signal.Signals) -> None:
        super().__init__()
        self.line = line
        self.sent = sent

    def write(self, text: str) -> int:
        if text.startswith(self.line):
            os.kill(os.getpid(), self.sent)
        return super().write(text)


def child(
    task: Callable[[Path], None],
    out: Path,
    printed: io.StringIO | None = None,
    errors: Path | None = None,
) -> int:
    """Start the task in a process of its own, and return its id.

    It reports errors to the file ``errors``, or where this program does.
    """
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        torch.set_num_threads(1)
        with (
            contextlib.redirect_stdout(printed or io.StringIO()),
            contextlib.redirect_stderr(errors.open("w") if errors else sys.stderr),
        ):
            code = exit_code(lambda: task(out))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(process: int) -> int:
    """Wait for a child to end and return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def killed(process: int, after: float) -> bool:
    """Kill a child after some seconds; return whether it was still running."""
    threading.Event().wait(after)  # the moment is part of the trial
    os.kill(process, signal.SIGKILL)
    return ended(process) == -signal.SIGKILL


def half_files(folder: Path) -> list[str]:
    """Return the incomplete files, except those named as unfinished."""
    return [path.name for path in folder.rglob("*") if path.is_file() and not _is_whole(path)]


def _is_whole(path: Path) -> bool:
    try:
        match path.suffix:
            case ".pth":
                torch.load(path)
            case ".json":
                json.loads(path.read_text())
            case ".png":
                Image.open(path).load()
            case ".onnx":
                return path.read_bytes() in NETS
    except Exception:
        return False
    return True


def outcome(name: str, out: Path) -> Any:
    """Return the results that two equal runs share."""
    if name == "train":
        content = torch.load(out / "final" / "model_epoch_3.pth")["model_state_dict"]
        lines = (out / "metrics.jsonl").read_text().splitlines()
        losses = [json.loads(line)["train_loss"] for line in lines]
        return {key: value.tolist() for key, value in content.items()}, losses
    if name == "study":
        runs = map(json.loads, (out / "runs.jsonl").read_text().splitlines())
        return sorted((each["seed"], each["wrong_indices"]) for each in runs)
    return (out / "net.onnx").read_bytes()


def trials(name: str, folder: Path, count: int) -> list[dict[str, Any]]:
    """Return the result of each trial."""
    task = TASKS[name]
    began = time.perf_counter()
    assert ended(child(task, folder / "undisturbed")) == 0
    took = time.perf_counter() - began
    expected = outcome(name, folder / "undisturbed")
    rng = random.Random(name)
    found = list[dict[str, Any]]()

    def look(out: Path, moment: str | None) -> None:
        half = half_files(out)
        saved = len(torch.load(out / LAST)["history"]) if moment else None
        code = ended(child(task, out))
        left = [path.name for path in out.rglob(".*.part")] if name != "export" else []
        equal = code == 0 and outcome(name, out) == expected
        found.append(
            {
                "moment": moment,
                "saved": saved,
                "half": half,
                "code": code,
                "equal": equal,
                "left": left,
            }
        )

    for line in LINES if name == "train" else ():
        out = folder / line.strip(": ")
        assert ended(child(task, out, Output(line, signal.SIGKILL))) == -signal.SIGKILL
        look(out, line)
    hits = 0
    while hits < count:
        out = folder / str(len(found))
        if killed(child(task, out), rng.uniform(0, took)):
            hits += 1
        else:  # the machine has become faster since: this trial does not count
            took /= 2
        look(out, None)
    return found


def twice(folder: Path) -> dict[str, Any]:
    """Train in the folder of a training that stands still, and again once that is killed."""
    out, errors = folder / "out", folder / "errors"
    first = child(train, out, Output("net: ", signal.SIGSTOP))
    assert os.WIFSTOPPED(os.waitpid(first, os.WUNTRACED)[1])
    second = ended(child(train, out, errors=errors))
    kept = not list(out.glob("previous-*"))
    os.kill(first, signal.SIGKILL)
    ended(first)
    third = ended(child(train, out))
    return {
        "second": second,
        "told": errors.read_text(),
        "kept": kept,
        "third": third,
        "final": (out / "final" / "model_epoch_3.pth").exists(),
    }


def main() -> None:
    """Print what was found, as one line of JSON."""
    png(Figure())  # loads fonts and more, once for all children
    name, folder = sys.argv[1], Path(sys.argv[2])
    found = twice(folder) if name == "twice" else trials(name, folder, int(sys.argv[3]))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
