"""The service of jobs: submit, read, pause, cancel, resume, verify, delete. No call waits for training."""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from service.charts import Curves
from service.core import Floats, Schedule, TrainingConfig, TrainingState, epoch_batches, initial_state, next_gradient
from service.database import (
    EVERYTHING,
    FINAL,
    JOBS,
    Annotation,
    JobRow,
    JobState,
    NewJob,
    Search,
    Transition,
    annotation_rows,
    event_rows,
    job_rows,
    weight_rows,
)
from service.datasets import select, with_its_classes
from service.errors import Corrupted, InvalidJobTransition, NoDataYet
from service.registry import check_model_name
from service.worker import decode_checkpoint, decode_pending_losses

from . import pausing
from .derived_jobs import (
    StartingPoint,
    continued,
    require_dataset,
    require_versions,
    rescaled,
    resumable_state,
    started,
    verification_of,
)
from .job import DEFAULT_POINTS, EventBatch, Job, JobRequest, Metrics, curves_of, losses_after
from .snapshots import JobWeights, LayerNumbers, LayerValues
from .submission import SubmissionService, check_capacity, fingerprint

LATE_S = 20.0
"""No writing transaction takes longer: the id of an event that is missing for so long was rolled back."""
MAX_GRADIENT_IMAGES = 1_000
"""Of a larger batch the first ones, which bounds the memory of a request."""
_LOOK_BACK = 1000
"""More events than unfinished transactions can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """All jobs at one moment: their number in each state, and the sum of the running ones' images a second."""

    by_state: Mapping[JobState, int]
    images_per_s: float


