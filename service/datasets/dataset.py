"""What a data set is: labelled images in two parts, and where they came from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from service.core import IMAGE_SIDE_PX
from service.errors import InvalidDataset

from .idx import Images, Labels


class LabelledImages:
    """Labels at hand, images read when first asked for and kept from then on.

    Checking a configuration, or describing a data set, needs the labels alone: a process that
    never trains never pays for the images (47 MB for the training part of MNIST).

    Parameters
    ----------
    labels : uint8, ``(n_images,)``.
    read_images : returns the images of these labels, uint8, ``(n_images, 28, 28)``; called at most
        once at a time, and not again after it has succeeded.
    """

    def __init__(self, labels: Labels, read_images: Callable[[], Images]):
        self.labels = _read_only(labels)
        self._read_images = read_images
        self._images: Images | None = None
        self._reading = Lock()

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"LabelledImages({len(self):,} images)"

    @property
    def images(self) -> Images:
        """uint8, ``(n_images, 28, 28)``, read-only.

        Raises
        ------
        InvalidDataset : there are not as many images as labels.
        Corrupted, StorageFailed : as the reader says.
        """
        with self._reading:
            if self._images is None:
                images = _read_only(self._read_images())
                if len(images) != len(self):
                    raise InvalidDataset(f"There are {len(images):,} images but {len(self):,} labels.")
                self._images = images
            return self._images

    def count_by_class(self) -> dict[int, int]:
        """Return the number of images of each class that occurs, in order of class."""
        classes, counts = np.unique(self.labels, return_counts=True)
        return dict(zip(classes.tolist(), counts.tolist(), strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return how many images there are, as the API shows it."""
        by_class = {str(label): count for label, count in self.count_by_class().items()}
        return {"n_images": len(self), "n_by_class": by_class}


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Dataset:
    """Two parts of labelled images under one name.

    Parameters
    ----------
    name : what a configuration calls it (``mnist``).
    title, source, licence : one sentence each, for people.
    class_names : what to call the images of label 0, 1, ...; one for every label that occurs.
    sha256 : one checksum of all the data, lower-case hexadecimal; equal data, equal checksum.
    """

    name: str
    title: str
    source: str
    licence: str
    class_names: tuple[str, ...]
    training: LabelledImages
    test: LabelledImages
    sha256: str

    @property
    def classes(self) -> tuple[int, ...]:
        """Every label that may occur, in order."""
        return tuple(range(len(self.class_names)))

    def names_of(self, classes: Sequence[int]) -> tuple[str, ...]:
        """Return what to call some classes."""
        return tuple(self.class_names[label] for label in classes)

    def to_dict(self) -> dict[str, Any]:
        """Return the description that the API shows."""
        return {
            "name": self.name,
            "title": self.title,
            "source": self.source,
            "licence": self.licence,
            "classes": list(self.classes),
            "class_names": list(self.class_names),
            "image_shape": [IMAGE_SIDE_PX, IMAGE_SIDE_PX],
            "sha256": self.sha256,
            "training": self.training.to_dict(),
            "test": self.test.to_dict(),
        }


def _read_only(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Images:
    view = array.view()
    view.flags.writeable = False
    return view
