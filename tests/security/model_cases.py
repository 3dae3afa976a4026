"""Models, data sets and what hangs on them."""

from __future__ import annotations

import gzip
import struct
import zipfile
import zlib
from io import BytesIO
from typing import Any

from tests.security.case import CANARY, Case, get

_VERSION = "/models/mnist-softmax/versions/1"
_RANGES = {"headers": {"Range": "bytes=" + ",".join(f"{n}-{n}" for n in range(3_000))}}

_FORM_NAME = {"name": "strange"}


def _idx(shape: tuple[int, ...], data: bytes) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + b"".join(side.to_bytes(4) for side in shape) + data


def _labels(*values: int) -> bytes:
    return _idx((len(values),), bytes(values))


_IMAGES = _idx((2, 28, 28), bytes(2 * 784))
_FILES = {"train_images": _IMAGES, "train_labels": _labels(0, 1), "test_images": _IMAGES, "test_labels": _labels(0, 1)}


def _upload(number: int, name: str, problem: str, status: int = 422, **changes: bytes) -> Case:
    """Post four IDX files, some of them other than they should be."""
    request = {"data": _FORM_NAME, "files": {**_FILES, **changes}}
    return Case(
        number=number, name=name, method="POST", path="/datasets", request=request, status=status, problem=problem
    )


def _archive(number: int, name: str, content: bytes, problem: str = "invalid-dataset", status: int = 422) -> Case:
    request = {"data": _FORM_NAME, "files": {"file": content}}
    return Case(
        number=number, name=name, method="POST", path="/datasets", request=request, status=status, problem=problem
    )


def _zip(members: dict[str, bytes], **options: Any) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return file.getvalue()


_MEMBERS = ("x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy")

_BOMB = _zip(
    # One is enough, and every collection pays for it.
    {**dict.fromkeys(_MEMBERS, b""), "x_train.npy": bytes(140_000_000)},
    compression=zipfile.ZIP_DEFLATED,
    compresslevel=1,
)


def _gzip_bomb(n_megabytes: int) -> bytes:
    """Return a gzip of zeros, made by repeating the block of one megabyte; every collection pays for it."""
    compressor, megabyte = zlib.compressobj(9, wbits=-zlib.MAX_WBITS), bytes(1_000_000)
    block = compressor.compress(megabyte) + compressor.flush(zlib.Z_FULL_FLUSH)
    crc = 0
    for _ in range(n_megabytes):
        crc = zlib.crc32(megabyte, crc)
    header, last_block = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff", b"\x03\0"
    return header + block * n_megabytes + last_block + struct.pack("<II", crc, n_megabytes * len(megabyte))


DATA_SETS: tuple[Case, ...] = (
    _upload(75, "a wrong magic", "invalid-dataset", train_images=b"\1\0\x08\x03" + _IMAGES[4:]),
    _upload(75, "floats", "invalid-dataset", train_images=b"\0\0\x0d\x03" + _IMAGES[4:]),
    _upload(75, "another rank", "invalid-dataset", train_images=_labels(0, 1)),
    _upload(76, "2^31 images declared", "invalid-dataset", train_images=_idx((2**31, 28, 28), bytes(10))),
    _upload(77, "bytes that follow", "invalid-dataset", train_images=_IMAGES + b"\0"),
    _upload(78, "a gzip bomb", "input-too-large", 413, test_images=_gzip_bomb(300)),
    _upload(79, "half a gzip", "invalid-dataset", train_images=gzip.compress(_IMAGES)[:-9]),
    _upload(
        79, "a gzip and a half", "invalid-dataset", train_images=gzip.compress(_IMAGES) + gzip.compress(b"\0")[:-9]
    ),
    _upload(80, "a label too many", "invalid-dataset", train_labels=_labels(0, 1, 0)),
    _upload(81, "label 10", "invalid-dataset", train_labels=_labels(0, 10)),
    _upload(81, "label 255", "invalid-dataset", train_labels=_labels(0, 255)),
    _upload(82, "one class", "invalid-dataset", train_labels=_labels(0, 0), test_labels=_labels(0, 0)),
    _upload(82, "no images", "invalid-dataset", train_images=_idx((0, 28, 28), b""), train_labels=_idx((0,), b"")),
    *(
        Case(
            number=83,
            name=f"the name {name[:20]!r}",
            method="POST",
            path="/datasets",
            request={"data": {"name": name}, "files": _FILES},
            status=422,
            problem="invalid-field",
            place="#/name",
        )
        for name in ("../../x", "CON", "a" * 300, "", "a\0b", "A", "é")
    ),
    _archive(85, "a link", _zip(dict.fromkeys(("../x_train.npy", *_MEMBERS[1:]), b""))),
    _archive(85, "an absolute member", _zip(dict.fromkeys(("/etc/passwd", *_MEMBERS), b""))),
    _archive(85, "members of nothing", _zip(dict.fromkeys(_MEMBERS, b""))),
    _archive(85, "a bomb", _BOMB, "input-too-large", 413),
    _archive(85, "no archive", b"PK\x05\x06" + bytes(18)),
    _archive(85, "nothing", b""),
)

