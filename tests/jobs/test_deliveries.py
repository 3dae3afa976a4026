"""What ends is sent to other programs: signed, at least once, again until it arrives, and not for ever."""

from __future__ import annotations

import io
import logging
import re
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest
from sqlalchemy import update
from standardwebhooks import Webhook

from service import deliveries, webhooks
from service.answers import plain
from service.bootstrap import Service
from service.cli.local import LocalBackend
from service.database import Database, DeliveryRow, delivery_rows
from service.database.tables import deliveries as rows
from service.deliveries import Deliverer, give_up_removed
from service.errors import InvalidInput, ServiceUnreachable
from service.jobs import InlineExecutor, SweepRequest, Sweeps
from service.reports import ReportOptions
from service.settings import Settings
from service.webhooks import is_public
from tests.jobs.job_system import SHORT, JobSystem, eventually
from tests.receiver import CUT, HANG, SECRET, Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "RETRY_S", 0.01)
    monkeypatch.setattr(deliveries, "_MAX_PAUSE_S", 0.01)
    monkeypatch.setattr(deliveries, "_REFUSED_S", 0.01)
    monkeypatch.setattr(deliveries, "POLL_S", 0.01)


@pytest.fixture
def make_service(tmp_path: Path, receiver: Receiver, impatient: None) -> Iterator[Callable[..., Service]]:
    with ExitStack() as stack:

        def make(**changes: Any) -> Service:
            given = {"webhook_url": receiver.url(), "webhook_secret": SECRET, "webhook_allow_private": True, **changes}
            settings = Settings(data_dir=tmp_path / "data", executor="inline", workers=1, **given)
            return stack.enter_context(Service(settings))

        yield make


def submit(service: Service, **fields: Any) -> str:
    jobs = service.jobs
    return jobs.submit(jobs.request_of({"model": "softmax", **SHORT, "epochs": 1, "name": "told", **fields})).id


@pytest.mark.slow
def test_what_ends_is_posted_and_signed(make_service: Callable[..., Service], receiver: Receiver) -> None:
    service = make_service()
    sweep = service.sweeps.submit(SweepRequest(base=SHORT, grid={"seed": [1, 2]}, name="grid"))
    report = service.reports.submit(ReportOptions(quick=True))
    service.reports.cancel(report.id)
    job_id = submit(service)
    content = io.BytesIO()
    np.savez(content, best=np.zeros((785, 10), np.float32), last=np.zeros((785, 10), np.float32))
    command = LocalBackend(service.settings)
    command.import_weights("brought", content.getvalue(), classes=range(10), publish="best", dataset="mnist")
    command.close()
    members = {member.id for member in sweep.members} | {job.id for job in report.jobs if job}
    expected = {f"job.ended-{id_}" for id_ in (*members, job_id)}
    expected |= {f"sweep.ended-{id_}" for id_ in (sweep.id, report.sweep_id)} | {f"report.ended-{report.id}"}
    expected |= {f"version.created-{version}" for version in ("told/1", "brought/1", "grid/1", "grid/2")}
    eventually(lambda: expected <= {*receiver.ids()})
    assert sorted(expected) == sorted(receiver.ids()), "each once"
    sent = {received.id: received for received in receiver.received}
    for received in sent.values():
        assert Webhook(SECRET).verify(received.body, received.headers) == received.message
        assert (received.path, received.headers["content-type"]) == ("/hook?token=unsaid", "application/json")
    message = sent[f"job.ended-{job_id}"].message
    assert message["type"] == "job.ended" and message["data"] == plain(service.jobs.get(job_id))
    assert sent[f"sweep.ended-{sweep.id}"].message["data"]["state"] == "finished"
    assert sent[f"report.ended-{report.id}"].message["data"]["state"] == "cancelled"
    assert sent["version.created-told/1"].message["data"]["job_id"] == job_id
    eventually(lambda: service.deliveries_waiting() == {"webhook": 0})


def test_a_report_ends_once_whatever_jobs_end_later(make_service: Callable[..., Service], receiver: Receiver) -> None:
    service = make_service()
    report = service.reports.submit(ReportOptions(quick=True))
    service.reports.cancel(report.id)
    eventually(lambda: f"report.ended-{report.id}" in receiver.ids())
    job_id = submit(service)
    eventually(lambda: f"job.ended-{job_id}" in receiver.ids() and service.deliveries_waiting() == {"webhook": 0})
    assert receiver.ids().count(f"report.ended-{report.id}") == 1


