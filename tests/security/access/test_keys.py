"""Keys: what is kept of them, when they stop, and where they may stand."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from service.access import FRESH_S, KEY_FORM, MAX_AGE_S, Keys, Scope, granted
from service.bootstrap import Service, opened_keys
from service.database import Database, migrate
from service.errors import InvalidField, NotFound, StorageFailed
from tests.security.access.conftest import bearer
from tests.web.serving import DEADLINE_S, problem_of


@pytest.fixture
def database(tmp_path: Path, database_url: str | None) -> Iterator[Database]:
    database = Database(database_url or f"sqlite:///{tmp_path / 'inkling.db'}")
    migrate(database)
    yield database
    database.close()


def test_a_key_is_random_and_only_its_checksum_is_kept(database: Database, tmp_path: Path) -> None:
    keys = Keys(database)
    (first, secret), (second, other) = (keys.create("app", [Scope.READ]) for _ in range(2))
    assert KEY_FORM.fullmatch(secret) and secret != other and first.id != second.id
    assert len(secret.rpartition(f"{first.id}_")[2]) == 43, "256 bits in base64"
    with database.read() as connection:
        rows = connection.execute(text("SELECT * FROM api_keys")).all()
    database.close()
    stored = b"".join([repr(rows).encode(), *(path.read_bytes() for path in tmp_path.iterdir())])
    assert hashlib.sha256(secret.encode()).hexdigest().encode() in stored
    assert secret[-43:].encode() not in stored


def test_only_the_whole_key_opens(database: Database) -> None:
    keys = Keys(database)
    key, secret = keys.create("app", [Scope.TRAIN])
    _, other = keys.create("other", [Scope.ADMIN])
    assert keys.check(secret) == (key.id, granted([Scope.TRAIN]))
    mixed = other[:-43] + secret[-43:]
    for wrong in (
        "",
        key.id,
        secret[:-1],
        secret + "A",
        secret.swapcase(),
        mixed,
        f" {secret}",
        secret[8:],
        "\xff",
    ):
        assert keys.check(wrong) is None


def test_a_key_is_compared_whether_or_not_it_is_known(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way out passes the one comparison, of digests of one length, so timing reveals nothing."""
    keys = Keys(database)
    _, secret = keys.create("app", [Scope.READ])
    compared = []

    def compare(a: bytes, b: bytes) -> bool:
        compared.append((len(a), len(b)))
        return a == b

    monkeypatch.setattr("service.access.hmac.compare_digest", compare)
    for presented in (secret, secret[:-1] + "-", f"inkling_{'0' * 12}_{'A' * 43}", "nonsense"):
        keys.check(presented)
    assert compared == [(32, 32)] * 4


def test_an_expired_key_opens_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(database)
    end = datetime.now(UTC) + timedelta(days=1)
    _, secret = keys.create("app", [Scope.READ], expires_at=end)
    assert keys.check(secret)
    monkeypatch.setattr("service.access.time.time", end.timestamp)
    assert keys.check(secret) is None
    with pytest.raises(InvalidField, match="expired already"):
        keys.create("app", [Scope.READ], expires_at=datetime.now(UTC))


def test_revoking(database: Database) -> None:
    keys = Keys(database)
    key, secret = keys.create("app", [Scope.READ])
    first = keys.revoke(key.id)
    assert (first.state, keys.check(secret), keys.exist) == ("revoked", None, True)
    assert keys.revoke(key.id) == first, "when it was revoked stays"
    assert [each.state for each in keys.all()] == ["revoked"]
    with pytest.raises(NotFound):
        keys.revoke("0" * 12)


@pytest.mark.parametrize("name", ["", " app", "a" * 65, "a\nb", "<b>", "-x"])
def test_a_name_is_one_line_of_plain_letters(name: str, database: Database) -> None:
    with pytest.raises(InvalidField, match="name"):
        Keys(database).create(name, [Scope.READ])
    with pytest.raises(InvalidField, match="scope"):
        Keys(database).create("app", [])


def test_known_keys_outlive_a_short_failure_of_the_database(
    database: Database,
    kind: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    keys = Keys(database)
    _, secret = keys.create("app", [Scope.READ])
    if kind == "postgresql":
        request.getfixturevalue("postgresql").kill()
    else:
        with database.write() as connection:
            connection.execute(text("DROP TABLE api_keys"))
    keys.load()
    assert keys.check(secret) and keys.exist
    assert "stay valid" in caplog.text
    now_s = time.monotonic()
    monkeypatch.setattr("service.access.time.monotonic", lambda: now_s + MAX_AGE_S + 1)
    with pytest.raises(StorageFailed):
        keys.check(secret)


@pytest.mark.slow
def test_a_running_service_hears_of_other_processes(service: Service, client: httpx.Client) -> None:
    """A second opening of the database is what `inkling keys` is."""
    with opened_keys(service.settings) as elsewhere:
        key, secret = elsewhere.create("app", [Scope.READ])
        _wait_for(client, secret, 200)
        elsewhere.revoke(key.id)
        revoked_s = time.monotonic()
        _wait_for(client, secret, 401)
    assert time.monotonic() - revoked_s < FRESH_S + DEADLINE_S


def _wait_for(client: httpx.Client, key: str, status: int) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while client.get("/api/v1/jobs", headers=bearer(key)).status_code != status:
        assert time.monotonic() < deadline_s


def test_a_key_in_an_address_is_refused(client: httpx.Client, keys: dict[Scope, str]) -> None:
    admin = keys[Scope.ADMIN]
    for query in (f"?key={admin}", f"?limit=1&access_token={admin}", f"?{admin}"):
        for headers in ({}, bearer(admin)):
            answer = client.get(f"/api/v1/jobs{query}", headers=headers)
            assert (answer.status_code, problem_of(answer)) == (401, "unauthenticated")
            assert "revoked" in answer.json()["detail"]
            assert admin[-43:] not in answer.text


def test_one_header_of_one_kind(client: httpx.Client, keys: dict[Scope, str]) -> None:
    read = keys[Scope.READ]
    for value in (f"bearer {read}", f"BEARER  {read}"):
        assert client.get("/api/v1/jobs", headers={"Authorization": value}).status_code == 200
    for value in (read, f"Basic {read}", "Bearer", f"Bearer {read} {read}", f"Bearer {read},"):
        assert client.get("/api/v1/jobs", headers={"Authorization": value}).status_code == 401
    twice = [("Authorization", f"Bearer {read}")] * 2
    assert client.get("/api/v1/jobs", headers=twice).status_code == 401


def test_unknown_and_revoked_and_expired_look_alike(
    service: Service, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, revoked = service.keys.create("revoked", [Scope.READ])
    service.keys.revoke(key.id)
    end = datetime.now(UTC) + timedelta(days=1)
    _, expired = service.keys.create("expired", [Scope.READ], expires_at=end)
    monkeypatch.setattr("service.access.time.time", lambda: end.timestamp() + 1)
    unknown = f"inkling_{'0' * 12}_{'A' * 43}"
    answers = [client.get("/api/v1/jobs", headers=bearer(key)) for key in (revoked, expired, unknown, "nonsense")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json()["detail"] for answer in answers}) == 1


@pytest.mark.parametrize(
    "scope", ["", "collect", "collect:", "collect:A", "collect:a/b", "collect:*", "admin:x", "write"]
)
def test_what_is_no_scope(database: Database, scope: str) -> None:
    with pytest.raises(InvalidField, match="needs a scope") as refused:
        Keys(database).create("app", [Scope.READ, scope])
    assert "collect:NAME" in str(refused.value.allowed)
