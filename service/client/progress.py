"""How far a job is, as one line that is written over and over."""

from __future__ import annotations

import sys
from typing import TextIO

from .connection import Event

_WIDTH = 20


class ProgressLine:
    """Shows the checks of a job on one line of a terminal or below a cell of a notebook.

    Parameters
    ----------
    name : what is trained.
    stream : where to write; standard error by default.
    """

    def __init__(self, name: str, stream: TextIO | None = None) -> None:
        self._name = name
        self._stream = stream or sys.stderr
        self._length = 0

    def show(self, event: Event) -> None:
        """Take an event."""
        if event.kind != "check":
            return
        check, progress = event.data, event.data["progress"]
        done = round(_WIDTH * progress["fraction"])
        self._write(
            f"{self._name} [{'#' * done}{'.' * (_WIDTH - done)}] epoch {check['epoch']}"
            f"  validation loss {check['validation_loss']:.4f}  accuracy {check['validation_accuracy']:.2%}"
        )

    def end(self, state: str) -> None:
        """Leave the line with how it ended."""
        self._stream.write(f"  {state}\n")
        self._stream.flush()

    def _write(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(self._length))
        self._length = len(line)
        self._stream.flush()
