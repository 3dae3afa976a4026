"""Pictures over HTTP: drawn only when the client's copy is out of date, and never on the event loop."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from service import __version__

PNG, SVG = "image/png", "image/svg+xml"

PNG_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {PNG: {"schema": {"type": "string", "format": "binary"}}}, "description": "A PNG file."},
    304: {"description": "The client's copy, named by `If-None-Match`, is up to date."},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that may not have to be drawn.

    Parameters
    ----------
    made_of : everything that the picture depends on; equal parts, equal bytes.
    draw : returns the file.
    headers : to send with it.
    """

    made_of: tuple[Any, ...]
    draw: Callable[[], bytes]
    media_type: str = PNG
    headers: tuple[tuple[str, str], ...] = ()


async def picture_answer(request: Request, prepare: Callable[[], Picture]) -> Response:
    """Answer with a picture, or with 304 if the client has it.

    Parameters
    ----------
    prepare : reads what the picture is made of; called in a thread.
    """
    picture = await run_sync(prepare)
    tag = entity_tag(picture.media_type, *picture.made_of)
    headers = {"ETag": tag, "Cache-Control": "no-cache", **dict(picture.headers)}
    if is_known(request, tag):
        return Response(status_code=304, headers=headers)
    content = await run_sync(picture.draw, limiter=request.app.state.drawing)
    return Response(content, headers=headers, media_type=picture.media_type)


def entity_tag(*parts: Any) -> str:
    """Return a strong entity tag for what is made of these parts by this version of the program."""
    digest = hashlib.sha256()
    for piece in _pieces([__version__, *parts]):
        digest.update(len(piece).to_bytes(8))
        digest.update(piece)
    return f'"{digest.hexdigest()[:32]}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether ``If-None-Match`` lists the tag."""
    tags = [given.strip().removeprefix("W/") for given in request.headers.get("if-none-match", "").split(",")]
    return tag in tags or "*" in tags


def _pieces(parts: Any) -> list[bytes]:
    pieces: list[bytes] = []
    for part in parts:
        if isinstance(part, np.ndarray):
            pieces += [repr((part.shape, part.dtype.str)).encode(), part.tobytes()]
        elif is_dataclass(part):
            pieces += _pieces([getattr(part, field.name) for field in fields(part)])
        else:
            pieces.append(repr(part).encode("utf-8"))
    return pieces
