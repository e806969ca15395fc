from pathlib import Path

import numpy as np
import pytest
import torch

from tests.net.test_finder import with_statistics
from tinydigits.net import padded
from tinydigits.net.blocks import fold, unfold
from tinydigits.net.contract import CLASSES, STRIP
from tinydigits.net.model import parameter_count
from tinydigits.net.strip import StripNet, as_function

pytest.importorskip("onnxruntime", reason="no onnxruntime: pip install onnxruntime")

from tinydigits.export.strip import onnx_of
from tinydigits.net.runtime import reader


def test_it_has_at_most_60_000_parameters() -> None:
    assert parameter_count(StripNet()) == 51_611 <= 60_000


def test_its_file_answers_as_it_does(tmp_path: Path) -> None:
    net = with_statistics(StripNet())
    kept = padded.decode(padded.encode(fold(net)))
    folded = as_function(unfold(StripNet(folded=True), kept))
    (tmp_path / "strip.onnx").write_bytes(onnx_of(kept))
    read = reader(tmp_path / "strip.onnx")
    for width in (8, 30, 200):
        strip = np.random.default_rng(width).random((STRIP, width), np.float32)
        expected = net(torch.from_numpy(strip)[None, None])[:, 0].detach().numpy()
        assert expected.shape == (width // 2, CLASSES + 1)
        assert np.abs(folded(strip) - expected).max() < 0.02  # weights have 16 bits
        assert np.abs(read(strip) - folded(strip)).max() < 1e-4
