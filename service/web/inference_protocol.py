"""The Open Inference Protocol, version 2, as Triton, KServe and their clients use it: between bytes and arrays.

Pure functions; the routes are in `service.web.routes.inference_protocol`. Every error under ``/v2`` is
``{"error": "..."}``, which `service.web.problems` writes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.core import IMAGE_SIDE_PX, N_PIXELS, Floats, Ints
from service.errors import InvalidField, MalformedInput
from service.inference import DecodingLimits, array_from_values, image_bytes, images_from_array
from service.inference.mnist_form import Bytes
from service.registry import Manifest

from .strict_json import parse_json_of_numbers

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_CLASSIFICATION = 1_000_000

_MAX_ID_CHARS = 4096
_MAX_SIDE = 2**31 - 1

INPUT = "image"
PROBABILITIES = "probabilities"
DIGIT = "digit"
DATATYPES: Mapping[str, np.dtype[Any]] = {"UINT8": np.dtype("u1"), "FP32": np.dtype("<f4")}
"""Of the input. Both hold pixels from 0 (background) to 255 (ink)."""

_SHAPES = f"[n, {IMAGE_SIDE_PX}, {IMAGE_SIDE_PX}] or [n, {N_PIXELS}], n at least 1"


class _Strict(BaseModel):
    """What the protocol's JSON may hold. Parameters that mean nothing here, such as a priority, are left alone."""

    # Frozen, so that no request copies the defaults.
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=True, frozen=True)


class _InputParameters(_Strict):
    binary_data_size: Annotated[int, Field(ge=0, le=_MAX_SIDE)] | None = None
    shared_memory_region: None = None


class _Input(_Strict):
    name: Literal["image"]
    datatype: Literal["UINT8", "FP32"]
    shape: list[Annotated[int, Field(ge=0, le=_MAX_SIDE)]] = Field(min_length=2, max_length=3)
    parameters: _InputParameters = _InputParameters()
    data: Any = None


class _OutputParameters(_Strict):
    binary_data: bool | None = None
    classification: int = Field(0, ge=0, le=MAX_CLASSIFICATION)
    shared_memory_region: None = None


class _Output(_Strict):
    name: Literal["probabilities", "digit"]
    parameters: _OutputParameters = _OutputParameters()


class _RequestParameters(_Strict):
    binary_data_output: bool = False


class _Request(_Strict):
    id: Annotated[str, Field(max_length=_MAX_ID_CHARS)] | None = None
    inputs: list[_Input] = Field(min_length=1, max_length=1)
    outputs: list[_Output] = Field([], max_length=2)
    parameters: _RequestParameters = _RequestParameters()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedOutput:
    """A requested output, as bytes after the JSON if it is ``binary``.

    Instead of the numbers so many of the most probable classes are named as ``classification`` says, if it is not 0.
    """

    name: str
    binary: bool
    classification: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InferRequest:
    """A parsed request: images (n_images, 28, 28) uint8, outputs in the order of the answer, which repeats the id."""

    id: str | None
    images: Bytes
    outputs: tuple[RequestedOutput, ...]


def parse_infer_request(body: bytes, header_length: str | None, limits: DecodingLimits) -> InferRequest:
    """Read an inference request: JSON, with the bytes of the tensor after it if there is a ``header_length``.

    That is the length of the JSON in bytes, as the header ``Inference-Header-Content-Length`` gives it.

    Raises
    ------
    MalformedInput, InvalidInput : it is not JSON of this form, or not followed by exactly the bytes it states.
    InvalidField : a name, datatype, shape or number is not one of this model's.
    InputTooLarge : there are more images than the limit.
    """
    json_bytes = len(body) if header_length is None else _length(header_length, len(body))
    request = _validated(parse_json_of_numbers(body[:json_bytes]))
    (given,) = request.inputs
    rest = memoryview(body)[json_bytes:]
    if given.parameters.binary_data_size is None:
        if len(rest):
            raise MalformedInput("There are bytes after the JSON, and no input takes them.")
        array = tensor_from_values(given.data, given.datatype, given.shape)
    elif given.data is not None:
        raise InvalidField("An input has either data or binary_data_size.", field="data", allowed="one of them")
    elif given.parameters.binary_data_size != len(rest):
        raise MalformedInput("The number of bytes after the JSON is not binary_data_size.")
    else:
        array = tensor_from_bytes(rest, given.datatype, given.shape)
    return InferRequest(id=request.id, images=images_from_array(array, limits, field="data"), outputs=_outputs(request))


def _length(text: str, available: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and 0 < int(text) <= available):
        raise MalformedInput(
            f"{HEADER_LENGTH} is not the length of a JSON header in this body.", allowed="1 to the length of the body"
        )
    return int(text)


def _validated(value: Any) -> _Request:
    try:
        return _Request.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise _refusal(found["loc"]) from None


