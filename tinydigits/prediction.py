"""From pictures to answers: what ``tinydigits.predict`` does."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from tinydigits import image, pictures
from tinydigits.checkpoint import load_net
from tinydigits.errors import InputError
from tinydigits.evaluation import infer
from tinydigits.model import Net
from tinydigits.nets import net_file
from tinydigits.recipes import DEFAULT, RECIPES

Picture = Image.Image | npt.ArrayLike | str | Path


@dataclass(frozen=True)
class Prediction:
    """What the net reads in one picture."""

    probabilities: tuple[float, ...]
    """Of the digits 0 to 9; they sum to 1."""
    pixels: npt.NDArray[np.uint8]
    """What the net saw: (28, 28), white on black."""

    @property
    def ranking(self) -> list[int]:
        """The ten digits, the likeliest first."""
        return sorted(range(len(self.probabilities)), key=lambda digit: -self.probabilities[digit])

    @property
    def digit(self) -> int:
        """The answer."""
        return self.ranking[0]

    @property
    def probability(self) -> float:
        """The answer's probability, 0 to 1."""
        return self.probabilities[self.digit]


@dataclass(frozen=True)
class Source:
    """A trained net and where it comes from."""

    name: str
    """The recipe's, or the file's."""
    path: Path
    net: Net
    sha256: str
    """Of the checkpoint's file."""


def load(model: Path | str = DEFAULT) -> Net:
    """Return a trained net, on the CPU, in evaluation mode.

    A recipe's name stands for the net that comes with the package; anything else is the path of a
    checkpoint, as ``./best`` is of a file with such a name.

    Raises:
        InputError: there is no such net, or the file is no checkpoint of this one.
    """
    return _own(str(model)) if model in RECIPES else load_net(net_file(model))


def source_of(model: str) -> Source:
    """Return the net that ``load`` returns, with the name and the sum of its file.

    Raises:
        InputError: as there.
    """
    net, path = load(model), net_file(model)
    return Source(
        name=model if model in RECIPES else path.name,
        path=path,
        net=net,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


@cache
def _own(recipe: str) -> Net:
    return load_net(net_file(recipe))


def predict(images: Picture | Iterable[Picture], *, model: Net | None = None) -> list[Prediction]:
    """Return what the net reads in pictures: Pillow images, arrays, paths, or one of these.

    Arrays are (H, W), (H, W, 3) or (H, W, 4), or (N, H, W) for several; see ``image.from_array``.

    Raises:
        InputError: a picture cannot be opened.
        NoDigit: a picture holds no digit, or more than one.
    """
    inputs = [_input(number, each) for number, each in enumerate(_several(images))]
    return answer(inputs, model or load())


def _several(images: Any) -> Iterable[Any]:
    if isinstance(images, Image.Image | str | Path):
        return [images]
    if isinstance(images, np.ndarray | torch.Tensor):
        is_one = images.ndim == 2 or (images.ndim == 3 and images.shape[2] in (1, 3, 4))
        return [images] if is_one else list(images)
    return list(images)


def _input(number: int, picture: Any) -> npt.NDArray[np.uint8]:
    try:
        return image.to_mnist(_opened(picture))
    except InputError as error:
        name = picture if isinstance(picture, str | Path) else f"picture {number}"
        raise type(error)(f"{name}: {error}") from error


def _opened(picture: Any) -> Image.Image:
    if isinstance(picture, Image.Image):
        return picture
    if isinstance(picture, str | Path):
        return pictures.open_picture(str(picture))
    return image.from_array(picture)


def answer(inputs: list[npt.NDArray[np.uint8]], model: Net) -> list[Prediction]:
    """Return what the net reads in pictures that are already (28, 28), white on black."""
    if not inputs:
        return []
    logits = infer(model, torch.from_numpy(np.stack(inputs)))
    rows = torch.softmax(logits.double(), dim=1).tolist()
    return [Prediction(tuple(row), pixels) for row, pixels in zip(rows, inputs, strict=True)]
