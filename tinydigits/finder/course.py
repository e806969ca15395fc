"""What the finder learns from views: the course of ``tinydigits train-finder``."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tinydigits.finder.batches import Batch, choose
from tinydigits.finder.config import FinderConfig
from tinydigits.finder.views import Views, stream
from tinydigits.net.blocks import fold
from tinydigits.net.finder import Finder
from tinydigits.net.padded import FINDER, FINDER_ONNX, decode, encode
from tinydigits.train import hardware
from tinydigits.train.drawn import Course

BATCH = 32
SMOOTH = 20.0  # pixels of ink that count as overlapping anyway: few pixels matter less
CLOSE = 0.1  # error of a vote, in digit sizes, from which its loss rises evenly


class Losses(NamedTuple):
    """Means over views."""

    ink: Tensor
    overlap: Tensor
    votes: Tensor


def _losses(
    net: nn.Module, kept: Sequence[Views], generator: torch.Generator, _: FinderConfig
) -> dict[str, Tensor]:
    batch = choose(kept, BATCH, generator)
    with hardware.choose("cpu", "auto").autocast():
        ink, votes = net(batch.light.contiguous(memory_format=torch.channels_last))
    return losses_of(ink.float(), votes.float(), batch)._asdict()


def losses_of(ink: Tensor, votes: Tensor, batch: Batch) -> Losses:
    """Return the losses of a finder's answers, as from ``Finder.forward``."""
    missed = functional.binary_cross_entropy_with_logits(ink, batch.ink)
    marked, dims = ink.sigmoid(), (1, 2, 3)
    both = 2 * (marked * batch.ink).sum(dims) + SMOOTH
    overlap = both / ((marked**2).sum(dims) + (batch.ink**2).sum(dims) + SMOOTH)
    off = functional.smooth_l1_loss(votes, batch.votes, reduction="none", beta=CLOSE)
    # Most digits stand upright: an absolute loss would always vote for that where it is in doubt.
    turn = (votes[:, 3] - batch.votes[:, 3]) ** 2
    error = off[:, 0] + off[:, 1] + off[:, 2] / 2 + 2 * turn
    error = (error * batch.weight).sum((1, 2))
    weight = batch.weight.sum((1, 2)) + SMOOTH
    return Losses(missed, 1 - overlap.mean(), (error / weight).mean())


def _weights(config: FinderConfig) -> dict[str, float]:
    return {"ink": config.ink, "overlap": config.overlap, "votes": 1.0}


def _files(net: nn.Module) -> dict[str, bytes]:
    """Return the finder as the package holds it: for PyTorch and the page, and for onnxruntime."""
    content = encode(fold(net))
    files = {FINDER.name: content}
    if find_spec("onnx"):
        from tinydigits.export.finding import onnx_of

        files[FINDER_ONNX.name] = onnx_of(decode(content))
    return files


COURSE = Course("finder", Finder, stream, _losses, _weights, _files)
