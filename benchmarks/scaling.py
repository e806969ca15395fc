"""Time an epoch of the classic recipe on one process and on several started by torchrun.

Each configuration trains the same epochs with the same batches of 128, shared among the processes.
A round runs all configurations one after the other, so that a slow moment of the machine affects
all of them. Times come from the run's own report, without start-up, file reading and the run's
first epoch.

    python benchmarks/scaling.py --out records/<date>-scaling
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # runs from a clone that is not installed

from tinydigits.data.sources import mnist_folder
from tinydigits.errors import exit_code
from tinydigits.files import write_json
from tinydigits.train import hardware

LOCAL = "--local-statistics"
WAYS = {  # processes, threads per process, options
    "1 process, 1 thread": (1, 1, []),
    "1 process, 2 threads": (1, 2, []),
    "2 processes, 1 thread each": (2, 1, []),
    f"2 processes, 1 thread each, {LOCAL}": (2, 1, [LOCAL]),
}


def seconds_an_epoch(
    processes: int, threads: int, options: list[str], epochs: int, data_dir: Path
) -> float:
    """Train, and return the median seconds of the epochs after the first."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    with tempfile.TemporaryDirectory() as folder:
        given = ["--epochs", str(epochs), "--out", folder, "--data", "mnist", *options]
        subprocess.run(
            [sys.executable, *launcher, "train.py", *given, "--data-dir", str(data_dir)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            check=True,
            capture_output=True,
        )
        report = json.loads((Path(folder) / "final" / "report.json").read_text())
    assert report["environment"]["processes"] == processes
    assert report["environment"]["threads"] == threads
    seconds: float = statistics.median(report["seconds_per_epoch"][1:])
    return seconds


def main() -> None:
    """Print the times, and write them to ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2, help="epochs of each run, at least 2")
    parser.add_argument("--data-dir", type=Path, default=mnist_folder())
    parser.add_argument("--out", type=Path, help="folder for result.json")
    options = parser.parse_args()

    rounds = [
        {
            name: seconds_an_epoch(*way, options.epochs, options.data_dir.absolute())
            for name, way in WAYS.items()
        }
        for _ in tqdm(range(options.rounds), unit="round")
    ]
    for name in WAYS:
        print(f"{name}: {statistics.median(each[name] for each in rounds):.1f} s an epoch")
    if options.out:
        environment = hardware.environment(hardware.choose("cpu", "auto"))
        write_json(options.out / "result.json", {"rounds": rounds, "environment": environment})


if __name__ == "__main__":
    sys.exit(exit_code(main))
