"""Rounds of faults against one data folder, with a client at work all the while."""

from __future__ import annotations

import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from tests.chaos.client import ChaosClient, Ledger
from tests.chaos.supervisor import DEADLINE_S, Nest, Served, attempt, has_begun
from tests.jobs.house import eventually

ROUND_S = 10.0
"""A round whose gap is not reached by then ends with a kill, and is tried again later."""
DRAIN_S = 90.0


class Storm:
    """Faults in turn; afterwards the folder and what the client was promised can be audited.

    Parameters
    ----------
    seed : of everything that is left to chance.
    faults : planted in the service, of `planted.FAULTS`.
    """

    def __init__(self, nest: Nest, folder: Path, seed: int, faults: Sequence[str] = ()):
        self.folder = folder
        self.counts: Counter[str] = Counter()
        self.gaps: Counter[str] = Counter()
        self._nest = nest
        self._faults = faults
        self._rng = random.Random(seed)
        self._client = ChaosClient(random.Random(seed + 1))
        self._served: Served | None = None

    @property
    def ledger(self) -> Ledger:
        """What the client was promised."""
        return self._client.ledger

    def blow(self, gaps: Iterable[str] = (), *, random_rounds: int = 0, tries: int = 4) -> None:
        """Kill the service in each gap, and as often at random moments; then let it finish what it accepted."""
        self._client.start()
        try:
            open_gaps = [gap for gap in gaps if not self._dies_in(gap)]
            for _ in range(tries - 1):
                missed, open_gaps = open_gaps, []
                for gap in missed:
                    self._leave_a_job_running()
                    if not self._dies_in(gap):
                        open_gaps.append(gap)
            for _ in range(random_rounds):
                self._disturb()
            self._drain()
        finally:
            self._client.stop()
            if self._served is not None:
                self._served.kill()

    def _start(self, crash_at: str | None = None) -> Served:
        self.counts["starts"] += 1
        self._served = self._nest.start(self.folder, crash_at=crash_at, faults=self._faults)
        self._client.connect(self._served.url)
        return self._served

    def _over(self) -> None:
        assert self._served is not None
        self._client.connect(None)
        self._served.kill()
        self._served = None

    def _dies_in(self, gap: str) -> bool:
        if self._served is not None:
            self._over()
        reached = self._start(gap).ends(within_s=ROUND_S)
        self._over()
        self.counts["kills of the service"] += 1
        self.gaps[gap] += reached
        self.counts["gaps missed and tried again"] += not reached
        return reached

    def _leave_a_job_running(self) -> None:
        """Kill the service while it trains a job for the first time, for the next start to take it back."""
        self._start()

        def is_training() -> bool:
            with closing(sqlite3.connect(self.folder / "inkling.db", timeout=DEADLINE_S)) as connection:
                return bool(connection.execute("SELECT 1 FROM jobs WHERE state = 'running' AND losses = 0").fetchall())

        eventually(is_training)
        self._over()
        self.counts["kills of the service"] += 1

    def _disturb(self) -> None:
        """One fault, at a moment and of a kind that chance decides."""
        served = self._served or self._start()
        assert served.url, "nothing is planted that kills it at its start"
        kinds: dict[Callable[[Served], None], int] = {
            self._kill_service: 3,
            self._kill_all: 3,
            self._kill_worker: 3,
            self._freeze_service: 1,
            self._freeze_worker: 2,
            self._ask_and_kill: 1,
        }
        served.ends(within_s=self._rng.uniform(0.2, 1.5))
        self._rng.choices(list(kinds), list(kinds.values()))[0](served)
        self.counts["rounds"] += 1

    def _kill_service(self, served: Served) -> None:
        self._over()
        self.counts["kills of the service"] += 1

    def _kill_all(self, served: Served) -> None:
        workers = served.workers()
        served.send(signal.SIGKILL)
        for worker in workers:
            attempt(worker.kill)
        self._over()
        self.counts["kills of the service with its workers"] += 1

    def _kill_worker(self, served: Served) -> None:
        for worker in served.workers():
            attempt(worker.kill)
            self.counts["kills of a worker"] += 1

    def _freeze_service(self, served: Served) -> None:
        served.send(signal.SIGSTOP)
        self.counts["freezes of the service"] += 1
        served.ends(within_s=self._rng.uniform(0.1, 0.6))
        if self._rng.random() < 0.5:
            self._kill_service(served)
        else:
            served.send(signal.SIGCONT)

    def _freeze_worker(self, served: Served) -> None:
        for worker in filter(has_begun, served.workers()):
            attempt(worker.suspend)
            self.counts["freezes of a worker"] += 1
            served.ends(within_s=self._rng.uniform(0.1, 0.6))
            match self._rng.randrange(3):
                case 0:
                    attempt(worker.resume)
                case 1:
                    attempt(worker.kill)
                    self.counts["kills of a worker"] += 1
                case _:
                    self._kill_service(served)
                    return

    def _ask_and_kill(self, served: Served) -> None:
        served.send(signal.SIGTERM)
        self.counts["polite ends"] += 1
        if not served.ends(within_s=self._rng.uniform(0.0, 0.5)):
            self.counts["kills of the service"] += 1
        self._over()

    def _drain(self) -> None:
        """Let the service finish what it accepted, undisturbed, and end."""
        served = self._served or self._start()
        assert served.url, (self.folder / "service.log").read_text()[-2000:]
        self._client.finish(within_s=DRAIN_S)
        served.send(signal.SIGTERM)
        assert served.ends(within_s=DEADLINE_S)
        self._served = None
