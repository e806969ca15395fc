"""Two processes that train one net: the same batches, the same numbers, one of them killed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import distributed, nn

from tests.conftest import ROOT
from tinydigits.errors import InputError
from tinydigits.train.config import TrainConfig
from tinydigits.train.distributed import ALONE, SynchronisedBatchNorm, World
from tinydigits.train.hardware import Compute
from tinydigits.train.loop import start

# Writes what each process sees of two epochs on drawn digits, without anything random in a step.
# All trainings follow each other in the same processes, which take seconds to start: those named,
# by both, then "alone", by one process that torchrun started without another.
WATCHED = """
import json, os, sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
import torch
from tinydigits.train import distributed, loop as training
from tinydigits.train.batches import split
from tinydigits.train.augment import NONE
from tinydigits.train.config import TrainConfig
from tinydigits.data.dataset import load_dataset
from tinydigits.train.engine.choice import choose
from tinydigits.train.hardware import Compute

torch.set_num_threads(1)
# For channels last, PyTorch's own batch norm on the CPU is off by more than is compared here.
Compute.memory_format = torch.contiguous_format
digits = load_dataset("synthetic", Path(), synthetic_counts=(600, 1))
steps, share = training._steps, distributed.World.share

def watch(name, world):
    config = TrainConfig(
        epochs=2, batch_size=64, val=101, dropout=0.0, augmentation=NONE,
        local_statistics=name in ("local", "engine"), engine="c" if name == "engine" else "torch",
        device="cpu", precision="fp32",
    )
    losses, shares = [], []

    @contextmanager
    def watched_steps(*arguments):
        with steps(*arguments) as take_step:
            def watched_step(*arguments):
                mine, hits = take_step(*arguments)
                sums = world.sum(torch.stack([mine.sum(), torch.tensor(float(len(mine)))]))
                losses.append((sums[0] / sums[1]).item())
                return mine, hits
            yield watched_step

    def watched_share(self, items):
        mine = share(self, items)
        if mine.dtype == torch.int64:
            shares.append(mine.tolist())
        return mine

    training._steps, distributed.World.share = watched_steps, watched_share
    parts = split(digits, config)
    state = training.start(config, len(parts.train), choose(config, world), world=world)
    history = [asdict(result) for result in training.fit(state, parts, config, world=world)]
    folder = Path(sys.argv[1], name)
    folder.mkdir(exist_ok=True)
    seen = {"losses": losses, "shares": shares, "history": history}
    (folder / f"{world.rank}.json").write_text(json.dumps(seen))
    torch.save(state.net.state_dict(), folder / f"{world.rank}.pth")

with distributed.join() as world:
    for name in sys.argv[2:]:
        watch(name, world)
if world.is_first:
    os.environ["WORLD_SIZE"] = "1"
    with distributed.join() as world:
        watch("alone", world)
"""

# Trains as the command does, on few digits; with "die" the second process is killed half-way, once.
TRAIN = """
import os, signal, sys
from pathlib import Path
import torch
from tinydigits.train import distributed, run
from tinydigits.train.config import TrainConfig
from tinydigits.data.dataset import load_dataset
from tinydigits.train.loop import fit

def dying(*arguments, **options):
    for result in fit(*arguments, **options):
        if os.environ["RANK"] == "1" and result.epoch == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        yield result

if sys.argv[2:] == ["die"] and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
    run.fit = dying
run.load_digits = lambda *_, **__: load_dataset("synthetic", Path(), synthetic_counts=(600, 200))
config = TrainConfig(epochs=4, batch_size=64, val=100, data=("synthetic",), device="cpu")
folder = Path(sys.argv[1])
"""
TRAIN_ONCE = f"""{TRAIN}
run.train(config, data_dir=Path(), out=folder / "out", resume=False)
"""

# Three commands, one after the other in the same processes, which take seconds to start: a dry
# run, a run, and a dry run that is refused.
THREE_COMMANDS = f"""{TRAIN}
from contextlib import nullcontext
from dataclasses import replace
from tinydigits.errors import exit_code

def commands():
    with distributed.join() as world:
        distributed.join = lambda: nullcontext(world)
        run.try_out(config, data_dir=Path(), out=folder / "tried")
        if world.is_first:
            print("left:", *[path.name for path in folder.iterdir()])
        run.train(config, data_dir=Path(), out=folder / "out", resume=False)
        run.try_out(replace(config, batch_size=1), data_dir=Path(), out=folder / "refused")

