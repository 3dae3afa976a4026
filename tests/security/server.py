"""The service as its users start it, in a process of its own, and raw sockets to it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.new_folder import add_database

DEADLINE_S = 30.0


@dataclass(frozen=True)
class Server:
    """A running service."""

    process: psutil.Process
    host: str
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def rss_bytes(self) -> int:
        return int(self.process.memory_info().rss)

    def peak_rss_bytes(self) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.split("VmHWM:")[1].split()[0])

    def n_connections(self) -> int:
        return sum(c.status == psutil.CONN_ESTABLISHED for c in self.process.net_connections("tcp"))

    def connect(self, timeout_s: float = DEADLINE_S) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout=timeout_s)

    def exchange(self, request: bytes) -> bytes:
        """Send bytes and return what comes back until one answer is whole, or the server closes."""
        with self.connect() as connection:
            with suppress(OSError):  # it has closed already, perhaps after an answer
                connection.sendall(request)
            return read_answer(connection)


def read_answer(connection: socket.socket) -> bytes:
    """Read one answer with a Content-Length, or what there is until the connection ends."""
    answer = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            answer += chunk
            head, found, body = answer.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if found and length and len(body) >= int(length[1]):
                break
    return answer


def status_of(answer: bytes) -> int | None:
    """Return the status of an answer, or None if the connection was closed without one."""
    match = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(match[1]) if match else None


@contextmanager
def running(data_dir: Path, **settings: object) -> Iterator[Server]:
    """Start ``inkling serve`` and end it with the block."""
    chosen = {
        "data_dir": data_dir,
        "port": 0,
        "executor": "inline",
        "workers": 1,
        "log_level": "debug",
        # Limits of rate have tests of their own; here they would answer instead of what is tested.
        "max_requests_per_s": 0,
        "max_requests_per_s_per_address": 0,
        **settings,
    }
    environment = {**os.environ, **{f"INKLING_{name.upper()}": str(value) for name, value in chosen.items()}}
    add_database(data_dir)
    log = data_dir / "log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [sys.executable, "-P", "-m", "service", "serve"],
            cwd=Path(__file__).parents[2],
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            address = re.search(r"http://([\d.]+):(\d+)", process.stdout.readline())
            assert address, log.read_text()
            server = Server(psutil.Process(process.pid), address[1], int(address[2]), log)
            assert httpx.get(f"{server.url}/livez", timeout=DEADLINE_S).status_code == 200
            yield server
            assert process.poll() is None, log.read_text()
        finally:
            process.kill()
