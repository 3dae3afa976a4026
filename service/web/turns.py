"""Who may work at the same time: small things beside each other, large ones in turn. And how much may wait for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import Request

from service.errors import ServiceError

T = TypeVar("T")

LARGE_BYTES = 1_048_576
_LARGE_AT_ONCE = 2
"""JSON takes up to twenty times its size while it is read, so two bodies of 16 MiB may take some 600 MiB."""
_SMALL_AT_ONCE = max(4, 2 * (os.cpu_count() or 1))
"""More would not be done sooner, and a picture of few bytes may take 70 MiB while it is decoded."""


_BODIES = 16


class Turns:
    """What bounds the memory that bodies and their decoding take, however many ask at once.

    Parameters
    ----------
    max_body_bytes : of one body. All that are held together may be as large as sixteen of those,
    max_dataset_bytes : and in any case as two data sets.
    """

    def __init__(self, *, max_body_bytes: int, max_dataset_bytes: int) -> None:
        self._left_bytes = max(_BODIES * max_body_bytes, 2 * max_dataset_bytes)
        self._small = CapacityLimiter(_SMALL_AT_ONCE)
        self._large = CapacityLimiter(_LARGE_AT_ONCE)

    def hold(self, n_bytes: int) -> None:
        """Count a part of a body, until it is let go.

        Raises
        ------
        HTTPException : there is no room for it.
        """
        if n_bytes > self._left_bytes:
            raise HTTPException(503, "Too much is being sent at the same time.")
        self._left_bytes -= n_bytes

    def let_go(self, n_bytes: int) -> None:
        """Have the room back."""
        self._left_bytes += n_bytes

    async def run(self, work: Callable[[], T], n_bytes: int) -> T:
        """Work in a thread when it is one's turn.

        Parameters
        ----------
        n_bytes : of what is worked on.
        """
        limiter = self._large if n_bytes > LARGE_BYTES else self._small
        result, refusal = await run_sync(_try, work, limiter=limiter)
        if refusal is not None:
            raise refusal
        return result  # type: ignore[return-value]


def _try(work: Callable[[], T]) -> tuple[T | None, ServiceError | None]:
    """Work, and let a refusal forget where it was raised: its frames hold all that was read, until it is answered."""
    try:
        return work(), None
    except ServiceError as error:
        error.__cause__ = error.__context__ = None
        return None, error.with_traceback(None)


def turns_of(request: Request) -> Turns:
    """Return those of the application that a request came to."""
    turns: Turns = request.app.state.turns
    return turns
