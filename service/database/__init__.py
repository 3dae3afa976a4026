"""All the SQL: tables, migrations, and the queries that other packages call by name.

Queries take an open connection, so that rows that belong together are written in one transaction:
``with database.write() as connection: job_rows.move(connection, ...)``.
"""

from . import annotation_rows, collection_rows, delivery_rows, event_rows, job_rows, retention_rows, weight_rows
from .annotation_rows import ANNOTATED_KINDS, EVERYTHING, NO_ANNOTATION, AnnotatedKind, Annotation, Search, TagCount
from .collection_rows import CollectedImageRow, CollectionRow
from .connection import HEAD, AdvisoryLock, Database, file_size, migrate
from .delivery_rows import DeliveryRow
from .event_rows import CHECK, CheckRow, CheckSeries, EventRow, NewCheck, RecordedCheck, StateRow, Transition
from .job_rows import JobRow, NewJob
from .request_rows import (
    AcceptedKind,
    AuditedCall,
    AuditRow,
    GroupState,
    KeyRow,
    ReportRow,
    Rows,
    Submitter,
    SweepRow,
    accepted,
    audit_rows,
    audited_call,
    found_reports,
    found_sweeps,
    key_rows,
    parse_cursor,
    report_of_sweep,
    report_rows,
    revoke_key,
    submitter,
    sweep_rows,
)
from .retention_rows import ExpiredRow
from .sqlite_driver import has_wal_reset_race, sqlite3
from .states import FINAL, MOVES, JobState, sources
from .weight_rows import SnapshotRow
