"""What is fuzzed: every reader of bytes that come from strangers. Each reads or refuses; anything else is a crash."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO

import numpy as np
from PIL import Image

from service.core.npz import ArraySpec, read_npz, write_npz
from service.datasets import gunzip
from service.datasets.idx import parse_idx_images, parse_idx_labels
from service.datasets.uploads import read_upload
from service.errors import ServiceError
from service.inference import DecodingLimits, ImageFile, decode_pixels, decode_upload, read_dataset
from service.web.inference_protocol import parse_infer_request
from service.web.strict_json import parse_json

_LIMITS = DecodingLimits(max_image_bytes=65_536, max_image_pixels=65_536, max_streamed_pixels=65_536)
_WEIGHTS = {"best": ArraySpec((4, None), "float32")}


@dataclass(frozen=True, kw_only=True)
class Target:
    """A reader, files that it reads, and words of its format, from which new files are made."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()
    max_bytes: int = 4096
    refuses: tuple[type[Exception], ...] = field(default=(ServiceError,))

    def __call__(self, data: bytes) -> None:
        """Read or refuse."""
        try:
            self.read(data)
        except self.refuses:
            return


def _picture_seeds(kind: str) -> list[bytes]:
    grey = Image.fromarray(np.arange(32 * 24, dtype=np.uint16).reshape(24, 32).astype(np.uint8))
    images = [grey, grey.convert("RGB"), grey.convert("RGB").resize((9, 40))]
    if kind == "PNG":
        images += [grey.convert(mode) for mode in ("1", "P", "LA", "RGBA", "I;16")]
    if kind == "JPEG":
        images.append(grey.convert("CMYK"))
    files = []
    for image in images:
        for options in ({}, {"progressive": True, "quality": 20} if kind == "JPEG" else {"exif": _EXIF}):
            file = BytesIO()
            image.save(file, kind, **options)  # type: ignore[arg-type]
            files.append(file.getvalue())
    return files


_EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


def _npy_seeds() -> list[bytes]:
    files = []
    for array in (
        np.zeros(784, np.uint8),
        np.zeros((2, 28, 28), np.float32),
        np.zeros((28, 28), ">i2"),
        np.zeros((784, 1), np.float16, order="F"),
    ):
        file = BytesIO()
        np.save(file, array)
        files.append(file.getvalue())
    return files


def _idx(shape: tuple[int, ...]) -> bytes:
    sides = b"".join(side.to_bytes(4) for side in shape)
    return bytes([0, 0, 8, len(shape)]) + sides + bytes(int(np.prod(shape)))


def _data_set_seeds() -> list[bytes]:
    arrays = {
        "x_train": np.zeros((2, 28, 28), np.uint8),
        "y_train": np.array([0, 1], np.uint8),
        "x_test": np.zeros((2, 28, 28), np.uint8),
        "y_test": np.array([0, 1], np.uint8),
    }
    stored, packed, foreign = BytesIO(), BytesIO(), BytesIO()
    np.savez(stored, **arrays)
    np.savez_compressed(packed, **arrays)
    with zipfile.ZipFile(foreign, "w", zipfile.ZIP_BZIP2) as archive:
        for name in arrays:
            archive.writestr(f"{name}.npy", b"")
    return [stored.getvalue(), packed.getvalue(), foreign.getvalue()]


def _labelled_seeds() -> list[bytes]:
    rows = [b",".join([label, *[b"0"] * 784]) for label in (b"0", b"0", b"1", b"1")]
    table = b"label" + b",p" * 784 + b"\n" + b"\n".join(rows)
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("0/a.png", "0/b.png", "test/1/a.png", "1/b.png"):
            picture = BytesIO()
            Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save(picture, "PNG")
            archive.writestr(name, picture.getvalue())
        archive.writestr("more.csv", b"\n".join(rows))
    return [b"\n".join(rows), table, gzip.compress(b"\n".join(rows)), file.getvalue()]


def _read_labelled(data: bytes) -> object:
    return read_dataset([("file", ImageFile(content=data))], None, 100_000, _LIMITS)


_GZIP_SEEDS = [gzip.compress(data) for data in (b"", b"hello", bytes(2000))]
_JSON_SEEDS = [
    b'{"pixels": [' + b"0," * 783 + b"255.0]}",
    b"[" + b"[" + b"1.5e1," * 783 + b"0]" + b"]",
    b"[[" + b"[0]," * 28 + b'{"a": null, "b": [true, "\\ud83d\\ude00", -1.5e-3, NaN]}]]',
]
_TENSOR = b'{"id": "a", "inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 784], '
_BINARY_TENSOR = _TENSOR + b'"parameters": {"binary_data_size": 3136}}]}'
_TENSOR_SEEDS = [
    b"0000" + _TENSOR + b'"data": [' + b"0," * 783 + b"0]}], " + b'"outputs": [{"name": "digit"}]}',
    b"%04d" % len(_BINARY_TENSOR) + _BINARY_TENSOR + bytes(4 * 784),
]


