"""What must be true of a data folder and its database after a load of faults."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from sqlalchemy import text

from service.backup import restore
from service.database import Database
from service.datasets import Datasets
from service.errors import ServiceError
from service.jobs import MOVES, Job, Jobs, JobState
from service.registry import Registry
from service.stores import LocalStore
from tests.chaos.client import COLLECTION
from tests.chaos.failpoints import MODELS
from tests.chaos.fault_load import FaultLoad, stores_in
from tests.chaos.supervisor import attempt, processes_of
from tests.jobs.job_system import eventually

_BACKED = ("jobs", "collection_images")


class Audit:
    """Reads what a service has left after it has stopped.

    Parameters
    ----------
    weights_of : returns the checksum of the weights of an undisturbed run of a configuration.
    """

    def __init__(self, load: FaultLoad, weights_of: Callable[[Mapping[str, Any]], str]):
        self.counts: Counter[str] = Counter()
        self._load = load
        self._folder = load.folder
        self._ledger = load.ledger
        self._weights_of = weights_of
        self._database = Database(load.url)
        self._store = LocalStore(load.folder / "model_store")
        self._registry = Registry(self._store)

    def violations(self) -> list[str]:
        """Return every broken promise."""
        jobs = Jobs(self._database, max_queue_length=1, wake_engine=lambda: None)
        known = {job.id: job for job in jobs.page(limit=100_000)[0]}
        try:
            return [
                *self._ledger.violations,
                *self._jobs(known),
                *self._versions(known),
                *self._aliases(),
                *self._files(),
                *self._integrity(),
                *self._collection(),
                *self._audit_log(known),
                *self._restored(),
                *self._log(),
                *self._processes(),
            ]
        finally:
            self._database.close()

    def _rows(self, query: str, database: Database | None = None) -> list[Any]:
        with (database or self._database).read() as connection:
            return [*connection.execute(text(query))]

    def _jobs(self, known: Mapping[str, Job]) -> Iterator[str]:
        for job_id in self._ledger.jobs.keys() - known.keys() - self._ledger.deleting:
            yield f"job {job_id} was acknowledged and is lost"
        for job_id in self._ledger.deleted & known.keys():
            yield f"the deletion of job {job_id} was acknowledged, and it is there"
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
        imported: set[str] = set()
        n_unanswered = self._ledger.n_imports - len(self._ledger.imported)
        for name in MODELS:
            for version in self._registry.versions(name) if name in self._registry.names() else ():
                self.counts["versions"] += 1
                if f"{name}/{version}" in self._ledger.deleted:
                    yield f"the deletion of version {version} of {name} was acknowledged, and it is there"
                try:
                    manifest = self._registry.load(name, version).manifest
                except ServiceError as error:
                    yield f"version {version} of {name} does not load: {error.message}"
                    continue
                if manifest.stop_reason == "imported":
                    self.counts["versions imported"] += 1
                    imported.add(f"{name}/{version}")
                    acknowledged = self._ledger.imported.get(f"{name}/{version}")
                    n_unanswered -= acknowledged is None
                    if n_unanswered < 0 or acknowledged not in (None, manifest.weights_sha256):
                        yield f"version {version} of {name} was not imported, or with other weights"
                    continue
                job = known.get(manifest.job_id or "")
                if job is None and manifest.job_id not in self._ledger.deleting:
                    yield f"version {version} of {name} comes from no job"
                    continue
                made_by = manifest.job_id or ""
                if made_by in makers:
                    yield f"job {made_by} made two versions"
                makers[made_by] = name, version
                if job is not None and job.model is None and job.state is not JobState.FAILED:
                    yield f"job {job.id} is {job.state.value} and does not know its version {version}"
                if manifest.stop_reason != "cancelled" and manifest.weights_sha256 != self._weights_of(manifest.config):
                    yield f"version {version} of {name} has other weights than an undisturbed run"
                elif manifest.stop_reason != "cancelled":
                    self.counts["versions with the bits of an undisturbed run"] += 1
        for lost in self._ledger.imported.keys() - imported - self._ledger.deleting:
            yield f"the import of {lost} was acknowledged and is lost"
        for job in known.values():
            if job.verification:
                self.counts["versions verified"] += job.state is JobState.SUCCEEDED
                if job.state is JobState.SUCCEEDED and not (job.verification["outcome"] or {}).get("identical"):
                    yield f"job {job.id} trained other weights than the one that it verifies: {job.verification}"
            elif job.state is JobState.SUCCEEDED and job.model is None:
                yield f"job {job.id} succeeded without a version"
            made = job.model and (job.model["name"], job.model["version"])
            if made and makers.get(job.id) != made and f"{made[0]}/{made[1]}" not in self._ledger.deleting:
                yield f"job {job.id} names a version that is not there, or another's: {job.model}"
        for name, version in self._ledger.messages:
            if f"{name}/{version}" in self._ledger.deleting or name not in MODELS:
                continue
            if not self._registry.has_version(name, version):
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
        self._registry.clean()
        for path in root.rglob("*"):
            parts = path.relative_to(root).parts
            if path.is_dir() or parts[0] not in (*MODELS, ".tmp"):
                continue
            match parts[1:]:
                case (version, "weights.npz") if version.isdigit():
                    self.counts["weights without a version"] += not path.with_name("manifest.json").exists()
                case (version, "manifest.json") if version.isdigit():
                    pass
                case (version, "deleted.json") if version.isdigit():
                    self.counts["versions deleted"] += 1
                    if len(list(path.parent.iterdir())) > 1:
                        yield f"{'/'.join(parts)} has left files"
                case ("aliases", "champion", _):
                    pass
                case _:
                    yield f"{'/'.join(parts)} was left behind"

    def _collection(self) -> Iterator[str]:
        there = {row.id for row in self._rows("SELECT id FROM collection_images")}
        self.counts["images"] += len(there)
        for image_id in self._ledger.images - there - self._ledger.deleting:
            yield f"image {image_id} was acknowledged and is lost"
        for image_id in there & self._ledger.deleted:
            yield f"the deletion of image {image_id} was acknowledged, and it is there"
        datasets = Datasets(LocalStore(self._folder / "datasets"))
        for name, sha256 in self._ledger.frozen.items():
            try:
                if datasets.get(name).sha256 != sha256:
                    yield f"data set {name} is not the one that was acknowledged"
            except ServiceError as error:
                yield f"data set {name} was acknowledged and does not load: {error.message}"

    def _audit_log(self, known: Mapping[str, Job]) -> Iterator[str]:
        """Hold what was acknowledged against the lines: an acceptance is written with its line, a deletion after it."""
        ledger = self._ledger
        lines = Counter(map(tuple, self._rows("SELECT method, status, object_id FROM audit")))
        members = {row.id for row in self._rows("SELECT id FROM jobs WHERE sweep_id IS NOT NULL")}
        self.counts["lines of the audit log"] = lines.total()
        expected = Counter(("POST", 202, object_id) for object_id in {*ledger.keys.values()} | known.keys() - members)
        expected += Counter(("POST", 201, version) for version in ledger.imported)
        expected += Counter(("POST", 201, f"{COLLECTION}/{image_id}") for image_id in ledger.images)
        expected += Counter({("PUT", 200, f"{name}/champion"): len(moves) for name, moves in ledger.moves.items()})
        for line in expected - lines:
            yield f"{line} was acknowledged without a line of the audit log"
        for object_id in self._ledger.deleted:
            if not any((method, status) == ("DELETE", 204) and object_id in str(of) for method, status, of in lines):
                yield f"{object_id} was deleted without a line of the audit log"

    def _restored(self) -> Iterator[str]:
        """Restore the backup that was made meanwhile: it has what was acknowledged before it began."""
        if (backup := self._load.backup) is None:
            return
        folder = self._folder.with_name(f"{self._folder.name}.restored")
        folder.mkdir()
        restore(backup.file, folder / "inkling.db", stores_in(folder))
        self.counts["jobs in the backup"] = len(backup.jobs)
        restored = Database(f"sqlite:///{folder / 'inkling.db'}")
        jobs, images = ({row.id for row in self._rows(f"SELECT id FROM {of}", restored)} for of in _BACKED)
        made = self._rows("SELECT name, model_version FROM jobs WHERE model_version IS NOT NULL", restored)
        restored.close()
        for lacks in (backup.jobs - jobs, backup.images - images):
            for object_id in lacks - self._ledger.deleting:
                yield f"{object_id} was acknowledged and is not in the backup"
        registry = Registry(LocalStore(folder / "model_store"))
        for name, version in made:
            if f"{name}/{version}" not in self._ledger.deleting:
                try:
                    registry.load(name, version)
                except ServiceError as error:
                    yield f"version {version} of {name} does not load from the backup: {error.message}"

    def _integrity(self) -> Iterator[str]:
        """SQLite says itself whether its file is damaged; PostgreSQL stops at what it notices."""
        for question in ("integrity_check", "foreign_key_check") if self._database.exclusive else ():
            if (answer := self._rows(f"PRAGMA {question}")) not in ([], [("ok",)]):
                yield f"{question} says {answer}"

    def _log(self) -> Iterator[str]:
        if "Traceback" in (log := (self._folder / "service.log").read_text()):
            yield f"the service met a bug: {log[log.index('Traceback') :][:3000]}"

    def _processes(self) -> Iterator[str]:
        try:
            eventually(lambda: not processes_of(self._load.sessions), within_s=5)
        except AssertionError:
            found = processes_of(self._load.sessions)
            yield f"processes outlive the service: {found}"
            for process in found:
                attempt(process.kill)
