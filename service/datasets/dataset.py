"""A data set: labelled images in two parts, with their origin, stored as four IDX files known by their checksums."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from threading import Lock
from typing import Any, TypeAlias

import numpy as np

from service.core import DIGITS, Task
from service.errors import InvalidDataset

from .idx import Images, Labels, parse_idx_images, parse_idx_labels

FILE_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""As Yann LeCun named them. The order is part of a data set's own checksum."""

ReadFile: TypeAlias = Callable[[str], bytes]
"""Returns the bytes of one of these files, uncompressed; raises if they are damaged."""


class LabelledImages:
    """Labels in memory; images are read on first use and kept from then on.

    Checking a configuration, or describing a data set, needs the labels alone: a process that
    never trains never pays for the images (47 MB for the training part of MNIST).

    Parameters
    ----------
    labels : uint8, ``(n_images,)``.
    read_images : returns the images of these labels, uint8, ``(n_images, 28, 28)``; called at most
        once at a time, and not again after it has succeeded.
    """

    def __init__(self, labels: Labels, read_images: Callable[[], Images]):
        self.labels = _read_only(labels)
        self._read_images = read_images
        self._images: Images | None = None
        self._reading = Lock()

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"LabelledImages({len(self):,} images)"

    @property
    def images(self) -> Images:
        """uint8, ``(n_images, 28, 28)``, read-only.

        Raises
        ------
        InvalidDataset : there are not as many images as labels.
        Corrupted, StorageFailed : raised by the reader.
        """
        with self._reading:
            if self._images is None:
                images = _read_only(self._read_images())
                if len(images) != len(self):
                    raise InvalidDataset(f"There are {len(images):,} images but {len(self):,} labels.")
                self._images = images
            return self._images

    def count_by_class(self) -> dict[int, int]:
        """Return the number of images of each class that occurs, in order of class."""
        classes, counts = np.unique(self.labels, return_counts=True)
        return dict(zip(classes.tolist(), counts.tolist(), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers of images, as in the API."""
        by_class = {str(label): count for label, count in self.count_by_class().items()}
        return {"n_images": len(self), "n_by_class": by_class}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredient:
    """A data set in a mixture of several: which, and how often each of its images stands in the training part."""

    name: str
    sha256: str
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Dataset:
    """Two parts of labelled images under one name.

    Parameters
    ----------
    name : in a configuration (``mnist``).
    title, source, licence : one sentence each, for people.
    class_names : of label 0, 1, ...; one for every label that occurs.
    sha256 : one checksum of all the data, lower-case hexadecimal; equal data, equal checksum.
    made_of : of a mixture, the data sets in it.
    test_sha256 : the checksum of the data set that the test part is from: of a mixture, its first one; else its own.
    n_added : of a mixture, how many of the training images, the first ones, are not of its first data set.
    """

    name: str
    title: str
    source: str
    licence: str
    class_names: tuple[str, ...]
    training: LabelledImages
    test: LabelledImages
    sha256: str
    made_of: tuple[Ingredient, ...] = ()
    test_sha256: str = ""
    n_added: int = 0

    def __post_init__(self) -> None:
        """Take the test part for its own."""
        if not self.test_sha256:
            object.__setattr__(self, "test_sha256", self.sha256)

    @property
    def task(self) -> Task:
        """What can be trained for on all of it."""
        return Task(image_shape=DIGITS.image_shape, n_classes=len(self.class_names))

    @property
    def classes(self) -> tuple[int, ...]:
        """Every label that may occur, in order."""
        return tuple(range(len(self.class_names)))

    def names_of(self, classes: Sequence[int]) -> tuple[str, ...]:
        """Return the names of some classes."""
        return tuple(self.class_names[label] for label in classes)

    def to_dict(self) -> dict[str, Any]:
        """Return the description of the API."""
        return {
            **{name: getattr(self, name) for name in ("name", "title", "source", "licence")},
            "classes": list(self.classes),
            "class_names": list(self.class_names),
            "image_shape": list(self.task.image_shape),
            "sha256": self.sha256,
            "training": self.training.to_dict(),
            "test": self.test.to_dict(),
            "made_of": [asdict(ingredient) for ingredient in self.made_of],
        }


def _read_only(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Images:
    view = array.view()
    view.flags.writeable = False
    return view


def checksum_of(sha256_by_file: Mapping[str, str]) -> str:
    """Return one checksum of all four files: equal data, equal checksum."""
    return hashlib.sha256("".join(sha256_by_file[name] for name in FILE_NAMES).encode()).hexdigest()


def open_parts(read: ReadFile) -> tuple[LabelledImages, LabelledImages]:
    """Return the training and the test part; their labels are read now, their images on first use."""
    training_images, training_labels, test_images, test_labels = FILE_NAMES
    return (
        LabelledImages(parse_idx_labels(read(training_labels)), partial(_images, read, training_images)),
        LabelledImages(parse_idx_labels(read(test_labels)), partial(_images, read, test_images)),
    )


def _images(read: ReadFile, name: str) -> Images:
    return parse_idx_images(read(name))
