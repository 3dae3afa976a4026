"""A short share of fuzzing the API: by its description, and by JSON of any kind."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core import HYPERPARAMETERS
from tests.fuzz.api import ALONE, CONFIGURATION, IN_SEQUENCE, a_key, fuzz
from tests.security.server import DEADLINE_S, Server, running
from tests.web.serving import problem_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("service")) as server:
        yield server


@pytest.fixture(scope="module")
def key(server: Server) -> str:
    return a_key(server)


@pytest.fixture(scope="module")
def client(server: Server, key: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"{server.url}/api/v1", headers=headers, timeout=DEADLINE_S) as client:
        yield client


@pytest.mark.slow
def test_every_chart_may_refuse_a_resolution_that_its_size_leaves_no_room_for(
    server: Server, client: httpx.Client
) -> None:
    charts = {
        operation["operationId"]
        for operations in client.get(f"{server.url}/openapi.json").json()["paths"].values()
        for operation in operations.values()
        if any(parameter["name"] == "dpi" for parameter in operation.get("parameters", []))
    }
    may_be_refused = {
        operation
        for rule in tomllib.loads(CONFIGURATION.read_text())["operations"]
        if "422" in rule["checks"].get("positive_data_acceptance", {}).get("expected-statuses", [])
        for operation in rule["include-operation-id"]
    }
    assert charts
    assert charts <= may_be_refused


@pytest.mark.slow
@pytest.mark.parametrize(("phases", "max_s", "least"), [(ALONE, 8, 10), (IN_SEQUENCE, 5, 10)])
def test_every_answer_is_what_the_description_says(
    server: Server, key: str, phases: str, max_s: int, least: int
) -> None:
    outcome = fuzz(server, key, phases, max_s)
    if "SystemError: AST constructor recursion depth mismatch" in outcome.report:  # of CPython 3.11, not of the service
        outcome = fuzz(server, key, phases, max_s)
    assert not outcome.failed, outcome.report[-8000:]
    assert outcome.n_cases >= least
    assert "Traceback" not in server.log.read_text()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=8,
)
REQUESTS = st.dictionaries(
    st.sampled_from([*(row.name for row in HYPERPARAMETERS), "dataset", "name"]) | st.text(max_size=8), JSON_VALUES
)


@pytest.mark.slow
@settings(max_examples=100)
@given(request_=REQUESTS | JSON_VALUES)
def test_no_json_breaks_the_server(client: httpx.Client, request_: Any) -> None:
    content = json.dumps(request_).encode()
    answer = client.post("/jobs", content=content, headers={"Content-Type": "application/json"})
    if answer.status_code == 202:  # a whole training: possible, and not what is tested here
        client.post(f"/jobs/{answer.json()['id']}/cancel")
    else:
        assert answer.status_code in (400, 404, 413, 422)
        problem_of(answer)
