"""Further web processes beside the first: the same address and the same data, and the first one's engine.

What they share is the database and the model store; which of them trains is decided there, by the engine's lock or
by claims. The kernel spreads connections over them.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from types import TracebackType
from typing import IO, Self

from service.settings import Settings

logger = logging.getLogger(__name__)

_START = "from service.web.server import run_sibling; run_sibling()"
_PAUSE_S = 1.0
"""Before one that died is replaced: what kills it at its start must not keep the machine busy."""
_STOP_S = 8.0


class Siblings:
    """Processes that live as long as the block that they are used in, each replaced if it dies.

    Each reads its settings from its standard input, and stops when that is closed: by `__exit__`, or by the kernel
    when this process is gone, however that came.

    Parameters
    ----------
    settings : theirs, with the port that is listened on.
    number : how many there are.
    """

    def __init__(self, settings: Settings, number: int):
        self._stdin = settings.model_copy(update={"web_workers": 1}).model_dump_json().encode() + b"\n"
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._keep_one, name=f"sibling {n}") for n in range(number)]
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()

    def __enter__(self) -> Self:
        """Start them."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop them."""
        with self._lock:
            self._stopping.set()
            for process in self._processes:
                _stdin(process).close()
        for thread in self._threads:
            thread.join()

    def _keep_one(self) -> None:
        while not self._stopping.is_set():
            # An interrupt from the keyboard goes to a whole group of processes; these are told by the first one.
            with subprocess.Popen(  # noqa: S603 - nothing in it comes from outside
                [sys.executable, "-P", "-c", _START], stdin=subprocess.PIPE, start_new_session=True
            ) as process:
                self._tell(process)
                while process.poll() is None and not self._stopping.is_set():
                    self._wait(process, _PAUSE_S)
                if process.poll() is None:
                    self._wait(process, _STOP_S)
                    process.kill()
                with self._lock:
                    self._processes.discard(process)
            if not self._stopping.is_set():
                logger.error("a web process ended with %s and is replaced", process.returncode)
                self._stopping.wait(_PAUSE_S)

    def _tell(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._processes.add(process)
            try:
                _stdin(process).write(self._stdin)
                _stdin(process).flush()
            except BrokenPipeError:
                return  # it died at once, which the caller will see
            if self._stopping.is_set():
                _stdin(process).close()

    def _wait(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return


def _stdin(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None
    return process.stdin
