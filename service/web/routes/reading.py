"""A picture in; all its digits, line by line, out."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field
from starlette.responses import Response

from service.bootstrap import Service
from service.charts import reading_picture
from service.core import DIGITS
from service.inference import MAX_CANDIDATES, Picture, Rivals, Verdict, read
from service.registry import Model
from service.web.batches import Reference
from service.web.image_body import PICTURE_BODY, read_images
from service.web.pictures import PNG, PNG_MADE
from service.web.requests import Parameters
from service.web.routing import Answer, BoundedRequest, JsonAnswer, noun_router

from .for_each_model import for_each_model

router = noun_router("reading")

_Box = Annotated[
    tuple[int, int, int, int], Field(description="x, y, width and height, in pixels of the picture as it is seen.")
]


class ReadDigit(Answer):
    """A digit of a line."""

    verdict: Verdict
    rivals: Rivals
    digit: int
    class_name: str = Field(description="The data set's name of that class; where it has no names, a number.")
    probability: float
    box: _Box
    warnings: list[str]


class Mark(Answer):
    """Ink in a line that is no digit."""

    kind: Literal["point", "minus", "unknown"]
    box: _Box


class ReadLine(Answer):
    """A line, from left to right."""

    text: str = Field(description="Its digits, decimal points and minus signs.")
    digits: list[ReadDigit]
    marks: list[Mark]


class ReadingAnswer(Answer):
    """All lines of a picture, from top to bottom, and the version that read them."""

    model: str
    version: int
    lines: list[ReadLine]
    preprocessing: list[str] = Field(description="The steps of preprocessing, in order.")
    warnings: list[str]


class ReadParameters(Parameters):
    """What is known about a number."""

    expect: int | None = Field(
        None, ge=1, le=300, description="How many digits there are. If others are found, there is a warning."
    )


_Reader: TypeAlias = Callable[[Model, Picture, dict[str, Any]], Response]


@for_each_model(router, "read", ReadParameters, PICTURE_BODY, response_model=ReadingAnswer)
async def read_picture(request: BoundedRequest, query: ReadParameters, of: Reference) -> Response:
    """Read all digits of a picture, with {model}."""
    return await _read(request, query, of, lambda model, picture, reading: JsonAnswer(reading))


@for_each_model(router, "read.png", ReadParameters, PICTURE_BODY, **PNG_MADE)
async def draw_reading(request: BoundedRequest, query: ReadParameters, of: Reference) -> Response:
    """Draw the picture with what was read in it, blue, or orange where a digit is unsure, with {model}."""

    def draw(model: Model, picture: Picture, reading: dict[str, Any]) -> Response:
        content = reading_picture(picture.pixels, picture.size_px, reading, provenance=model.manifest.provenance())
        return Response(content, media_type=PNG)

    return await _read(request, query, of, draw)


async def _read(request: BoundedRequest, query: ReadParameters, of: Reference, write: _Reader) -> Response:
    """Answer with what is written of a reading, in the thread in which it is made."""
    service: Service = request.app.state.service
    body = await read_images(request)

    def work() -> Response:
        model = service.catalogue.get(*of)  # before decoding: the cheaper refusal
        picture = body.decode_picture(service.limits)
        return write(model, picture, read(model, picture, expect=query.expect))

    # A page of thick digits takes seconds: predictions do not wait for it.
    return await request.limits.run(work, MAX_CANDIDATES * DIGITS.n_pixels)
