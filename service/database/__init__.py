"""All the SQL: tables, migrations, and the queries that other packages call by name.

Queries take an open connection, so that rows that belong together are written in one transaction:
``with database.write() as connection: job_rows.move(connection, ...)``.
"""

from . import annotation_rows, collection_rows, delivery_rows, event_rows, job_rows, retention_rows, weight_rows
from .annotation_rows import ANNOTATED_KINDS, EVERYTHING, NO_ANNOTATION, AnnotatedKind, Annotation, Search, TagCount
from .collection_rows import COLLECTED_IMAGES, COLLECTIONS, CollectedImageRow, CollectionRow
from .connection import HEAD, AdvisoryLock, Database, file_size, migrate
from .delivery_rows import DeliveryRow
from .event_rows import CHECK, CheckRow, CheckSeries, Event, NewCheck, RecordedCheck, Transition
from .job_rows import JOBS, JobRow, NewJob
from .request_rows import (
    AUDIT_LINES,
    KEYS,
    REPORTS,
    SWEEPS,
    AuditedCall,
    AuditRow,
    GroupState,
    KeyRow,
    ReportRow,
    Rows,
    Submitter,
    SweepRow,
    audited_call,
    in_state,
    of_report,
    of_sweep,
    parse_cursor,
    report_of_sweep,
    revoke_key,
    submitter,
)
from .retention_rows import ExpiredRow
from .sqlite_driver import has_wal_reset_race, sqlite3
from .states import FINAL, MOVES, JobState, sources
from .weight_rows import SnapshotRow
