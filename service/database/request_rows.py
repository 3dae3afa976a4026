"""Rows of `sweeps`, `reports`, `api_keys` and `audit`: inserted and read as they are.

Sweeps and reports keep requests; their progress is that of their jobs. Keys are never removed, so that the audit log
can name the holder of each. Lines of the audit log are only added. Two context variables have who makes the current
call: its key and limit, and its line of the audit log.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

from sqlalchemy import ColumnElement, Connection, FromClause, Result, Table, bindparam, exists, or_, select, update

from service.errors import InvalidField, JobNotFound, NotFound

from .annotation_rows import EVERYTHING, Search
from .states import FINAL
from .tables import REPORT_JOBS, REPORT_SWEEPS, api_keys, audit, jobs, reports, sweeps

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")


class Rows(Generic[Row]):
    """Rows of a table that are inserted and read as they are.

    Parameters
    ----------
    row : the fields are the columns that are read.
    missing, sentence : what is raised where there is no row of an id.
    searched : where the words of a search may be, besides the id and the annotation, which is of the table's name.
    """

    def __init__(
        self,
        table: Table,
        row: type[Row],
        missing: type[NotFound] = NotFound,
        sentence: str = "",
        searched: Sequence[ColumnElement[str]] = (),
    ):
        self._table = table
        self._row = row
        self._missing, self._sentence = missing, sentence
        self._searched = searched
        (self._number,) = table.primary_key
        self._id = table.c.get("id", self._number)
        self.columns = tuple(table.c[field.name] for field in fields(row))
        # Built once: building a statement takes longer than running it.
        self._insert = table.insert()
        self._select = select(*self.columns)
        self._by_id = self._select.where(self._id == bindparam("row_id"))
        if "idempotency_key" in table.c:
            accepted = select(table.c.id, table.c.request_sha256)
            self._by_key = accepted.where(table.c.idempotency_key == bindparam("key"))

    def insert(self, connection: Connection, **columns: Any) -> int:
        """Insert a row and return its number."""
        key = connection.execute(self._insert, columns).inserted_primary_key
        return int(key[0]) if key else 0

    def update(self, connection: Connection, number: int, **columns: Any) -> None:
        """Change some columns of a row."""
        connection.execute(self._table.update().where(self._number == number).values(columns))

    def read(self, result: Result[Any]) -> list[Row]:
        """Return the rows of a result that has `columns`."""
        return [self._row(**row._mapping) for row in result]

    def find(self, connection: Connection, row_id: str, **columns: Any) -> Row | None:
        """Return the row of an id, None if there is none, or with other values."""
        query = self._by_id.filter_by(**columns) if columns else self._by_id
        return next(iter(self.read(connection.execute(query, {"row_id": row_id}))), None)

    def get(self, connection: Connection, row_id: str, **columns: Any) -> Row:
        """Return the row of an id; raise an error if there is none, or with other values."""
        if (row := self.find(connection, row_id, **columns)) is None:
            raise self._missing(self._sentence)
        return row

    def accepted(self, connection: Connection, key: str) -> tuple[str, str] | None:
        """Return the id of what was accepted under an idempotency key, and the fingerprint of its request."""
        row = connection.execute(self._by_key, {"key": key}).first()
        return None if row is None else (row.id, row.request_sha256)

    def lock(self, connection: Connection, row_id: str) -> None:
        """Lock a row until the transaction ends; raise an error if there is none, or no more."""
        query = select(self._id).where(self._id == row_id)
        if connection.execute(query.with_for_update()).first() is None:
            raise self._missing(self._sentence)

    def delete(self, connection: Connection, row_id: str | int) -> None:
        """Delete one row by its id."""
        connection.execute(self._table.delete().where(self._id == row_id))

    def all(self, connection: Connection, *conditions: ColumnElement[bool], **columns: Any) -> list[Row]:
        """Return the rows with these values, the oldest first; None is any value."""
        query = self._select.where(*conditions, *self._equal(columns))
        return self.read(connection.execute(query.order_by(self._number)))

    def page(
        self,
        connection: Connection,
        *conditions: ColumnElement[bool],
        search: Search = EVERYTHING,
        limit: int,
        before: str | None = None,
        **columns: Any,
    ) -> tuple[list[Row], str | None]:
        """Return the newest rows that match first and, if there are more, the cursor of the next page.

        ``before`` is the cursor of this one. A value of None is any value.
        """
        conditions = *conditions, *search.conditions(self._table.name, self._id, *self._searched)
        query = self._select.where(*conditions, *self._equal(columns))
        query = query.order_by(self._number.desc()).limit(limit + 1)
        if (number := parse_cursor(before)) is not None:
            query = query.where(self._number < number)
        rows = self.read(connection.execute(query))
        return rows[:limit], str(getattr(rows[limit - 1], self._number.name)) if len(rows) > limit else None

    def _equal(self, columns: Mapping[str, Any]) -> list[ColumnElement[bool]]:
        return [self._table.c[name] == value for name, value in columns.items() if value is not None]


_MAX_NUMBER = 2**63 - 1


def parse_cursor(cursor: str | None) -> int | None:
    """Return the row number in a cursor; raise `InvalidField` for any other text."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 20 and int(cursor) <= _MAX_NUMBER):
        raise InvalidField("The cursor must be one that an earlier answer gave.", field="before")
    return int(cursor)


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


SWEEPS = Rows(sweeps, SweepRow, JobNotFound, "There is no sweep of that id.", [sweeps.c.name, sweeps.c.dataset])
_TEXTS = [reports.c.options[name].as_string() for name in ("title", "group", "dataset")]
REPORTS = Rows(reports, ReportRow, JobNotFound, "There is no report of that id.", _TEXTS)


def of_sweep(its_jobs: FromClause = jobs) -> ColumnElement[bool]:
    """Return the condition that a job is a member of a sweep."""
    return its_jobs.c.sweep_id == sweeps.c.id


def of_report(its_jobs: FromClause = jobs) -> ColumnElement[bool]:
    """Return the condition that a job is a run of a report, alone or in a sweep."""
    return or_(its_jobs.c.id.in_(REPORT_JOBS), its_jobs.c.sweep_id.in_(REPORT_SWEEPS))


def is_open(its_jobs: FromClause = jobs) -> ColumnElement[bool]:
    """Return the condition that a job is not over."""
    return its_jobs.c.state.not_in(FINAL)


GroupState: TypeAlias = Literal["running", "finished"]
"""Of what consists of many jobs: finished once all of them are."""


def in_state(state: GroupState | None, of_group: Callable[[], ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    """Return the condition on sweeps or reports, of which jobs are ``of_group``, that they are in a state, if any."""
    is_running = exists().where(of_group(), is_open())
    return [] if state is None else [is_running if state == "running" else ~is_running]


def report_of_sweep(connection: Connection, sweep_id: str) -> str | None:
    """Return the id of the report that a sweep is part of."""
    is_its = or_(*(column == sweep_id for column in REPORT_SWEEPS))
    return connection.execute(select(reports.c.id).where(is_its)).scalars().first()


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


def revoke_key(connection: Connection, key_id: str) -> None:
    """Set when a key was revoked, unless it has been already."""
    unrevoked = (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
    connection.execute(update(api_keys).where(unrevoked).values(revoked_at=datetime.now(UTC)))


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


KEYS = Rows(api_keys, KeyRow, NotFound, "There is no key of that id; `inkling keys list` shows them.")
AUDIT_LINES = Rows(audit, AuditRow)


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
