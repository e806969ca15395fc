import dataclasses
from pathlib import Path
from typing import get_args

import pytest

from tinydigits.arguments import parse
from tinydigits.cli import Command, Train
from tinydigits.train.config import TrainConfig
from tinydigits.train.recipes import RECIPES, Recipe


def given(*arguments: str) -> TrainConfig:
    command = parse(Command, ["train", *arguments])
    assert isinstance(command, Train)
    return command.config


def test_classic_is_the_default() -> None:
    assert given() == given("--recipe", "classic") == RECIPES["classic"] == TrainConfig()


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_command_line_names_recipes(recipe: Recipe) -> None:
    assert given("--recipe", recipe) == given(f"--recipe={recipe}") == RECIPES[recipe]


@pytest.mark.parametrize("recipe", RECIPES)
def test_options_beside_a_recipe_win_wherever_they_stand(recipe: Recipe) -> None:
    expected = dataclasses.replace(RECIPES[recipe], epochs=77, batch_size=5)
    assert given("--recipe", recipe, "--epochs", "77", "--batch-size", "5") == expected
    assert given("--epochs", "77", "--batch-size", "5", "--recipe", recipe) == expected


def test_every_name_that_the_command_line_takes_has_a_recipe() -> None:
    assert set(get_args(Recipe)) == set(RECIPES)


def test_the_last_of_two_recipes_wins() -> None:
    assert given("--recipe", "fast", "--recipe=classic") == RECIPES["classic"]
    assert given("--recipe=classic", "--recipe", "fast") == RECIPES["fast"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_trains_every_seed_with_its_final_net(recipe: Recipe) -> None:
    config = RECIPES[recipe]
    known = ("auto=0.5",) if recipe == "adapt" else ()  # it adds digits of one's own to these
    assert (config.seed, config.data, config.device, config.precision) == (
        0,
        known,
        "auto",
        "auto",
    )
    assert config.val == (5_000 if recipe == "classic" else 0)


def test_a_study_takes_the_same_recipes(tmp_path: Path) -> None:
    for recipe, config in RECIPES.items():
        study = parse(
            Command, ["study", "--recipe", recipe, "--seeds", "0-3", "--out", str(tmp_path)]
        )
        assert study.config == config  # type: ignore[attr-defined]
