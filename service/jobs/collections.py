"""Collections: labelled images that grow one by one, and are frozen into data sets to train on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection
from ulid import ULID

from service.answers import Doc
from service.core import DIGITS
from service.database import (
    COLLECTED_IMAGES,
    COLLECTIONS,
    EVERYTHING,
    AdvisoryLock,
    Annotation,
    CollectedImageRow,
    CollectionRow,
    Database,
    Search,
    annotation_rows,
    collection_rows,
    parse_cursor,
    submitter,
)
from service.datasets import About, Dataset, Datasets, Upload, upload_of, with_tests
from service.errors import DatasetNotFound, InvalidField, NameTaken, NoDataYet, StorageFull

MAX_IMAGES, MAX_COLLECTIONS = 10_000, 100
MAX_ORIGINAL_BYTES = 262_144
ORIGINAL_TYPES = ("image/png", "image/jpeg", "image/webp", "application/octet-stream")
NAME_PATTERN = "^[a-z][a-z0-9-]{0,31}$"
NAME_RULE = "1 to 32 of a-z, 0-9 and '-', beginning with a letter"
_BATCH = 1_000
"""Images that are predicted at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection(Annotation):
    """A collection."""

    name: str
    n_images: int
    n_by_label: dict[str, int]
    version: Annotated[int | None, Doc("The newest; its data set is `{name}-v{version}`.")]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedImage:
    """A labelled image."""

    id: str
    label: int
    has_original: Annotated[bool, Doc("Whether the file that was sent is kept: up to 256 KiB it is.")]
    n_strokes: Annotated[int | None, Doc("Of a drawing that came with its strokes; else null.")]
    created_at: datetime

    @classmethod
    def of(cls, row: CollectedImageRow) -> CollectedImage:
        """Build from a row."""
        shown = {name: getattr(row, name) for name in ("id", "label", "n_strokes", "created_at")}
        return cls(**shown, has_original=row.media_type is not None)


