"""A data set: labelled images in two parts, with their origin, stored as four IDX files known by their checksums.

MNIST is in the package, gzipped.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from threading import Lock
from types import MappingProxyType
from typing import Annotated, TypeAlias

import numpy as np

from service.answers import Doc
from service.core import DIGITS, Task
from service.errors import Corrupted, InvalidDataset, InvalidInput, StorageFailed

from .idx import Images, Labels, gunzip, parse_idx_images, parse_idx_labels

FILE_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
"""As Yann LeCun named them. The order is part of a data set's own checksum."""

# SHA-256 of each file, uncompressed.
_MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_MAX_MNIST_FILE_BYTES = 16 + 60_000 * DIGITS.n_pixels

Arrays: TypeAlias = tuple[Images, Labels, Images, Labels]
"""Images and labels to train on, then those to test on, in the order of the files."""
ReadFile: TypeAlias = Callable[[str], bytes]
"""Returns the bytes of one of these files, uncompressed; raises if they are damaged."""


class LabelledImages:
    """Labels, uint8 (n_images,), in memory; images are read on first use and kept from then on.

    Checking a configuration, or describing a data set, needs the labels alone: a process that never trains never pays
    for the images (47 MB for the training part of MNIST). ``read_images`` returns them, uint8 (n_images, 28, 28); it is
    called at most once at a time, and not again after it has succeeded.
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
        """uint8, (n_images, 28, 28), read-only; raise as the reader, or `InvalidDataset` for another number."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredient:
    """A data set in a mixture."""

    name: str
    sha256: str
    weight: Annotated[int, Doc("How often each of its images stands in the training part.")]


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

    @property
    def arrays(self) -> Arrays:
        """Images and labels of both parts."""
        return self.training.images, self.training.labels, self.test.images, self.test.labels

    def names_of(self, classes: Sequence[int]) -> tuple[str, ...]:
        """Return the names of some classes."""
        return tuple(self.class_names[label] for label in classes)


def _read_only(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Images:
    view = array.view()
    view.flags.writeable = False
    return view


def checksum_of(sha256_by_file: Mapping[str, str]) -> str:
    """Return one checksum of all four files: equal data, equal checksum."""
    return hashlib.sha256("".join(sha256_by_file[name] for name in FILE_NAMES).encode()).hexdigest()


def open_dataset(
    name: str,
    read: ReadFile,
    sha256_by_file: Mapping[str, str],
    *,
    class_names: Sequence[str] = (),
    title: str = "",
    source: str = "",
    licence: str = "",
) -> Dataset:
    """Return a data set of four files: their labels are read now, their images on first use.

    Without names of classes, they are numbered.
    """
    training_images, training_labels, test_images, test_labels = FILE_NAMES
    training = LabelledImages(parse_idx_labels(read(training_labels)), lambda: parse_idx_images(read(training_images)))
    return Dataset(
        name=name,
        title=title,
        source=source,
        licence=licence,
        class_names=tuple(class_names or map(str, range(int(training.labels.max()) + 1))),
        training=training,
        test=LabelledImages(parse_idx_labels(read(test_labels)), lambda: parse_idx_images(read(test_images))),
        sha256=checksum_of(sha256_by_file),
    )


def received_dataset(name: str, files: Mapping[str, bytes]) -> Dataset:
    """Return a data set of the files that `Datasets.files_to_send` returned in another process."""
    return open_dataset(
        name, files.__getitem__, {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
    )


def load_mnist(folder: Traversable | None = None) -> Dataset:
    """Open MNIST, of a folder of its four ``.gz`` files; the labels are read now, the images on first use.

    Raises `Corrupted` if a file is not the published one, of images when they are first read; `StorageFailed`.
    """
    return open_dataset(
        "mnist",
        partial(_read_verified, folder or files("service.datasets") / "files" / "mnist"),
        _MNIST_SHA256,
        title="MNIST handwritten digits",
        source="Yann LeCun, Corinna Cortes and Christopher J.C. Burges",
        licence="CC BY-SA 3.0",
    )


def _read_verified(folder: Traversable, name: str) -> bytes:
    try:
        packed = (folder / f"{name}.gz").read_bytes()
    except OSError:
        raise StorageFailed(f"The MNIST file {name} cannot be read.") from None
    try:
        data = gunzip(packed, limit_bytes=_MAX_MNIST_FILE_BYTES)
    except InvalidInput as damage:
        raise Corrupted(f"The MNIST file {name} is damaged.") from damage
    if hashlib.sha256(data).hexdigest() != _MNIST_SHA256[name]:
        raise Corrupted(f"The MNIST file {name} is not the published one: its checksum differs.")
    return data


LOADERS: Mapping[str, Callable[[], Dataset]] = MappingProxyType({"mnist": cache(load_mnist)})
"""Those of the package; each is opened once."""
