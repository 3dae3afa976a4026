"""Starts the service, kills it in every way there is, and starts it again."""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from tests.jobs.job_system import eventually, workers_of
from tests.new_folder import add_database

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0


class Served:
    """The service from one start to its end: one process, or a supervisor with several web processes.

    Parameters
    ----------
    pid : of the one or of the supervisor. It leads the session of all.
    """

    def __init__(self, pid: int, web_workers: int):
        self.pid = pid
        self.has_supervisor = web_workers > 1
        self._end = os.pidfd_open(pid)
        self.url: str | None = None

    def ends(self, *, within_s: float) -> bool:
        """Wait for its end."""
        return bool(select.select([self._end], [], [], within_s)[0])

    def send(self, sent: signal.Signals) -> None:
        """Send a signal, to this process and no later one of its number."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._end, sent)

    def kill(self) -> None:
        """Kill it and see it dead."""
        self.send(signal.SIGKILL)
        assert self.ends(within_s=DEADLINE_S)

    def web_processes(self) -> list[psutil.Process]:
        """Return the processes that answer requests and have not ended."""
        try:
            first = psutil.Process(self.pid)
            return first.children() if self.has_supervisor else [first]
        except psutil.NoSuchProcess:
            return []

    def workers(self) -> list[psutil.Process]:
        """Return its worker processes."""
        workers: list[psutil.Process] = []
        for process in self.web_processes():
            attempt(lambda: workers.extend(workers_of(process)))  # noqa: B023
        return workers


class ForkServer:
    """The program that forks services; see `fork_server.py`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.chaos.fork_server"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def start(
        self,
        folder: Path,
        *,
        crash_at: str | None = None,
        faults: Sequence[str] = (),
        web_workers: int = 1,
        **settings: Any,
    ) -> Served:
        """Start the service on a folder; without a URL if it dies before it answers."""
        add_database(folder)
        order = {
            "settings": {
                "data_dir": str(folder),
                "workers": 1,
                "web_workers": web_workers,
                "log_level": "error",
                **settings,
            },
            "log": str(folder / "service.log"),
            "crash_at": crash_at,
            "faults": list(faults),
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        kind, pid = self._lines.get(timeout=DEADLINE_S).split()
        assert kind == "pid"
        served = Served(int(pid), web_workers)
        ready = eventually(lambda: not self._lines.empty() or served.ends(within_s=0))
        assert ready
        with suppress(queue.Empty):
            served.url = self._lines.get(timeout=0.05).split()[1]
        return served

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._reader.join()
        self._process.wait(DEADLINE_S)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)


class Program:
    """``inkling serve``, perhaps inside of another program (``before``) that sets its surroundings up."""

    def __init__(self, folder: Path, before: Sequence[str], environment: dict[str, str], settings: dict[str, Any]):
        options = {"port": 0, "data-dir": folder, "workers": 1, "log-level": "error", **settings}
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        self.log = folder.parent / f"{folder.name}.log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*before, sys.executable, "-P", "-m", "service", "serve", *arguments],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().partition(" at ")[2].partition(" ")[0].strip()

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.process.terminate()
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        """Kill what is left."""
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self.process.kill()
        self.process.wait(DEADLINE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def program(
    folder: Path, *before: str, environment: dict[str, str] | None = None, **settings: Any
) -> Iterator[Program]:
    """Start the service as a user does, as a program of its own."""
    started = Program(folder, before, environment or {}, settings)
    try:
        yield started
    finally:
        started.close()


def processes_of(sessions: set[int]) -> list[psutil.Process]:
    """Return the processes of services, by their sessions, whatever their present parents."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def attempt(action: Callable[[], object]) -> None:
    """Act on a process that may have exited."""
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        action()


def has_started(worker: psutil.Process) -> bool:
    """Whether a worker has come to its first line, in which it ties its life to that of its engine."""
    try:
        return any("_ctypes" in Path(mapped.path).name for mapped in worker.memory_maps())
    except psutil.Error:
        return False