MODELS: tuple[Case, ...] = (
    get(115, "/models/..%2f..", 404, "not-found"),
    get(115, f"/models/..%2f{'a' * 64}", 404, "not-found"),
    get(115, f"/models/sha256:{'a' * 64}", 404, "model-not-found"),
    get(115, f"/models/{'A' * 65}", 404, "model-not-found"),
    get(115, "/models/nobody", 404, "model-not-found"),
    get(115, f"/models/{CANARY}%00/versions/1/weights.npz", 404, "not-found"),
    get(115, "/models/mnist-softmax/versions/0", 404, "model-not-found"),
    get(115, "/models/mnist-softmax/versions/-1", 404, "model-not-found"),
    get(115, "/models/mnist-softmax/versions/%D9%A1", 404, "model-not-found"),
    get(115, "/models/mnist-softmax/versions/99999999999999999999", 404, "model-not-found"),
    get(115, "/models/mnist-softmax/versions/..%2f1/weights.npz", 404, "not-found"),
    get(115, "/models/mnist-softmax/aliases/nobody/history", 404, "model-not-found"),
    get(115, "/models/mnist-softmax/aliases/nobody", 404, "model-not-found", method="DELETE"),
    get(110, f"{_VERSION}/weights.npz?x=1", 422, "invalid-field", "x"),
    get(110, f"{_VERSION}/weights.png?upscale=0", 422, "invalid-field", "upscale"),
    get(110, f"{_VERSION}/weights.png?upscale=1000000", 422, "invalid-field", "upscale"),
    get(121, "/models/mnist-softmax", 405, "method-not-allowed", method="PUT", ours="versions are immutable"),
    get(122, f"{_VERSION}/weights.npz", 200, None, name="3,000 ranges", request=_RANGES),
    get(122, "//static/index.css", 200, None, name="3,000 ranges of a file", request=_RANGES),
    get(115, "/compare?model=..%2f..&model=x", 404, "model-not-found"),
    get(115, "/compare?model=x%2f1%2f2&model=x", 422, "invalid-field", "model"),
    get(115, "/compare?model=nobody%2f1&model=nobody%2f2", 404, "model-not-found"),
    get(83, f"/datasets/{CANARY}", 404, "dataset-not-found"),
    get(83, "/datasets/..%2f..", 404, "not-found"),
    get(83, "/datasets/CON", 404, "dataset-not-found"),
    get(83, "/datasets/mnist/images/60000.png", 404, "dataset-not-found"),
    get(83, "/datasets/mnist/images/-1.png", 404, "dataset-not-found"),
    get(83, f"/datasets/mnist/images/{'9' * 5000}.png", 422, "invalid-field"),
    get(83, "/datasets/mnist/images/x.png", 422, "invalid-field"),
    get(83, f"/datasets/mnist/images/0.png?part={CANARY}", 422, "invalid-field", "part"),
    get(83, "/datasets/nist/images", 404, "dataset-not-found"),
    get(83, "/datasets/mnist/images?label=10", 422, "invalid-field", "label"),
    get(83, "/datasets/mnist/images?after=-2", 422, "invalid-field", "after"),
    get(83, "/datasets/mnist/contact-sheet.png?per_class=0", 422, "invalid-field", "per_class"),
)
