"""ONNX files: a version written as one, which other programs run without Inkling; and theirs, read and never run.

They are read node by node, as far as they are dense layers.
"""

from typing import Any

import numpy as np

from service.core import Floats
from service.errors import ExtraMissing, MalformedInput, ServiceError
from service.registry import Model

from .dense_layers import DenseLayers

OPSET = 17
_IR_VERSION = 8
"""Of the ONNX format: what runtimes since 2022 read."""
START = b"\x08"
"""The first byte of an ONNX file: the tag of its version."""
_ALLOWED = (
    "Gemm, or MatMul and Add, one after the other, with Relu, Sigmoid or Tanh between them, and Softmax, or for two "
    "classes Sigmoid, at the end"
)
_UNCHANGED = {"Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}


def write_onnx(model: Model) -> bytes:
    """Write the published weights as an ONNX model; raise `ExtraMissing` without the package ``onnx``.

    Its input is ``image``, UINT8 (n, height, width), from 0 (background) to 255 (ink); its outputs are
    ``probabilities``, FP32 (n, n_classes), and ``digit``, INT64 (n,): the tensors of the inference protocol. It is
    written from `service.core.Model.operations`, scaling of images included, and computes in the weights' type.
    """
    onnx = _import_onnx()
    helper, types = onnx.helper, onnx.TensorProto
    manifest, function = model.manifest, model.function
    nodes: list[Any] = []
    constants = {
        "flat": np.array([-1, function.task.n_pixels], np.int64),
        "classes": np.array(manifest.classes, np.int64),
    }

    def add(kind: str, inputs: list[str], output: str, **options: int) -> None:
        nodes.append(helper.make_node(kind, inputs, [output], **options))

    def constant(name: str, value: Any) -> str:
        constants[name] = np.array(value, manifest.dtype, order="C")
        return name

    add("Reshape", ["image", "flat"], "bytes")
    add("Cast", ["bytes"], "pixels", to=types.FLOAT if manifest.dtype == "float32" else types.DOUBLE)
    tensors, value = function.layout.views(model.parameters), "pixels"
    steps = function.operations()
    for place, step in enumerate(steps):
        before, value = value, "exact" if place == len(steps) - 1 else f"{step.kind}{place}"
        match step.kind:
            case "scale":
                divisor, shift = constant(f"divisor{place}", step.divisor), constant(f"shift{place}", step.shift)
                add("Div", [before, divisor], f"divided{place}")
                add("Sub", [f"divided{place}", shift], value)
            case "dense":
                weights = tensors[step.tensor or ""]
                matrix, bias = constant(f"weights{place}", weights[:-1]), constant(f"bias{place}", weights[-1])
                add("Gemm", [before, matrix, bias], value)
            case "binary":
                add("Sigmoid", [before], "first")
                add("Neg", [before], "negated")
                add("Sigmoid", ["negated"], "second")
                add("Concat", ["first", "second"], value, axis=1)
            case "softmax":
                add("Softmax", [before], value, axis=1)
            case "tanh":
                slope, gain = constant(f"slope{place}", step.slope), constant(f"gain{place}", step.gain)
                add("Mul", [before, slope], f"steep{place}")
                add("Tanh", [f"steep{place}"], f"bent{place}")
                add("Mul", [f"bent{place}", gain], value)
            case _:
                add(_ACTIVATIONS[step.kind], [before], value)
    add("ArgMax", ["exact"], "place", axis=1, keepdims=0)
    add("Gather", ["classes", "place"], "digit")
    add("Cast", ["exact"], "probabilities", to=types.FLOAT)
    graph = helper.make_graph(
        nodes,
        manifest.name,
        [helper.make_tensor_value_info("image", types.UINT8, ["n", *function.task.image_shape])],
        [
            helper.make_tensor_value_info("probabilities", types.FLOAT, ["n", len(manifest.classes)]),
            helper.make_tensor_value_info("digit", types.INT64, ["n"]),
        ],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", OPSET)]
    file = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION, producer_name="inkling")
    helper.set_model_props(file, manifest.provenance())
    onnx.checker.check_model(file, full_check=True)
    content: bytes = file.SerializeToString(deterministic=True)
    return content


def read_onnx(content: bytes) -> DenseLayers:
    """Read the layers of a graph that makes logits or probabilities of pixels.

    Numbers that values are scaled with, or that are added to them, become part of the weights. Raises `MalformedInput`
    if it is no ONNX file, computes something else, or keeps its weights in another file; or `ExtraMissing`.
    """
    onnx = _import_onnx()
    try:
        graph = onnx.load_model_from_string(content).graph
        constants = {tensor.name: tensor for tensor in graph.initializer}
        image = next(each for each in graph.input if each.name not in constants)
        chain = _Chain(constants, image.name)
        for node in graph.node:
            if node.op_type == "Constant":
                constants[node.output[0]] = node.attribute[0].t
            elif chain.value in node.input and not chain.is_over:
                chain.follow(node)
        takes_bytes = image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
        return chain.layers("bytes" if takes_bytes else None)
    except ServiceError:
        raise
    except Exception as error:  # a parser that is given hostile bytes may raise anything
        raise MalformedInput("The file is not an ONNX file of dense layers.", allowed=_ALLOWED) from error


def _import_onnx() -> Any:
    try:
        import onnx.checker  # noqa: PLC0415 - an extra
        import onnx.helper  # noqa: PLC0415
        import onnx.numpy_helper  # noqa: PLC0415
    except ImportError:
        raise ExtraMissing("ONNX files need the extra onnx: pip install 'inkling-digits[onnx]'.") from None
    return onnx


class _Chain:
    """The layers that a value went through; the next one takes ``gain * value + offset``."""

    def __init__(self, constants: dict[str, Any], value: str) -> None:
        self.value = value
        self.is_over = False
        self._constants = constants
        self._matrices: list[Floats] = []
        self._activations: list[str] = []
        self._dtypes: set[str] = set()
        self._gain, self._offset = 1.0, 0.0

    def follow(self, node: Any) -> None:
        """Add what a node does to the value."""
        kind = node.op_type
        is_after_layer = len(self._matrices) > len(self._activations)
        if kind in ("Gemm", "MatMul") and not is_after_layer and node.input[0] == self.value:
            self._add_layer(node)
        elif kind == "Softmax" and is_after_layer:
            self.is_over = True
        elif self._ends_in_sigmoid:
            self.is_over = kind not in _UNCHANGED  # the rest makes labels of the probability
        elif kind in _ACTIVATIONS.values() and is_after_layer:
            self._activations.append(kind.lower())
        elif kind in ("Add", "Mul") or (kind in ("Sub", "Div") and node.input[0] == self.value):
            self._add_numbers(kind, node, is_after_layer=is_after_layer)
        elif kind not in _UNCHANGED:
            raise MalformedInput("The ONNX file computes something else.", allowed=_ALLOWED)
        self.value = node.output[0]

    def layers(self, input_scaling: str | None) -> DenseLayers:
        """Return all of them."""
        activations = self._activations[:-1] if self._ends_in_sigmoid else self._activations
        if len(self._matrices) != len(activations) + 1 or len(set(activations)) > 1:
            raise MalformedInput("The layers have several activations, or another output.", allowed=_ALLOWED)
        return DenseLayers(
            matrices=self._matrices,
            dtype="float32" if self._dtypes == {"float32"} else "float64",
            activation=activations[0] if activations else None,
            input_scaling=input_scaling,
        )

    @property
    def _ends_in_sigmoid(self) -> bool:
        is_active = len(self._matrices) == len(self._activations) and bool(self._matrices)
        return is_active and self._activations[-1] == "sigmoid" and self._matrices[-1].shape[1] == 1

    def _add_layer(self, node: Any) -> None:
        options = {each.name: each for each in node.attribute}
        plain = all(options[name].f == 1 for name in ("alpha", "beta") if name in options)
        if not plain or ("transA" in options and options["transA"].i):
            raise MalformedInput("The ONNX file computes something else.", allowed=_ALLOWED)
        weights = self._constant(node.input[1])
        if "transB" in options and options["transB"].i:
            weights = weights.T
        bias = self._constant(node.input[2]).reshape(-1) if len(node.input) > 2 else np.zeros(1)
        bias = bias + self._offset * weights.sum(axis=0)
        self._matrices.append(np.vstack((self._gain * weights, bias)))
        self._gain, self._offset = 1.0, 0.0

    def _add_numbers(self, kind: str, node: Any, *, is_after_layer: bool) -> None:
        numbers = self._constant(next(name for name in node.input if name != self.value)).reshape(-1)
        factor = numbers if kind == "Mul" else 1 / numbers if kind == "Div" else 1.0
        summand = numbers if kind == "Add" else -numbers if kind == "Sub" else 0.0
        if is_after_layer:
            self._matrices[-1] *= factor
            self._matrices[-1][-1] += summand
        else:
            self._gain *= np.asarray(factor).item()  # of many, it is a ValueError
            self._offset = (self._offset * np.asarray(factor) + summand).item()

    def _constant(self, name: str) -> Floats:
        onnx, tensor = _import_onnx(), self._constants[name]
        if tensor.data_location == onnx.TensorProto.EXTERNAL:  # its path would be followed
            raise MalformedInput(
                "The ONNX file keeps its weights in another file.", allowed="one file with its weights"
            )
        array = onnx.numpy_helper.to_array(tensor)
        if array.size > 1:
            self._dtypes.add(array.dtype.name)
        return np.asarray(array, np.float64)
