"""A data set as four IDX files, each known by its checksum: as MNIST comes in the package, and as uploads are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from .dataset import LabelledImages
from .idx import Images, parse_idx_images, parse_idx_labels

FILE_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""As Yann LeCun named them. The order is part of a data set's own checksum."""

ReadFile: TypeAlias = Callable[[str], bytes]
"""Returns the bytes of one of these files, uncompressed; raises if they are not what they should be."""


def checksum_of(sha256_by_file: Mapping[str, str]) -> str:
    """Return one checksum of all four files: equal data, equal checksum."""
    return hashlib.sha256("".join(sha256_by_file[name] for name in FILE_NAMES).encode()).hexdigest()


def open_parts(read: ReadFile) -> tuple[LabelledImages, LabelledImages]:
    """Return the training and the test part; their labels are read now, their images when first asked for."""
    training_images, training_labels, test_images, test_labels = FILE_NAMES
    return (
        LabelledImages(parse_idx_labels(read(training_labels)), partial(_images, read, training_images)),
        LabelledImages(parse_idx_labels(read(test_labels)), partial(_images, read, test_images)),
    )


def _images(read: ReadFile, name: str) -> Images:
    return parse_idx_images(read(name))
