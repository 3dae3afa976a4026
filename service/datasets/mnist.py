"""MNIST as it comes with the package: four gzipped IDX files, each known by its checksum."""

from __future__ import annotations

import hashlib
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable

from service.errors import Corrupted, InvalidInput, StorageFailed

from .bounded_gzip import gunzip
from .dataset import Dataset
from .idx_files import checksum_of, open_parts

#: SHA-256 of each file, uncompressed.
_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_LARGEST_FILE_BYTES = 16 + 60_000 * 28 * 28


def load_mnist(folder: Traversable | None = None) -> Dataset:
    """Open MNIST; the labels are read now, the images when they are first asked for.

    Parameters
    ----------
    folder : where the four ``.gz`` files are; by default, in the package.

    Raises
    ------
    Corrupted : a file is not the published one (for images, when they are asked for).
    StorageFailed : a file cannot be read.
    """
    training, test = open_parts(partial(_read_verified, folder or files("service.datasets") / "files" / "mnist"))
    return Dataset(
        name="mnist",
        title="MNIST handwritten digits",
        source="Yann LeCun, Corinna Cortes and Christopher J.C. Burges",
        licence="CC BY-SA 3.0",
        class_names=tuple(map(str, range(10))),
        training=training,
        test=test,
        sha256=checksum_of(_SHA256),
    )


def _read_verified(folder: Traversable, name: str) -> bytes:
    try:
        packed = (folder / f"{name}.gz").read_bytes()
    except OSError:
        raise StorageFailed(f"The MNIST file {name} cannot be read.") from None
    try:
        data = gunzip(packed, limit_bytes=_LARGEST_FILE_BYTES)
    except InvalidInput as damage:
        raise Corrupted(f"The MNIST file {name} is damaged.") from damage
    if hashlib.sha256(data).hexdigest() != _SHA256[name]:
        raise Corrupted(f"The MNIST file {name} is not the published one: its checksum differs.")
    return data
