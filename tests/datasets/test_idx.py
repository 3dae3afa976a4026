"""The IDX reader accepts exactly one form, allocates nothing because of a header, and names the fault."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.datasets import parse_idx_images, parse_idx_labels
from service.errors import InvalidDataset

IMAGE = bytes(784)


def idx(*shape: int, data: bytes, kind: int = 0x08, rank: int | None = None, magic: bytes = b"\0\0") -> bytes:
    header = magic + bytes([kind, len(shape) if rank is None else rank])
    return header + struct.pack(f">{len(shape)}I", *shape) + data


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_images_are_read_as_written(n_images: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (n_images, 28, 28), np.uint8)
    images = parse_idx_images(idx(n_images, 28, 28, data=pixels.tobytes()))
    assert images.dtype == np.uint8
    assert not images.flags.writeable
    np.testing.assert_array_equal(images, pixels)


@given(st.lists(st.integers(0, 9), min_size=1))
def test_labels_are_read_as_written(classes: list[int]) -> None:
    labels = parse_idx_labels(idx(len(classes), data=bytes(classes)))
    assert labels.dtype == np.uint8
    assert not labels.flags.writeable
    assert labels.tolist() == classes


HOSTILE_IMAGES = {
    "nothing": b"",
    "half a header": idx(1, 28, 28, data=b"")[:9],
    "a header alone": idx(1, 28, 28, data=b""),
    "magic": idx(1, 28, 28, data=IMAGE, magic=b"\0\1"),
    "signed bytes": idx(1, 28, 28, data=IMAGE, kind=0x09),
    "doubles": idx(1, 28, 28, data=IMAGE * 8, kind=0x0E),
    "rank 1": idx(784, data=IMAGE + bytes(8)),
    "rank 2": idx(1, 784, data=IMAGE + bytes(4)),
    "rank 4": idx(1, 28, 28, 1, data=IMAGE),
    "rank 255": idx(1, 28, 28, data=IMAGE, rank=255),
    "27 rows": idx(1, 27, 28, data=bytes(27 * 28)),
    "transposed blocks": idx(28, 28, 1, data=IMAGE),
    "32 x 32": idx(1, 32, 32, data=bytes(1024)),
    "no images": idx(0, 28, 28, data=b""),
    "no pixels": idx(5, 0, 0, data=b""),
    "one byte short": idx(1, 28, 28, data=IMAGE[1:]),
    "a trailing byte": idx(1, 28, 28, data=IMAGE + b"\0"),
    "2**31 images": idx(2**31, 28, 28, data=bytes(10)),
    "a product that wraps at 64 bits": idx(2**32 - 1, 2**32 - 1, 2**32 - 1, data=bytes(10)),
    "a product that is 0 modulo 2**64": idx(2**31, 2**31, 4, data=b""),
}


@pytest.mark.parametrize("data", HOSTILE_IMAGES.values(), ids=HOSTILE_IMAGES.keys())
def test_hostile_images_are_refused_without_allocation(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(InvalidDataset) as refusal:
        parse_idx_images(data)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 100_000
    assert refusal.value.message.endswith(".")


HOSTILE_LABELS = {
    "nothing": b"",
    "a header alone": idx(3, data=b""),
    "rank 3": idx(1, 28, 28, data=IMAGE),
    "no labels": idx(0, data=b""),
    "one short": idx(3, data=bytes(2)),
    "one more": idx(3, data=bytes(4)),
    "label 10": idx(3, data=bytes([0, 10, 9])),
    "label 255": idx(1, data=b"\xff"),
}


@pytest.mark.parametrize("data", HOSTILE_LABELS.values(), ids=HOSTILE_LABELS.keys())
def test_hostile_labels_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidDataset):
        parse_idx_labels(data)


def test_labels_are_digits() -> None:
    assert parse_idx_labels(idx(2, data=bytes([0, 9]))).tolist() == [0, 9]
    with pytest.raises(InvalidDataset, match="0 to 9"):
        parse_idx_labels(idx(2, data=bytes([0, 10])))


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for parse in (parse_idx_images, parse_idx_labels):
        with contextlib.suppress(InvalidDataset):
            parse(data)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3), st.integers(0, 2_000))
def test_any_declared_shape_is_read_or_refused(shape: list[int], n_bytes: int) -> None:
    data = idx(*shape, data=bytes(n_bytes))
    try:
        images = parse_idx_images(data)
    except InvalidDataset:
        return
    assert images.shape == tuple(shape)
