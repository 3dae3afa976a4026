"""Sealed documents: JSON that holds its own checksum. Manifests and alias entries are stored in this form.

Without the checksum a flipped bit could turn a version number, or an accuracy, into another plausible one.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import orjson

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


def utc_text(time: datetime) -> str:
    """Return a UTC time as ISO 8601 with a Z, to the millisecond: the form of every time in an answer."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


def to_json(value: Any) -> bytes:
    """Return an answer as JSON: data classes as objects of their fields, arrays as lists, times as `utc_text`."""
    return orjson.dumps(value, _plain, _OPTIONS)


def plain(value: Any) -> dict[str, Any]:
    """Return an answer as plain data: what a client gets of its JSON."""
    found: dict[str, Any] = orjson.loads(to_json(value))
    return found


def _plain(value: Any) -> Any:
    """Return what orjson cannot write as something that it can."""
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.ndarray):  # not in one piece
        return value.tolist()
    raise TypeError(f"no answer can hold {value!r}")
