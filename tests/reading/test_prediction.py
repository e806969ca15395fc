"""``tinydigits.predict``: the inputs it accepts and the answers it returns."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import tinydigits
from tests.pictures import drawn, side_by_side
from tinydigits import InputError, NoDigit
from tinydigits.errors import SeveralDigits
from tinydigits.net.model import Net
from tinydigits.net.shipped import DEFAULT, WEIGHTS
from tinydigits.reading.prediction import Picture


def test_images_arrays_and_paths_give_the_same_answer(tmp_path: Path) -> None:
    image = drawn(4)
    image.save(tmp_path / "four.png")
    path = tmp_path / "four.png"
    predictions = tinydigits.predict([image, np.asarray(image), path, str(path)])
    assert [each.digit for each in predictions] == [4] * 4
    assert len({each.probabilities for each in predictions}) == 1


@pytest.mark.parametrize(
    "single", [drawn(7), np.asarray(drawn(7)), np.asarray(drawn(7).convert("RGB"))]
)
def test_a_single_picture_needs_no_list(single: Picture) -> None:
    assert [each.digit for each in tinydigits.predict(single)] == [7]


def test_a_batch_is_answered_in_order() -> None:
    batch = np.stack([np.asarray(drawn(digit)) for digit in (3, 1, 4)])
    assert [each.digit for each in tinydigits.predict(batch)] == [3, 1, 4]
    assert [each.digit for each in tinydigits.predict(torch.from_numpy(batch))] == [3, 1, 4]
    assert tinydigits.predict([]) == []


def test_the_answer_is_the_nets_softmax_over_what_it_saw() -> None:
    net = tinydigits.load()
    (prediction,) = tinydigits.predict(drawn(2))
    logits = tinydigits.infer(net, torch.from_numpy(prediction.pixels)[None])[0]
    assert prediction.probabilities == pytest.approx(torch.softmax(logits, 0).tolist(), abs=1e-6)
    assert sum(prediction.probabilities) == pytest.approx(1)
    assert prediction.probability == max(prediction.probabilities)
    ranked = [prediction.probabilities[digit] for digit in prediction.ranking]
    assert ranked == sorted(prediction.probabilities, reverse=True)


def test_another_net_can_be_given() -> None:
    torch.manual_seed(0)
    untrained = Net().eval()
    (prediction,) = tinydigits.predict(drawn(2), model=untrained)
    assert prediction.probability < 0.5


def test_what_is_wrong_says_which_picture(tmp_path: Path) -> None:
    blank = np.zeros((50, 50), np.uint8)
    with pytest.raises(NoDigit, match="picture 1: the picture is blank"):
        tinydigits.predict([drawn(1), blank])
    with pytest.raises(SeveralDigits, match="picture 0: there is more than one digit"):
        tinydigits.predict(side_by_side(4, 2, 50))
    with pytest.raises(InputError, match=r"gone\.png: No such file"):
        tinydigits.predict(tmp_path / "gone.png")
    with pytest.raises(InputError, match="picture 0: an array of shape"):
        tinydigits.predict([np.zeros(784)])


def test_a_net_is_named_by_its_recipe_or_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tinydigits.load() is tinydigits.load(DEFAULT)
    shutil.copy(WEIGHTS / "classic.pth", tmp_path / "fast")
    monkeypatch.chdir(tmp_path)
    weights = {
        name: tinydigits.load(name).get_parameter("layers.conv1.weight")
        for name in ("classic", "fast", "./fast")
    }
    assert torch.equal(weights["./fast"], weights["classic"])
    assert not torch.equal(weights["fast"], weights["classic"])
    with pytest.raises(InputError, match=r"there is no slow: expected .* one of classic, fast"):
        tinydigits.load("slow")
