"""Weights that were trained elsewhere, or exported from another Inkling, as a version of a model."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from service.core import METRICS, MODELS, Certainty, Check, Floats, Ints, Model, TrainingConfig
from service.core.models import ACTIVATIONS
from service.core.task import SCALINGS
from service.datasets import Dataset, Datasets, Images, select
from service.errors import InvalidField, MalformedInput
from service.registry import Manifest, ModelDraft, Registry, check_model_name, digit_below

from . import dense_layers, onnx_files
from .evaluation import logits_of

INPUT_SCALINGS = (*SCALINGS, *dense_layers.SCALINGS)
LAYER_ACTIVATIONS = (*ACTIVATIONS, "tanh")
_BINARY, _MULTICLASS = "logistic", "softmax"
_MAX_TRAINING_IMAGES, _MAX_TEST_IMAGES = 20_000, 10_000
"""On which its metrics are measured."""


def import_weights(
    registry: Registry,
    datasets: Datasets,
    content: bytes,
    *,
    name: str,
    classes: Sequence[int],
    published: Literal["best", "last"],
    dataset: str | None = None,
    calibrate: bool = True,
    activation: str | None = None,
    input_scaling: str | None = None,
) -> Manifest:
    """Make the next version of a model of a weight file, as `Registry.register` does of a training.

    How it was trained is not known. Its metrics are measured now, on the first 20,000 training images and 10,000
    test images of the data set, with epoch and step 0; and its certainty, as that of a training, on these test images.

    Parameters
    ----------
    content : an ``.npz`` or ONNX file, as `read_npz_layers` and `read_onnx` take it; one output is logistic.
    classes : the label of each output, of logistic regression the two, the positive one first; all of the data set
        if there are none.
    published : which of the two sets of weights predictions use.
    dataset : its name; None for MNIST or, if no classes are given, the only data set that has as many as the weights.
    calibrate : False keeps the probabilities as the file computes them, and measures no certainty.
    activation : of the hidden layers, of `LAYER_ACTIVATIONS`, where the file does not say.
    input_scaling : of `INPUT_SCALINGS`, likewise; of a linear model in an ``.npz`` file ``range`` by default.

    Raises
    ------
    MalformedInput : the file is not such a one.
    ExtraMissing : it is an ONNX file, and the package ``onnx`` is not installed.
    DatasetNotFound : there is no data set of this name.
    InvalidField : the name cannot be a model's, the layers are larger than models may be, the classes do not fit the
        weights or the data set, or activation or scaling are not known.
    """
    check_model_name(name)
    is_onnx = content.startswith(onnx_files.START)
    found, of_last = (onnx_files.read_onnx(content),) * 2 if is_onnx else dense_layers.read_npz_layers(content)
    is_network = len(found.matrices) > 1
    chosen = _choose("activation", found.activation, activation, LAYER_ACTIVATIONS) if is_network else None
    scaling = "range" if input_scaling is None and not (is_network or is_onnx) else input_scaling
    scaling = _choose("input_scaling", found.input_scaling, scaling, INPUT_SCALINGS)
    best, last = (replace(layers, activation=chosen, input_scaling=scaling).translated() for layers in (found, of_last))
    n_outputs = best.matrices[-1].shape[1]
    model = _BINARY if n_outputs == 1 else _MULTICLASS
    n_classes = 2 if MODELS[model].output.is_binary else n_outputs
    is_given = dataset or classes or n_outputs == 1  # the positive class of one output cannot be guessed
    data_set = datasets.get(dataset or "mnist") if is_given else _dataset_of(datasets, n_classes)
    labels = tuple(classes) or data_set.classes
    if len(labels) != n_classes:
        raise InvalidField("The weights are for another number of classes.", field="classes", allowed=f"{n_classes}")
    recorded: dict[str, Any] = {"model": model, "classes": labels, "dtype": best.dtype, "publish": published}
    if is_network:
        recorded |= {
            "hidden_layers": tuple(matrix.shape[1] for matrix in best.matrices[:-1]),
            "activation": best.activation,
            "input_scaling": best.input_scaling,
        }
    config = TrainingConfig(
        **recorded,
        train_size=min(_MAX_TRAINING_IMAGES, len(data_set.training)),
        validation_size=min(_MAX_TEST_IMAGES, len(data_set.test)),
        batch_size=1,
    )
    try:
        training, test = ((part.images, part.columns) for part in select(data_set, config))
    except InvalidField as error:
        if error.field == "classes":
            raise
        needed = "images of each class to train on, and of one at least to test on"
        raise InvalidField(f"{data_set.name} lacks images of these classes.", field="dataset", allowed=needed) from None
    function = config.build_model()
    rows = {which: _row(function, layers.matrices) for which, layers in (("best", best), ("last", last))}
    with np.errstate(over="ignore", invalid="ignore"):
        checks = {which: _measure(function, row, training, test) for which, row in rows.items()}
        logits, columns = logits_of(function, rows[published], test[0]), test[1]
        certainty = Certainty.measure(function.output, logits[0], columns, "test") if calibrate else None
    draft = ModelDraft(
        model=model,
        classes=config.classes,
        class_names=data_set.names_of(config.classes),
        dtype=best.dtype,
        published=published,
        config={key: list(value) if isinstance(value, tuple) else value for key, value in recorded.items()},
        dataset={"name": data_set.name, "sha256": data_set.sha256},
        metrics={**checks, "published": checks[published]},
        stop_reason="imported",
        environment={},
        job_id=None,
        created_at=datetime.now(UTC),
        certainty=certainty,
        digit_below=digit_below(data_set.test_sha256),
    )
    return registry.register(name, draft, rows["best"], rows["last"])


def _dataset_of(datasets: Datasets, n_classes: int) -> Dataset:
    """Return MNIST, unless it is not of so many classes and there is exactly one data set that is."""
    mnist = datasets.get("mnist")
    found = [each for each in datasets.all() if len(each.classes) == n_classes and not each.made_of]
    if mnist in found or not found:
        return mnist
    if len(found) > 1:
        names = ", ".join(each.name for each in found)
        raise InvalidField(f"Several data sets have {n_classes} classes.", field="dataset", allowed=names)
    return found[0]


def _choose(field: str, found: str | None, given: str | None, allowed: Sequence[str]) -> str:
    """Return the value in the file, or else the one that was given."""
    value = found or given
    if value not in allowed or (found and given not in (None, found)):
        message = f"The file has another {field}." if found else f"The file does not say its {field}."
        raise InvalidField(message, field=field, allowed=found or ", ".join(allowed))
    return str(value)


def _row(function: Model, matrices: Sequence[Floats]) -> Floats:
    tensors = function.layout.tensors
    return function.layout.row({tensor.name: matrix for tensor, matrix in zip(tensors, matrices, strict=True)})


def _measure(function: Model, row: Floats, *parts: tuple[Images, Ints]) -> dict[str, Any]:
    """Return loss and accuracy on the training and the test images, as a check has them."""
    found = []
    for images, y in parts:
        logits = logits_of(function, row, images)
        loss = function.output.losses(logits, y).mean(axis=1, dtype=np.float64)
        found += [float(loss[0]), float(function.output.accuracy(logits, y)[0])]
    if not np.isfinite(found).all():
        raise MalformedInput("The weights are so large that their loss is not finite.")
    return asdict(Check(epoch=0, step=0, **dict(zip(METRICS, found, strict=True))))
