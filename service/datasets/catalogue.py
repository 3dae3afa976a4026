"""The data sets that there are, by name: those in the package, and those that users sent."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from threading import Lock
from types import MappingProxyType

from service.errors import Corrupted, DatasetNotFound, InvalidField, NameTaken, StorageFull

from .dataset import Dataset
from .idx_files import checksum_of, open_parts
from .mnist import load_mnist
from .upload import About, Upload, read_class_names, read_upload
from .uploads import Uploads

logger = logging.getLogger(__name__)

_LOADERS: Mapping[str, Callable[[], Dataset]] = MappingProxyType({"mnist": load_mnist})
_LOADING = Lock()
_N_KEPT_OPEN = 4
"""Uploaded data sets whose images stay in memory."""

NAME_RULE = "1 to 40 of a-z, 0-9 and '-', beginning with a letter"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


class Datasets:
    """All data sets of a service.

    Parameters
    ----------
    uploads : where those are that users sent; None if there can be none.
    max_uploads : that are kept.
    limit_bytes : of one of them, expanded.
    """

    def __init__(
        self, uploads: Uploads | None = None, *, max_uploads: int = 100, limit_bytes: int = 134_217_728
    ) -> None:
        self._uploads = uploads
        self._max_uploads = max_uploads
        self._limit_bytes = limit_bytes
        self._open = lru_cache(_N_KEPT_OPEN)(self._open_upload)

    def names(self) -> list[str]:
        """Return all names, in alphabetical order."""
        return sorted([*_LOADERS, *(self._uploads.names() if self._uploads else ())])

    def all(self) -> list[Dataset]:
        """Return all that can be opened; the log tells of one that is damaged."""
        found = []
        for name in self.names():
            try:
                found.append(self.get(name))
            except Corrupted:
                logger.exception("data set %s is damaged and not listed", name)
        return found

    def get(self, name: str) -> Dataset:
        """Return the data set of this name.

        Cheap (milliseconds, then nothing): images are only read when a part is asked for them.

        Raises
        ------
        DatasetNotFound : there is no such data set.
        Corrupted, StorageFailed : its files are damaged or cannot be read; the next call tries again.
        """
        if name in _LOADERS:
            return load_dataset(name)
        if self._uploads is None or not _NAME.fullmatch(name):
            raise self._unknown()
        try:
            return self._open(name)
        except DatasetNotFound:
            raise self._unknown() from None

    def asked_for(self, name: str) -> Dataset:
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

    def receive(self, words: Mapping[str, str], parts: Mapping[str, bytes]) -> Dataset:
        """Check and keep a data set that comes as a form.

        Parameters
        ----------
        words : ``name``, and perhaps ``class_names`` as a JSON list, ``title``, ``source`` and ``licence``.
        parts : see `read_upload`.

        Raises
        ------
        InvalidField, InvalidDataset, InputTooLarge : as `read_upload`.
        NameTaken, StorageFull, StorageFailed : as `add`.
        """
        if "name" not in words:
            raise InvalidField("name is required.", field="name", allowed=NAME_RULE)
        about, class_names = About.of(words), read_class_names(words.get("class_names"))
        return self.add(words["name"], read_upload(parts, class_names, limit_bytes=self._limit_bytes), about)

    def add(self, name: str, upload: Upload, about: About) -> Dataset:
        """Keep a data set that was sent; it never changes and is never removed.

        Raises
        ------
        InvalidField : it cannot have this name.
        NameTaken : there is another data set of this name. Sending the same again is harmless.
        StorageFull, StorageFailed : the store refused, or there are as many as are kept.
        """
        if self._uploads is None or not _NAME.fullmatch(name):
            raise InvalidField("A data set cannot have this name.", field="name", allowed=NAME_RULE)
        if name in _LOADERS:
            raise NameTaken("There is another data set of this name.", field="name")
        there = self._uploads.names()
        if name not in there and len(there) >= self._max_uploads:
            raise StorageFull("No more data sets are kept.", allowed=f"{self._max_uploads:,} data sets")
        self._uploads.add(name, upload, about)
        return self.get(name)

    def class_names(self, name: str, classes: Sequence[int]) -> tuple[str, ...]:
        """Return what to call some classes of a data set; by their numbers if it is gone or damaged."""
        try:
            return self.get(name).names_of(classes)
        except (DatasetNotFound, Corrupted):
            return tuple(map(str, classes))

    def files_to_send(self, name: str) -> dict[str, bytes] | None:
        """Return what a worker needs that has only the package: nothing if the data set is in that."""
        return None if name in _LOADERS or self._uploads is None else self._uploads.files(name)

    def _open_upload(self, name: str) -> Dataset:
        assert self._uploads is not None
        return self._uploads.open(name)

    def _unknown(self) -> DatasetNotFound:
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
    """Return a data set of the files that `Datasets.files_to_send` returned elsewhere."""
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


PACKAGED = Datasets()
"""Those of the package alone, for whoever is given no others."""


@cache
def _load(name: str) -> Dataset:
    return _LOADERS[name]()
