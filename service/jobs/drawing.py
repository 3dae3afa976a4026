"""A picture that is prepared and not drawn yet, so that who has seen it already need not have it drawn again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

ImageFormat: TypeAlias = Literal["png", "svg"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """A picture that is not drawn yet.

    Parameters
    ----------
    made_of : everything that it depends on, but for its format; equal parts, equal bytes.
    draw : returns the file.
    """

    made_of: tuple[Any, ...]
    draw: Callable[[], bytes]
