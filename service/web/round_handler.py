"""Log lines that are written together, as answers go out together: those of one round of the event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import Any


class RoundHandler(logging.StreamHandler[Any]):
    """Writes lines on standard error, those of one round of an event loop at once.

    Writing wakes whoever reads: a journal, a terminal, the engine of a container. With a line for each answer that
    takes as long as the answer. Warnings and worse do not wait, nor does what threads say that have no event loop,
    and what was held goes out before them. A process that is killed may lose the lines of its last round.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        try:
            self._held.append(self.format(record) + self.terminator)
        except Exception:
            self.handleError(record)
            return
        if record.levelno >= logging.WARNING or (loop := _running_loop()) is None:
            self._write_held(record)
        elif len(self._held) == 1:
            loop.call_soon(self._write_held, record)

    def _write_held(self, record: logging.LogRecord) -> None:
        try:
            self.flush()
        except Exception:
            self.handleError(record)

    def flush(self) -> None:
        """Write what is held."""
        self.acquire()
        try:
            lines, self._held = "".join(self._held), []
            if lines:
                self.stream.write(lines)
        finally:
            self.release()
        super().flush()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
