"""What the OpenAPI document says of a field of a value that is an answer as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


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
