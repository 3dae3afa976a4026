"""Training in worker processes of this machine, kept warm between jobs. The death of one affects only its own job."""

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
from service.worker.channel import DONE, HEARTBEAT, pack_request

from .interface import Listener, Outcome

logger = logging.getLogger(__name__)

_PROGRAM = (
    # Before all imports, which take a while: the kernel kills it with its parent (PR_SET_PDEATHSIG), even if suspended.
    "import ctypes, sys; sys.platform == 'linux' and ctypes.CDLL(None).prctl(1, 9); "
    "from service.worker import serve; serve(int(sys.argv[1]), *sys.argv[2:])"
)
_ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_UNCAUGHT_EXCEPTION = 1
"""Exit code of a Python program that ends with a traceback."""
_EXIT_TIMEOUT_S = 5.0


class ProcessesExecutor:
    """A process for each slot, one stack at a time each.

    Every process has its own connection and shares nothing with the others, so a kill at any moment leaves no lock held
    and breaks no other connection. Processes are new programs, not forks, which BLAS and its locks do not survive.
    ``on_restart`` is called for each that replaces a dead one; ``log`` is level and format of their logs.
    """

    def __init__(self, n_slots: int, on_restart: Callable[[], None] = lambda: None, *, log: Sequence[str] = ()):
        self.n_slots = n_slots
        self._on_restart = on_restart
        self._log = log
        self._idle = [_Worker(log) for _ in range(n_slots)]
        self._running: list[_ProcessExecution] = []

    def prepare(self) -> None:
        """Replace dead workers."""
        for worker in [worker for worker in self._idle if not worker.alive]:
            self._idle.remove(worker)
            logger.warning("an idle worker died (exit code %d)", worker.close_and_wait())
        while len(self._idle) + len(self._running) < self.n_slots:
            self._idle.append(_Worker(self._log))
            self._on_restart()

    def submit(self, spec: StackSpec, listener: Listener) -> _ProcessExecution:
        """Send a stack to a free process."""
        execution = _ProcessExecution(self._idle.pop(), spec, listener, self._on_end)
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
            worker.close_and_wait()

    def _on_end(self, execution: _ProcessExecution, worker: _Worker | None) -> None:
        if worker is not None:
            self._idle.append(worker)
        self._running.remove(execution)


class _Worker:
    """A process and our end of its connection."""

    def __init__(self, log: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno()), *log],
                # The same modules as here. BLAS reads its number of threads when NumPy is imported.
                env={**os.environ, **_ONE_BLAS_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C in the terminal is for this process only
            )
            self.connection = Connection(ours.detach())

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()

    def close_and_wait(self) -> int:
        """Close the connection, wait for the process, kill it if need be, and return its exit code."""
        self.connection.close()
        try:
            return self._process.wait(_EXIT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class _ProcessExecution:
    """One stack in a process; a thread receives its messages until the worker is done or dead."""

    def __init__(
        self,
        worker: _Worker,
        spec: StackSpec,
        listener: Listener,
        on_end: Callable[[_ProcessExecution, _Worker | None], None],
    ):
        self._worker = worker
        self._spec = spec
        self._listener = listener
        self._on_end = on_end
        self._lock = threading.Lock()
        self._begun = self._over = False
        self._early_requests: list[bytes] = []
        self._received_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True, name="worker-messages")

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    @property
    def silent_s(self) -> float:
        """A process may be suspended, or blocked in the kernel."""
        return 0.0 if self._over else time.monotonic() - self._received_at

    def cancel(self, member: int) -> None:
        self._request(pack_request(cancel=member))

    def hand_back(self) -> None:
        self._request(pack_request(hand_back=True))

    def kill(self) -> None:
        with self._lock:
            if not self._over:
                self._worker.kill()

    def _request(self, request: bytes) -> None:
        with self._lock:
            if not self._begun:
                self._early_requests.append(request)
            elif not self._over:  # afterwards the connection belongs to another stack
                self._send(request)

    def _send(self, request: bytes) -> None:
        try:
            self._worker.connection.send_bytes(request)
        except OSError:
            logger.debug("the worker has already exited")

    def _run(self) -> None:
        done = self._send_and_receive()
        with self._lock:
            self._over = True
        outcome = Outcome.RETURNED if done else self._outcome_of_exit()
        self._on_end(self, self._worker if done else None)
        self._listener.on_end(outcome)

    def _send_and_receive(self) -> bool:
        """Send the stack and forward its messages; False when the connection breaks before the end."""
        self._send(
            pack_request(train=self._spec.to_bytes())
        )  # blocks until a new worker reads it, hence in this thread
        with self._lock:
            self._begun = True
            for request in self._early_requests:
                self._send(request)
        try:
            while (message := self._worker.connection.recv_bytes()) != DONE:
                self._received_at = time.monotonic()
                if message != HEARTBEAT:
                    self._listener.on_message(decode_message(message))
        except (EOFError, OSError):
            return False
        return True

    def _outcome_of_exit(self) -> Outcome:
        exit_code = self._worker.close_and_wait()
        outcome = Outcome.CRASHED if exit_code == _UNCAUGHT_EXCEPTION else Outcome.LOST
        logger.warning("a worker exited during its work: %s, exit code %d", outcome.value, exit_code)
        return outcome
