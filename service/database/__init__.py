"""All the SQL there is: tables, migrations, and the queries that the rest of the house asks by name.

Queries take an open connection, so that what belongs together is written in one transaction:
``with database.write() as connection: job_rows.move(connection, ...)``.
"""

from . import audit_rows as audit_rows
from . import check_rows as check_rows
from . import checkpoint_rows as checkpoint_rows
from . import event_rows as event_rows
from . import job_rows as job_rows
from . import key_rows as key_rows
from . import report_rows as report_rows
from . import snapshot_rows as snapshot_rows
from . import sweep_rows as sweep_rows
from .accepted import AcceptedKind as AcceptedKind
from .accepted import accepted as accepted
from .audit_rows import AuditRow as AuditRow
from .audit_rows import NewAuditRow as NewAuditRow
from .audited_call import AuditedCall as AuditedCall
from .audited_call import audited_call as audited_call
from .check_rows import CheckRow as CheckRow
from .check_rows import CheckSeries as CheckSeries
from .check_rows import NewCheck as NewCheck
from .connection import Database as Database
from .event_rows import EventRow as EventRow
from .event_rows import StateRow as StateRow
from .job_rows import ClaimRow as ClaimRow
from .job_rows import JobRow as JobRow
from .job_rows import NewJob as NewJob
from .key_rows import KeyRow as KeyRow
from .key_rows import NewKey as NewKey
from .locks import Alone as Alone
from .locks import hold as hold
from .migrate import migrate as migrate
from .report_rows import NewReport as NewReport
from .report_rows import ReportRow as ReportRow
from .snapshot_rows import NewSnapshot as NewSnapshot
from .snapshot_rows import SnapshotRow as SnapshotRow
from .sqlite_version import has_wal_reset_race as has_wal_reset_race
from .submitter import Submitter as Submitter
from .submitter import submitter as submitter
from .sweep_rows import NewSweep as NewSweep
from .sweep_rows import SweepRow as SweepRow
