"""Rows of ``jobs``. Every move between states is one conditional UPDATE, stated here with its condition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, false, func, or_, select, update
from ulid import ULID

from service.errors import JobNotFound
from service.telemetry import Origin, origin

from . import annotation_rows, delivery_rows, event_rows
from .annotation_rows import NO_ANNOTATION, Annotation
from .connection import AdvisoryLock, now_s
from .request_rows import Rows, is_open, submitter
from .sharing import hand_over, share
from .states import JobState, sources
from .tables import checkpoints, jobs, snapshots

CLAIMED = (JobState.RUNNING, JobState.CANCELLING)

PAUSE_NOW = 0
"""As ``pause_at_step`` of a running job: after its current step. 0 is no step before which one can pause later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job when it is accepted."""

    id: str = field(default_factory=lambda: str(ULID()))
    name: str
    dataset: str
    config: Mapping[str, Any]
    request_sha256: str
    idempotency_key: str | None = None
    sweep_id: str | None = None
    stack_key: str | None = None
    continues: Mapping[str, Any] | None = None
    verification: Mapping[str, Any] | None = None
    annotation: Annotation = NO_ANNOTATION


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job; its latest and its best check have the fields of a `CheckRow`."""

    number: int
    id: str
    name: str
    dataset: str
    config: Mapping[str, Any]
    state: str
    fence: int = 0
    losses: int = 0
    pause_at_step: int | None = None
    sweep_id: str | None
    batches_per_epoch: int | None = None
    dataset_sha256: str | None = None
    environment: Mapping[str, Any] | None = None
    stop_reason: str | None = None
    error: Mapping[str, Any] | None = None
    publishing: bool = False
    model_version: int | None = None
    continues: Mapping[str, Any] | None
    verification: Mapping[str, Any] | None
    origin: Origin | None = None
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    latest_check: Mapping[str, Any] | None = None
    best_check: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, new: NewJob, at: datetime) -> JobRow:
        """Return the row of a job that was inserted at a time, but for its number, which is 0 here."""
        same = {
            name: getattr(new, name) for name in cls.__dataclass_fields__.keys() & NewJob.__dataclass_fields__.keys()
        }
        return cls(number=0, state=JobState.QUEUED, created_at=at, **same)


JOBS = Rows(jobs, JobRow, JobNotFound, "There is no job of that id.", [jobs.c.name, jobs.c.dataset])
_NEW = tuple(name for name in NewJob.__dataclass_fields__ if name != "annotation")

# Statements of every submission and engine cycle are built once: building one takes longer than running it.
_INSERT = jobs.insert()
_COUNT = select(func.count()).where(jobs.c.state == bindparam("state"))
_WAITING = {
    JobState.CANCELLING: (jobs.c.state == JobState.CANCELLING) & jobs.c.claimed_by.is_(None),
    JobState.QUEUED: jobs.c.state == JobState.QUEUED,
}
"""Of jobs that wait for a worker, in the order in which they are claimed."""
_N_ENDING, _N_QUEUED = (select(func.count()).where(waits).scalar_subquery() for waits in _WAITING.values())
_COUNT_CLAIMABLE = select(_N_ENDING + _N_QUEUED)
_COUNT_UNFINISHED = select(func.count()).where(jobs.c.key_id == bindparam("key_id"), is_open())
_STATE = select(jobs.c.state).where(jobs.c.id == bindparam("job_id"))
_UPDATE = update(jobs).where(jobs.c.id == bindparam("job_id"))
_TO_STOP = select(jobs.c.id, jobs.c.state).where(
    jobs.c.claimed_by == bindparam("claimer"),
    (jobs.c.state == JobState.CANCELLING) | ((jobs.c.state == JobState.RUNNING) & (jobs.c.pause_at_step == PAUSE_NOW)),
)
_LOCK_CLAIMED = (
    select(jobs.c.id)
    .where(jobs.c.id == bindparam("job_id"), jobs.c.fence == bindparam("fence_number"), jobs.c.state.in_(CLAIMED))
    .with_for_update()
)


