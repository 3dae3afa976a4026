"""Training requests, and addresses of jobs, sweeps and reports."""

from __future__ import annotations

import json
from typing import Any

from tests.security.case import CANARY, NO_JOB, Case, get, post

TINY = {"model": "softmax", "epochs": 2, "train_size": 512, "validation_size": 500}


def body(**fields: Any) -> bytes:
    return json.dumps({**TINY, **fields}).encode()


def with_text(field: str, text: str) -> bytes:
    """Return a request in which one value is written as given, whether or not that is JSON."""
    return b'{"model": "softmax", "%s": %s}' % (field.encode(), text.encode())


def unparsable(number: int, name: str, content: bytes) -> Case:
    return post(number, name, content, 400, "malformed-input")


def invalid(number: int, name: str, content: bytes, place: str | None, **more: Any) -> Case:
    """Return a case of one field; a whole body that is none of an object names no field."""
    return post(number, name, content, 422, "invalid-field", place, **more)


_FIELDS: tuple[tuple[int, str, str], ...] = (
    (34, "learning_rate", "NaN"),
    (35, "learning_rate", "Infinity"),
    (35, "learning_rate", "-Infinity"),
    (35, "learning_rate", "1e999"),
    (36, "learning_rate", '"nan"'),
    (36, "l2_penalty", '"nan"'),
    (37, "learning_rate", "0"),
    (37, "learning_rate", "-1"),
    (37, "learning_rate", "1e-320"),
    (37, "learning_rate", "11"),
    (37, "learning_rate", "1" + "0" * 400),
    (40, "learning_rate", "true"),
    (40, "epochs", "true"),
    (40, "shuffle", "1"),
    (41, "epochs", '"5"'),
    (41, "epochs", "5.0"),
    (41, "epochs", "NaN"),
    (42, "epochs", "0"),
    (42, "epochs", "1000000000"),
    (43, "batch_size", "0"),
    (45, "seed", "-1"),
    (45, "seed", str(2**64)),
    (44, "seed", "1" + "0" * 400),
    (47, "name", "5"),
    (49, "dataset", '"nist"'),
    (49, "dataset", f'"../../{CANARY}"'),
    (49, "dataset", f'"http://169.254.169.254/{CANARY}"'),
    (58, "train_size", "60001"),
    (58, "validation_size", "10001"),
    (58, "dtype", f'"{CANARY}"'),
    (58, "classes", "[1, 1]"),
    (58, "classes", "[1]"),
    (58, "classes", '"23"'),
    (58, "patience", "0"),
)
_NAMES = {
    47: {"NUL": "a\0b", "a change of direction": "a\u202eb", "10 KB": CANARY * 2000, "a path": "../../x", "none": ""},
    48: {"markup": "<script>"},
}
_KEYS: dict[str, Any] = {"of 1 KB": CANARY * 200, "empty": "", "with a tab": "a\tb", "beyond ASCII": "é".encode()}

