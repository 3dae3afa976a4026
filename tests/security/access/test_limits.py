"""How often and how much at a time, for each client by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from service.access import Scope
from service.bootstrap import Service
from service.settings import Settings
from service.web.access_control import client_address
from service.web.limits import Slots, TokenBuckets
from tests.security.access.conftest import bearer
from tests.web.serving import DEADLINE_S, LONG, TINY, long_job, problem_of, serving, wait_until_over


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_bucket_is_full_at_first_and_refills_steadily() -> None:
    clock = Clock()
    buckets = TokenBuckets(10, burst_s=2.0, clock=clock)
    assert [buckets.take("a") for _ in range(20)] == [0.0] * 20
    assert buckets.take("a") == pytest.approx(0.1)
    assert buckets.take("b") == 0.0, "others have buckets of their own"
    clock.now_s += 0.1
    assert buckets.take("a") == 0.0
    assert buckets.take("a") > 0
    clock.now_s += 3600
    assert sum(buckets.take("a") == 0.0 for _ in range(100)) == 20, "never more than a full bucket"


@pytest.mark.parametrize("rate_per_s", [1, 3, 200])
def test_no_second_lets_more_through_than_rate_and_burst(rate_per_s: int) -> None:
    clock = Clock()
    buckets = TokenBuckets(rate_per_s, clock=clock)
    passed = 0
    for _ in range(10_000):
        passed += buckets.take("a") == 0.0
        clock.now_s += 1e-3
    assert rate_per_s * 10 <= passed <= rate_per_s * 12 + 1


def test_no_limit() -> None:
    buckets = TokenBuckets(0)
    assert all(buckets.take("a") == 0.0 for _ in range(1000))


def test_many_clients_cost_little_memory_and_no_bucket_is_refilled_early() -> None:
    clock = Clock()
    buckets = TokenBuckets(1, clock=clock)
    while buckets.take("greedy") == 0.0:
        pass
    for i in range(9_990):
        buckets.take(str(i))
    assert buckets.take("greedy") > 0
    for i in range(100_000):
        buckets.take(str(i))
    assert len(buckets._full_at_s) <= 10_000


def test_slots_come_back() -> None:
    slots = Slots(2)
    with slots.held("a"), slots.held("a"):
        assert slots.full("a") and not slots.full("b")
    assert not slots.full("a") and not slots._taken


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002::/64"),
        ("2001:db8:1:2::9", "20010db800010002::/64"),
        ("::1", "0000000000000000::/64"),
        ("fe80::1%eth0", "fe80000000000000::/64"),
    ],
)
def test_an_address_stands_for_those_that_one_client_has(host: str, client: str) -> None:
    assert client_address({"client": (host, 1)}) == client
    assert client_address({"client": None}) == "local"


@pytest.mark.parametrize("forwarded", ["1.2.3.4:", "a:b", "[::1", "1.2.3.4:abc", "::ffff:1.2.3.4:80", "1:2:3"])
def test_what_a_proxy_forwards_and_is_no_address_is_one_client(
    forwarded: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        assert client_address({"client": (forwarded, 0)}) == "unknown"
    assert repr(forwarded) in caplog.text


@contextmanager
def limited(data_dir: Path, **settings: object) -> Iterator[tuple[Service, httpx.Client]]:
    """Serve with small limits."""
    made = Settings(data_dir=data_dir, executor="inline", workers=1, **settings)  # type: ignore[arg-type]
    with Service(made) as service, serving(service) as url, httpx.Client(base_url=url, timeout=DEADLINE_S) as client:
        yield service, client


def test_requests_of_a_key_and_of_an_address(tmp_path: Path, database_url: str | None) -> None:
    with limited(tmp_path, database_url=database_url, max_requests_per_s=1, max_requests_per_s_per_address=1) as (
        service,
        client,
    ):
        keys = [service.keys.create(name, [Scope.READ])[1] for name in ("one", "two")]
        wrong = keys[0][:-43] + "A" * 43

        def until_refused(key: str | None, passing: int) -> httpx.Response:
            for n in range(50):
                answer = client.get("/api/v1/hyperparameters", headers=bearer(key) if key else {})
                if answer.status_code == 429:
                    assert n >= 2, "a bucket of two seconds holds two"
                    return answer
                assert answer.status_code == passing
            raise AssertionError("never refused")

        for key, passing in ((keys[0], 200), (wrong, 401)):
            answer = until_refused(key, passing)
            assert problem_of(answer) == "too-many-requests"
            assert answer.headers["retry-after"] == "1"
        assert client.get("/api/v1/hyperparameters").status_code == 429, "wrong keys and none count together"
        assert client.get("/api/v1/hyperparameters", headers=bearer(keys[1])).status_code == 200
        assert client.get("/livez").status_code == 200


def test_each_address_of_a_class_has_a_rate_of_its_own(tmp_path: Path) -> None:
    with limited(tmp_path, trusted_proxies="127.0.0.1", max_requests_per_s=1) as (service, client):
        shared, own = (service.keys.create("key", [scope])[1] for scope in ("collect:lesson-1", Scope.PREDICT))
        for key, passing in ((shared, 200), (own, 429)):

            def ask(phone: int, key: str = key) -> int:
                headers = {**bearer(key), "X-Forwarded-For": f"192.0.2.{phone}"}
                return client.get("/v2", headers=headers).status_code

            assert 429 in [ask(1) for _ in range(5)]
            assert ask(2) == passing


def test_the_owner_of_the_machine_is_not_limited(tmp_path: Path) -> None:
    with limited(tmp_path, max_requests_per_s_per_address=1, max_streams_per_client=1) as (_, client):
        assert {client.get("/api/v1/hyperparameters").status_code for _ in range(20)} == {200}


def test_streams_of_a_client(tmp_path: Path) -> None:
    with limited(tmp_path, max_streams_per_client=2, max_requests_per_s=0) as (service, client):
        keys = [service.keys.create(name, [Scope.TRAIN])[1] for name in ("one", "two")]
        api = httpx.Client(base_url=f"{client.base_url}/api/v1", headers=bearer(keys[0]), timeout=DEADLINE_S)
        with api, long_job(api) as job_id, ExitStack() as streams:
            path = f"/jobs/{job_id}/events"
            opened = [streams.enter_context(api.stream("GET", path)) for _ in range(2)]
            assert [answer.status_code for answer in opened] == [200, 200]
            refused = api.get(path)
            assert (refused.status_code, problem_of(refused)) == (429, "too-many-requests")
            with api.stream("GET", path, headers=bearer(keys[1])) as other:
                assert other.status_code == 200
            streams.close()
            # The server hears of it in its own time; then both places are free.
            while (again := streams.enter_context(api.stream("GET", path))).status_code == 429:
                pass
            assert again.status_code == 200
            streams.close()


@pytest.mark.parametrize("trusted", [(), ("192.0.2.1",)])
def test_a_forwarded_address_is_believed_only_from_a_trusted_proxy(trusted: tuple[str, ...], tmp_path: Path) -> None:
    with limited(tmp_path, trusted_proxies=trusted, max_requests_per_s_per_address=1) as (_, client):
        forwarded = [{"X-Forwarded-For": f"198.51.100.{n}"} for n in range(10)]
        statuses = [client.get("/api/v1/jobs", headers=headers).status_code for headers in forwarded]
    assert set(statuses) == ({401, 429} if trusted else {200})


@pytest.mark.slow
def test_jobs_of_a_key(tmp_path: Path, database_url: str | None) -> None:
    with limited(tmp_path, database_url=database_url, max_jobs_per_key=2, max_requests_per_s=0) as (service, client):
        keys = [service.keys.create(name, [Scope.TRAIN])[1] for name in ("one", "two")]
        api = httpx.Client(base_url=f"{client.base_url}/api/v1", headers=bearer(keys[0]), timeout=DEADLINE_S)
        grid = {"base": {"model": "softmax"}, "grid": {"seed": [0, 1, 2]}}
        with api, long_job(api) as first:
            refused = api.post("/sweeps", json=grid)
            assert (refused.status_code, problem_of(refused)) == (429, "queue-full")
            with long_job(api):
                assert [
                    api.post(path, json=body).status_code for path, body in (("/jobs", LONG), ("/reports", {}))
                ] == [
                    429,
                    429,
                ]
                other = api.post("/jobs", json=LONG, headers=bearer(keys[1]))
                assert other.status_code == 202, "others are not concerned"
                api.post(f"/jobs/{other.json()['id']}/cancel")
                api.post(f"/jobs/{first}/cancel")
                wait_until_over(api, first)
                again = api.post("/jobs", json=LONG)
                assert again.status_code == 202, "what is over counts no more"
                api.post(f"/jobs/{again.json()['id']}/cancel")


def test_an_idempotency_key_belongs_to_who_used_it(tmp_path: Path) -> None:
    with limited(tmp_path, max_requests_per_s=0) as (service, client):
        first, second = (
            {**bearer(service.keys.create(name, [Scope.TRAIN])[1]), "Idempotency-Key": "1"} for name in ("one", "two")
        )

        def submit(headers: dict[str, str], **changes: int) -> httpx.Response:
            return client.post("/api/v1/jobs", json={**TINY, **changes}, headers=headers)

        mine, theirs = submit(first).json()["id"], submit(second, seed=5)
        assert theirs.status_code == 202 and theirs.json()["id"] != mine
        assert submit(first).json()["id"] == mine
        assert problem_of(submit(first, seed=5)) == "idempotency-mismatch"
