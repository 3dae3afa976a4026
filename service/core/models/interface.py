"""What a model is: a function of one flat row of parameters θ and of images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from service.core.task import RANGE, Floats, InputScaling, Ints, Layout, Task
from service.errors import InvalidField


@dataclass(frozen=True, slots=True)
class Operation:
    """One step from grey levels to probabilities, from which other programs are written: ONNX files, the page.

    ``scale`` is x / divisor - shift; ``dense`` is x W + b with the named tensor, its last row b; ``relu``, ``sigmoid``
    and ``tanh``, gain * tanh(slope * x), work on each number, ``softmax`` on all; ``binary`` turns one logit z into
    sigmoid(z), sigmoid(-z).
    """

    kind: Literal["scale", "dense", "relu", "sigmoid", "tanh", "softmax", "binary"]
    tensor: str | None = None
    divisor: float = 1.0
    shift: float = 0.0
    gain: float = 1.0
    slope: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        if self.kind == "scale":
            return {"kind": self.kind, "divisor": self.divisor, "shift": self.shift}
        if self.kind == "tanh":
            return {"kind": self.kind, "gain": self.gain, "slope": self.slope}
        return {"kind": self.kind, **({"tensor": self.tensor} if self.tensor else {})}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attribution:
    """A logit as a sum: ``shares``, (n_pixels,), one for each pixel, and ``constant`` add up to ``logit``.

    So do the shares of the units of each hidden layer, ``unit_shares``, (n_units,) each, and ``constant``.
    """

    shares: Floats
    constant: float
    logit: float
    unit_shares: Sequence[Floats] = ()
    activations: Sequence[Floats] = ()


class Output(Protocol):
    """What logits mean: the last step of a model.

    Logits are class-major, (n_members, n_outputs, n_images), float32 or float64: sums over classes then run along
    memory, which makes them several times cheaper than on (n_images, n_outputs). ``y``, (n_images,), is the place of
    each image's class among the run's classes.
    """

    operation: Operation
    is_binary: bool
    """Whether there are exactly two classes, of which the first is the positive one."""

    def n_outputs(self, n_classes: int) -> int:
        """Return how many logits there are."""

    def names(self, class_names: Sequence[str]) -> list[str]:
        """Return what to call each output."""

    def losses(self, logits: Floats, y: Ints) -> Floats:
        """Return the cross-entropy of each image, (n_members, n_images), in the type of the logits."""

    def loss_and_gradient(self, logits: Floats, y: Ints) -> tuple[Floats, Floats]:
        """Return the mean cross-entropy C, (n_members,) float64, and dC/dlogits, of shape and dtype of the logits."""

    def accuracy(self, logits: Floats, y: Ints) -> Floats:
        """Return the share of images that are given to their class, (n_members,) float64."""

    def probabilities(self, logits: Floats) -> Floats:
        """Return the probability of each class, (n_members, n_classes, n_images)."""

    def class_values(self, values: Floats) -> Floats:
        """Turn what belongs to each output, on the last axis, such as logits, into what belongs to each class."""

    def contrast(self, values: Floats, target: int, against: int) -> Floats:
        """Return of `class_values` those of one class less those of another, as far as their ratio is concerned."""


INITIALIZATIONS: Mapping[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "zeros": lambda rng, shape: np.zeros(shape),
    "uniform": lambda rng, shape: rng.uniform(-1, 1, shape),
    "xavier": lambda rng, shape: rng.normal(0, (1 / shape[0]) ** 0.5, shape),
    "he": lambda rng, shape: rng.normal(0, (2 / shape[0]) ** 0.5, shape),
}
"""How the weights of a layer begin, (fan_in, fan_out), float64; biases begin at 0.

