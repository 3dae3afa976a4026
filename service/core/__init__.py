"""The training core: models by hand in NumPy, and the loop that trains them.

It knows no files, no clock, no web and no threads: images come in as arrays, progress goes out through one
callback, stopping comes in through another. `config` is the table of what a run may be asked to do, `training` the
loop, `models` the mathematics, `task` what they all work on: images, and parameters as flat rows.
"""

from .augmentation import STRENGTHS, Augmenter
from .certainty import Certainty, Part
from .checks import yield_cpu
from .config import (
    BY_NAME,
    FORMULAS,
    HYPERPARAMETERS,
    MAX_LAYERS,
    MAX_TEXT_CHARS,
    MAX_UNITS,
    Hyperparameter,
    TrainingConfig,
    completed,
)
from .data import Schedule, TrainingData, epoch_batches
from .models import MODELS, Attribution, Model, Operation, build_model
from .results import (
    METRICS,
    Check,
    CheckReport,
    EarlyStopping,
    Metric,
    StopReason,
    TrainingResult,
    TrainingState,
    count_losses,
    pack_losses,
    unpack_losses,
)
from .task import (
    DIGITS,
    IMAGE_SIDE_PX,
    N_PIXELS,
    RANGE,
    Float64s,
    Floats,
    InputScaling,
    Ints,
    Layout,
    Task,
    Tensor,
    design_matrix,
    norm,
)
from .training import initial_state, next_gradient, train, train_stack