class Jobs(SubmissionService):
    """The service of jobs; see `SubmissionService` for the parameters."""

    def request_of(self, body: Mapping[str, Any]) -> JobRequest:
        """Return the request that the body of ``POST /jobs`` makes, with what it takes over from a model.

        Raises `InvalidField` for a field that is unknown, outside its range, or not as the model has it.
        """
        hyperparameters = dict(body)
        about = {key: hyperparameters.pop(key) for key in ("dataset", "name", "paused") if key in hyperparameters}
        annotation = Annotation.taken_from(hyperparameters)
        values = started(hyperparameters, self._registry)
        config = TrainingConfig.from_dict(values)
        start_from = hyperparameters.get("start_from")
        return JobRequest(config=config, start_from=start_from, annotation=annotation, **about)

    def submit(self, request: JobRequest, *, idempotency_key: str | None = None) -> Job:
        """Accept a job, or return the one that was accepted under the same key before.

        Raises `InvalidField` if the request does not fit the data set or the name cannot be a model's; `QueueFull`,
        also where too many jobs are paused; `IdempotencyMismatch`.
        """
        dataset = self._datasets.requested(request.dataset)  # first: the default name of the model contains it
        check_model_name(request.model_name)
        StartingPoint.of(request.config.start_from)  # raises unless it is a version
        config = with_its_classes(request.config, dataset)
        select(dataset, config)
        new = replace(request.new_job(idempotency_key), config=config.to_record())

        def insert(connection: Connection) -> Job:
            accepted = self._insert(connection, new)
            if not request.paused:
                return accepted
            pausing.refuse_more_paused(connection)
            pausing.pause_waiting(connection, new.id)
            return _job(connection, new.id)

        return self._accept_job(idempotency_key, new.request_sha256, insert)

    def resume(self, job_id: str, changes: Mapping[str, Any], *, idempotency_key: str | None = None) -> Job:
        """Accept a new job that resumes where another one ended, with new ``epochs`` or ``patience``.

        The old job stays as it is. The new one begins with its checkpoint and its checks, and ends with the weights, to
        the bit, of a single job of that many epochs. Raises `InvalidField` if nothing would be left to train, or
        patience is lower than before; `InvalidJobTransition` if the job is not finished, or its checkpoint or data set
        is missing; or as `submit`.
        """
        request_sha256 = fingerprint({"resume": job_id, **changes})

        def insert(connection: Connection) -> Job:
            row, checkpoint = JOBS.get(connection, job_id), weight_rows.get_checkpoint(connection, job_id)
            state = resumable_state(row, checkpoint)
            require_dataset(row, self._datasets)
            config = continued(row, state, changes)
            new = NewJob(
                name=row.name,
                dataset=row.dataset,
                config=config.to_record(),
                idempotency_key=idempotency_key,
                request_sha256=request_sha256,
                continues={"job": job_id, "step": state.next_step},
            )
            self._insert(connection, new)
            before = TrainingConfig.from_record(row.config)
            job_rows.begin_after(
                connection,
                new.id,
                row,
                next_step=state.next_step,
                latest_step=state.last_check.step if state.last_check else None,
                best_step=state.best_check.step if state.best_check else None,
                progress_of=partial(rescaled, before=before, now=config),
            )
            return _job(connection, new.id)

        return self._accept_job(idempotency_key, request_sha256, insert)

    def verify(self, job_id: str, *, idempotency_key: str | None = None) -> Job:
        """Accept a new job that trains another one again from its record, and then compares the bits.

        Raises `InvalidJobTransition` if the job has no model; or that, or what it was trained on or started from, was
        deleted; or as `submit`.
        """
        request_sha256 = fingerprint({"verify": job_id})

        def insert(connection: Connection) -> Job:
            row = JOBS.get(connection, job_id)
            verification = verification_of(row, weight_rows.next_step(connection, job_id))
            require_dataset(row, self._datasets)
            require_versions(row, self._registry)
            new = NewJob(
                name=row.name,
                dataset=row.dataset,
                config=row.config,
                idempotency_key=idempotency_key,
                request_sha256=request_sha256,
                verification=verification,
            )
            return self._insert(connection, new)

        return self._accept_job(idempotency_key, request_sha256, insert)

    def get(self, job_id: str) -> Job:
        """Return a job; raise `JobNotFound`."""
        with self._database.read() as connection:
            return _job(connection, job_id)

    def page(
        self, *, state: JobState | None = None, search: Search = EVERYTHING, limit: int = 50, before: str | None = None
    ) -> tuple[list[Job], str | None]:
        """Return the newest jobs first and, if there are more, the cursor of the next page."""
        with self._database.read() as connection:
            shown, following = JOBS.page(connection, search=search, limit=limit, before=before, state=state)
            ids = [row.id for row in shown]
            histories = event_rows.states(connection, ids)
            annotations = annotation_rows.get(connection, "jobs", ids)
        jobs = [Job.of(row, histories[row.id], annotations[row.id]) for row in shown]
        return jobs, following

    def census(self) -> Census:
        """Count the jobs in each state, and sum the speed of the running ones."""
        with self._database.read() as connection:
            counts = job_rows.count_by_state(connection)
            paces = [progress["images_per_s"] or 0.0 for progress in job_rows.newest_progress(connection)]
        return Census(by_state={state: counts.get(state, 0) for state in JobState}, images_per_s=sum(paces))

    def cancel(self, job_id: str) -> Job:
        """Cancel a job, also again, keeping its best weights; raise `InvalidJobTransition` if it is finished."""
        with self._database.write() as connection:
            if not job_rows.cancel(connection, [job_id]):
                row = JOBS.get(connection, job_id)
                if JobState(row.state).final:
                    raise InvalidJobTransition(f"The job is already {row.state}.")
        self._wake_engine()
        return self.get(job_id)

    def pause(self, job_id: str) -> Job:
        """Pause a job; see `service.jobs.pausing.pause`."""
        with self._database.write() as connection:
            pausing.pause(connection, job_id)
        self._wake_engine()
        return self.get(job_id)

    def proceed(self, job_id: str, *, steps: int | None = None, epochs: int | None = None) -> Job:
        """Continue a paused job; see `service.jobs.pausing.proceed`."""
        with self._database.write() as connection:
            pausing.proceed(connection, job_id, self._datasets, steps=steps, epochs=epochs)
        self._wake_engine()
        return self.get(job_id)

    def delete(self, job_id: str) -> None:
        """Delete a job, but not its model; raise `InvalidJobTransition` unless it is finished."""
        with self._database.write() as connection:
            if not job_rows.remove(connection, job_id, allowed_from=FINAL):
                row = JOBS.get(connection, job_id)
                raise InvalidJobTransition(f"The job is {row.state}; cancel it first.")

    def metrics(self, job_id: str, *, since: int = 0, max_points: int = DEFAULT_POINTS) -> Metrics:
        """Return the history of a job after an event, thinned to ``max_points`` if it is longer."""
        with self._database.read() as connection:
            later = _losses_after_last_check(connection, JOBS.get(connection, job_id))
            return Metrics.of(partial(event_rows.check_pieces, connection, job_id, since=since), later, max_points)

    def curves(self, job_id: str) -> Curves:
        """Return the history of a job for the charts."""
        with self._database.read() as connection:
            row = JOBS.get(connection, job_id)
            later = _losses_after_last_check(connection, row)
            return curves_of(row, partial(event_rows.check_pieces, connection, job_id), later)

    def weights(self, job_id: str, which: str) -> JobWeights:
        """Return the ``best`` or ``last`` weights of the newest checkpoint; raise `NoDataYet` before the first."""
        row, config, state = self._newest_state(job_id)
        parameters = state.best if which == "best" else state.last
        return JobWeights.of(row, config, parameters, next_step=state.next_step, datasets=self._datasets)

    def gradient(self, job_id: str) -> tuple[JobWeights, Floats]:
        """Return the newest weights, and the gradient with which the next step from there begins, (n_parameters,).

        It is that of the objective, on the images of the step as it gets them: of those at most `MAX_GRADIENT_IMAGES`.
        Raises as `weights`, and `InvalidJobTransition` if the data set was deleted.
        """
        row, config, state = self._newest_state(job_id)
        require_dataset(row, self._datasets)
        training, _ = select(self._datasets.get(row.dataset), config)
        schedule = Schedule.of(config, len(training))
        batch = next(epoch_batches(config, schedule, state.next_step))
        x, y = training[batch][:MAX_GRADIENT_IMAGES].arrays(config)
        weights = JobWeights.of(row, config, state.last, next_step=state.next_step, datasets=self._datasets)
        return weights, next_gradient(config, state, schedule, x, y)

    def numbers(self, job_id: str, what: LayerValues, *, layer: int, which: str) -> LayerNumbers:
        """Return the ``best`` or ``last`` weights, or the gradient, as `weights` and `gradient` do, of one layer."""
        if what == "weights":
            found = self.weights(job_id, which)
            return found.numbers(found.parameters, layer)
        found, row = self.gradient(job_id)
        return found.numbers(row, layer)

    def _newest_state(self, job_id: str) -> tuple[JobRow, TrainingConfig, TrainingState]:
        """Return the state of the newest checkpoint, of a job that was paused before its first step where it begins."""
        with self._database.read() as connection:
            row = JOBS.get(connection, job_id)
            checkpoint = weight_rows.get_checkpoint(connection, job_id)
        config = TrainingConfig.from_record(row.config)
        if checkpoint is None and row.state == JobState.PAUSED:
            start = StartingPoint.of(config.start_from)
            if start is None or self._registry is None:
                return row, config, initial_state(config, config.build_model())
            checkpoint = start.checkpoint(self._registry, config)
        if checkpoint is None:
            raise NoDataYet("The job has no weights yet; they follow its first validation check.")
        return row, config, decode_checkpoint(checkpoint, config)

    def provenance(self, job_id: str) -> Mapping[str, str]:
        """Return the provenance that a picture of this job contains."""
        with self._database.read() as connection:
            row = JOBS.get(connection, job_id)
        environment: Mapping[str, Any] = row.environment or {}
        return {
            "job": row.id,
            "state": row.state,
            **{name: json.dumps(value) for name, value in row.config.items()},
            "dataset": row.dataset,
            "dataset_sha256": row.dataset_sha256 or "",
            **{name: str(value) for name, value in environment.items()},
        }

    def events(self, job_id: str, *, after: int = 0, limit: int = 1000) -> EventBatch:
        """Return the events of a job after an event. A deleted job has no more."""
        with self._database.read() as connection:
            state = job_rows.state_of(connection, job_id)
            events = event_rows.after(connection, job_id, after, limit)
        is_over = state is None or JobState(state).final
        return EventBatch(events=tuple(events), complete=is_over and len(events) < limit)

    def newest_event_id(self) -> int:
        """Return the highest id of all events of all jobs, 0 without one."""
        with self._database.read() as connection:
            return event_rows.newest_id(connection)

    def events_since(self, event_id: int) -> dict[int, str]:
        """Return the ids of all events of all jobs above ``event_id``, ascending, and the job of each.

        An id below the highest may appear later, when its transaction ends; those of one job appear in their order.
        """
        with self._database.read() as connection:
            return event_rows.jobs_since(connection, event_id)

    def _accept_job(self, idempotency_key: str | None, request_sha256: str, insert: Callable[[Connection], Job]) -> Job:
        return self._accept(JOBS, idempotency_key, request_sha256, insert, _job)

    def _insert(self, connection: Connection, new: NewJob) -> Job:
        check_capacity(connection, 1, self._max_queue_length)
        at = job_rows.insert(connection, [new])
        queued = Transition(state=JobState.QUEUED, at=at, reason=None)
        return Job.of(JobRow.of(new, at), [queued], new.annotation)  # what was just written is known


