"""Weight files and checkpoints: the same bytes every time, and nothing believed when they are read."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from service.core.npz import ArraySpec, read_npz, write_npz
from service.errors import Corrupted

WEIGHTS = ArraySpec((785, None), "float32")
BOTH = {"best": WEIGHTS, "last": WEIGHTS}


@pytest.fixture
def weights() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {name: rng.normal(size=(785, 10)).astype(np.float32) for name in ("best", "last")}


def npy(array: Any, **kwargs: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), **kwargs)
    return file.getvalue()


def header(text: str, *, n_bytes: int = 118, version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", n_bytes) + text.ljust(n_bytes - 1).encode() + b"\n"


def archive(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as opened:
        for name, content in members:
            opened.writestr(zipfile.ZipInfo(name), content, compression)
    return file.getvalue()


def test_what_is_written_is_read_back(weights: dict[str, Any]) -> None:
    arrays = {
        **weights,
        "step": np.array(1038),
        "norm": np.array(4.89),
        "none": np.zeros((0, 3), np.int64),
        "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big_endian": np.arange(3, dtype=">f4"),
    }
    specs = {
        **BOTH,
        "step": ArraySpec((), "int64"),
        "norm": ArraySpec((), "float64"),
        "none": ArraySpec((None, 3), "int64"),
        "turned": ArraySpec((2, 3), "float64"),
        "big_endian": ArraySpec((3,), "float32"),
    }

    read = read_npz(write_npz(arrays), specs)

    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array, strict=name != "big_endian")
        assert not read[name].flags.writeable


def test_the_same_arrays_give_the_same_bytes(weights: dict[str, Any]) -> None:
    data = write_npz(weights)
    turned = {name: np.asfortranarray(array) for name, array in reversed(weights.items())}
    assert write_npz(turned) == data


def test_numpy_reads_what_is_written_and_the_other_way_round(weights: dict[str, Any]) -> None:
    with np.load(io.BytesIO(write_npz(weights)), allow_pickle=False) as loaded:
        np.testing.assert_array_equal(loaded["best"], weights["best"])
    file = io.BytesIO()
    np.savez(file, **weights)
    np.testing.assert_array_equal(read_npz(file.getvalue(), BOTH)["last"], weights["last"])


@pytest.mark.parametrize(
    "arrays",
    [{"../best": np.zeros(1)}, {"a": np.array(["x"])}, {"a": np.array([None])}, {"a": np.zeros(1, ">u2")}],
)
def test_the_writer_refuses_names_and_types_that_the_reader_would(arrays: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        write_npz(arrays)


def test_a_spec_is_checked() -> None:
    with pytest.raises(ValueError, match="dtype must be"):
        ArraySpec((1,), "object")


GOOD = npy(np.ones((785, 10), np.float32))
PLAIN = "{'descr': '<f4', 'fortran_order': False, 'shape': (785, 10), }"


def with_last(content: bytes) -> bytes:
    return archive(("best.npy", GOOD), ("last.npy", content))


def encrypted() -> bytes:
    data = bytearray(with_last(GOOD))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := data.find(signature, start + 1)) >= 0:
            data[start + offset] |= 1
    return bytes(data)


def bad_crc() -> bytes:
    data = bytearray(with_last(GOOD))
    data[data.find(GOOD) + len(GOOD) - 1] ^= 1
    return bytes(data)


def unknown_method() -> bytes:
    data = bytearray(with_last(GOOD))
    for signature, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.rfind(signature) + offset] = 99
    return bytes(data)


def declares_a_terabyte() -> bytes:
    data = bytearray(with_last(GOOD))
    entry = data.rfind(b"PK\x01\x02")
    data[entry + 20 : entry + 28] = b"\xf0\xff\xff\xff" * 2
    return bytes(data)


def duplicate() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return archive(("best.npy", GOOD), ("best.npy", GOOD), ("last.npy", GOOD))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "not a zip": lambda: b"x" * 5000,
    "only an end record": lambda: b"PK\x05\x06" + bytes(18),
    "no members": archive,
    "a member missing": lambda: archive(("best.npy", GOOD)),
    "a member too many": lambda: archive(("best.npy", GOOD), ("last.npy", GOOD), ("more.npy", GOOD)),
    "a member twice": duplicate,
    "a path out": lambda: archive(("best.npy", GOOD), ("../last.npy", GOOD)),
    "an absolute path": lambda: archive(("best.npy", GOOD), ("/last.npy", GOOD)),
    "a name with a null byte": lambda: archive(("best.npy", GOOD), ("last.npy+", GOOD)).replace(
        b"last.npy+", b"last.npy\0"
    ),
    "a folder": lambda: archive(("best.npy", GOOD), ("last.npy/", b"")),
    "deflated": lambda: archive(("best.npy", GOOD), ("last.npy", GOOD), compression=zipfile.ZIP_DEFLATED),
    "bzip2": lambda: archive(("best.npy", GOOD), ("last.npy", GOOD), compression=zipfile.ZIP_BZIP2),
    "an unknown compression": unknown_method,
    "encrypted": encrypted,
    "a wrong checksum": bad_crc,
    "a declared terabyte": declares_a_terabyte,
    "a directory of 100,000 entries": lambda: (
        (b"PK\x01\x02" + bytes(42)) * 100_000
        + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65_535, 65_535, 4_600_000, 0, 0)
    ),
    "bytes after the end": lambda: with_last(GOOD) + b"x",
    "objects": lambda: with_last(npy(np.array([{"a": 1}], dtype=object), allow_pickle=True)),
    "an object header over plain bytes": lambda: with_last(header(PLAIN.replace("<f4", "|O")) + bytes(785 * 10 * 8)),
    "a structured type": lambda: with_last(npy(np.zeros((785, 10), [("a", "<f4")]))),
    "strings": lambda: with_last(npy(np.full((785, 10), "x"))),
    "complex": lambda: with_last(npy(np.zeros((785, 10), np.complex64))),
    "float16": lambda: with_last(npy(np.zeros((785, 10), np.float16))),
    "int64 where floats belong": lambda: with_last(npy(np.zeros((785, 10), np.int64))),
    "big-endian": lambda: with_last(npy(np.zeros((785, 10), ">f4"))),
    "Fortran order": lambda: with_last(npy(np.zeros((785, 10), np.float32, order="F"))),
    "a row too few": lambda: with_last(npy(np.zeros((784, 10), np.float32))),
    "an axis too few": lambda: with_last(npy(np.zeros(785, np.float32))),
    "an axis too many": lambda: with_last(npy(np.zeros((785, 10, 1), np.float32))),
    "NaN": lambda: with_last(npy(np.full((785, 10), np.nan, np.float32))),
    "infinity": lambda: with_last(npy(np.full((785, 10), -np.inf, np.float32))),
    "a huge declared shape": lambda: with_last(header(PLAIN.replace("10)", "1000000000000)"))),
    "a shape that overflows": lambda: with_last(header(PLAIN.replace("10)", "999999999999999)"))),
    "a shape of 300 digits": lambda: with_last(header(PLAIN.replace("10)", "1" * 300 + ")"), n_bytes=502)),
    "a negative length": lambda: with_last(header(PLAIN.replace("10)", "-1)"))),
    "a length that is code": lambda: with_last(header(PLAIN.replace("10)", "__import__('os'))"))),
    "bytes missing": lambda: with_last(GOOD[:-4]),
    "bytes too many": lambda: with_last(GOOD + b"\0\0\0\0"),
    "a header cut short": lambda: with_last(GOOD[:40]),
    "an empty member": lambda: with_last(b""),
    "a header of odd length": lambda: with_last(header(PLAIN, n_bytes=101) + bytes(785 * 40)),
    "NPY version 9": lambda: with_last(header(PLAIN, version=b"\x09\x00") + bytes(785 * 40)),
    "no magic": lambda: with_last(b"\x93NUMPZ" + GOOD[6:]),
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused_at_the_cost_of_their_own_size(make: Callable[[], bytes]) -> None:
    data = make()
    tracemalloc.start()
    try:
        with pytest.raises(Corrupted):
            read_npz(data, BOTH)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(data) + 200_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("deflated", "compressed or encrypted"),
        ("encrypted", "compressed or encrypted"),
        ("a declared terabyte", "declares more bytes"),
    ],
)
def test_what_an_archive_declares_is_refused_before_anything_is_unpacked(case: str, reason: str) -> None:
    with pytest.raises(Corrupted, match=reason):
        read_npz(HOSTILE[case](), BOTH)


def test_the_hostile_table_starts_from_a_good_file() -> None:
    assert read_npz(with_last(GOOD), BOTH)["last"].shape == (785, 10)
    assert read_npz(with_last(header(PLAIN) + bytes(785 * 40)), BOTH)["last"].sum() == 0


def test_every_truncation_is_refused(weights: dict[str, Any]) -> None:
    data = write_npz(weights)
    for length in (*range(0, 400), *range(400, len(data), 997), *range(len(data) - 300, len(data))):
        with pytest.raises(Corrupted):
            read_npz(data[:length], BOTH)


def test_a_flipped_bit_is_refused_or_changes_no_number(weights: dict[str, Any]) -> None:
    data = write_npz(weights)
    rng = np.random.default_rng(11)
    headers = [*range(200), *range(len(data) - 200, len(data))]
    for position in (*headers, *rng.integers(len(data), size=200)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(8))
        try:
            read = read_npz(bytes(flipped), BOTH)
        except Corrupted:
            continue
        # Date, permissions and the like: no checksum in the archive covers them.
        for name, array in weights.items():
            np.testing.assert_array_equal(read[name], array, strict=True)


def test_noise_in_the_place_of_any_part_is_refused_without_another_error(weights: dict[str, Any]) -> None:
    data = write_npz(weights)
    rng = np.random.default_rng(12)
    directory = data.find(b"PK\x01\x02")
    for _ in range(1500):
        noisy = bytearray(data)
        start = int(rng.choice([rng.integers(200), rng.integers(directory, len(data))]))
        noise = rng.bytes(int(rng.integers(1, 24)))
        noisy[start : start + len(noise)] = noise
        try:
            read_npz(bytes(noisy), BOTH)
        except Corrupted:
            continue
