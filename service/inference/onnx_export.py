"""A version as an ONNX file, which other programs run without Inkling."""

import numpy as np

from service.errors import ExtraMissing
from service.registry import Model

OPSET = 17
_IR_VERSION = 8
"""Of the ONNX format: what runtimes since 2022 read."""

_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid"}


def write_onnx(model: Model) -> bytes:
    """Write the published weights as an ONNX model; raise `ExtraMissing` without the package ``onnx``.

    Its input is ``image``, UINT8 (n, height, width), from 0 (background) to 255 (ink); its outputs are
    ``probabilities``, FP32 (n, n_classes), and ``digit``, INT64 (n,): the tensors of the inference protocol. It is
    written from `service.core.Model.operations`, scaling of images included, and computes in the weights' type.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper  # noqa: PLC0415 - an extra
    except ImportError:
        raise ExtraMissing("ONNX files need the extra onnx: pip install 'inkling-digits[onnx]'.") from None
    manifest, function = model.manifest, model.function
    number = TensorProto.FLOAT if manifest.dtype == "float32" else TensorProto.DOUBLE
    constants = {
        "flat": np.array([-1, function.task.n_pixels], np.int64),
        "classes": np.array(manifest.classes, np.int64),
    }
    nodes = [
        helper.make_node("Reshape", ["image", "flat"], ["bytes"]),
        helper.make_node("Cast", ["bytes"], ["pixels"], to=number),
    ]
    tensors, value = function.layout.views(model.parameters), "pixels"
    steps = function.operations()
    for place, step in enumerate(steps):
        before, value = value, "exact" if place == len(steps) - 1 else f"{step.kind}{place}"
        match step.kind:
            case "scale":
                constants |= {f"divisor{place}": np.array(step.divisor, manifest.dtype)}
                constants |= {f"shift{place}": np.array(step.shift, manifest.dtype)}
                nodes.append(helper.make_node("Div", [before, f"divisor{place}"], [f"divided{place}"]))
                nodes.append(helper.make_node("Sub", [f"divided{place}", f"shift{place}"], [value]))
            case "dense":
                weights = tensors[step.tensor or ""]
                names = f"weights{place}", f"bias{place}"
                constants |= dict(zip(names, map(np.ascontiguousarray, (weights[:-1], weights[-1])), strict=True))
                nodes.append(helper.make_node("Gemm", [before, *names], [value]))
            case "binary":
                nodes += [
                    helper.make_node("Sigmoid", [before], ["first"]),
                    helper.make_node("Neg", [before], ["negated"]),
                    helper.make_node("Sigmoid", ["negated"], ["second"]),
                    helper.make_node("Concat", ["first", "second"], [value], axis=1),
                ]
            case "softmax":
                nodes.append(helper.make_node("Softmax", [before], [value], axis=1))
            case "tanh":
                constants |= {f"slope{place}": np.array(step.slope, manifest.dtype)}
                constants |= {f"gain{place}": np.array(step.gain, manifest.dtype)}
                nodes += [
                    helper.make_node("Mul", [before, f"slope{place}"], [f"steep{place}"]),
                    helper.make_node("Tanh", [f"steep{place}"], [f"bent{place}"]),
                    helper.make_node("Mul", [f"bent{place}", f"gain{place}"], [value]),
                ]
            case _:
                nodes.append(helper.make_node(_ACTIVATIONS[step.kind], [before], [value]))
    nodes += [
        helper.make_node("ArgMax", ["exact"], ["place"], axis=1, keepdims=0),
        helper.make_node("Gather", ["classes", "place"], ["digit"]),
        helper.make_node("Cast", ["exact"], ["probabilities"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        manifest.name,
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", *function.task.image_shape])],
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
