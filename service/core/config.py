"""What a run is asked to do: a frozen set of hyperparameters, checked against their table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from service.errors import InvalidField

from .hyperparameters import BY_NAME, HYPERPARAMETERS
from .models import output_names

ALL_DIGITS = tuple(range(10))
REPORT_PAIR = (2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """The hyperparameters of one run; `HYPERPARAMETERS` states what each means and may be.

    Raises
    ------
    InvalidField
        At construction, naming the field and its allowed range.
    """

    model: Literal["softmax", "logistic"] = "softmax"
    classes: tuple[int, ...] = ()
    learning_rate: float = 0.01
    batch_size: int = 128
    epochs: int = 50
    shuffle: bool = True
    seed: int = 0
    l2_penalty: float = 0.0
    l2_convention: Literal["squared", "half_squared", "squared_without_bias"] = "squared"
    patience: int | None = 10
    checks_per_epoch: int = 5
    drop_last: bool = True
    train_size: int | None = 20_000
    validation: Literal["test", "holdout"] = "test"
    validation_size: int = 10_000
    dtype: Literal["float32", "float64"] = "float32"
    publish: Literal["best", "last"] = "best"

    def __post_init__(self) -> None:
        """Check every field against the table and fill in the classes that were not named."""
        for row in HYPERPARAMETERS:
            value = getattr(self, row.name)
            if row.name == "classes" and (value is None or value == ()):
                value = ALL_DIGITS if self.model == "softmax" else REPORT_PAIR
            object.__setattr__(self, row.name, row.check(value))
        if self.model == "logistic" and len(self.classes) != 2:
            raise BY_NAME["classes"].refused()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """Build a configuration from plain data, refusing names that are not in the table."""
        for name in values:
            if name not in BY_NAME:
                raise InvalidField("There is no hyperparameter of that name.", field=name, allowed=", ".join(BY_NAME))
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON; `from_dict` reads it back."""
        values = {row.name: getattr(self, row.name) for row in HYPERPARAMETERS}
        return {**values, "classes": list(self.classes)}

    @property
    def n_outputs(self) -> int:
        """Columns of the weights: one for logistic, one a class for softmax."""
        return 1 if self.model == "logistic" else len(self.classes)

    @property
    def output_names(self) -> list[str]:
        """What to call each output, where the classes are called by their labels."""
        return output_names(self.model, [str(label) for label in self.classes])

    @property
    def float_type(self) -> npt.DTypeLike:
        """The NumPy type of images, weights and arithmetic."""
        return np.float32 if self.dtype == "float32" else np.float64

    def stack_key(self) -> tuple[Any, ...]:
        """Return what two runs must have in common to be trained as one stack: data and batch order."""
        return tuple(getattr(self, f.name) for f in fields(self) if not BY_NAME[f.name].stackable)
