"""Sealed documents: JSON that holds its own checksum. Manifests and alias entries are stored in this form.

Without the checksum a flipped bit could turn a version number, or an accuracy, into another plausible one.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from service.errors import Corrupted

MAX_DOCUMENT_BYTES = 256 * 1024
SEAL = "sha256"


def write_document(fields: Mapping[str, Any]) -> bytes:
    """Return JSON that ends with its own SHA-256; raise ValueError or TypeError for NaN, or if it is too large."""
    data = _text({**fields, SEAL: hashlib.sha256(_text(fields)).hexdigest()})
    if len(data) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"a document must not be larger than {MAX_DOCUMENT_BYTES} bytes")
    return data


def read_document(data: bytes) -> dict[str, Any]:
    """Return the fields of a sealed document, without the seal.

    Raises `Corrupted` unless the text is, byte for byte, what `write_document` makes of its fields: a repeated field,
    NaN, other spacing and a wrong seal are all rejected.
    """
    try:
        fields = json.loads(data.decode("ascii"))
        del fields[SEAL]
        intact = write_document(fields) == data
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Corrupted("A stored document cannot be read.") from error
    if not intact:
        raise Corrupted("A stored document does not match its checksum.")
    return dict(fields)


def _text(fields: Mapping[str, Any]) -> bytes:
    return (json.dumps(fields, indent=2, allow_nan=False) + "\n").encode("ascii")
