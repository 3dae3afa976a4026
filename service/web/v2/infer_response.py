"""An inference response, from what a model said to bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from service.core import Floats, Ints
from service.registry import Manifest

from .infer_request import InferRequest, RequestedOutput
from .tensors import PROBABILITIES, bytes_of_texts


def write_infer_response(
    request: InferRequest, manifest: Manifest, labels: Ints, probabilities: Floats
) -> tuple[bytes, int | None]:
    """Write what was asked for.

    Parameters
    ----------
    labels : (n_images,) int64.
    probabilities : (n_images, n_classes), in the order of the manifest's classes.

    Returns
    -------
    body : JSON, with the bytes of the binary outputs after it.
    header_length : of the JSON, in bytes; None where it is all.
    """
    outputs: list[dict[str, Any]] = []
    tails: list[bytes] = []
    for wanted in request.outputs:
        output, tail, values = _tensor(wanted, manifest, labels, probabilities)
        if wanted.binary:
            output["parameters"] = {"binary_data_size": len(tail)}
            tails.append(tail)
        else:
            output["data"] = values
        outputs.append(output)
    header: dict[str, Any] = {
        "model_name": manifest.name,
        "model_version": str(manifest.version),
        **({} if request.id is None else {"id": request.id}),
        "outputs": outputs,
    }
    text = orjson.dumps(header)
    return b"".join((text, *tails)), len(text) if tails else None


def _tensor(
    wanted: RequestedOutput, manifest: Manifest, labels: Ints, probabilities: Floats
) -> tuple[dict[str, Any], bytes, list[Any]]:
    """Return an output's name, datatype and shape, its bytes, and its values for JSON: only one of them is made."""
    if wanted.name != PROBABILITIES:
        datatype, array = "INT64", labels.astype("<i8", copy=False)
    elif wanted.classification:
        texts = _classification(manifest, probabilities, wanted.classification)
        shape = [len(texts), len(texts[0])]
        flat = [text for row in texts for text in row]
        output = {"name": wanted.name, "datatype": "BYTES", "shape": shape}
        return output, bytes_of_texts(flat) if wanted.binary else b"", flat
    else:
        datatype, array = "FP32", probabilities.astype("<f4", copy=False)
    output = {"name": wanted.name, "datatype": datatype, "shape": list(array.shape)}
    return output, array.tobytes() if wanted.binary else b"", [] if wanted.binary else array.ravel().tolist()


def _classification(manifest: Manifest, probabilities: Floats, n_classes: int) -> list[list[str]]:
    """Return for each image its most probable classes as ``probability:index:name``, at most all there are."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :n_classes]
    return [
        [f"{row[index]:f}:{index}:{manifest.class_names[index]}" for index in order]
        for row, order in zip(probabilities.tolist(), best.tolist(), strict=True)
    ]
