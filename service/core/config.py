"""What a run is asked to do: the table of hyperparameters, a field each.

API schema, command line, page and documentation are made from the table; a new hyperparameter is one more field.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from math import cos, pi
from typing import Any, Literal

from service.errors import InvalidField

from .augmentation import STRENGTHS
from .models import ACTIVATIONS, INITIALIZATIONS, MODELS, Model, build_model
from .task import DIGITS, SCALINGS, Task

Kind = Literal["integer", "number", "boolean", "choice", "classes", "layers", "text"]

ALL_DIGITS = tuple(range(DIGITS.n_classes))
REPORT_PAIR = (2, 3)

FORMULAS = {
    "squared": "J = C + lambda * ||W||^2, bias row included; the gradient gains 2 * lambda * W",
    "half_squared": "J = C + lambda/2 * ||W||^2, bias row included; the gradient gains lambda * W",
    "squared_without_bias": "J = C + lambda * ||W||^2 without the bias row; the gradient gains 2 * lambda * W there",
}
"""What each L2 convention means."""

MAX_LAYERS, MAX_UNITS, MAX_PARAMETERS = 10, 2_048, 2_000_000
"""Of a network: hidden layers, units in one of them, and parameters altogether."""

MAX_TEXT_CHARS = 200

SCHEDULES = ("constant", "cosine")

_ALWAYS_RECORDED: Any = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameter:
    """One row: what a hyperparameter is called, what it may be, and what it does.

    ``minimum`` and ``maximum`` belong to the legal range. ``stackable`` says that runs which differ in it can
    still be trained together, since it changes neither the data nor the order of the batches.

    ``before`` is what every run did before there was this hyperparameter. A record without it means that value, and a
    run of that value is recorded without it, so that records and fingerprints of older requests stay what they were.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: Collection[str] = ()
    nullable: bool = False
    stackable: bool = False
    before: Any = _ALWAYS_RECORDED

    @property
    def allowed(self) -> str:
        """The legal values in words, as errors, help and documentation state them."""
        match self.kind:
            case "boolean":
                words = "true or false"
            case "choice":
                words = " or ".join(self.choices)
            case "classes":
                most = len(ALL_DIGITS)
                binary = " or ".join(name for name, model in MODELS.items() if model.output.is_binary)
                words = f"2 to {most} different digits from 0 to {most - 1}; exactly 2 for {binary}"
            case "layers":
                words = f"up to {MAX_LAYERS} whole numbers from 1 to {MAX_UNITS:,}, "
                words += f"{MAX_PARAMETERS:,} parameters at most"
            case "text":
                words = f"a text of 1 to {MAX_TEXT_CHARS} characters"
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
                legal = isinstance(value, list | tuple) and 2 <= len(value) <= len(ALL_DIGITS)
                legal = legal and all(_is_integer(label) and label in ALL_DIGITS for label in value)
                legal = legal and len(set(value)) == len(value)
            case "layers":
                legal = isinstance(value, list | tuple) and len(value) <= MAX_LAYERS
                legal = legal and all(_is_integer(size) and 1 <= size <= MAX_UNITS for size in value)
            case "text":
                legal = isinstance(value, str) and 1 <= len(value) <= MAX_TEXT_CHARS
            case "integer":
                legal = _is_integer(value) and self._in_range(value)
            case "number":
                legal = (_is_integer(value) or isinstance(value, float)) and self._in_range(value)
        if not legal:
            raise self.refused()
        if isinstance(value, list):
            return tuple(value)
        return float(value) if self.kind == "number" else value

    def refused(self) -> InvalidField:
        """Make the error that states this row's range."""
        return InvalidField(f"{self.name} must be {self.allowed}.", field=self.name, allowed=self.allowed)

    def _in_range(self, value: float) -> bool:
        """Compare only, which refuses NaN and infinity and bears integers that no float can hold."""
        return self.minimum is not None and self.maximum is not None and self.minimum <= value <= self.maximum


