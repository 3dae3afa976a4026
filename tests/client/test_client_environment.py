"""Where a client goes: direct to this machine, and elsewhere by the proxies that the environment names."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import httpx
import pytest

from inkling import AsyncInklingClient, InklingClient, ServiceUnreachable
from inkling.connection import is_this_machine
from tests.free_port import free_port

UNUSABLE = [
    ("ALL_PROXY", "socks5://127.0.0.1:1"),
    ("all_proxy", "socks5h://127.0.0.1:1"),
    ("HTTP_PROXY", "http://127.0.0.1:1"),
    ("HTTPS_PROXY", "ftp://127.0.0.1:1"),
    ("NO_PROXY", "localhost,[::1]"),
    ("no_proxy", "fe80::/10"),
    ("SSL_CERT_FILE", "/nonexistent.pem"),
]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(("name", "value"), UNUSABLE)
def test_it_goes_direct_to_this_machine(url: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    for place in (url, url.replace("127.0.0.1", "localhost")):
        with InklingClient(place) as client:
            assert client.models()
    InklingClient("https://localhost:1").close()


@pytest.mark.parametrize("kind", [InklingClient, AsyncInklingClient])
@pytest.mark.parametrize(("name", "value"), [row for row in UNUSABLE if row[0] not in ("HTTP_PROXY", "no_proxy")])
def test_elsewhere_what_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, kind: type[InklingClient | AsyncInklingClient], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ServiceUnreachable) as refused:
        kind("https://inkling.example")
    assert "https://inkling.example" in refused.value.message
    assert name in refused.value.message
    assert value not in refused.value.message  # it may hold a password


def test_elsewhere_a_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{listener.getsockname()[1]}")
        client = InklingClient("http://inkling.example", retries=0, timeout=0.5)
        with client, pytest.raises(ServiceUnreachable, match=r"http://inkling\.example"):
            client.models()
        asked, _ = listener.accept()
        with asked:
            assert asked.recv(100).startswith(b"GET http://inkling.example/api/v1/models ")


def test_a_proxy_that_does_not_connect_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    with InklingClient("https://inkling.example", retries=0) as client, pytest.raises(ServiceUnreachable):
        client.models()


def test_a_client_of_ones_own_is_used_and_left_open(url: str) -> None:
    seen: list[str] = []
    with httpx.Client(trust_env=False, event_hooks={"request": [lambda request: seen.append(request.url.path)]}) as own:
        with InklingClient(url, http_client=own) as client:
            client.models()
        assert seen == ["/api/v1/models"]
        assert not own.is_closed


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("127.0.0.1.example", False),
        ("notlocalhost", False),
        ("10.0.0.1", False),
        ("fe80::1", False),
        ("inkling.example", False),
    ],
)
def test_which_hosts_are_this_machine(host: str, is_local: bool) -> None:
    assert is_this_machine(host) is is_local


def test_a_password_in_the_url_is_in_no_message(url: str) -> None:
    secret = "http://me:geheim@127.0.0.1:9"
    with InklingClient(secret, retries=0) as client, pytest.raises(ServiceUnreachable) as refused:
        client.models()
    assert "127.0.0.1:9" in refused.value.message and "geheim" not in str(refused.value) + client.connection.place


def test_certificates_of_the_environment_are_trusted_here_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on this machine may have a certificate of one's own."""
    roots = ssl.create_default_context().get_ca_certs(binary_form=True)
    (tmp_path / "own.pem").write_text(ssl.DER_cert_to_PEM_cert(roots[0]))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    with InklingClient("https://127.0.0.1:1") as client:
        assert client.connection._certificates().get_ca_certs(binary_form=True) == roots[:1]
