"""Images, pixels and tensors that are not what they should be."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from tests.security.case import CANARY, JSON, OCTETS, Case, post

_FORM = "multipart/form-data; boundary="
_PART = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
_PIXELS = [0] * 784


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def declared_png(width_px: int, height_px: int, extra: bytes = b"") -> bytes:
    """Return a PNG that declares a size and has next to nothing of it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + header + extra + data + chunk(b"IEND", b"")


def npy(description: str, data: bytes = b"") -> bytes:
    header = description.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def bomb_png(side_px: int) -> bytes:
    """Return a whole PNG of black pixels: a thousandth of its size once decoded."""
    rows = zlib.compress(bytes(side_px * (side_px + 1)), 9)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side_px, side_px, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


_GREY = Image.new("L", (40, 40), 200)
_PNG = encoded(_GREY)
_TEXT_BOMB = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000), 9))
_ANIMATED = encoded(_GREY, "PNG", save_all=True, append_images=[Image.new("L", (40, 40), n) for n in range(200)])

_MODES: dict[str, bytes] = {
    "16 bit": encoded(Image.fromarray(np.full((40, 40), 40_000, np.uint16))),
    "a palette with a transparent entry": encoded(_GREY.convert("P"), transparency=0),
    "CMYK": encoded(_GREY.convert("CMYK"), "JPEG"),
    "LA": encoded(_GREY.convert("LA")),
    "1 bit": encoded(_GREY.convert("1")),
    "RGBA": encoded(_GREY.convert("RGBA")),
}


def image(number: int, name: str, content: bytes, status: int, problem: str | None, **more: Any) -> Case:
    headers = {"Content-Type": more.pop("media_type", "image/png")}
    request = {"content": content, "headers": headers}
    return Case(
        number=number,
        name=name,
        method="POST",
        path="/predict",
        request=request,
        status=status,
        problem=problem,
        **more,
    )


def sent(number: int, name: str, request: Mapping[str, Any], status: int, problem: str | None, **more: Any) -> Case:
    return Case(
        number=number,
        name=name,
        method="POST",
        path="/predict",
        request=request,
        status=status,
        problem=problem,
        **more,
    )


def form(number: int, name: str, content: bytes, status: int, problem: str, **more: Any) -> Case:
    headers = {"Content-Type": more.pop("media_type", f"{_FORM}x")}
    return sent(number, f"form: {name}", {"content": content, "headers": headers}, status, problem, **more)


def pixels(number: int, name: str, content: Any, place: str | None = "#/pixels") -> Case:
    return post(number, name, content, 422, "invalid-field", place, path="/predict")


def array(name: str, content: bytes, status: int = 400, problem: str = "malformed-input") -> Case:
    return image(103, f"npy: {name}", content, status, problem, media_type="application/x-npy")


def tensor(number: int, name: str, content: Any, status: int = 400, **more: Any) -> Case:
    path = more.pop("path", "//v2/models/mnist-softmax/infer")
    return post(number, f"tensor: {name}", content, status, "v2", path=path, **more)


def _input(**fields: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 784], "data": _PIXELS, **fields}]}


