"""Training in threads of this process: for tests and for commands that end with their job."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

from service.worker import StackSpec, StopRequests, run_training

from .interface import Listener, Outcome

logger = logging.getLogger(__name__)


class InlineExecutor:
    """Runs each stack in a thread. A thread cannot be killed: `kill` only requests it to stop."""

    def __init__(self, n_slots: int = 1):
        self.n_slots = n_slots
        self._threads = ThreadPoolExecutor(max_workers=n_slots, thread_name_prefix="training")
        self._running: list[_InlineExecution] = []

    def prepare(self) -> None:
        """Do nothing: a thread is always available."""

    def submit(self, spec: StackSpec, listener: Listener) -> _InlineExecution:
        """Start a stack in a thread."""
        execution = _InlineExecution()
        self._running.append(execution)
        self._threads.submit(self._run, spec, listener, execution)
        return execution

    def close(self) -> None:
        """Request what is still running to stop, and wait for it."""
        for execution in list(self._running):
            execution.hand_back()
        self._threads.shutdown()

    def _run(self, spec: StackSpec, listener: Listener, execution: _InlineExecution) -> None:
        try:
            run_training(spec, listener.on_message, execution)
            outcome = Outcome.RETURNED
        except Exception:
            logger.exception("training crashed")
            outcome = Outcome.CRASHED
        self._running.remove(execution)
        listener.on_end(outcome)


class _InlineExecution(StopRequests):
    silent_s = 0.0
    kill = StopRequests.hand_back
