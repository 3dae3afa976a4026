"""Why a model takes an image for a digit: its logit is a sum with one term a pixel."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from service.core import Attribution, design_matrix
from service.errors import InvalidField
from service.registry import Model

from .flip import Flip, find_flip
from .mnist_form import Bytes
from .model_inputs import ModelInputs
from .prediction import predict
from .verdicts import Verdict, judge

_MOST_UNITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitShare:
    """A unit of a hidden layer, both counted from 1, its activation and its share in the logit."""

    layer: int
    unit: int
    activation: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """The share of each pixel in the logit of a class, alone or against another; see `service.core.Model.attribute`.

    The evidence of all pixels and the bias sum to the logit of the class, or to the difference of two. For a linear
    model, with x_i a pixel's value from -1 (background) to 1 (ink), the evidence for class k is w_ki x_i. For a
    network it is a pixel's share in the difference to a blank page, whose logit takes the place of the bias. Logits
    and evidence are those before calibration, which changes probabilities alone.

    Parameters
    ----------
    model : which is explained.
    digit, against : the label of the class that is explained, and of the one that it is held against, if any.
    evidence : (height, width) float64.
    bias, logit : what the pixels' evidence is added to, and what comes out, each computed for itself.
    logits, probabilities : of each class, in the order of the model's classes.
    pixels : (height, width) uint8, the image as the model sees it.
    units : of a network, the units of each hidden layer with the largest shares, at most 16 a layer.
    flip : the nearest image that the model takes for another digit than this one, for a network a near one; None if
        there is none, or none was found.
    verdict, rivals : what the prediction for the image is worth; see `service.inference.judge`.
    steps, warnings : how the image came about, and what may make the answer wrong.
    """

    model: Model
    digit: int
    against: int | None
    evidence: npt.NDArray[np.float64]
    bias: float
    logit: float
    logits: tuple[float, ...]
    probabilities: tuple[float, ...]
    pixels: Bytes
    units: tuple[UnitShare, ...]
    flip: Flip | None
    verdict: Verdict
    rivals: tuple[int, ...]
    steps: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def total(self) -> float:
        """The evidence of all pixels and the bias, added up: the logit, but for the last bits."""
        return math.fsum([*self.evidence.ravel().tolist(), self.bias])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as the API shows it."""
        labels = [str(label) for label in self.model.manifest.classes]
        return {
            "model": self.model.manifest.name,
            "version": self.model.manifest.version,
            "digit": self.digit,
            "against": self.against,
            "rule": self.model.function.rule,
            "baseline": self.model.function.baseline,
            "logit": self.logit,
            "bias": self.bias,
            "sum": self.total,
            "evidence": self.evidence.tolist(),
            "probabilities": dict(zip(labels, self.probabilities, strict=True)),
            "logits": dict(zip(labels, self.logits, strict=True)),
            "temperature": self.model.function.temperature,
            "pixels": self.pixels.tolist(),
            "units": [asdict(unit) for unit in self.units],
            "flip": self.flip and self.flip.to_dict(),
            "verdict": self.verdict,
            "rivals": list(self.rivals),
            "warnings": list(self.warnings),
            "steps": list(self.steps),
        }


def explain(model: Model, inputs: ModelInputs, *, digit: int | None = None, against: int | None = None) -> Explanation:
    """Explain what a model predicts for one image.

    Everything but the probabilities, which are those of `predict`, is computed in float64.

    Parameters
    ----------
    inputs : one image.
    digit : the class to explain; the one that the model predicts by default.
    against : a second class, for the contrast between the two.

    Raises
    ------
    InvalidInput : it is not one image.
    InvalidField : ``digit`` or ``against`` is not a class of the model, or both are the same.
    """
    classes = model.manifest.classes
    labels, table = predict(model, inputs.only[np.newaxis])
    digit = int(labels[0]) if digit is None else digit
    for field, label in (("digit", digit), ("against", against)):
        if label is not None and label not in classes:
            raise InvalidField(f"{field} must be a class of the model.", field=field, allowed=_listed(classes))
    if against == digit:
        others = _listed(label for label in classes if label != digit)
        raise InvalidField("against must be another class than the one explained.", field="against", allowed=others)
    (verdict,), (rivals,) = judge(model, inputs, labels, table)
    function, row = model.function, model.parameters.astype(np.float64)
    x = design_matrix(inputs.images, np.float64, function.scaling)[0]
    places = {label: place for place, label in enumerate(classes)}
    found = function.attribute(row, x, places[digit], None if against is None else places[against])
    return Explanation(
        model=model,
        digit=digit,
        against=against,
        evidence=found.shares.astype(np.float64, copy=False).reshape(function.task.image_shape),
        bias=found.constant,
        logit=found.logit,
        logits=tuple(function.attribute(row, x, place).logit for place in places.values()),
        probabilities=tuple(table[0].tolist()),
        pixels=inputs.images[0],
        units=_largest_units(found),
        flip=find_flip(model, inputs.images[0]),
        verdict=verdict,
        rivals=tuple(rivals),
        steps=inputs.steps[0],
        warnings=inputs.warnings[0],
    )


def _largest_units(found: Attribution) -> tuple[UnitShare, ...]:
    """Return the units of each hidden layer with the largest shares, the largest first."""
    return tuple(
        UnitShare(layer=layer, unit=int(place) + 1, activation=float(values[place]), share=float(shares[place]))
        for layer, (shares, values) in enumerate(zip(found.unit_shares, found.activations, strict=True), 1)
        for place in np.argsort(-np.abs(shares), kind="stable")[:_MOST_UNITS]
    )


def _listed(labels: Any) -> str:
    return ", ".join(map(str, labels))
