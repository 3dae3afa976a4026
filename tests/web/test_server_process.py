"""The server as a process: what it does with signals, with its address, and with what it cannot use."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest

from service.bootstrap import Service
from service.database import Database, job_rows
from service.errors import ServiceError
from service.settings import Settings
from service.web.app import create_app
from service.web.server import Server, listen, run
from tests.new_folder import add_database
from tests.web.serving import DEADLINE_S, LONG

SERVE = """
from pathlib import Path
from service.settings import Settings
from service.web.server import run
run(Settings(port={port}, data_dir=Path({data_dir!r}), executor={executor!r}, workers=1, log_level="warning"),
    lambda url: print(url, flush=True))
"""


@contextmanager
def server_process(
    data_dir: Path, executor: str, port: int = 0, before: str = ""
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    add_database(data_dir)
    script = before + SERVE.format(data_dir=str(data_dir), executor=executor, port=port)
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", f"if __name__ == '__main__':\n{_indented(script)}"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def _indented(script: str) -> str:
    return "\n".join(f"    {line}" for line in script.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize(("executor", "sent"), [("processes", signal.SIGTERM), ("inline", signal.SIGINT)])
def test_a_signal_ends_it_at_once_whoever_is_listening(tmp_path: Path, executor: str, sent: signal.Signals) -> None:
    with server_process(tmp_path, executor) as (process, url), httpx.Client(timeout=DEADLINE_S) as client:
        job_id = client.post(f"{url}/api/v1/jobs", json=LONG).json()["id"]
        with client.stream("GET", f"{url}/api/v1/jobs/{job_id}/events") as answer:
            lines = answer.iter_lines()
            assert "event: check" in lines
            asked_at = time.monotonic()
            process.send_signal(sent)
            process.send_signal(sent)  # an impatient second one changes nothing
            list(lines)  # the stream is ended, not cut
            assert process.wait(DEADLINE_S) == 0
            assert time.monotonic() - asked_at < 10
            assert process.stderr is not None
            logged = process.stderr.read().splitlines()
            assert [line for line in logged if "WAL-reset race" not in line] == []  # of a SQLite that has it
    with closing(Database(f"sqlite:///{tmp_path / 'inkling.db'}")) as database, database.read() as connection:
        assert job_rows.state_of(connection, job_id) == "queued", "handed back, not lost"


def test_an_address_that_is_taken_is_an_error_with_a_sentence(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        taken = f"Port {port} of 127.0.0.1 cannot be listened on: another program has it, .*--port"
        with pytest.raises(ServiceError, match=taken):
            run(Settings(port=port, data_dir=tmp_path))


def test_an_address_of_another_machine() -> None:
    with pytest.raises(ServiceError, match=r"cannot be listened on: Cannot assign requested address\.$"):
        listen("192.0.2.1", 8000)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="the machine has no IPv6")
def test_an_ipv6_address_may_be_in_brackets() -> None:
    with listen("[::1]", 0) as listener:
        assert listener.getsockname()[0] == "::1"


@pytest.mark.parametrize("proxy", ["*", "10.0.0.1", "10.0.0.0/8", "fd00::/8", "caddy", "10.0.0.1/8"])
def test_a_proxy_that_is_no_address_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture, proxy: str) -> None:
    with Service(Settings(data_dir=tmp_path, executor="inline", trusted_proxies=(proxy,))) as service:
        Server(create_app(service), lambda: None)
    is_named = any(f"{proxy} of the trusted proxies" in line for line in caplog.messages)
    assert is_named == (proxy in ("caddy", "10.0.0.1/8"))


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="the machine has no IPv6")
def test_every_ipv6_address_is_every_ipv4_address_too() -> None:
    with listen("::", 0) as listener:
        for address in ("127.0.0.1", "::1"):
            socket.create_connection((address, listener.getsockname()[1]), timeout=5).close()


@pytest.mark.slow
def test_a_few_open_files_are_some_connections_and_a_warning(tmp_path: Path) -> None:
    with (
        server_process(
            tmp_path, "inline", before="import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))"
        ) as (
            process,
            url,
        ),
        ExitStack() as connections,
    ):
        for _ in range(20):
            client = connections.enter_context(httpx.Client(timeout=DEADLINE_S))
            assert client.get(f"{url}/livez").status_code == 200
        connections.close()
        process.terminate()
        assert "at most 128 connections" in process.communicate(timeout=DEADLINE_S)[1]


@pytest.mark.slow
def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    folder, missing, other = tmp_path / "data", tmp_path / "missing", tmp_path / "other"
    folder.mkdir(0o555)
    other.mkdir()
    add_database(other)
    if as_root := os.geteuid() == 0:  # who may write everywhere
        for parent in [tmp_path, *tmp_path.parents][:-2]:
            parent.chmod(parent.stat().st_mode | 0o055)
    program = f"""
import os
from pathlib import Path
from service.bootstrap import Service
from service.errors import ServiceError
from service.settings import Settings

# Imports what another user may not read.
Service(Settings(data_dir=Path({str(other)!r}), executor="inline")).stop()
if {as_root}:
    os.setuid(65534)
for folder, url in (({str(folder)!r}, None), ({str(tmp_path)!r}, "sqlite:///{missing}/inkling.db")):
    try:
        Service(Settings(data_dir=Path(folder), database_url=url, executor="inline"))
    except ServiceError as error:
        print(error.message)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    not_writable, not_there = run.stdout.splitlines()
    assert str(folder) in not_writable and "may not write there" in not_writable
    assert str(missing) in not_there and "does not exist" in not_there
