"""An inference request, from bytes to images and wishes. Pure: no clock, no files, no server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import InvalidField, MalformedInput
from service.inference import DecodingLimits, images_from_array
from service.inference.mnist_form import Bytes
from service.web.strict_json import parse_json_of_numbers

from .tensors import DATATYPES, DIGIT, INPUT, PROBABILITIES, tensor_from_bytes, tensor_from_values

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_CLASSIFICATION = 1_000_000

_MAX_ID_CHARS = 4096
_MAX_SIDE = 2**31 - 1


class _Strict(BaseModel):
    """What the protocol's JSON may hold. Parameters that mean nothing here, such as a priority, are left alone."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=True)


class _InputParameters(_Strict):
    binary_data_size: Annotated[int, Field(ge=0, le=_MAX_SIDE)] | None = None
    shared_memory_region: None = None


class _Input(_Strict):
    name: Literal["image"]
    datatype: Literal["UINT8", "FP32"]
    shape: Annotated[list[Annotated[int, Field(ge=0, le=_MAX_SIDE)]], Field(min_length=2, max_length=3)]
    parameters: _InputParameters = _InputParameters()
    data: Any = None


class _OutputParameters(_Strict):
    binary_data: bool | None = None
    classification: Annotated[int, Field(ge=0, le=MAX_CLASSIFICATION)] = 0
    shared_memory_region: None = None


class _Output(_Strict):
    name: Literal["probabilities", "digit"]
    parameters: _OutputParameters = _OutputParameters()


class _RequestParameters(_Strict):
    binary_data_output: bool = False


class _Request(_Strict):
    id: Annotated[str, Field(max_length=_MAX_ID_CHARS)] | None = None
    inputs: Annotated[list[_Input], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[_Output], Field(max_length=2)] = []
    parameters: _RequestParameters = _RequestParameters()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedOutput:
    """An output that is asked for.

    Parameters
    ----------
    binary : as bytes after the JSON, rather than in it.
    classification : the most probable classes to name instead of the numbers; 0 for the numbers.
    """

    name: str
    binary: bool
    classification: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InferRequest:
    """What is asked.

    Parameters
    ----------
    id : what the answer repeats, if it was given.
    images : (n_images, 28, 28) uint8.
    outputs : in the order of the answer.
    """

    id: str | None
    images: Bytes
    outputs: tuple[RequestedOutput, ...]


def parse_infer_request(body: bytes, header_length: str | None, limits: DecodingLimits) -> InferRequest:
    """Read an inference request.

    Parameters
    ----------
    body : JSON, or JSON with the bytes of the tensor after it.
    header_length : the length of the JSON in bytes, as the header ``Inference-Header-Content-Length`` says it;
        None where the JSON is all.
    limits : how many images one request may hold.

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
        raise MalformedInput("The bytes after the JSON are not as many as binary_data_size says.")
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
    """Name the field and what it may be; it is one of ours, so nothing that was sent is repeated."""
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
        raise InvalidField("An output is asked for twice.", field="outputs", allowed="each once")
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
