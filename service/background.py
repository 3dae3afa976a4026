"""Work beside requests and training that only one process of a service does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from service.errors import StorageFailed

logger = logging.getLogger(__name__)

POLL_S = 1.0
STOP_S = 2.0
RETRY_S = 10.0
"""After an error that the step does not handle itself."""


class Background:
    """A thread that takes one step after the other, if this process ``is_active``.

    A step returns the seconds to wait before the next one.
    """

    def __init__(self, name: str, step: Callable[[], float], is_active: Callable[[], bool]):
        self._step = step
        self._is_active = is_active
        self._stopping = threading.Event()
        # A daemon: a step may wait for another program.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @staticmethod
    def stop(threads: Sequence[Background]) -> None:
        """Stop threads after the steps that are being taken; wait for these at most 2 s together."""
        for each in threads:
            each._stopping.set()
        deadline = time.monotonic() + STOP_S
        for each in threads:
            if each._thread.ident is not None:
                each._thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        pause_s = 0.0
        while not self._stopping.wait(pause_s):
            try:
                pause_s = self._step() if self._is_active() else POLL_S
            except StorageFailed as error:
                pause_s = RETRY_S
                logger.warning("%s: %s Retrying in %g s.", self._thread.name, error.message, pause_s)
            except Exception:
                pause_s = RETRY_S
                logger.exception("%s: a step failed; retrying in %g s", self._thread.name, pause_s)
