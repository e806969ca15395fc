"""TensorBoard's event files: the curves of a run while it goes on."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tinydigits.errors import InputError, extra
from tinydigits.training import EpochResult


@contextmanager
def events(
    directory: Path | None, history: Sequence[EpochResult]
) -> Iterator[Callable[[EpochResult], None]]:
    """Yield what writes a result to ``directory``; without one, what does nothing.

    Epochs in ``history``, those before a run was resumed, are written again: whatever a crash kept
    from being written is then there, and TensorBoard shows each once.

    Raises:
        InputError: tensorboard is not installed, or the folder cannot be written.
    """
    if directory is None:
        yield lambda _: None
        return
    with extra("tensorboard", "--log-dir"):
        from torch.utils.tensorboard import SummaryWriter
    try:
        writer = SummaryWriter(str(directory), purge_step=0 if history else None)
    except OSError as error:
        raise InputError(
            f"cannot write {directory}: {error.strerror}; give another --log-dir"
        ) from error

    def write(result: EpochResult) -> None:
        for name, value in _scalars(result).items():
            writer.add_scalar(name, value, result.epoch)
        writer.flush()

    try:
        for result in history:
            write(result)
        yield write
    finally:
        writer.close()


def _scalars(result: EpochResult) -> dict[str, float]:
    values = {
        "loss/train": result.train_loss,
        "loss/held out": result.validation_loss,
        "accuracy/train": result.train_accuracy,
        "accuracy/held out": result.validation_accuracy,
        "seconds/epoch": result.seconds,
    }
    return {name: value for name, value in values.items() if value is not None}
