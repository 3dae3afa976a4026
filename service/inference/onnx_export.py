"""A version as an ONNX file, which other programs run without Inkling."""

from __future__ import annotations

import numpy as np

from service.core import IMAGE_SIDE_PX, N_PIXELS
from service.errors import ExtraMissing
from service.registry import Model

OPSET = 17
_IR_VERSION = 8
"""Of the ONNX format: what runtimes since 2022 read."""


def write_onnx(model: Model) -> bytes:
    """Write the published weights as an ONNX model.

    Its input is ``image``, UINT8 (n, 28, 28), from 0 (background) to 255 (ink); its outputs are ``probabilities``,
    FP32 (n, n_classes), and ``digit``, INT64 (n,): the tensors of the inference protocol. It scales images itself,
    to x / 127.5 - 1, and computes in the weights' type.

    Raises
    ------
    ExtraMissing : the package ``onnx`` is not installed.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper  # noqa: PLC0415 - an extra
    except ImportError:
        raise ExtraMissing("ONNX files need the extra onnx: pip install 'inkling-digits[onnx]'.") from None
    manifest, weights = model.manifest, model.weights
    number = TensorProto.FLOAT if manifest.dtype == "float32" else TensorProto.DOUBLE
    constants = {
        "flat": np.array([-1, N_PIXELS], np.int64),
        "half": np.array(127.5, weights.dtype),
        "one": np.array(1, weights.dtype),
        "weights": np.ascontiguousarray(weights[:N_PIXELS]),
        "bias": weights[N_PIXELS],
        "classes": np.array(manifest.classes, np.int64),
    }
    nodes = [
        helper.make_node("Reshape", ["image", "flat"], ["bytes"]),
        helper.make_node("Cast", ["bytes"], ["pixels"], to=number),
        helper.make_node("Div", ["pixels", "half"], ["doubled"]),
        helper.make_node("Sub", ["doubled", "one"], ["x"]),
        helper.make_node("Gemm", ["x", "weights", "bias"], ["logits"]),
    ]
    if manifest.model == "logistic":
        nodes += [
            helper.make_node("Sigmoid", ["logits"], ["first"]),
            helper.make_node("Neg", ["logits"], ["negated"]),
            helper.make_node("Sigmoid", ["negated"], ["second"]),
            helper.make_node("Concat", ["first", "second"], ["exact"], axis=1),
        ]
    else:
        nodes.append(helper.make_node("Softmax", ["logits"], ["exact"], axis=1))
    nodes += [
        helper.make_node("ArgMax", ["exact"], ["place"], axis=1, keepdims=0),
        helper.make_node("Gather", ["classes", "place"], ["digit"]),
        helper.make_node("Cast", ["exact"], ["probabilities"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        manifest.name,
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", IMAGE_SIDE_PX, IMAGE_SIDE_PX])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(manifest.classes)]),
            helper.make_tensor_value_info("digit", TensorProto.INT64, ["n"]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", OPSET)]
    file = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION, producer_name="inkling")
    helper.set_model_props(file, manifest.provenance())
    checker.check_model(file, full_check=True)
    content: bytes = file.SerializeToString(deterministic=True)
    return content
