"""Distributed training: several processes train one net together.

torchrun starts the processes and gives each a rank. All processes go through the same batches, and
each takes its share of every batch. Training therefore has the same steps whatever the number of
processes.
"""

import gc
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as torch_distributed
from torch.distributed.rendezvous import rendezvous
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from tinydigits.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """A process among those that train together, or the only one."""

    rank: int = 0
    size: int = 1
    is_restart: bool = False
    """Whether torchrun restarted the processes after one had died."""

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that downloads, prints and writes."""
        return self.rank == 0

    @property
    def stream(self) -> tuple[int, ...]:
        """Suffix of the names of this process's own random streams; empty for a single process."""
        return (self.rank, self.size) if self.size > 1 else ()

    def share(self, items: Tensor) -> Tensor:
        """Return this process's share of the items (N, ...); each item is in exactly one share."""
        return items[self.rank :: self.size]

    def mean(self, share: Tensor, total: int) -> Tensor:
        """Return the loss to minimise: the mean over ``total`` digits, from this process's share.

        Gradients are averaged over the processes, whose shares may differ in length by one. With
        several processes the share's sum is therefore scaled by ``size / total``.
        """
        return share.mean() if self.size == 1 else share.sum() * (self.size / total)

    def sum(self, values: Tensor) -> Tensor:
        """Return the elementwise sum of ``values`` over all processes, in every process."""
        return _summed(values) if self.size > 1 else values

    def collect(self, share: Tensor, total: int) -> Tensor:
        """Return the rows (total, ...) of all processes' shares, in the original order."""
        if self.size == 1:
            return share
        rows = share.new_zeros(total, *share.shape[1:])
        self.share(rows).copy_(share)
        return self.sum(rows)  # exact: each row is non-zero in one process only

    def one_after_the_first(self, load: Callable[[], T]) -> T:
        """Return ``load()``; the first process calls it before the others do."""
        if not self.is_first:
            torch_distributed.barrier()
        loaded = load()
        if self.is_first and self.size > 1:
            torch_distributed.barrier()
        return loaded

    def from_first(self, content: Any) -> Any:
        """Return the first process's ``content`` in every process; it must be picklable."""
        if self.size == 1:
            return content
        told = [content]
        torch_distributed.broadcast_object_list(told)
        return told[0]

    @contextmanager
    def refuse_once(self) -> Iterator[None]:
        """Let the first process alone report a wrong input that every process finds in the block.

        Raises:
            InputError: in the first process.
            SystemExit: in the others, with the same exit code as for an InputError.
        """
        try:
            yield
        except InputError:
            if self.is_first:
                raise
            # torchrun ends all processes after the first exit: that of the process that reports.
            with suppress(RuntimeError):
                torch_distributed.barrier()
            raise SystemExit(2) from None

    def wrap(self, net: nn.Module, *, local_statistics: bool) -> nn.Module:
        """Return the net for training steps, which synchronise gradients over all processes.

        Every process starts with the first process's weights. Batch statistics are synchronised as
        well, unless ``local_statistics`` is set.
        """
        if self.size == 1:
            return net
        if not local_statistics:
            _synchronise(net)
        with warnings.catch_warnings():
            # Older versions of PyTorch do not know the argument's new name.
            warnings.simplefilter("ignore", FutureWarning)
            return DistributedDataParallel(net, broadcast_buffers=False)

    def average_statistics(self, net: nn.Module) -> None:
        """Replace the net's running statistics by their means over all processes, in place."""
        for buffer in net.buffers():
            if buffer.is_floating_point():
                buffer.copy_(self.sum(buffer) / self.size)


ALONE = World()


@contextmanager
def join() -> Iterator[World]:
    """Join the process group that torchrun started, if any; leave it when the block ends."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    has_gpu = torch.cuda.is_available()
    if has_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    store, rank, _ = next(rendezvous("env://"))
    # The store survives a restart and still holds the addresses of dead processes.
    fresh = torch_distributed.PrefixStore(f"start {restarts}", store)  # type: ignore[attr-defined]
    backend = "nccl" if has_gpu else "gloo"
    torch_distributed.init_process_group(backend, store=fresh, rank=rank, world_size=size)
    try:
        yield World(rank, size, is_restart=restarts > 0)
        # Leaving while other processes still work can crash gloo's threads ...
        torch_distributed.barrier()
    finally:
        # ... and so can threads that live until the interpreter exits, kept by DDP's cycles.
        gc.collect()
        torch_distributed.destroy_process_group()


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation with statistics over the batches of all processes.

    ``nn.SyncBatchNorm`` supports GPUs only.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` (B, C, H, W) normalised; in evaluation mode, with the running statistics."""
        if not self.training:
            return super().forward(x)
        mean, variance, count = _statistics(x)
        self._remember(mean, variance * count / (count - 1))
        normalised: Tensor = _Normalised.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, mean, variance, count, self.eps
        )
        return normalised

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked += 1


@torch.no_grad()
def _statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return means (C,), variances (C,) and the number of values per channel, over all processes.

    Each process's mean and variance are combined by the formula of Chan, Golub and LeVeque (1979);
    the difference of two sums of squares would lose half of the significant digits.
    """
    channels = x.shape[1]
    variance, mean = torch.var_mean(x.float(), dim=(0, 2, 3), correction=0)
    count = mean.new_tensor([x.numel() / channels])
    rows = mean.new_zeros(torch_distributed.get_world_size(), 2 * channels + 1)
    rows[torch_distributed.get_rank()] = torch.cat([mean, variance, count])
    means, variances, counts = torch.split(_summed(rows), [channels, channels, 1], dim=1)
    total = counts.sum()
    mean = (counts * means).sum(dim=0) / total
    return mean, (counts * (variances + (means - mean).square())).sum(dim=0) / total, total


class _Normalised(torch.autograd.Function):
    """PyTorch's normalisation with given statistics; the gradient also flows through these."""

    @staticmethod
    def forward(
        context: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        count: Tensor,
        epsilon: float,
    ) -> Tensor:
        """Return x normalised, scaled and shifted, in the same type and layout."""
        context.save_for_backward(x, weight, mean, variance, count)
        context.epsilon = epsilon
        return functional.batch_norm(x, mean, variance, weight, bias, eps=epsilon)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients for x, weight and bias.

        The gradient for x is weight / sd * (g - mean(g) - x̂ mean(g x̂)), where x̂ is the normalised
        x and means are over all processes' values (Ioffe and Szegedy, 2015).
        """
        x, weight, mean, variance, count = context.saved_tensors
        as_constants, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, variance, None, None, False, context.epsilon, [True] * 3
        )
        mean_product, mean_gradient = _summed(torch.stack([by_weight, by_bias])) / count
        # The correction is linear in x, so PyTorch's kernel computes it in one pass.
        rate = (variance + context.epsilon).rsqrt()
        slope, offset = weight * rate * mean_product, weight * rate * mean_gradient
        line = functional.batch_norm(x, mean, variance, slope, offset, eps=context.epsilon)
        return as_constants - line, by_weight, by_bias, None, None, None, None


def _summed(values: Tensor) -> Tensor:
    summed = values.clone()
    torch_distributed.all_reduce(summed)
    return summed


def _synchronise(net: nn.Module) -> None:
    """Replace each batch normalisation layer in the net by a synchronised one, in place."""
    for module in list(net.modules()):
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                synchronised = SynchronisedBatchNorm(child.num_features, child.eps, child.momentum)
                synchronised.load_state_dict(child.state_dict())
                setattr(module, name, synchronised.to(child.weight.device))
