"""The table of problems: complete, and explained to those who ask."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from service import errors
from service.errors import ServiceError
from service.web.problems import FORMS, PROBLEM_TYPES
from service.web.requests import Parameters, Strict
from tests.web.serving import problem_of


def tree(root: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn = {ServiceError.__name__: ServiceError.__base__}
    for line in (errors.__doc__ or "").splitlines():
        if line.startswith(("    ├── ", "    └── ")):
            parent, _, children = line[8:].rpartition(": ")
            drawn |= dict.fromkeys(children.split(", "), getattr(errors, parent) if parent else ServiceError)
            drawn |= {parent: ServiceError} if parent else {}
    assert drawn == {error.__name__: error.__base__ for error in tree(ServiceError)}


@pytest.mark.parametrize("error", list(tree(ServiceError)), ids=lambda error: error.__name__)
def test_every_error_has_a_status(error: type[ServiceError]) -> None:
    status = PROBLEM_TYPES[error.code].status
    assert status is not None
    assert 400 <= status <= 599


def test_no_two_errors_share_a_code() -> None:
    codes = [error.code for error in tree(ServiceError)]
    assert len(codes) == len(set(codes))


@pytest.mark.slow
@pytest.mark.parametrize("code", PROBLEM_TYPES)
def test_every_type_can_be_opened(url: str, code: str) -> None:
    explained = httpx.get(f"{url}/problems/{code}").json()
    assert explained["type"] == f"/problems/{code}"
    assert explained["meaning"].endswith(".")


def patterns_in(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (value for name, value in schema.items() if name == "pattern" and isinstance(value, str))
        for name, part in schema.items():
            yield from patterns_in(part) if name != "metadata" else ()  # what is only documented
    elif isinstance(schema, list | tuple):
        for part in schema:
            yield from patterns_in(part)


def test_no_refusal_shows_a_regular_expression(url: str) -> None:
    kinds = [Parameters, Strict]
    for kind in kinds:
        kinds += kind.__subclasses__()
    checked = {pattern for kind in kinds for pattern in patterns_in(kind.__pydantic_core_schema__)}
    assert checked == FORMS.keys()
    (entry,) = httpx.get(f"{url}/api/v1/models", params={"before": "BB"}).json()["errors"]
    assert entry["allowed"] == "the `next` of an earlier page"


def test_an_unknown_type_is_not_found(url: str) -> None:
    assert problem_of(httpx.get(f"{url}/problems/no-such-problem")) == "not-found"
