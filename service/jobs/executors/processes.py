"""Training in worker processes of this machine, kept warm between jobs. A dead worker costs only its own job."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from service.worker import StackSpec, decode_message
from service.worker.channel import ALIVE, DONE, cancel_request, hand_back_request, train_request

from .interface import Listener, Outcome

logger = logging.getLogger(__name__)

_PROGRAM = (
    # Before all imports, which take a while: let the kernel end it with us (PR_SET_PDEATHSIG), even if it is suspended.
    "import ctypes, sys; sys.platform == 'linux' and ctypes.CDLL(None).prctl(1, 9); "
    "from service.worker import serve; serve(int(sys.argv[1]), *sys.argv[2:])"
)
_ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_UNCAUGHT_EXCEPTION = 1
"""Exit code of a Python program that ends with a traceback."""
_PATIENCE_S = 5.0


class ProcessesExecutor:
    """A process for each slot, one stack at a time each.

    Every process has a line of its own to us and shares nothing with the others, so a kill at any moment leaves
    no lock taken and no line torn but its own. Processes are new programs, not forks: BLAS and its locks do not
    survive a fork.

    Parameters
    ----------
    on_restart : called for each process that is started in place of one that died.
    log : level and format in which the processes log.
    """

    def __init__(self, n_slots: int, on_restart: Callable[[], None] = lambda: None, *, log: Sequence[str] = ()):
        self.n_slots = n_slots
        self._on_restart = on_restart
        self._log = log
        self._idle = [_Worker(log) for _ in range(n_slots)]
        self._running: list[_ProcessExecution] = []

    def prepare(self) -> None:
        """Replace workers that died, so that the next stack meets a live one."""
        for worker in [worker for worker in self._idle if not worker.alive]:
            self._idle.remove(worker)
            logger.warning("an idle worker died (exit code %d)", worker.bury())
        while len(self._idle) + len(self._running) < self.n_slots:
            self._idle.append(_Worker(self._log))
            self._on_restart()

    def submit(self, spec: StackSpec, listener: Listener) -> _ProcessExecution:
        """Give a stack to a free process."""
        execution = _ProcessExecution(self._idle.pop(), spec, listener, self._take_back)
        self._running.append(execution)
        execution.start()
        return execution

    def close(self) -> None:
        """Kill the processes."""
        running = list(self._running)
        for execution in running:
            execution.kill()
        for execution in running:
            execution.join()
        for worker in self._idle:
            worker.kill()
            worker.bury()

    def _take_back(self, execution: _ProcessExecution, worker: _Worker | None) -> None:
        if worker is not None:
            self._idle.append(worker)
        self._running.remove(execution)


class _Worker:
    """A process and our end of its line."""

    def __init__(self, log: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno()), *log],
                # It finds our modules where we do. BLAS reads its number of threads when NumPy is imported.
                env={**os.environ, **_ONE_BLAS_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C in our terminal is for us alone
            )
            self.line = Connection(ours.detach())

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()

    def bury(self) -> int:
        """Hang up, see the process out, and return its exit code."""
        self.line.close()
        try:
            return self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class _ProcessExecution:
    """One stack in a process, followed by a thread until the worker is done or gone."""

    def __init__(
        self,
        worker: _Worker,
        spec: StackSpec,
        listener: Listener,
        give_back: Callable[[_ProcessExecution, _Worker | None], None],
    ):
        self._worker = worker
        self._spec = spec
        self._listener = listener
        self._give_back = give_back
        self._lock = threading.Lock()
        self._begun = self._over = False
        self._early_requests: list[bytes] = []
        self._heard_at = time.monotonic()
        self._thread = threading.Thread(target=self._follow, daemon=True, name="worker-messages")

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    @property
    def silent_s(self) -> float:
        """See `Execution.silent_s`. A process can be suspended, or stuck in its kernel."""
        return 0.0 if self._over else time.monotonic() - self._heard_at

    def cancel(self, member: int) -> None:
        """See `Execution.cancel`."""
        self._ask(cancel_request(member))

    def hand_back(self) -> None:
        """See `Execution.hand_back`."""
        self._ask(hand_back_request())

    def kill(self) -> None:
        """See `Execution.kill`."""
        with self._lock:
            if not self._over:
                self._worker.kill()

    def _ask(self, request: bytes) -> None:
        with self._lock:
            if not self._begun:
                self._early_requests.append(request)
            elif not self._over:  # afterwards the line speaks of another stack
                self._send(request)

    def _send(self, request: bytes) -> None:
        try:
            self._worker.line.send_bytes(request)
        except OSError:
            logger.debug("the worker is gone already")

    def _follow(self) -> None:
        done = self._converse()
        with self._lock:
            self._over = True
        outcome = Outcome.RETURNED if done else self._post_mortem()
        self._give_back(self, self._worker if done else None)
        self._listener.on_end(outcome)

    def _converse(self) -> bool:
        """Hand the work over and pass on what is said of it; False when the worker falls silent before the end."""
        self._send(train_request(self._spec))  # waits for a new worker to take it, which is why it is done here
        with self._lock:
            self._begun = True
            for request in self._early_requests:
                self._send(request)
        try:
            while (message := self._worker.line.recv_bytes()) != DONE:
                self._heard_at = time.monotonic()
                if message != ALIVE:
                    self._listener.on_message(decode_message(message))
        except (EOFError, OSError):
            return False
        return True

    def _post_mortem(self) -> Outcome:
        exit_code = self._worker.bury()
        outcome = Outcome.CRASHED if exit_code == _UNCAUGHT_EXCEPTION else Outcome.LOST
        logger.warning("a worker is gone in the middle of its work: %s, exit code %d", outcome.value, exit_code)
        return outcome
