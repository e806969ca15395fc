"""Predict the digits in pictures from Python: ``tinydigits.predict``."""

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from tinydigits.errors import InputError
from tinydigits.net.inference import infer
from tinydigits.net.model import Net
from tinydigits.net.trained import load
from tinydigits.reading import image, messages, pictures
from tinydigits.reading.image import CHANNELS

Picture = Image.Image | npt.ArrayLike | torch.Tensor | str | PathLike[str] | bytes | IO[bytes]


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
    """Return a prediction for each picture.

    A picture is a Pillow image, an array or tensor, a path, a file opened with mode ``rb``, or such
    a file's bytes; several are an iterable of these. Arrays are (H, W) or (H, W, C), or (N, H, W),
    (N, C, H, W) and (N, H, W, C) for several, of any numbers; see ``image.from_array``. Without
    ``model``, the package's default net answers.

    Raises:
        InputError: a picture cannot be opened, or an argument is none.
        NoDigit: a picture contains no digit.
        SeveralDigits: a picture contains more than one digit.
    """
    inputs = [_input(number, each) for number, each in enumerate(_several(images))]
    return answer(inputs, model or load())


def _several(images: Any) -> list[Any]:
    """Return the pictures among the accepted arguments of ``predict``."""
    if isinstance(images, Image.Image | str | PathLike) or _is_file(images):
        return [images]
    if hasattr(images, "__array__") or _is_nested(images):
        array = _array(images)
        is_one = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS)
        return [array] if is_one else list(array) if array.ndim else [array]
    if isinstance(images, Iterable):
        return list(images)
    raise messages.no_array(images)


def _is_file(picture: Any) -> bool:
    """Whether this is a picture file's content, or an object with a method to read it."""
    return isinstance(picture, bytes | bytearray | memoryview) or hasattr(picture, "read")


def _is_nested(images: Any) -> bool:
    """Whether these are lists of numbers: rows of one picture, or several pictures."""
    return isinstance(images, list | tuple) and bool(images) and isinstance(images[0], list | tuple)


def _array(values: Any) -> npt.NDArray[Any]:
    """Return a tensor, on any device, or anything else that NumPy takes, as an array."""
    try:
        if isinstance(values, torch.Tensor):
            values = values.detach().cpu()
            # NumPy has no bfloat16.
            return np.asarray(values.float() if values.is_floating_point() else values)
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # such as a sparse tensor
        raise messages.no_array(values) from error


def _input(number: int, picture: Any) -> npt.NDArray[np.uint8]:
    try:
        return image.to_mnist(opened(picture))
    except InputError as error:
        name = picture if isinstance(picture, str | PathLike) else f"picture {number}"
        told = messages.explained(error, "call tinydigits.read")
        raise type(error)(f"{name}: {told}") from error


def opened(picture: Any) -> Image.Image:
    """Return a picture among the accepted arguments of ``predict`` as a Pillow image."""
    if isinstance(picture, Image.Image):
        return picture
    if isinstance(picture, str | PathLike):
        return pictures.open_picture(os.fspath(picture))
    if _is_file(picture):
        return pictures.open_content(_content(picture))
    return image.from_array(_array(picture))


def _content(file: Any) -> bytes:
    """Return the bytes of a file object, read from where it stands, or of a bytes-like object."""
    if isinstance(file, io.TextIOBase):
        raise InputError("a file opened as text: open it with mode 'rb'")
    try:
        return bytes(file.read() if hasattr(file, "read") else file)
    except (OSError, ValueError, TypeError) as error:  # such as a closed file
        raise messages.unreadable(error) from error


def answer(inputs: list[npt.NDArray[np.uint8]], model: Net) -> list[Prediction]:
    """Return predictions for pictures already in MNIST's format, uint8 (28, 28)."""
    if not inputs:
        return []
    logits = infer(model, torch.from_numpy(np.stack(inputs)))
    rows = torch.softmax(logits.double(), dim=1).tolist()
    return [Prediction(tuple(row), pixels) for row, pixels in zip(rows, inputs, strict=True)]
