"""The curves of a run: what is drawn, for which digits, and under which warning."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from tinydigits.evaluate.plots import png
from tinydigits.train.curves import curves
from tinydigits.train.loop import EpochResult


@pytest.mark.parametrize("held_out", [None, 98.0])
@pytest.mark.parametrize("warning", [None, "beware"])
def test_curves_with_and_without_digits_held_out(
    held_out: float | None, warning: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures: list[Figure] = []

    def keep(figure: Figure) -> bytes:
        figures.append(figure)
        return png(figure)

    monkeypatch.setattr("tinydigits.train.curves.png", keep)
    history = [EpochResult(i, 0.5 / (i + 1), 90.0 + i, held_out, held_out, 2, 1) for i in range(3)]
    picture = Image.open(io.BytesIO(curves(history, warning)))
    assert (picture.format, picture.size) == ("PNG", (1080, 432))
    loss, error = figures[0].axes
    assert [len(axes.lines) for axes in (loss, error)] == [2 if held_out else 1] * 2
    assert np.asarray(error.lines[0].get_ydata()).tolist() == [10, 9, 8]
    texts = [text.get_text() for text in figures[0].findobj(Text) if isinstance(text, Text)]
    assert ("beware" in texts) == bool(warning)
