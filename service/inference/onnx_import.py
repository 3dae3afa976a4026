"""An ONNX file of dense layers, as other programs write it: read node by node, and never run."""

from typing import Any

import numpy as np

from service.core import Floats
from service.errors import ExtraMissing, MalformedInput, ServiceError

from .dense_layers import DenseLayers

START = b"\x08"
"""The first byte of an ONNX file: the tag of its version."""
_ALLOWED = (
    "Gemm, or MatMul and Add, one after the other, with Relu, Sigmoid or Tanh between them, and Softmax, or for two "
    "classes Sigmoid, at the end"
)
_UNCHANGED = {"Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}
_ACTIVATIONS = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh"}


def read_onnx(content: bytes) -> DenseLayers:
    """Read the layers of a graph that makes logits or probabilities of pixels.

    Numbers that values are scaled with, or that are added to them, become part of the weights. Raises `MalformedInput`
    if it is no ONNX file, computes something else, or keeps its weights in another file; or `ExtraMissing`.
    """
    try:
        import onnx  # noqa: PLC0415 - an extra
    except ImportError:
        raise ExtraMissing("ONNX files need the extra onnx: pip install 'inkling-digits[onnx]'.") from None
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
        elif kind in _ACTIVATIONS and is_after_layer:
            self._activations.append(_ACTIVATIONS[kind])
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
        layers = DenseLayers(
            best=self._matrices,
            last=self._matrices,
            dtype="float32" if self._dtypes == {"float32"} else "float64",
            activation=activations[0] if activations else None,
            input_scaling=input_scaling,
        )
        return layers.each(lambda matrices: matrices)

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
        from onnx import TensorProto, numpy_helper  # noqa: PLC0415 - an extra

        tensor = self._constants[name]
        if tensor.data_location == TensorProto.EXTERNAL:  # its path would be followed
            raise MalformedInput(
                "The ONNX file keeps its weights in another file.", allowed="one file with its weights"
            )
        array = numpy_helper.to_array(tensor)
        if array.size > 1:
            self._dtypes.add(array.dtype.name)
        return np.asarray(array, np.float64)
