"""The table of problems: complete, and explained to those who ask."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from service.errors import ServiceError
from service.web.problems import PROBLEM_TYPES
from tests.web.serving import problem_of


def tree(root: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


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


def test_an_unknown_type_is_not_found(url: str) -> None:
    assert problem_of(httpx.get(f"{url}/problems/no-such-problem")) == "not-found"
