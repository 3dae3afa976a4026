"""Rows of `sweeps`, `reports`, `api_keys` and `audit`: inserted and read as they are.

Sweeps and reports keep requests; their progress is that of their jobs. Keys are never removed, so that the audit log
can name the holder of each. Lines of the audit log are only added. Two context variables have who makes the current
call: its key and limit, and its line of the audit log.
"""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, bindparam, or_, select, update

from .annotation_rows import Search
from .states import FINAL
from .tables import REPORT_SWEEPS, api_keys, audit, jobs, reports, sweeps

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")
AcceptedKind: TypeAlias = Literal["jobs", "sweeps", "reports"]


class Rows(Generic[Row]):
    """Rows of a table that are inserted and read as they are; the fields of ``row`` are the columns that are read."""

    def __init__(self, table: Table, row: type[Row]):
        self._table = table
        self._row = row
        (self._number,) = table.primary_key
        # Built once: building a statement takes longer than running it.
        self._insert = table.insert()
        self._select = select(*(table.c[field.name] for field in fields(row)))

    def insert(self, connection: Connection, **columns: Any) -> int:
        """Insert a row and return its number."""
        key = connection.execute(self._insert, columns).inserted_primary_key
        return int(key[0]) if key else 0

    def update(self, connection: Connection, number: int, **columns: Any) -> None:
        """Change some columns of a row."""
        connection.execute(self._table.update().where(self._number == number).values(columns))

    def get(self, connection: Connection, row_id: str) -> Row | None:
        """Return one row by its id."""
        row = connection.execute(self._select.where(self._table.c.id == row_id)).first()
        return None if row is None else self._row(**row._mapping)

    def delete(self, connection: Connection, row_id: str) -> None:
        """Delete one row by its id."""
        connection.execute(self._table.delete().where(self._table.c.id == row_id))

    def page(
        self, connection: Connection, *conditions: ColumnElement[bool], limit: int, before: int | None, **columns: Any
    ) -> list[Row]:
        """Return the newest rows with these values first, at most ``limit``, those older than number ``before``."""
        query = self._select.where(*conditions).filter_by(**columns).order_by(self._number.desc()).limit(limit)
        if before is not None:
            query = query.where(self._number < before)
        return [self._row(**row._mapping) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRow:
    """A sweep as it was requested."""

    number: int
    id: str
    name: str
    dataset: str
    base: Mapping[str, Any]
    grid: Mapping[str, Sequence[Any]]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """A report as it was requested. The id of a job that has been deleted since is None."""

    number: int
    id: str
    options: Mapping[str, Any]
    in_order_job_id: str | None
    shuffled_job_id: str | None
    sweep_id: str
    repeats_sweep_id: str | None
    created_at: datetime

    @property
    def sweep_ids(self) -> tuple[str, ...]:
        """Its sweeps."""
        return (self.sweep_id,) if self.repeats_sweep_id is None else (self.sweep_id, self.repeats_sweep_id)


sweep_rows = Rows(sweeps, SweepRow)
report_rows = Rows(reports, ReportRow)


GroupState: TypeAlias = Literal["running", "finished"]
"""Of what consists of many jobs: finished once all of them are."""


def found_sweeps(search: Search, state: GroupState | None) -> list[ColumnElement[bool]]:
    """Return the conditions on sweeps that match a search."""
    is_running = sweeps.c.id.in_(select(jobs.c.sweep_id).where(_UNFINISHED, jobs.c.sweep_id.is_not(None)))
    return [*search.conditions("sweeps", sweeps.c.id, sweeps.c.name, sweeps.c.dataset), *_as(state, is_running)]


def found_reports(search: Search, state: GroupState | None) -> list[ColumnElement[bool]]:
    """Return the conditions on reports that match a search."""
    runs = select(jobs.c.sweep_id, jobs.c.id).where(_UNFINISHED).subquery()
    single = (reports.c.in_order_job_id, reports.c.shuffled_job_id)
    is_running = or_(
        *(
            column.is_not(None) & column.in_(select(runs.c.sweep_id).where(runs.c.sweep_id.is_not(None)))
            for column in REPORT_SWEEPS
        ),
        *(job_id.is_not(None) & job_id.in_(select(runs.c.id)) for job_id in single),
    )
    texts = (reports.c.options[name].as_string() for name in ("title", "group", "dataset"))
    return [*search.conditions("reports", reports.c.id, *texts), *_as(state, is_running)]


_UNFINISHED = jobs.c.state.not_in(FINAL)


def _as(state: GroupState | None, is_running: ColumnElement[bool]) -> list[ColumnElement[bool]]:
    return [] if state is None else [is_running if state == "running" else ~is_running]


def report_of_sweep(connection: Connection, sweep_id: str) -> str | None:
    """Return the id of the report that a sweep is part of."""
    is_its = or_(*(column == sweep_id for column in REPORT_SWEEPS))
    return connection.execute(select(reports.c.id).where(is_its)).scalars().first()


_BY_KEY = {
    table.name: select(table.c.id, table.c.request_sha256).where(table.c.idempotency_key == bindparam("key"))
    for table in (jobs, sweeps, reports)
}


def accepted(connection: Connection, kind: AcceptedKind, key: str) -> tuple[str, str] | None:
    """Return the id of what was accepted under an idempotency key, of one kind, and the fingerprint of its request."""
    row = connection.execute(_BY_KEY[kind], {"key": key}).first()
    return None if row is None else (row.id, row.request_sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key, as its owner sees it: never the key itself, but its checksum."""

    id: str
    name: str
    sha256: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @property
    def state(self) -> Literal["valid", "expired", "revoked"]:
        """What became of it."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= datetime.now(UTC) else "valid"


class _KeyRows(Rows[KeyRow]):
    def all_rows(self, connection: Connection) -> list[KeyRow]:
        """Return every key, the oldest first."""
        return [KeyRow(**row._mapping) for row in connection.execute(self._select.order_by(self._number))]

    def revoke(self, connection: Connection, key_id: str, *, at: datetime) -> None:
        """Set when a key was revoked, unless it has been already."""
        unrevoked = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
        connection.execute(update(api_keys).where(unrevoked).values(revoked_at=at))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A line of the audit log. ``key_id`` is None where no key was needed."""

    key_id: str | None
    method: str
    route: str
    object_id: str | None
    status: int
    request_id: str
    id: int
    at: datetime


key_rows = _KeyRows(api_keys, KeyRow)
audit_rows = Rows(audit, AuditRow)


class AuditedCall:
    """A call that changes something, while it is answered.

    Its line of the audit log is written with the change or before it. ``recorded`` is what the line says of the answer,
    None until there is one; ``line_id`` is its number, where it was written before.
    """

    def __init__(self, *, key_id: str | None, method: str, route: str, request_id: str) -> None:
        self._columns = {"key_id": key_id, "method": method, "route": route, "request_id": request_id}
        self.recorded: tuple[int, str | None] | None = None
        self.line_id: int | None = None

    def line(self, status: int, object_id: str | None) -> dict[str, Any]:
        """Return the columns of its line of the audit log, once the status of the answer is known."""
        return {**self._columns, "status": status, "object_id": object_id}


@dataclass(frozen=True, slots=True)
class Submitter:
    """The id of a key, and how many of its jobs may wait or run at a time."""

    key_id: str
    max_jobs: int


audited_call: ContextVar[AuditedCall | None] = ContextVar("audited_call", default=None)
"""The current call; None outside of one, as on the command line, and where it changes nothing."""

submitter: ContextVar[Submitter | None] = ContextVar("submitter", default=None)
"""The key of the current call; None where no key is needed."""
