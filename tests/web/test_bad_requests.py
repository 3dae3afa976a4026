"""What strangers send, one row a case: status, problem type, and the field that is named. Never a 5xx."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core import HYPERPARAMETERS
from tests.web.serving import TINY, problem_of

JSON = {"Content-Type": "application/json"}
NO_JOB = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def body(**fields: Any) -> bytes:
    return json.dumps({**TINY, **fields}).encode()


def raw(field: str, text: str) -> bytes:
    """Return a request in which one value is written as given, whether or not that is JSON."""
    return b'{"model": "softmax", "%s": %s}' % (field.encode(), text.encode())


UNPARSABLE = {
    "empty body": b"",
    "bad UTF-8": b'{"model": "\xff"}',
    "UTF-16": '{"model": "softmax"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "truncated": b'{"model": "soft',
    "deep lists": b"[" * 100_000,
    "33 levels": b"[" * 33 + b"]" * 33,
    "deep objects": b'{"a":' * 50 + b"1" + b"}" * 50,
    "trailing comma": b'{"model": "softmax",}',
    "two values": b"{} {}",
    "the same key twice": b'{"model": "softmax", "model": "softmax"}',
    "the same key twice, deeper": b'{"model": {"a": 1, "a": 1}}',
    "thousands of digits": raw("seed", "1" + "0" * 5000),
    "a control character": b'{"model": "soft\x00max"}',
}


@pytest.mark.parametrize("content", UNPARSABLE.values(), ids=UNPARSABLE)
def test_what_cannot_be_parsed(client: httpx.Client, content: bytes) -> None:
    answer = client.post("/jobs", content=content, headers=JSON)
    assert (answer.status_code, problem_of(answer)) == (400, "malformed-input")


INVALID = {
    "list": (b"[]", "#"),
    "null": (b"null", "#"),
    "number": (b"1", "#"),
    "no model": (b"{}", "#/model"),
    "learning rate NaN": (raw("learning_rate", "NaN"), "#/learning_rate"),
    "learning rate Infinity": (raw("learning_rate", "Infinity"), "#/learning_rate"),
    "learning rate 1e999": (raw("learning_rate", "1e999"), "#/learning_rate"),
    "learning rate as a string": (body(learning_rate="nan"), "#/learning_rate"),
    "learning rate 0": (body(learning_rate=0), "#/learning_rate"),
    "learning rate negative": (body(learning_rate=-1), "#/learning_rate"),
    "learning rate tiny": (raw("learning_rate", "1e-320"), "#/learning_rate"),
    "learning rate 11": (body(learning_rate=11), "#/learning_rate"),
    "learning rate of hundreds of digits": (raw("learning_rate", "1" + "0" * 400), "#/learning_rate"),
    "learning rate true": (body(learning_rate=True), "#/learning_rate"),
    "epochs NaN": (raw("epochs", "NaN"), "#/epochs"),
    "epochs true": (body(epochs=True), "#/epochs"),
    "epochs as a string": (body(epochs="5"), "#/epochs"),
    "epochs as a float": (body(epochs=5.0), "#/epochs"),
    "epochs 0": (body(epochs=0), "#/epochs"),
    "epochs 10^9": (body(epochs=10**9), "#/epochs"),
    "batch size 0": (body(batch_size=0), "#/batch_size"),
    "batch size above the images": (body(batch_size=513), "#/batch_size"),
    "training size above the images": (body(train_size=60_001), "#/train_size"),
    "validation size above the images": (body(validation_size=10_001), "#/validation_size"),
    "seed -1": (body(seed=-1), "#/seed"),
    "seed 2^64": (body(seed=2**64), "#/seed"),
    "seed 10^400": (raw("seed", "1" + "0" * 400), "#/seed"),
    "shuffle 1": (body(shuffle=1), "#/shuffle"),
    "unknown choice": (body(dtype="float16"), "#/dtype"),
    "half a surrogate in a choice": (raw("dtype", r'"\ud800"'), None),
    "half a surrogate in a name": (raw("name", r'"\udfff"'), None),
    "half a surrogate in a key": (rb'{"model": "softmax", "\ud800": 1}', None),
    "unknown field": (body(epoch=5), "#/epoch"),
    "status from outside": (body(status="succeeded"), "#/status"),
    "unknown field with a strange name": (body(**{"</script>": 5}), "#"),
    "classes repeated": (body(classes=[1, 1]), "#/classes"),
    "one class": (body(classes=[1]), "#/classes"),
    "class 10": (body(classes=[1, 10]), "#/classes/1"),
    "class true": (body(classes=[1, True]), "#/classes/1"),
    "classes as a string": (body(classes="23"), "#/classes"),
    "three classes for logistic": (body(model="logistic", classes=[1, 2, 3]), "#/classes"),
    "unknown data set": (body(dataset="nist"), "#/dataset"),
    "name with NUL": (body(name="a\0b"), "#/name"),
    "name with a change of direction": (body(name="a\u202eb"), "#/name"),
    "name of 10 KB": (body(name="a" * 10_000), "#/name"),
    "name of markup": (body(name="<script>"), "#/name"),
    "name that climbs": (body(name="../../x"), "#/name"),
    "name that is a number": (body(name=5), "#/name"),
}


@pytest.mark.parametrize(("content", "pointer"), INVALID.values(), ids=INVALID)
def test_what_is_well_formed_but_invalid(client: httpx.Client, content: bytes, pointer: str | None) -> None:
    answer = client.post("/jobs", content=content, headers=JSON)
    assert answer.status_code == 422
    assert problem_of(answer) in ("invalid-field", "invalid-input")
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("row", [row for row in HYPERPARAMETERS if row.kind in ("integer", "number")], ids=str)
def test_the_allowed_range_is_that_of_the_table(client: httpx.Client, row: Any) -> None:
    answer = client.post("/jobs", content=body(**{row.name: -1}), headers=JSON)
    (error,) = answer.json()["errors"]
    assert error["allowed"] == row.allowed
    assert answer.json()["detail"] == f"{row.name} must be {row.allowed}."


def test_at_most_twenty_errors_are_listed(client: httpx.Client) -> None:
    answer = client.post("/jobs", content=body(**{f"unknown_{number}": 1 for number in range(100)}), headers=JSON)
    assert problem_of(answer) == "invalid-field"
    assert len(answer.json()["errors"]) == 20


def test_the_input_is_never_repeated(client: httpx.Client) -> None:
    answer = client.post("/jobs", content=body(learning_rate="sesame", dtype="sesame"), headers=JSON)
    assert "sesame" not in answer.text


MEDIA = {
    "no content type": {},
    "text": {"Content-Type": "text/plain"},
    "form": {"Content-Type": "application/x-www-form-urlencoded"},
    "gzip": {**JSON, "Content-Encoding": "gzip"},
}


@pytest.mark.parametrize("headers", MEDIA.values(), ids=MEDIA)
def test_what_is_not_plain_json(client: httpx.Client, headers: dict[str, str]) -> None:
    answer = client.post("/jobs", content=body(), headers=headers)
    assert (answer.status_code, problem_of(answer)) == (415, "unsupported-media")


def test_a_charset_does_no_harm(client: httpx.Client) -> None:
    answer = client.post("/jobs", content=body(), headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert answer.status_code == 202


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit(client: httpx.Client, chunked: bool) -> None:
    content: Any = b" " * 262_145
    if chunked:
        content = iter([content[:100_000], content[100_000:200_000], content[200_000:]])
    answer = client.post("/jobs", content=content, headers=JSON)
    assert (answer.status_code, problem_of(answer)) == (413, "input-too-large")
    assert answer.json()["errors"][0]["allowed"] == "at most 262,144 bytes"


KEYS = {"of 1 KB": "k" * 1024, "empty": "", "with a tab": "a\tb", "beyond ASCII": "é".encode()}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_an_idempotency_key_that_cannot_be_used(client: httpx.Client, key: Any) -> None:
    answer = client.post("/jobs", content=body(), headers={**JSON, "Idempotency-Key": key})
    assert (answer.status_code, problem_of(answer)) == (400, "malformed-input")
    assert answer.json()["errors"][0]["header"] == "Idempotency-Key"


ADDRESSES = [
    ("GET", "/jobs/1", 404, "job-not-found"),
    ("GET", f"/jobs/{NO_JOB}", 404, "job-not-found"),
    ("GET", f"/jobs/{NO_JOB}/metrics", 404, "job-not-found"),
    ("GET", f"/jobs/{NO_JOB}/events", 404, "job-not-found"),
    ("GET", f"/jobs/{NO_JOB}/loss.png", 404, "job-not-found"),
    ("GET", f"/jobs/{NO_JOB}/weights.png", 404, "job-not-found"),
    ("POST", f"/jobs/{NO_JOB}/cancel", 404, "job-not-found"),
    ("DELETE", f"/jobs/{NO_JOB}", 404, "job-not-found"),
    ("GET", "/jobs/%00", 404, "job-not-found"),
    ("GET", "/jobs/%ff", 404, "job-not-found"),
    ("GET", "/jobs/..%2f..%2fetc", 404, "not-found"),
    ("GET", "/nothing", 404, "not-found"),
    ("GET", "/jobs/", 404, "not-found"),
    ("PATCH", "/jobs", 405, "method-not-allowed"),
    ("PUT", f"/jobs/{NO_JOB}", 405, "method-not-allowed"),
    ("GET", "/jobs?limit=0", 422, "invalid-field"),
    ("GET", "/jobs?limit=-1", 422, "invalid-field"),
    ("GET", "/jobs?limit=201", 422, "invalid-field"),
    ("GET", "/jobs?limit=1000000000", 422, "invalid-field"),
    ("GET", "/jobs?limit=abc", 422, "invalid-field"),
    ("GET", "/jobs?limit=" + "9" * 5000, 422, "invalid-field"),
    ("GET", "/jobs?state=asleep", 422, "invalid-field"),
    ("GET", "/jobs?sort=created;drop", 422, "invalid-field"),
    ("GET", "/jobs?before=forged", 422, "invalid-field"),
    ("GET", "/jobs?%F0%9F%92%A9=1", 422, "invalid-field"),
    ("GET", "/jobs?%00=1&host=2", 422, "invalid-field"),
    ("GET", f"/jobs/{NO_JOB}/metrics?since=-1", 422, "invalid-field"),
    ("GET", f"/jobs/{NO_JOB}/metrics?since=99999999999999999999", 422, "invalid-field"),
    ("GET", f"/jobs/{NO_JOB}/metrics?max_points=1", 422, "invalid-field"),
    ("GET", f"/jobs/{NO_JOB}/metrics?format=xml", 422, "invalid-field"),
    ("GET", f"/jobs/{NO_JOB}/events?after=garbage", 400, "malformed-input"),
    ("GET", f"/jobs/{NO_JOB}/events?after=-1", 400, "malformed-input"),
    ("GET", f"/jobs/{NO_JOB}/events?after=٣", 400, "malformed-input"),
    ("GET", f"/jobs/{NO_JOB}/loss.pdf", 422, "invalid-field"),
    ("GET", f"/jobs/{NO_JOB}/loss.png?width_px=1000000", 422, "invalid-field"),
    ("GET", f"/jobs/{NO_JOB}/loss.png?width_px=NaN", 422, "invalid-field"),
    ("GET", f"/jobs/{NO_JOB}/loss.png?dpi=0", 422, "invalid-field"),
    ("GET", f"/jobs/{NO_JOB}/weights.png?scale=none", 422, "invalid-field"),
    ("GET", "/models/nobody", 404, "model-not-found"),
    ("GET", "/models/..%2f..", 404, "not-found"),
    ("GET", "/models/%2e%2e", 404, "model-not-found"),
    ("GET", "/models/%5c..%5c", 404, "model-not-found"),
    ("GET", "/models/mnist-softmax/versions/0", 404, "model-not-found"),
    ("GET", "/models/mnist-softmax/versions/-1", 404, "model-not-found"),
    ("GET", "/models/mnist-softmax/versions/99999999999999999999", 404, "model-not-found"),
    ("GET", "/models/mnist-softmax/versions/1/weights.npz?x=1", 422, "invalid-field"),
    ("GET", "/models/mnist-softmax/versions/1/weights.png?upscale=0", 422, "invalid-field"),
    ("GET", "/models/mnist-softmax/versions/1/weights.png?upscale=1000000", 422, "invalid-field"),
    ("GET", "/models/mnist-softmax/aliases/nobody/history", 404, "model-not-found"),
    ("DELETE", "/models/mnist-softmax/aliases/nobody", 404, "model-not-found"),
    ("GET", "/datasets/nist", 404, "dataset-not-found"),
    ("GET", "/datasets/mnist/images/60000.png", 404, "dataset-not-found"),
    ("GET", "/datasets/mnist/images/-1.png", 404, "dataset-not-found"),
    ("GET", "/datasets/mnist/images/x.png", 422, "invalid-field"),
    ("GET", "/datasets/mnist/images/0.png?part=secret", 422, "invalid-field"),
    ("GET", "/datasets/mnist/contact-sheet.png?per_class=0", 422, "invalid-field"),
]


@pytest.mark.parametrize(("method", "path", "status", "problem"), ADDRESSES)
def test_bad_addresses(
    client: httpx.Client, finished_job: dict[str, Any], method: str, path: str, status: int, problem: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, problem_of(answer)) == (status, problem)


def test_a_parameter_at_fault_is_named_as_one(client: httpx.Client) -> None:
    (error,) = client.get("/jobs?limit=0").json()["errors"]
    assert (error["parameter"], error["code"], error["allowed"]) == ("limit", "out_of_range", "at least 1")
    (error,) = client.get("/jobs?sort=created").json()["errors"]
    assert (error["parameter"], error["allowed"]) == ("sort", "before, limit, state")


@pytest.mark.parametrize("path", ["/jobs", "/datasets", "/models"])
def test_what_cannot_be_produced(client: httpx.Client, path: str) -> None:
    answer = client.get(path, headers={"Accept": "application/xml, image/*"})
    assert (answer.status_code, problem_of(answer)) == (406, "not-acceptable")
    assert client.get(path, headers={"Accept": "text/html, */*;q=0.1"}).status_code == 200


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=8,
)
REQUESTS = st.dictionaries(
    st.sampled_from([*(row.name for row in HYPERPARAMETERS), "dataset", "name"]) | st.text(max_size=8), JSON_VALUES
)


@settings(max_examples=300)
@given(request_=REQUESTS | JSON_VALUES)
def test_no_json_breaks_the_server(client: httpx.Client, request_: Any) -> None:
    content = json.dumps(request_).encode()
    answer = client.post("/jobs", content=content, headers=JSON)
    if answer.status_code == 202:  # a whole training: possible, and not what is tested here
        client.post(f"/jobs/{answer.json()['id']}/cancel")
    else:
        assert answer.status_code in (400, 404, 413, 422)
        problem_of(answer)
