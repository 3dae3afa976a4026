"""Data sets: bytes in, checked arrays out.

`load_dataset` opens a packaged data set: its labels at once, its images when first asked for. `plan_split`
checks a configuration against it by the labels alone; `split` makes the arrays that a run is trained on. The
readers of IDX and gzip bytes trust nothing, so that they also serve for data that strangers send.
"""

from .bounded_gzip import gunzip as gunzip
from .catalogue import dataset_names as dataset_names
from .catalogue import load_dataset as load_dataset
from .dataset import Dataset as Dataset
from .dataset import LabelledImages as LabelledImages
from .idx import Images as Images
from .idx import Labels as Labels
from .idx import parse_idx_images as parse_idx_images
from .idx import parse_idx_labels as parse_idx_labels
from .split import SplitPlan as SplitPlan
from .split import plan_split as plan_split
from .split import split as split
from .split import validation_images as validation_images
