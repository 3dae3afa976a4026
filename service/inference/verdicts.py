"""What a prediction is worth: a digit, an unsure one, or none at all."""

from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from typing import Annotated, Any, Literal, TypeAlias

from service.answers import Doc
from service.core import Certainty, Floats, Ints
from service.registry import Model, load_detector

from .mnist_form import Bytes
from .model_inputs import ModelInputs
from .prediction import block_probabilities, predict
from .preprocessing import BLANK, SEVERAL_BLOBS

Verdict: TypeAlias = Annotated[
    Literal["digit", "unsure", "blank", "several-digits", "not-a-digit"],
    Doc("The first that holds of blank, not-a-digit, several-digits, unsure, digit."),
]
Rivals: TypeAlias = Annotated[list[int], Doc("If unsure, other digits that it may be, the most probable first.")]

_UNMEASURED = Certainty()
_RIVAL_PROBABILITY = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What a request may ask for; None takes what was measured for the model.

    Below ``unsure_below``, unmeasured 0.7, a prediction is unsure. What the detector of digits gives a lower
    probability than ``digit_below`` is not taken for one; for models of other data it is 0, which takes all.
    """

    unsure_below: float | None = None
    digit_below: float | None = None

    def of(self, model: Model) -> tuple[float, float]:
        """Return both for a model."""
        measured = model.manifest.certainty or _UNMEASURED
        return (
            measured.unsure_below if self.unsure_below is None else self.unsure_below,
            model.manifest.digit_below if self.digit_below is None else self.digit_below,
        )


AS_MEASURED = Thresholds()


def judge(
    model: Model, inputs: ModelInputs, digits: Ints, table: Floats, thresholds: Thresholds = AS_MEASURED
) -> tuple[list[Verdict], list[list[int]]]:
    """Judge the predictions that `predict` returned.

    The first of these that holds is the verdict: ``blank``, nothing stands out from the background; ``not-a-digit``,
    the detector of digits says so; ``several-digits``; ``unsure``, of a low probability or with a warning; ``digit``.
    Where it is ``unsure``, rivals are the other classes with a probability of 0.05 or more, the most probable first.
    """
    unsure_below, digit_below = thresholds.of(model)
    are_digits = digit_probabilities(inputs).tolist() if digit_below else repeat(1.0)
    verdicts: list[Verdict] = []
    rivals: list[list[int]] = []
    rows = zip(digits.tolist(), table.tolist(), are_digits, inputs.warnings, strict=False)
    for digit, row, is_digit, warnings in rows:  # for a single image, arrays would take ten times as long
        others: list[int] = []
        verdict: Verdict = "digit"
        if BLANK in warnings:
            verdict = "blank"
        elif is_digit < digit_below:
            verdict = "not-a-digit"
        elif warnings and any(SEVERAL_BLOBS in warning for warning in warnings):
            verdict = "several-digits"
        elif warnings or max(row) < unsure_below:
            verdict = "unsure"
            likely = sorted(zip(row, model.classes.tolist(), strict=True), key=itemgetter(0), reverse=True)
            others = [label for p, label in likely if p >= _RIVAL_PROBABILITY and label != digit]
        verdicts.append(verdict)
        rivals.append(others)
    return verdicts, rivals


def digit_probabilities(inputs: ModelInputs) -> Floats:
    """Return the probability of each image, (n_images,), that there is a digit in it at all."""
    function, parameters = load_detector()
    return block_probabilities(function, parameters, inputs.images)[:, 0]


def predictions_of(model: Model, images: Bytes) -> list[dict[str, Any]]:
    """Return the predictions of `answer` for images, (n, 28, 28), that already are as models get them."""
    found: list[dict[str, Any]] = answer(model, ModelInputs.as_given(images))["predictions"]
    return found


def answer(
    model: Model,
    inputs: ModelInputs,
    predicted: tuple[Ints, Floats] | None = None,
    thresholds: Thresholds = AS_MEASURED,
) -> dict[str, Any]:
    """Return predictions in the shape in which the HTTP API and the command line give them, ready for JSON.

    ``predicted`` is what `predict` returned for these images, where it was called already. Returns ``model`` and
    ``version``, which predicted; and ``predictions``, one for each image, in order: ``digit``, ``class_name``,
    ``verdict`` and ``rivals``, see `judge`, ``probabilities`` of all classes by label, ``preprocessing`` and
    ``warnings``.
    """
    digits, table = predict(model, inputs.images) if predicted is None else predicted
    verdicts, rivals = judge(model, inputs, digits, table, thresholds)
    return {
        "model": model.manifest.name,
        "version": model.manifest.version,
        "predictions": [
            {
                "digit": digit,
                "class_name": model.name_of[digit],
                "verdict": verdict,
                "rivals": others,
                "probabilities": dict(zip(model.labels, row, strict=True)),
                "preprocessing": list(steps),
                "warnings": list(warnings),
            }
            for digit, verdict, others, row, steps, warnings in zip(
                digits.tolist(), verdicts, rivals, table.tolist(), inputs.steps, inputs.warnings, strict=True
            )
        ],
    }
