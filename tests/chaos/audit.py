"""What must be true of a data folder after a load of faults, read from its files."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from service.database import Database
from service.errors import ServiceError
from service.jobs import MOVES, Job, Jobs, JobState
from service.registry import LocalStore, Registry
from tests.chaos.client import Ledger
from tests.chaos.failpoints import MODELS
from tests.chaos.supervisor import processes_of
from tests.jobs.job_system import eventually


class Audit:
    """Reads a data folder after its service has stopped.

    Parameters
    ----------
    weights_of : returns the checksum of the weights of an undisturbed run of a configuration.
    """

    def __init__(self, folder: Path, ledger: Ledger, weights_of: Callable[[Mapping[str, Any]], str]):
        self.counts: Counter[str] = Counter()
        self._folder = folder
        self._ledger = ledger
        self._weights_of = weights_of
        self._store = LocalStore(folder / "model_store")
        self._registry = Registry(self._store)

    def violations(self) -> list[str]:
        """Return every broken promise."""
        database = Database(f"sqlite:///{self._folder / 'inkling.db'}")
        try:
            jobs = Jobs(database, max_queue_length=1, wake_engine=lambda: None)
            known = {job.id: job for job in jobs.page(limit=100_000)[0]}
        finally:
            database.close()
        return [
            *self._ledger.violations,
            *self._jobs(known),
            *self._versions(known),
            *self._aliases(),
            *self._files(),
            *self._integrity(),
            *self._log(),
            *self._processes(),
        ]

    def _jobs(self, known: Mapping[str, Job]) -> Iterator[str]:
        for job_id in self._ledger.jobs.keys() - known.keys():
            yield f"job {job_id} was acknowledged and is lost"
        for job in known.values():
            self.counts["jobs"] += 1
            self.counts[f"jobs {job.state.value}"] += 1
            states = [move.state for move in job.history]
            if not job.state.final or [state.final for state in states].count(True) != 1 or states[-1] != job.state:
                yield f"job {job.id} is not in one final state: {[state.value for state in states]}"
            if states[0] is not JobState.QUEUED or any(
                after not in MOVES[before] for before, after in pairwise(states)
            ):
                yield f"job {job.id} made a move that there is not: {[state.value for state in states]}"
            if job.state is JobState.FAILED and (job.error or {}).get("type") != "/problems/worker-lost":
                yield f"job {job.id} failed: {job.error}"
            if job.id in self._ledger.cancelled and job.state is JobState.FAILED:
                yield f"job {job.id} was to be cancelled, and failed"
            seen = self._ledger.finals.get(job.id)
            if seen and (seen["state"], seen["model"]) != (job.state.value, job.model and dict(job.model)):
                yield f"job {job.id} has another final state than the client received"

    def _versions(self, known: Mapping[str, Job]) -> Iterator[str]:
        makers: dict[str, tuple[str, int]] = {}
        for name in MODELS:
            for version in self._registry.versions(name) if name in self._registry.names() else ():
                self.counts["versions"] += 1
                try:
                    manifest = self._registry.load(name, version).manifest
                except ServiceError as error:
                    yield f"version {version} of {name} does not load: {error.message}"
                    continue
                job = known.get(manifest.job_id or "")
                if job is None:
                    yield f"version {version} of {name} comes from no job"
                    continue
                if job.id in makers:
                    yield f"job {job.id} made two versions"
                makers[job.id] = name, version
                if job.model is None and job.state is not JobState.FAILED:
                    yield f"job {job.id} is {job.state.value} and does not know its version {version}"
                if manifest.stop_reason != "cancelled" and manifest.weights_sha256 != self._weights_of(manifest.config):
                    yield f"version {version} of {name} has other weights than an undisturbed run"
                elif manifest.stop_reason != "cancelled":
                    self.counts["versions with the bits of an undisturbed run"] += 1
        for job in known.values():
            if job.state is JobState.SUCCEEDED and job.model is None:
                yield f"job {job.id} succeeded without a version"
            if job.model is not None and makers.get(job.id) != (job.model["name"], job.model["version"]):
                yield f"job {job.id} names a version that is not there, or another's: {job.model}"
        for name, version in self._ledger.messages:
            if name in MODELS and not self._registry.has_version(name, version):
                yield f"version {version} of {name} was used for a prediction and is missing"

    def _aliases(self) -> Iterator[str]:
        for name, moves in self._ledger.moves.items():
            try:
                history = self._registry.alias_history(name, "champion")
            except ServiceError as error:
                yield f"the history of the alias of {name} cannot be read: {error.message}"
                continue
            self.counts["alias moves"] += len(history)
            recorded = {entry.number: (entry.version, entry.reason) for entry in history}
            for number, move in moves.items():
                if recorded.get(number) != move:
                    yield f"move {number} of the alias of {name} was acknowledged and is lost"

    def _files(self) -> Iterator[str]:
        """Let the store clean up as a start does, an hour later, and see that nothing else is left."""
        root = self._folder / "model_store"
        long_ago = time.time() - 7200
        for tmp in (root / ".tmp").iterdir():
            os.utime(tmp, (long_ago, long_ago))
            self.counts["temporary files cleaned"] += 1
        self._store.clean()
        for path in root.rglob("*"):
            parts = path.relative_to(root).parts
            if path.is_dir() or parts[0] not in (*MODELS, ".tmp"):
                continue
            match parts[1:]:
                case (version, "weights.npz") if version.isdigit():
                    self.counts["weights without a version"] += not path.with_name("manifest.json").exists()
                case (version, "manifest.json") if version.isdigit():
                    pass
                case ("aliases", "champion", _):
                    pass
                case _:
                    yield f"{'/'.join(parts)} was left behind"

    def _integrity(self) -> Iterator[str]:
        with sqlite3.connect(self._folder / "inkling.db") as connection:
            for question in ("integrity_check", "foreign_key_check"):
                answer = connection.execute(f"PRAGMA {question}").fetchall()
                if answer not in ([], [("ok",)]):
                    yield f"{question} says {answer}"
        connection.close()

    def _log(self) -> Iterator[str]:
        if "Traceback" in (log := (self._folder / "service.log").read_text()):
            yield f"the service met a bug: {log[log.index('Traceback') :][:3000]}"

    def _processes(self) -> Iterator[str]:
        try:
            eventually(lambda: not processes_of(self._folder), within_s=5)
        except AssertionError:
            yield f"processes outlive the service: {processes_of(self._folder)}"
            for process in processes_of(self._folder):
                process.kill()
