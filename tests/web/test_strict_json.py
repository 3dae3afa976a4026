"""JSON is refused or read the same, whichever parser looks at it first."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ServiceError
from service.web.strict_json import MAX_PARTS, parse_json, parse_json_of_numbers

numbers = st.integers(-(2**63), 2**64 - 1) | st.floats() | st.sampled_from([True, False, None])
values = st.recursive(numbers, lambda children: st.lists(children, max_size=4), max_leaves=20)
texts = st.text(max_size=3)


@given(st.dictionaries(texts, values | texts | st.dictionaries(texts, values, max_size=2), max_size=3), st.booleans())
def test_what_is_read_is_what_python_reads(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert repr(parse_json_of_numbers(text.encode())) == repr(json.loads(text)) == repr(parse_json(text.encode()))


@pytest.mark.parametrize("parse", [parse_json, parse_json_of_numbers])
@pytest.mark.parametrize(
    "text",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": "w", ":x": 1, ":x": 2}',
        b'{"a": "b", "b": 1, "b": 2}',
        b'{"a": 1,}',
        pytest.param(b'{"a": [%b]}' % b",".join(b'"%d"' % number for number in range(MAX_PARTS)), id="many strings"),
        b"[" * 33 + b"]" * 33,
        b'"\\ud800"',
        b'"\xff"',
        b"1 2",
        b"",
    ],
)
def test_what_is_no_strict_json_is_refused(text: bytes, parse: Callable[[bytes], Any]) -> None:
    with pytest.raises(ServiceError):
        parse(text)


@pytest.mark.parametrize("parse", [parse_json, parse_json_of_numbers])
@pytest.mark.parametrize("text", [b"NaN", b'{"a": [Infinity, -Infinity]}', b'{"a": 1e400}', b"[" * 32 + b"]" * 32])
def test_what_fields_are_checked_for_is_let_through(text: bytes, parse: Callable[[bytes], Any]) -> None:
    assert repr(parse(text)) == repr(json.loads(text))
