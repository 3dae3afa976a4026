"""Jobs: handed in at `Jobs`, run by the `Engine`, written down by the `Recorder`.

``executors`` holds the places where training can run.
"""

from .desk import Desk as Desk
from .desk import cancel_row as cancel_row
from .desk import fingerprint as fingerprint
from .desk import make_room as make_room
from .desk import parse_cursor as parse_cursor
from .engine import Engine as Engine
from .engine import EngineLock as EngineLock
from .executors import DaskExecutor as DaskExecutor
from .executors import Executor as Executor
from .executors import InlineExecutor as InlineExecutor
from .executors import ProcessesExecutor as ProcessesExecutor
from .executors import check_scheduler as check_scheduler
from .job import Event as Event
from .job import Job as Job
from .job import JobRequest as JobRequest
from .job import News as News
from .job import RecordedCheck as RecordedCheck
from .job import Transition as Transition
from .job_pictures import job_picture as job_picture
from .jobs import Census as Census
from .jobs import Jobs as Jobs
from .jobs import JobWeights as JobWeights
from .metrics import Metrics as Metrics
from .recorder import MAX_LOSSES as MAX_LOSSES
from .recorder import Recorder as Recorder
from .snapshots import Confusion as Confusion
from .snapshots import Snapshots as Snapshots
from .states import MOVES as MOVES
from .states import JobState as JobState
from .sweep import MAX_MEMBERS as MAX_MEMBERS
from .sweep import METRICS as METRICS
from .sweep import Member as Member
from .sweep import Sweep as Sweep
from .sweep import SweepRequest as SweepRequest
from .sweep import SweepSummary as SweepSummary
from .sweeps import Sweeps as Sweeps
from .sweeps import member_rows as member_rows
from .sweeps import new_sweep as new_sweep
from .unseen import Unseen as Unseen
