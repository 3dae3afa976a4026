"""Images with the names of their classes, as users have them: pictures in folders, and tables of pixels as CSV."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from io import BytesIO, TextIOWrapper
from itertools import islice
from pathlib import PurePosixPath

import numpy as np

from service.core import DIGITS
from service.errors import InputTooLarge, InvalidDataset

from .idx import MAX_CLASSES, Images, gunzip
from .uploads import GZIP_MAGIC, Upload, checked_upload, upload_of, with_tests

_TEST = {"test", "testing", "validation", "valid", "val"}
_TRAINING = {"train", "training"}
_LABEL = {"label", "class", "target"}
_N_ROWS = 1_000
"""Rows of a table that are parsed at a time, which takes 4 MB."""
_PLACE = re.compile(r"at row (\d+), column (\d+)")
_MAX_SHOWN_CHARS = 80
_Row = tuple[int, str]


class LabelledFiles:
    """Images by class, gathered file by file, together at most ``limit_bytes``.

    A file or folder that is named ``test`` has the test images.
    """

    def __init__(self, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._n_bytes = 0
        self._images: dict[bool, list[Images]] = {False: [], True: []}
        self._classes: dict[bool, list[str]] = {False: [], True: []}

    def add_picture(self, image: Images, path: str) -> None:
        """Add an image, (28, 28), whose class is the name of its folder; raise as `add_csv`."""
        folders = PurePosixPath(path.replace("\\", "/")).parts[:-1]
        if not folders or folders[-1].lower() in _TEST | _TRAINING:
            raise InvalidDataset(f"{shown(path)}: its folder must be named after its class, as in 3/{shown(path)}.")
        self._add(image[np.newaxis], [folders[-1]], is_test=any(folder.lower() in _TEST for folder in folders))

    def add_csv(self, content: bytes, path: str) -> None:
        """Add a table: a label and 784 pixels a line, 0 the background to 255. It may be gzipped and have a heading.

        A heading names the column of the label: ``label``, ``class`` or ``target``; else that is the first one. Raises
        `InvalidDataset`, naming the file and the line, or `InputTooLarge`.
        """
        if content.startswith(GZIP_MAGIC):
            content = gunzip(content, limit_bytes=self._limit_bytes)
        words = {word for part in PurePosixPath(path).parts for word in re.split("[^a-z]+", part.lower())}
        lines = enumerate(TextIOWrapper(BytesIO(content), "utf-8-sig", errors="replace"), 1)
        rows: Iterator[_Row] = ((number, line.strip()) for number, line in lines if not line.isspace())
        first = next(rows, None)
        if first is None:
            raise InvalidDataset(f"{shown(path)} is empty.")
        heading = [word.strip(' "').lower() for word in first[1].split(",")]
        is_heading = sum(word.isdecimal() for word in heading) < len(heading) / 2
        column = next((place for place, word in enumerate(heading) if word in _LABEL), 0) if is_heading else 0
        block = [] if is_heading else [first]
        while block := [*block, *islice(rows, _N_ROWS - len(block))]:
            table = _parsed(block, path)
            labels = table[:, column]
            for place in np.flatnonzero(labels >= MAX_CLASSES)[:1].tolist():
                message = f"{shown(path)}, line {block[place][0]:,}: there is no label from 0 to {MAX_CLASSES - 1}."
                raise InvalidDataset(message, field="file")
            images = np.delete(table, column, axis=1).reshape(-1, *DIGITS.image_shape)
            self._add(images, labels.astype(str).tolist(), is_test=bool(words & _TEST))
            block = []

    def upload(self, class_names: Sequence[str] | None) -> Upload:
        """Return them as a data set; without test images of their own, one in six of each class is for testing.

        Classes that are named by digits keep them as their labels: if there is every one from 0, they are all that
        there is, else the data set has all ten digits. Others are numbered in alphabetical order, and so named. Raises
        `InvalidDataset` for too few or many classes, or one with test images only; `InvalidField` if names do not fit.
        """
        found = sorted({*self._classes[False], *self._classes[True]})
        if class_names is None and not 2 <= len(found) <= MAX_CLASSES:
            raise InvalidDataset(f"There are {len(found):,} classes; there can be 2 to {MAX_CLASSES}.", field="file")
        are_digits = all(name.isdecimal() and int(name) < MAX_CLASSES for name in found)
        names = list(map(str, range(MAX_CLASSES))) if are_digits else list(class_names or found)
        if missing := [name for name in found if name not in names]:
            raise InvalidDataset(f"{shown(missing[0])} is none of the class names.", field="class_names")
        training, test = (
            (
                np.concatenate([_NONE, *self._images.pop(part)]),
                np.array(list(map(names.index, self._classes[part])), np.uint8),
            )
            for part in (False, True)
        )
        arrays = *training, *test
        if not len(test[1]):
            arrays = with_tests(*training, [hashlib.sha256(image).digest() for image in training[0]])
        if not all(map(len, arrays)):
            raise InvalidDataset("Training and test images are needed, so two of a class at least.", field="file")
        if are_digits and class_names is None and found != names[: len(found)]:
            return upload_of(arrays)
        given = class_names if are_digits else names
        return checked_upload(arrays, given, labels_of=dict.fromkeys(("training", "test"), "file"))

    def _add(self, images: Images, classes: Sequence[str], *, is_test: bool) -> None:
        self._n_bytes += images.nbytes
        if self._n_bytes > self._limit_bytes:
            allowed = f"at most {self._limit_bytes // DIGITS.n_pixels:,} images"
            raise InputTooLarge("The data set is too large.", allowed=allowed, field="file")
        self._images[is_test].append(images)
        self._classes[is_test] += classes


_NONE: Images = np.empty((0, *DIGITS.image_shape), np.uint8)


def shown(path: str) -> str:
    """Return the end of a path as it can be shown, whoever named it."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in path)
    return plain if len(plain) <= _MAX_SHOWN_CHARS else f"…{plain[1 - _MAX_SHOWN_CHARS :]}"


def _parsed(block: Sequence[_Row], path: str) -> Images:
    n_columns = DIGITS.n_pixels + 1
    for number, line in block:
        if line.count(",") + 1 != n_columns:
            message = f"{shown(path)}, line {number:,} has {line.count(',') + 1:,} columns, not a label and 784 pixels."
            raise InvalidDataset(message, field="file", allowed=f"{n_columns} columns")
    try:
        table: Images = np.loadtxt([line for _, line in block], np.uint8, delimiter=",", quotechar='"', ndmin=2)
    except (ValueError, OverflowError) as error:
        row, column = map(int, found.groups()) if (found := _PLACE.search(str(error))) else (0, 0)
        place = f"line {block[row][0]:,}" + (f", column {column:,}" if column else "")
        message = f"{shown(path)}, {place}: there is no whole number from 0 to 255."
        raise InvalidDataset(message, field="file") from None
    return table
