from __future__ import annotations

from typing import Any

import httpx
import pytest

from service.client.problem import raise_for_problem
from service.errors import InvalidField, JobNotFound, ServiceError, ServiceUnreachable


def refused(status: int, **answer: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
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
    error = refused(422, json={"type": "/problems/invalid-field", "title": "t", "detail": "d", "errors": [entry]})
    assert type(error) is InvalidField
    assert (error.field, error.allowed) == ("learning_rate", "0 to 10")


def test_several_fields_are_all_told() -> None:
    entries = [{"parameter": name, "message": f"{name} is wrong."} for name in ("a", "b")]
    error = refused(422, json={"type": "/problems/invalid-field", "title": "t", "detail": "Two.", "errors": entries})
    assert error.message == "Two. a is wrong. b is wrong."


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "<h1>Bad Gateway</h1>"},
        {"json": ["a", "list"]},
        {"json": {"message": "no type"}},
        {"json": {"type": 3, "title": "t"}},
    ],
)
def test_what_is_no_problem_is_told_by_its_status(answer: dict[str, Any]) -> None:
    assert type(refused(418, **answer)) is ServiceError
    error = refused(502, **answer)
    assert type(error) is ServiceUnreachable
    assert error.message == "The server answered 502 Bad Gateway."


def test_an_unknown_type_keeps_its_words() -> None:
    error = refused(503, json={"type": "/problems/not-ready", "title": "Not ready", "detail": "It is starting."})
    assert (type(error), error.message) == (ServiceUnreachable, "It is starting.")
