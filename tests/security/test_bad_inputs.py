"""What strangers send, one row a case: status, problem type, and the field that is named. Never a 5xx.

The numbers are those of a list of 130 bad inputs:

  1-27   any address: keys, hosts, headers, lengths, encodings, methods, paths, origins, ids
 28-71   jobs: JSON, fields, names, keys of idempotency, states, pages, event streams
 72-88   data sets: import by address, IDX, gzip, archives, names
 89-109  predictions: files, pixels, tensors, forms
110-114  pictures
115-124  models
125-130  administration

Each has rows here, or a test elsewhere, or a reason why there is nothing to test.
"""

from __future__ import annotations

import re
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from PIL import Image

from service.core import HYPERPARAMETERS
from tests.security.case import CANARY, JSON, NO_JOB, Case
from tests.security.image_cases import IMAGES, encoded
from tests.security.job_cases import JOBS, body
from tests.security.model_cases import DATA_SETS, MODELS
from tests.security.server import Server, status_of
from tests.security.transport_cases import TRANSPORT
from tests.web.serving import problem_of

LEAKS = re.compile(r"Traceback|File \"|\.py\b|/(tmp|usr|home|root)|site-packages|sql|pydantic|starlette|uvicorn|numpy")
"""What nobody outside should know."""

CASES = (*TRANSPORT, *JOBS, *IMAGES, *DATA_SETS, *MODELS)

ELSEWHERE = {
    13: "test_slow_headers",
    14: "test_slow_bodies",
    15: "test_a_silent_client_is_left",
    50: "test_the_same_key_gives_the_same_job",
    51: "test_the_same_key_with_another_request_is_refused",
    52: "test_one_key_from_many_threads_is_one_job",
    54: "test_a_full_queue_says_when_to_come_back",
    56: "test_a_full_database_says_so_and_is_unharmed",
    57: "test_a_database_that_cannot_be_opened_says_so",
    61: "test_a_running_job_is_cancelled_and_keeps_its_best_weights",
    62: "test_a_deleted_job_is_gone_and_its_model_stays",
    70: "test_a_finished_job_is_replayed",
    71: "test_a_client_that_hardly_reads_its_stream_is_disconnected",
    88: "test_a_kill_at_any_write_leaves_it_absent_or_whole",
    112: "test_a_queued_job_has_nothing_to_show",
    114: "test_many_at_once",
    116: "test_hostile_files_are_refused_at_the_cost_of_their_own_size",
    117: "test_hostile_files_are_refused_at_the_cost_of_their_own_size",
    118: "test_what_an_archive_declares_is_refused_before_anything_is_unpacked",
    119: "test_hostile_files_are_refused_at_the_cost_of_their_own_size",
    120: "test_bad_moves",
    123: "test_damaged_weights_are_refused_and_other_versions_still_predict",
    124: "test_of_two_who_move_at_once_one_wins",
}
NOTHING_TO_TEST = {
    **dict.fromkeys((1, 2, 3, 4, 24, 26, 69, 125, 126, 128), "belongs to the tests of keys, scopes and rates"),
    5: "there is one owner of everything, and no tenants",
    55: "jobs have no owner, so none has a share of the workers",
    **dict.fromkeys((72, 73, 74), "nothing is ever fetched from an address that a client gives"),
    84: "no digest comes with a data set; sending other data under its name is refused",
    87: "data sets cannot be removed",
    113: "pictures have no titles from outside",
    **dict.fromkeys((127, 129, 130), "there is no such operation over HTTP"),
}


def test_the_whole_list_is_accounted_for() -> None:
    by_rows = {case.number for case in CASES}
    assert not by_rows & ELSEWHERE.keys()
    assert not (by_rows | ELSEWHERE.keys()) & NOTHING_TO_TEST.keys()
    assert by_rows | ELSEWHERE.keys() | NOTHING_TO_TEST.keys() == set(range(1, 131))
    tests = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py"))
    for name in ELSEWHERE.values():
        assert f"def {name}(" in tests


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_input(case: Case, server: Server, client: httpx.Client) -> None:
    answer = _sent_raw(server, case.raw) if case.raw is not None else _sent(client, case)
    if answer is None:
        assert case.status is None or case.or_closed
        return
    assert answer.status_code == (case.status or 400)
    assert CANARY not in answer.text
    assert not any(CANARY in value for value in answer.headers.values())
    assert answer.status_code < 400 or not LEAKS.search(answer.text)
    if case.problem == "v2":
        assert list(answer.json()) == ["error"]
    elif case.problem is not None:
        assert problem_of(answer) == case.problem
    if answer.status_code == 405:
        assert answer.headers["allow"]
    if case.place is not None:
        error = answer.json()["errors"][0]
        assert case.place in (error.get("pointer"), error.get("parameter"), error.get("header"))


