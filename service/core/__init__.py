"""The training core: models by hand in NumPy, and the loop that trains them.

It knows no files, no clock, no web and no threads: images come in as arrays, progress goes out through one
callback, stopping comes in through another. `config` is the table of what a run may be asked to do, `training` the
loop, `models` the mathematics, `task` what they all work on: images, and parameters as flat rows.
"""

from .augmentation import STRENGTHS as STRENGTHS
from .augmentation import Augmenter as Augmenter
from .certainty import Certainty as Certainty
from .checks import yield_cpu as yield_cpu
from .config import BY_NAME as BY_NAME
from .config import FORMULAS as FORMULAS
from .config import HYPERPARAMETERS as HYPERPARAMETERS
from .config import MAX_LAYERS as MAX_LAYERS
from .config import MAX_TEXT_CHARS as MAX_TEXT_CHARS
from .config import MAX_UNITS as MAX_UNITS
from .config import Hyperparameter as Hyperparameter
from .config import TrainingConfig as TrainingConfig
from .config import completed as completed
from .data import Schedule as Schedule
from .data import TrainingData as TrainingData
from .models import MODELS as MODELS
from .models import Attribution as Attribution
from .models import Model as Model
from .models import Operation as Operation
from .models import build_model as build_model
from .results import METRICS as METRICS
from .results import Check as Check
from .results import CheckReport as CheckReport
from .results import EarlyStopping as EarlyStopping
from .results import Metric as Metric
from .results import StopReason as StopReason
from .results import TrainingResult as TrainingResult
from .results import TrainingState as TrainingState
from .task import DIGITS as DIGITS
from .task import IMAGE_SIDE_PX as IMAGE_SIDE_PX
from .task import N_PIXELS as N_PIXELS
from .task import RANGE as RANGE
from .task import Floats as Floats
from .task import InputScaling as InputScaling
from .task import Ints as Ints
from .task import Layout as Layout
from .task import Task as Task
from .task import Tensor as Tensor
from .task import design_matrix as design_matrix
from .task import norm as norm
from .training import train as train
from .training import train_stack as train_stack
