"""Where training runs: a file for each executor; `Executor` is their interface."""

from .dask import DaskExecutor, check_scheduler
from .inline import InlineExecutor
from .interface import Execution, Executor, Listener, Outcome
from .processes import ProcessesExecutor
