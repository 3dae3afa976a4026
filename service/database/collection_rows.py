"""Rows of ``collections`` and ``collection_images``."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from service.errors import DatasetNotFound

from .request_rows import Rows
from .tables import collection_images, collections


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRow:
    """A collection; its id is its name, and ``n_versions`` is how often it was frozen."""

    number: int
    id: str
    n_versions: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedImageRow:
    """A labelled image without its pixels.

    The media type is that of its original, and the number is that of its strokes: None where they are not kept.
    """

    number: int
    id: str
    collection_id: str
    label: int
    media_type: str | None
    n_strokes: int | None
    created_at: datetime


_NO_COLLECTION, _NO_IMAGE = "There is no collection of this name.", "There is no image of this id in the collection."
COLLECTIONS = Rows(collections, CollectionRow, DatasetNotFound, _NO_COLLECTION, [collections.c.id])
COLLECTED_IMAGES = Rows(collection_images, CollectedImageRow, DatasetNotFound, _NO_IMAGE)


def count(connection: Connection, name: str) -> int:
    """Return how many images a collection has, by the index alone."""
    query = select(func.count()).where(collection_images.c.collection_id == name)
    return connection.execute(query).scalar_one()


def count_by_label(connection: Connection, name: str) -> dict[int, int]:
    """Return how many images of each label a collection has."""
    images = collection_images.c
    query = select(images.label, func.count()).where(images.collection_id == name)
    return dict(connection.execute(query.group_by(images.label).order_by(images.label)).all())


def next_version(connection: Connection, name: str) -> int:
    """Count one more version of a collection and return its number."""
    query = update(collections).where(collections.c.id == name).values(n_versions=collections.c.n_versions + 1)
    version: int = connection.execute(query.returning(collections.c.n_versions)).scalar_one()
    return version


def file_of(connection: Connection, image_id: str, column: str) -> bytes | None:
    """Return the ``pixels``, the ``original`` or the ``strokes`` of an image."""
    query = select(collection_images.c[column]).where(collection_images.c.id == image_id)
    return connection.execute(query).scalar_one_or_none()


def labelled_pixels(connection: Connection, name: str, label: int | None = None) -> list[tuple[str, int, bytes]]:
    """Return id, label and pixels of all images of a collection, or of a label, in the order of their ids."""
    images = collection_images.c
    query = select(images.id, images.label, images.pixels).where(images.collection_id == name).order_by(images.id)
    rows = connection.execute(query if label is None else query.where(images.label == label))
    return [(row.id, row.label, row.pixels) for row in rows]
