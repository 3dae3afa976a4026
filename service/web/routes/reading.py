"""A picture in; all its digits, line by line, out."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.bootstrap import Service
from service.charts import reading_picture
from service.inference import read
from service.web.access_control import PREDICT
from service.web.image_body import PICTURE_BODY, read_images
from service.web.limits import limits_of
from service.web.pictures import PNG, PNG_ANSWER
from service.web.requests import Parameters
from service.web.routing import Answer, noun_router

from .prediction import AliasParameters, Judged

router = noun_router("reading")

_Box = Annotated[
    tuple[int, int, int, int], Field(description="x, y, width and height, in pixels of the picture as it is seen.")
]


class ReadDigit(Judged):
    """A digit of a line."""

    digit: int
    class_name: Annotated[str, Field(description="The data set's name of that class; where it has no names, a number.")]
    probability: float
    box: _Box
    warnings: list[str]


class Mark(Answer):
    """Ink in a line that is no digit."""

    kind: Literal["point", "minus", "unknown"]
    box: _Box


class ReadLine(Answer):
    """A line, from left to right."""

    text: Annotated[str, Field(description="Its digits, decimal points and minus signs.")]
    digits: list[ReadDigit]
    marks: list[Mark]


class ReadingAnswer(Answer):
    """All lines of a picture, from top to bottom, and the version that read them."""

    model: str
    version: int
    lines: list[ReadLine]
    preprocessing: Annotated[list[str], Field(description="The steps of preprocessing, in order.")]
    warnings: list[str]


class ReadVersionParameters(Parameters):
    """What is known about a number."""

    expect: Annotated[
        int | None,
        Field(ge=1, le=300, description="How many digits there are. If others are found, there is a warning."),
    ] = None


class ReadParameters(ReadVersionParameters, AliasParameters):
    """What is known about a number, and which version reads it."""


_READ: dict[str, Any] = {
    "dependencies": [PREDICT],
    "response_model": ReadingAnswer,
    "openapi_extra": PICTURE_BODY,
}
_DRAW: dict[str, Any] = {
    "dependencies": [PREDICT],
    **PNG_ANSWER,
    "responses": {200: PNG_ANSWER["responses"][200]},
    "openapi_extra": PICTURE_BODY,
}


@router.post("/read", **_READ)
async def read_picture(query: Annotated[ReadParameters, Query()], request: Request) -> Response:
    """Read all digits of a picture, with the default model."""
    return await _read(request, query, (None, query.alias))


@router.post("/models/{name}/read", **_READ)
async def read_with_model(name: str, query: Annotated[ReadParameters, Query()], request: Request) -> Response:
    """Read all digits of a picture, with the champion of a model or the version that an alias names."""
    return await _read(request, query, (name, query.alias))


@router.post("/models/{name}/versions/{version}/read", **_READ)
async def read_with_version(
    name: str, version: str, query: Annotated[ReadVersionParameters, Query()], request: Request
) -> Response:
    """Read all digits of a picture, with one version of a model."""
    return await _read(request, query, (name, version))


@router.post("/read.png", **_DRAW)
async def draw_reading(query: Annotated[ReadParameters, Query()], request: Request) -> Response:
    """Draw the picture with what was read in it, with the default model: blue, or orange where a digit is unsure."""
    return await _read(request, query, (None, query.alias), is_drawn=True)


@router.post("/models/{name}/read.png", **_DRAW)
async def draw_reading_with_model(name: str, query: Annotated[ReadParameters, Query()], request: Request) -> Response:
    """Draw the picture with what was read in it, with the champion of a model or the version that an alias names."""
    return await _read(request, query, (name, query.alias), is_drawn=True)


@router.post("/models/{name}/versions/{version}/read.png", **_DRAW)
async def draw_reading_with_version(
    name: str, version: str, query: Annotated[ReadVersionParameters, Query()], request: Request
) -> Response:
    """Draw the picture with what was read in it, with one version of a model."""
    return await _read(request, query, (name, version), is_drawn=True)


async def _read(
    request: Request, query: ReadVersionParameters, reference: tuple[str | None, str | None], *, is_drawn: bool = False
) -> Response:
    """Answer with JSON or a PNG; both are made in a thread."""
    service: Service = request.app.state.service
    body = await read_images(request)

    def work() -> Response:
        model = service.catalogue.get(*reference)  # before decoding: the cheaper refusal
        picture = body.decode_picture(service.limits)
        reading = read(model, picture, expect=query.expect)
        if not is_drawn:
            return JSONResponse(reading)
        content = reading_picture(picture.pixels, picture.size_px, reading, provenance=model.manifest.provenance())
        return Response(content, media_type=PNG)

    return await limits_of(request).run(work, body.n_bytes)
