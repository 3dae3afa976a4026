from __future__ import annotations

from typing import Any

import httpx
import pytest

from inkling import Conflict, InklingError, InvalidField, JobNotFound, NotFound, ServiceUnreachable, TooManyRequests
from inkling.errors import BY_NAME, InvalidInput, ServerFailed, Unauthenticated, raise_for_problem
from service.web.problems import PROBLEM_TYPES


def refused(status: int, **answer: Any) -> InklingError:
    with pytest.raises(InklingError) as caught:
        raise_for_problem(httpx.Response(status, **answer))
    return caught.value


def test_an_answer_that_is_no_refusal_passes() -> None:
    raise_for_problem(httpx.Response(202, json={"id": "1"}))


def test_the_type_names_the_error() -> None:
    error = refused(404, json={"type": "/problems/job-not-found", "title": "Job not found", "detail": "No such job."})
    assert type(error) is JobNotFound
    assert (error.message, error.field, error.allowed) == ("No such job.", None, None)


def test_field_and_allowed_range_come_back() -> None:
    entry = {"pointer": "#/learning_rate", "code": "out_of_range", "message": "It must be small.", "allowed": "0 to 10"}
    error = refused(422, json={"type": "/problems/invalid-field", "title": "t", "detail": "d.", "errors": [entry]})
    assert type(error) is InvalidField
    assert (error.field, error.allowed, error.code) == ("learning_rate", "0 to 10", "invalid-field")
    assert str(error) == "d. Allowed: 0 to 10."


def test_several_fields_are_all_named() -> None:
    entries = [{"parameter": name, "message": f"{name} is wrong."} for name in ("a", "b")]
    error = refused(422, json={"type": "/problems/invalid-field", "title": "t", "detail": "Two.", "errors": entries})
    assert error.message == "Two. a is wrong. b is wrong."
    assert [entry["parameter"] for entry in error.errors] == ["a", "b"]


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "<h1>Bad Gateway</h1>"},
        {"json": ["a", "list"]},
        {"json": {"message": "no type"}},
        {"json": {"type": 3, "title": "t"}},
        {"content": b"[" * 200_000 + b"]" * 200_000},
    ],
    ids=lambda answer: str(answer)[:40],
)
def test_what_is_no_problem_goes_by_its_status(answer: dict[str, Any]) -> None:
    assert type(refused(418, **answer)) is ServerFailed
    assert type(refused(404, **answer)) is NotFound
    error = refused(502, **answer)
    assert type(error) is ServiceUnreachable
    assert error.message == "The server answered 502 Bad Gateway."


def test_an_unknown_type_keeps_its_words() -> None:
    for status, kind in ((409, Conflict), (422, InvalidInput), (429, TooManyRequests), (503, ServerFailed)):
        error = refused(status, json={"type": "/problems/not-ready", "title": "Not ready", "detail": "It is starting."})
        assert (type(error), error.message, error.code) == (kind, "It is starting.", "not-ready")


def test_when_to_ask_again() -> None:
    problem = {"type": "/problems/too-many-requests", "title": "Too many requests"}
    error = refused(429, json=problem, headers={"Retry-After": "7"})
    assert (type(error), error.retry_after_s) == (TooManyRequests, 7.0)


def test_the_message_names_where_a_key_goes() -> None:
    error = refused(401, json={"type": "/problems/unauthenticated", "title": "t", "detail": "There is no key."})
    assert type(error) is Unauthenticated
    assert "INKLING_KEY" in error.message


def test_every_class_is_that_of_a_problem_or_a_group_of_them() -> None:
    codes = {error("").code for error in BY_NAME.values()}
    groups = {"inkling-error", "conflict", "access-denied", "server-failed", "service-unreachable"}
    assert codes - groups <= set(PROBLEM_TYPES)
