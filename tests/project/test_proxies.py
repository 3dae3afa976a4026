"""The examples for nginx and Caddy, run before a service: events arrive at once, uploads pass, Origin is compared."""

from __future__ import annotations

import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.access import Scope
from service.bootstrap import Service
from service.settings import Settings
from tests.free_port import free_port
from tests.web.serving import LONG, serving

pytestmark = [pytest.mark.slow, pytest.mark.needs("proxy")]

HOST = "digits.example"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        executor="inline",
        workers=1,
        allowed_hosts=(HOST,),
        trusted_proxies=("127.0.0.1",),
    )
    with Service(settings) as service:
        yield service


@pytest.fixture(params=["nginx", "caddy"])
def proxied(request: pytest.FixtureRequest, service: Service, root: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    """Return a client of a proxy that is before the service."""
    certificate, key, port = tmp_path / "proxy.pem", tmp_path / "proxy.key", free_port()
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subject = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    make = ["openssl", "req", "-x509", *curve, "-nodes", *subject, "-keyout", key, "-out", certificate]
    subprocess.run(make, check=True, capture_output=True)
    _, secret = service.keys.create(request.param, [Scope.ADMIN])
    with serving(service) as url:
        address = url.removeprefix("http://")
        if request.param == "nginx":
            text = (root / "deploy" / "proxy" / "nginx.conf").read_text().replace("127.0.0.1:8000", address)
            text = text.replace("listen 443", f"listen 127.0.0.1:{port}")
            text = re.sub(r"/etc/\S+\.pem", str(certificate), re.sub(r"/etc/\S+\.key", str(key), text))
            (tmp_path / "inkling.conf").write_text(text)
            folders = "".join(
                f"{name}_temp_path {tmp_path / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
            )
            (tmp_path / "nginx.conf").write_text(
                f"daemon off; pid {tmp_path / 'pid'}; error_log stderr; events {{}}\n"
                f"http {{ access_log off; {folders} include {tmp_path / 'inkling.conf'}; }}\n"
            )
            command = ["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
        else:
            text = (root / "deploy" / "proxy" / "Caddyfile").read_text().replace("127.0.0.1:8000", address)
            text = text.replace(f"{HOST} {{", f"https://{HOST}:{port} {{\n\ttls {certificate} {key}")
            (tmp_path / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text)
            command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile")]
        with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                trusting = ssl.create_default_context(cafile=certificate)
                headers = {"Authorization": f"Bearer {secret}", "Host": f"{HOST}:{port}"}
                address = f"https://127.0.0.1:{port}/api/v1"
                with httpx.Client(base_url=address, verify=trusting, headers=headers, timeout=30) as client:
                    client.event_hooks["request"] = [_name_server]
                    _wait_for(client, process, tmp_path / "log")
                    yield client
            finally:
                process.terminate()


def _name_server(request: httpx.Request) -> None:
    request.extensions["sni_hostname"] = HOST


def _wait_for(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            client.get("/models").raise_for_status()
            return
        except httpx.TransportError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)  # it has no other way to say that it listens


def test_the_examples_of_proxies(proxied: httpx.Client) -> None:
    host = proxied.headers["Host"]
    job_id = proxied.post("/jobs", json=LONG, headers={"Origin": f"https://{host}"}).raise_for_status().json()["id"]
    refused = proxied.post(f"/jobs/{job_id}/cancel", headers={"Origin": "https://elsewhere.example"})
    assert refused.status_code == 403
    with proxied.stream("GET", f"/jobs/{job_id}/events") as events:  # of a job that does not end
        assert next(line for line in events.iter_lines() if line == "event: check")
    proxied.post(f"/jobs/{job_id}/cancel").raise_for_status()
    answer = proxied.post("/predict", content=bytes(10_000 * 784), headers={"Content-Type": "application/octet-stream"})
    assert len(answer.raise_for_status().json()["predictions"]) == 10_000
