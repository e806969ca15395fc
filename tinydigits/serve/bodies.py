"""Request and response bodies, as the server reads, writes and documents them."""

import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from tinydigits.data import synthetic
from tinydigits.net.contract import SIDE
from tinydigits.serve import limits

FIELD = "files"  # of the form
# Base64 of either alphabet, with or without padding and line breaks. Matched in linear time.
TEXT = r"^(data:[^,]*;base64,)?[A-Za-z0-9+/_= \t\r\n-]*$"
URL_SAFE = bytes.maketrans(b"-_", b"+/")


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


class Unread(BaseModel):
    """A picture that was not read."""

    error: str = Field(description="Why, and for `/predict` what was found instead of one digit.")


class FileAnswer(Answer, Named):
    """The digit that the net reads in a file."""


class FileUnread(Unread, Named):
    """A file that was not read."""


Prediction = Answer | Unread | FileAnswer | FileUnread


class Predictions(BaseModel):
    """One prediction for each picture, in the order of the request."""

    model: str = Field(description="Name of the net.")
    predictions: Sequence[Prediction]


Box = Annotated[list[int], Field(min_length=4, max_length=4)]
BOX = "Left, upper, right and lower edge, in pixels of the picture."


class Digit(BaseModel):
    """A digit of a line."""

    digit: int = Field(ge=0, le=9)
    probability: float = Field(ge=0, le=1, description="That it is this digit.")
    box: Box = Field(description=BOX)


class Line(BaseModel):
    """A line of digits, from left to right."""

    text: str
    probability: float = Field(ge=0, le=1, description="That all its digits are right.")
    box: Box = Field(description=BOX)
    digits: list[Digit]


class Page(BaseModel):
    """What a picture says; without a digit, `text` and `lines` are empty."""

    text: str = Field(description="The lines, with a line feed between them.")
    lines: list[Line] = Field(description="From top to bottom.")


class FilePage(Page, Named):
    """What a file says."""


class Pages(BaseModel):
    """One page for each picture, in the order of the request."""

    pages: Sequence[Page | FilePage | Unread | FileUnread]


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


def _decoded(text: Any) -> Any:
    if not isinstance(text, str) or not re.match(TEXT, text):
        raise PydanticCustomError(
            "picture",
            "expected 784 numbers, 28 rows of 28, or a picture file in base64, such as "
            "data:image/png;base64,iVBO...",
        )
    letters = text.rpartition(",")[2].encode().translate(URL_SAFE, b" \t\r\n=")
    if len(letters) % 4 == 1:
        letters = letters[:-1]  # six bits: the file is cut off, which its reader says
    return binascii.a2b_base64(letters + b"==")


Text = Annotated[
    bytes,
    BeforeValidator(_decoded),
    WithJsonSchema({"type": "string", "pattern": TEXT}),
]


def _form_of(picture: Any) -> str:
    if isinstance(picture, list):
        return "rows" if picture and isinstance(picture[0], list) else "flat"
    return "text"


FORMS = frozenset({"flat", "rows", "text"})
Picture = Annotated[
    Annotated[Flat, Tag("flat")] | Annotated[Rows, Tag("rows")] | Annotated[Text, Tag("text")],
    Discriminator(_form_of),
]


class Images(BaseModel):
    """Pictures, each as 784 numbers or 28 rows of 28 (0 to 255, white on black) or in base64."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[Picture], Field(min_length=1, max_length=limits.MOST_IMAGES)]


def request_body() -> dict[str, Any]:
    """Return the OpenAPI description of bodies with pictures, with two digits as an example."""
    digits, _ = synthetic.draw(2, seed=7)
    file = {"type": "string", "format": "binary"}
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
                            "items": file,
                        }
                    },
                }
            },
            **{f"image/{form.lower()}": {"schema": file} for form in limits.FORMATS},
        },
    }