def _row(kind: Kind, default: Any, help: str, **about: Any) -> Any:
    """Return a field of `TrainingConfig`; the rest is as in `Hyperparameter`."""
    return field(default=default, metadata={"kind": kind, "help": help, **about})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """The hyperparameters of one run, in the order in which a person would think of them.

    Raises `InvalidField` at construction, naming the field and its allowed range.
    """

    model: str = _row(
        "choice", "softmax", ", or ".join(model.title for model in MODELS.values()), choices=MODELS.keys()
    )
    classes: tuple[int, ...] = _row(
        "classes",
        (),
        "the classes to tell apart; for logistic the first is the positive one "
        "(not given: all ten for softmax, 2 and 3 for logistic)",
        nullable=True,
    )
    hidden_layers: tuple[int, ...] = _row(
        "layers", (), "units of each hidden layer, the first layer first; none: a linear model", before=()
    )
    activation: str | None = _row(
        "choice",
        None,
        "the function of each hidden unit; improved_sigmoid is 1.7159 tanh(2z/3) (not given: relu)",
        choices=ACTIVATIONS.keys(),
        nullable=True,
        before=None,
    )
    initialization: str = _row(
        "choice",
        None,
        "what weights begin with: zeros, uniform from -1 to 1, or normal of variance 1/fan_in (xavier) or 2/fan_in "
        "(he); biases begin at 0 (not given: he with hidden layers, zeros without)",
        choices=INITIALIZATIONS.keys(),
        nullable=True,
        before="zeros",
    )
    start_from: str | None = _row(
        "text",
        None,
        "begin with the weights of a version of a model, and with its classes, layers, activation and input scaling: "
        "model, model/version or model@alias (not given: with new weights)",
        nullable=True,
        before=None,
    )
    input_scaling: str = _row(
        "choice",
        None,
        "from grey levels to inputs: range is x/127.5 - 1, standard is (x - 33.318)/78.567, the mean and the deviation "
        "of MNIST's training pixels (not given: standard with hidden layers, range without)",
        choices=SCALINGS.keys(),
        nullable=True,
        before="range",
    )
    augmentation: str = _row(
        "choice",
        None,
        "distort the training images at random, anew in each epoch, as other hands and pens would "
        "(not given: soft with hidden layers, none without)",
        choices=("none", *STRENGTHS),
        nullable=True,
        before="none",
    )
    learning_rate: float = _row(
        "number", 0.01, "the length of a step against the gradient", minimum=1e-6, maximum=10, stackable=True
    )
    momentum: float = _row(
        "number",
        None,
        "share m of the velocity V that a step keeps: V <- m V + gradient, W <- W - learning_rate V (not given: 0.9 "
        "with hidden layers, 0 without)",
        minimum=0,
        maximum=0.999,
        nullable=True,
        before=0.0,
    )
    learning_rate_schedule: str = _row(
        "choice",
        None,
        "the learning rate over the steps: constant, or cosine: up in a line over the first 2 % of all steps, then "
        "down to 0 along half a cosine (not given: cosine with hidden layers, constant without)",
        choices=SCHEDULES,
        nullable=True,
        before="constant",
    )
    batch_size: int = _row("integer", 128, "images in a mini-batch", minimum=1, maximum=60_000)
    epochs: int = _row(
        "integer",
        50,
        "passes over the training images, at most; early stopping may end the run before",
        minimum=1,
        maximum=10_000,
        stackable=True,
    )
    shuffle: bool = _row("boolean", True, "take the training images in a new order each epoch")
    seed: int = _row(
        "integer",
        0,
        "decides, with the epoch, the order of the images; equal seeds give weights equal to the bit",
        minimum=0,
        maximum=2**32 - 1,
    )
    l2_penalty: float = _row(
        "number",
        0.0,
        "lambda in the objective J = cross-entropy + lambda * ||W||^2, bias row included "
        "(l2_convention offers the other readings)",
        minimum=0,
        maximum=100,
        stackable=True,
    )
    l2_convention: Literal["squared", "half_squared", "squared_without_bias"] = _row(
        "choice",
        "squared",
        "what lambda multiplies: ||W||^2, half of it, or ||W||^2 without the bias row",
        choices=FORMULAS.keys(),
        stackable=True,
    )
    patience: int | None = _row(
        "integer",
        10,
        "stop after this many validation checks without a new lowest validation loss; null: never",
        minimum=1,
        maximum=100_000,
        nullable=True,
        stackable=True,
    )
    checks_per_epoch: int = _row(
        "integer",
        5,
        "validation checks in an epoch: one every floor(batches per epoch / this) steps, at least 1, "
        "the first after step 0",
        minimum=1,
        maximum=1_000,
    )
    drop_last: bool = _row("boolean", True, "leave out the last batch of an epoch when it is short")
    train_size: int | None = _row(
        "integer",
        20_000,
        "use the first so many training images, counted before the classes are picked; null: all",
        minimum=1,
        maximum=1_000_000,
        nullable=True,
    )
    validation: Literal["test", "holdout"] = _row(
        "choice",
        "test",
        "validate on the test images, as the course report does, or on the last part of the training "
        "images, so that the test images stay untouched",
        choices=("test", "holdout"),
    )
    validation_size: int = _row(
        "integer",
        10_000,
        "images to validate on: the first so many test images, or the last so many training images",
        minimum=1,
        maximum=1_000_000,
    )
    dtype: Literal["float32", "float64"] = _row(
        "choice", "float32", "the precision of images, weights and arithmetic", choices=("float32", "float64")
    )
    publish: Literal["best", "last"] = _row(
        "choice",
        "best",
        "which weights predictions are made with: those of the lowest validation loss, or the last",
        choices=("best", "last"),
        stackable=True,
    )

    def __post_init__(self) -> None:
        for row in HYPERPARAMETERS:
            value = getattr(self, row.name)
            if row.name == "classes" and (value is None or value == ()):
                value = REPORT_PAIR if MODELS[self.model].output.is_binary else ALL_DIGITS
            if value is None and row.name in _OF_NETWORKS:
                value = _OF_NETWORKS[row.name] if self.hidden_layers else row.before
            object.__setattr__(self, row.name, row.check(value))
        if MODELS[self.model].output.is_binary and len(self.classes) != 2:
            raise BY_NAME["classes"].refused()
        if not self.hidden_layers:
            object.__setattr__(self, "activation", None)
        elif (n_parameters := self.build_model().layout.size) > MAX_PARAMETERS:
            raise InvalidField(
                f"This network has {n_parameters:,} parameters.",
                field="hidden_layers",
                allowed=f"at most {MAX_PARAMETERS:,} parameters altogether",
            )
        if self.hidden_layers and self.initialization == "zeros":
            raise InvalidField(
                "With zeros, no hidden unit ever learns anything.",
                field="initialization",
                allowed=" or ".join(name for name in INITIALIZATIONS if name != "zeros"),
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingConfig:
        """Build a configuration from plain data, refusing names that are not in the table."""
        for name in values:
            if name not in BY_NAME:
                raise InvalidField("There is no hyperparameter of that name.", field=name, allowed=", ".join(BY_NAME))
        return cls(**values)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> TrainingConfig:
        """Read the record of a run: a hyperparameter that is not in it has the value from before there was it."""
        return cls.from_dict(completed(record))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON; `from_dict` reads it back."""
        values = {row.name: getattr(self, row.name) for row in HYPERPARAMETERS}
        return {**values, "classes": list(self.classes), "hidden_layers": list(self.hidden_layers)}

    def to_record(self) -> dict[str, Any]:
        """Return what is recorded, and what tells whether two requests are the same; see `Hyperparameter.before`."""
        values = self.to_dict()
        return {row.name: values[row.name] for row in HYPERPARAMETERS if getattr(self, row.name) != row.before}

    @property
    def task(self) -> Task:
        """What is trained for."""
        return Task(image_shape=DIGITS.image_shape, n_classes=len(self.classes))

    def build_model(self) -> Model:
        """Return the model that is trained."""
        return build_model(self.model, self.task, self.to_dict())

    @property
    def equivalent_squared_penalty(self) -> float:
        """The lambda of the `squared` convention that pulls the weights as hard."""
        return self.l2_penalty / 2 if self.l2_convention == "half_squared" else self.l2_penalty

    @property
    def n_optimizer_rows(self) -> int:
        """Rows that the optimizer keeps beside the parameters: the velocity, if there is momentum."""
        return 1 if self.momentum else 0

    def rate_factor(self, step: int, n_steps: int) -> float:
        """Return by what the learning rate is multiplied in one of the steps of the whole run.

        ``cosine``: (step + 1) / w for the first w = max(1, round(0.02 n_steps)) steps, then
        (1 + cos(pi (step - w) / (n_steps - w))) / 2.
        """
        if self.learning_rate_schedule == "constant":
            return 1.0
        n_warm = max(1, round(0.02 * n_steps))
        if step < n_warm:
            return (step + 1) / n_warm
        return (1 + cos(pi * (step - n_warm) / max(1, n_steps - n_warm))) / 2

    def stack_key(self) -> tuple[Any, ...]:
        """Return what two runs must have in common to be trained as one stack: data and batch order."""
        return tuple(getattr(self, row.name) for row in HYPERPARAMETERS if not row.stackable)


_OF_NETWORKS = {
    "activation": "relu",
    "initialization": "he",
    "input_scaling": "standard",
    "augmentation": "soft",
    "momentum": 0.9,
    "learning_rate_schedule": "cosine",
}
"""What a network gets that was not given another. A linear model gets what every run did before there were networks."""

HYPERPARAMETERS = tuple(
    Hyperparameter(name=each.name, default=None if each.name == "classes" else each.default, **each.metadata)
    for each in fields(TrainingConfig)
)
BY_NAME = {row.name: row for row in HYPERPARAMETERS}


def completed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with every hyperparameter that came after it, at the value from before there was it."""
    return {**{row.name: row.before for row in HYPERPARAMETERS if row.before is not _ALWAYS_RECORDED}, **record}


def _is_integer(value: Any) -> bool:
    """Tell whether this is a whole number; True and False are none, although Python counts them in."""
    return isinstance(value, int) and not isinstance(value, bool)
