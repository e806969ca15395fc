"""Predict the digits in pictures from Python: ``tinydigits.predict``."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from tinydigits.errors import InputError
from tinydigits.net.inference import infer
from tinydigits.net.model import Net
from tinydigits.net.trained import load
from tinydigits.reading import image, pictures

Picture = Image.Image | npt.ArrayLike | str | Path


@dataclass(frozen=True)
class Prediction:
    """The net's answer for one picture."""

    probabilities: tuple[float, ...]
    """Of the digits 0 to 9; they sum to 1."""
    pixels: npt.NDArray[np.uint8]
    """What the net saw: uint8 (28, 28), white on black."""

    @property
    def ranking(self) -> list[int]:
        """The ten digits, the most probable first."""
        return sorted(range(len(self.probabilities)), key=lambda digit: -self.probabilities[digit])

    @property
    def digit(self) -> int:
        """The most probable digit."""
        return self.ranking[0]

    @property
    def probability(self) -> float:
        """The probability of ``digit``, 0 to 1."""
        return self.probabilities[self.digit]


def predict(images: Picture | Iterable[Picture], *, model: Net | None = None) -> list[Prediction]:
    """Return a prediction for each picture: a Pillow image, an array, a path, or several of these.

    Arrays are (H, W), (H, W, 3) or (H, W, 4), or (N, H, W) for several; see ``image.from_array``.
    Without ``model``, the package's default net answers.

    Raises:
        InputError: a picture cannot be opened.
        NoDigit: a picture contains no digit.
        SeveralDigits: a picture contains more than one digit.
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
    """Return predictions for pictures already in MNIST's format, uint8 (28, 28)."""
    if not inputs:
        return []
    logits = infer(model, torch.from_numpy(np.stack(inputs)))
    rows = torch.softmax(logits.double(), dim=1).tolist()
    return [Prediction(tuple(row), pixels) for row, pixels in zip(rows, inputs, strict=True)]
