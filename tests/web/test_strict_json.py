"""JSON is refused or read the same, whichever parser looks at it first."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ServiceError
from service.web.strict_json import parse_json, parse_json_of_numbers

numbers = st.integers(-(2**63), 2**64 - 1) | st.floats() | st.sampled_from([True, False, None])
values = st.recursive(numbers, lambda children: st.lists(children, max_size=4), max_leaves=20)


@given(st.text(max_size=3), values)
def test_one_key_is_read_as_python_reads_it(key: str, value: Any) -> None:
    text = json.dumps({key: value})
    assert repr(parse_json_of_numbers(text.encode())) == repr(json.loads(text)) == repr(parse_json(text.encode()))


@pytest.mark.parametrize("parse", [parse_json, parse_json_of_numbers])
@pytest.mark.parametrize(
    "text", [b'{"a": 1, "a": 1}', b'{"a": 1,}', b"[" * 33 + b"]" * 33, b'"\\ud800"', b'"\xff"', b"1 2", b""]
)
def test_what_is_no_strict_json_is_refused(text: bytes, parse: Callable[[bytes], Any]) -> None:
    with pytest.raises(ServiceError):
        parse(text)


@pytest.mark.parametrize("parse", [parse_json, parse_json_of_numbers])
@pytest.mark.parametrize("text", [b"NaN", b'{"a": [Infinity, -Infinity]}', b'{"a": 1e400}', b"[" * 32 + b"]" * 32])
def test_what_fields_are_checked_for_is_let_through(text: bytes, parse: Callable[[bytes], Any]) -> None:
    assert repr(parse(text)) == repr(json.loads(text))
