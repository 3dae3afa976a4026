"""The ``.npy`` reader against NumPy's own, and against false headers."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from service.core.npy import read_npy
from service.errors import InputTooLarge, InvalidField, InvalidInput, MalformedInput
from service.inference import DecodingLimits, decode_upload

DTYPES = ["u1", "i1", "<u2", ">u2", "<i4", ">i8", "<f2", "<f4", ">f4", "<f8", ">f8"]
SHAPES = [(784,), (1, 784), (3, 784), (28, 28), (2, 28, 28), (2, 28, 28, 1)]


def npy(array: NDArray[Any], version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version, allow_pickle=False)
    return file.getvalue()


def with_header(header: str, data: bytes = b"", version: bytes = b"\x01\0") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(header)) + header.encode("latin-1") + data


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_pixels_are_unchanged(dtype: str, shape: tuple[int, ...], order: Any) -> None:
    values = np.random.default_rng(0).integers(0, 128, shape)
    inputs = decode_upload(npy(np.asarray(values, dtype, order=order)), "application/octet-stream")
    assert inputs.images.dtype == np.uint8
    assert inputs.images.tolist() == values.reshape(-1, 28, 28).tolist()
    assert set(inputs.steps) == {("used as given",)}


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_format_is_read(version: tuple[int, int]) -> None:
    values = np.arange(784, dtype=np.uint8)
    assert (read_npy(npy(values, version)) == values).all()


@given(hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(max_dims=3, max_side=4), elements=st.integers(0, 100)))
def test_what_numpy_writes_is_what_is_read(array: NDArray[Any]) -> None:
    read = read_npy(npy(array))
    assert read.dtype == array.dtype and read.shape == array.shape and (read == array).all()


GOOD = "{'descr': '|u1', 'fortran_order': False, 'shape': (784,), }"


@pytest.mark.parametrize(
    "header",
    [
        GOOD.replace("'|u1'", "'|O'"),
        GOOD.replace("'|u1'", "'<U4'"),
        GOOD.replace("'|u1'", "'|b1'"),
        GOOD.replace("'|u1'", "'<c8'"),
        GOOD.replace("'|u1'", "'<f16'"),
        GOOD.replace("'|u1'", "[('a', '|u1')]"),
        GOOD.replace("(784,)", "(-784,)"),
        GOOD.replace("(784,)", "(1, -1, 784)"),
        GOOD.replace("(784,)", "()"),
        GOOD.replace("(784,)", "(784)"),
        GOOD.replace("(784,)", "(1, 1, 1, 28, 28)"),
        GOOD.replace("(784,)", "(999999999, 999999999, 999999999)"),
        GOOD.replace("(784,)", "(4294967296, 4294967296)"),
        GOOD.replace("(784,)", "(True, 784)"),
        GOOD.replace("(784,)", "(785,)"),
        GOOD.replace("(784,)", "(783,)"),
        GOOD.replace("False", "0"),
        GOOD.replace("False", "__import__('os')"),
        GOOD.replace(", }", ", 'more': 1}"),
        GOOD + GOOD,
        "(" * 500,
        "",
        "\xff" * 20,
    ],
)
def test_a_header_that_numpy_would_not_read_is_refused(header: str) -> None:
    with pytest.raises(MalformedInput):
        decode_upload(with_header(header, bytes(784)))


@pytest.mark.parametrize(
    "header",
    [
        "{'shape': (1, 784), 'fortran_order': False, 'descr': '|u1'}",
        '{"descr": "|u1", "fortran_order": False, "shape": (1, 784)}',
        "{'descr': 'u1', 'fortran_order': False, 'shape': (1L, 784L)}",
        "{'descr':'|u1','fortran_order':True,'shape':(1,28,28,1)}  \n",
    ],
)
def test_a_header_of_another_writer_is_read_as_numpy_reads_it(header: str) -> None:
    content = with_header(header, bytes(range(196)) * 4)
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of NumPy, about headers of Python 2
        expected = np.load(io.BytesIO(content))
    assert (decode_upload(content).images == expected.reshape(1, 28, 28)).all()


@pytest.mark.parametrize("shape", [(0, 784), (784, 0), (0, 28, 28), (0, 999999999, 999999999, 999999999), ()])
def test_an_array_without_pixels_of_any_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput):
        decode_upload(with_header(GOOD.replace("(784,)", str(shape)), bytes(shape == ())))


def test_bytes_must_be_exactly_as_many_as_declared() -> None:
    content = npy(np.zeros((2, 784), np.uint8))
    for damaged in (content[:-1], content + b"\0", content[:64], content[:9], content[:6]):
        with pytest.raises(MalformedInput):
            decode_upload(damaged)
    with pytest.raises(MalformedInput):
        decode_upload(with_header(GOOD, bytes(784), version=b"\x04\0"))
    with pytest.raises(MalformedInput):
        decode_upload(with_header(GOOD, bytes(784), version=b"\x01\1"))
    with pytest.raises(MalformedInput, match="longer"):
        decode_upload(with_header(GOOD + " " * 2000, bytes(784)))


@pytest.mark.parametrize("value", [-1, 255.5, 256, 1e30, np.nan, np.inf, -np.inf])
def test_values_out_of_range_are_refused(value: float) -> None:
    values = np.zeros(784)
    values[700] = value
    with pytest.raises(InvalidField) as caught:
        decode_upload(npy(values))
    assert caught.value.allowed is not None and "0" in caught.value.allowed and "255" in caught.value.allowed


@pytest.mark.parametrize("shape", [(27, 28), (785,), (28, 784, 1)])
def test_shapes_that_are_no_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidField):
        decode_upload(npy(np.zeros(shape, np.uint8)))


def test_the_number_of_images_is_limited() -> None:
    with pytest.raises(InputTooLarge):
        decode_upload(npy(np.zeros((3, 784), np.uint8)), limits=DecodingLimits(max_images_per_request=2))


@given(st.binary(max_size=300))
def test_anything_after_the_magic_is_read_or_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_upload(b"\x93NUMPY" + content)


@given(position=st.integers(6, 127), byte=st.integers(0, 255))
def test_a_damaged_header_is_read_or_refused(position: int, byte: int) -> None:
    content = bytearray(npy(np.zeros((1, 28, 28), np.float32)))
    content[position] = byte
    with contextlib.suppress(InvalidInput):
        assert decode_upload(bytes(content)).images.shape == (1, 28, 28)
