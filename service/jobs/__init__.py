"""Jobs: submitted to `Jobs`, run by the `Engine`, recorded by the `Recorder`.

``executors`` holds the kinds of places where training can run.
"""

from service.database import MOVES, Event, JobState, RecordedCheck, Transition

from .annotations import Annotations, DatasetSummary
from .collections import MAX_COLLECTIONS as MAX_COLLECTIONS
from .collections import MAX_IMAGES as MAX_COLLECTED
from .collections import NAME_PATTERN as COLLECTION_NAME
from .collections import NAME_RULE as COLLECTION_NAME_RULE
from .collections import ORIGINAL_TYPES, CollectedImage, Collection, Collections
from .deletion import Deletion
from .derived_jobs import ModelVersion, StartingPoint
from .engine import Engine, EngineLock
from .executors import DaskExecutor, Executor, InlineExecutor, ProcessesExecutor, check_scheduler
from .job import DEFAULT_POINTS, MAX_CLAIMS, MAX_POINTS, EventBatch, Failure, Job, JobRequest, LatestAndBest, Metrics
from .jobs import LATE_S, Census, EventCursor, Jobs
from .pausing import MAX_EPOCHS, MAX_PAUSE_S, MAX_PAUSED, MAX_STEPS
from .pictures import (
    MAX_ROWS,
    ImageFormat,
    job_picture,
    prepare_job_curves,
    prepare_job_gradient,
    prepare_job_weights,
    prepare_sweep_accuracy,
    prepare_sweep_heatmap,
    prepare_sweep_norms,
    prepare_sweep_weights,
    sweep_picture,
)
from .recorder import MAX_LOSSES, Recorder
from .snapshots import MAX_OF_MEMBER, Confusion, LayerNumbers, LayerValues, Snapshots
from .submission import SubmissionService, check_capacity, fingerprint
from .sweeps import MAX_MEMBERS, RankedSweep, Sweep, SweepRequest, Sweeps, SweepSummary, delete_sweep, insert_sweep
