"""Where training runs: a file for each executor; `Executor` is their interface."""

from .dask import DaskExecutor as DaskExecutor
from .dask import check_scheduler as check_scheduler
from .inline import InlineExecutor as InlineExecutor
from .interface import Execution as Execution
from .interface import Executor as Executor
from .interface import Listener as Listener
from .interface import Outcome as Outcome
from .processes import ProcessesExecutor as ProcessesExecutor