def insert(connection: Connection, new: Sequence[NewJob]) -> datetime:
    """Insert new jobs as queued, in their order; return the time of that."""
    now = datetime.now(UTC)
    key_id = who.key_id if (who := submitter.get()) else None
    common = {"key_id": key_id, "created_at": now, "origin": origin()}
    rows = [{name: getattr(job, name) for name in _NEW} | common for job in new]
    connection.execute(_INSERT, rows)
    for job in new:
        if job.annotation.given():
            annotation_rows.put(connection, "jobs", job.id, job.annotation)
    event_rows.append_states(connection, [job.id for job in new], JobState.QUEUED, at=now)
    return now


def begin_after(
    connection: Connection,
    job_id: str,
    before: JobRow,
    *,
    next_step: int,
    latest_step: int | None,
    best_step: int | None,
    progress_of: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> None:
    """Give a new job the checkpoint of ``before`` and its checks before ``next_step``, with bytes as in `sharing`.

    ``progress_of`` maps the progress at a check to the new job's epochs and patience.
    """
    share(connection, checkpoints, before.id, to=job_id)
    event_rows.share_checks(connection, before.id, to=job_id, next_step=next_step, progress_of=progress_of)
    share(connection, snapshots, before.id, snapshots.c.step < next_step, to=job_id)
    columns: dict[str, Any] = {
        name: getattr(before, name) for name in ("batches_per_epoch", "dataset_sha256", "environment")
    }
    for column, step in (("latest_check", latest_step), ("best_check", best_step)):
        if step is not None:
            columns[column] = asdict(event_rows.check_at_step(connection, job_id, step))
    update_columns(connection, job_id, **columns)


def state_of(connection: Connection, job_id: str) -> str | None:
    """Return the state of a job, None if there is no such job."""
    state: str | None = connection.execute(_STATE, {"job_id": job_id}).scalar_one_or_none()
    return state


def count(connection: Connection, state: str) -> int:
    """Return how many jobs are in a state."""
    return connection.execute(_COUNT, {"state": state}).scalar_one()


def count_unfinished(connection: Connection, key_id: str) -> int:
    """Return how many jobs of a key are not in a final state."""
    return connection.execute(_COUNT_UNFINISHED, {"key_id": key_id}).scalar_one()


def count_by_state(connection: Connection) -> dict[str, int]:
    """Return how many jobs are in each state; states without jobs are missing."""
    rows = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state))
    return dict(rows.all())


