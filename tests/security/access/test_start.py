"""Access while no key exists, and that a service that others can reach does not start without one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from service.access import Scope
from service.bootstrap import Service
from service.cli import cli
from service.errors import KeysRequired
from service.settings import Settings
from service.web.server import run
from tests.security.access.conftest import bearer
from tests.web.serving import DEADLINE_S, serving

ROOT = Path(__file__).parents[3]


@contextmanager
def served(data_dir: Path, **settings: Any) -> Iterator[tuple[Service, httpx.Client]]:
    made = Settings(data_dir=data_dir, executor="inline", workers=1, **settings)
    with Service(made) as service, serving(service) as url, httpx.Client(base_url=url, timeout=DEADLINE_S) as client:
        yield service, client


@pytest.mark.slow
def test_a_loopback_service_is_open_until_there_is_a_key(tmp_path: Path, database_url: str | None) -> None:
    with served(tmp_path, database_url=database_url) as (service, client):
        assert client.get("/api/v1/audit").status_code == 200
        assert client.get("/api/v1/jobs", headers=bearer("wrong")).status_code == 401
        assert client.get("/api/v1/jobs", headers={"Authorization": "Basic for-a-proxy"}).status_code == 200
        assert "securitySchemes" not in client.get("/openapi.json").json()["components"]
        key, secret = service.keys.create("first", [Scope.READ])
        assert "securitySchemes" in client.get("/openapi.json").json()["components"]
        assert client.get("/api/v1/jobs").status_code == 401
        assert client.get("/api/v1/jobs", headers=bearer(secret)).status_code == 200
        service.keys.revoke(key.id)
        assert client.get("/api/v1/jobs").status_code == 401, "a service that had keys never opens by itself"


def test_anonymous_is_what_it_says(tmp_path: Path) -> None:
    with served(tmp_path, allow_anonymous=True) as (service, client):
        assert client.get("/api/v1/audit").status_code == 200
        service.keys.create("first", [Scope.READ])
        assert client.get("/api/v1/audit").status_code == 200
        assert client.get("/api/v1/audit", headers=bearer("wrong")).status_code == 401


@pytest.mark.parametrize(
    ("settings", "is_here"),
    [
        ({"host": "127.0.0.1"}, True),
        ({"host": "127.8.8.8"}, True),
        ({"host": "localhost"}, True),
        ({"host": "::1"}, True),
        ({"host": "0.0.0.0"}, False),
        ({"host": "::"}, False),
        ({"host": ""}, False),
        ({"host": "192.0.2.1"}, False),
        ({"host": "digits.example"}, False),
        ({"host": "127.0.0.1", "trusted_proxies": ("127.0.0.1",)}, False),
    ],
)
def test_which_services_others_can_reach(settings: dict[str, Any], is_here: bool, tmp_path: Path) -> None:
    assert Settings(**settings).on_loopback is is_here
    service = Service(Settings(data_dir=tmp_path, **settings))
    if is_here:
        service.require_keys_if_exposed()
    else:
        with pytest.raises(KeysRequired):
            service.require_keys_if_exposed()
    service.database.close()


def test_no_way_to_start_a_reachable_service_opens_it_without_keys(tmp_path: Path) -> None:
    settings = Settings(host="0.0.0.0", port=0, data_dir=tmp_path, executor="inline")
    with pytest.raises(KeysRequired):
        run(settings)
    from asyncio import run as run_loop

    from service.web.app import create_app

    app = create_app(settings=settings)

    async def start() -> None:
        async with app.router.lifespan_context(app):
            raise AssertionError("it started")

    with pytest.raises(KeysRequired):
        run_loop(start())


@pytest.mark.slow
def test_exit_code_and_line(tmp_path: Path) -> None:
    serve = [sys.executable, "-m", "service", "serve", "--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path)]
    ended = subprocess.run(serve, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 78
    (line,) = ended.stderr.splitlines()
    assert "inkling keys create" in line and "--allow-anonymous" in line


def test_keys_on_the_command_line(tmp_path: Path) -> None:
    def inkling(*args: str, **variables: str) -> Any:
        return CliRunner(env=variables).invoke(cli, list(args), prog_name="inkling")

    where = ("--data-dir", str(tmp_path))
    assert "no keys" in inkling("keys", "list", *where).output
    made = inkling("keys", "create", "app", "--scope", "predict", "--scope", "read", "--days", "2", *where)
    secret = made.stdout.strip()
    key_id = secret.split("_")[1]
    assert made.exit_code == 0 and "\n" not in secret and secret not in made.stderr
    listed = inkling("keys", "list", *where).output
    (key,) = json.loads(inkling("keys", "list", "--json", *where).output)["keys"]
    assert (key["id"], key["scopes"], key["state"]) == (key_id, ["predict", "read"], "valid")
    assert key_id in listed and "predict, read" in listed and "valid" in listed and secret[-43:] not in listed
    (tmp_path / "key").write_text(f"{secret}\n")
    with served(tmp_path) as (_, client):
        url = ("--url", str(client.base_url))
        assert inkling("jobs", "list", *url, INKLING_KEY=secret).exit_code == 0
        assert inkling("jobs", "list", *url, "--key-file", str(tmp_path / "key")).exit_code == 0
        refused = inkling("jobs", "list", *url)
        assert refused.exit_code == 1 and "INKLING_KEY" in refused.stderr
        forbidden = inkling("train", *url, INKLING_KEY=secret)
        assert forbidden.exit_code == 1 and "scope train" in forbidden.stderr
        nonsense = inkling("jobs", "list", *url, INKLING_KEY="two words")
        assert nonsense.exit_code == 1 and "two words" not in nonsense.stderr
    assert inkling("keys", "revoke", key_id, *where).exit_code == 0
    assert "revoked" in inkling("keys", "list", *where).output
    assert inkling("keys", "revoke", "0" * 12, *where).exit_code == 1
    assert inkling("keys", "create", "app", "--scope", "root", *where).exit_code == 2
