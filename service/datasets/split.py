"""From a data set and a configuration to the arrays for training.

The rules, in one place:

- Training images are the first ``train_size`` of the training part, and of these only the images of
  ``classes``. Selecting comes first, filtering second, and the order is kept.
- ``validation="test"``: the first ``validation_size`` test images, filtered the same way.
- ``validation="holdout"``: the *last* ``validation_size`` images of the training part, filtered the same
  way. The test part is not touched, and the two selections must not overlap.
- ``y`` is the index of an image's label in ``classes``: 0 for the class that is named first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.core import Floats, Ints, Part, TrainingConfig, TrainingData, design_matrix
from service.errors import InvalidField

from .dataset import Dataset, LabelledImages
from .idx import MAX_CLASSES, Images

_N_UNSEEN = 10_000
_N_BYTES = 256
"""Labels are bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The images of some classes within a window of one part of a data set; which they are is known by labels alone.

    Parameters
    ----------
    window : the first ``train_size`` images, or those to validate on, of whatever class.
    places : (n,) int64, where those of ``classes`` are in ``part``.
    """

    part: LabelledImages
    window: slice
    classes: tuple[int, ...]
    places: Ints

    @classmethod
    def of(cls, part: LabelledImages, window: slice, classes: tuple[int, ...]) -> Selection:
        """Find the images of some classes."""
        return cls(part, window, classes, window.start + np.flatnonzero(np.isin(part.labels[window], classes)))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, which: slice | NDArray[np.int64]) -> Selection:
        """Return some of them, such as a batch."""
        return replace(self, places=self.places[which])

    @property
    def images(self) -> Images:
        """The images as bytes, (n, 28, 28); raise `Corrupted` or `StorageFailed` if they cannot be read."""
        return self.part.images[self.places]

    @property
    def columns(self) -> Ints:
        """The index of each label in ``classes``, (n,)."""
        column_of = np.zeros(_N_BYTES, np.int64)
        column_of[list(self.classes)] = np.arange(len(self.classes))
        return column_of[self.part.labels[self.places]]

    def arrays(self, config: TrainingConfig) -> tuple[Floats, Ints]:
        """Return the images scaled as `design_matrix` does, in the dtype of the run, and their columns."""
        return design_matrix(self.images, config.dtype, config.build_model().scaling), self.columns


def with_its_classes(config: TrainingConfig, dataset: Dataset) -> TrainingConfig:
    """Return the configuration with the classes of the data set, if it has all ten, as by default.

    A run that starts from a model has the classes of that.
    """
    if config.start_from is None and config.classes == tuple(range(MAX_CLASSES)) and len(dataset.classes) < MAX_CLASSES:
        return replace(config, classes=dataset.classes)
    return config


def select(dataset: Dataset, config: TrainingConfig) -> tuple[Selection, Selection]:
    """Find the training and the validation images of a configuration, by the labels alone.

    Raises `InvalidField`, naming what does not fit and what it may be: ``classes`` (not in the data set),
    ``validation_size`` (more images than there are, or none of the classes among them), ``train_size`` (more than there
    are, or a class is missing), ``batch_size`` (more than the selected training images).
    """
    if not set(config.classes) <= set(dataset.classes):
        allowed = ", ".join(map(str, dataset.classes))
        raise InvalidField("One of the classes is not in the data set.", field="classes", allowed=allowed)
    held_out = config.validation == "holdout"
    part = dataset.training if held_out else dataset.test
    _check_size("validation_size", config.validation_size, len(part) - held_out, "images to validate on")
    available = len(dataset.training) - (config.validation_size if held_out else 0)
    train_size = available if config.train_size is None else config.train_size
    _check_size("train_size", train_size, available, "images to train on")

    training = Selection.of(dataset.training, slice(0, train_size), config.classes)
    missing = np.setdiff1d(config.classes, training.part.labels[training.places])
    if len(missing):
        raise InvalidField(
            f"The first {train_size:,} training images contain no {' and no '.join(map(str, missing))}.",
            field="train_size",
            allowed=f"large enough to contain every class at least once, at most {available:,}",
        )
    if config.batch_size > len(training):
        raise InvalidField(
            f"A batch must not be larger than the {len(training):,} training images that are selected.",
            field="batch_size",
            allowed=_up_to(len(training)),
        )
    start = len(part) - config.validation_size if held_out else 0
    validation = Selection.of(part, slice(start, start + config.validation_size), config.classes)
    if len(validation) == 0:
        raise InvalidField(
            "The validation images contain none of the classes.",
            field="validation_size",
            allowed=f"large enough to contain a class at least once, at most {len(part) - held_out:,}",
        )
    return training, validation


def split(dataset: Dataset, config: TrainingConfig) -> TrainingData:
    """Read and scale the images that `select` finds; raise as that, or as `Selection.images`."""
    (x_train, y_train), (x_validation, y_validation) = (part.arrays(config) for part in select(dataset, config))
    return TrainingData(x_train=x_train, y_train=y_train, x_validation=x_validation, y_validation=y_validation)


def select_unseen(dataset: Dataset, config: TrainingConfig) -> tuple[Selection, Part]:
    """Return images that a run is not trained on, to measure it after it, and the name of their part.

    They are the last 10,000 of the training part that are neither trained on nor validated on, if so many are left;
    else, or if it starts from a model, which may have been trained on those, the validation images.
    """
    training, validation = select(dataset, config)
    stop = validation.window.start if validation.part is dataset.training else len(dataset.training)
    if config.start_from is None and stop - training.window.stop >= _N_UNSEEN:
        validation = Selection.of(dataset.training, slice(stop - _N_UNSEEN, stop), config.classes)
    return validation, "training" if validation.part is dataset.training else "test"


def _check_size(field: str, size: int, available: int, what: str) -> None:
    if size > available:
        raise InvalidField(f"There are only {available:,} {what}.", field=field, allowed=_up_to(available))


def _up_to(limit: int) -> str:
    return f"a whole number from 1 to {limit:,}"
