"""The gzip reader restores the data, and refuses everything else within its limit."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.datasets import gunzip
from service.errors import InputTooLarge, InvalidDataset

PACKED = gzip.compress(b"ink" * 100, mtime=0)


@given(st.binary(max_size=2_000), st.integers(0, 2_000), st.integers(0, 2_000))
def test_restores_the_data_of_all_members(data: bytes, one: int, other: int) -> None:
    first, last = sorted((one, other))
    assert gunzip(gzip.compress(data), limit_bytes=2_000) == data
    members = b"".join(map(gzip.compress, (data[:first], data[first:last], data[last:])))
    assert gunzip(members, limit_bytes=2_000) == data


def test_many_members_are_refused_before_they_take_long() -> None:
    with pytest.raises(InvalidDataset, match="members"):
        gunzip(gzip.compress(b"") * 100_000, limit_bytes=1_000)


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not gzip at all", id="not gzip"),
        pytest.param(PACKED[:1], id="half a magic number"),
        pytest.param(PACKED[:12], id="cut in the data"),
        pytest.param(PACKED[:-1], id="cut in the trailer"),
        pytest.param(PACKED + b"\0", id="padding"),
        pytest.param(PACKED + PACKED[:-1], id="cut in a second member"),
        pytest.param(PACKED[:-8] + bytes(4) + PACKED[-4:], id="wrong checksum"),
        pytest.param(PACKED[:-4] + bytes(4), id="wrong length"),
    ],
)
def test_refuses_damage(packed: bytes) -> None:
    with pytest.raises(InvalidDataset):
        gunzip(packed, limit_bytes=1_000)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(packed: bytes) -> None:
    with contextlib.suppress(InvalidDataset, InputTooLarge):
        gunzip(packed, limit_bytes=1_000)


def test_every_cut_is_noticed() -> None:
    for length in range(len(PACKED)):
        with pytest.raises(InvalidDataset):
            gunzip(PACKED[:length], limit_bytes=1_000)


def test_the_limit_itself_is_allowed() -> None:
    assert len(gunzip(PACKED, limit_bytes=300)) == 300
    with pytest.raises(InputTooLarge) as refusal:
        gunzip(PACKED, limit_bytes=299)
    assert refusal.value.allowed == "at most 299 bytes expanded"


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    with pytest.raises(InputTooLarge):
        gunzip(bomb, limit_bytes=1_000_000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 4_000_000
