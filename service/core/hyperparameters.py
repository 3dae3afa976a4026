"""The table of hyperparameters, a row each: API schema, command line and documentation are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from service.errors import InvalidField

Kind = Literal["integer", "number", "boolean", "choice", "classes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameter:
    """One row: what a hyperparameter is called, what it may be, and what it does.

    ``minimum`` and ``maximum`` belong to the legal range. ``stackable`` says that runs which differ in it can
    still be trained together, since it changes neither the data nor the order of the batches.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    nullable: bool = False
    stackable: bool = False

    @property
    def allowed(self) -> str:
        """The legal values in words, as errors, help and documentation state them."""
        match self.kind:
            case "boolean":
                words = "true or false"
            case "choice":
                words = " or ".join(self.choices)
            case "classes":
                words = "2 to 10 different digits from 0 to 9; exactly 2 for logistic"
            case _:
                noun = "a whole number" if self.kind == "integer" else "a number"
                words = f"{noun} from {self.minimum:,} to {self.maximum:,}"
        return f"{words}, or null" if self.nullable else words

    def check(self, value: Any) -> Any:
        """Return ``value`` in its canonical type, or raise `InvalidField`.

        A whole number may stand for a number and a list for a tuple of classes; nothing else is coerced.
        """
        if value is None and self.nullable:
            return None
        match self.kind:
            case "boolean":
                legal = isinstance(value, bool)
            case "choice":
                legal = isinstance(value, str) and value in self.choices
            case "classes":
                return self._check_classes(value)
            case "integer":
                legal = _is_integer(value) and self._in_range(value)
            case "number":
                legal = (_is_integer(value) or isinstance(value, float)) and self._in_range(value)
        if not legal:
            raise self.refused()
        return float(value) if self.kind == "number" else value

    def refused(self) -> InvalidField:
        """Make the error that states this row's range."""
        return InvalidField(f"{self.name} must be {self.allowed}.", field=self.name, allowed=self.allowed)

    def _in_range(self, value: float) -> bool:
        """Compare only, which refuses NaN and infinity and bears integers that no float can hold."""
        return self.minimum is not None and self.maximum is not None and self.minimum <= value <= self.maximum

    def _check_classes(self, value: Any) -> tuple[int, ...]:
        if not isinstance(value, list | tuple) or not 2 <= len(value) <= 10:
            raise self.refused()
        if not all(_is_integer(label) and 0 <= label <= 9 for label in value) or len(set(value)) != len(value):
            raise self.refused()
        return tuple(value)


def _is_integer(value: Any) -> bool:
    """Tell whether this is a whole number; True and False are none, although Python counts them in."""
    return isinstance(value, int) and not isinstance(value, bool)


HYPERPARAMETERS: tuple[Hyperparameter, ...] = (
    Hyperparameter(
        name="model",
        kind="choice",
        default="softmax",
        choices=("softmax", "logistic"),
        help="softmax regression over several classes, or logistic regression between two",
    ),
    Hyperparameter(
        name="classes",
        kind="classes",
        default=None,
        nullable=True,
        help="the classes to tell apart; for logistic the first is the positive one "
        "(not given: all ten for softmax, 2 and 3 for logistic)",
    ),
    Hyperparameter(
        name="learning_rate",
        kind="number",
        default=0.01,
        minimum=1e-6,
        maximum=10,
        stackable=True,
        help="the length of a step against the gradient",
    ),
    Hyperparameter(
        name="batch_size",
        kind="integer",
        default=128,
        minimum=1,
        maximum=60_000,
        help="images in a mini-batch",
    ),
    Hyperparameter(
        name="epochs",
        kind="integer",
        default=50,
        minimum=1,
        maximum=10_000,
        stackable=True,
        help="passes over the training images, at most; early stopping may end the run before",
    ),
    Hyperparameter(
        name="shuffle",
        kind="boolean",
        default=True,
        help="take the training images in a new order each epoch",
    ),
    Hyperparameter(
        name="seed",
        kind="integer",
        default=0,
        minimum=0,
        maximum=2**32 - 1,
        help="decides, with the epoch, the order of the images; equal seeds give weights equal to the bit",
    ),
    Hyperparameter(
        name="l2_penalty",
        kind="number",
        default=0.0,
        minimum=0,
        maximum=100,
        stackable=True,
        help="lambda in the objective J = cross-entropy + lambda * ||W||^2, bias row included "
        "(l2_convention offers the other readings)",
    ),
    Hyperparameter(
        name="l2_convention",
        kind="choice",
        default="squared",
        choices=("squared", "half_squared", "squared_without_bias"),
        stackable=True,
        help="what lambda multiplies: ||W||^2, half of it, or ||W||^2 without the bias row",
    ),
    Hyperparameter(
        name="patience",
        kind="integer",
        default=10,
        minimum=1,
        maximum=100_000,
        nullable=True,
        stackable=True,
        help="stop after this many validation checks without a new lowest validation loss; null: never",
    ),
    Hyperparameter(
        name="checks_per_epoch",
        kind="integer",
        default=5,
        minimum=1,
        maximum=1_000,
        help="validation checks in an epoch: one every floor(batches per epoch / this) steps, at least 1, "
        "the first after step 0",
    ),
    Hyperparameter(
        name="drop_last",
        kind="boolean",
        default=True,
        help="leave out the last batch of an epoch when it is short",
    ),
    Hyperparameter(
        name="train_size",
        kind="integer",
        default=20_000,
        minimum=1,
        maximum=1_000_000,
        nullable=True,
        help="use the first so many training images, counted before the classes are picked; null: all",
    ),
    Hyperparameter(
        name="validation",
        kind="choice",
        default="test",
        choices=("test", "holdout"),
        help="validate on the test images, as the course report does, or on the last part of the training "
        "images, so that the test images stay untouched",
    ),
    Hyperparameter(
        name="validation_size",
        kind="integer",
        default=10_000,
        minimum=1,
        maximum=1_000_000,
        help="images to validate on: the first so many test images, or the last so many training images",
    ),
    Hyperparameter(
        name="dtype",
        kind="choice",
        default="float32",
        choices=("float32", "float64"),
        help="the precision of images, weights and arithmetic",
    ),
    Hyperparameter(
        name="publish",
        kind="choice",
        default="best",
        choices=("best", "last"),
        stackable=True,
        help="which weights the model speaks with: those of the lowest validation loss, or the last",
    ),
)
"""Every hyperparameter, in the order in which a person would think of them."""

BY_NAME = {row.name: row for row in HYPERPARAMETERS}
