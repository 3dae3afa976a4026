"""Whether one model does better than another, or the test images just happened to fall that way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Annotated

import numpy as np
import numpy.typing as npt

from service.answers import Doc
from service.datasets import PACKAGED, Datasets
from service.errors import InvalidInput
from service.registry import Model

from .evaluation import Evaluation, evaluate

SIGNIFICANT = 0.05
"""A result with a p below it is taken for more than chance."""

_STANDARD_ERRORS = 1.959963984540054
"""Between these, to both sides of its mean, lie 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModel:
    """How well a version does on the images that all are compared on."""

    model: str
    version: int
    accuracy: float
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """One version against the first, image by image. Differences are the other's figure less the first's."""

    first: Annotated[str, Doc("`name/version`.")]
    other: Annotated[str, Doc("`name/version`.")]
    accuracy_difference: float
    accuracy_interval: Annotated[list[float], Doc("95 %: low and high.")]
    loss_difference: float
    loss_interval: Annotated[list[float], Doc("95 %: low and high.")]
    only_first_right: int
    only_other_right: int
    p_value: Annotated[float, Doc("McNemar's test, exact and two-sided.")]
    sentence: Annotated[str, Doc("What this means.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Versions on the test images of the classes that all of them know."""

    dataset: str
    n_images: int
    classes: list[int]
    models: list[ComparedModel]
    comparisons: Annotated[list[PairedComparison], Doc("Of each other version with the first.")]


def compare(models: Sequence[Model], datasets: Datasets = PACKAGED) -> Comparison:
    """Compare models with the first of them, on the test images of the classes that all of them know.

    A model that knows more classes may name one that the others do not know, and is then wrong. Raises `InvalidInput`
    if they have different test images or share no class, or as `evaluate`.
    """
    evaluations = [evaluate(model, datasets) for model in models]
    first = evaluations[0]
    if len({evaluation.test_sha256 for evaluation in evaluations}) != 1:
        raise InvalidInput("The models have different test images, so there are none to compare them on.")
    classes = sorted(set(first.classes).intersection(*(evaluation.classes for evaluation in evaluations)))
    indices = first.indices[np.isin(first.true, classes)]
    if len(indices) == 0:
        raise InvalidInput("The models share no class, so there are no images to compare them on.")
    names = [(model.manifest.name, model.manifest.version) for model in models]
    results = [_results_on(evaluation, indices) for evaluation in evaluations]
    baseline, *others = [f"{name}/{version}" for name, version in names]
    return Comparison(
        dataset=first.dataset,
        n_images=len(indices),
        classes=classes,
        models=[
            ComparedModel(model=name, version=version, accuracy=float(is_right.mean()), loss=float(loss.mean()))
            for (name, version), (is_right, loss) in zip(names, results, strict=True)
        ],
        comparisons=[
            paired(baseline, other, results[0], result) for other, result in zip(others, results[1:], strict=True)
        ],
    )


def paired(first: str, other: str, of_first: Results, of_other: Results) -> PairedComparison:
    """Compare the predictions of two models, named, for the same images, image by image.

    Of each there is which images it classified correctly, bool, and the loss of each, float64; both (n_images,). The
    interval of the accuracy's difference is after Agresti and Min (2005): half an image is added to each of the four
    cells of both right, one right and none right, so that it has a length even where they never differ; that of the
    loss is by the standard error of the paired differences. p is McNemar's: if both were equally good, how often chance
    would share out the images on which only one is right at least as unevenly.
    """
    (right_a, loss_a), (right_b, loss_b) = of_first, of_other
    n_images = len(right_a)
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    losses, p_value = loss_b - loss_a, mcnemar(only_a, only_b)
    mean, error = float(losses.mean()), float(losses.std()) / sqrt(n_images)
    better, worse = (other, first) if only_b > only_a else (first, other)
    more, fewer = max(only_a, only_b), min(only_a, only_b)
    counts = f"{better} alone classified {more:,} images correctly, {worse} alone {fewer:,}"
    chance = printed_p(p_value)
    if more == 0:
        sentence = f"{first} and {other} classified the same of the {n_images:,} images correctly."
    elif p_value < SIGNIFICANT:
        sentence = f"{better} is better: {counts}, which is unlikely to be chance ({chance})."
    else:
        sentence = f"Neither is clearly better: {counts}, which may be chance ({chance})."
    return PairedComparison(
        first=first,
        other=other,
        accuracy_difference=(only_b - only_a) / n_images,
        accuracy_interval=_accuracy_interval(only_a, only_b, n_images),
        loss_difference=mean,
        loss_interval=_interval(mean, error),
        only_first_right=only_a,
        only_other_right=only_b,
        p_value=p_value,
        sentence=sentence,
    )


def printed_p(p: float) -> str:
    """Write the probability of a test; one below `SIGNIFICANT` is not rounded to it."""
    if p < 1e-4:
        return "p < 0.0001"
    digits = f"{p:.2g}"
    return f"p < {SIGNIFICANT}" if p < SIGNIFICANT <= float(digits) else f"p = {digits}"


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the exact two-sided p: twice the tail of the binomial distribution of n fair coins, at most 1.

    Computed in whole numbers and divided once, so it is right to the last bit however small it is.
    """
    n = only_a + only_b
    term = tail = 1  # n over 0
    for k in range(min(only_a, only_b)):
        term = term * (n - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << n))


Results = tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]


def _results_on(evaluation: Evaluation, indices: npt.NDArray[np.int64]) -> Results:
    chosen = np.isin(evaluation.indices, indices)
    return evaluation.is_right[chosen], evaluation.loss[chosen]


def _accuracy_interval(only_a: int, only_b: int, n_images: int) -> list[float]:
    a, b, n = only_a + 0.5, only_b + 0.5, n_images + 2
    low, high = _interval((b - a) / n, sqrt(a + b - (a - b) ** 2 / n) / n)
    return [max(-1.0, low), min(1.0, high)]


def _interval(middle: float, error: float) -> list[float]:
    return [middle - _STANDARD_ERRORS * error, middle + _STANDARD_ERRORS * error]
