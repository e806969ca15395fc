"""The folder for Hugging Face: weights that load, a card that tells the truth."""

import json
import statistics
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.test_records import NOW, STUDIES, damage, interval
from tinydigits import Net, infer, load, report
from tinydigits.data.dataset import Dataset
from tinydigits.export.safetensors import folder, studies
from tinydigits.net.shipped import NAMES, WEIGHTS
from tinydigits.net.trained import source_of
from tinydigits.train.recipes import Recipe


@pytest.fixture
def files(drawn: Dataset) -> dict[str, bytes]:
    tested = report(infer(load(), drawn.test.images), drawn.test.labels)
    return folder(source_of("people"), tested, "synthetic digits")


def test_weights_fit_the_net(files: dict[str, bytes], tmp_path: Path, drawn: Dataset) -> None:
    (tmp_path / "model.safetensors").write_bytes(files["model.safetensors"])
    net = Net()
    net.load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(infer(net, drawn.test.images), infer(load(), drawn.test.images))


def test_folder_has_what_hugging_face_reads(files: dict[str, bytes], drawn: Dataset) -> None:
    assert sorted(files) == ["README.md", "config.json", "model.safetensors"]
    config = json.loads(files["config.json"])
    assert (config["parameters"], config["num_labels"]) == (13_034, 10)
    _, head, text = files["README.md"].decode().split("---\n", 2)
    assert {"license: mit", "pipeline_tag: image-classification"} <= set(head.splitlines())
    tested = report(infer(load(), drawn.test.images), drawn.test.labels)
    assert f"      value: {tested.accuracy:.2f}\n" in head
    assert str(tested) in text
    assert all(f"\n## {part}\n" in text for part in ("Figures", "Use", "Intended use", "Limits"))
    assert "{" not in text


def test_card_quotes_the_study_of_a_recipe_only(drawn: Dataset, tmp_path: Path) -> None:
    tested = report(infer(load(), drawn.test.images), drawn.test.labels)
    study = studies()["best"]
    quoted = f"Recipe `best`, {study.n} seeds, of which this net is the first"
    assert quoted in folder(source_of("best"), tested, "x")["README.md"].decode()
    copy = tmp_path / "best.pth"
    copy.write_bytes((WEIGHTS / "best.pth").read_bytes())
    assert "Recipe" not in folder(source_of(str(copy)), tested, "x")["README.md"].decode()


@pytest.mark.parametrize("recipe", NAMES)
def test_studies_in_the_package_are_the_records(recipe: Recipe) -> None:
    accuracies = list(STUDIES[NOW][recipe].accuracies.values())
    told = studies()[recipe]
    assert told.n == len(accuracies)
    assert (told.mean, told.low, told.high, told.damaged) == pytest.approx(
        (statistics.mean(accuracies), *interval(accuracies), damage(recipe)), abs=1e-4
    )