sys.exit(exit_code(commands))
"""


def torchrun(processes: int, program: str, *arguments: str, options: tuple[str, ...] = ()) -> str:
    """Run a program in several processes and return what they printed."""
    ran = launched(processes, program, *arguments, options=options)
    assert ran.returncode == 0, ran.stderr
    assert "Warning" not in ran.stderr
    return ran.stdout


def launched(
    processes: int, program: str, *arguments: str, options: tuple[str, ...] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run a program in several processes."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run(
        [sys.executable, *launcher, *options, program, *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def program(folder: Path, source: str) -> str:
    path = folder / "program.py"
    path.write_text(source)
    return str(path)


Seen = list[dict[str, Any]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder with the results of each training, by one process or by two."""
    folder, names = tmp_path_factory.mktemp("trained"), ["together", "local"]
    with suppress(pytest.skip.Exception):
        request.getfixturevalue("compiler")
        names.append("engine")
    torchrun(2, program(folder, WATCHED), str(folder), *names)
    return folder


@pytest.fixture
def one_and_two(trained: Path) -> tuple[Path, Path]:
    """The results of one process and of two for the same training."""
    return trained / "alone", trained / "together"


def seen(folder: Path) -> Seen:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def test_two_processes_follow_the_losses_of_one(one_and_two: tuple[Path, Path]) -> None:
    (one,), two = map(seen, one_and_two)
    assert len(two) == 2
    assert len(one["losses"]) == len(two[0]["losses"]) == 16
    assert two[0]["losses"] == two[1]["losses"]
    assert one["losses"][:4] == pytest.approx(two[0]["losses"][:4], abs=1e-4)
    # Later Adam makes steps of what is rounding in gradients of zero; the training stays the same.
    assert one["losses"] == pytest.approx(two[0]["losses"], abs=0.05)


def test_processes_share_each_batch_without_overlap_or_loss(
    one_and_two: tuple[Path, Path],
) -> None:
    (one,), (first, second) = map(seen, one_and_two)
    batches = [sorted(a + b) for a, b in zip(first["shares"], second["shares"], strict=True)]
    assert batches == [sorted(batch) for batch in one["shares"]]
    for epoch in (batches[:8], batches[8:]):
        assert sorted(index for batch in epoch for index in batch) == list(range(499))
    lengths = [(len(a), len(b)) for a, b in zip(first["shares"], second["shares"], strict=True)]
    assert lengths == 2 * [*7 * [(32, 32)], (26, 25)]


def test_processes_end_with_the_same_net_and_the_same_figures(
    one_and_two: tuple[Path, Path],
) -> None:
    folder = one_and_two[1]
    first, second = (torch.load(folder / f"{rank}.pth") for rank in (0, 1))
    assert first.keys() == torch.load(one_and_two[0] / "0.pth").keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    histories = [[{**result, "seconds": 0} for result in each["history"]] for each in seen(folder)]
    assert histories[0] == histories[1]


