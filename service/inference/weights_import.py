"""Weights that were trained elsewhere, or exported from another Inkling, as a version of a model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from service.core import DIGITS, MODELS, Check, Floats, Model, TrainingConfig, TrainingData
from service.core.npz import ArraySpec, read_npz
from service.datasets import Dataset, split
from service.errors import Corrupted, InvalidField, MalformedInput
from service.registry import Manifest, ModelDraft, Registry, check_model_name, weight_row

_SPEC = ArraySpec(shape=(DIGITS.n_inputs, None), dtypes=("float32", "float64"))
_ALLOWED = (
    f"an uncompressed .npz file with the arrays best and last, ({DIGITS.n_inputs}, n_outputs), float32 or float64"
)
_BINARY, _MULTICLASS = "logistic", "softmax"


def import_weights(
    registry: Registry,
    content: bytes,
    *,
    name: str,
    classes: Sequence[int],
    published: Literal["best", "last"],
    dataset: Dataset,
) -> Manifest:
    """Make the next version of a model of a weight file, as `Registry.register` does of a training.

    How it was trained is not known. Its metrics are measured now, on the first 20,000 training images and the test
    images of the data set, with epoch and step 0.

    Parameters
    ----------
    content : a ``.npz`` file with ``best`` and ``last``, (n_inputs, n_outputs), finite; one output is logistic.
    classes : the label of each output, of logistic regression the two, the positive one first; all of the data set
        if there are none.
    published : which of the two sets of weights predictions use.

    Raises
    ------
    MalformedInput : the file is not such a one.
    InvalidField : the name cannot be a model's, or the classes do not fit the weights or the data set.
    """
    check_model_name(name)
    try:
        arrays = read_npz(content, {"best": _SPEC, "last": _SPEC})
    except Corrupted as error:
        raise MalformedInput(error.message, allowed=_ALLOWED) from None
    best, last = arrays["best"], arrays["last"]
    if (best.shape, best.dtype) != (last.shape, last.dtype) or not best.shape[1]:
        raise MalformedInput("The two arrays differ in shape or type, or are empty.", allowed=_ALLOWED)
    model = _BINARY if best.shape[1] == 1 else _MULTICLASS
    labels = tuple(classes) or dataset.classes
    n_classes = 2 if MODELS[model].output.is_binary else best.shape[1]
    if len(labels) != n_classes:
        raise InvalidField("The weights are for another number of classes.", field="classes", allowed=f"{n_classes}")
    dtype: Any = best.dtype.name
    config = TrainingConfig(model=model, classes=labels, dtype=dtype, publish=published)
    data = split(dataset, config)
    function = config.build_model()
    rows = {which: weight_row(function.layout, arrays, which) for which in arrays}
    checks = {which: _measure(function, row, data) for which, row in rows.items()}
    draft = ModelDraft(
        model=model,
        classes=config.classes,
        class_names=dataset.names_of(config.classes),
        dtype=dtype,
        published=published,
        config={"model": model, "classes": list(config.classes), "dtype": dtype, "publish": published},
        dataset={"name": dataset.name, "sha256": dataset.sha256},
        metrics={**checks, "published": checks[published]},
        stop_reason="imported",
        environment={},
        job_id=None,
        created_at=datetime.now(UTC),
    )
    return registry.register(name, draft, rows["best"], rows["last"])


def _measure(function: Model, row: Floats, data: TrainingData) -> dict[str, Any]:
    """Return loss and accuracy on both parts, as a check has them."""
    found = []
    for x, y in ((data.x_train, data.y_train), (data.x_validation, data.y_validation)):
        logits = function.joint_logits(row[np.newaxis], x)
        loss = function.output.losses(logits, y).mean(axis=1, dtype=np.float64)
        found += [float(loss[0]), float(function.output.accuracy(logits, y)[0])]
    names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    return Check(epoch=0, step=0, **dict(zip(names, found, strict=True))).to_dict()
