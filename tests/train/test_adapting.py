"""Training a net further, on digits of one's own."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tinydigits.data.dataset import Dataset
from tinydigits.errors import InputError
from tinydigits.net.model import Net
from tinydigits.net.trained import load
from tinydigits.train.batches import split
from tinydigits.train.config import TrainConfig
from tinydigits.train.engine.choice import choose
from tinydigits.train.loop import fit, start

CONFIG = TrainConfig(epochs=2, batch_size=64, val=0, dropout=0.0, start="best", device="cpu")


def trained(config: TrainConfig, dataset: Dataset) -> Net:
    digits = split(dataset, config)
    state = start(config, len(digits.train), choose(config))
    list(fit(state, digits, config))
    return state.net


def test_training_starts_from_the_given_net(drawn: Dataset) -> None:
    state = start(CONFIG, len(drawn.train), choose(CONFIG))
    for name, value in load("best").state_dict().items():
        assert torch.equal(state.net.state_dict()[name], value)


def test_a_blend_lies_between_the_two_nets(drawn: Dataset) -> None:
    whole = trained(CONFIG, drawn).state_dict()
    blended = trained(replace(CONFIG, blend=0.25), drawn).state_dict()
    for name, value in load("best").state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(blended[name], 0.75 * value + 0.25 * whole[name])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"blend": 0.5, "start": ""}, "--blend is 0.5, but must be 1 without a net to --start"),
        ({"blend": 0.0}, "--blend is 0.0, but must be above 0 and at most 1"),
    ],
)
def test_blends_of_nothing_are_refused(options: dict[str, float], told: str) -> None:
    with pytest.raises(InputError, match=told):
        replace(CONFIG, **options)  # type: ignore[arg-type]


def test_another_net_is_refused(tmp_path: Path, drawn: Dataset) -> None:
    other = Net().state_dict()
    other["layers.conv1.weight"] = torch.zeros(16, 1, 3, 3)
    torch.save(other, tmp_path / "other.pth")
    config = replace(CONFIG, start=str(tmp_path / "other.pth"))
    with pytest.raises(InputError, match=r"other\.pth holds another net: layers\.conv1\.weight is"):
        start(config, len(drawn.train), choose(config))