class Collections:
    """The collections of a service. What does not exist raises `DatasetNotFound`."""

    def __init__(self, database: Database, datasets: Datasets) -> None:
        self._database = database
        self._datasets = datasets

    def create(self, name: str) -> Collection:
        """Make an empty collection; raise `InvalidField` or `NameTaken` for its name, `StorageFull` after 100."""
        if not re.fullmatch(NAME_PATTERN, name):
            raise InvalidField("A collection cannot have this name.", field="name", allowed=NAME_RULE)
        with self._database.write() as connection:
            AdvisoryLock.SUBMISSION.acquire(connection)
            if COLLECTIONS.find(connection, name):
                raise NameTaken("There is another collection of this name.", field="name")
            if len(COLLECTIONS.all(connection)) == MAX_COLLECTIONS:
                raise StorageFull("No more collections are kept.", allowed=f"{MAX_COLLECTIONS} collections")
            COLLECTIONS.insert(connection, id=name)
            return _collections(connection, [_row(connection, name)])[0]

    def page(
        self, *, search: Search = EVERYTHING, limit: int = MAX_COLLECTIONS, before: str | None = None
    ) -> tuple[list[Collection], str | None]:
        """Return the newest collections first and, if there are more, the cursor of the next page."""
        with self._database.read() as connection:
            shown, following = COLLECTIONS.page(connection, search=search, limit=limit, before=before)
            return _collections(connection, shown), following

    def get(self, name: str) -> Collection:
        """Return a collection."""
        with self._database.read() as connection:
            return _collections(connection, [_row(connection, name)])[0]

    def delete(self, name: str) -> None:
        """Delete a collection with its images; data sets that it was frozen into stay."""
        with self._database.write() as connection:
            _lock(connection, name)
            COLLECTIONS.delete(connection, name)
            annotation_rows.delete(connection, "collections", [name])

    def add(
        self,
        name: str,
        label: int,
        pixels: NDArray[np.uint8],
        *,
        original: tuple[bytes, str | None] | None = None,
        strokes: Sequence[Mapping[str, Any]] | None = None,
    ) -> CollectedImage:
        """Add an image, (28, 28).

        The ``original`` is the file that it is from, with its media type, kept if it is not too large; ``strokes`` are
        those of a drawing. Raises `DatasetNotFound`, or `StorageFull` after 10,000 images.
        """
        content, media_type = original or (None, None)
        media_type = (media_type or "").partition(";")[0].strip().lower()
        if content is None or len(content) > MAX_ORIGINAL_BYTES:
            content = media_type = None
        elif media_type not in ORIGINAL_TYPES:
            media_type = ORIGINAL_TYPES[-1]
        who, image_id = submitter.get(), str(ULID())
        with self._database.write() as connection:
            AdvisoryLock.SUBMISSION.acquire(connection)
            _lock(connection, name)
            if collection_rows.count(connection, name) >= MAX_IMAGES:
                raise StorageFull("The collection is full.", allowed=f"at most {MAX_IMAGES:,} images")
            COLLECTED_IMAGES.insert(
                connection,
                id=image_id,
                collection_id=name,
                label=label,
                pixels=pixels.tobytes(),
                original=content,
                media_type=media_type,
                strokes=None if strokes is None else json.dumps(strokes, separators=(",", ":")).encode(),
                n_strokes=None if strokes is None else len(strokes),
                key_id=who.key_id if who else None,
            )
            return CollectedImage.of(_image(connection, name, image_id))

    def images(
        self, name: str, *, limit: int, before: str | None = None, label: int | None = None
    ) -> tuple[list[CollectedImage], str | None]:
        """Return the newest images first, of a label if one is given, and the cursor of the next page."""
        with self._database.read() as connection:
            of: dict[str, Any] = {"collection_id": _row(connection, name).id, "label": label}
            shown, following = COLLECTED_IMAGES.page(connection, limit=limit, before=before, **of)
        return list(map(CollectedImage.of, shown)), following

    def readings(
        self,
        name: str,
        predict: Callable[[NDArray[np.uint8]], Sequence[Mapping[str, Any]]],
        *,
        limit: int,
        before: str | None = None,
        label: int | None = None,
        misread: bool | None = None,
    ) -> dict[str, Any]:
        """Return what a model reads in the images, the newest first.

        Parameters
        ----------
        predict : (n, 28, 28) to predictions as the API has them; called with at most 1,000 images at a time.
        label, misread : only images of this digit; only those that are read as another digit, or only the others.

        Returns
        -------
        ``n_images`` and ``n_misread`` of the label, the ``images`` of a page, and ``next``, the cursor of the next one.
        """
        number = parse_cursor(before)
        with self._database.read() as connection:
            _row(connection, name)
            rows = COLLECTED_IMAGES.all(connection, collection_id=name, label=label)[::-1]
            found_pixels = collection_rows.labelled_pixels(connection, name, label)
            pixels = {row_id: content for row_id, _, content in found_pixels}
        found: list[tuple[CollectedImageRow, dict[str, Any]]] = []
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            images = np.frombuffer(b"".join(pixels[row.id] for row in batch), np.uint8)
            read = predict(images.reshape(-1, *DIGITS.image_shape))
            found += ((row, _reading(row, each)) for row, each in zip(batch, read, strict=True))
        shown = [
            (row, reading)
            for row, reading in found
            if misread in (None, reading["is_misread"]) and (number is None or row.number < number)
        ]
        return {
            "n_images": len(found),
            "n_misread": sum(reading["is_misread"] for _, reading in found),
            "images": [{**asdict(CollectedImage.of(row)), **reading} for row, reading in shown[:limit]],
            "next": str(shown[limit - 1][0].number) if len(shown) > limit else None,
        }

    def pixels(self, name: str, image_id: str) -> tuple[NDArray[np.uint8], int]:
        """Return an image as models get it, (28, 28), and its label."""
        row, content = self._file(name, image_id, "pixels")
        return np.frombuffer(content or b"", np.uint8).reshape(DIGITS.image_shape), row.label

    def original(self, name: str, image_id: str) -> tuple[bytes, str]:
        """Return the file that an image is from, and its media type; raise `NoDataYet` if it is not kept."""
        row, content = self._file(name, image_id, "original")
        if content is None or row.media_type is None:
            raise NoDataYet("The original of this image is not kept.")
        return content, row.media_type

    def strokes(self, name: str, image_id: str) -> list[Any]:
        """Return the strokes that a drawing came with; raise `NoDataYet` if there are none."""
        _, content = self._file(name, image_id, "strokes")
        if content is None:
            raise NoDataYet("This image came without strokes.")
        found: list[Any] = json.loads(content)
        return found

    def _file(self, name: str, image_id: str, column: str) -> tuple[CollectedImageRow, bytes | None]:
        with self._database.read() as connection:
            return _image(connection, name, image_id), collection_rows.file_of(connection, image_id, column)

    def relabel(self, name: str, image_id: str, label: int) -> CollectedImage:
        """Change the label of an image; versions that were made before keep the old one."""
        with self._database.write() as connection:
            COLLECTED_IMAGES.update(connection, _image(connection, name, image_id).number, label=label)
            return CollectedImage.of(_image(connection, name, image_id))

    def remove(self, name: str, image_id: str) -> None:
        """Delete an image; versions that were made before keep it."""
        with self._database.write() as connection:
            COLLECTED_IMAGES.delete(connection, _image(connection, name, image_id).id)

    def freeze(self, name: str) -> Dataset:
        """Return the collection as it is now as a data set, ``<name>-v<number>``: the newest one if nothing changed.

        One image in six of each class is in the test part, and at least one where there are two; which, is decided by
        hashes of their ids. Where every class has one image only, both parts have all. Raises `NoDataYet` if it has no
        images, or as `Datasets.add`.
        """
        with self._database.read() as connection:
            newest = _row(connection, name).n_versions
            images = collection_rows.labelled_pixels(connection, name)
        if not images:
            raise NoDataYet("The collection has no images yet.")
        upload = _upload(images)
        with suppress(DatasetNotFound):
            if newest and (kept := self._datasets.get(version_name(name, newest))).sha256 == upload.sha256:
                return kept
        while True:
            with self._database.write() as connection:
                _lock(connection, name)
                version = collection_rows.next_version(connection, name)
            about = About(title=f"{name}, version {version}", source=f"The collection {name}", licence="")
            with suppress(NameTaken):  # somebody else's data set has this name: the number is passed over
                return self._datasets.add(version_name(name, version), upload, about)

    def training_set(self, dataset: str | Sequence[Mapping[str, Any]]) -> str:
        """Return the name of the data set that a request names, or of the mixture of those that it lists.

        Of each it lists ``name``, ``weight`` and, of a collection, ``version``; without one it is frozen now, unless a
        data set has its name. Raises `InvalidField` if there is none, or they cannot be trained on together.
        """
        if isinstance(dataset, str):
            return dataset
        weights = [(self._frozen(each["name"], each.get("version")), each.get("weight", 1)) for each in dataset]
        return weights[0][0] if weights[0][1] == len(weights) == 1 else self._datasets.mixture(weights).name

    def _frozen(self, name: str, version: int | None) -> str:
        if version is not None:
            return version_name(name, version)
        if name in self._datasets.names():
            return name
        try:
            return self.freeze(name).name
        except DatasetNotFound:
            message = "There is no data set and no collection of this name."
            raise InvalidField(message, field="dataset", allowed=", ".join(self._datasets.names())) from None


