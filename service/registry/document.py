"""Sealed JSON: what the registry keeps beside the weights, with a checksum of itself inside.

Without the checksum a flipped bit could turn one version, or one accuracy, into another that looks as good.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from service.errors import Corrupted

MAX_DOCUMENT_BYTES = 256 * 1024
SEAL = "sha256"


def write_document(fields: Mapping[str, Any]) -> bytes:
    """Plain data as JSON text, sealed: the SHA-256 of the text without it is the last field.

    Raises
    ------
    ValueError, TypeError
        A value has no place in JSON (NaN, for one), or the text is larger than `MAX_DOCUMENT_BYTES`.
    """
    data = _text({**fields, SEAL: hashlib.sha256(_text(fields)).hexdigest()})
    if len(data) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"a document must not be larger than {MAX_DOCUMENT_BYTES} bytes")
    return data


def read_document(data: bytes) -> dict[str, Any]:
    """The fields of a sealed document, the seal taken off.

    Raises
    ------
    Corrupted
        The text is not, byte for byte, what `write_document` makes of its fields. So a repeated field, NaN,
        another spacing or a wrong seal are all refused.
    """
    try:
        fields = json.loads(data.decode("ascii"))
        del fields[SEAL]
        intact = write_document(fields) == data
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Corrupted("A stored document is not readable.") from error
    if not intact:
        raise Corrupted("A stored document is not what its checksum says.")
    return dict(fields)


def _text(fields: Mapping[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2, allow_nan=False) + "\n").encode("ascii")
