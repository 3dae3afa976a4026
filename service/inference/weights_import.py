"""Weights that were trained elsewhere, or exported from another Inkling, as a version of a model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from service.core import MODELS, N_FEATURES, Check, Floats, TrainingConfig, TrainingData
from service.core.npz import ArraySpec, read_npz
from service.datasets import Dataset, split
from service.errors import Corrupted, InvalidField, MalformedInput
from service.registry import Manifest, ModelDraft, Registry, check_model_name

_SPEC = ArraySpec(shape=(N_FEATURES, None), dtypes=("float32", "float64"))
_ALLOWED = f"an uncompressed .npz file with the arrays best and last, ({N_FEATURES}, n_outputs), float32 or float64"


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
    content : a ``.npz`` file with ``best`` and ``last``, (785, n_outputs), finite; one output is logistic regression.
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
    model: Literal["logistic", "softmax"] = "logistic" if best.shape[1] == 1 else "softmax"
    labels = tuple(classes) or dataset.classes
    n_classes = 2 if model == "logistic" else best.shape[1]
    if len(labels) != n_classes:
        raise InvalidField("The weights tell another number of classes.", field="classes", allowed=f"{n_classes}")
    dtype: Any = best.dtype.name
    config = TrainingConfig(model=model, classes=labels, dtype=dtype, publish=published)
    data = split(dataset, config)
    checks = {which: _measure(model, weights, data) for which, weights in arrays.items()}
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
    return registry.register(name, draft, best, last)


def _measure(model: str, weights: Floats, data: TrainingData) -> dict[str, Any]:
    """Return loss and accuracy on both parts, as a check has them."""
    found = []
    for x, y in ((data.x_train, data.y_train), (data.x_validation, data.y_validation)):
        logits = (weights.T @ x.T)[np.newaxis]
        found += [float(MODELS[model].loss(logits, y)[0]), float(MODELS[model].accuracy(logits, y)[0])]
    names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    return Check(epoch=0, step=0, **dict(zip(names, found, strict=True))).to_dict()
