"""Several web processes on one address, supervised by uvicorn.

This process answers nothing itself. Those that it starts share the address, the database and the model store. Each
listens on a socket of its own, and the kernel spreads connections over them: from a common one, which is uvicorn's way,
the process that wakes first takes all that wait. Each has an engine, and the one of them that holds the engine's lock
(`service.jobs.EngineLock`) has the jobs trained; when it ends, another takes the lock over. One that dies or hangs is
replaced.

Little is imported here: a process imports this before it can ask the kernel to end it with its parent.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess, Process

if TYPE_CHECKING:
    from service.settings import Settings

_log = logging.getLogger(__name__)

HANG_S = 15.0
"""An event loop that has not answered for so long hangs. All that it does takes milliseconds."""
START_S = 60.0
"""Within which a new process must answer for the first time."""
_CHECK_S = 0.5
"""Between two checks of all processes: uvicorn's."""
_PAUSE_S = 1.0
"""Before one that died is replaced: what kills it at its start must not keep the machine busy."""
_STOP_S = 8.0
_STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class WebProcess(Process):
    """A process that serves, from both sides: `target`, `always_pong` and `pong` run in it, all else in its parent."""

    def __init__(self, settings: Settings, config: uvicorn.Config) -> None:
        self._settings = settings
        self._n_unanswered, self._patience_s = 0, START_S
        self._loop: asyncio.AbstractEventLoop | None = None
        self.ready = False
        super().__init__(config, [])

    def is_alive(self, timeout: float = 0) -> bool:
        """Whether it runs and has answered lately.

        Uvicorn waits for the answer, and could not stop meanwhile. Here the checks without an answer are counted, and
        not the time: that also passes while all processes are suspended together.
        """
        self._n_unanswered += 1
        with suppress(OSError, EOFError):
            if self._n_unanswered == 1:
                self.parent_conn.send(b"ping")
            if self.parent_conn.poll(timeout):
                self.ready = self.parent_conn.recv()
                self._n_unanswered, self._patience_s = 0, HANG_S
        return self.process.is_alive() and self._n_unanswered * _CHECK_S < self._patience_s

    def terminate(self) -> None:
        """Ask it to stop. Uvicorn closes the pipe too, and the process would end at once, as without its parent."""
        self.process.terminate()

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, and end with the parent, however that ends, even while suspended."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        parent = multiprocessing.parent_process()
        if parent is None or os.getppid() != parent.pid:  # it ended before that
            os._exit(1)
        self.parent_conn.close()  # or `always_pong` would not see the end of the parent, where there is no such signal
        threading.Thread(target=self.always_pong, daemon=True).start()

        from service.errors import ServiceError  # noqa: PLC0415 - here, since this takes a second

        from .server import listen, serve  # noqa: PLC0415

        try:
            with listen(self._settings.host, self._settings.port, shared=True) as listener:
                serve(self._settings, listener, self._note_loop)
        except ServiceError as error:
            sys.exit(f"Error: {error}")

    def always_pong(self) -> None:
        """Answer the parent for as long as it is there."""
        try:
            super().always_pong()
        except (EOFError, ConnectionError):
            os._exit(1)
        except RuntimeError:
            return  # the loop is closed, and the rest is done within seconds

    def pong(self) -> None:
        """Answer once, when the event loop does. Uvicorn answers from this thread, also while the loop hangs."""
        self.child_conn.recv()
        if self._loop is not None:
            turned = threading.Event()
            self._loop.call_soon_threadsafe(turned.set)
            turned.wait()
        self.child_conn.send(self._loop is not None)

    def _note_loop(self) -> None:
        self._loop = asyncio.get_running_loop()


class Supervisor(Multiprocess):
    """Keeps a number of web processes running until a signal comes; ``on_ready`` is called once all answer requests."""

    processes: list[WebProcess]  # type: ignore[assignment]

    def __init__(self, settings: Settings, on_ready: Callable[[], None]) -> None:
        super().__init__(uvicorn.Config("", workers=settings.web_workers, log_config=None), [])
        self._settings = settings
        self._on_ready = on_ready
        self._is_ready = False
        self.failed = False

    def run(self) -> None:
        """Supervise until a signal comes. If this fails, as where the address cannot be printed, no process is left.

        Python would wait for them at its end, and for ever.
        """
        try:
            super().run()
        finally:
            for process in self.processes:
                process.process.kill()
                process.process.join()

    def init_processes(self) -> None:
        """Start all."""
        self.processes = [self._start() for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        """Replace those that died or hang; stop if one dies before all were ready."""
        for index, process in enumerate(self.processes):
            if process.is_alive(0):
                continue
            process.kill()
            process.join()
            self.failed = not self._is_ready
            if self.failed or self.should_exit.wait(_PAUSE_S):
                self.should_exit.set()
                return
            _log.error("a web process ended with %s and is replaced", process.exitcode)
            self.processes[index] = self._start()
        if not self._is_ready and all(process.ready for process in self.processes):
            self._is_ready = True
            self._on_ready()

    def handle_signals(self) -> None:
        """Stop on a signal to stop; the number of processes is that of the settings."""
        if _STOP_SIGNALS.intersection(self.signal_queue):
            self.should_exit.set()

    def join_all(self) -> None:
        """Wait for all to end, but not for ever."""
        give_up_s = time.monotonic() + _STOP_S
        for process in self.processes:
            process.process.join(max(0.0, give_up_s - time.monotonic()))
            process.process.kill()
            process.process.join()

    def _start(self) -> WebProcess:
        process = WebProcess(self._settings, self.config)
        process.start()
        return process
