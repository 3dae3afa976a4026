"""How well a model does on the test images of its data, which no training has seen."""

from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any
from weakref import ref

import numpy as np
import numpy.typing as npt

from service.answers import Doc
from service.charts import Drawing, weights_picture
from service.core import Float64s, Floats, Ints, design_matrix
from service.core import Model as Function
from service.datasets import PACKAGED, Dataset, Datasets, Selection
from service.errors import DatasetNotFound, InvalidDataset
from service.registry import Model

from .prediction import predict

N_BINS = 10
_N_KEPT = 16
_OF_AN_IMAGE = ("true", "predicted", "loss", "probability")
_BLOCK_SIZE = 1000  # images a float64 matrix of 6 MB
_N_ACTIVATED = 500
"""Test images over which the activations of hidden units are measured, to order them in a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """How well one class is predicted; null stands for 0 / 0."""

    label: int = field(metadata={"alias": "class"})  # in Python a keyword, which is why each is a dict
    precision: Annotated[float | None, Doc("Of the images predicted as it, the share that is correct.")]
    recall: Annotated[float | None, Doc("Of its images, the share predicted as it.")]
    f1: Annotated[float | None, Doc("The harmonic mean of the two: 2 correct / (predicted + true).")]
    n_images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """Images whose predicted class has a probability from ``low`` up to ``high``, which only the last bin includes."""

    low: float
    high: float
    n_images: int
    mean_probability: Annotated[float | None, Doc("Of the predicted class; null where there is no image.")]
    accuracy: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How sure a model is, and how often it is correct then."""

    bins: list[CalibrationBin]
    expected_error: Annotated[float, Doc("The mean gap between accuracy and mean probability.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class HardImage:
    """An image of high loss."""

    index: Annotated[int, Doc("In the test part, as the images of a data set count.")]
    true: int
    predicted: int
    loss: float
    probability: Annotated[float, Doc("Of the predicted class.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfusionCell:
    """The test images of one class that a version predicts as one class."""

    model: str
    version: int
    dataset: str
    n_images: Annotated[int, Doc("In the cell; `images` may be fewer.")]
    images: Annotated[list[HardImage], Doc("The highest loss first.")]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvaluationSummary:
    """How well a version does on the test images of its classes."""

    model: str
    version: int
    dataset: str
    n_images: int
    accuracy: float
    loss: Annotated[float, Doc("Mean cross-entropy.")]
    classes: Annotated[tuple[int, ...], Doc("Of the rows and columns of `confusion`.")]
    confusion: Annotated[Ints, Doc("A row for each true class, a column for each predicted.", list[list[int]])]
    per_class: Annotated[list[dict[str, Any]], Doc(written_as=list[ClassScore])]
    calibration: Calibration
    hardest: Annotated[list[HardImage], Doc("The highest loss first.")]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """What a model predicts for every test image of one of its classes.

    Digits and probabilities are those of `predict`; the loss is computed in float64.

    Parameters
    ----------
    dataset, test_sha256 : what the images are the test part of; see `Dataset`.
    classes : of the model, in its order.
    indices : (n_images,) int64, where each image is in the test part, ascending.
    true, predicted : (n_images,) int64 labels.
    probability : (n_images,) float64, of the predicted label.
    loss : (n_images,) float64, minus the logarithm of the probability of the true label.
    """

    dataset: str
    test_sha256: str
    classes: tuple[int, ...]
    indices: Ints
    true: Ints
    predicted: Ints
    probability: Float64s
    loss: Float64s

    @property
    def is_right(self) -> npt.NDArray[np.bool_]:
        """Which images are classified correctly, (n_images,)."""
        return np.equal(self.true, self.predicted)

    @property
    def accuracy(self) -> float:
        """The share of images that are classified correctly."""
        return float(self.is_right.mean())

    def confusion(self) -> Ints:
        """Count images: a row for each true class and a column for each predicted one, (n_classes, n_classes)."""
        classes = np.array(self.classes)
        places = np.empty(int(classes.max()) + 1, np.int64)
        places[classes] = np.arange(len(classes))
        counts = np.zeros((len(classes), len(classes)), np.int64)
        np.add.at(counts, (places[self.true], places[self.predicted]), 1)
        return counts

    def per_class(self) -> list[dict[str, Any]]:
        """Return the fields of a `ClassScore` for each class."""
        counts = self.confusion()
        right, own, predicted = counts.diagonal().tolist(), counts.sum(axis=1).tolist(), counts.sum(axis=0).tolist()
        return [
            {
                "class": label,
                "precision": right[k] / predicted[k] if predicted[k] else None,
                "recall": right[k] / own[k] if own[k] else None,
                "f1": 2 * right[k] / (predicted[k] + own[k]) if predicted[k] + own[k] else None,
                "n_images": own[k],
            }
            for k, label in enumerate(self.classes)
        ]

    def calibration(self) -> Calibration:
        """Hold how sure the model is against how often it is right, in 10 bins of equal width.

        The expected error is the mean over all images of the gap in their bin, |accuracy - mean probability|.
        """
        places = np.minimum((self.probability * N_BINS).astype(np.int64), N_BINS - 1)
        n_images = np.bincount(places, minlength=N_BINS)
        sure = np.bincount(places, self.probability, N_BINS)
        right = np.bincount(places, self.is_right, N_BINS)
        bins = [
            CalibrationBin(
                low=k / N_BINS,
                high=(k + 1) / N_BINS,
                n_images=n,
                mean_probability=float(sure[k]) / n if n else None,
                accuracy=float(right[k]) / n if n else None,
            )
            for k, n in enumerate(n_images.tolist())
        ]
        return Calibration(bins=bins, expected_error=float(np.abs(right - sure).sum() / len(self.true)))

    def hardest(self, number: int, chosen: npt.NDArray[np.bool_] | None = None) -> list[HardImage]:
        """Return the images of the highest loss, the worst first; those of equal loss in their order.

        ``chosen``, (n_images,), says which images are meant; None for all.
        """
        worst = np.argsort(-self.loss, kind="stable")
        worst = (worst if chosen is None else worst[chosen[worst]])[:number]
        columns = {"index": self.indices, **{name: getattr(self, name) for name in _OF_AN_IMAGE}}
        rows = zip(*(values[worst].tolist() for values in columns.values()), strict=True)
        return [HardImage(**dict(zip(columns, row, strict=True))) for row in rows]

    def cell(self, model: Model, true: int, predicted: int, number: int) -> ConfusionCell:
        """Return what lies in one cell of the confusion of a model: how many images, and those of the highest loss."""
        chosen = np.equal(self.true, true) & np.equal(self.predicted, predicted)
        return ConfusionCell(
            model=model.manifest.name,
            version=model.manifest.version,
            dataset=self.dataset,
            n_images=int(chosen.sum()),
            images=self.hardest(number, chosen),
        )

    def summary(self, model: Model, *, hardest: int) -> EvaluationSummary:
        """Return what is shown of the evaluation of a model, with so many of the hardest images."""
        return EvaluationSummary(
            model=model.manifest.name,
            version=model.manifest.version,
            dataset=self.dataset,
            n_images=len(self.true),
            accuracy=self.accuracy,
            loss=float(self.loss.mean()),
            classes=self.classes,
            confusion=self.confusion(),
            per_class=self.per_class(),
            calibration=self.calibration(),
            hardest=self.hardest(hardest),
        )


def evaluate(model: Model, datasets: Datasets = PACKAGED) -> Evaluation:
    """Evaluate a model on the test images of its classes; the last 16 evaluations are kept.

    Raises `DatasetNotFound` if the data that it was trained on is not here any more, `InvalidDataset` if that has no
    test image of its classes; `Corrupted`, `StorageFailed`.
    """
    manifest, function = model.manifest, model.function
    dataset = datasets.get(manifest.dataset["name"])
    of_model = manifest.weights_sha256, manifest.published, manifest.classes, *function.operations()
    decides = *of_model, function.temperature, dataset.name, dataset.sha256
    return _evaluated(_Key(decides, ref(model), ref(dataset)))


@dataclass(frozen=True, slots=True)
class _Key:
    """Key of the cache: all that decides. The weak references serve to compute the value, and are not compared."""

    decides: tuple[Any, ...]
    model: ref[Model] = field(compare=False)
    dataset: ref[Dataset] = field(compare=False)


@lru_cache(maxsize=_N_KEPT)
def _evaluated(key: _Key) -> Evaluation:
    model, dataset = key.model(), key.dataset()
    assert model is not None and dataset is not None  # the caller holds them
    manifest = model.manifest
    chosen = Selection.of(dataset.test, slice(0, len(dataset.test)), manifest.classes)
    if not len(chosen):
        raise InvalidDataset("The test part holds no image of the model's classes.")
    images = chosen.images
    predicted, table = predict(model, images)
    return Evaluation(
        dataset=dataset.name,
        test_sha256=dataset.test_sha256,
        classes=manifest.classes,
        indices=chosen.places,
        true=model.classes[chosen.columns],
        predicted=predicted,
        probability=table.max(axis=1).astype(np.float64),
        loss=_losses(model, images, chosen.columns),
    )


def prepare_weights(model: Model, datasets: Datasets, *, layer: int = 1, **style: Any) -> Drawing:
    """Prepare the weights into a layer, in a style of `weights_picture`; units that do most on test images come first.

    Raises `InvalidField` if there is no such layer.
    """
    manifest, function, row = model.manifest, model.function, model.parameters
    function.check_layer(layer)
    provenance, x = manifest.provenance(), None
    if len(function.layout.tensors) > 1:
        provenance |= {"layer": str(layer)}
        with suppress(DatasetNotFound):  # deleted: then the weights alone give the order of the units
            images = datasets.get(manifest.dataset["name"]).test.images[:_N_ACTIVATED]
            x = design_matrix(images, manifest.dtype, function.scaling)
    named = {"labels": function.tile_names(manifest.class_names, layer), "provenance": provenance}
    importance = function.importance(row, layer, x)
    return Drawing.of(weights_picture, function.tiles(row, layer), importance=importance, **named, **style)


def logits_of(function: Function, row: Floats, images: npt.NDArray[np.uint8]) -> Floats:
    """Return Z of images, (1, n_outputs, n_images), in the type of the row of parameters; memory is bounded."""
    blocks = (images[first : first + _BLOCK_SIZE] for first in range(0, len(images), _BLOCK_SIZE))
    matrices = (design_matrix(block, row.dtype, function.scaling) for block in blocks)
    return np.concatenate([function.joint_logits(row[np.newaxis], x) for x in matrices], axis=2)


def _losses(model: Model, images: npt.NDArray[np.uint8], y: Ints) -> Float64s:
    """Return the cross-entropy of each image, (n_images,), by the formulas of the core."""
    function = model.function
    logits = function.calibrated(logits_of(function, model.parameters.astype(np.float64), images))
    return np.asarray(function.output.losses(logits, y)[0], np.float64)
