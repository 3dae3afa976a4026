"""Values as answers: their JSON, and what the OpenAPI document says of their fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True, slots=True)
class Doc:
    """The meaning of a field, as in ``step: Annotated[int, Doc("The one that comes next.")]``.

    ``written_as`` is its type in JSON, where that is another one than in Python: of an array nested lists. Pydantic
    finds the two methods by their names, so that nothing below `service.web` needs it.
    """

    text: str = ""
    written_as: Any = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return handler(source) if self.written_as is None else handler.generate_schema(self.written_as)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {**handler(schema), **({"description": self.text} if self.text else {})}


def to_json(value: Any) -> bytes:
    """Return an answer as JSON: data classes as objects of their fields, arrays as lists, times as `utc_text`."""
    return orjson.dumps(value, _plain, _OPTIONS)


def plain(value: Any) -> dict[str, Any]:
    """Return an answer as plain data: what a client gets of its JSON."""
    found: dict[str, Any] = orjson.loads(to_json(value))
    return found


def utc_text(time: datetime) -> str:
    """Return a UTC time as ISO 8601 with a Z, to the millisecond: the form of every time in an answer."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    """Return what orjson cannot write as something that it can."""
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.ndarray):  # not in one piece
        return value.tolist()
    raise TypeError(f"no answer can hold {value!r}")