JOBS: tuple[Case, ...] = (
    unparsable(28, "nothing", b""),
    unparsable(29, "bad UTF-8", b'{"model": "\xff"}'),
    unparsable(29, "UTF-16", '{"model": "softmax"}'.encode("utf-16")),
    unparsable(29, "a byte order mark", b"\xef\xbb\xbf{}"),
    unparsable(30, "cut short", b'{"model": "soft'),
    unparsable(30, "a trailing comma", b'{"model": "softmax",}'),
    unparsable(30, "two values", b"{} {}"),
    unparsable(30, "a control character", b'{"model": "soft\x00max"}'),
    unparsable(31, "100,000 lists", b"[" * 100_000),
    unparsable(31, "33 levels", b"[" * 33 + b"]" * 33),
    unparsable(31, "50 objects", b'{"a":' * 50 + b"1" + b"}" * 50),
    unparsable(44, "thousands of digits", with_text("seed", "1" + "0" * 5000)),
    unparsable(46, "a key twice", b'{"model": "softmax", "model": "softmax"}'),
    unparsable(46, "a key twice, deeper", b'{"model": {"a": 1, "a": 1}}'),
    *(invalid(32, text.decode(), text, "#") for text in (b"[]", b"null", b"1", b'"' + CANARY.encode() + b'"')),
    invalid(32, "no model", b"{}", "#/model"),
    *(invalid(number, f"{field} {text[:24]}", with_text(field, text), f"#/{field}") for number, field, text in _FIELDS),
    invalid(43, "a batch above the images", body(batch_size=513), "#/batch_size"),
    invalid(58, "class 10", body(classes=[1, 10]), "#/classes/1"),
    invalid(58, "class true", body(classes=[1, True]), "#/classes/1"),
    invalid(58, "three classes for logistic", body(model="logistic", classes=[1, 2, 3]), "#/classes"),
    post(38, "half a surrogate in a choice", with_text("dtype", r'"\ud800"'), 422, "invalid-input"),
    post(38, "half a surrogate in a name", with_text("name", r'"\udfff"'), 422, "invalid-input"),
    post(38, "half a surrogate in a key", rb'{"model": "softmax", "\ud800": 1}', 422, "invalid-input"),
    invalid(39, "an unknown field", body(epoch=5), "#/epoch"),
    invalid(39, "a hundred unknown fields", body(**{f"{CANARY} {n}": 1 for n in range(100)}), "#"),
    invalid(39, "a field of a strange name", body(**{"</script>": 5}), "#"),
    invalid(63, "a state from outside", body(state="succeeded"), "#/state"),
    invalid(63, "an id from outside", body(id=NO_JOB), "#/id"),
    *(
        invalid(number, f"a name: {what}", body(name=name), "#/name", ours="names are restricted")
        for number, names in _NAMES.items()
        for what, name in names.items()
    ),
    *(
        post(53, f"a key {what}", body(), 400, "malformed-input", "Idempotency-Key", headers={"Idempotency-Key": key})
        for what, key in _KEYS.items()
    ),
    get(59, "/jobs/1", 404, "job-not-found"),
    get(59, f"/jobs/{NO_JOB}", 404, "job-not-found"),
    get(59, f"/jobs/{NO_JOB.lower()}", 404, "job-not-found"),
    get(59, f"/jobs/{CANARY * 1000}", 404, "job-not-found"),
    get(59, f"/jobs/{NO_JOB}/metrics", 404, "job-not-found"),
    get(59, f"/jobs/{NO_JOB}/loss.png", 404, "job-not-found"),
    get(59, f"/jobs/{NO_JOB}/weights.png", 404, "job-not-found"),
    get(59, f"/jobs/{NO_JOB}", 404, "job-not-found", method="DELETE", name="delete"),
    get(59, f"/sweeps/{NO_JOB}", 404, "job-not-found"),
    get(59, f"/reports/{NO_JOB}", 404, "job-not-found"),
    get(59, f"/reports/{NO_JOB}/figures/..%2f..%2fx.png", 404, "not-found"),
    get(60, f"/jobs/{NO_JOB}/cancel", 404, "job-not-found", method="POST"),
    get(60, f"/sweeps/{NO_JOB}/cancel", 404, "job-not-found", method="POST"),
    get(60, f"/reports/{NO_JOB}/cancel", 404, "job-not-found", method="POST"),
    get(63, f"/jobs/{NO_JOB}", 405, "method-not-allowed", method="PUT", ours="jobs are not replaced"),
    get(63, f"/jobs/{NO_JOB}", 422, "invalid-field", "#/state", method="PATCH", request={"json": {"state": "failed"}}),
    get(64, "/jobs?limit=0", 422, "invalid-field", "limit"),
    get(64, "/jobs?limit=-1", 422, "invalid-field", "limit"),
    get(64, "/jobs?limit=201", 422, "invalid-field", "limit"),
    get(64, "/jobs?limit=1000000000", 422, "invalid-field", "limit"),
    get(64, "/jobs?limit=abc", 422, "invalid-field", "limit"),
    get(64, "/jobs?limit=" + "9" * 5000, 422, "invalid-field", "limit"),
    get(64, f"/jobs?state={CANARY}", 422, "invalid-field", "state"),
    get(64, f"/jobs/{NO_JOB}/metrics?since=-1", 422, "invalid-field", "since"),
    get(64, f"/jobs/{NO_JOB}/metrics?since=99999999999999999999", 422, "invalid-field", "since"),
    get(64, f"/jobs/{NO_JOB}/metrics?max_points=1", 422, "invalid-field", "max_points"),
    get(64, f"/jobs/{NO_JOB}/metrics?format=xml", 422, "invalid-field", "format"),
    get(65, f"/jobs?before={CANARY}", 422, "invalid-field", "before", ours="a cursor is a field like others"),
    get(65, f"/sweeps?before={CANARY}", 422, "invalid-field", "before"),
    get(65, f"/reports?before={CANARY}", 422, "invalid-field", "before"),
    get(66, "/jobs?sort=created;drop", 422, "invalid-field", "sort"),
    get(66, "/jobs?%F0%9F%92%A9=1", 422, "invalid-field"),
    get(66, "/jobs?%00=1&host=2", 422, "invalid-field"),
    get(67, f"/jobs/{NO_JOB}/events?after={CANARY}", 400, "malformed-input", "after"),
    get(67, f"/jobs/{NO_JOB}/events?after=-1", 400, "malformed-input", "after"),
    get(67, f"/jobs/{NO_JOB}/events?after=٣", 400, "malformed-input", "after"),
    get(
        67,
        f"/jobs/{NO_JOB}/events",
        400,
        "malformed-input",
        "Last-Event-ID",
        name="garbage as the last event",
        request={"headers": {"Last-Event-ID": f"12; {CANARY}"}},
    ),
    get(68, f"/jobs/{NO_JOB}/events", 404, "job-not-found"),
    post(58, "a sweep of nothing", {"grid": {}}, 422, "invalid-field", path="/sweeps"),
    post(58, "a sweep of too many", {"grid": {"seed": [*range(1001)]}}, 422, "invalid-field", "#/grid", path="/sweeps"),
    post(39, "a sweep of the unknown", {"grid": {f"{CANARY} of ours": [1]}}, 422, "invalid-field", path="/sweeps"),
    post(34, "a sweep of NaN", b'{"grid": {"learning_rate": [NaN]}}', 422, "invalid-field", path="/sweeps"),
    get(110, f"/jobs/{NO_JOB}/loss.png?width_px=1000000", 422, "invalid-field", "width_px"),
    get(110, f"/jobs/{NO_JOB}/loss.png?width_px=NaN", 422, "invalid-field", "width_px"),
    get(110, f"/jobs/{NO_JOB}/loss.png?dpi=0", 422, "invalid-field", "dpi"),
    get(110, f"/jobs/{NO_JOB}/weights.png?scale=none", 422, "invalid-field", "scale"),
    get(111, f"/jobs/{NO_JOB}/loss.pdf", 422, "invalid-field", ours="SVG exists; PDF does not"),
    get(111, f"/jobs/{NO_JOB}/loss.svg", 404, "job-not-found", ours="SVG exists"),
)