def version_name(name: str, version: int) -> str:
    """Return the name of the data set that a version of a collection is."""
    return f"{name}-v{version}"


def _row(connection: Connection, name: str) -> CollectionRow:
    # PostgreSQL cannot compare the character 0, which no name has.
    return COLLECTIONS.get(connection, name if re.fullmatch(NAME_PATTERN, name) else "")


def _lock(connection: Connection, name: str) -> None:
    """Require a collection, which nobody can delete until the transaction ends."""
    COLLECTIONS.lock(connection, _row(connection, name).id)


def _collections(connection: Connection, rows: Sequence[CollectionRow]) -> list[Collection]:
    annotations = annotation_rows.get(connection, "collections", [row.id for row in rows])
    return [
        Collection(
            name=row.id,
            n_images=sum(n_by_label.values()),
            n_by_label={str(label): n for label, n in n_by_label.items()},
            version=row.n_versions or None,
            created_at=row.created_at,
            **annotations[row.id].texts(),
        )
        for row in rows
        for n_by_label in (collection_rows.count_by_label(connection, row.id),)
    ]


def _image(connection: Connection, name: str, image_id: str) -> CollectedImageRow:
    return COLLECTED_IMAGES.get(connection, image_id, collection_id=name)


def _reading(row: CollectedImageRow, prediction: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a prediction what is shown beside the label."""
    probability = max(prediction["probabilities"].values())
    kept = {name: prediction[name] for name in ("digit", "class_name", "verdict")}
    return {**kept, "probability": probability, "is_misread": prediction["digit"] != row.label}


def _upload(images: list[tuple[str, int, bytes]]) -> Upload:
    labels = np.array([label for _, label, _ in images], np.uint8)
    pixels = np.frombuffer(b"".join(content for *_, content in images), np.uint8).reshape(-1, *DIGITS.image_shape)
    arrays = with_tests(pixels, labels, [hashlib.sha256(image_id.encode()).digest() for image_id, *_ in images])
    return upload_of(arrays if len(arrays[3]) else (pixels, labels, pixels, labels))
