"""The only writer of the results of jobs: checks, checkpoints, and at the end the model and the final state.

Every write is made under a claim. If the claim is no longer the newest, nothing is written and the answer is False:
another engine has the job.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from service.core import Certainty, StopReason, TrainingConfig, TrainingState
from service.database import (
    JOBS,
    CheckRow,
    Database,
    JobRow,
    JobState,
    SnapshotRow,
    event_rows,
    job_rows,
    sources,
    weight_rows,
)
from service.datasets import PACKAGED, Datasets
from service.errors import Corrupted, DatasetNotFound, ModelNotFound, ServiceError
from service.registry import ModelDraft, Registry, digit_below
from service.telemetry import span
from service.worker import Checked, Checkpointed, Ended, Started, decode_checkpoint, snapshot_stride

from .derived_jobs import StartingPoint, is_complete, outcome
from .job import Failure
from .pausing import interrupt
from .snapshots import max_snapshots

logger = logging.getLogger(__name__)

MAX_LOSSES = 3
"""A job whose workers have died this many times fails: it is the likely cause."""


_WORKER_LOST = Failure(
    type="/problems/worker-lost",
    title="Its workers died",
    detail=f"{MAX_LOSSES} workers died while training this job; it is not retried.",
)


class Recorder:
    """Records the messages of workers; see the module for the rule of all its writes."""

    def __init__(self, database: Database, registry: Registry, datasets: Datasets = PACKAGED):
        self._database = database
        self._registry = registry
        self._datasets = datasets

    def starting_checkpoint(self, config: TrainingConfig) -> bytes | None:
        """Return the state in which a job begins that starts from a model; see `StartingPoint.checkpoint`."""
        start = StartingPoint.of(config.start_from)
        return start.checkpoint(self._registry, config) if start else None

    def record(
        self,
        claim: JobRow,
        *,
        started: Started | None = None,
        checks: Sequence[Checked] = (),
        checkpoint: Checkpointed | None = None,
    ) -> bool:
        """Record progress in one transaction. Checks that an earlier attempt recorded stay as they are."""
        columns: dict[str, Any] = {}
        if started is not None:
            columns["environment"] = asdict(started.environment)
            columns["dataset_sha256"] = started.dataset_sha256
            columns["batches_per_epoch"] = started.batches_per_epoch
        with self._database.write() as connection:
            if not job_rows.lock_claimed(connection, claim.id, claim.fence):
                return False
            newest = event_rows.newest_check_step(connection, claim.id)
            new = [checked for checked in checks if checked.check.step > newest]
            if new and new[0].number // event_rows.BLOCK_LENGTH < (new[-1].number + 1) // event_rows.BLOCK_LENGTH:
                event_rows.pack_checks(connection, claim.id)  # the earlier ones; followers read new ones as events
            made = [(checked.check, asdict(checked.progress), checked.step_losses) for checked in new]
            rows = event_rows.append_checks(connection, claim.id, made, at=datetime.now(UTC))
            if new:
                columns["latest_check"] = asdict(rows[-1])
                _keep_snapshots(connection, claim, new, rows)
            if improved := [row for checked, row in zip(new, rows, strict=True) if checked.improved]:
                columns["best_check"] = asdict(improved[-1])
            if columns:
                job_rows.update_columns(connection, claim.id, **columns)
            if checkpoint is not None:
                weight_rows.put_checkpoint(connection, claim.id, step=checkpoint.step, body=checkpoint.checkpoint)
        return True

    def finish(self, claim: JobRow, ended: Ended) -> bool:
        """Record the end of a run: its last checkpoint, then its model, durably, then the final state.

        A second call, after a crash or an error during the first, continues from what the first wrote.
        """
        if ended.stop_reason is StopReason.NON_FINITE_LOSS:  # its last weights are useless
            return self.fail(claim, _diverged(claim, ended), stop_reason=ended.stop_reason)
        try:
            config = TrainingConfig.from_record(claim.config)
            state = decode_checkpoint(ended.checkpoint, config)
        except ServiceError as error:
            return self.fail(claim, Failure.of(error, "The job could not be finished"))
        with self._database.write() as connection:
            row = _lock(connection, claim)
            if row is None:
                return False
            weight_rows.put_checkpoint(connection, claim.id, step=state.next_step - 1, body=ended.checkpoint)
            if ended.handed_back and row.state == JobState.RUNNING:
                return interrupt(connection, row, state.next_step, "Training was interrupted; it resumes from here.")
            job_rows.update_columns(connection, claim.id, publishing=row.verification is None)
        values: dict[str, Any] = {}
        stop_reason = ended.stop_reason
        try:
            if row.verification is None:
                with span("register", claim.origin, {"inkling.job.id": claim.id}):
                    values["model_version"] = self._publish(row, config, state, ended)
            elif is_complete(row.verification, stop_reason, state.next_step):
                model = self._registry.load(**row.verification["model"])
                found = outcome(model, row, state, stop_reason)
                values["verification"] = {**row.verification, "outcome": asdict(found)}
        except Exception as error:
            logger.exception("the results of job %s could not be stored", claim.id)
            return self.fail(claim, Failure.of(error, "The model was not stored"))
        with self._database.write() as connection:
            return _end(
                connection,
                claim,
                JobState.CANCELLED
                if stop_reason is StopReason.CANCELLED and "verification" not in values
                else JobState.SUCCEEDED,
                reason=stop_reason.sentence,
                stop_reason=stop_reason.value,
                **values,
            )

    def fail(self, claim: JobRow, failure: Failure, *, stop_reason: StopReason | None = None) -> bool:
        """Record a failure."""
        with self._database.write() as connection:
            return _fail(connection, claim, failure, stop_reason)

    def lose(self, claim: JobRow, reason: str) -> bool:
        """Record that the worker or engine of a job died.

        The job returns to the queue, to resume from its last checkpoint, or is paused there if it was to be paused; at
        the third loss it fails; one that was being cancelled is cancelled, with its best weights so far.
        """
        with self._database.write() as connection:
            row = _lock(connection, claim)
            if row is None:
                return False
            if row.state == JobState.RUNNING:
                if claim.losses + 1 >= MAX_LOSSES:
                    return _fail(connection, claim, _WORKER_LOST)
                next_step = weight_rows.next_step(connection, claim.id)
                return interrupt(connection, row, next_step, reason, losses=claim.losses + 1)
            checkpoint = weight_rows.get_checkpoint(connection, claim.id)
            if checkpoint is None:
                return _end(
                    connection, claim, JobState.CANCELLED, reason=reason, stop_reason=StopReason.CANCELLED.value
                )
        return self.finish(claim, Ended(member=0, stop_reason=StopReason.CANCELLED, checkpoint=checkpoint))

    def _publish(self, row: JobRow, config: TrainingConfig, state: TrainingState, ended: Ended) -> int | None:
        """Register the model of a run, unless it was cancelled before its first check; return the version."""
        if state.best_check is None or state.last_check is None:
            return None
        checks = {"best": asdict(state.best_check), "last": asdict(state.last_check)}
        draft = ModelDraft(
            model=config.model,
            classes=config.classes,
            class_names=self._datasets.class_names(row.dataset, config.classes),
            dtype=config.dtype,
            published=config.publish,
            config=config.to_record(),
            dataset={"name": row.dataset, "sha256": row.dataset_sha256 or ""},
            metrics={**checks, "published": checks[config.publish]},
            stop_reason=ended.stop_reason.value,
            environment=row.environment or {},
            job_id=row.id,
            created_at=datetime.now(UTC),
            certainty=self._certainty(config, ended.certainty),
            digit_below=self._digit_below(row.dataset),
        )
        return self._registry.register(
            row.name, draft, state.best, state.last, first_attempt=not row.publishing
        ).version

    def _certainty(self, config: TrainingConfig, measured: Certainty | None) -> Certainty | None:
        """Return what was measured; with the threshold of the version that it started from, if that is lower.

        Else a model that was taught a few images more would be unsure of more than before.
        """
        start = StartingPoint.of(config.start_from)
        try:
            before = self._registry.manifest(start.name, start.version).certainty if start else None
        except (ModelNotFound, Corrupted):
            return measured
        if measured is None or before is None:
            return measured
        return replace(measured, unsure_below=min(measured.unsure_below, before.unsure_below))

    def _digit_below(self, name: str) -> float:
        try:
            dataset = self._datasets.get(name)
            added = dataset.training.images[: dataset.n_added] if dataset.n_added else None
            return digit_below(dataset.test_sha256, added)
        except (DatasetNotFound, Corrupted):
            return 0.0


def _keep_snapshots(connection: Connection, claim: JobRow, new: Sequence[Checked], rows: Sequence[CheckRow]) -> None:
    """Insert snapshots; where there would be too many, delete and skip every second one."""
    if not any(checked.snapshot for checked in new):
        return
    limit = max_snapshots(claim)
    stride = snapshot_stride(new[-1].number + 1, limit)
    if stride > snapshot_stride(new[0].number, limit):
        weight_rows.thin_snapshots(connection, claim.id, stride)
    kept = [
        (SnapshotRow(number=checked.number, step=row.step, check_id=row.id), checked.snapshot)
        for checked, row in zip(new, rows, strict=True)
        if checked.snapshot is not None and checked.number % stride == 0
    ]
    weight_rows.append_snapshots(connection, claim.id, kept)


def _lock(connection: Connection, claim: JobRow) -> JobRow | None:
    """Lock and return the job, if the claim is still the newest."""
    return JOBS.get(connection, claim.id) if job_rows.lock_claimed(connection, claim.id, claim.fence) else None


def _fail(connection: Connection, claim: JobRow, failure: Failure, stop_reason: StopReason | None = None) -> bool:
    return _end(
        connection, claim, JobState.FAILED, reason=failure.detail, stop_reason=stop_reason, error=asdict(failure)
    )


def _end(connection: Connection, claim: JobRow, to: JobState, *, reason: str, **values: Any) -> bool:
    return job_rows.move(
        connection,
        claim.id,
        to=to,
        allowed_from=sources(to).intersection(job_rows.CLAIMED),
        fence=claim.fence,
        reason=reason,
        **values,
    )


def _diverged(claim: JobRow, ended: Ended) -> Failure:
    return Failure(
        type="/problems/non-finite-loss",
        title="The loss is no longer a finite number",
        detail=f"At step {ended.failed_step} with learning rate {claim.config['learning_rate']:g}; "
        "try a learning rate a tenth of that.",
    )
