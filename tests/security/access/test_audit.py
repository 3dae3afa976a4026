"""What is written down of who changed what, and what is not written down anywhere."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from service.access import AuditLog, Scope
from service.bootstrap import Service
from service.database import AUDIT_LINES
from service.errors import StorageFull
from service.jobs import Jobs
from service.registry import Registry
from tests.security.access.conftest import bearer
from tests.web.serving import TINY


def lines(client: httpx.Client, keys: dict[Scope, str], **params: int) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/audit", params=params, headers=bearer(keys[Scope.ADMIN])).raise_for_status()
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


@pytest.mark.slow
def test_each_change_leaves_a_line(
    client: httpx.Client, keys: dict[Scope, str], service: Service, finished_job: dict[str, Any]
) -> None:
    train, admin = bearer(keys[Scope.TRAIN]), bearer(keys[Scope.ADMIN])
    model = "/api/v1/models/mnist-softmax/aliases"
    calls = [
        client.post("/api/v1/jobs", json=TINY, headers=train),
        client.post("/api/v1/jobs", json={"model": "no such"}, headers=train),
        client.post(f"/api/v1/jobs/{finished_job['id']}/cancel", headers=train),
        client.put(f"{model}/spare", json={"version": 1}, headers=admin),
        client.delete(f"{model}/spare", headers=admin),
    ]
    ids = {key.name: key.id for key in service.keys.all()}
    expected = [
        ("POST", "/api/v1/jobs", calls[0].json()["id"], 202, "only train"),
        ("POST", "/api/v1/jobs", None, 422, "only train"),
        ("POST", "/api/v1/jobs/{job_id}/cancel", finished_job["id"], 409, "only train"),
        ("PUT", "/api/v1/models/{name}/aliases/{alias}", "mnist-softmax/spare", 200, "only admin"),
        ("DELETE", "/api/v1/models/{name}/aliases/{alias}", "mnist-softmax/spare", 200, "only admin"),
    ]
    found = lines(client, keys, limit=len(calls))[::-1]
    for line, call, (method, route, object_id, status, name) in zip(found, calls, expected, strict=True):
        assert (line["method"], line["route"], line["object_id"], line["status"]) == (method, route, object_id, status)
        assert line["key_id"] == ids[name]
        assert line["request_id"] == call.headers["x-request-id"]
    older = lines(client, keys, limit=2, before=found[-1]["id"])
    assert [line["id"] for line in older] == [line["id"] for line in found[-2:-4:-1]]
    assert lines(client, keys, limit=1, before=2**63 - 1) == found[-1:]


def test_looking_and_predicting_leave_none(client: httpx.Client, keys: dict[Scope, str]) -> None:
    before = lines(client, keys)
    client.get("/api/v1/jobs", headers=bearer(keys[Scope.READ])).raise_for_status()
    pixels = {"pixels": [0] * 784}
    client.post("/api/v1/predict", json=pixels, headers=bearer(keys[Scope.PREDICT])).raise_for_status()
    assert lines(client, keys) == before


def test_a_bug_of_ours_leaves_a_line_as_well(
    client: httpx.Client, keys: dict[Scope, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Jobs, "delete", broken)
    answer = client.delete(f"/api/v1/jobs/{'0' * 26}", headers=bearer(keys[Scope.TRAIN]))
    (line,) = lines(client, keys, limit=1)
    assert (answer.status_code, line["status"], line["request_id"]) == (500, 500, answer.headers["x-request-id"])


def test_a_version_that_was_made_is_named_with_its_model(client: httpx.Client, keys: dict[Scope, str]) -> None:
    reader, trainer = bearer(keys[Scope.READ]), bearer(keys[Scope.TRAIN])
    weights = client.get("/api/v1/models/mnist-softmax/versions/1/weights.npz", headers=reader).content
    headers = {**trainer, "Content-Type": "application/octet-stream"}
    client.post("/api/v1/models/imported/versions", content=weights, headers=headers).raise_for_status()
    assert lines(client, keys, limit=1)[0]["object_id"] == "imported/1"


def test_what_names_nothing_is_not_kept(client: httpx.Client, keys: dict[Scope, str]) -> None:
    client.delete("/api/v1/jobs/%3Cscript%3E%0A", headers=bearer(keys[Scope.TRAIN]))
    assert lines(client, keys, limit=1)[0]["object_id"] is None


def test_a_line_that_cannot_be_written_is_an_error_in_the_log(
    client: httpx.Client, keys: dict[Scope, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise StorageFull("No space is left for the database.")

    monkeypatch.setattr(AuditLog, "append", full)
    answer = client.post("/api/v1/jobs", json={"model": "no such"}, headers=bearer(keys[Scope.TRAIN]))
    assert answer.status_code == 422
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert answer.headers["x-request-id"] in record.getMessage()


def test_the_line_of_a_change_is_there_before_it(
    client: httpx.Client, keys: dict[Scope, str], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = []
    move = Registry.set_alias

    def looked_at(*args: Any, **options: Any) -> Any:
        before.extend(service.audit_log.page(limit=1))
        return move(*args, **options)

    monkeypatch.setattr(Registry, "set_alias", looked_at)
    path, admin = "/api/v1/models/mnist-softmax/aliases/early", bearer(keys[Scope.ADMIN])
    answer = client.put(path, json={"version": 1}, headers=admin).raise_for_status()
    missing = client.put(path, json={"version": 99}, headers=admin)
    assert [line.request_id for line in before] == [each.headers["x-request-id"] for each in (answer, missing)]
    assert [line.status for line in before] == [200, 200]
    assert [line["status"] for line in lines(client, keys, limit=2)] == [404, 200], "corrected by the answer"


def test_nothing_changes_without_its_line(
    client: httpx.Client, keys: dict[Scope, str], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageFull("No space is left for the database.")

    monkeypatch.setattr(AuditLog, "append", full)
    path = "/api/v1/models/mnist-softmax/aliases/never"
    assert client.put(path, json={"version": 1}, headers=bearer(keys[Scope.ADMIN])).status_code == 507
    assert "never" not in service.registry.aliases("mnist-softmax")


def test_no_job_is_accepted_without_its_line(
    client: httpx.Client, keys: dict[Scope, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageFull("No space is left for the database.")

    train = bearer(keys[Scope.TRAIN])
    before = client.get("/api/v1/jobs", headers=train).json()["jobs"]
    with monkeypatch.context() as patch:
        patch.setattr(AUDIT_LINES, "insert", full)
        assert client.post("/api/v1/jobs", json=TINY, headers=train).status_code == 507
    assert client.get("/api/v1/jobs", headers=train).json()["jobs"] == before


def test_a_call_that_is_repeated_leaves_a_line_each_time(client: httpx.Client, keys: dict[Scope, str]) -> None:
    headers = {**bearer(keys[Scope.TRAIN]), "Idempotency-Key": "asked twice"}
    answers = [client.post("/api/v1/jobs", json=TINY, headers=headers).raise_for_status() for _ in range(2)]
    found = lines(client, keys, limit=2)
    assert {line["object_id"] for line in found} == {answer.json()["id"] for answer in answers}
    assert [line["request_id"] for line in found[::-1]] == [answer.headers["x-request-id"] for answer in answers]


def test_the_log_has_the_id_of_the_key_and_never_the_key(
    client: httpx.Client, keys: dict[Scope, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secret = keys[Scope.ADMIN]
    image = b"\x89PNG an image that nobody else may see"
    headers = {**bearer(secret), "Content-Type": "image/png"}
    client.post("/api/v1/predict", content=image, headers=headers)
    client.get(f"/api/v1/jobs/{secret}", headers=bearer(secret))
    encoded = "".join(f"%{byte:02x}" for byte in secret.encode())
    for _ in range(7):
        client.get(f"/api/v1/jobs/{encoded}", headers=bearer(secret))
        encoded = encoded.replace("%", "%25")
    client.get(f"/api/v1/{secret}/x")
    client.get(f"/api/v1/jobs?key={secret}")
    client.get("/api/v1/jobs", headers={"Authorization": f"Basic {secret}"})
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("service"))
    assert secret[:20] in logged, "by its id it is named"
    assert logged.count("***") == 6 and logged.count("(encoded too often)") == 3
    assert secret[-43:] not in logged
    assert "nobody else" not in logged and "PNG" not in logged
