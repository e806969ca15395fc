"""Training with rounded kernels: the net computes with them, the optimisers update unrounded ones.

Each step computes the loss and its gradient with kernels on a grid of few values, and applies the
gradient to the unrounded kernels, the masters, as if rounding changed nothing: the straight-through
estimator. Sources: Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons
for Conditional Computation", 2013; Courbariaux et al., "BinaryConnect", 2015.
"""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from tinydigits.net.grid import on_grid
from tinydigits.net.model import Net
from tinydigits.train.config import FLOAT


def masters_of(net: Net, bits: int) -> Net:
    """Return the net that the optimisers update.

    It is ``net`` itself, or for weights of few ``bits`` a net that shares everything but the
    kernels with it; the kernels of ``net`` are then rounded.
    """
    if bits == FLOAT:
        return net
    shared = [*net.parameters(), *net.buffers()]
    masters = copy.deepcopy(net, {id(each): each for each in shared if not is_kernel(each)})
    round_kernels(net, masters, bits)
    return masters


def is_kernel(tensor: Tensor) -> bool:
    """Return whether a parameter is the kernel of a convolution."""
    return tensor.ndim == 4


@torch.no_grad()
def round_kernels(model: nn.Module, masters: Net, bits: int) -> None:
    """Set the model's kernels to the masters' after rounding; without masters, nothing changes."""
    for kernel, master in _pairs(model, masters):
        kernel.copy_(on_grid(master, bits))


def hand_over_gradients(model: nn.Module, masters: Net) -> None:
    """Give the masters the gradients of the model's kernels."""
    for kernel, master in _pairs(model, masters):
        master.grad = kernel.grad


def _pairs(model: nn.Module, masters: Net) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
    """Yield each of the model's kernels with its master, if there are masters."""
    for kernel, master in zip(model.parameters(), masters.parameters(), strict=True):
        if kernel is not master:
            yield kernel, master
