"""Every kind of picture that is read, and every hostile one that is not."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from service.errors import InputTooLarge, InvalidImage, InvalidInput, ServiceError, UnsupportedMedia
from service.inference import DecodingLimits, decode_upload
from service.inference.picture import exif_orientation, read_picture

Bytes = NDArray[np.uint8]
Saved = Callable[..., bytes]
LIMITS = DecodingLimits()


def pixels(content: bytes) -> Bytes:
    return read_picture(content, LIMITS).pixels


def rgba(flag: Bytes) -> Bytes:
    """Black ink on a transparent background."""
    return np.dstack([np.zeros((*flag.shape, 3), np.uint8), 255 - flag])


def palette(flag: Bytes, **options: Any) -> Image.Image:
    image = Image.fromarray((flag == 0).astype(np.uint8), "L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette([255, 255, 255, 10, 10, 80])
    image.info.update(options)
    return image


def exif(orientation: int, order: str = ">") -> bytes:
    header = b"MM\0*\0\0\0\x08" if order == ">" else b"II*\0\x08\0\0\0"
    return b"Exif\0\0" + header + struct.pack(f"{order}HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


GOLDEN = {
    "grey": lambda flag, saved: saved(flag),
    "1 bit": lambda flag, saved: saved(Image.fromarray(flag).convert("1")),
    "16 bit": lambda flag, saved: saved(flag.astype(np.uint16) * 257),
    "palette": lambda flag, saved: saved(palette(flag)),
    "palette and tRNS": lambda flag, saved: saved(palette(flag), transparency=0),
    "grey and tRNS": lambda flag, saved: saved(flag, transparency=255),
    "grey and alpha": lambda flag, saved: saved(Image.fromarray(np.dstack([flag, np.full_like(flag, 255)]), "LA")),
    "RGB": lambda flag, saved: saved(Image.fromarray(flag).convert("RGB")),
    "RGB and tRNS": lambda flag, saved: saved(Image.fromarray(flag).convert("RGB"), transparency=(255, 255, 255)),
    "RGBA": lambda flag, saved: saved(rgba(flag)),
    "white RGBA": lambda flag, saved: saved(rgba(flag) | np.uint8([255, 255, 255, 0])),
    "interlaced size": lambda flag, saved: saved(flag, bits=8, optimize=True),
    "animated PNG": lambda flag, saved: saved(flag, save_all=True, append_images=[Image.fromarray(255 - flag)]),
    "JPEG": lambda flag, saved: saved(flag, "JPEG", quality=90),
    "progressive JPEG": lambda flag, saved: saved(
        Image.fromarray(flag).convert("RGB"), "JPEG", quality=90, progressive=True
    ),
    "CMYK JPEG": lambda flag, saved: saved(Image.fromarray(flag).convert("CMYK"), "JPEG", quality=90),
    "WebP": lambda flag, saved: saved(flag, "WEBP", quality=90),
    "lossless WebP": lambda flag, saved: saved(flag, "WEBP", lossless=True),
    "transparent WebP": lambda flag, saved: saved(rgba(flag), "WEBP", lossless=True, exact=True),
    "animated WebP": lambda flag, saved: saved(
        flag, "WEBP", save_all=True, lossless=True, append_images=[Image.fromarray(255 - flag)]
    ),
}


@pytest.mark.parametrize("kind", GOLDEN)
def test_every_kind_of_picture_shows_the_same_digit(kind: str, flag: Bytes, saved: Saved) -> None:
    expected = decode_upload(saved(flag)).images[0]
    decoded = decode_upload(GOLDEN[kind](flag, saved))
    assert len(decoded) == 1
    assert decoded.warnings == ((),)
    difference = np.abs(decoded.images[0].astype(int) - expected)
    lossy = "JPEG" in kind or kind == "WebP"
    assert difference.max() <= (40 if lossy else 0)
    assert difference.mean() <= (2 if lossy else 0)


def test_levels_are_converted_as_documented(saved: Saved) -> None:
    ramp = np.arange(0, 65536, 256 * 4, dtype=np.uint16).reshape(8, 8) + 255
    assert (pixels(saved(ramp)) == ramp >> 8).all()
    cmyk = Image.new("CMYK", (8, 8), (0, 0, 0, 0))
    assert (pixels(saved(cmyk, "JPEG")) == 255).all()
    assert pixels(saved(Image.new("1", (8, 8), 1))).tolist() == [[255] * 8] * 8
    assert pixels(saved(Image.new("LA", (8, 8), (7, 9)))).tolist() == [[[7, 7, 7, 9]] * 8] * 8
    assert read_picture(saved(ramp), LIMITS).steps == ("kept the upper 8 of 16 bits",)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_turned_by_its_exif_orientation(orientation: int, kind: str, flag: Bytes, saved: Saved) -> None:
    stored = {
        1: flag,
        2: flag[:, ::-1],
        3: flag[::-1, ::-1],
        4: flag[::-1],
        5: flag.T,
        6: np.rot90(flag),
        7: flag[::-1, ::-1].T,
        8: np.rot90(flag, -1),
    }[orientation]
    content = saved(np.ascontiguousarray(stored), kind, exif=exif(orientation))
    picture = read_picture(content, LIMITS)
    seen = picture.pixels if picture.pixels.ndim == 2 else picture.pixels[..., 0]
    assert np.abs(seen.astype(int) - flag).mean() < 3
    assert ("turned by its EXIF orientation" in picture.steps) == (orientation > 1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_an_orientation_of_any_type_and_byte_order_is_read_as_pillow_reads_it(
    order: str, kind: int, flag: Bytes, saved: Saved
) -> None:
    value = struct.pack(f"{order}{'H' if kind == 3 else 'I'}", 6).ljust(4, b"\0")
    block = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIHHHI", 42, 8, 1, 0x0112, kind, 1)
    for file_kind in ("JPEG", "PNG", "WebP"):
        content = saved(flag, file_kind, exif=b"Exif\0\0" + block + value + bytes(4))
        assert Image.open(BytesIO(content)).getexif()[0x0112] == 6
        assert "turned by its EXIF orientation" in read_picture(content, LIMITS).steps


def test_the_orientation_in_a_raw_profile_of_an_old_png_is_read(flag: Bytes, saved: Saved) -> None:
    digits = exif(6).hex()
    for is_packed in (True, False):
        info = PngImagePlugin.PngInfo()
        info.add_text("Raw profile type exif", f"\nexif\n{len(digits) // 2:8d}\n{digits}\n", zip=is_packed)
        content = saved(flag, pnginfo=info)
        assert "turned by its EXIF orientation" in read_picture(content, LIMITS).steps
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n 9\nno digits\n")
    assert read_picture(saved(flag, pnginfo=info), LIMITS).steps == ()


@pytest.mark.parametrize("n_bits", [8, 9, 10, 12, 14, 16])
def test_a_png_of_16_bits_may_use_few_of_them(n_bits: int, flag: Bytes, saved: Saved) -> None:
    levels = np.where(flag > 0, 2**n_bits - 1, 0).astype(np.uint16)
    picture = read_picture(saved(levels), LIMITS)
    assert (picture.pixels == flag).all()
    assert picture.steps == (() if n_bits == 8 else (f"kept the upper 8 of {n_bits} bits",))


@pytest.fixture
def png_of_16_bits(chunk: Any) -> Callable[..., bytes]:
    """Return ``png_of_16_bits(levels)``, (height, width, 2, 3 or 4), which Pillow does not write."""

    def make(levels: NDArray[np.uint16], extra: bytes = b"") -> bytes:
        height, width, n_channels = levels.shape
        header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[n_channels], 0, 0, 0)
        rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
        parts = (chunk(b"IHDR", header), extra, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(parts)

    return make


@pytest.mark.parametrize("n_channels", [2, 3, 4])
@pytest.mark.parametrize("n_bits", [8, 9, 10, 12, 15, 16])
def test_a_png_of_16_bit_colours_may_use_few_of_them(n_bits: int, n_channels: int, png_of_16_bits: Any) -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 2**n_bits, (40, 30, n_channels)).astype(np.uint16)
    levels[0, 0] = 2**n_bits - 1
    if n_channels != 3:
        levels[..., -1] = np.where(rng.random((40, 30)) < 0.5, 65535, 0)
    picture = read_picture(png_of_16_bits(levels), LIMITS)
    expected = np.concatenate([levels[..., :3] >> (n_bits - 8), levels[..., 3:] >> 8], axis=2)
    if n_channels == 2:
        expected = np.concatenate([levels[..., :1] >> (n_bits - 8)] * 3 + [levels[..., 1:] >> 8], axis=2)
    assert (picture.pixels == expected).all()
    assert picture.steps == (() if n_bits == 8 else (f"kept the upper 8 of {n_bits} bits",))


def test_a_transparent_colour_of_16_bits_becomes_an_alpha_channel(flag: Bytes, png_of_16_bits: Any, chunk: Any) -> None:
    levels = np.where(flag[..., np.newaxis] > 0, [1000, 2, 513], [1000, 2, 512]).astype(np.uint16)
    content = png_of_16_bits(levels, chunk(b"tRNS", struct.pack(">HHH", 1000, 2, 513)))
    pixels = read_picture(content, LIMITS).pixels
    assert (pixels[..., 3] == 255 - flag).all()


def test_a_transparent_level_of_16_bits_becomes_an_alpha_channel(flag: Bytes, saved: Saved, chunk: Any) -> None:
    content = saved((flag > 0).astype(np.uint16))
    end_of_header = 8 + 25
    content = content[:end_of_header] + chunk(b"tRNS", b"\0\1") + content[end_of_header:]
    pixels = read_picture(content, LIMITS).pixels
    assert (pixels[..., 3] == 255 - flag).all()


def test_exif_is_read_in_both_byte_orders_and_never_fails() -> None:
    assert exif_orientation(exif(6)) == exif_orientation(exif(6, "<")) == 6
    assert exif_orientation(exif(6).removeprefix(b"Exif\0\0")) == 6
    for length in range(len(exif(6))):
        assert exif_orientation(exif(6)[:length]) in range(9)


@given(st.binary(max_size=200))
def test_any_exif_gives_a_number(content: bytes) -> None:
    assert exif_orientation(b"Exif\0\0" + content) >= 0


def test_a_photograph_is_reduced_while_it_is_decoded(flag: Bytes, saved: Saved) -> None:
    photo = Image.fromarray(flag).resize((4000, 4800)).convert("RGB")
    decoded = decode_upload(saved(photo, "JPEG", quality=50))
    assert decoded.steps[0][0] == "reduced to 500x600 pixels"
    expected = decode_upload(saved(flag)).images[0].astype(int)
    assert np.abs(decoded.images[0] - expected).mean() < 2


def test_a_large_picture_is_reduced_to_1000_pixels(saved: Saved) -> None:
    picture = read_picture(saved(Image.new("RGBA", (2001, 900))), LIMITS)
    assert picture.pixels.shape == (300, 667, 4)
    assert picture.steps == ("reduced to 667x300 pixels",)


def webp_declaring(width: int, height: int, kind: bytes) -> bytes:
    if kind == b"VP8X":
        body = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif kind == b"VP8L":
        body = b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little")
    else:
        body = bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return b"RIFF" + struct.pack("<I", 100) + b"WEBP" + kind + struct.pack("<I", len(body)) + body + bytes(80)


def hostile(flag: Bytes, saved: Saved, chunk: Any, declare: Any) -> dict[str, tuple[bytes, type[ServiceError]]]:
    png, jpeg, webp = saved(flag), saved(flag, "JPEG"), saved(flag, "WEBP", quality=100)
    colour = Image.fromarray(flag).convert("RGB")
    progressive = saved(colour, "JPEG", progressive=True)
    last_scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    return {
        "empty": (b"", InvalidImage),
        "random": (np.random.default_rng(0).bytes(5000), UnsupportedMedia),
        "GIF": (saved(flag, "GIF"), UnsupportedMedia),
        "TIFF": (saved(flag, "TIFF"), UnsupportedMedia),
        "BMP": (saved(flag, "BMP"), UnsupportedMedia),
        "PNG of 20000x20000": (declare(20_000, 20_000), InputTooLarge),
        "PNG of 13000x13000": (declare(13_000, 13_000), InputTooLarge),
        "PNG of 2^31 - 1": (declare(2**31 - 1, 2**31 - 1), InputTooLarge),
        "WebP of 16383x16383": (webp_declaring(16_383, 16_383, b"VP8 "), InputTooLarge),
        "lossless WebP of 16384x16384": (webp_declaring(16_384, 16_384, b"VP8L"), InputTooLarge),
        "extended WebP of 2^24": (webp_declaring(2**24, 2**24, b"VP8X"), InputTooLarge),
        "WebP without pixels": (webp_declaring(100, 100, b"VP8 "), InvalidImage),
        "JPEG of 65000x65000": (
            jpeg.replace(struct.pack(">HH", 120, 100), struct.pack(">HH", 65_000, 65_000)),
            InputTooLarge,
        ),
        "progressive JPEG of 25 Mpx": (
            progressive.replace(struct.pack(">HH", 120, 100), struct.pack(">HH", 5_000, 5_000)),
            InputTooLarge,
        ),
        "PNG 0 wide": (declare(0, 28), InvalidImage),
        "PNG 0 high": (declare(28, 0), InvalidImage),
        "PNG without enough pixels": (declare(100, 100), InvalidImage),
        "1x1": (saved(flag[:1, :1]), InvalidImage),
        "1x10000": (saved(np.zeros((10_000, 1), np.uint8)), InvalidImage),
        "10x1000": (saved(np.zeros((10, 1000), np.uint8)), InvalidImage),
        "PNG of a million chunks": (declare(28, 28, chunk(b"tEXt", b"a\0b") * 900_000), InvalidImage),
        "JPEG of a million segments": (jpeg[:2] + b"\xff\xfe\0\2" * 3_000_000 + jpeg[2:], InvalidImage),
        "JPEG with a million fill bytes": (jpeg[:2] + b"\xff" * 1_000_000 + jpeg[2:], InvalidImage),
        "JPEG of a thousand scans": (progressive[:-2] + last_scan * 1000 + b"\xff\xd9", InvalidImage),
        "JPEG of nothing": (b"\xff\xd8\xff", InvalidImage),
        "bad checksum": (png[:20] + b"\xff" + png[21:], InvalidImage),
        "truncated PNG": (png[:-30], InvalidImage),
        "truncated JPEG": (jpeg[: len(jpeg) // 2], InvalidImage),
        "truncated WebP": (webp[: len(webp) // 2], InvalidImage),
    }


HOSTILE = list(hostile(np.zeros((120, 100), np.uint8), lambda *_, **__: b"\xff\xda..", lambda *_: b"", lambda *_: b""))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_is_refused_at_once(
    name: str, flag: Bytes, saved: Saved, chunk: Any, declare_png: Any
) -> None:
    content, error = hostile(flag, saved, chunk, declare_png)[name]
    with pytest.raises(error) as caught:
        decode_upload(content, "image/png")
    assert type(caught.value) is error


def test_limits_are_those_given(flag: Bytes, saved: Saved) -> None:
    content = saved(flag)
    with pytest.raises(InputTooLarge, match="file"):
        decode_upload(content, limits=DecodingLimits(max_image_bytes=len(content) - 1))
    with pytest.raises(InputTooLarge, match="pixels") as caught:
        decode_upload(content, limits=DecodingLimits(max_image_pixels=11_999))
    assert caught.value.allowed == "at most 11,999 pixels"
    assert len(decode_upload(content, limits=DecodingLimits(max_image_pixels=12_000))) == 1
    for kind in ("PNG", "JPEG", "WEBP"):
        with pytest.raises(InputTooLarge, match="pixels"):
            decode_upload(saved(flag, kind), limits=DecodingLimits(max_streamed_pixels=11_999))
    assert len(decode_upload(saved(flag, "JPEG"), limits=DecodingLimits(max_image_pixels=11_999))) == 1
    with pytest.raises(ValueError, match="min_side_px"):
        DecodingLimits(min_side_px=0)


def test_metadata_costs_nothing(flag: Bytes, saved: Saved, chunk: Any) -> None:
    """Megabytes that texts and profiles unpack to, and five thousand broken tags, are never read."""
    png, jpeg = saved(flag), saved(flag, "JPEG", quality=95)
    bomb = zlib.compress(bytes(100_000_000), 9)
    extra = chunk(b"zTXt", b"a\0\0" + bomb) * 20 + chunk(b"iCCP", b"a\0\0" + bomb) + chunk(b"acTL", bytes(8))
    assert (pixels(png[:33] + extra + png[33:]) == flag).all()
    tags = b"".join(struct.pack(">HHII", 270 + n, 2, 60_000, 8) for n in range(5_000))
    block = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 5_000) + tags
    segment = b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block
    assert (pixels(jpeg[:2] + segment + jpeg[2:]) == pixels(jpeg)).all()


@given(kind=st.sampled_from(["PNG", "JPEG", "WEBP"]), data=st.data())
def test_damaged_pictures_are_only_refused(kind: str, data: st.DataObject, saved: Saved, flag: Bytes) -> None:
    content = bytearray(saved(Image.fromarray(flag).convert("RGB"), kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)))
    with contextlib.suppress(InvalidInput):
        assert decode_upload(bytes(content[:end]), "image/*").images.shape == (1, 28, 28)
