"""The data sets that exist, by name; each is opened once per process, when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from threading import Lock
from types import MappingProxyType

from service.errors import DatasetNotFound

from .dataset import Dataset
from .mnist import load_mnist

_LOADERS: Mapping[str, Callable[[], Dataset]] = MappingProxyType({"mnist": load_mnist})
_LOADING = Lock()


def dataset_names() -> tuple[str, ...]:
    """Return the names that `load_dataset` knows, in alphabetical order."""
    return tuple(sorted(_LOADERS))


def load_dataset(name: str) -> Dataset:
    """Return the data set of this name: always the same object, from any thread.

    Cheap (milliseconds, then nothing): images are only read when a part is asked for them.

    Raises
    ------
    DatasetNotFound : there is no such data set.
    Corrupted, StorageFailed : its files are damaged or cannot be read; the next call tries again.
    """
    if name not in _LOADERS:
        raise DatasetNotFound("There is no data set of this name.", allowed=", ".join(dataset_names()))
    with _LOADING:
        return _open(name)


@cache
def _open(name: str) -> Dataset:
    return _LOADERS[name]()