Sources: Glorot and Bengio (2010), in the simple form N(0, 1/fan_in); He et al. (2015), N(0, 2/fan_in).
"""


class Model(ABC):
    """A model of a task: parameters are a row θ, (n_parameters,), or a stack of rows, (n_members, n_parameters).

    Images are rows of the design matrix, (n_images, n_inputs); everything is computed in their type. Of the
    hyperparameters, those of the run or of its record, a model reads its own.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    output: ClassVar[Output]
    scaling: InputScaling = RANGE
    is_linear: ClassVar[bool] = False
    """Whether `slopes` are the same at every image."""
    rule: ClassVar[Literal["weight_times_pixel", "deeplift_rescale"]] = "deeplift_rescale"
    baseline: ClassVar[Literal["zero", "blank"]] = "blank"
    """How `attribute` finds shares, and the image that has none: ``blank``, or ``zero``, which is 0 after scaling."""
    temperature: float = 1.0
    """Logits are divided by it before they become probabilities; see `service.core.Certainty`."""
    computes_rows_together: ClassVar[bool] = False
    """Whether the bits of `joint_logits` depend on how many rows there are."""

    def __init__(self, task: Task, hyperparameters: Mapping[str, Any]) -> None:
        self.task = task
        self._initialization = hyperparameters.get("initialization", "zeros")
        self.n_outputs = self.output.n_outputs(task.n_classes)
        self.layout = self._layout(hyperparameters)

    @abstractmethod
    def _layout(self, hyperparameters: Mapping[str, Any]) -> Layout:
        """Return how the parameters lie in a row."""

    def initial(self, rng: np.random.Generator) -> Floats:
        """Return the parameters before the first step, (n_parameters,) float64."""
        row, draw = np.zeros(self.layout.size), INITIALIZATIONS[self._initialization]
        for tensor, view in zip(self.layout.tensors, self.layout.views(row).values(), strict=True):
            fan_in = tensor.shape[0] - tensor.bias_rows
            view[:fan_in] = draw(rng, (fan_in, tensor.shape[1]))
        return row

    @abstractmethod
    def logits(self, rows: Floats, x: Floats) -> Floats:
        """Return Z of each member, (n_members, n_outputs, n_images); its bits do not depend on the other members."""

    def joint_logits(self, rows: Floats, x: Floats) -> Floats:
        """Return `logits` the fastest way there is for many rows; the bits may depend on the number of rows."""
        return self.logits(rows, x)

    @abstractmethod
    def image_logits(self, row: Floats, x: Floats) -> Floats:
        """Return Z, (n_images, n_outputs, 1), of one row; its bits do not depend on the other images."""

    @abstractmethod
    def loss_and_gradient(self, rows: Floats, x: Floats, y: Ints) -> tuple[Floats, Floats]:
        """Return C, (n_members,) float64, and dC/dθ, (n_members, n_parameters), of each member by itself."""

    @abstractmethod
    def attribute(self, row: Floats, x: Floats, target: int, against: int | None = None) -> Attribution:
        """Return the share of each pixel of an image, (n_inputs,), in the logit of a class or a difference of two."""

    @abstractmethod
    def slopes(self, row: Floats, x: Floats) -> Floats:
        """Return the derivative of each output by each input, (n_inputs, n_outputs), at an image, (n_inputs,)."""

    @abstractmethod
    def hidden_operations(self) -> Sequence[Operation]:
        """Return the steps from scaled pixels to logits."""

    def activations(self, row: Floats, x: Floats) -> list[Floats]:
        """Return the activations of each hidden layer, (n_images, n_units)."""
        return []

    def tiles(self, row: Floats, layer: int = 1) -> Floats:
        """Return what to draw of a row, (n_tiles, height, width): weights of the pixels for each unit of a layer.

        Those of a later layer are the product of all weights up to it, as if every unit handed on what it gets.
        """
        first, *others = self.layout.views(row).values()
        weights = first[: self.task.n_pixels]
        for matrix in others[: layer - 1]:
            weights = weights @ matrix[:-1]
        return weights.T.reshape(-1, *self.task.image_shape)

    def check_layer(self, layer: int) -> None:
        """Raise `InvalidField` unless there is this layer: 1 is next to the pixels, the last one is the outputs."""
        n_layers = len(self.layout.tensors)
        if not 1 <= layer <= n_layers:
            raise InvalidField("The model has no such layer.", field="layer", allowed=f"1 to {n_layers}")

    def tile_names(self, class_names: Sequence[str], layer: int = 1) -> list[str]:
        """Return what to call each tile: an output, or a unit by its number, from 1."""
        if layer == len(self.layout.tensors):
            return self.output.names(class_names)
        return [str(number) for number in range(1, self.layout.tensors[layer - 1].shape[1] + 1)]

    def importance(self, row: Floats, layer: int = 1, x: Floats | None = None) -> Floats | None:
        """Return how much each unit of a hidden layer matters, (n_units,): 0 for one that is dead; None for outputs.

        It is the norm of the weights that leave it, times the deviation of its activations over images ``x``, or,
        without images, the norm of the weights that lead to it.
        """
        views = list(self.layout.views(row).values())
        if layer == len(views):
            return None
        into, out_of = views[layer - 1], views[layer][:-1]
        spread = np.linalg.norm(into, axis=0) if x is None else self.activations(row, x)[layer - 1].std(axis=0)
        matters: Floats = spread * np.linalg.norm(out_of, axis=1)
        return matters

    def operations(self) -> list[Operation]:
        """Return all steps from grey levels to probabilities."""
        scale = Operation("scale", divisor=self.scaling.divisor, shift=self.scaling.shift)
        calibrate = [] if self.temperature == 1 else [Operation("scale", divisor=self.temperature)]
        return [scale, *self.hidden_operations(), *calibrate, self.output.operation]

    def calibrated(self, logits: Floats) -> Floats:
        """Return logits divided by the temperature, of which probabilities are made."""
        return logits if self.temperature == 1 else logits / logits.dtype.type(self.temperature)

    def probabilities(self, row: Floats, x: Floats) -> Floats:
        """Return the probability of each class for each image, (n_images, n_classes), the same bits in every company.

        A BLAS chooses its way by the shapes it is given, and each way rounds differently. So each image is a member
        of a stack of its own: its logits are products of one shape, whatever stands beside it, and products so
        small stay on one thread.
        """
        return self.output.probabilities(self.calibrated(self.image_logits(row, x)))[:, :, 0]
