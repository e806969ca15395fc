"""Studies: their files and output, stopping, killing and resuming them, and clusters."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.processes import scheduler, started, wait_for, worker
from tinydigits import workers
from tinydigits.cli import Study, main
from tinydigits.data.dataset import Dataset, Digits
from tinydigits.errors import InputError
from tinydigits.evaluate.assessment import accuracies, damaged
from tinydigits.evaluate.corruptions import KINDS
from tinydigits.net.formats import load_net
from tinydigits.net.inference import infer
from tinydigits.study import command as study
from tinydigits.study import ledger, seed
from tinydigits.study.ledger import Run
from tinydigits.train.config import TrainConfig
from tinydigits.train.engine.choice import choose
from tinydigits.train.loop import EpochResult, State
from tinydigits.train.run import train_on
from tinydigits.workers import Pool

OPTIONS = ["--epochs", "1", "--batch-size", "64", "--val", "100"]
SYNTHETIC = ["--data", "synthetic", *OPTIONS]
CONFIG = TrainConfig(data=("synthetic",), epochs=1, batch_size=64, val=100)


@contextmanager
def threads(count: int = 1) -> Iterator[Pool]:
    """Threads of this process, in which patches apply."""
    with ThreadPoolExecutor(count) as executor:
        yield Pool(executor, count)


@contextmanager
def no_pool() -> Iterator[Pool]:
    pytest.fail("there was nothing to run")
    yield


@pytest.fixture(autouse=True)
def _few_digits(drawn: Dataset, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(seed, "load_digits", lambda *_, **__: drawn)
    for kept in (seed.dataset_of, seed._damaged_test):
        kept.cache_clear()
    yield
    for kept in (seed.dataset_of, seed._damaged_test):
        kept.cache_clear()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Runs that take no time, and a list of their seeds."""
    seeds: list[int] = []

    def run(config: TrainConfig, _: Path, damage: bool) -> Run:
        seeds.append(config.seed)
        return canned(config.seed, damage)

    monkeypatch.setattr(study, "run_seed", run)
    return seeds


def canned(seed: int, damage: bool = False) -> Run:
    wrong = list(range(2 * seed))
    kinds = {"fog": 10.0 + seed, "stripe": 50.0 + seed} if damage else None
    return Run(seed, 100 - seed, 2 * seed, wrong, 7.94 + seed, kinds)


def run_study(
    out: Path,
    seeds: list[int],
    pool: Any = None,
    config: TrainConfig = CONFIG,
    damage: bool = False,
) -> None:
    study.study(config, seeds, pool or threads(), data_dir=Path(), out=out, damage=damage)


def lines(out: Path) -> list[Any]:
    return [json.loads(line) for line in (out / "runs.jsonl").read_text().splitlines()]


def answers(out: Path) -> dict[int, list[int]]:
    return {line["seed"]: line["wrong_indices"] for line in lines(out)}


def seeds_in(out: Path) -> list[int]:
    return [line["seed"] for line in lines(out)]


def test_a_seed_gives_what_train_gives(tmp_path: Path, drawn: Dataset) -> None:
    run_study(tmp_path / "study", [4], damage=True)
    (line,) = lines(tmp_path / "study")
    config = replace(CONFIG, seed=4)
    tested = train_on(drawn, config, choose(config), out=tmp_path / "run", resume=False)
    assert line["wrong_indices"] == tested.wrong_indices
    assert (line["wrong"], line["accuracy"]) == (tested.wrong, tested.accuracy)
    net = load_net(tmp_path / "run" / "final" / "model_epoch_0.pth")
    assert line["corruptions"] == accuracies(partial(infer, net), damaged(drawn.test))
    assert list(line["corruptions"]) == list(KINDS)


def test_seconds_are_those_of_the_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epochs = [EpochResult(epoch, 0.1, 99.0, None, None, None, 1.25) for epoch in range(3)]

    def fit(state: State, *_: Any) -> Iterator[EpochResult]:
        for epoch in epochs:
            state.history.append(epoch)
            yield epoch

    monkeypatch.setattr(seed, "fit", fit)
    run_study(tmp_path, [0])
    assert lines(tmp_path)[0]["seconds_training"] == 3.75


