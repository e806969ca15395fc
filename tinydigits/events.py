"""TensorBoard's event files: the curves of a run while it goes on."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tinydigits.errors import InputError, extra
from tinydigits.training import EpochResult


@contextmanager
def events(directory: Path | None, *, is_resumed: bool) -> Iterator[Callable[[EpochResult], None]]:
    """Yield what writes a result to ``directory``; without one, what does nothing.

    Of a resumed run all epochs are to be written again: TensorBoard then shows these only, and what
    a crash kept from being written is there.

    Raises:
        InputError: tensorboard is not installed, or the folder cannot be written.
    """
    if directory is None:
        yield lambda _: None
        return
    with extra("tensorboard", "--log-dir"):
        from torch.utils.tensorboard import SummaryWriter
    try:
        writer = SummaryWriter(str(directory), purge_step=0 if is_resumed else None)
    except OSError as error:
        raise InputError(
            f"cannot write {directory}: {error.strerror}; give another --log-dir"
        ) from error

    def write(result: EpochResult) -> None:
        for name, value in _scalars(result).items():
            writer.add_scalar(name, value, result.epoch)
        writer.flush()

    with closing(writer):
        yield write


def _scalars(result: EpochResult) -> dict[str, float]:
    values = {
        "loss/train": result.train_loss,
        "loss/held out": result.validation_loss,
        "accuracy/train": result.train_accuracy,
        "accuracy/held out": result.validation_accuracy,
        "seconds/epoch": result.seconds,
    }
    return {name: value for name, value in values.items() if value is not None}