def _job(connection: Connection, job_id: str) -> Job:
    annotation = annotation_rows.get(connection, "jobs", [job_id])[job_id]
    return Job.of(JOBS.get(connection, job_id), event_rows.states(connection, [job_id])[job_id], annotation)


def _losses_after_last_check(connection: Connection, row: JobRow) -> NDArray[np.void]:
    """Return the training losses of the last steps of a job that rests, which its newest checkpoint has."""
    if row.state in (*FINAL, JobState.PAUSED) and (checkpoint := weight_rows.get_checkpoint(connection, row.id)):
        with suppress(Corrupted):  # the rest of the history does not need it
            last_check, losses = decode_pending_losses(checkpoint)
            if row.latest_check and last_check and last_check.step == row.latest_check["step"]:
                return losses_after(last_check.step, losses)
    return losses_after(0, np.zeros(0))


class EventCursor:
    """Finds the jobs with new events at each call, and misses none.

    PostgreSQL assigns ids before a commit, so an event may appear below one that has been seen. An id that is missing
    below the highest is therefore waited for, by the monotonic ``clock`` in seconds.
    """

    def __init__(self, jobs: Jobs, clock: Callable[[], float] = time.monotonic) -> None:
        self._jobs = jobs
        self._clock = clock
        self._settled = max(0, jobs.newest_event_id() - _LOOK_BACK)
        self._seen_at: dict[int, float] = {}

    def changed_jobs(self) -> set[str]:
        """Return the jobs of all events that the previous calls have not seen."""
        now = self._clock()
        events = self._jobs.events_since(self._settled)
        changed = {job_id for event_id, job_id in events.items() if event_id not in self._seen_at}
        for event_id in events:
            self._seen_at.setdefault(event_id, now)
        for event_id in sorted(self._seen_at):
            if event_id > self._settled + 1 and now - self._seen_at[event_id] < LATE_S:
                break  # an id below it may still appear
            self._settled = event_id
            del self._seen_at[event_id]
        return changed
