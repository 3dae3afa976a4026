"""Data sets: what they are, and what is in them."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Literal, Unpack

import httpx

from .call import Call, delete, get, given, json_of, patch, post, read_picture, read_record, read_table
from .display import Picture, Record, Table
from .methods import request
from .nouns import Annotation, Search

Part = Literal["training", "test"]
File = str | Path | bytes | tuple[str, bytes]
"""The path of a file, its bytes, or its name and its bytes."""
_TIMEOUT = httpx.Timeout(600.0, connect=5.0)
"""Ten thousand pictures are preprocessed in minutes."""


class Datasets:
    """What a client does about data sets."""

    @request
    def datasets(self, **search: Unpack[Search]) -> Call[Table[Record]]:
        """Describe data sets in the order of their names, at most 200; parameters as those of `jobs`."""
        return get(read_table("datasets"), "datasets", **search)

    @request
    def dataset(self, name: str) -> Call[Record]:
        """Describe a data set: classes, images of each, checksum, source, licence."""
        return get(read_record, "datasets", name)

    @request
    def add_dataset(
        self,
        name: str,
        file: File | None = None,
        *,
        train_images: File | None = None,
        train_labels: File | None = None,
        test_images: File | None = None,
        test_labels: File | None = None,
        class_names: Sequence[str] | None = None,
        title: str | None = None,
        source: str | None = None,
        licence: str | None = None,
    ) -> Call[Record]:
        """Add a data set. It never changes; adding the same again is harmless.

        Parameters
        ----------
        file : an ``.npz`` file; a folder or zip archive of pictures, in a folder for each class; or CSV, a label and
            784 pixels a line, gzipped or not. What is named ``test`` has the test images, else they are one in six.
        train_images, train_labels, test_images, test_labels : instead of it, IDX files.
        """
        parts = given(
            file=file,
            train_images=train_images,
            train_labels=train_labels,
            test_images=test_images,
            test_labels=test_labels,
        )
        files = {part: _part_of(part, content) for part, content in parts.items()}
        names = None if class_names is None else json_of(list(class_names))
        words = given(name=name, class_names=names, title=title, source=source, licence=licence)
        return post("datasets", data=words, files=files, timeout=_TIMEOUT, repeatable=True)

    @request
    def annotate_dataset(self, name: str, **changes: Unpack[Annotation]) -> Call[Record]:
        """Change the title of a data set, its tags as a whole, or its notes; what is not given stays."""
        return patch("datasets", name, **changes)

    @request
    def delete_dataset(self, name: str) -> Call[None]:
        """Delete a data set; `InUse` if an unfinished job needs it. Its name may be used again."""
        return delete("datasets", name)

    @request
    def images(
        self,
        dataset: str = "mnist",
        *,
        part: Part = "training",
        label: int | None = None,
        limit: int | None = None,
        after: int | None = None,
    ) -> Call[Table[Record]]:
        """Return numbers and labels of images, at most 100 by default; ``after`` is the ``next`` of a page."""
        params = {"part": part, "label": label, "limit": limit, "after": after}
        return get(read_table("images"), "datasets", dataset, "images", **params)

    @request
    def image(
        self, index: int, *, dataset: str = "mnist", part: Part = "test", upscale: int | None = None
    ) -> Call[Picture]:
        """Return an image of a data set."""
        return get(read_picture, "datasets", dataset, "images", f"{index}.png", part=part, upscale=upscale)

    @request
    def contact_sheet(
        self,
        dataset: str = "mnist",
        *,
        part: Part = "training",
        per_class: int | None = None,
        augmentation: Literal["none", "soft", "strong"] | None = None,
        seed: int | None = None,
        upscale: int | None = None,
    ) -> Call[Picture]:
        """Draw the first images of each class, a row for each, as they are or distorted as in training."""
        params = {"part": part, "per_class": per_class, "augmentation": augmentation, "seed": seed, "upscale": upscale}
        return get(read_picture, "datasets", dataset, "contact-sheet.png", **params)


def _part_of(part: str, file: File) -> tuple[str, bytes]:
    """Return a file of a form: its name, which says what is in it, and its content."""
    if isinstance(file, bytes):
        return part, file
    return file if isinstance(file, tuple) else packed(Path(file))


def packed(path: Path) -> tuple[str, bytes]:
    """Return the name and the content in which a file is sent: a folder as a zip archive, CSV gzipped."""
    if path.is_dir():
        content = BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for each in sorted(path.rglob("*")):
                name = each.relative_to(path)
                if each.is_file() and not any(part.startswith(".") for part in name.parts):
                    archive.write(each, _unicode(name))
        return f"{_unicode(path.resolve().name)}.zip", content.getvalue()
    if path.suffix.lower() == ".csv":
        return f"{_unicode(path.name)}.gz", gzip.compress(path.read_bytes(), compresslevel=1)
    return _unicode(path.name), path.read_bytes()


def _unicode(name: Path | str) -> str:
    """Return the name of a file, which on disk may be any bytes, so that it can be sent."""
    return str(name).encode("utf-8", "backslashreplace").decode()
