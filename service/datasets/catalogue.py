"""The available data sets by name: MNIST, which is in the package as four gzipped IDX files, and those of users."""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from threading import Lock
from types import MappingProxyType

from service.core import DIGITS
from service.errors import (
    Corrupted,
    DatasetNotFound,
    InUse,
    InvalidField,
    InvalidInput,
    NameTaken,
    StorageFailed,
    StorageFull,
)

from .dataset import Dataset, checksum_of, open_parts
from .idx import gunzip
from .mixture import Mixture
from .uploads import MIXTURE_PREFIX, About, Upload, Uploads, is_mixture, read_class_names

logger = logging.getLogger(__name__)

# SHA-256 of each file, uncompressed.
_MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_MAX_MNIST_FILE_BYTES = 16 + 60_000 * DIGITS.n_pixels

_LOADING = Lock()

NAME_RULE = "1 to 40 of a-z, 0-9 and '-', beginning with a letter"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class Datasets:
    """All data sets of a service.

    Parameters
    ----------
    uploads : those of users; None if there can be none.
    max_uploads : the number that is kept.
    limit_bytes : of one of them, expanded.
    """

    def __init__(
        self, uploads: Uploads | None = None, *, max_uploads: int = 100, limit_bytes: int = 134_217_728
    ) -> None:
        self._uploads = uploads
        self._max_uploads = max_uploads
        self._limit_bytes = limit_bytes

    def names(self) -> list[str]:
        """Return all names, in alphabetical order."""
        return sorted([*_LOADERS, *(self._uploads.names() if self._uploads else ())])

    def all(self) -> list[Dataset]:
        """Return all that can be opened; damaged ones are logged."""
        found = []
        for name in self.names():
            try:
                with suppress(DatasetNotFound):  # deleted meanwhile
                    found.append(self.get(name))
            except Corrupted:
                logger.exception("data set %s is damaged and not listed", name)
        return found

    def get(self, name: str) -> Dataset:
        """Return the data set of this name.

        Fast (milliseconds, then a look-up): images are only read on first use.

        Raises
        ------
        DatasetNotFound : there is no such data set.
        Corrupted, StorageFailed : its files are damaged or cannot be read; the next call tries again.
        """
        if name in _LOADERS:
            return load_dataset(name)
        if self._uploads is None or not _NAME.fullmatch(name):
            raise self._not_found()
        try:
            return self._uploads.open(name, self.get)
        except DatasetNotFound:
            raise self._not_found() from None

    def requested(self, name: str) -> Dataset:
        """Return the data set that a request names in its field ``dataset``.

        Raises
        ------
        InvalidField : there is no such data set.
        Corrupted, StorageFailed : as `get`.
        """
        try:
            return self.get(name)
        except DatasetNotFound as error:
            raise InvalidField(error.message, field="dataset", allowed=error.allowed) from None

    def receive(self, texts: Mapping[str, str], read: Callable[[Sequence[str] | None, int], Upload]) -> Dataset:
        """Check and keep a data set from a form.

        Parameters
        ----------
        texts : ``name``, and optionally ``class_names`` as a JSON list, ``title``, ``source`` and ``licence``.
        read : reads its files, given the class names and the number of bytes to which they may expand.

        Raises
        ------
        InvalidField, InvalidDataset, InputTooLarge : raised by the reader.
        NameTaken, StorageFull, StorageFailed : as `add`.
        """
        if "name" not in texts:
            raise InvalidField("name is required.", field="name", allowed=NAME_RULE)
        about, class_names = About.of(texts), read_class_names(texts.get("class_names"))
        return self.add(texts["name"], read(class_names, self._limit_bytes), about)

    def add(self, name: str, upload: Upload, about: About) -> Dataset:
        """Keep an uploaded data set; it never changes.

        Raises
        ------
        InvalidField : it cannot have this name.
        NameTaken : there is another data set of this name. Sending the same again is harmless.
        StorageFull, StorageFailed : the store failed, or the maximum number is kept already.
        """
        if self._uploads is None or not _NAME.fullmatch(name):
            raise InvalidField("A data set cannot have this name.", field="name", allowed=NAME_RULE)
        if name in _LOADERS:
            raise NameTaken("There is another data set of this name.", field="name")
        there = [each for each in self._uploads.names() if not is_mixture(each)]
        if name not in there and len(there) >= self._max_uploads:
            raise StorageFull("No more data sets are kept.", allowed=f"{self._max_uploads:,} data sets")
        self._uploads.add(name, upload, about)
        return self.get(name)

    def mixture(self, weights: Sequence[tuple[str, int]]) -> Dataset:
        """Return several data sets as one, the same for the same names and weights; see `Mixture`.

        Raises
        ------
        InvalidField : there is no such data set, or they cannot be trained on together.
        StorageFull, StorageFailed : the store failed.
        """
        mixture = Mixture(parts=[(self.requested(name), weight) for name, weight in weights])
        mixture.check(limit_bytes=self._limit_bytes)
        recipe = json.dumps([(each.name, each.sha256, each.weight) for each in mixture.ingredients()])
        name = MIXTURE_PREFIX + hashlib.sha256(recipe.encode()).hexdigest()[:16]
        if self._uploads is None:
            raise StorageFull("There is no room for data sets.")
        with suppress(DatasetNotFound):
            return self.get(name)
        self._uploads.add_mixture(name, mixture)
        return self.get(name)

    def delete(self, name: str) -> None:
        """Delete an uploaded data set; its name may be used again.

        Raises
        ------
        DatasetNotFound : there is none of this name.
        InUse : it is in the package.
        StorageFailed : the store failed; the data set is there as before, or deleted.
        """
        if name in _LOADERS:
            raise InUse("This data set is part of Inkling and cannot be deleted.")
        if self._uploads is None or not _NAME.fullmatch(name):
            raise self._not_found()
        if mixtures := self._uploads.mixtures_of(name):
            raise InUse(f"{', '.join(mixtures[:5])} is made of it; delete that first.")
        self._uploads.delete(name)

    def clean(self) -> None:
        """Delete the files of uploads and deletions that a crash interrupted."""
        if self._uploads is not None:
            self._uploads.clean()

    def class_names(self, name: str, classes: Sequence[int]) -> tuple[str, ...]:
        """Return the names of some classes of a data set; their numbers if it is gone or damaged."""
        try:
            return self.get(name).names_of(classes)
        except (DatasetNotFound, Corrupted):
            return tuple(map(str, classes))

    def files_to_send(self, name: str) -> dict[str, bytes] | None:
        """Return the files that a worker needs besides the package: None if the data set is in the package."""
        return None if name in _LOADERS or self._uploads is None else self._uploads.files(name, self.get)

    def _not_found(self) -> DatasetNotFound:
        return DatasetNotFound("There is no data set of this name.", allowed=", ".join(self.names()))


