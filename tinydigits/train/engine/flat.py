"""The net and its optimisers' memory as flat arrays, which the engine works on.

Parameters lie one after another in the order of ``net.parameters()``, 13,034 numbers. An epoch
takes copies and writes them back at its end, so all other code sees PyTorch's objects only.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from tinydigits.net.grid import on_grid
from tinydigits.net.model import Net
from tinydigits.train.config import FLOAT
from tinydigits.train.masters import is_kernel

ADAM, MUON = ("exp_avg", "exp_avg_sq"), ("mean",)  # the names of their memory


class Flat:
    """Flat copies of a net and of its optimisers' memory."""

    def __init__(self, net: Net, optimizers: list[Optimizer]) -> None:
        self.net, self.optimizers = net, optimizers
        self.norms = [each for each in net.modules() if isinstance(each, nn.BatchNorm2d)]
        self.parameters = _joined(net.parameters())
        self.gradient = torch.zeros_like(self.parameters)
        self.running_mean = _joined(each.running_mean for each in self.norms)
        self.running_variance = _joined(each.running_var for each in self.norms)
        self.memory = {name: torch.zeros_like(self.parameters) for name in ADAM + MUON}
        self.steps = 0
        """Steps that Adam has taken."""
        for optimizer, parameter, name, piece in self._memories():
            state = optimizer.state[parameter]
            if name in state:
                piece.copy_(state[name].flatten())
                self.steps = int(state.get("step", self.steps))

    def on_grid(self, bits: int) -> Tensor:
        """Return the parameters that a step computes with: those in which kernels are rounded."""
        if bits == FLOAT:
            return self.parameters
        rounded = self.parameters.clone()
        for parameter, piece in self._split(rounded, self.net.parameters()):
            if is_kernel(parameter):
                piece.copy_(on_grid(piece.view(parameter.shape), bits).flatten())
        return rounded

    @torch.no_grad()
    def write_back(self, steps: int) -> None:
        """Copy everything to the net and its optimisers, after ``steps`` steps."""
        for parameter, piece in self._split(self.parameters, self.net.parameters()):
            parameter.copy_(piece.view(parameter.shape))
        statistics = {"running_mean": self.running_mean, "running_var": self.running_variance}
        for name, flat in statistics.items():
            for buffer, piece in self._split(flat, [getattr(each, name) for each in self.norms]):
                buffer.copy_(piece)
        for norm in self.norms:
            assert norm.num_batches_tracked is not None
            norm.num_batches_tracked += steps
        for optimizer, parameter, name, piece in self._memories():
            state = optimizer.state[parameter]
            state[name] = torch.empty_like(parameter).copy_(piece.view(parameter.shape))
            if name in ADAM:
                state["step"] = torch.tensor(float(self.steps))

    def _memories(self) -> Iterator[tuple[Optimizer, Tensor, str, Tensor]]:
        """Yield each optimiser with each parameter it updates, and each part of its memory."""
        for optimizer in self.optimizers:
            updated = {id(each) for group in optimizer.param_groups for each in group["params"]}
            for name in ADAM if isinstance(optimizer, Adam) else MUON:
                for parameter, piece in self._split(self.memory[name], self.net.parameters()):
                    if id(parameter) in updated:
                        yield optimizer, parameter, name, piece

    @staticmethod
    def _split(flat: Tensor, like: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        tensors = list(like)
        return zip(tensors, torch.split(flat, [each.numel() for each in tensors]), strict=True)


def _joined(tensors: Iterable[Tensor | None]) -> Tensor:
    return torch.cat([each.detach().flatten() for each in tensors if each is not None]).clone()
