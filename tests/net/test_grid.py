"""Kernels rounded to a few values in each output channel."""

import numpy as np
import pytest
import torch

from tinydigits.net.grid import in_units, on_grid


@pytest.mark.parametrize(("bits", "largest"), [(4, 7), (8, 127)])
def test_each_weight_moves_to_the_nearest_of_its_channels_values(bits: int, largest: int) -> None:
    kernel = torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    rounded = on_grid(kernel, bits).numpy()
    for before, after in zip(kernel.numpy(), rounded, strict=True):
        values = np.abs(before).max() * np.arange(-largest, largest + 1) / largest
        nearest = values[np.abs(before.ravel()[:, None] - values).argmin(axis=1)]
        np.testing.assert_allclose(after.ravel(), nearest, rtol=1e-5, atol=1e-6)


def test_what_is_rounded_stays_and_survives_a_factor_for_each_channel() -> None:
    kernel = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(1))
    kernel[2] = 0  # a channel that ignores its input
    rounded = on_grid(kernel, 4)
    torch.testing.assert_close(on_grid(rounded, 4), rounded)
    units = in_units(rounded, 4)
    assert set(units.round().int().flatten().tolist()) == set(range(-7, 8))
    assert not units[2].any()
    folded = rounded * torch.tensor([0.01, 3, 1, -2, 100, 0.5]).view(-1, 1, 1, 1)
    signs = torch.tensor([1, 1, 1, -1, 1, 1]).view(-1, 1, 1, 1)
    torch.testing.assert_close(in_units(folded, 4), signs * units)
