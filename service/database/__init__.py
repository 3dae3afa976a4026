"""All the SQL: tables, migrations, and the queries that other packages call by name.

Queries take an open connection, so that rows that belong together are written in one transaction:
``with database.write() as connection: job_rows.move(connection, ...)``.
"""

from . import event_rows, job_rows, weight_rows
from .access_rows import (
    AuditedCall,
    AuditRow,
    KeyRow,
    Submitter,
    audit_rows,
    audited_call,
    key_rows,
    submitter,
)
from .connection import AdvisoryLock, Database, has_wal_reset_race, migrate
from .event_rows import CheckRow, CheckSeries, EventRow, NewCheck, RecordedCheck, StateRow, Transition
from .job_rows import ClaimRow, JobRow, NewJob
from .states import FINAL, MOVES, JobState, sources
from .submission_rows import AcceptedKind, ReportRow, SweepRow, accepted, report_rows, sweep_rows
from .weight_rows import NewSnapshot, SnapshotRow
