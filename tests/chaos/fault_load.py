"""Rounds of faults against one data folder, with a client at work all the while."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import select

from service.backup import back_up
from service.database import Database
from service.database.tables import jobs
from service.errors import ServiceError
from service.stores import LocalStore
from tests.chaos.client import MAX_OPEN_JOBS, ChaosClient, Ledger
from tests.chaos.supervisor import DEADLINE_S, ForkServer, Served, attempt, has_started
from tests.jobs.job_system import eventually
from tests.receiver import CUT, SECRET, Receiver

ROUND_S = 10.0
"""A round whose gap, or number of answers, is not reached by then ends with a kill; a gap is tried again later."""
DRAIN_S = 90.0


@dataclass(frozen=True, slots=True)
class Backed:
    """A backup, and the jobs and images that were acknowledged before it began."""

    file: Path
    jobs: set[str]
    images: set[str]


def stores_in(folder: Path) -> dict[str, LocalStore]:
    """Return the stores of a data folder, by their folders."""
    return {name: LocalStore(folder / name) for name in ("model_store", "datasets")}


class FaultLoad:
    """Faults in turn; afterwards the folder and the answers that the client received can be audited.

    Parameters
    ----------
    seed : of all random choices.
    faults : of `planted.FAULTS`, injected into the service.
    url : of its database, by default a file in the folder.
    """

    def __init__(
        self, fork_server: ForkServer, folder: Path, seed: int, faults: Sequence[str] = (), url: str | None = None
    ):
        self.folder = folder
        self.url = url or f"sqlite:///{folder / 'inkling.db'}"
        self.sessions: set[int] = set()
        self.counts: Counter[str] = Counter()
        self.gaps: Counter[str] = Counter()
        self._fork_server = fork_server
        self._faults = faults
        self._rng = random.Random(seed)
        self._client = ChaosClient(random.Random(seed + 1))
        self._served: Served | None = None
        self.receiver = Receiver()
        self.backup: Backed | None = None
        self._backing_up = threading.Thread(target=self._back_up, name="backup")

    @property
    def ledger(self) -> Ledger:
        """The answers that the client received."""
        return self._client.ledger

    def run(self, gaps: Iterable[str] = (), *, random_rounds: int = 0, tries: int = 4) -> None:
        """Kill the service in each gap, and as often at random moments; then let it finish all accepted jobs."""
        self._client.start()
        try:
            open_gaps = [gap for gap in gaps if not self._kill_in(gap)]
            if len(self.ledger.jobs) > MAX_OPEN_JOBS:
                self._start_backup()
            for _ in range(tries - 1):
                missed, open_gaps = open_gaps, []
                for gap in missed:
                    self._kill_during_a_job()
                    if not self._kill_in(gap):
                        open_gaps.append(gap)
            for number in range(random_rounds):
                if number == random_rounds // 2:
                    self._start_backup()
                self._disturb()
            self._drain()
        finally:
            self._client.stop()
            if self._served is not None:
                self._served.kill()
            if self._backing_up.ident is not None:
                self._backing_up.join()
            self.receiver.__exit__()

    def _start_backup(self) -> None:
        if self.url.startswith("sqlite"):  # PostgreSQL has its own
            self._backing_up.start()

    def _back_up(self) -> None:
        """Make a backup while everything goes on."""
        jobs, images = {*self.ledger.jobs}, {*self.ledger.images}
        file = self.folder.with_name(f"{self.folder.name}.backup.zip")
        try:
            back_up(self.folder / "inkling.db", stores_in(self.folder), file, version="chaos")
        except ServiceError as error:
            self.ledger.violations.append(f"the backup failed: {error.message}")
        self.backup = Backed(file, jobs, images)

    def _start(self, crash_at: str | None = None, web_workers: int = 1) -> Served:
        self.counts["starts"] += 1
        self.counts["starts with two web processes"] += web_workers == 2
        self.receiver.answers.extend(self._rng.choices([204, 500, CUT], [8, 1, 1], k=4))
        settings: dict[str, Any] = {"database_url": self.url, "web_workers": web_workers}
        settings |= {"webhook_url": self.receiver.url(), "webhook_secret": SECRET, "webhook_allow_private": True}
        self._served = self._fork_server.start(self.folder, crash_at=crash_at, faults=self._faults, **settings)
        self.sessions.add(self._served.pid)
        self._client.connect(self._served.url)
        return self._served

    def _over(self) -> None:
        assert self._served is not None
        self._client.connect(None)
        self._served.kill()
        self._served = None

    def _kill_in(self, gap: str) -> bool:
        if self._served is not None:
            self._over()
        reached = self._start(gap).ends(within_s=ROUND_S)
        self._over()
        self.counts["kills of the service"] += 1
        self.gaps[gap] += reached
        self.counts["gaps missed and tried again"] += not reached
        return reached

    def _kill_during_a_job(self) -> None:
        """Kill the service while it trains a job for the first time, for the next start to take it back."""
        self._start()
        database = Database(self.url)

        def is_training() -> bool:
            with database.read() as connection:
                return bool(connection.execute(select(jobs.c.id).filter_by(state="running", losses=0)).all())

        eventually(is_training)
        database.close()
        self._over()
        self.counts["kills of the service"] += 1

    def _disturb(self) -> None:
        """Inject one fault of a random kind at a random moment."""
        served = self._served or self._start(web_workers=self._rng.choice([1, 2]))
        assert served.url, "no fault kills it at its start"
        kinds: dict[Callable[[Served], None], int] = {
            self._kill_service: 3,
            self._kill_all: 3,
            self._kill_web_process: 3 if served.has_supervisor else 0,
            self._kill_worker: 3,
            self._suspend_service: 1,
            self._suspend_worker: 2,
            self._terminate_and_kill: 1,
        }
        enough = self.ledger.counts["requests answered"] + self._rng.randrange(40)
        served.ends(within_s=self._rng.uniform(0.2, 1.5))
        with suppress(AssertionError):  # on a busy machine it takes longer until there is something to lose
            eventually(lambda: self.ledger.counts["requests answered"] >= enough, within_s=ROUND_S)
        self._rng.choices(list(kinds), list(kinds.values()))[0](served)
        self.counts["rounds"] += 1

    def _kill_service(self, served: Served) -> None:
        self._over()
        self.counts["kills of the service"] += 1

    def _kill_all(self, served: Served) -> None:
        others = [*served.web_processes(), *served.workers()]
        served.send(signal.SIGKILL)
        for process in others:
            attempt(process.kill)
        self._over()
        self.counts["kills of the service with its workers"] += 1

    def _kill_web_process(self, served: Served) -> None:
        """One of two: the other takes over what it did, another is started in its place."""
        if there := served.web_processes():
            attempt(self._rng.choice(there).kill)
            self.counts["kills of one web process of two"] += 1

    def _kill_worker(self, served: Served) -> None:
        for worker in served.workers():
            attempt(worker.kill)
            self.counts["kills of a worker"] += 1

    def _suspend_service(self, served: Served) -> None:
        process = self._rng.choice([psutil.Process(served.pid), *served.web_processes()])
        attempt(process.suspend)
        self.counts["suspensions of the service"] += 1
        served.ends(within_s=self._rng.uniform(0.1, 0.6))
        if self._rng.random() < 0.5:
            self._kill_service(served)
        else:
            attempt(process.resume)

    def _suspend_worker(self, served: Served) -> None:
        for worker in filter(has_started, served.workers()):
            attempt(worker.suspend)
            self.counts["suspensions of a worker"] += 1
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

    def _terminate_and_kill(self, served: Served) -> None:
        served.send(signal.SIGTERM)
        self.counts["SIGTERMs"] += 1
        if not served.ends(within_s=self._rng.uniform(0.0, 0.5)):
            self.counts["kills of the service"] += 1
        self._over()

    def _drain(self) -> None:
        """Let the service finish all accepted jobs, and stop it."""
        served = self._served or self._start()
        assert served.url, (self.folder / "service.log").read_text()[-2000:]
        self._client.finish(within_s=DRAIN_S)
        ended = {f"job.ended-{job_id}" for job_id in self.ledger.jobs}
        ended |= {f"sweep.ended-{sweep_id}" for sweep_id in self.ledger.sweeps}
        ended |= {f"version.created-{version}" for version in self.ledger.imported}
        try:
            eventually(lambda: ended <= {*self.receiver.ids()}, within_s=DEADLINE_S)
        except AssertionError:
            missing = ended - {*self.receiver.ids()}
            self.ledger.violations += [f"{id_} was never received" for id_ in sorted(missing)]
        self.counts["webhooks received"] = len(self.receiver.received)
        self.counts["webhooks received more than once"] = len(self.receiver.received) - len({*self.receiver.ids()})
        served.send(signal.SIGTERM)
        assert served.ends(within_s=DEADLINE_S)
        self._served = None
