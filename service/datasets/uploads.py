"""Data sets of users, read from untrusted IDX or ``.npz`` files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from service.core import IMAGE_SIDE_PX
from service.core.npy import read_npy
from service.core.npz import read_members
from service.errors import Corrupted, InputTooLarge, InvalidDataset, InvalidField, InvalidInput, MalformedInput

from .dataset import FILE_NAMES, Arrays, checksum_of
from .idx import MAX_CLASSES, Images, Labels, format_idx, gunzip, parse_idx_images, parse_idx_labels

PART_NAMES = ("train_images", "train_labels", "test_images", "test_labels")
"""The four IDX files in an upload, in the order of `FILE_NAMES`."""

ARRAY_NAMES = ("x_train", "y_train", "x_test", "y_test")
"""The arrays of an ``.npz`` file, in the same order."""

MAX_TEXT_CHARS = 200
_MAX_CLASS_NAME = 40
GZIP_MAGIC = b"\x1f\x8b"
_TEST_SHARE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Four IDX files, uncompressed, by the names in `FILE_NAMES`, and the names of the labels 0, 1, ..."""

    files: Mapping[str, bytes]
    class_names: tuple[str, ...]

    @property
    def sha256_by_file(self) -> dict[str, str]:
        """The checksum of each file."""
        return {file: hashlib.sha256(data).hexdigest() for file, data in self.files.items()}

    @property
    def sha256(self) -> str:
        """The checksum of the data set that it becomes."""
        return checksum_of(self.sha256_by_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The description of a data set by a person: a sentence each."""

    title: str
    source: str
    licence: str

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> About:
        """Take the texts of a form, the name for a missing title; raise `InvalidField` for more than a line."""
        given = {field: texts.get(field, "") for field in ("title", "source", "licence")}
        for field, text in given.items():
            if len(text) > MAX_TEXT_CHARS or not text.isprintable():
                allowed = f"at most {MAX_TEXT_CHARS} printable characters"
                raise InvalidField(f"{field} cannot be used.", field=field, allowed=allowed)
        return cls(**{**given, "title": given["title"] or texts["name"]})


def read_class_names(text: str | None) -> list[str] | None:
    """Read the names of the classes as a form has them, a JSON list; raise `InvalidField`."""
    if text is None:
        return None
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):  # nested a thousand times
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidField("class_names must be a JSON list of names.", field="class_names", allowed='["T-shirt", ...]')
    return names


def read_upload(parts: Mapping[str, bytes], class_names: Sequence[str] | None, *, limit_bytes: int) -> Upload:
    """Read and check the files of a data set.

    Parameters
    ----------
    parts : ``file``, an ``.npz`` file of the arrays ``x_train``, ``y_train``, ``x_test``, ``y_test``; or IDX files
        ``train_images``, ``train_labels``, ``test_images``, ``test_labels``, each gzipped or not.
    class_names : one for each label from 0; None for their numbers.
    limit_bytes : of all files together, expanded.

    Raises
    ------
    InvalidField : a part is missing or unknown, or the class names do not fit the labels. All name it in ``field``.
    InvalidDataset : the data is damaged, or no model could be trained on it.
    InputTooLarge : it expands to more than the limit.
    """
    labels_of = {"training": "train_labels", "test": "test_labels"}
    if parts.keys() == {"file"}:
        labels_of = dict.fromkeys(labels_of, "file")
        with _naming_part("file"):
            arrays = _read_npz(parts["file"], limit_bytes)
    elif parts.keys() == set(PART_NAMES):
        arrays = _read_idx(parts, limit_bytes)
    else:
        allowed = f"file alone, or {', '.join(PART_NAMES)}"
        raise InvalidField("These are not the files of a data set.", field=min(parts, default="file"), allowed=allowed)
    return checked_upload(arrays, class_names, labels_of=labels_of)


def checked_upload(arrays: Arrays, class_names: Sequence[str] | None, *, labels_of: Mapping[str, str]) -> Upload:
    """Return labelled images as a data set; errors as `read_upload`, of the field that ``labels_of`` has for a part."""
    x_train, y_train, x_test, y_test = arrays
    for images, labels, part in ((x_train, y_train, "training"), (x_test, y_test, "test")):
        if len(images) != len(labels):
            message = f"The {part} part has {len(images):,} images but {len(labels):,} labels."
            raise InvalidDataset(message, field=labels_of[part])
    n_classes = int(max(y_train.max(), y_test.max())) + 1
    if len(np.unique(y_train)) < n_classes or n_classes < 2:
        raise InvalidDataset(
            "The training images must show every label from 0 to the largest, and two of them at least.",
            field=labels_of["training"],
        )
    return replace(upload_of(arrays), class_names=_check_names(class_names, n_classes))


def upload_of(arrays: Arrays) -> Upload:
    """Return labelled digits as a data set of ten classes, some of which may have no image."""
    files = {name: format_idx(array) for name, array in zip(FILE_NAMES, arrays, strict=True)}
    return Upload(files=files, class_names=tuple(map(str, range(MAX_CLASSES))))


def with_tests(images: Images, labels: Labels, keys: Sequence[bytes]) -> Arrays:
    """Choose images for testing: one in six of a class, at least one of two, those whose keys sort first."""
    is_test = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        of_label = sorted(np.flatnonzero(labels == label).tolist(), key=lambda place: keys[place])
        n_test = max(len(of_label) // _TEST_SHARE, 1) if len(of_label) > 1 else 0
        is_test[of_label[:n_test]] = True
    return images[~is_test], labels[~is_test], images[is_test], labels[is_test]


def _check_names(names: Sequence[str] | None, n_classes: int) -> tuple[str, ...]:
    if names is None:
        return tuple(map(str, range(n_classes)))
    plain = all(0 < len(name) <= _MAX_CLASS_NAME and name.isprintable() and name.strip() == name for name in names)
    if len(names) != n_classes or len(set(names)) != n_classes or not plain:
        raise InvalidField(
            "The class names do not fit the labels.",
            field="class_names",
            allowed=f"{n_classes} different names, each of 1 to {_MAX_CLASS_NAME} printable characters",
        )
    return tuple(names)


def _read_idx(parts: Mapping[str, bytes], limit_bytes: int) -> Arrays:
    left_bytes, arrays = limit_bytes, []
    for name, parse in zip(PART_NAMES, 2 * (parse_idx_images, parse_idx_labels), strict=True):
        data = parts[name]
        with _naming_part(name):
            if data.startswith(GZIP_MAGIC):
                data = gunzip(data, limit_bytes=left_bytes)
            left_bytes -= len(data)
            if left_bytes < 0:
                raise _too_large(limit_bytes)
            arrays.append(parse(data))
    x_train, y_train, x_test, y_test = arrays
    return x_train, y_train, x_test, y_test


@contextmanager
def _naming_part(part: str) -> Iterator[None]:
    """Have errors within name this part."""
    try:
        yield
    except InvalidInput as error:
        error.field = part
        raise


def _read_npz(data: bytes, limit_bytes: int) -> Arrays:
    try:
        contents = read_members(data, ARRAY_NAMES, max_bytes=limit_bytes)
        x_train, y_train, x_test, y_test = (read_npy(contents[name]) for name in ARRAY_NAMES)
    except (Corrupted, MalformedInput) as error:
        raise InvalidDataset(error.message) from None
    return _as_images(x_train), _as_labels(y_train), _as_images(x_test), _as_labels(y_test)


def _as_images(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Images:
    side = IMAGE_SIDE_PX
    if array.dtype != np.uint8 or array.size == 0 or array.shape[1:] not in ((side, side), (side * side,)):
        raise InvalidDataset(f"Images must be uint8 of shape (n, {side}, {side}) or (n, {side * side}).")
    images: Images = array.astype(np.uint8, copy=False).reshape(-1, side, side)
    return images


def _as_labels(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Labels:
    if array.ndim != 1 or len(array) == 0 or not np.issubdtype(array.dtype, np.integer):
        raise InvalidDataset("Labels must be whole numbers of shape (n,).")
    if array.min() < 0 or array.max() >= MAX_CLASSES:
        raise InvalidDataset(f"A label is out of range: labels must be 0 to {MAX_CLASSES - 1}.")
    return array.astype(np.uint8)


def _too_large(limit_bytes: int) -> InputTooLarge:
    return InputTooLarge("The data set is too large.", allowed=f"at most {limit_bytes:,} bytes expanded")
