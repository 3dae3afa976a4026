"""The training core: logistic and softmax regression, hand-written in NumPy.

It knows no files, no clock, no web and no threads: images come in as arrays, progress goes out through one
callback, stopping comes in through another. `hyperparameters` is the table of what a run may be asked to do,
`training` the loop, `models` the mathematics.
"""

from .batches import Schedule as Schedule
from .checks import give_way as give_way
from .config import TrainingConfig as TrainingConfig
from .data import IMAGE_SIDE_PX as IMAGE_SIDE_PX
from .data import N_FEATURES as N_FEATURES
from .data import N_PIXELS as N_PIXELS
from .data import Floats as Floats
from .data import Ints as Ints
from .data import TrainingData as TrainingData
from .data import design_matrix as design_matrix
from .hyperparameters import HYPERPARAMETERS as HYPERPARAMETERS
from .hyperparameters import Hyperparameter as Hyperparameter
from .models import MODELS as MODELS
from .models import output_names as output_names
from .models import probabilities as probabilities
from .penalty import FORMULAS as FORMULAS
from .penalty import equivalent_squared_penalty as equivalent_squared_penalty
from .results import Check as Check
from .results import CheckReport as CheckReport
from .results import TrainingResult as TrainingResult
from .results import TrainingState as TrainingState
from .results import norm as norm
from .stopping import EarlyStopping as EarlyStopping
from .stopping import StopReason as StopReason
from .training import train as train
from .training import train_stack as train_stack