def test_a_receiver_that_fails_hangs_and_comes_back_gets_it(
    make_service: Callable[..., Service],
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_S", 2.0)
    receiver.answers.extend([500, HANG, CUT, 302, 404])
    with caplog.at_level(logging.DEBUG, "service"):
        service = make_service()
        job_id = submit(service)
        service.jobs.delete(eventually(lambda: service.jobs.get(job_id).state.final and job_id))
        eventually(lambda: "version.created-told/1" in receiver.ids())
        eventually(lambda: service.deliveries_waiting() == {"webhook": 0})
    assert receiver.ids().count(f"job.ended-{job_id}") + receiver.ids().count("version.created-told/1") == 7
    assert {received.path for received in receiver.received} == {"/hook?token=unsaid"}, "redirects are not followed"
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text.partition("127.0.0.1 ")[2].partition(".")[0] for text in warned] == [
        "answered 500",
        "did not answer (TimeoutError)",
        "did not answer (RemoteProtocolError)",
        "answered 302",
        "answered 404",
    ]
    assert "unsaid" not in caplog.text and SECRET.removeprefix("whsec_") not in caplog.text
    exposed = service.metrics.exposition({}).decode()
    assert 'inkling_deliveries_total{outcome="delivered",target="webhook"} 2.0' in exposed
    assert 'inkling_deliveries_total{outcome="failed",target="webhook"} 5.0' in exposed


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_nothing_is_sent_to_a_private_address(
    make_service: Callable[..., Service], receiver: Receiver, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    service = make_service(webhook_url=receiver.url(host), webhook_allow_private=False)
    submit(service)
    attempts = re.compile(r'outcome="failed",target="webhook"} ([3-9]|\d\d)')
    eventually(lambda: attempts.search(service.metrics.exposition({}).decode()))
    assert receiver.received == []
    warning, *later = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert all("given up" in text for text in later), "the same reason is named once"
    assert f"{host} has no public address" in warning and "--webhook-allow-private" in warning


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *[(address, True) for address in ("1.1.1.1", "2001:4860:4860::8888")],
        *[(address, False) for address in ("10.0.0.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0")],
        *[(address, False) for address in ("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1")],
        *[(address, False) for address in ("ff0e::1", "fec0::1", "::ffff:8.8.8.8", "::127.0.0.1")],
        *[(address, False) for address in ("64:ff9b::a00:1", "2002:a00:1::")],
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.needs("openssl")
def test_the_address_that_was_checked_is_connected_to_under_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name whose address changes between two questions; the certificate must be that of the name."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    curve: list[Any] = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    about = ["-subj", "/CN=digits.example", "-addext", "subjectAltName=DNS:digits.example"]
    subprocess.run(["openssl", "req", "-x509", *curve, *about], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    asked = []

    async def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port))]

    monkeypatch.setattr(anyio, "getaddrinfo", rebinding)
    row = DeliveryRow(number=1, event="job.ended", object_id="X", attempts=1, created_at=datetime.now(UTC))
    describe = {"job": lambda job_id: {"id": job_id}}
    with Receiver(tls) as receiver:
        for host in ("digits.example", "other.example"):
            webhook = webhooks.Webhook(receiver.url(host), SECRET, allow_private=True, describe=describe)
            if host == "other.example":
                asked.clear()
                with pytest.raises(ServiceUnreachable, match="ConnectError"):
                    webhook.send(row)
            else:
                webhook.send(row)
            assert asked == [host]
        assert [received.headers["host"] for received in receiver.received] == [f"digits.example:{receiver.port}"]


@pytest.fixture
def system(make_system: Callable[..., JobSystem], kind: str, url: str) -> JobSystem:
    return make_system(lambda: InlineExecutor(1), database=Database(url, targets=["webhook"]))


@pytest.fixture
def waiting(system: JobSystem) -> Database:
    """Return a database in which three jobs have ended that wait for a target."""
    for job_id in [system.submit(seed=seed) for seed in range(3)]:
        system.jobs.cancel(job_id)
    return system.database


