"""What explanations, evaluations and comparisons look like as JSON, as documented in OpenAPI."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from service.web.answers import Answer


class Flip(Answer):
    """The nearest image that the model takes for another digit."""

    digit: int
    pixels: list[list[int]]
    distance: Annotated[float, Field(description="The root of the sum of squared changes, in grey levels.")]


class Explanation(Answer):
    """What each pixel of an image says for a class."""

    model: str
    version: int
    digit: Annotated[int, Field(description="The class that is explained.")]
    against: Annotated[int | None, Field(description="The class that it is held against, if one was named.")]
    logit: Annotated[float, Field(description="Of the class; with `against`, the difference of the two logits.")]
    bias: float
    sum: Annotated[float, Field(description="The evidence of all pixels and the bias: the logit, but for rounding.")]
    evidence: Annotated[list[list[float]], Field(description="28 rows of 28: weight times pixel, from -1 to 1.")]
    probabilities: Annotated[dict[str, float], Field(description="Of every class; they sum to 1.")]
    logits: Annotated[dict[str, float], Field(description="Of every class; for logistic, z and -z.")]
    pixels: Annotated[list[list[int]], Field(description="What the model saw: 28 rows of 28, from 0 to 255.")]
    flip: Annotated[Flip | None, Field(description="Of what the model says; null if no image is taken for another.")]
    warnings: list[str]
    steps: Annotated[list[str], Field(description="What was done to the image, in order.")]


class ClassResult(Answer):
    """How well one class is told; null stands for 0 / 0."""

    label: Annotated[int, Field(alias="class")]
    precision: Annotated[float | None, Field(description="Of the images that are said to be it, the share that is.")]
    recall: Annotated[float | None, Field(description="Of its images, the share that is said to be it.")]
    f1: Annotated[float | None, Field(description="The harmonic mean of the two.")]
    n_images: int


class CalibrationBin(Answer):
    """Images of which the model is about as sure; null where there is none."""

    low: float
    high: float
    n_images: int
    mean_probability: Annotated[float | None, Field(description="Of the predicted class.")]
    accuracy: float | None


class Calibration(Answer):
    """How sure a model is, and how often it is right then."""

    bins: list[CalibrationBin]
    expected_error: Annotated[float, Field(description="The mean gap between accuracy and mean probability.")]


class HardImage(Answer):
    """An image of high loss."""

    index: Annotated[int, Field(description="In the test part, as the images of a data set count.")]
    true: int
    predicted: int
    loss: float
    probability: Annotated[float, Field(description="Of the predicted class.")]


class Evaluation(Answer):
    """How well a version does on the test images of its classes."""

    model: str
    version: int
    dataset: str
    n_images: int
    accuracy: float
    loss: Annotated[float, Field(description="Mean cross-entropy.")]
    classes: Annotated[list[int], Field(description="Of the rows and columns of `confusion`.")]
    confusion: Annotated[list[list[int]], Field(description="A row for each true class, a column for each predicted.")]
    per_class: list[ClassResult]
    calibration: Calibration
    hardest: Annotated[list[HardImage], Field(description="The highest loss first.")]


class ConfusionCell(Answer):
    """The test images of one class that a version takes for one class."""

    model: str
    version: int
    dataset: str
    n_images: Annotated[int, Field(description="In the cell; `images` may be fewer.")]
    images: Annotated[list[HardImage], Field(description="The highest loss first.")]


class ComparedModel(Answer):
    """How well a version does on the images that all are compared on."""

    model: str
    version: int
    accuracy: float
    loss: float


class PairedComparison(Answer):
    """One version against the first, image by image. Differences are the other's figure less the first's."""

    first: Annotated[str, Field(description="`name/version`.")]
    other: Annotated[str, Field(description="`name/version`.")]
    accuracy_difference: float
    accuracy_interval: Annotated[list[float], Field(description="95 %: low and high.")]
    loss_difference: float
    loss_interval: Annotated[list[float], Field(description="95 %: low and high.")]
    only_first_right: int
    only_other_right: int
    p_value: Annotated[float, Field(description="McNemar's test, exact and two-sided.")]
    sentence: Annotated[str, Field(description="What this means.")]


class ComparisonAnswer(Answer):
    """Versions on the test images of the classes that all of them know."""

    dataset: str
    n_images: int
    classes: list[int]
    models: list[ComparedModel]
    comparisons: Annotated[list[PairedComparison], Field(description="Of each other version with the first.")]
