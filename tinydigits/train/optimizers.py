"""Optimisers: Adam for everything, or Muon for the convolutions and Adam for the rest."""

import sys
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from tinydigits.train.config import TrainConfig

# Newton-Schulz iteration x -> a x + b x³ + c x⁵ on singular values. With these coefficients (Jordan
# et al. 2024) values rise fastest from 0 and end between 0.7 and 1.2, which is close enough to 1.
A, B, C = 3.4445, -4.7750, 2.0315
ITERATIONS = 5

UNCOMPILED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def optimizers_for(net: nn.Module, config: TrainConfig) -> list[Optimizer]:
    """Return the optimisers in ``config`` that together update all of the net's parameters."""
    _leave_compiler_out()
    parameters = list(net.parameters())
    if config.optimizer == "adam":
        return [_adam(parameters, config)]
    kernels = [each for each in parameters if each.ndim == 4]
    rest = [each for each in parameters if each.ndim != 4]
    # Adam usually averages squared gradients over a thousand steps, more than a short run has.
    return [Muon(kernels, lr=config.muon_lr), _adam(rest, config, memory=0.99)]


def _adam(parameters: list[nn.Parameter], config: TrainConfig, memory: float = 0.999) -> Adam:
    return Adam(
        parameters,
        lr=config.lr,
        betas=(0.9, memory),
        weight_decay=config.weight_decay,
        fused=True,
    )


def _leave_compiler_out() -> None:
    """Keep optimisers from loading PyTorch's compiler, which takes seconds and is not used here.

    They load it to tell it to leave four of their methods alone. What it makes of a method is kept
    in the method's ``__dynamo_disable`` (see ``torch/_compile.py``): here, the method itself.
    """
    if "torch._dynamo" in sys.modules:
        return
    for name in UNCOMPILED:
        method = getattr(getattr(Optimizer, name), "__wrapped__", None)
        if method:
            vars(method).setdefault("__dynamo_disable", method)


class Muon(Optimizer):
    """Muon: Nesterov momentum, orthogonalised, so each step is equally large in all directions.

    A kernel (out, in, height, width) is a matrix (out, in * height * width). Its momentum U S Vᵀ is
    replaced by U Vᵀ, times sqrt(max(1, rows / columns)). Rare gradient directions are thus learned
    as fast as common ones. Source: Keller Jordan et al., "Muon: an optimizer for hidden layers in
    neural networks", 2024.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.9
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the kernels from their gradients; a ``closure`` is not supported."""
        assert closure is None
        for group in self.param_groups:
            kernels, decay = group["params"], group["momentum"]
            gradients = [kernel.grad for kernel in kernels]
            means = [self._mean(kernel) for kernel in kernels]
            # One call for all kernels: for so few numbers, calls cost more than arithmetic.
            torch._foreach_mul_(means, decay)
            torch._foreach_add_(means, gradients)
            ahead = torch._foreach_mul(means, decay)
            torch._foreach_add_(ahead, gradients)
            directions = orthogonalise([each.flatten(1) for each in ahead])
            for kernel, direction in zip(kernels, directions, strict=True):
                rows, columns = direction.shape
                lr = group["lr"] * max(1, rows / columns) ** 0.5
                kernel.sub_(direction.reshape(kernel.shape), alpha=lr)

    def _mean(self, kernel: nn.Parameter) -> Tensor:
        """Return the running mean of the kernel's gradients, 0 before the first step."""
        state = self.state[kernel]
        if not state:
            state["mean"] = torch.zeros_like(kernel)
        mean: Tensor = state["mean"]
        return mean


def orthogonalise(matrices: list[Tensor]) -> list[Tensor]:
    """Return approximately U Vᵀ for each matrix U S Vᵀ, with singular values from 0.7 to 1.2.

    Singular values below about 1 % of a matrix's Frobenius norm stay smaller. The matrices may
    differ in shape; padded with zeros to one batch, they take half the time of one after another.
    """
    shapes = [matrix.shape for matrix in matrices]
    rows, columns = (max(sizes) for sizes in zip(*shapes, strict=True))
    x = matrices[0].new_zeros(len(matrices), rows, columns)
    for filled, matrix in zip(x, matrices, strict=True):
        filled[: matrix.shape[0], : matrix.shape[1]] = matrix
    # The iteration diverges for singular values above 1.
    x = x / (x.flatten(1).norm(dim=1).view(-1, 1, 1) + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=B, alpha=C), x, beta=A)
    return [filled[:rows, :columns] for filled, (rows, columns) in zip(x, shapes, strict=True)]