def test_threads_side_by_side_do_not_disturb_each_other(tmp_path: Path) -> None:
    run_study(tmp_path / "one", [0, 1, 2, 3])
    run_study(tmp_path / "four", [0, 1, 2, 3], threads(4))
    assert answers(tmp_path / "four") == answers(tmp_path / "one")


@pytest.mark.usefixtures("quick")
def test_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_study(tmp_path, [0, 1, 2], damage=True)
    printed, told = capsys.readouterr()
    assert printed.splitlines() == [
        "seed 0  0 of 200 wrong  100.00 %  7.9 s  mean 100.00 % (n = 1)",
        "seed 1  2 of 200 wrong  99.00 %  8.9 s  mean 99.50 % (n = 2)",
        "seed 2  4 of 200 wrong  98.00 %  9.9 s  mean 99.00 % (n = 3)",
        "accuracy: mean 99.000 % (n = 3, 95 % interval 96.516–101.484 %), sd 1.000 points, "
        "98.00 to 100.00 %",
        "1 of 3 seeds reach 99.40 % (33.3 %)",
        "time: 8.9 s of training per seed",
        "under damage: mean 31.000 % (n = 3, 95 % interval 28.516–33.484 %), sd 1.000 points, "
        "30.00 to 32.00 %",
    ]
    assert told == "warning: SYNTHETIC digits, drawn by a program: these are not MNIST results\n"


