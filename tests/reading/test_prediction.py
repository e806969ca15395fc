"""``tinydigits.predict``: the inputs it accepts and the answers it returns."""

import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

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


def test_tensors_of_every_kind_are_read() -> None:
    batch = np.stack([np.asarray(drawn(digit, ink=255, paper=0)) for digit in (3, 1, 4)])
    pixels = torch.from_numpy(batch)
    normalised = (pixels / 255 - 0.1307) / 0.3081
    kinds: list[torch.Tensor] = [
        pixels.to(torch.int64),
        (pixels / 255).bfloat16(),
        (pixels / 255).half(),
        normalised.requires_grad_(),
        normalised[:, None],  # (N, 1, H, W), as a net takes them
        pixels[:, None].expand(-1, 3, -1, -1),
        pixels.conj(),
    ]
    for tensor in kinds:
        assert [each.digit for each in tinydigits.predict(tensor)] == [3, 1, 4]
        assert [each.digit for each in tinydigits.predict(list(tensor))] == [3, 1, 4]


def test_nested_lists_are_a_picture_or_several() -> None:
    image = np.asarray(drawn(4))
    assert [each.digit for each in tinydigits.predict(image.tolist())] == [4]
    assert [each.digit for each in tinydigits.predict([image.tolist()] * 2)] == [4, 4]


def test_files_and_their_bytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "four.png"
    drawn(4).save(path)
    content = path.read_bytes()
    with zipfile.ZipFile(tmp_path / "four.zip", "w") as archive:
        archive.write(path, "4.png")
    with path.open("rb") as file, zipfile.ZipFile(tmp_path / "four.zip") as archive:
        files: list[Any] = [
            content,
            bytearray(content),
            memoryview(content),
            archive.open("4.png"),
            file,
        ]
        assert [each.digit for each in tinydigits.predict(files)] == [4] * 5
    assert [each.digit for each in tinydigits.predict(content)] == [4]
    assert [each.digit for each in tinydigits.predict(io.BytesIO(content))] == [4]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "NoneType is not a picture: expected a Pillow image, an array"),
        (7, "int is not a picture"),
        ([None], r"picture 0: an array of shape \(\) and type object is not a picture"),
        ([[1, 2], [3]], "list is not a picture"),
        (torch.zeros(28, 28).to_sparse(), "Tensor is not a picture: .* dense tensor"),
        (torch.zeros(28, 28, device="meta"), "Tensor is not a picture"),
        (b"", "picture 0: not a picture in a readable format"),
        (io.BytesIO(b"GIF89a"), "picture 0: not a picture in a readable format"),
        (io.StringIO("text"), "picture 0: a file opened as text: open it with mode 'rb'"),
    ],
)
def test_what_is_no_picture_gets_one_line(wrong: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        tinydigits.predict(wrong)
    assert "\n" not in str(refused.value)


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
    with pytest.raises(SeveralDigits, match=r"picture 0: there is more .* tinydigits\.read$"):
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
