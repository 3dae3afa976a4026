"""All the SQL: tables, migrations, and the queries that other packages call by name.

Queries take an open connection, so that rows that belong together are written in one transaction:
``with database.write() as connection: job_rows.move(connection, ...)``.
"""

from . import event_rows as event_rows
from . import job_rows as job_rows
from . import weight_rows as weight_rows
from .access_rows import AuditedCall as AuditedCall
from .access_rows import AuditRow as AuditRow
from .access_rows import KeyRow as KeyRow
from .access_rows import NewAuditRow as NewAuditRow
from .access_rows import NewKey as NewKey
from .access_rows import Submitter as Submitter
from .access_rows import audit_rows as audit_rows
from .access_rows import audited_call as audited_call
from .access_rows import key_rows as key_rows
from .access_rows import submitter as submitter
from .connection import AdvisoryLock as AdvisoryLock
from .connection import Database as Database
from .connection import has_wal_reset_race as has_wal_reset_race
from .connection import migrate as migrate
from .event_rows import CheckRow as CheckRow
from .event_rows import CheckSeries as CheckSeries
from .event_rows import EventRow as EventRow
from .event_rows import NewCheck as NewCheck
from .event_rows import StateRow as StateRow
from .job_rows import ClaimRow as ClaimRow
from .job_rows import JobRow as JobRow
from .job_rows import NewJob as NewJob
from .states import FINAL as FINAL
from .states import MOVES as MOVES
from .states import JobState as JobState
from .states import sources as sources
from .submission_rows import AcceptedKind as AcceptedKind
from .submission_rows import NewReport as NewReport
from .submission_rows import NewSweep as NewSweep
from .submission_rows import ReportRow as ReportRow
from .submission_rows import SweepRow as SweepRow
from .submission_rows import accepted as accepted
from .submission_rows import report_rows as report_rows
from .submission_rows import sweep_rows as sweep_rows
from .weight_rows import NewSnapshot as NewSnapshot
from .weight_rows import SnapshotRow as SnapshotRow
