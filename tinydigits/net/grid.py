"""Integer weights: each output channel of a kernel has its own grid of evenly spaced values.

The grid is symmetric around 0, and its outermost value is the channel's largest weight. Folding a
batch normalisation into the kernel scales a channel as a whole and leaves its integers unchanged.
"""

from torch import Tensor

from tinydigits.net.layers import largest


def scale_of(kernel: Tensor, bits: int) -> Tensor:
    """Return what one unit of each channel's weights stands for, (out,), for (out, in, y, x)."""
    scale = kernel.detach().abs().amax(dim=(1, 2, 3)) / largest(bits)
    scale = scale.where(scale > 0, scale.max())  # a channel that ignores its input
    return scale.where(scale > 0, scale.new_ones(()))  # all do


def in_units(kernel: Tensor, bits: int) -> Tensor:
    """Return a kernel (out, in, y, x) in units of each channel's scale; on the grid, integers."""
    return kernel.detach() / _columns(scale_of(kernel, bits))


def on_grid(kernel: Tensor, bits: int) -> Tensor:
    """Return a kernel (out, in, y, x) with each weight moved to the nearest value of its grid."""
    scale = _columns(scale_of(kernel, bits))
    return (kernel.detach() / scale).round() * scale


def _columns(scale: Tensor) -> Tensor:
    return scale.view(-1, 1, 1, 1)
