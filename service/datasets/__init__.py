"""Data sets: bytes in, checked arrays out.

`Datasets` holds those of the package and those of users; `load_dataset` opens one of the package: its labels at
once, its images on first use. `read_upload` checks the files of a user. `plan_split` checks a configuration
against a data set by the labels alone; `split` makes the arrays that a run is trained on. The readers of IDX and
gzip bytes trust nothing, so they are safe for files of strangers.
"""

from .catalogue import NAME_RULE as NAME_RULE
from .catalogue import PACKAGED as PACKAGED
from .catalogue import Datasets as Datasets
from .catalogue import load_dataset as load_dataset
from .catalogue import load_mnist as load_mnist
from .catalogue import received_dataset as received_dataset
from .dataset import Dataset as Dataset
from .dataset import LabelledImages as LabelledImages
from .idx import Images as Images
from .idx import Labels as Labels
from .idx import gunzip as gunzip
from .idx import parse_idx_images as parse_idx_images
from .idx import parse_idx_labels as parse_idx_labels
from .split import SplitPlan as SplitPlan
from .split import plan_split as plan_split
from .split import split as split
from .split import unseen_images as unseen_images
from .split import validation_images as validation_images
from .split import with_its_classes as with_its_classes
from .uploads import MAX_TEXT_CHARS as MAX_TEXT_CHARS
from .uploads import PART_NAMES as PART_NAMES
from .uploads import About as About
from .uploads import Upload as Upload
from .uploads import Uploads as Uploads
from .uploads import read_upload as read_upload
