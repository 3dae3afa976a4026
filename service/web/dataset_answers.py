"""What is answered about data sets."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .answers import Answer


class DatasetPart(Answer):
    """The training or the test part of a data set."""

    n_images: int
    n_by_class: dict[str, int]


class Dataset(Answer):
    """A data set."""

    name: str
    title: str
    source: str
    licence: str
    classes: list[int]
    class_names: Annotated[list[str], Field(description="What to call each class.")]
    image_shape: list[int]
    sha256: str
    training: DatasetPart
    test: DatasetPart


class DatasetList(Answer):
    """All data sets."""

    datasets: list[Dataset]


class LabelledImage(Answer):
    """An image of a data set, by its number in its part."""

    index: int
    label: int


class ImageList(Answer):
    """Images in their order."""

    images: list[LabelledImage]
    next: Annotated[int | None, Field(description="Pass it as `after` for the next page; null on the last.")]
