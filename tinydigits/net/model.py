"""The net: 13,034 parameters, fully convolutional, from 28x28 pixels to ten logits."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tinydigits.net.contract import CLASSES, MEAN, SIDE, STD


class Net(nn.Module):
    """Seven convolutions in three blocks with batch normalisation, averaged to ten logits.

    ``forward`` takes normalised images (B, 1, 28, 28) (see ``normalise``) and returns logits
    (B, 10). The 3x3 convolutions have no padding: MNIST's digits have a margin of 4 pixels, and
    without padding the same net needs half the arithmetic.
    """

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            OrderedDict(
                # block 1: 28 -> 26 -> 24 -> 12 pixels per side
                conv1=nn.Conv2d(1, 8, kernel_size=3),
                bn1=nn.BatchNorm2d(8),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(8, 16, kernel_size=3),
                bn2=nn.BatchNorm2d(16),
                relu2=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                dropout1=nn.Dropout(dropout),
                # block 2: 12 -> 10 -> 8 -> 4
                conv3=nn.Conv2d(16, 16, kernel_size=3),
                bn3=nn.BatchNorm2d(16),
                relu3=nn.ReLU(),
                conv4=nn.Conv2d(16, 24, kernel_size=3),
                bn4=nn.BatchNorm2d(24),
                relu4=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
                dropout2=nn.Dropout(dropout),
                # block 3: 4 -> 2 -> 1
                conv5=nn.Conv2d(24, 24, kernel_size=3),
                bn5=nn.BatchNorm2d(24),
                relu5=nn.ReLU(),
                conv6=nn.Conv2d(24, 16, kernel_size=1),
                bn6=nn.BatchNorm2d(16),
                relu6=nn.ReLU(),
                average=nn.AdaptiveAvgPool2d(1),
                conv7=nn.Conv2d(16, CLASSES, kernel_size=1),
                flatten=nn.Flatten(),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (B, 10) for normalised images (B, 1, 28, 28)."""
        logits: Tensor = self.layers(x)
        return logits


def normalise(images: Tensor) -> Tensor:
    """Return net input (B, 1, H, W), float32, for pixels (B, H, W) from 0 to 255, of any dtype."""
    return ((images.float() - 255 * MEAN) / (255 * STD)).unsqueeze(1)


def parameter_count(net: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)


@dataclass(frozen=True)
class Layer:
    """One row of the layer table; shape and multiply-adds are for a single image."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


def layer_table(net: nn.Module) -> list[Layer]:
    """Return one row per layer, in the order of the forward pass of a 28x28 image.

    Multiply-adds are counted for convolutions and fully connected layers; the rest is negligible.
    """
    rows: list[Layer] = []
    leaves = [(name, module) for name, module in net.named_modules() if not any(module.children())]
    hooks = [module.register_forward_hook(_recorder(name, rows)) for name, module in leaves]
    was_training = net.training
    try:
        with torch.inference_mode():
            net.eval()(torch.zeros(1, 1, SIDE, SIDE))
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return rows


def _recorder(
    name: str, rows: list[Layer]
) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    def record(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        rows.append(
            Layer(
                name=name.rpartition(".")[2],
                kind=type(module).__name__,
                output_shape=tuple(output.shape[1:]),
                parameters=parameter_count(module),
                multiply_adds=_multiply_adds(module, output),
            )
        )

    return record


def _multiply_adds(module: nn.Module, output: Tensor) -> int:
    if isinstance(module, nn.Conv2d | nn.Linear):
        return output[0].numel() * module.weight[0].numel()
    return 0