def _read_tensor(data: bytes) -> object:
    """Take the first four bytes for the header that states the length of the JSON."""
    length, body = data[:4].decode("latin-1"), data[4:]
    return parse_infer_request(body, None if length == "0000" else length, _LIMITS)


_PNG_WORDS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"iCCP", b"zTXt")
_JPEG_WORDS = (b"\xff\xc0", b"\xff\xc2", b"\xff\xc4", b"\xff\xda", b"\xff\xdb", b"\xff\xdd", b"\xff\xe1", b"\xff\xee")
_WEBP_WORDS = (b"RIFF", b"WEBP", b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ANMF", b"ALPH", b"EXIF", b"ICCP")
_NPY_WORDS = (b"descr", b"fortran_order", b"shape", b"'<f4'", b"'|u1'", b"'|O'", b"True", b"False", b"(784,)")
_JSON_WORDS = (b'{"', b'": ', b"[[", b"]]", b"null", b"1e999", b"NaN", b"\\ud800", b"true", b"-0.0", b'"pixels"')
_TENSOR_WORDS = (b'"inputs"', b'"shape"', b'"datatype"', b'"parameters"', b'"binary_data_size"', b'"classification"')
_ZIP_WORDS = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08")

TARGETS: Mapping[str, Target] = {
    "png": Target(
        read=lambda data: decode_upload(data, "image/png", limits=_LIMITS),
        seeds=lambda: _picture_seeds("PNG"),
        words=_PNG_WORDS,
    ),
    "jpeg": Target(
        read=lambda data: decode_upload(data, "image/jpeg", limits=_LIMITS),
        seeds=lambda: _picture_seeds("JPEG"),
        words=_JPEG_WORDS,
    ),
    "webp": Target(
        read=lambda data: decode_upload(data, "image/webp", limits=_LIMITS),
        seeds=lambda: _picture_seeds("WEBP"),
        words=_WEBP_WORDS,
    ),
    "npy": Target(read=lambda data: decode_upload(data, limits=_LIMITS), seeds=_npy_seeds, words=_NPY_WORDS),
    "json": Target(
        read=lambda data: decode_pixels(_pixels(parse_json(data)), limits=_LIMITS),
        seeds=lambda: _JSON_SEEDS,
        words=_JSON_WORDS,
    ),
    "tensor": Target(read=_read_tensor, seeds=lambda: _TENSOR_SEEDS, words=_JSON_WORDS + _TENSOR_WORDS),
    "npz": Target(
        read=lambda data: read_npz(data, _WEIGHTS),
        seeds=lambda: [write_npz({"best": np.ones((4, 3), np.float32)})],
        words=_ZIP_WORDS + _NPY_WORDS,
    ),
    "data-set": Target(
        read=lambda data: read_upload({"file": data}, None, limit_bytes=100_000),
        seeds=_data_set_seeds,
        words=_ZIP_WORDS + _NPY_WORDS,
    ),
    "labelled": Target(
        read=_read_labelled,
        seeds=_labelled_seeds,
        words=(*_ZIP_WORDS, b"label", b"test", b'"0"', b"255,", b"\r\n", b"\x1f\x8b\x08", *_PNG_WORDS[:5]),
        max_bytes=8192,
    ),
    "idx": Target(
        read=lambda data: (parse_idx_labels if data[3:4] == b"\x01" else parse_idx_images)(data),
        seeds=lambda: [_idx((2, 28, 28)), _idx((10,))],
        words=(b"\0\0\x08\x03", b"\0\0\x08\x01", b"\0\0\0\x1c"),
    ),
    "gzip": Target(
        read=lambda data: gunzip(data, limit_bytes=10_000), seeds=lambda: _GZIP_SEEDS, words=(b"\x1f\x8b\x08",)
    ),
}


def _fall_over(data: bytes) -> None:
    """Break at a word that chance alone would not find in a lifetime."""
    if data[:1] != b"d":  # each step a branch of its own, as in a reader
        return
    if data[1:2] != b"i":
        return
    if data[2:3] == b"g":
        raise RuntimeError("found")


PLANTED = Target(read=_fall_over, seeds=lambda: [b"xxxxxxxx"])
"""Shows that a fault is found."""


def _pixels(value: object) -> object:
    return value.get("pixels") if isinstance(value, dict) else value
