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

from service.core import Floats, Part, TrainingConfig, TrainingData, design_matrix
from service.errors import InvalidField

from .dataset import Dataset, LabelledImages
from .idx import MAX_CLASSES, Images

_N_UNSEEN = 10_000
_N_BYTES = 256
"""Labels are bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPlan:
    """The number of images that a configuration selects, known before any image is read."""

    n_train: int
    n_validation: int


def with_its_classes(config: TrainingConfig, dataset: Dataset) -> TrainingConfig:
    """Return the configuration with the classes of the data set, if it has all ten, as by default.

    A run that starts from a model has the classes of that.
    """
    if config.start_from is None and config.classes == tuple(range(MAX_CLASSES)) and len(dataset.classes) < MAX_CLASSES:
        return replace(config, classes=dataset.classes)
    return config


def plan_split(dataset: Dataset, config: TrainingConfig) -> SplitPlan:
    """Check that a configuration fits a data set, by the labels alone.

    Raises `InvalidField`, naming what does not fit and what it may be: ``classes`` (not in the data set),
    ``validation_size`` (more images than there are, or none of the classes among them), ``train_size`` (more than there
    are, or a class is missing), ``batch_size`` (more than the selected training images).
    """
    training, validation = _select(dataset, config)
    return SplitPlan(n_train=len(training), n_validation=len(validation))


def split(dataset: Dataset, config: TrainingConfig) -> TrainingData:
    """Read, select, filter and scale the images that a configuration asks for, as `design_matrix` does, in its dtype.

    Raises as `plan_split`; `Corrupted` or `StorageFailed` if the images are damaged, or cannot be read.
    """
    training, validation = _select(dataset, config)
    scaling = config.build_model().scaling
    return TrainingData(
        x_train=design_matrix(training.images(), config.float_type, scaling),
        y_train=training.columns(),
        x_validation=design_matrix(validation.images(), config.float_type, scaling),
        y_validation=validation.columns(),
    )


def training_batch(
    dataset: Dataset, config: TrainingConfig, batch: slice | NDArray[np.int64], *, at_most: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Return the first images of a batch of `split`, (n, n_inputs), and their columns, without reading the others."""
    training, _ = _select(dataset, config)
    places = np.flatnonzero(training._of_class())[batch][:at_most]
    images = training.part.images[places]
    return design_matrix(images, config.float_type, config.build_model().scaling), training.columns()[batch][:at_most]


def training_images(dataset: Dataset, config: TrainingConfig) -> tuple[Images, NDArray[np.int64]]:
    """Return the training images of `split` as bytes, (n_train, 28, 28), and their columns; errors as there."""
    training, _ = _select(dataset, config)
    return training.images(), training.columns()


def validation_images(dataset: Dataset, config: TrainingConfig) -> tuple[Images, NDArray[np.int64]]:
    """Return the validation images of `split` as bytes, (n_validation, 28, 28), and their columns; errors as there."""
    _, validation = _select(dataset, config)
    return validation.images(), validation.columns()


def unseen_images(dataset: Dataset, config: TrainingConfig) -> tuple[Images, NDArray[np.int64], Part]:
    """Return images that a run is not trained on, as `validation_images`, and their part: to measure it after it.

    They are the last 10,000 of the training part that are neither trained on nor validated on, if so many are left;
    else, or if it starts from a model, which may have been trained on those, the validation images.
    """
    training, validation = _select(dataset, config)
    stop = validation.window.start if validation.part is dataset.training else len(dataset.training)
    if config.start_from is None and stop - training.window.stop >= _N_UNSEEN:
        validation = _Selection.of(dataset.training, slice(stop - _N_UNSEEN, stop), config.classes)
    part: Part = "training" if validation.part is dataset.training else "test"
    return validation.images(), validation.columns(), part


@dataclass(frozen=True, slots=True, eq=False)
class _Selection:
    """Some images of one part: those of ``classes`` within ``window``, ``n_by_class`` of each."""

    part: LabelledImages
    window: slice
    classes: tuple[int, ...]
    n_by_class: NDArray[np.int64]

    @classmethod
    def of(cls, part: LabelledImages, window: slice, classes: tuple[int, ...]) -> _Selection:
        return cls(part, window, classes, np.bincount(part.labels[window], minlength=_N_BYTES)[list(classes)])

    def __len__(self) -> int:
        return int(self.n_by_class.sum())

    def images(self) -> Images:
        return self.part.images[self.window][self._of_class()]

    def columns(self) -> NDArray[np.int64]:
        """Return the index of each label in ``classes``."""
        column_of = np.zeros(_N_BYTES, np.int64)
        column_of[list(self.classes)] = np.arange(len(self.classes))
        return column_of[self.part.labels[self.window][self._of_class()]]

    def _of_class(self) -> NDArray[np.bool_]:
        return np.isin(self.part.labels[self.window], self.classes)


def _select(dataset: Dataset, config: TrainingConfig) -> tuple[_Selection, _Selection]:
    """Find the training and the validation images, and raise for what does not fit."""
    if not set(config.classes) <= set(dataset.classes):
        allowed = ", ".join(map(str, dataset.classes))
        raise InvalidField("One of the classes is not in the data set.", field="classes", allowed=allowed)
    held_out = config.validation == "holdout"
    part = dataset.training if held_out else dataset.test
    _check_size("validation_size", config.validation_size, len(part) - held_out, "images to validate on")
    available = len(dataset.training) - (config.validation_size if held_out else 0)
    train_size = available if config.train_size is None else config.train_size
    _check_size("train_size", train_size, available, "images to train on")

    training = _Selection.of(dataset.training, slice(0, train_size), config.classes)
    missing = sorted(label for label, n in zip(config.classes, training.n_by_class, strict=True) if n == 0)
    if missing:
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
    validation = _Selection.of(part, slice(start, start + config.validation_size), config.classes)
    if len(validation) == 0:
        raise InvalidField(
            "The validation images contain none of the classes.",
            field="validation_size",
            allowed=f"large enough to contain a class at least once, at most {len(part) - held_out:,}",
        )
    return training, validation


def _check_size(field: str, size: int, available: int, what: str) -> None:
    if size > available:
        raise InvalidField(f"There are only {available:,} {what}.", field=field, allowed=_up_to(available))


def _up_to(limit: int) -> str:
    return f"a whole number from 1 to {limit:,}"
