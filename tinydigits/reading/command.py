"""The command ``tinydigits predict``: one line for each picture."""

import io
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from tqdm import tqdm

from tinydigits.errors import InputError
from tinydigits.files import write_atomically
from tinydigits.net.model import Net
from tinydigits.net.threads import one_thread
from tinydigits.net.trained import load
from tinydigits.reading import image, messages, pictures
from tinydigits.reading.prediction import Prediction, answer

Pixels = npt.NDArray[np.uint8]

BATCH = 64  # pictures at a time: lines appear promptly, and the net still works in bulk
TOP = 3  # most probable digits that --json lists


def read(names: tuple[str, ...], *, model: str, as_json: bool, inputs: Path | None) -> int:
    """Print the digit in each picture; return 0 if all were answered, 1 if some, 2 if none.

    A picture that cannot be answered gets a line on standard error, and the rest continue. The
    folder ``inputs`` receives the 28x28 pixels that the net saw.

    Raises:
        InputError: no picture is given, there is no such model, or ``inputs`` cannot be written.
    """
    files = pictures.find(names)
    net = load(model)
    width = max(len(file) for file in files)
    answered = 0
    for file, prediction in _answers(files, net):
        if not as_json and not answered:
            tqdm.write(f"{'file':{width}}  digit  probability  runner-up")
        tqdm.write(_json(file, prediction) if as_json else _row(file, prediction, width))
        if inputs:
            path = pictures.numbered(inputs, file, answered)
            write_atomically(path, _png(prediction.pixels))
        answered += 1
    if answered == len(files):
        return 0
    return 1 if answered else 2


def inputs_of(files: Sequence[str]) -> Iterator[tuple[str, Pixels]]:
    """Yield each file with its digit in MNIST's format, uint8 (28, 28).

    A file that cannot be read as one digit gets a line on standard error and is skipped.
    """
    # A single batch is answered before a progress bar could be seen.
    hide = None if len(files) > BATCH else True
    for file in tqdm(files, desc="reading", unit="picture", leave=False, disable=hide):
        try:
            with one_thread():
                pixels = image.to_mnist(pictures.open_picture(file))
            yield file, pixels
        except InputError as error:  # noqa: PERF203 - each picture fails on its own
            told = messages.explained(error, f"type tinydigits read {shlex.quote(file)}")
            tqdm.write(f"error: {file}: {told}", file=sys.stderr)


def _answers(files: Sequence[str], net: Net) -> Iterator[tuple[str, Prediction]]:
    inputs = inputs_of(files)
    while batch := list(islice(inputs, BATCH)):
        predictions = answer([pixels for _, pixels in batch], net)
        yield from zip((file for file, _ in batch), predictions, strict=True)


def _row(file: str, prediction: Prediction, width: int) -> str:
    second = prediction.ranking[1]
    return (
        f"{file:{width}}  {prediction.digit:5}  {100 * prediction.probability:9.2f} %  "
        f"{second} ({100 * prediction.probabilities[second]:.2f} %)"
    )


def _json(file: str, prediction: Prediction) -> str:
    top = [
        {"digit": digit, "probability": prediction.probabilities[digit]}
        for digit in prediction.ranking[:TOP]
    ]
    line: dict[str, Any] = {"file": file, **top[0], "top": top}
    return json.dumps(line)


def _png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
