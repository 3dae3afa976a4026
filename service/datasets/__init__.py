"""Data sets: bytes in, checked arrays out.

`Datasets` knows those of the package and those that users sent; `load_dataset` opens one of the package: its labels at
once, its images when first asked for. `read_upload` checks what a user sends. `plan_split`
checks a configuration against it by the labels alone; `split` makes the arrays that a run is trained on. The
readers of IDX and gzip bytes trust nothing, so that they also serve for data that strangers send.
"""

from .bounded_gzip import gunzip as gunzip
from .catalogue import NAME_RULE as NAME_RULE
from .catalogue import PACKAGED as PACKAGED
from .catalogue import Datasets as Datasets
from .catalogue import load_dataset as load_dataset
from .catalogue import received_dataset as received_dataset
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
from .split import with_its_classes as with_its_classes
from .upload import MAX_WORD_CHARS as MAX_WORD_CHARS
from .upload import PART_NAMES as PART_NAMES
from .upload import About as About
from .upload import Upload as Upload
from .upload import read_upload as read_upload
from .uploads import Uploads as Uploads