_ALLOWED = {
    "id": f"a string of at most {_MAX_ID_CHARS:,} characters",
    "inputs": "one input",
    "outputs": f"a list of {PROBABILITIES} and {DIGIT}",
    "datatype": " or ".join(DATATYPES),
    "shape": "[n, 28, 28] or [n, 784]",
    "parameters": "an object",
    "binary_data_size": "a number of bytes",
    "binary_data": "true or false",
    "binary_data_output": "true or false",
    "classification": f"0 to {MAX_CLASSIFICATION:,}",
    "shared_memory_region": "not given: there is no shared memory here",
}


def _refusal(location: Sequence[int | str]) -> InvalidField:
    """Name the field and its legal values; nothing that was sent is repeated."""
    names = [part for part in location if isinstance(part, str)]
    if not names:
        return InvalidField("The request must be a JSON object.", allowed='{"inputs": [...]}')
    field = names[-1]
    allowed = (INPUT if names[0] == "inputs" else f"{PROBABILITIES} or {DIGIT}") if field == "name" else _ALLOWED[field]
    return InvalidField(f"{'.'.join(names)} is missing or cannot be used.", field=field, allowed=allowed)


def _outputs(request: _Request) -> tuple[RequestedOutput, ...]:
    default = request.parameters.binary_data_output
    if not request.outputs:
        return tuple(RequestedOutput(name=name, binary=default) for name in (PROBABILITIES, DIGIT))
    names = [output.name for output in request.outputs]
    if len(set(names)) != len(names):
        raise InvalidField("An output is requested twice.", field="outputs", allowed="each once")
    if any(output.name == DIGIT and output.parameters.classification for output in request.outputs):
        raise InvalidField("digit has no classes to choose from.", field="classification", allowed=PROBABILITIES)
    return tuple(
        RequestedOutput(
            name=output.name,
            binary=default if output.parameters.binary_data is None else output.parameters.binary_data,
            classification=output.parameters.classification,
        )
        for output in request.outputs
    )


def write_infer_response(
    request: InferRequest, manifest: Manifest, labels: Ints, probabilities: Floats
) -> tuple[bytes, int | None]:
    """Write the requested outputs of labels, (n_images,), and probabilities, (n_images, n_classes).

    Return the JSON with the bytes of the binary outputs after it, and the length of the JSON; None where it is all.
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


def check_shape(shape: Sequence[int]) -> int:
    """Return how many numbers an image tensor holds; raise `InvalidField` unless [n, 28, 28] or [n, 784], n > 0."""
    if tuple(shape[1:]) not in ((IMAGE_SIDE_PX, IMAGE_SIDE_PX), (N_PIXELS,)) or shape[0] < 1:
        raise InvalidField("The shape of image is not that of images.", field="shape", allowed=_SHAPES)
    return math.prod(shape)  # of Python's integers, which do not overflow


def tensor_from_bytes(data: memoryview, datatype: str, shape: Sequence[int]) -> NDArray[Any]:
    """Take the bytes of the binary extension, little-endian and row by row, for an array; nothing is copied.

    Raise `InvalidField` if the shape is not that of images, or the bytes are not exactly as many as it takes.
    """
    dtype = DATATYPES[datatype]
    n_bytes = check_shape(shape) * dtype.itemsize
    if n_bytes != len(data):
        raise InvalidField(
            "binary_data_size does not match shape and datatype.", field="binary_data_size", allowed=f"{n_bytes:,}"
        )
    return np.frombuffer(data, dtype).reshape(shape)


def tensor_from_values(values: Any, datatype: str, shape: Sequence[int]) -> NDArray[Any]:
    """Take JSON's numbers, flat or in lists of lists, for an array.

    Raise `InvalidField` if the shape is not that of images, or there are not exactly as many numbers of the datatype.
    """
    n_numbers = check_shape(shape)
    if datatype == "UINT8" and n_numbers == N_PIXELS and (content := image_bytes(values)) is not None:
        return np.frombuffer(content, np.uint8).reshape(shape)
    allowed = f"{n_numbers:,} numbers"
    array = array_from_values(values, field="data", allowed=allowed)
    if array.size != n_numbers or (array.ndim > 1 and array.shape != tuple(shape)):
        raise InvalidField("data does not have the shape that it states.", field="data", allowed=allowed)
    if datatype == "UINT8" and not (array == np.trunc(array)).all():
        raise InvalidField("data of the datatype UINT8 must be whole numbers.", field="data", allowed="0 to 255")
    return array.reshape(shape)


def bytes_of_texts(texts: Sequence[str]) -> bytes:
    """Return a BYTES tensor as the binary extension has it: each element after its length, 4 bytes little-endian."""
    encoded = [text.encode() for text in texts]
    return b"".join(len(text).to_bytes(4, "little") + text for text in encoded)