@pytest.mark.slow
def test_what_is_too_much_too_old_or_tried_too_often_is_given_up(
    waiting: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes: list[tuple[str, int]] = []
    sent: list[DeliveryRow] = []

    def refuse(row: DeliveryRow) -> None:
        sent.append(row)
        raise InvalidInput("The receiver is not allowed.")

    deliverer = Deliverer(waiting, "webhook", refuse, record=lambda _, outcome, n: outcomes.append((outcome, n)))
    monkeypatch.setattr(deliveries, "MAX_WAITING", 2)
    monkeypatch.setattr(deliveries, "MAX_ATTEMPTS", 2)
    monkeypatch.setattr(deliveries, "_REFUSED_S", 0.0)
    for _ in range(2):
        deliverer.step()
    assert outcomes == [("given up", 1), ("failed", 1), ("failed", 1), ("given up", 1)]
    with waiting.write() as connection:
        connection.execute(update(rows).values(created_at=datetime.now(UTC) - timedelta(days=4)))
    deliverer.step()
    assert outcomes[4:] == [("given up", 1)]
    assert [row.attempts for row in sent] == [1, 2]
    assert [record.getMessage() for record in caplog.records] == [
        "webhook: 1 that ended are given up; they were not received",
        "The receiver is not allowed.",
        "webhook: 1 that ended are given up; they were not received",
        "webhook: 1 that ended are given up; they were not received",
    ]


def test_what_waits_for_a_receiver_that_is_configured_no_longer_is_given_up_when_it_is_old(
    waiting: Database, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not sooner: it may be configured on another host, or again."""
    removed, outcomes = Database(url, targets=["mlflow"]), []
    for is_old in (False, True):
        if is_old:
            with waiting.write() as connection:
                connection.execute(update(rows).values(created_at=datetime.now(UTC) - timedelta(days=4)))
        for database in (waiting, removed):
            give_up_removed(database, lambda *outcome: outcomes.append(outcome))
            with waiting.read() as connection:
                assert delivery_rows.count_waiting(connection) == ({} if outcomes else {"webhook": 3})
    assert outcomes == [("webhook", "given up", 3)]
    assert [record.getMessage() for record in caplog.records] == [
        "webhook: 3 that ended are given up; they were not received"
    ]
    removed.close()


def test_two_processes_do_not_send_the_same_and_a_kill_does_not_lose_it(waiting: Database) -> None:
    with waiting.write() as connection:
        claimed = [delivery_rows.claim(connection, "webhook", lease_s=60) for _ in range(4)]
    assert [row and row.attempts for row in claimed] == [1, 1, 1, None]
    sent: list[str] = []
    successor = Deliverer(waiting, "webhook", lambda row: sent.append(row.object_id))
    if not waiting.exclusive:  # others may still be sending: their leases are waited for
        assert successor.step() and sent == []
        with waiting.write() as connection:
            delivery_rows.release(connection, "webhook")
    while not successor.step():
        pass
    assert sent == [row.object_id for row in claimed if row]


def test_a_sweep_ends_though_its_last_member_is_deleted_at_once(waiting: Database, system: JobSystem) -> None:
    sweeps = Sweeps(waiting, max_queue_length=10, wake_engine=lambda: None)
    sweep = sweeps.submit(SweepRequest(base=SHORT, grid={"seed": [1, 2]}))
    first, last = (member.id for member in sweep.members)
    events = []

    def send(row: DeliveryRow) -> None:
        events.append(f"{row.event} {row.object_id}")

    deliverer = Deliverer(waiting, "webhook", send)
    for job_id in (first, last):
        system.jobs.cancel(job_id)
        if job_id == last:
            system.jobs.delete(job_id)
        while not deliverer.step():
            pass
    assert events[3:] == [f"job.ended {first}", f"job.ended {last}", f"sweep.ended {sweep.id}"]


def test_those_that_were_over_before_are_sent_too(waiting: Database) -> None:
    sent: list[str] = []
    deliverer = Deliverer(waiting, "mlflow", lambda row: sent.append(row.object_id), n_before=2)
    while not deliverer.step():
        pass
    with waiting.read() as connection:
        newest = [row.object_id for row in connection.execute(rows.select().order_by(rows.c.number))]
    assert sent == newest[1:]