def count_members_by_state(connection: Connection, sweep_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """Return how many members of each sweep are in each state."""
    rows = connection.execute(
        select(jobs.c.sweep_id, jobs.c.state, func.count())
        .where(jobs.c.sweep_id.in_(sweep_ids))
        .group_by(jobs.c.sweep_id, jobs.c.state)
    )
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for sweep_id, state, number in rows:
        counts[sweep_id][state] = number
    return counts


def newest_progress(connection: Connection) -> list[Mapping[str, Any]]:
    """Return the progress of each claimed job that has made a check."""
    newest = select(jobs.c.latest_check).where(jobs.c.state.in_(CLAIMED), jobs.c.latest_check.is_not(None))
    return [check["detail"] for check in connection.execute(newest).scalars()]


def count_claimable(connection: Connection) -> int:
    """Return how many jobs wait for a worker: to be trained, or to end with what they had when they were cancelled."""
    n_waiting: int = connection.execute(_COUNT_CLAIMABLE).scalar_one()
    return n_waiting


def claim_oldest(connection: Connection, *, claimed_by: str, lease_s: float, max_members: int) -> list[JobRow]:
    """Claim the oldest job that waits and those that can be trained with it; each claim increments its fence number.

    Jobs that were cancelled while they waited come first. Jobs that share a stack key are claimed together, at most
    ``max_members``, if they continue from the same step.
    """
    for state in _WAITING:
        if claims := _claim_in_state(connection, state, claimed_by, lease_s=lease_s, max_members=max_members):
            return claims
    return []


def _claim_in_state(
    connection: Connection, state: JobState, claimed_by: str, *, lease_s: float, max_members: int
) -> list[JobRow]:
    waiting = (
        select(jobs.c.id, jobs.c.stack_key, checkpoints.c.step)
        .join_from(jobs, checkpoints, checkpoints.c.job_id == jobs.c.id, isouter=True)
        .where(_WAITING[state])
        .order_by(jobs.c.number)
        .with_for_update(of=jobs, skip_locked=True)
    )
    oldest = connection.execute(waiting.limit(1)).first()
    if oldest is None:
        return []
    ids = [oldest.id]
    if oldest.stack_key is not None:
        together = connection.execute(waiting.where(jobs.c.stack_key == oldest.stack_key).limit(max_members))
        ids = [row.id for row in together if row.step == oldest.step]
    now = datetime.now(UTC)
    claimed = connection.execute(
        update(jobs)
        .where(jobs.c.id.in_(ids), jobs.c.state == state)
        .values(
            state=JobState.RUNNING if state is JobState.QUEUED else state,
            fence=jobs.c.fence + 1,
            claimed_by=claimed_by,
            lease_expires_at_s=now_s(connection.engine) + lease_s,
            started_at=func.coalesce(jobs.c.started_at, now),
        )
        .returning(*JOBS.columns)
    )
    claims = sorted(JOBS.read(claimed), key=lambda claim: ids.index(claim.id))
    if state is JobState.QUEUED:
        event_rows.append_states(connection, [claim.id for claim in claims], JobState.RUNNING, at=now)
    return claims


def extend_leases(connection: Connection, *, claimed_by: str, lease_s: float) -> None:
    """Extend the leases of an engine's jobs, locking rows in the order of their numbers, which excludes deadlocks."""
    mine = jobs.c.claimed_by == claimed_by, jobs.c.state.in_(CLAIMED)
    ids = connection.execute(select(jobs.c.id).where(*mine).order_by(jobs.c.number).with_for_update()).scalars().all()
    connection.execute(
        update(jobs).where(jobs.c.id.in_(ids)).values(lease_expires_at_s=now_s(connection.engine) + lease_s)
    )


def to_stop(connection: Connection, *, claimed_by: str) -> dict[str, str]:
    """Return the claimed jobs that are to stop, with their states: to be cancelled, or running and to be paused."""
    return dict(connection.execute(_TO_STOP, {"claimer": claimed_by}).all())


def count_pauses(connection: Connection) -> int:
    """Return how many jobs are paused, or will be."""
    pauses = is_open(), jobs.c.pause_at_step.is_not(None)
    return connection.execute(select(func.count()).where(*pauses)).scalar_one()


def request_pause(connection: Connection, job_id: str) -> bool:
    """Have a running job pause after its current step; False if it is not running."""
    running = (jobs.c.id == job_id) & (jobs.c.state == JobState.RUNNING)
    return connection.execute(update(jobs).where(running).values(pause_at_step=PAUSE_NOW)).rowcount == 1


def expired_pauses(connection: Connection) -> list[str]:
    """Return the jobs that have been paused for as long as they may."""
    expired = jobs.c.state == JobState.PAUSED, jobs.c.lease_expires_at_s < now_s(connection.engine)
    return list(connection.execute(select(jobs.c.id).where(*expired)).scalars())


def abandoned(
    connection: Connection,
    *,
    claimed_by: str,
    exclusive: bool,
    with_expired: bool = True,
    held: Collection[str] | None = None,
    dead: str | None = None,
) -> list[JobRow]:
    """Return claimed jobs that no engine is training any more.

    Where only one engine may run jobs (``exclusive``), every claim of another engine is abandoned, whatever its lease.
    Elsewhere a claim is abandoned if its engine is known to be ``dead`` or, ``with_expired``, its lease has expired.
    With ``held``, claims of the calling engine that are not in it are abandoned too: the answer to that claim was lost.
    """
    others = jobs.c.claimed_by != claimed_by
    if not exclusive:
        expired = (jobs.c.lease_expires_at_s < now_s(connection.engine)) if with_expired else false()
        others = others & (expired | (jobs.c.claimed_by == dead))
    if held is not None:
        others = others | ((jobs.c.claimed_by == claimed_by) & jobs.c.id.not_in(held))
    return JOBS.all(connection, jobs.c.state.in_(CLAIMED), others)


def lock_claimed(connection: Connection, job_id: str, fence: int) -> bool:
    """Lock a claimed job until the transaction ends; False when the claim is no longer the newest."""
    return connection.execute(_LOCK_CLAIMED, {"job_id": job_id, "fence_number": fence}).first() is not None


def update_columns(connection: Connection, job_id: str, **values: Any) -> None:
    """Update columns of a job that the transaction has locked."""
    connection.execute(_UPDATE, {"job_id": job_id, **values})


def move(
    connection: Connection,
    job_id: str,
    *,
    to: str,
    allowed_from: Collection[str],
    fence: int | None = None,
    reason: str | None = None,
    wait_s: float | None = None,
    **values: Any,
) -> bool:
    """Move a job to another state, for ``wait_s`` if given, and record it; False if its present one does not allow it.

    With ``fence`` the move also requires that claim to be the newest.
    """
    if wait_s is not None:
        values["lease_expires_at_s"] = now_s(connection.engine) + wait_s
    now, final = datetime.now(UTC), JobState(to).final
    condition = (jobs.c.id == job_id) & jobs.c.state.in_(allowed_from)
    if fence is not None:
        condition = condition & (jobs.c.fence == fence)
    if final:
        values["finished_at"] = now
    if connection.execute(update(jobs).where(condition).values(state=to, **values)).rowcount != 1:
        return False
    if final:
        event_rows.pack_checks(connection, job_id)
        delivery_rows.append_job(connection, job_id, values.get("model_version"))
    event_rows.append_states(connection, [job_id], to, at=now, reason=reason)
    return True


def cancel(connection: Connection, job_ids: Collection[str] = (), sweep_ids: Collection[str] = ()) -> list[str]:
    """Cancel jobs and members of sweeps that are not over or being cancelled; return the ids of these.

    One that has begun and waits, to be trained on or to be continued, ends as a running one does, by a worker, with the
    best weights so far. The rows are locked in the order of their numbers, as everywhere, which excludes deadlocks.
    """
    asked_for = or_(jobs.c.id.in_(job_ids), jobs.c.sweep_id.in_(sweep_ids))
    query = select(jobs.c.id, jobs.c.state, jobs.c.started_at).order_by(jobs.c.number).with_for_update()
    found = connection.execute(query.where(asked_for, jobs.c.state.in_(sources(JobState.CANCELLING)))).all()
    begun = [row.id for row in found if row.started_at or row.state == JobState.RUNNING]
    now, ids = datetime.now(UTC), [row.id for row in found]
    over = [job_id for job_id in ids if job_id not in set(begun)]
    _move_all(connection, begun, JobState.CANCELLING, at=now)
    _move_all(connection, over, JobState.CANCELLED, at=now, stop_reason="cancelled", finished_at=now)
    delivery_rows.append(connection, "job.ended", *over)
    return ids


def _move_all(connection: Connection, ids: Collection[str], to: JobState, *, at: datetime, **values: Any) -> None:
    connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(state=to, **values))
    event_rows.append_states(connection, ids, to, at=at)


