"""Pictures over HTTP: drawn only when the client's copy is out of date, and never on the event loop."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from anyio.to_thread import run_sync
from numpy.typing import NDArray
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service import __version__
from service.charts import MEDIA_TYPES, ChartSize, Drawing, confusion_chart, digit_picture
from service.core import MAX_LAYERS, Ints
from service.jobs import ImageFormat

from .requests import WHOLE, Parameters

PNG, SVG, BYTES = MEDIA_TYPES["png"], MEDIA_TYPES["svg"], "application/octet-stream"
BINARY = {"schema": {"type": "string", "format": "binary"}}

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The client's copy, named by `If-None-Match`, is up to date."}
}


def file_answer(description: str, *media_types: str) -> dict[str, Any]:
    """Return how a route documents that it answers with a file of one of these types, or with 304."""
    content = dict.fromkeys(media_types, BINARY)
    return {
        "response_class": Response,
        "response_model": None,
        "responses": {200: {"description": description, "content": content}, **NOT_MODIFIED},
    }


PNG_ANSWER = file_answer("A PNG file.", PNG)
PNG_MADE: dict[str, Any] = {**PNG_ANSWER, "responses": {200: PNG_ANSWER["responses"][200]}}
"""A picture of what was sent, of which no client has a copy."""
CHART_ANSWER = file_answer("A PNG or SVG file.", PNG, SVG)

Upscale = Annotated[int, Field(ge=1, le=16, description="Pixels to a side of each pixel."), WHOLE]
BestOrLast = Annotated[
    Literal["best", "last"], Field(description="Of the lowest validation loss so far, or the newest.")
]


class ChartParameters(Parameters):
    """The size of a chart."""

    width_px: int = Field(960, ge=320, le=3840)
    height_px: int = Field(600, ge=240, le=2160)
    dpi: int | None = Field(
        None, ge=50, le=600, description="Pixels to an inch of type; not given: what suits the size."
    )

    def form(self, image_format: ImageFormat) -> dict[str, Any]:
        """Return all that a client may choose, as the arguments of a chart."""
        size = ChartSize(width_px=self.width_px, height_px=self.height_px, dpi=self.dpi)
        others = self.model_dump(exclude={"width_px", "height_px", "dpi"})
        return {"size": size, "image_format": image_format, **others}


class _WeightsParameters(Parameters):
    colours: Literal["diverging", "grey"] = Field(
        "diverging",
        description="White is 0, red positive, blue negative; or from the smallest, black, to the largest, white.",
    )
    upscale: int = Field(4, ge=1, le=16, description="Pixels to a side of each weight.")
    scale_bar: bool = Field(True, description="With a shared scale, show which colour is which weight.")

    @property
    def style(self) -> dict[str, Any]:
        """The arguments of `weights_picture` and `weights_grid` that a client may choose."""
        return self.model_dump(include={"colours", "upscale", "scale_bar", "scale"})


Layer = Annotated[
    int, Field(ge=1, le=MAX_LAYERS + 1, description="1 is next to the pixels; the last one is the outputs."), WHOLE
]


class WeightsParameters(_WeightsParameters):
    """How the weights of one model are drawn."""

    scale: Literal["shared", "per_tile"] = Field("shared", description="One scale for all tiles, or one for each.")


class LayerPictureParameters(WeightsParameters):
    """How the weights of one model are drawn, and of which layer."""

    layer: Layer = 1


class WeightsGridParameters(_WeightsParameters):
    """How the weights of several models are drawn, a row for each."""

    scale: Literal["shared", "per_row", "per_tile"] = Field(
        "shared", description="One scale for all tiles, one for each member, or one for each tile."
    )


class DrawingResponse(Response):
    """A picture or another file, made in a thread when it is sent, or 304 if the client has it."""

    def __init__(self, drawing: Drawing) -> None:
        super().__init__()
        self._drawing = drawing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Response`."""
        drawing, request = self._drawing, Request(scope)
        tag = _entity_tag(drawing.media_type, *drawing.made_of)
        headers = {"ETag": tag, "Cache-Control": "no-cache", **dict(drawing.headers)}
        answer = Response(status_code=304, headers=headers)
        if not _is_known(request, tag):
            limiter = None if drawing.media_type == BYTES else request.app.state.drawing  # these are only read
            content = await run_sync(drawing.draw, limiter=limiter)
            answer = Response(content, headers=headers, media_type=drawing.media_type)
        await answer(scope, receive, send)


def labelled_picture(pixels: NDArray[np.uint8], label: int, *, upscale: int, provenance: dict[str, str]) -> Drawing:
    """Prepare an image as models get it, with its label in the header ``X-Label``."""
    provenance = {**provenance, "label": str(label)}
    drawing = Drawing.of(digit_picture, pixels, upscale=upscale, provenance=provenance)
    return replace(drawing, headers=(("X-Label", str(label)),))


def confusion_drawing(counts: Ints, labels: Sequence[str], *, of: str, **frame: Any) -> Drawing:
    """Prepare a confusion matrix; ``of`` says which images were classified, as in ``test images of mnist``."""
    n_correct, n_images = int(counts.trace()), int(counts.sum())
    caption = f"{n_correct:,} of {n_images:,} {of} classified correctly: {n_correct / n_images:.2%}"
    return Drawing.of(confusion_chart, counts, labels, caption=caption, **frame)


def _entity_tag(*parts: Any) -> str:
    """Return a strong entity tag for what is made of these parts by this version of the program."""
    text = orjson.dumps([__version__, *parts], _text_of, orjson.OPT_NON_STR_KEYS)
    return f'"{hashlib.sha256(text).hexdigest()[:32]}"'


def _text_of(part: Any) -> Any:
    """Return what stands for a part that orjson does not write; of an array its checksum, which takes less time."""
    if isinstance(part, np.ndarray):
        return [part.shape, part.dtype.str, hashlib.sha256(part.tobytes()).hexdigest()]
    return dict(part) if isinstance(part, Mapping) else repr(part)


def _is_known(request: Request, tag: str) -> bool:
    """Whether ``If-None-Match`` lists the tag."""
    tags = [given.strip().removeprefix("W/") for given in request.headers.get("if-none-match", "").split(",")]
    return tag in tags or "*" in tags