@pytest.mark.usefixtures("quick")
def test_a_single_seed_has_no_interval(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_study(tmp_path, [1])
    assert (
        "accuracy: mean 99.000 % (n = 1, 95 % interval –), sd – points, 99.00 to 99.00 %\n"
        in capsys.readouterr().out
    )


@pytest.mark.usefixtures("quick")
def test_options_and_machine_are_described(tmp_path: Path) -> None:
    run_study(tmp_path / "study", [0, 1], threads(3), config=replace(CONFIG, data=("auto",)))
    options = json.loads((tmp_path / "study" / "config.json").read_text())
    assert (options["dataset"], options["data"]) == ("synthetic", ["synthetic"])
    assert "not MNIST" in options["warning"]
    assert options["epochs"] == 1
    assert "seed" not in options
    machine = json.loads((tmp_path / "study" / "environment.json").read_text())
    assert (machine["threads"], machine["workers"]) == (1, 3)
    # What auto meant, so that no other arithmetic is mixed in later.
    assert [options[name] for name in ("device", "precision")] == [
        machine[name] for name in ("device", "precision")
    ]
    for path in (tmp_path / "study").iterdir():
        assert str(tmp_path) not in path.read_text()
        assert str(ROOT) not in path.read_text()


@pytest.mark.usefixtures("quick")
def test_the_machine_described_is_that_of_the_start(tmp_path: Path) -> None:
    run_study(tmp_path, [0], threads(3))
    run_study(tmp_path, [0, 1], threads(2))
    assert json.loads((tmp_path / "environment.json").read_text())["workers"] == 3


def test_options_are_described_before_the_first_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(config: TrainConfig, *_: Any) -> Run:
        assert (tmp_path / "config.json").exists()
        assert (tmp_path / "environment.json").exists()
        return canned(config.seed)

    monkeypatch.setattr(study, "run_seed", run)
    run_study(tmp_path, [0])


def test_the_same_command_runs_what_is_missing(tmp_path: Path, quick: list[int]) -> None:
    run_study(tmp_path, [0, 3])
    run_study(tmp_path, [0, 1, 3, 4, 4])
    assert quick == [0, 3, 1, 4]
    assert seeds_in(tmp_path) == [0, 3, 1, 4]


@pytest.mark.usefixtures("quick")
def test_a_finished_study_is_summed_up_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_study(tmp_path, [0, 1, 2])
    summary = capsys.readouterr().out.splitlines()[3:]
    run_study(tmp_path, [0, 1], no_pool())
    assert capsys.readouterr().out.splitlines() == summary
    assert "n = 3" in summary[0]


@pytest.mark.usefixtures("quick")
def test_digits_are_not_mixed(
    tmp_path: Path, drawn: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_study(tmp_path, [0], config=replace(CONFIG, data=("auto",)))
    seed.dataset_of.cache_clear()
    monkeypatch.setattr(seed, "load_digits", lambda *_, **__: replace(drawn, name="mnist"))
    with pytest.raises(InputError, match="a study with --data synthetic, not --data mnist"):
        run_study(tmp_path, [0, 1], config=replace(CONFIG, data=("auto",)))
    assert seeds_in(tmp_path) == [0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val": 600}, "--val 600 leaves no digit to train on"),
        ({"batch_size": 501}, "--batch-size 501 exceeds the training set"),
        ({"device": "mps"}, "--device mps is not available here"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run_study(tmp_path / "study", [0], no_pool(), config=replace(CONFIG, **options))
    assert list(tmp_path.iterdir()) == []


def test_divergence_names_the_seed_and_keeps_the_others(tmp_path: Path) -> None:
    run_study(tmp_path / "study", [0])
    kept = lines(tmp_path / "study")
    wild = replace(CONFIG, lr=1e30)
    with pytest.raises(InputError, match="seed 7: training diverged in epoch 0: its loss is nan"):
        run_study(tmp_path / "wild", [7], config=wild)
    assert not (tmp_path / "wild" / "runs.jsonl").exists()
    assert lines(tmp_path / "study") == kept


def dying(config: TrainConfig, *_: Any) -> Run:
    if config.seed == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return canned(config.seed)


def test_a_worker_that_dies_leaves_what_ended(
    tmp_path: Path, quick: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(study, "run_seed", dying)
        with pytest.raises(InputError, match="a worker process died"):
            run_study(tmp_path, [0, 1, 2, 3], workers.local(1))
    assert seeds_in(tmp_path) == [0, 1]
    run_study(tmp_path, [0, 1, 2, 3])
    assert quick == [2, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "Missing from tinydigits study: --seeds"),
        ("--seeds 0-3", "--out PATH"),
        ("--seeds 3-0 --out o", "--seeds 3-0 counts down from 3 to 0: give 0-3"),
        ("--seeds 0-3 --out o --seed 7", "--seed 7 is for a single run: give a study's seeds"),
        ("--seeds 0 --out o --workers 0", "--workers is 0, but must be at least 1"),
        ("--seeds 0 --out o --workers 2 --dask tcp://h:1", "at least 1, without --dask"),
        ("--seeds 0 --out o --dask h", "--dask is h, but must be an address such as tcp://127"),
        ("--seeds 0 --out o --epochs 0", "--epochs is 0, but must be at least 1"),
        ("--seeds 0 --out file", "cannot write file: File exists"),
    ],
)
def test_wrong_options_get_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    assert main(["study", "--val", "100", *arguments.split()]) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if "SYNTHETIC" not in line]
    assert len(told) == 1
    assert message in told[0]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_wrong_seeds_are_refused_before_torch_is_imported() -> None:
    with pytest.raises(InputError, match="--seeds 3-0 counts down"):
        Study("3-0", Path("out"))


# Programs that know few digits. A spawned process runs their top level, and a Dask worker too.
FEW = """
import os, sys, threading
from dataclasses import replace
from tinydigits.data import dataset

dataset.load_dataset.__kwdefaults__["synthetic_counts"] = (600, 200)
whole = dataset._mnist

def few(folder):
    digits = whole(folder)
    return replace(digits, train=digits.train[:600], test=digits.test[:200])

dataset._mnist = few
"""
PLAIN = """
if __name__ == "__main__":
    from tinydigits.cli import main
    sys.exit(main(sys.argv[1:]))
"""
STUCK = """
import sys, threading
from tinydigits.study.ledger import Run

def run_seed(config, data_dir, damage):
    if config.seed >= 2:
        threading.Event().wait()
    return Run(config.seed, 99.0, 2, [0, 1], 1.0)

if __name__ == "__main__":
    from tinydigits import cli
    from tinydigits.study import command as study
    from tinydigits.data.dataset import load_dataset
    load_dataset.__kwdefaults__["synthetic_counts"] = (600, 200)
    study.run_seed = run_seed
    sys.exit(cli.main(sys.argv[1:]))
"""
STUCK_ON_ONE = """
def run_seed(config, data_dir, damage):
    if "STUCK" in os.environ:
        threading.Event().wait()
    from tinydigits.study.command import run_seed
    return run_seed(config, data_dir, damage)

if __name__ == "__main__":
    from tinydigits import cli
    from tinydigits.study import command as study
    study.run_seed = run_seed
    sys.exit(cli.main(sys.argv[1:]))
"""


def written(path: Path, program: str) -> str:
    path.write_text(program)
    return str(path)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_study_keeps_what_ended_and_goes_on(
    tmp_path: Path, quick: list[int], stop: signal.Signals
) -> None:
    program, out = written(tmp_path / "stuck.py", STUCK), tmp_path / "study"
    command = ["study", "--seeds", "0-5", "--out", str(out), "--workers", "2", *SYNTHETIC]
    with started(program, *command) as victim:
        wait_for("n = 2", victim.stdout)
        if stop == signal.SIGINT:
            os.killpg(victim.pid, stop)  # as a terminal does: its workers get it too
        else:
            victim.kill()
        # The pipes are open for as long as one of its processes lives.
        told = victim.communicate(timeout=60)[1].splitlines()
    if stop == signal.SIGINT:
        assert victim.returncode == 130
        assert [line for line in told if line and "SYNTHETIC" not in line] == [
            "stopped after 2 of 6 seeds; run the same command to continue"
        ]
    assert sorted(seeds_in(out)) == [0, 1]
    run_study(out, list(range(6)))
    assert quick == [2, 3, 4, 5]
    assert sorted(seeds_in(out)) == [0, 1, 2, 3, 4, 5]


def test_processes_give_what_threads_give_on_mnist(
    tmp_path: Path, real: tuple[Digits, Digits], mnist_folder: Path
) -> None:
    program, out = written(tmp_path / "few.py", FEW + PLAIN), tmp_path / "study"
    command = ["study", "--seeds", "0-1", "--out", str(out), "--workers", "2", *OPTIONS]
    data = ["--data", "mnist", "--data-dir", str(mnist_folder)]
    with started(program, *command, *data) as process:
        printed, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert told == ""
    assert len(printed.splitlines()) == 5
    assert ledger.read(out).dataset == "mnist"
    train, test = real
    seed.dataset_of.cache_clear()
    digits = Dataset("mnist", train[:600], test[:200], origin="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seed, "load_digits", lambda *_, **__: digits)
        run_study(tmp_path / "threads", [0, 1], config=replace(CONFIG, data=("mnist",)))
    assert answers(out) == answers(tmp_path / "threads")


def test_a_cluster_that_loses_a_worker_runs_every_seed_once(tmp_path: Path) -> None:
    few = written(tmp_path / "few.py", FEW)
    program, out = written(tmp_path / "stuck.py", FEW + STUCK_ON_ONE), tmp_path / "study"
    options = ["--local-directory", str(tmp_path), "--preload", few]
    with (
        scheduler() as (_, address),
        worker(address, *options, STUCK="1") as victim,
        worker(address, *options) as survivor,
    ):
        for each in (victim, survivor):
            wait_for("Registered to:", each.stderr)
        command = ["study", "--seeds", "0-3", "--out", str(out), "--dask", address, *SYNTHETIC]
        with started(program, *command) as process:
            wait_for("n = 1", process.stdout)
            victim.kill()
            told = process.communicate(timeout=120)[1]
    assert process.returncode == 0, told
    assert "Traceback" not in told
    assert sorted(seeds_in(out)) == [0, 1, 2, 3]
    assert json.loads((out / "environment.json").read_text())["workers"] == 2
    run_study(tmp_path / "threads", [0, 1, 2, 3])
    assert answers(out) == answers(tmp_path / "threads")
