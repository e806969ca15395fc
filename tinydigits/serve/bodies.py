"""The bodies of requests and answers, as the server reads, writes and documents them."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from tinydigits.data import synthetic
from tinydigits.net.contract import SIDE
from tinydigits.serve import limits

FIELD = "files"  # of a form


class Answer(BaseModel):
    """What the net reads."""

    digit: int = Field(ge=0, le=9)
    probability: float = Field(ge=0, le=1, description="Of this digit.")
    probabilities: list[float] = Field(
        min_length=10, max_length=10, description="Of the digits 0 to 9."
    )


class Named(BaseModel):
    """A file that was sent."""

    file: str


class FileAnswer(Answer, Named):
    """What the net reads in a file."""


class Unread(Named):
    """A file in which there is nothing to read."""

    error: str = Field(description="What was found instead of one digit.")


class Predictions(BaseModel):
    """One prediction for each picture, in their order."""

    model: str = Field(description="The net that answered.")
    predictions: Sequence[Answer | FileAnswer | Unread]


class Problem(BaseModel):
    """Why there is no answer."""

    error: str


class Health(BaseModel):
    """The server answers."""

    status: str
    model: str
    version: str


Pixel = Annotated[float, Field(strict=True, ge=0, le=255, allow_inf_nan=False)]
Flat = Annotated[list[Pixel], Field(min_length=SIDE * SIDE, max_length=SIDE * SIDE)]
Row = Annotated[list[Pixel], Field(min_length=SIDE, max_length=SIDE)]
Rows = Annotated[list[Row], Field(min_length=SIDE, max_length=SIDE)]


def _form_of(picture: Any) -> str:
    is_rows = isinstance(picture, list) and bool(picture) and isinstance(picture[0], list)
    return "rows" if is_rows else "flat"


Numbers = Annotated[
    Annotated[Flat, Tag("flat")] | Annotated[Rows, Tag("rows")], Discriminator(_form_of)
]


class Images(BaseModel):
    """Pictures as numbers, 0 to 255, white on black: 784 of them, or 28 rows of 28."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[Numbers], Field(min_length=1, max_length=limits.MOST_IMAGES)]


def request_body() -> dict[str, Any]:
    """Return the documentation of what ``/predict`` takes, with two digits as an example."""
    digits, _ = synthetic.draw(2, seed=7)
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": Images.model_json_schema(),
                "example": {"images": digits.reshape(2, -1).tolist()},
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "additionalProperties": False,
                    "properties": {
                        FIELD: {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": limits.MOST_FILES,
                            "items": {"type": "string", "format": "binary"},
                        }
                    },
                }
            },
        },
    }