IMAGES: tuple[Case, ...] = (
    image(89, "nothing", b"", 422, "invalid-image"),
    sent(89, "an empty file", {"files": {"file": ("a.png", b"")}}, 422, "invalid-image"),
    image(90, "text", CANARY.encode(), 415, "unsupported-media"),
    image(90, "text that says so", CANARY.encode(), 415, "unsupported-media", media_type="text/plain"),
    image(90, "noise", bytes(range(256)) * 10, 415, "unsupported-media"),
    *(
        image(91, f"half a {kind}", encoded(Image.effect_noise((40, 40), 50), kind)[:400], 422, "invalid-image")
        for kind in ("PNG", "JPEG", "WEBP")
    ),
    image(91, "40 bytes of a PNG", _PNG[:40], 422, "invalid-image"),
    image(91, "a JPEG of three bytes", b"\xff\xd8\xff", 422, "invalid-image"),
    image(91, "a PNG of its signature", b"\x89PNG\r\n\x1a\n", 422, "invalid-image"),
    image(91, "a WebP of its signature", b"RIFF\x04\0\0\0WEBP", 422, "invalid-image"),
    image(91, "a flipped bit in the pixels", _PNG[:-20] + bytes([_PNG[-20] ^ 1]) + _PNG[-19:], 422, "invalid-image"),
    image(92, "no width", declared_png(0, 40), 422, "invalid-image"),
    image(93, "13,000 pixels a side", declared_png(13_000, 13_000), 413, "input-too-large"),
    image(94, "20,000 pixels a side", declared_png(20_000, 20_000), 413, "input-too-large"),
    image(94, "2^31 - 1 pixels a side", declared_png(2**31 - 1, 2**31 - 1), 413, "input-too-large"),
    *(
        image(95, f"{kind} called PNG", encoded(_GREY, kind), 415, "unsupported-media")
        for kind in ("TIFF", "GIF", "BMP", "PPM", "ICO", "TGA", "PCX")
    ),
    image(95, "EPS called PNG", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", 415, "unsupported-media"),
    image(95, "FITS called PNG", b"SIMPLE  =                    T".ljust(2880), 415, "unsupported-media"),
    image(95, "SVG called PNG", b'<svg xmlns="http://www.w3.org/2000/svg"/>', 415, "unsupported-media"),
    image(95, "WebP called PNG", encoded(_GREY, "WEBP"), 200, None, ours="WebP is read, whatever it is called"),
    image(96, "200 frames", _ANIMATED, 200, None),
    image(96, "100,000 chunks", declared_png(40, 40, chunk(b"fcTL", b"") * 100_000), 422, "invalid-image"),
    *(image(97, name, content, 200, None) for name, content in _MODES.items()),
    image(98, "a text bomb", _PNG[:33] + _TEXT_BOMB + _PNG[33:], 200, None),
    image(98, "a profile of 4 MB", _PNG[:33] + chunk(b"iCCP", bytes(4_000_000)) + _PNG[33:], 200, None),
    image(98, "an EXIF of noise", _PNG[:33] + chunk(b"eXIf", bytes(range(256))) + _PNG[33:], 200, None),
    image(99, "1 x 1", encoded(_GREY.resize((1, 1))), 422, "invalid-image"),
    image(99, "4 x 10,000", encoded(_GREY.resize((4, 10_000))), 422, "invalid-image"),
    image(100, "blank", encoded(Image.new("L", (40, 40), 255)), 200, None),
    pixels(101, "783 pixels", {"pixels": _PIXELS[1:]}),
    pixels(101, "785 pixels", {"pixels": [*_PIXELS, 0]}),
    pixels(101, "ragged pixels", {"pixels": [[0] * 28] * 27 + [[0] * 27]}),
    pixels(101, "nested pixels", {"pixels": [[[[0] * 28] * 28]]}),
    pixels(101, "pixels in strings", {"pixels": ["0"] * 784}),
    pixels(101, "pixels in objects", {"pixels": {CANARY: 1}}),
    pixels(101, "booleans", {"pixels": [True] * 784}),
    pixels(101, "null", {"pixels": None}),
    pixels(101, "no pixels", {"pixels": []}),
    pixels(101, "no field", {}),
    pixels(101, "another field", {"pixels": _PIXELS, "model": CANARY}, None),
    post(101, "a list", _PIXELS, 422, "invalid-input", path="/predict"),
    post(101, "not JSON", b"{", 400, "malformed-input", path="/predict"),
    post(101, "a key twice", b'{"pixels": 1, "pixels": 1}', 400, "malformed-input", path="/predict"),
    post(101, "deep pixels", b'{"pixels": ' + b"[" * 1_000_000, 400, "malformed-input", path="/predict"),
    pixels(102, "pixel -1", {"pixels": [-1, *_PIXELS[1:]]}),
    pixels(102, "pixel 256", {"pixels": [256, *_PIXELS[1:]]}),
    pixels(102, "pixel NaN", b'{"pixels": [' + b"NaN," * 783 + b"0]}"),
    pixels(102, "pixel 1e999", b'{"pixels": [' + b"1e999," * 783 + b"0]}"),
    pixels(102, "a pixel of 400 digits", b'{"pixels": [1' + b"0" * 400 + b"]}"),
    array("objects", npy("{'descr': '|O', 'fortran_order': False, 'shape': (784,), }", bytes(784))),
    array("text", npy("{'descr': '<U1', 'fortran_order': False, 'shape': (784,), }", bytes(4 * 784))),
    array("complex", npy("{'descr': '<c8', 'fortran_order': False, 'shape': (784,), }", bytes(8 * 784))),
    array("a shape that overflows", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (999999999, 999999999), }")),
    array("10^12 declared", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000,), }")),
    array("a negative side", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }")),
    array("code in the header", npy("{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (1,), }")),
    array("a byte missing", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (784,), }", bytes(783))),
    array("a byte too many", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (784,), }", bytes(785))),
    array("a pickle instead", b"\x80\x04\x95\x10\x00", 415, "unsupported-media"),
    array("a damaged archive instead", b"PK\x03\x04" + bytes(100), 400, "malformed-input"),
    tensor(103, "a shape that overflows", _input(shape=[2**31 - 1, 784])),
    tensor(103, "a negative side", _input(shape=[-1, 784])),
    tensor(103, "a side of 10^30", _input(shape=[10**30, 784])),
    tensor(103, "BYTES", _input(datatype="BYTES")),
    tensor(103, "an unknown type", _input(datatype=CANARY)),
    tensor(103, "numbers missing", _input(data=_PIXELS[1:])),
    tensor(103, "bytes that do not follow", _input(data=None, parameters={"binary_data_size": 784})),
    tensor(103, "shared memory", _input(parameters={"shared_memory_region": CANARY})),
    *(
        tensor(104, f"header length {text[:20]}", _input(), headers={"Inference-Header-Content-Length": text})
        for text in ("99999999999", "-1", "0", "9" * 5000, CANARY, "0x10", "1_0")
    ),
    sent(105, "a byte short of an image", {"content": bytes(783), "headers": OCTETS}, 400, "malformed-input"),
    sent(105, "10,001 images", {"content": bytes(784 * 10_001), "headers": OCTETS}, 413, "input-too-large"),
    tensor(105, "no images", _input(shape=[0, 784], data=[])),
    *(
        Case(
            number=106,
            name=path,
            method="POST",
            path=path,
            request={"content": bytes(784), "headers": OCTETS},
            status=404,
            problem="model-not-found",
        )
        for path in (
            "/models/nobody/predict",
            "/models/mnist-softmax/versions/999/predict",
            "/models/..%5c/predict",
            f"/predict?alias={CANARY}",
            "/models/nobody/explain",
        )
    ),
    tensor(106, "nobody", _input(), 404, path="//v2/models/nobody/infer"),
    sent(107, "1,001 files", {"files": [("f", ("f.png", b"x"))] * 1001}, 400, "malformed-input"),
    form(108, "without a boundary", _PNG, 400, "malformed-input", media_type="multipart/form-data"),
    form(108, "a boundary of 30 KB", _PNG, 400, "malformed-input", media_type=f"{_FORM}{'b' * 30_000}"),
    form(108, "a preamble of 1 MB", b"a" * 1_000_000, 400, "malformed-input"),
    form(108, "endless dashes", b"-" * 1_000_000, 400, "malformed-input"),
    form(108, "endless lines", b"\r\n" * 500_000, 422, "invalid-input"),
    form(108, "endless headers of a part", b"--x\r\n" + b"X: y\r\n" * 100_000, 400, "malformed-input"),
    form(108, "an endless header of a part", b"--x\r\nX: " + b"y" * 1_000_000, 400, "malformed-input"),
    form(108, "a part without an end", _PART, 422, "invalid-input"),
    form(108, "no parts", b"--x--\r\n", 422, "invalid-input"),
    sent(109, "a text field", {"files": {"file": (None, CANARY)}}, 422, "invalid-input"),
    sent(
        109,
        "a text field beside a file",
        {"data": {"file": CANARY}, "files": {"b": ("b.png", _PNG)}},
        422,
        "invalid-input",
    ),
    sent(86, "a file name that climbs", {"files": {"file": (f"../../{CANARY}\0", _PNG)}}, 200, None),
    sent(19, "gzip", {"content": _PNG, "headers": {"Content-Encoding": "gzip"}}, 415, "unsupported-media"),
    *(
        Case(
            number=105,
            name=f"two images to {path}",
            method="POST",
            path=path,
            request={"content": bytes(2 * 784), "headers": OCTETS},
            status=422,
            problem="invalid-input",
        )
        for path in ("/explain", "/preprocess")
    ),
    sent(101, "JSON in JSON", {"content": b'"{}"', "headers": JSON}, 422, "invalid-input"),
)
