import dataclasses
import json
from typing import Any

import pytest

from tinydigits.errors import InputError
from tinydigits.train.config import Augmentation, Light, TrainConfig


def test_defaults_are_the_classic_recipe() -> None:
    config = TrainConfig()
    assert (config.epochs, config.batch_size, config.lr) == (10, 128, 0.01)
    assert (config.div_factor, config.final_div_factor) == (10, 100)
    assert (config.weight_decay, config.dropout, config.val) == (1e-5, 0.1, 5000)
    assert config.augmentation == Augmentation(rotation=15, translation=0.1, scale=0.1, shear=10)


def test_a_config_survives_being_written_and_read() -> None:
    config = TrainConfig(
        seed=3,
        lr=0.02,
        augmentation=Augmentation(shear=0),
        light=Light(level=0.1, patches=2),
        shares=(0.5, 0.1),
    )
    assert TrainConfig.from_dict(config.to_dict()) == config
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    "values", [{"epoch": 3}, {"augmentation": {"rotate": 3}}, {"light": {"lamp": 1}}]
)
def test_unknown_options_are_refused_by_name(values: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"unknown option (epoch|rotate|lamp) .*expected"):
        TrainConfig.from_dict(values)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("seed", -1),
        ("epochs", 0),
        ("batch_size", 0),
        ("lr", 0.0),
        ("lr", -0.01),
        ("lr", float("nan")),
        ("lr", float("inf")),
        ("div_factor", 0.0),
        ("final_div_factor", -1.0),
        ("weight_decay", -1e-5),
        ("weight_decay", float("nan")),
        ("weight_bits", 8),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("val", -1),
        ("muon_lr", 0.0),
        ("label_smoothing", 1.0),
        ("label_smoothing", -0.1),
        ("still_epochs", -1),
        ("shares", ()),
        ("shares", (0.5, 0.0)),
        ("shares", (1.1,)),
    ],
)
def test_values_out_of_range_are_refused_with_the_flag_to_mend(option: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"--{option.replace('_', '-')} is .*must be"):
        dataclasses.replace(TrainConfig(), **{option: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("rotation", -1),
        ("rotation", 181),
        ("translation", 1.1),
        ("scale", 1),
        ("scale", float("nan")),
        ("shear", 90),
        ("elastic", -1),
        ("elastic", float("nan")),
    ],
)
def test_augmentation_out_of_range_is_refused(option: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"--augmentation\.{option} is"):
        Augmentation(**{option: value})


@pytest.mark.parametrize(
    "option",
    [
        "level",
        "unevenness",
        "contrast",
        "blur",
        "sharpening",
        "outline",
        "noise",
        "patches",
        "share",
    ],
)
def test_light_out_of_range_is_refused(option: str) -> None:
    for value in (-1, float("nan")):
        options: dict[str, Any] = {option: value}
        with pytest.raises(InputError, match=rf"--light\.{option} is {value}, but must be"):
            Light(**options)


@pytest.mark.parametrize(
    "option", ["level", "unevenness", "contrast", "blur", "outline", "noise", "share"]
)
def test_shares_of_light_end_at_one(option: str) -> None:
    most: dict[str, Any] = {option: 1}
    over: dict[str, Any] = {option: 1.1}
    Light(**most)
    with pytest.raises(InputError, match=rf"--light\.{option} is 1.1, but must be from 0 to 1"):
        Light(**over)
