"""A gzip reader for bytes that nobody vouches for: one member, whole, and never more than a stated size."""

from __future__ import annotations

import zlib

from service.errors import InputTooLarge, InvalidDataset

_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


def gunzip(data: bytes, *, limit_bytes: int) -> bytes:
    """Expand one gzip member, stopping as soon as the result would pass ``limit_bytes``.

    The checksum and the length at the end of the member are verified. Never more than
    ``limit_bytes + 1`` bytes are expanded, whatever the input claims about itself.

    Raises
    ------
    InvalidDataset : not gzip, damaged, truncated, or followed by anything (a second member, padding).
    InputTooLarge : it expands to more than ``limit_bytes``.
    """
    expander = zlib.decompressobj(_GZIP_WINDOW_BITS)
    try:
        expanded = expander.decompress(data, limit_bytes + 1)
    except zlib.error:
        raise InvalidDataset("The gzip file is damaged, or is not a gzip file.") from None
    if len(expanded) > limit_bytes:
        raise InputTooLarge(
            "The gzip file expands to more than the limit.", allowed=f"at most {limit_bytes:,} bytes expanded"
        )
    if not expander.eof:
        raise InvalidDataset("The gzip file is truncated.")
    if expander.unused_data:
        raise InvalidDataset("The gzip file must hold exactly one member and nothing after it.")
    return expanded
