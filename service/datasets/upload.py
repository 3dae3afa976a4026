"""A data set that somebody sends: four IDX files, or one ``.npz`` file with four arrays. Nothing in it is trusted."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from service.core.npy import read_npy
from service.errors import InputTooLarge, InvalidDataset, InvalidField, InvalidInput, MalformedInput

from .bounded_gzip import gunzip
from .idx import IMAGE_SIDE_PX, MAX_CLASSES, Images, Labels, parse_idx_images, parse_idx_labels
from .idx_files import FILE_NAMES

PART_NAMES = ("train_images", "train_labels", "test_images", "test_labels")
"""What the four IDX files are called in an upload, in the order of `FILE_NAMES`."""

ARRAY_NAMES = ("x_train", "y_train", "x_test", "y_test")
"""What the arrays of an ``.npz`` file are called, in the same order."""

MAX_WORD_CHARS = 200
_MAX_CLASS_NAME = 40
_GZIP_MAGIC = b"\x1f\x8b"
_END_RECORD_BYTES = 22
_MAX_DIRECTORY_BYTES = 4096
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    NotImplementedError,
    ValueError,
    EOFError,
    OSError,
    OverflowError,
    struct.error,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Four IDX files, uncompressed, by the names in `FILE_NAMES`, and what to call the labels 0, 1, ..."""

    files: Mapping[str, bytes]
    class_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a person says of a data set: a sentence each."""

    title: str
    source: str
    licence: str

    @classmethod
    def of(cls, words: Mapping[str, str]) -> About:
        """Take the words of a form; the title is the name if there is none.

        Raises
        ------
        InvalidField : one of them is too long, or holds more than a line of text.
        """
        said = {word: words.get(word, "") for word in ("title", "source", "licence")}
        for word, text in said.items():
            if len(text) > MAX_WORD_CHARS or not text.isprintable():
                allowed = f"at most {MAX_WORD_CHARS} printable characters"
                raise InvalidField(f"{word} cannot be used.", field=word, allowed=allowed)
        return cls(**{**said, "title": said["title"] or words["name"]})


def read_class_names(text: str | None) -> list[str] | None:
    """Read the names of the classes as a form has them, a JSON list; raise `InvalidField`."""
    if text is None:
        return None
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidField("class_names must be a JSON list of names.", field="class_names", allowed='["T-shirt", ...]')
    return names


def read_upload(parts: Mapping[str, bytes], class_names: Sequence[str] | None, *, limit_bytes: int) -> Upload:
    """Read and check what was sent.

    Parameters
    ----------
    parts : ``file``, an ``.npz`` file of the arrays ``x_train``, ``y_train``, ``x_test``, ``y_test``; or IDX files
        ``train_images``, ``train_labels``, ``test_images``, ``test_labels``, each gzipped or not.
    class_names : one for each label from 0; None calls them by their numbers.
    limit_bytes : of all files together, expanded.

    Raises
    ------
    InvalidField : a part is missing or unknown, or the class names do not fit the labels.
    InvalidDataset : the data is not what it claims to be, or one cannot learn from it.
    InputTooLarge : it expands to more than the limit.
        All of them name the part in ``field``.
    """
    labels_of = {"training": "train_labels", "test": "test_labels"}
    if parts.keys() == {"file"}:
        labels_of = dict.fromkeys(labels_of, "file")
        with _blaming("file"):
            images_and_labels = _read_npz(parts["file"], limit_bytes)
    elif parts.keys() == set(PART_NAMES):
        images_and_labels = _read_idx(parts, limit_bytes)
    else:
        allowed = f"file alone, or {', '.join(PART_NAMES)}"
        raise InvalidField("These are not the files of a data set.", field=min(parts, default="file"), allowed=allowed)
    x_train, y_train, x_test, y_test = images_and_labels
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
    arrays = dict(zip(FILE_NAMES, images_and_labels, strict=True))
    return Upload(
        files={name: _idx_bytes(array) for name, array in arrays.items()},
        class_names=_check_names(class_names, n_classes),
    )


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


def _read_idx(parts: Mapping[str, bytes], limit_bytes: int) -> tuple[Images, Labels, Images, Labels]:
    left_bytes, arrays = limit_bytes, []
    for name, parse in zip(PART_NAMES, 2 * (parse_idx_images, parse_idx_labels), strict=True):
        data = parts[name]
        with _blaming(name):
            if data.startswith(_GZIP_MAGIC):
                data = gunzip(data, limit_bytes=left_bytes)
            left_bytes -= len(data)
            if left_bytes < 0:
                raise _too_large(limit_bytes)
            arrays.append(parse(data))
    x_train, y_train, x_test, y_test = arrays
    return x_train, y_train, x_test, y_test


@contextmanager
def _blaming(part: str) -> Iterator[None]:
    """Let what is wrong within name the part in which it is."""
    try:
        yield
    except InvalidInput as error:
        error.field = part
        raise


def _read_npz(data: bytes, limit_bytes: int) -> tuple[Images, Labels, Images, Labels]:
    _check_directory(data)
    members = [f"{name}.npy" for name in ARRAY_NAMES]
    contents, left_bytes = [], limit_bytes
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sorted(info.orig_filename for info in archive.infolist()) != sorted(members):
                raise InvalidDataset(f"The .npz file must hold the arrays {', '.join(ARRAY_NAMES)} and nothing else.")
            for member in members:
                with archive.open(member) as file:  # whatever size it declares, no more than this is expanded
                    contents.append(file.read(left_bytes + 1))
                left_bytes -= len(contents[-1])
                if left_bytes < 0:
                    raise _too_large(limit_bytes)
    except _UNREADABLE:
        raise InvalidDataset("The file is not a readable .npz archive.") from None
    try:
        x_train, y_train, x_test, y_test = map(read_npy, contents)
    except MalformedInput as error:
        raise InvalidDataset(error.message) from None
    return _as_images(x_train), _as_labels(y_train), _as_images(x_test), _as_labels(y_test)


def _check_directory(data: bytes) -> None:
    """Refuse an archive that lists more than a few members, before a list of millions is read."""
    end = data[-_END_RECORD_BYTES:]
    beyond_32_bits = data[-_END_RECORD_BYTES - 20 :].startswith(b"PK\x06\x07")
    directory_bytes = int.from_bytes(end[12:16], "little")
    if not end.startswith(b"PK\x05\x06") or beyond_32_bits or directory_bytes > _MAX_DIRECTORY_BYTES:
        raise InvalidDataset("The file is not a readable .npz archive of four arrays.")


def _as_images(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Images:
    side = IMAGE_SIDE_PX
    if array.dtype != np.uint8 or len(array) == 0 or array.shape[1:] not in ((side, side), (side * side,)):
        raise InvalidDataset(f"Images must be uint8 of shape (n, {side}, {side}) or (n, {side * side}).")
    images: Images = array.astype(np.uint8, copy=False).reshape(-1, side, side)
    return images


def _as_labels(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Labels:
    if array.ndim != 1 or len(array) == 0 or not np.issubdtype(array.dtype, np.integer):
        raise InvalidDataset("Labels must be whole numbers of shape (n,).")
    if array.min() < 0 or array.max() >= MAX_CLASSES:
        raise InvalidDataset(f"A label is out of range: labels must be 0 to {MAX_CLASSES - 1}.")
    return array.astype(np.uint8)


def _idx_bytes(array: Images) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 0x08, array.ndim, *array.shape)
    return header + array.tobytes()


def _too_large(limit_bytes: int) -> InputTooLarge:
    return InputTooLarge("The data set is too large.", allowed=f"at most {limit_bytes:,} bytes expanded")