def test_local_statistics_are_averaged_after_an_epoch(
    trained: Path,
) -> None:
    first, second = (torch.load(trained / "local" / f"{rank}.pth") for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    (one,), (two, _) = seen(trained / "alone"), seen(trained / "local")
    # Halves of a batch have other statistics than the whole of it.
    assert one["losses"][:4] != pytest.approx(two["losses"][:4], abs=1e-4)
    assert one["losses"] == pytest.approx(two["losses"], abs=0.2)


@pytest.mark.usefixtures("compiler")
def test_with_local_statistics_the_engine_trains_as_pytorch_does(trained: Path) -> None:
    folders = [trained / name for name in ("engine", "local")]
    first, second = (torch.load(folders[0] / f"{rank}.pth") for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    (engine, other), (pytorch, _) = map(seen, folders)
    assert engine["shares"] == pytorch["shares"]
    assert engine["losses"] == other["losses"]
    assert engine["losses"][:4] == pytest.approx(pytorch["losses"][:4], abs=1e-4)
    assert engine["losses"] == pytest.approx(pytorch["losses"], abs=0.05)


def test_every_held_out_digit_is_counted_once(one_and_two: tuple[Path, Path]) -> None:
    for each in (*seen(one_and_two[0]), *seen(one_and_two[1])):
        for result in each["history"]:
            right = 101 - result["validation_wrong"]
            assert result["validation_accuracy"] == pytest.approx(100 * right / 101)


class Commands(NamedTuple):
    """What came of a dry run, a run and a refused dry run, by two processes."""

    folder: Path
    tried: list[str]
    trained: list[str]
    errors: str
    returncode: int


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """A dry run, an uninterrupted run and a refused dry run."""
    folder = tmp_path_factory.mktemp("commands")
    inside = folder / "inside"
    inside.mkdir()
    ran = launched(2, program(folder, THREE_COMMANDS), str(inside))
    lines = ran.stdout.splitlines()
    assert "left:" in lines, ran.stderr  # and no file after it
    here = lines.index("left:")
    return Commands(inside, lines[:here], lines[here + 1 :], ran.stderr, ran.returncode)


def test_the_first_process_alone_prints_and_writes(commands: Commands) -> None:
    lines, out = commands.trained, commands.folder / "out"
    assert "1 thread in each of 2 processes (with several processes the engine" in lines[0]
    assert [line[:8] for line in lines[3:7]] == [f"epoch  {epoch}" for epoch in range(4)]
    assert sum(line.startswith("test: ") for line in lines) == 1
    content = json.loads((out / "final" / "report.json").read_text())
    assert content["test_total"] == 200
    assert content["environment"]["processes"] == 2
    assert not list(out.glob("previous-*"))
    assert "Warning" not in commands.errors
    torch.load(out / "final" / "model_epoch_3.pth")


def test_a_dry_run_tries_the_processes_together_and_prints_once(commands: Commands) -> None:
    printed = "\n".join(commands.tried)
    assert printed.count("in each of 2 processes") == 1
    assert printed.count("epoch  0 ") == printed.count("test: ") == 1
    assert printed.count("nothing was kept") == 1


def test_a_dry_run_refuses_once_what_the_processes_cannot_share(commands: Commands) -> None:
    assert commands.returncode != 0
    assert sum("in each of 2 processes" in line for line in commands.trained) == 1  # the run's
    assert [path.name for path in commands.folder.iterdir()] == ["out"]
    told = "error: --batch-size 1 leaves a batch of 1 digits for 2 proc"
    assert commands.errors.count(told) == 1


def test_a_killed_process_is_started_again_and_the_run_goes_on(
    commands: Commands, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    restarts = ("--max-restarts=1", "--monitor-interval=0.1")
    printed = torchrun(2, program(tmp_path, TRAIN_ONCE), str(tmp_path), "die", options=restarts)
    assert "resuming after" in printed
    assert not list(out.glob("previous-*"))
    expected, found = (
        torch.load(each / "final" / "model_epoch_3.pth")["model_state_dict"]
        for each in (commands.folder / "out", out)
    )
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_batch_that_not_every_process_has_a_share_of_is_refused(compute: Compute) -> None:
    config = TrainConfig(batch_size=64)
    with pytest.raises(InputError, match="--batch-size 64 leaves a batch of 1 digits for 2 proc"):
        start(config, 193, compute, world=World(0, 2))
    with pytest.raises(InputError, match="leaves a batch of 64 digits for 65 processes"):
        start(config, 192, compute, world=World(0, 65))
    assert start(config, 193, compute).epoch == 0


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_all_shares_are_the_items(size: int) -> None:
    shares = [World(rank, size).share(torch.arange(100)) for rank in range(size)]
    assert sorted(torch.cat(shares).tolist()) == list(range(100))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_means_of_shares_average_to_the_mean() -> None:
    losses = torch.arange(7.0)
    worlds = [World(rank, 3) for rank in range(3)]
    means = [world.mean(world.share(losses), len(losses)) for world in worlds]
    assert sum(means) / 3 == pytest.approx(losses.mean())


def test_a_process_alone_changes_nothing() -> None:
    values = torch.arange(5.0)
    assert ALONE.share(values) is not None
    assert torch.equal(ALONE.collect(ALONE.share(values), 5), values)
    assert ALONE.sum(values) is values
    assert ALONE.mean(values, 5) == values.mean()
    assert ALONE.stream == ()
    assert World(1, 2).stream != World(0, 2).stream != World(0, 3).stream


@pytest.fixture
def group_of_one() -> Iterator[None]:
    """A process group with this process alone."""
    store = distributed.HashStore()  # type: ignore[attr-defined]
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("group_of_one")
def test_batch_norm_over_one_process_is_pytorchs_own() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = 3 * torch.randn(4, 5, 2, 3, generator=generator) + 1
    gradient = torch.randn(4, 5, 2, 3, generator=generator)
    norms = nn.BatchNorm2d(5), SynchronisedBatchNorm(5)
    inputs = [pixels.clone().requires_grad_() for _ in norms]
    for _ in range(2):
        outputs = [norm(each) for norm, each in zip(norms, inputs, strict=True)]
        torch.testing.assert_close(outputs[1], outputs[0])
        for output in outputs:
            output.backward(gradient)
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad)
    torch.testing.assert_close(norms[1].weight.grad, norms[0].weight.grad)
    torch.testing.assert_close(norms[1].bias.grad, norms[0].bias.grad)
    torch.testing.assert_close(norms[1].state_dict(), norms[0].state_dict())
    outside = [norm.eval()(pixels) for norm in norms]
    torch.testing.assert_close(outside[1], outside[0])
