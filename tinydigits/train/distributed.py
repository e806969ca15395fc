"""Several processes that train one net together: who is who, and what they add up.

torchrun starts the processes and names each by its rank. They go through the same batches, each
with its share of every one, so that a training has the same steps however many take part.
"""

import gc
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as torch_distributed
from torch.distributed.rendezvous import rendezvous
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """One process among those that train together, or the only one."""

    rank: int = 0
    size: int = 1
    is_restart: bool = False
    """Whether torchrun started the processes again after one had died."""

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that downloads, prints and writes."""
        return self.rank == 0

    @property
    def stream(self) -> tuple[int, ...]:
        """What the names of its own random streams end with; nothing where it is alone."""
        return (self.rank, self.size) if self.size > 1 else ()

    def share(self, items: Tensor) -> Tensor:
        """Return this process's share: those of all processes are the items, each of them once."""
        return items[self.rank :: self.size]

    def mean(self, share: Tensor, total: int) -> Tensor:
        """Return the mean to descend by, of losses of which this process has a share of ``total``.

        Gradients are averaged over the processes, whose shares may differ in length by one.
        """
        return share.mean() if self.size == 1 else share.sum() * (self.size / total)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes."""
        return _summed(values) if self.size > 1 else values

    def collect(self, share: Tensor, total: int) -> Tensor:
        """Return all rows of which each process has a share, (total, ...), in their order."""
        if self.size == 1:
            return share
        rows = share.new_zeros(total, *share.shape[1:])
        self.share(rows).copy_(share)
        return self.sum(rows)  # all others are 0: the sum is exact

    def one_after_the_first(self, load: Callable[[], T]) -> T:
        """Return what ``load`` returns, called in the first process before all others."""
        if not self.is_first:
            torch_distributed.barrier()
        loaded = load()
        if self.is_first and self.size > 1:
            torch_distributed.barrier()
        return loaded

    def from_first(self, content: Any) -> Any:
        """Return the first process's ``content`` in every process."""
        if self.size == 1:
            return content
        told = [content]
        torch_distributed.broadcast_object_list(told)
        return told[0]

    def wrap(self, net: nn.Module, *, local_statistics: bool) -> nn.Module:
        """Return the net as training calls it: with gradients, and batch statistics, of all.

        It starts with the first process's weights everywhere.
        """
        if self.size == 1:
            return net
        if not local_statistics:
            _synchronise(net)
        with warnings.catch_warnings():
            # The argument's new name is not known to older versions.
            warnings.simplefilter("ignore", FutureWarning)
            return DistributedDataParallel(net, broadcast_buffers=False)

    def average_statistics(self, net: nn.Module) -> None:
        """Give the net the means of all processes' running statistics, where they differ."""
        for buffer in net.buffers():
            if buffer.is_floating_point():
                buffer.copy_(self.sum(buffer) / self.size)


ALONE = World()


@contextmanager
def join() -> Iterator[World]:
    """Join the processes that torchrun started beside this one, if any, and leave them at last."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    has_gpu = torch.cuda.is_available()
    if has_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    restarts = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    store, rank, _ = next(rendezvous("env://"))
    # The store outlives a restart, and with it the addresses of processes that have died.
    fresh = torch_distributed.PrefixStore(f"start {restarts}", store)  # type: ignore[attr-defined]
    backend = "nccl" if has_gpu else "gloo"
    torch_distributed.init_process_group(backend, store=fresh, rank=rank, world_size=size)
    try:
        yield World(rank, size, is_restart=restarts > 0)
        # Leaving while others still work ends some of gloo's threads in a crash ...
        torch_distributed.barrier()
    finally:
        # ... and so does leaving them to the interpreter's end, as DDP's reference cycles would.
        gc.collect()
        torch_distributed.destroy_process_group()


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the statistics of all processes' batches together.

    ``nn.SyncBatchNorm`` does that on GPUs only.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W) normalised, by the running statistics outside of training."""
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
    """Return means and variances (C,) over all processes, and of how many values each is.

    Each process's mean and variance are put together as Chan, Golub and LeVeque (1979) do: a
    difference of two sums of squares would lose half of the digits.
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
    """PyTorch's own normalisation by given statistics, with the gradient through these as well."""

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
        """Return x normalised, scaled and shifted, of its type and layout."""
        context.save_for_backward(x, weight, mean, variance, count)
        context.epsilon = epsilon
        return functional.batch_norm(x, mean, variance, weight, bias, eps=epsilon)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of all processes' losses for x, weight and bias.

        With n values, means over all of them and x̂ the normalised x, the first is
        weight / sd * (g - mean(g) - x̂ mean(g x̂)) (Ioffe and Szegedy, 2015).
        """
        x, weight, mean, variance, count = context.saved_tensors
        as_constants, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, variance, None, None, False, context.epsilon, [True] * 3
        )
        mean_product, mean_gradient = _summed(torch.stack([by_weight, by_bias])) / count
        # What is to be taken away is a line in x: PyTorch's kernel draws it in one pass.
        rate = (variance + context.epsilon).rsqrt()
        slope, offset = weight * rate * mean_product, weight * rate * mean_gradient
        line = functional.batch_norm(x, mean, variance, slope, offset, eps=context.epsilon)
        return as_constants - line, by_weight, by_bias, None, None, None, None


def _summed(values: Tensor) -> Tensor:
    summed = values.clone()
    torch_distributed.all_reduce(summed)
    return summed


def _synchronise(net: nn.Module) -> None:
    """Replace every batch normalisation in the net by one over all processes, in place."""
    for module in list(net.modules()):
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                synchronised = SynchronisedBatchNorm(child.num_features, child.eps, child.momentum)
                synchronised.load_state_dict(child.state_dict())
                setattr(module, name, synchronised.to(child.weight.device))
