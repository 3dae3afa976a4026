"""Data sets: bytes in, checked arrays out.

`Datasets` holds those of the package and those of users; `load_dataset` opens one of the package: its labels at
once, its images on first use. `read_upload` and `LabelledFiles` check the files of a user. `select` checks a
configuration against a data set by the labels alone; `split` makes the arrays that a run is trained on. The readers
of IDX and gzip bytes trust nothing, so they are safe for files of strangers.
"""

from .catalogue import NAME_RULE, PACKAGED, Datasets, load_dataset
from .dataset import Dataset, Ingredient, LabelledImages, load_mnist, received_dataset
from .idx import Images, Labels, gunzip, parse_idx_images, parse_idx_labels
from .labelled import LabelledFiles, shown
from .mixture import MAX_INGREDIENTS, MAX_WEIGHT
from .split import Selection, select, select_unseen, split, with_its_classes
from .uploads import MAX_TEXT_CHARS, PART_NAMES, About, Upload, read_upload, upload_of, with_tests
