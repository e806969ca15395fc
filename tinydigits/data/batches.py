"""Who sees which digits, and when."""

import torch
from torch import Tensor

from tinydigits.data.dataset import Digits
from tinydigits.seeds import derive


def order(n: int, *, seed: int, epoch: int) -> Tensor:
    """Return the indices 0 … n-1 in the order of ``epoch``, which does not depend on the device."""
    generator = torch.Generator().manual_seed(derive(seed, "order", epoch))
    return torch.randperm(n, generator=generator)


def hold_out(digits: Digits, count: int) -> tuple[Digits, Digits]:
    """Return the digits without ``count`` validation digits, and those.

    The split is the same for every seed, so that runs are judged by the same digits.
    """
    generator = torch.Generator().manual_seed(derive(0, "validation"))
    shuffled = torch.randperm(len(digits), generator=generator)
    # Sorted, so that what is left keeps its order and --val 0 is the set itself.
    return digits[shuffled[count:].sort().values], digits[shuffled[:count].sort().values]
