"""Jobs: submitted to `Jobs`, run by the `Engine`, recorded by the `Recorder`.

``executors`` holds the kinds of places where training can run.
"""

from service.database import MOVES as MOVES
from service.database import JobState as JobState

from .engine import Engine as Engine
from .engine import EngineLock as EngineLock
from .executors import DaskExecutor as DaskExecutor
from .executors import Executor as Executor
from .executors import InlineExecutor as InlineExecutor
from .executors import ProcessesExecutor as ProcessesExecutor
from .executors import check_scheduler as check_scheduler
from .job import Event as Event
from .job import EventBatch as EventBatch
from .job import Job as Job
from .job import JobRequest as JobRequest
from .job import RecordedCheck as RecordedCheck
from .job import Transition as Transition
from .jobs import LATE_S as LATE_S
from .jobs import Census as Census
from .jobs import EventCursor as EventCursor
from .jobs import Jobs as Jobs
from .jobs import JobWeights as JobWeights
from .metrics import Metrics as Metrics
from .pictures import MAX_ROWS as MAX_ROWS
from .pictures import Drawing as Drawing
from .pictures import ImageFormat as ImageFormat
from .pictures import job_picture as job_picture
from .pictures import prepare_job_curves as prepare_job_curves
from .pictures import prepare_job_weights as prepare_job_weights
from .pictures import prepare_sweep_accuracy as prepare_sweep_accuracy
from .pictures import prepare_sweep_heatmap as prepare_sweep_heatmap
from .pictures import prepare_sweep_norms as prepare_sweep_norms
from .pictures import prepare_sweep_weights as prepare_sweep_weights
from .recorder import MAX_LOSSES as MAX_LOSSES
from .recorder import Recorder as Recorder
from .snapshots import Confusion as Confusion
from .snapshots import Snapshots as Snapshots
from .submission import SubmissionService as SubmissionService
from .submission import cancel_row as cancel_row
from .submission import check_capacity as check_capacity
from .submission import fingerprint as fingerprint
from .submission import parse_cursor as parse_cursor
from .sweeps import MAX_MEMBERS as MAX_MEMBERS
from .sweeps import Member as Member
from .sweeps import Sweep as Sweep
from .sweeps import SweepRequest as SweepRequest
from .sweeps import Sweeps as Sweeps
from .sweeps import SweepSummary as SweepSummary
from .sweeps import member_rows as member_rows
from .sweeps import new_sweep as new_sweep
