"""Rows of ``events``: the states and validation checks of jobs, in one order, so that a stream can resume after any id.

A check is written as an event, and later packed with up to 999 others into a row of ``check_blocks``, which NumPy reads
directly. It keeps the id of its event, so that streams are not affected.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, bindparam, delete, func, select

from service.answers import plain
from service.core import METRICS, Check, Floats, count_losses, pack_losses, unpack_losses

from .sharing import body_of, owner_of
from .states import JobState
from .tables import check_blocks, events, jobs

BLOCK_LENGTH = 1000
"""Checks in a block; fewer where their steps have more losses than `BLOCK_LOSSES`."""
BLOCK_LOSSES = 1_000_000
PIECE_LOSSES = 100_000
"""Losses in a piece of a history that is read, which bounds the memory of it."""

_LOOSE_PIECE = 64
_FIRST_METRICS = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
"""Of blocks that do not name theirs."""


def _dtype(metrics: Iterable[str]) -> np.dtype[np.void]:
    """Return the type of a check in a block; ``n_losses`` is the number of steps since the check before."""
    values = [(name, "<f8") for name in metrics]
    return np.dtype([("id", "<i8"), ("epoch", "<i4"), ("step", "<i8"), *values, ("n_losses", "<i4")])


CHECK = _dtype(METRICS)

Checks: TypeAlias = NDArray[np.void]
"""``(n,)`` of the dtype `CHECK`, oldest first."""


NewCheck: TypeAlias = tuple[Check, Mapping[str, Any], bytes]
"""A validation check to be written, the progress at that moment, and the losses of the steps since the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCheck(Check):
    """A validation check with the id of its event."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow(RecordedCheck):
    """A recorded validation check. ``detail`` is the progress at that moment."""

    detail: Mapping[str, Any]


_NUMBERS = ("id", "epoch", "step", *METRICS)
_LOOSE = (
    *(events.c[name] for name in ("id", "epoch", "step", "metrics")),
    func.length(events.c.step_losses).label("losses_bytes"),
)
_BLOCK = (check_blocks.c.metrics, check_blocks.c.checks)

# Statements of every engine cycle and follower are built once: building one takes longer than running it.
_JOB_ID: Any = bindparam("job_id")
_INSERT = events.insert().returning(events.c.step, events.c.id)
_NEWEST_STEPS = (
    select(events.c.step)
    .where(events.c.job_id == _JOB_ID, events.c.kind == "check")
    .order_by(events.c.id.desc())
    .limit(1),
    select(check_blocks.c.last_step)
    .where(check_blocks.c.job_id == _JOB_ID)
    .order_by(check_blocks.c.first_id.desc())
    .limit(1),
)
"""Of a job's checks in events, and of those in blocks, which are older."""
_PACKED_AFTER = (
    select(*(check_blocks.c[name] for name in ("last_id", "metrics", "checks", "details")))
    .where(check_blocks.c.job_id == _JOB_ID, check_blocks.c.last_id > bindparam("after"))
    .order_by(check_blocks.c.first_id)
    .limit(1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A move to a state, and its reason, if it has one."""

    state: JobState
    at: datetime
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of a job: a ``state`` or a ``check``, and what is said of it. Ids ascend over all jobs."""

    id: int
    kind: str
    data: Mapping[str, Any]

    @classmethod
    def of(cls, check: CheckRow) -> Event:
        """Build from a check."""
        data = {**{name: getattr(check, name) for name in _NUMBERS}, "progress": check.detail}
        return cls(id=check.id, kind="check", data=data)


_EVENT = tuple(events.c[name] for name in ("id", "epoch", "step", "metrics", "detail", "job_id", "kind", "state", "at"))

_INSERT_STATE = events.insert()
_AFTER = (
    select(*_EVENT)
    .where(events.c.job_id == bindparam("job_id"), events.c.id > bindparam("after"))
    .order_by(events.c.id)
    .limit(bindparam("limit"))
)
_SINCE = select(events.c.id, events.c.job_id).where(events.c.id > bindparam("after")).order_by(events.c.id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CheckSeries:
    """Checks of a job, and the training losses of all their steps, ``(n,)``."""

    checks: Checks
    step_losses: Floats


def append_checks(connection: Connection, job_id: str, checks: Sequence[NewCheck], *, at: datetime) -> list[CheckRow]:
    """Insert checks in their order, and return them with their ids."""
    if not checks:
        return []
    rows = [
        {"job_id": job_id, "kind": "check", "at": at, "epoch": check.epoch, "step": check.step}
        | {"metrics": {name: getattr(check, name) for name in METRICS}, "detail": detail, "step_losses": losses}
        for check, detail, losses in checks
    ]
    ids = {row.step: row.id for row in connection.execute(_INSERT, rows)}
    return [CheckRow(id=ids[check.step], **asdict(check), detail=detail) for check, detail, _ in checks]


def pack_checks(connection: Connection, job_id: str) -> None:
    """Move the checks of a job from events into blocks."""
    loose = (events.c.job_id == job_id) & (events.c.kind == "check")
    query = select(*_LOOSE, events.c.step_losses, events.c.detail).where(loose).order_by(events.c.id)
    rows = connection.execute(query).all()
    checks = _array(rows)
    for part in _parts(checks, BLOCK_LENGTH, BLOCK_LOSSES):
        losses = pack_losses(_joined(rows[part]))
        _insert(connection, job_id, checks[part], [row.detail for row in rows[part]], losses)
    if rows:
        connection.execute(delete(events).where(loose))


def share_checks(
    connection: Connection,
    job_id: str,
    *,
    to: str,
    next_step: int,
    progress_of: Callable[[Mapping[str, Any]], Mapping[str, Any]],
) -> None:
    """Copy the checks of a job before a step to another one, with their ids; the losses stay where they are.

    ``progress_of`` maps the progress at a check.
    """
    pack_checks(connection, job_id)
    columns = (*_BLOCK, check_blocks.c.details, owner_of(check_blocks))
    for block in connection.execute(_blocks(job_id, *columns)).all():
        checks = _unpacked(block)
        checks = checks[checks["step"] < next_step]
        if len(checks):
            details = list(map(progress_of, _details(block)[: len(checks)]))
            _insert(connection, to, checks, details, b"", owner_id=block.owner_id)


def check_at_step(connection: Connection, job_id: str, step: int) -> CheckRow:
    """Return the check at a step, which must be in a block."""
    blocks = _blocks(job_id, *_BLOCK, check_blocks.c.details).where(check_blocks.c.last_step >= step)
    block = connection.execute(blocks.limit(1)).one()
    return next(check for check in _rows(block) if check.step == step)


def newest_check_step(connection: Connection, job_id: str) -> int:
    """Return the step of the newest check of a job, -1 without one."""
    found = (connection.execute(newest, {"job_id": job_id}).scalar() for newest in _NEWEST_STEPS)
    return next((step for step in found if step is not None), -1)


def _packed_after(connection: Connection, job_id: str, event_id: int, limit: int) -> list[CheckRow]:
    """Return checks of a job in blocks, after an event, oldest first."""
    found: list[CheckRow] = []
    last_id = event_id
    while len(found) < limit and (
        block := connection.execute(_PACKED_AFTER, {"job_id": job_id, "after": last_id}).first()
    ):
        found += (check for check in _rows(block) if check.id > event_id)
        last_id = block.last_id
    return found[:limit]


def check_pieces(connection: Connection, job_id: str, *, since: int = 0, losses: bool = True) -> Iterator[CheckSeries]:
    """Yield a job's checks after an event in pieces of bounded size, with their losses or empty ``step_losses``."""
    blocks = _blocks(job_id, *_BLOCK, *([body_of(check_blocks)] if losses else [])).where(
        check_blocks.c.last_id > since
    )
    for block in connection.execute(blocks, execution_options={"yield_per": 1}):
        checks, start = _unpacked(block), 0
        for part in _parts(checks, BLOCK_LENGTH, PIECE_LOSSES):
            end = start + int(checks["n_losses"][part].sum())
            piece = unpack_losses(block.step_losses if losses else b"", slice(start, end))
            yield _after(since, CheckSeries(checks=checks[part], step_losses=piece))
            start = end
    loose = (
        select(*_LOOSE, *([events.c.step_losses] if losses else []))
        .where(events.c.job_id == job_id, events.c.kind == "check", events.c.id > since)
        .order_by(events.c.id)
    )
    for rows in connection.execute(loose, execution_options={"yield_per": _LOOSE_PIECE}).partitions():
        yield CheckSeries(checks=_array(rows), step_losses=_joined(rows if losses else []))


def _after(event_id: int, series: CheckSeries) -> CheckSeries:
    """Leave out the checks up to an event, and their losses."""
    n_before = int(np.searchsorted(series.checks["id"], event_id, side="right"))
    n_losses_before = int(series.checks["n_losses"][:n_before].sum())
    return CheckSeries(checks=series.checks[n_before:], step_losses=series.step_losses[n_losses_before:])


def _joined(rows: Iterable[Any]) -> Floats:
    """Return the losses of checks in events, one after the other."""
    return np.concatenate([np.zeros(0), *(unpack_losses(row.step_losses) for row in rows)])


def _parts(checks: Checks, max_checks: int, max_losses: int) -> Iterator[slice]:
    """Cut checks into parts with at most so many checks and losses, but one check at least."""
    ends, start = np.cumsum(checks["n_losses"], dtype=np.int64), 0
    while start < len(checks):
        before = ends[start] - checks["n_losses"][start]
        stop = int(np.searchsorted(ends, before + max_losses, side="right"))
        stop = min(max(stop, start + 1), start + max_checks)
        yield slice(start, stop)
        start = stop


def checks_of_sweep(connection: Connection, sweep_id: str, *, up_to: int) -> dict[str, Checks]:
    """Return the checks of each member of a sweep up to an event, by job, in the order of the grid."""
    blocks = connection.execute(
        select(check_blocks.c.job_id, check_blocks.c.metrics, check_blocks.c.checks)
        .join_from(jobs, check_blocks, check_blocks.c.job_id == jobs.c.id)
        .where(jobs.c.sweep_id == sweep_id)
        .order_by(jobs.c.number, check_blocks.c.first_id)
    )
    parts: dict[str, list[Checks]] = defaultdict(list)
    for block in blocks:
        parts[block.job_id].append(_unpacked(block))
    loose: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(
        select(events.c.job_id, *_LOOSE)
        .join_from(jobs, events, events.c.job_id == jobs.c.id)
        .where(jobs.c.sweep_id == sweep_id, events.c.kind == "check")
        .order_by(jobs.c.number, events.c.id)
    ):
        loose[row.job_id].append(row)
    for job_id, rows in loose.items():
        parts[job_id].append(_array(rows))
    whole = {job_id: np.concatenate(found) for job_id, found in parts.items()}
    return {job_id: checks[checks["id"] <= up_to] for job_id, checks in whole.items()}


def _blocks(job_id: str, *columns: Any) -> Any:
    return select(*columns).where(check_blocks.c.job_id == job_id).order_by(check_blocks.c.first_id)


def _insert(
    connection: Connection,
    job_id: str,
    checks: Checks,
    details: Sequence[Mapping[str, Any]],
    losses: bytes,
    *,
    owner_id: str | None = None,
) -> None:
    connection.execute(
        check_blocks.insert().values(
            job_id=job_id,
            first_id=int(checks["id"][0]),
            last_id=int(checks["id"][-1]),
            last_step=int(checks["step"][-1]),
            metrics=list(METRICS),
            checks=checks.tobytes(),
            details=zlib.compress(json.dumps(details).encode()),
            step_losses=losses,
            owner_id=owner_id,
        )
    )


def _array(rows: Iterable[Any]) -> Checks:
    tuples = [
        (row.id, row.epoch, row.step, *_values(row.metrics).values(), count_losses(row.losses_bytes)) for row in rows
    ]
    return np.array(tuples, dtype=CHECK)


def _values(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return a check's value of each metric; NaN where it was made before there was one."""
    return {name: metrics.get(name, np.nan) for name in METRICS}


def _unpacked(block: Any) -> Checks:
    stored = np.frombuffer(block.checks, dtype=_dtype(block.metrics or _FIRST_METRICS))
    if stored.dtype == CHECK:
        return stored
    checks = np.zeros(len(stored), CHECK)
    for name in CHECK.names or ():
        checks[name] = stored[name] if name in (stored.dtype.names or ()) else np.nan
    return checks


def _details(block: Any) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = json.loads(zlib.decompress(block.details))
    return details


def _rows(block: Any) -> list[CheckRow]:
    return [
        CheckRow(**dict(zip(_NUMBERS, row, strict=True)), detail=detail)
        for row, detail in zip(_unpacked(block)[list(_NUMBERS)].tolist(), _details(block), strict=True)
    ]


def append_states(
    connection: Connection, job_ids: Collection[str], state: str, *, at: datetime, reason: str | None = None
) -> None:
    """Insert the same move of several jobs."""
    detail = {"reason": reason} if reason else None
    rows = [{"job_id": job_id, "kind": "state", "at": at, "state": state, "detail": detail} for job_id in job_ids]
    if rows:
        connection.execute(_INSERT_STATE, rows)


def after(connection: Connection, job_id: str, event_id: int, limit: int) -> list[Event]:
    """Return the events of a job after an event, oldest first."""
    rows = connection.execute(_AFTER, {"job_id": job_id, "after": event_id, "limit": limit})
    packed = map(Event.of, _packed_after(connection, job_id, event_id, limit))
    return sorted([*packed, *map(_event, rows)], key=lambda event: event.id)[:limit]


def states(connection: Connection, job_ids: Collection[str]) -> Mapping[str, list[Transition]]:
    """Return the history of each job, oldest first."""
    moves = select(*_EVENT).where(events.c.job_id.in_(job_ids), events.c.kind == "state").order_by(events.c.id)
    histories: dict[str, list[Transition]] = defaultdict(list)
    for row in connection.execute(moves):
        histories[row.job_id].append(_move(row))
    return histories


def newest_id(connection: Connection) -> int:
    """Return the id of the newest event of all jobs, 0 without one."""
    newest: int = connection.execute(select(func.coalesce(func.max(events.c.id), 0))).scalar_one()
    return newest


def jobs_since(connection: Connection, event_id: int) -> dict[int, str]:
    """Return the ids of all later events, ascending, and the job of each."""
    rows = connection.execute(_SINCE, {"after": event_id})
    return {row.id: row.job_id for row in rows}


def _event(row: Row[Any]) -> Event:
    if row.kind == "check":
        check = CheckRow(id=row.id, epoch=row.epoch, step=row.step, detail=row.detail, **_values(row.metrics))
        return Event.of(check)
    return Event(id=row.id, kind="state", data=plain(_move(row)))


def _move(row: Row[Any]) -> Transition:
    return Transition(state=JobState(row.state), at=row.at, reason=row.detail["reason"] if row.detail else None)
