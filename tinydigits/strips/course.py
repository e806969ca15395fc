"""What the strip net learns from rows: the course of ``tinydigits train-strip``."""

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tinydigits.net.blocks import fold
from tinydigits.net.contract import BLANK
from tinydigits.net.padded import STRIP, STRIP_ONNX, decode, encode
from tinydigits.net.strip import StripNet
from tinydigits.strips.config import StripConfig
from tinydigits.strips.rows import Row, stream
from tinydigits.train.drawn import Course

BATCH = 32
WINDOW = 6  # times as many rows are chosen, of which those of like width make the batch
SHIFT = 2  # pixels that a row may move up or down
FULL = (1.0, 1.4)  # factors of ink, before it is clipped


def batch_of(rows: Sequence[Row]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return strips (B, 1, STRIP, W), their columns (B,), all digits in order, and (B,) of each."""
    widest = max(row.ink.shape[1] for row in rows)
    strips = np.zeros((len(rows), 1, rows[0].ink.shape[0], widest + widest % 2), np.float32)
    for strip, row in zip(strips, rows, strict=True):
        strip[0, :, : row.ink.shape[1]] = row.ink / np.float32(255)
    columns = torch.tensor([(row.ink.shape[1] + 1) // 2 for row in rows])
    digits = torch.tensor([digit for row in rows for digit in row.digits], dtype=torch.int64)
    return (
        torch.from_numpy(strips),
        columns,
        digits,
        torch.tensor([len(row.digits) for row in rows]),
    )


def _chosen(kept: Sequence[Sequence[Row]], generator: torch.Generator) -> list[Row]:
    """Return random rows of like width: short ones need not be padded to the longest of all."""
    number = WINDOW * BATCH
    blocks = torch.randint(len(kept), (number,), generator=generator).tolist()
    places = torch.randint(len(kept[0]), (number,), generator=generator).tolist()
    rows = [kept[block][place] for block, place in zip(blocks, places, strict=True)]
    rows.sort(key=lambda row: row.ink.shape[1])
    first = int(torch.randint(WINDOW, (1,), generator=generator)) * BATCH
    return rows[first : first + BATCH]


def _losses(
    net: nn.Module, kept: Sequence[Sequence[Row]], generator: torch.Generator, _: StripConfig
) -> dict[str, Tensor]:
    strips, columns, digits, lengths = batch_of(_chosen(kept, generator))
    answers = net(_varied(strips, generator))
    loss = functional.ctc_loss(answers, digits, columns, lengths, BLANK, zero_infinity=True)
    return {"ctc": loss}


def _varied(strips: Tensor, generator: torch.Generator) -> Tensor:
    """Return strips moved up or down, and with more ink."""
    count = len(strips)
    moved = torch.randint(-SHIFT, SHIFT + 1, (count,), generator=generator).tolist()
    shifted = torch.stack([strip.roll(by, 1) for strip, by in zip(strips, moved, strict=True)])
    least, most = FULL
    factors = least + (most - least) * torch.rand(count, 1, 1, 1, generator=generator)
    return (shifted * factors).clamp(max=1)


def _weights(_: StripConfig) -> dict[str, float]:
    return {"ctc": 1.0}


def _files(net: nn.Module) -> dict[str, bytes]:
    """Return the net as the package holds it: for PyTorch and the page, and for onnxruntime."""
    content = encode(fold(net))
    files = {STRIP.name: content}
    if find_spec("onnx"):
        from tinydigits.export.strip import onnx_of

        files[STRIP_ONNX.name] = onnx_of(decode(content))
    return files


COURSE = Course("strip net", StripNet, stream, _losses, _weights, _files)
