"""Rows of ``sweeps``: what was asked for. How its members fare stands in their own rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from .tables import jobs, sweeps


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSweep:
    """What is written down when a sweep is accepted."""

    id: str
    name: str
    dataset: str
    base: Mapping[str, Any]
    grid: Mapping[str, Sequence[Any]]
    idempotency_key: str | None
    request_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRow:
    """A sweep as it was asked for."""

    number: int
    id: str
    name: str
    dataset: str
    base: Mapping[str, Any]
    grid: Mapping[str, Sequence[Any]]
    created_at: datetime


_SHOWN = tuple(sweeps.c[name] for name in SweepRow.__dataclass_fields__)


def insert(connection: Connection, sweep: NewSweep) -> None:
    """Write a new sweep down; its members are inserted after it."""
    connection.execute(sweeps.insert().values(**asdict(sweep), created_at=datetime.now(UTC)))


def get(connection: Connection, sweep_id: str) -> SweepRow | None:
    """Return one sweep."""
    row = connection.execute(select(*_SHOWN).where(sweeps.c.id == sweep_id)).first()
    return None if row is None else SweepRow(**row._mapping)


def page(connection: Connection, *, before: int | None, limit: int) -> list[SweepRow]:
    """Return the newest sweeps first, at most ``limit``, those older than number ``before``."""
    query = select(*_SHOWN).order_by(sweeps.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(sweeps.c.number < before)
    return [SweepRow(**row._mapping) for row in connection.execute(query)]


def states(connection: Connection, sweep_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """Return for each sweep how many members are in each state."""
    rows = connection.execute(
        select(jobs.c.sweep_id, jobs.c.state, func.count())
        .where(jobs.c.sweep_id.in_(sweep_ids))
        .group_by(jobs.c.sweep_id, jobs.c.state)
    )
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for sweep_id, state, number in rows:
        counts[sweep_id][state] = number
    return counts
