"""Several processes that train one net together: who is who, and what they add up.

torchrun starts the processes and names each by its rank. They go through the same batches, each
with its share of every one, so that a training has the same steps however many take part.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as torch_distributed
from torch.distributed.rendezvous import rendezvous
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

    def wrap(self, net: nn.Module) -> nn.Module:
        """Return the net as training calls it: with gradients and batch statistics of all.

        It starts with the first process's weights everywhere.
        """
        if self.size == 1:
            return net
        _synchronise(net)
        return DistributedDataParallel(net)


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
        # Leaving while others still work ends some of gloo's threads in a crash.
        torch_distributed.barrier()
    finally:
        torch_distributed.destroy_process_group()


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation by the statistics of all processes' batches together.

    ``nn.SyncBatchNorm`` does that on GPUs only.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, H, W) normalised, by the running statistics outside of training."""
        if not self.training:
            return super().forward(x)
        wide = x.float()
        mean, variance, count = self._statistics(wide)
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return (wide * scale.view(-1, 1, 1) + shift.view(-1, 1, 1)).to(x.dtype)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return means and variances (C,) over all processes, and of how many values each is.

        Each process's mean and sum of squares about it are put together as Chan, Golub and LeVeque
        (1979) do: a difference of two sums of squares would lose half of the digits.
        """
        variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        count = mean.new_tensor([x.numel() / self.num_features])
        rank, size = torch_distributed.get_rank(), torch_distributed.get_world_size()
        rows = mean.new_zeros(size, 2 * self.num_features + 1)
        rows[rank] = torch.cat([mean, variance, count])
        table: Tensor = _SumOverAll.apply(rows)  # type: ignore[no-untyped-call]
        sizes = [self.num_features, self.num_features, 1]
        means, variances, counts = torch.split(table, sizes, dim=1)
        total = counts.sum()
        mean = (counts * means).sum(dim=0) / total
        variance = (counts * (variances + (means - mean).square())).sum(dim=0) / total
        return mean, variance, total

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked += 1


class _SumOverAll(torch.autograd.Function):
    """The sum over all processes, through which gradients flow back to all of them."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        """Return the sum of all processes' values."""
        return _summed(values)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        """Return the sum of the gradients of all processes' losses."""
        return _summed(gradient)


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
