"""Why a model takes an image for a digit: its logit is a sum with one term a pixel."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from service.answers import Doc
from service.core import Attribution, Float64s, design_matrix
from service.errors import InvalidField
from service.registry import Model

from .flip import Flip, find_flip
from .mnist_form import Bytes
from .model_inputs import ModelInputs
from .prediction import predict
from .verdicts import Rivals, Verdict, judge

_MOST_UNITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitShare:
    """A unit of a hidden layer."""

    layer: int
    unit: Annotated[int, Doc("Its number in the layer, from 1.")]
    activation: float
    share: Annotated[float, Doc("In the logit: all units of a layer and the bias sum to it.")]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """The evidence of each pixel of an image for a class, alone or against another.

    The evidence of all pixels and the bias sum to the logit of the class, or to the difference of two. For a linear
    model, with x_i a pixel's value from -1 (background) to 1 (ink), the evidence for class k is w_ki x_i. For a
    network it is a pixel's share in the difference to a blank page, whose logit takes the place of the bias. Logits
    and evidence are those before calibration, which changes probabilities alone.
    """

    model: str
    version: int
    digit: Annotated[int, Doc("The class that is explained.")]
    against: Annotated[int | None, Doc("The class that it is held against, if one was named.")]
    rule: Annotated[Literal["weight_times_pixel", "deeplift_rescale"], Doc("The first for linear models.")]
    baseline: Annotated[
        Literal["zero", "blank"], Doc("The image whose pixels have no evidence: 0 after scaling, or without ink.")
    ]
    logit: Annotated[float, Doc("Of the class; with `against`, the difference of the two logits.")]
    bias: Annotated[float, Doc("The logit of the baseline: for a linear model its bias.")]
    sum: Annotated[float, Doc("The evidence of all pixels and the bias: the logit, but for rounding.")]
    evidence: Annotated[Float64s, Doc("28 rows of 28, one number a pixel, by the rule.", list[list[float]])]
    probabilities: Annotated[dict[str, float], Doc("Of every class; they sum to 1.")]
    logits: Annotated[dict[str, float], Doc("Of every class, uncalibrated; for logistic, z and -z.")]
    temperature: Annotated[float, Doc("Logits are divided by it before they become probabilities.")]
    pixels: Annotated[Bytes, Doc("What the model saw: 28 rows of 28, from 0 to 255.", list[list[int]])]
    units: Annotated[tuple[UnitShare, ...], Doc("Of each hidden layer the up to 16 with the largest shares.")]
    flip: Annotated[Flip | None, Doc("Of the predicted class; null if none was found.")]
    verdict: Verdict
    rivals: Rivals
    warnings: tuple[str, ...]
    steps: Annotated[tuple[str, ...], Doc("The steps of preprocessing, in order.")]


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
            allowed = ", ".join(model.labels)
            raise InvalidField(f"{field} must be a class of the model.", field=field, allowed=allowed)
    if against == digit:
        others = ", ".join(label for label in model.labels if label != str(digit))
        raise InvalidField("against must be another class than the one explained.", field="against", allowed=others)
    (verdict,), (rivals,) = judge(model, inputs, labels, table)
    function, row = model.function, model.parameters.astype(np.float64)
    x = design_matrix(inputs.images, np.float64, function.scaling)[0]
    found = function.attribute(row, x, classes.index(digit), None if against is None else classes.index(against))
    shares = found.shares.astype(np.float64, copy=False)
    logits = [function.attribute(row, x, place).logit for place in range(len(classes))]
    return Explanation(
        model=model.manifest.name,
        version=model.manifest.version,
        digit=digit,
        against=against,
        rule=function.rule,
        baseline=function.baseline,
        logit=found.logit,
        bias=found.constant,
        sum=math.fsum([*shares.tolist(), found.constant]),
        evidence=shares.reshape(function.task.image_shape),
        probabilities=dict(zip(model.labels, table[0].tolist(), strict=True)),
        logits=dict(zip(model.labels, logits, strict=True)),
        temperature=function.temperature,
        pixels=inputs.images[0],
        units=_largest_units(found),
        flip=find_flip(model, inputs.images[0]),
        verdict=verdict,
        rivals=rivals,
        warnings=inputs.warnings[0],
        steps=inputs.steps[0],
    )


def _largest_units(found: Attribution) -> tuple[UnitShare, ...]:
    """Return the units of each hidden layer with the largest shares, the largest first."""
    return tuple(
        UnitShare(layer=layer, unit=int(place) + 1, activation=float(values[place]), share=float(shares[place]))
        for layer, (shares, values) in enumerate(zip(found.unit_shares, found.activations, strict=True), 1)
        for place in np.argsort(-np.abs(shares), kind="stable")[:_MOST_UNITS]
    )