def load_dataset(name: str) -> Dataset:
    """Return a data set of the package: always the same object, from any thread.

    Raises
    ------
    DatasetNotFound : there is no such data set.
    Corrupted, StorageFailed : its files are damaged or cannot be read; the next call tries again.
    """
    if name not in _LOADERS:
        raise DatasetNotFound("There is no data set of this name.", allowed=", ".join(_LOADERS))
    with _LOADING:
        return _load(name)


def received_dataset(name: str, files: Mapping[str, bytes]) -> Dataset:
    """Return a data set of the files that `Datasets.files_to_send` returned in another process."""
    training, test = open_parts(files.__getitem__)
    sha256 = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
    class_names = tuple(map(str, range(int(training.labels.max()) + 1)))
    return Dataset(
        name=name,
        title=name,
        source="",
        licence="",
        class_names=class_names,
        training=training,
        test=test,
        sha256=checksum_of(sha256),
    )


def load_mnist(folder: Traversable | None = None) -> Dataset:
    """Open MNIST; the labels are read now, the images on first use.

    Parameters
    ----------
    folder : of the four ``.gz`` files; by default, in the package.

    Raises
    ------
    Corrupted : a file is not the published one (for images, when they are first read).
    StorageFailed : a file cannot be read.
    """
    training, test = open_parts(partial(_read_verified, folder or files("service.datasets") / "files" / "mnist"))
    return Dataset(
        name="mnist",
        title="MNIST handwritten digits",
        source="Yann LeCun, Corinna Cortes and Christopher J.C. Burges",
        licence="CC BY-SA 3.0",
        class_names=tuple(map(str, range(DIGITS.n_classes))),
        training=training,
        test=test,
        sha256=checksum_of(_MNIST_SHA256),
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


_LOADERS: Mapping[str, Callable[[], Dataset]] = MappingProxyType({"mnist": load_mnist})

PACKAGED = Datasets()
"""Those of the package alone: the default where no others are given."""


@cache
def _load(name: str) -> Dataset:
    return _LOADERS[name]()
