"""Request and response bodies, as the server reads, writes and documents them."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from tinydigits.data import synthetic
from tinydigits.net.contract import SIDE
from tinydigits.serve import limits

FIELD = "files"  # of the form


class Answer(BaseModel):
    """The digit that the net reads in a picture."""

    digit: int = Field(ge=0, le=9)
    probability: float = Field(ge=0, le=1, description="Probability of this digit.")
    probabilities: list[float] = Field(
        min_length=10, max_length=10, description="Probabilities of the digits 0 to 9."
    )


class Named(BaseModel):
    """A file of the request."""

    file: str


class FileAnswer(Answer, Named):
    """The digit that the net reads in a file."""


class Unread(Named):
    """A file without exactly one readable digit."""

    error: str = Field(description="What was found instead of one digit.")


class Predictions(BaseModel):
    """One prediction for each picture, in the order of the request."""

    model: str = Field(description="Name of the net.")
    predictions: Sequence[Answer | FileAnswer | Unread]


class Problem(BaseModel):
    """Why the request failed."""

    error: str


class Health(BaseModel):
    """The state of the server."""

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
    """Pictures as pixels from 0 to 255, white on black: 784 numbers each, or 28 rows of 28."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[Numbers], Field(min_length=1, max_length=limits.MOST_IMAGES)]


def request_body() -> dict[str, Any]:
    """Return the OpenAPI description of ``/predict``'s body, with two digits as an example."""
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