def _sent(client: httpx.Client, case: Case) -> httpx.Response:
    base = str(client.base_url).removesuffix("/api/v1/")
    url = f"{base}{case.path[1:]}" if case.path.startswith("//") else case.path
    return client.request(case.method, url, **case.request)


def _sent_raw(server: Server, content: bytes) -> httpx.Response | None:
    answer = server.exchange(content)
    if not answer:
        return None
    status = status_of(answer)
    assert status is not None
    head, _, text = answer.partition(b"\r\n\r\n")
    headers = [tuple(line.split(b": ", 1)) for line in head.split(b"\r\n")[1:]]
    return httpx.Response(status, headers=headers, content=text)


def test_the_log_has_no_image_and_no_trace(server: Server, client: httpx.Client) -> None:
    """After everything above, and an image that could be read if it were there."""
    pixels = b"pixel" * 156 + b"last"
    picture = encoded(Image.frombytes("L", (28, 28), pixels))
    client.post("/predict", content=pixels, headers={"Content-Type": "application/octet-stream"})
    for content in (picture, picture[:60]):
        client.post("/predict", content=content, headers={"Content-Type": "image/png"})
    client.post("/predict", json={"pixels": list(pixels)})
    log = server.log.read_text()
    assert " POST /api/v1/predict 200 " in log
    assert "Traceback" not in log
    assert "pixelpixel" not in log
    assert str([*pixels[:4]]).strip("[]") not in log


@pytest.mark.parametrize(
    "row", [row for row in HYPERPARAMETERS if row.kind in ("integer", "number")], ids=attrgetter("name")
)
def test_the_allowed_range_is_that_of_the_table(client: httpx.Client, row: Any) -> None:
    answer = client.post("/jobs", content=body(**{row.name: -1}), headers=JSON)
    (error,) = answer.json()["errors"]
    assert error["allowed"] == row.allowed
    assert answer.json()["detail"] == f"{row.name} must be {row.allowed}."


def test_at_most_twenty_errors_are_listed(client: httpx.Client) -> None:
    answer = client.post("/jobs", content=body(**{f"unknown_{number}": 1 for number in range(100)}), headers=JSON)
    assert problem_of(answer) == "invalid-field"
    assert len(answer.json()["errors"]) == 20


def test_a_charset_does_no_harm(client: httpx.Client) -> None:
    answer = client.post("/jobs", content=body(), headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert answer.status_code == 202


def test_a_parameter_at_fault_is_named_as_one(client: httpx.Client) -> None:
    (error,) = client.get("/jobs?limit=0").json()["errors"]
    assert (error["parameter"], error["code"], error["allowed"]) == ("limit", "out_of_range", "at least 1")
    (error,) = client.get("/jobs?sort=created").json()["errors"]
    assert (error["parameter"], error["allowed"]) == ("sort", "before, limit, q, state, tag")


def test_a_number_in_an_address_is_decimal_digits(server: Server, client: httpx.Client) -> None:
    """Every one that is documented, in a query or a path, in each form that Python or pydantic would take besides."""
    document, n_numbers = client.get(f"{server.url}/openapi.json").json(), 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for number in operation.get("parameters", ()):
                if "integer" not in types_of(number["schema"]):
                    continue
                n_numbers += 1
                name, is_query = number["name"], number["in"] == "query"
                for text in ("5.0", "1_0", "+5", " 5", "\u0665", *(() if is_query else ("01", "-0"))):
                    values = {part: NO_JOB if part.endswith("_id") else "1" for part in re.findall(r"{(\w+)}", path)}
                    address = server.url + path.format(**values | ({} if is_query else {name: quote(text)}))
                    answer = client.request(method, address, params={name: text} if is_query else {}, json={})
                    assert answer.status_code == 422, (method, address, text)
                    (error,) = [each for each in answer.json()["errors"] if each.get("parameter") == name]
                    assert (error["code"], error["allowed"]) == ("wrong_type", "a whole number")
    assert n_numbers > 30
    assert client.get("/datasets/mnist/images?after=-1&limit=05").status_code == 200


def types_of(schema: dict[str, Any]) -> list[str]:
    return [kind.get("type", "") for kind in schema.get("anyOf", [schema])]


def test_one_acceptable_form_is_enough(client: httpx.Client) -> None:
    assert client.get("/jobs", headers={"Accept": "text/html, */*;q=0.1"}).status_code == 200