def remove(connection: Connection, job_id: str, *, allowed_from: Collection[str]) -> bool:
    """Delete a job and everything recorded of it; False if its present state does not allow it."""
    delivery_rows.append_groups(connection, job_id)
    return bool(_delete(connection, (jobs.c.id == job_id) & jobs.c.state.in_(allowed_from)))


def remove_members(connection: Connection, sweep_id: str) -> None:
    """Delete all members of a sweep, and everything recorded of them."""
    _delete(connection, jobs.c.sweep_id == sweep_id)


def unfinished(connection: Connection, *conditions: ColumnElement[bool], **columns: str) -> list[str]:
    """Return the ids of those jobs, with some properties and values, that are not over, the oldest first."""
    query = select(jobs.c.id).where(is_open(), *conditions).filter_by(**columns)
    return list(connection.execute(query.order_by(jobs.c.number)).scalars())


def needs_version(name: str, version: int | None = None) -> ColumnElement[bool]:
    """Return the condition that a job starts from a version, or is compared with it; from any version by default."""
    start = f"{name}/" if version is None else f"{name}/{version}@"
    starts: ColumnElement[bool] = jobs.c.config["start_from"].as_string().startswith(start, autoescape=True)
    compared: ColumnElement[bool] = jobs.c.verification["model", "name"].as_string() == name
    if version is not None:
        compared = compared & (jobs.c.verification["model", "version"].as_integer() == version)
    return starts | compared


def _delete(connection: Connection, condition: ColumnElement[bool]) -> list[str]:
    AdvisoryLock.SUBMISSION.acquire(connection)  # nobody may resume from one of them meanwhile, and share its bytes
    hand_over(connection, select(jobs.c.id).where(condition))
    deleted = list(connection.execute(delete(jobs).where(condition).returning(jobs.c.id)).scalars())
    annotation_rows.delete(connection, "jobs", deleted)  # after the jobs: nobody can annotate them any more
    return deleted
