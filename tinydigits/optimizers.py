"""Optimisers: Adam for everything, or Muon for the convolutions and Adam for the rest."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from tinydigits.config import TrainConfig

# Newton-Schulz iteration x -> a x + b x³ + c x⁵ on singular values: these coefficients (Jordan et
# al. 2024) rise fastest from 0 and end within 0.7 and 1.2, which is near enough to 1.
A, B, C = 3.4445, -4.7750, 2.0315
ITERATIONS = 5


def optimizers_for(net: nn.Module, config: TrainConfig) -> list[Optimizer]:
    """Return the optimisers that together adjust all of the net's parameters, by ``config``."""
    parameters = list(net.parameters())
    if config.optimizer == "adam":
        return [_adam(parameters, config)]
    kernels = [each for each in parameters if each.ndim == 4]
    rest = [each for each in parameters if each.ndim != 4]
    # Adam's usual memory of squared gradients, a thousand steps, is longer than a short training.
    return [Muon(kernels, lr=config.muon_lr), _adam(rest, config, memory=0.99)]


def _adam(parameters: list[nn.Parameter], config: TrainConfig, memory: float = 0.999) -> Adam:
    return Adam(
        parameters,
        lr=config.lr,
        betas=(0.9, memory),
        weight_decay=config.weight_decay,
        fused=True,
    )


class Muon(Optimizer):
    """Nesterov momentum, orthogonalised: every step turns each kernel in all directions alike.

    A kernel (out, in, height, width) is a matrix (out, in * height * width). Its momentum U S Vᵀ is
    replaced by U Vᵀ, times sqrt(max(1, rows / columns)), so that directions that gradients rarely
    take are learned as fast as the others. Keller Jordan et al., "Muon: an optimizer for hidden
    layers in neural networks", 2024.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.9
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Adjust the kernels by their gradients; there is no closure to give."""
        assert closure is None
        for group in self.param_groups:
            kernels = group["params"]
            steps = [self._momentum(each, group["momentum"]).flatten(1) for each in kernels]
            for kernel, direction in zip(kernels, orthogonalise(steps), strict=True):
                rows, columns = direction.shape
                lr = group["lr"] * max(1, rows / columns) ** 0.5
                kernel.sub_(direction.reshape(kernel.shape), alpha=lr)

    def _momentum(self, kernel: nn.Parameter, decay: float) -> Tensor:
        assert kernel.grad is not None  # all of the net takes part in every loss
        state = self.state[kernel]
        if not state:
            state["momentum"] = torch.zeros_like(kernel)
        mean: Tensor = state["momentum"].mul_(decay).add_(kernel.grad)
        return mean.mul(decay).add_(kernel.grad)


def orthogonalise(matrices: list[Tensor]) -> list[Tensor]:
    """Return about U Vᵀ for each matrix U S Vᵀ: singular values brought to between 0.7 and 1.2.

    Those below about 1 % of a matrix's Frobenius norm stay smaller. The matrices may differ in
    shape: in one batch, filled up with zeros, they cost half of what they do one by one.
    """
    shapes = [matrix.shape for matrix in matrices]
    x = torch.zeros(len(matrices), max(r for r, _ in shapes), max(c for _, c in shapes))
    x = x.to(matrices[0].device)
    for filled, matrix in zip(x, matrices, strict=True):
        # No singular value may be above 1, where the iteration diverges.
        filled[: matrix.shape[0], : matrix.shape[1]] = matrix / (matrix.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=B, alpha=C), x, beta=A)
    return [filled[:rows, :columns] for filled, (rows, columns) in zip(x, shapes, strict=True)]
