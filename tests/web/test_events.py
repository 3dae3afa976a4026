"""Following a job: everything once, in order, from any point, and never for ever."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx

from service.bootstrap import Service
from service.jobs import EventBatch, Jobs
from service.web.events import EventHub
from tests.web.serving import DEADLINE_S, TINY, long_job, problem_of, serving, wait_for


@dataclass
class Event:
    id: int
    kind: str
    data: Any


def follow(client: httpx.Client, job_id: str, **request: Any) -> Iterator[Event]:
    """Yield events up to ``event: end``, after which the stream must close."""
    with client.stream("GET", f"/jobs/{job_id}/events", timeout=DEADLINE_S, **request) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        fields: dict[str, str] = {}
        ended = False
        for line in answer.iter_lines():
            assert not ended or line == ""
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields.get("event") == "end":
                ended = True
            else:
                if "event" in fields:
                    yield Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
                fields = {}
        assert ended


def test_a_job_is_followed_from_beginning_to_end(client: httpx.Client) -> None:
    job_id = client.post("/jobs", json=TINY).json()["id"]
    events = list(follow(client, job_id))
    states = [event.data["state"] for event in events if event.kind == "state"]
    checks = [event.data for event in events if event.kind == "check"]
    assert states == ["queued", "running", "succeeded"]
    assert [event.id for event in events] == sorted({event.id for event in events})
    assert all(event.data.keys() == {"state", "at", "reason"} for event in events if event.kind == "state")
    progress = [check.pop("progress") for check in checks]
    assert checks == client.get(f"/jobs/{job_id}/metrics").json()["checks"]
    assert progress[-1]["fraction"] == 1


def test_a_finished_job_is_replayed(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    path = finished_job["id"]
    events = list(follow(client, path))
    for place in (0, 1, len(events) // 2, len(events) - 1):
        last_id = str(events[place].id)
        rest = events[place + 1 :]
        assert list(follow(client, path, headers={"Last-Event-ID": last_id})) == rest
        assert list(follow(client, path, params={"after": last_id})) == rest


def test_who_received_the_end_is_told_not_to_come_back(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    path = f"/jobs/{finished_job['id']}/events"
    frames = client.get(path).text.strip().split("\n\n")
    fields = dict(line.split(": ", 1) for line in frames[-1].splitlines())
    assert fields["event"] == "end"
    again = client.get(path, headers={"Last-Event-ID": fields["id"]})
    assert (again.status_code, again.content) == (204, b"")


def test_the_header_of_a_reconnecting_browser_wins(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    events = list(follow(client, finished_job["id"]))
    request = {"headers": {"Last-Event-ID": str(events[-1].id)}, "params": {"after": "0"}}
    assert list(follow(client, finished_job["id"], **request)) == []


def test_an_id_from_the_future_begins_at_the_start(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    future = list(follow(client, finished_job["id"], params={"after": "99999999"}))
    assert future == list(follow(client, finished_job["id"]))


def test_a_broken_stream_is_taken_up_again(client: httpx.Client) -> None:
    job_id = client.post("/jobs", json={**TINY, "epochs": 20}).json()["id"]
    seen: list[Event] = []
    for event in follow(client, job_id):
        seen.append(event)
        if event.kind == "check":
            break
    seen += follow(client, job_id, headers={"Last-Event-ID": str(seen[-1].id)})
    assert seen == list(follow(client, job_id))


def test_garbage_instead_of_an_id(client: httpx.Client, finished_job: dict[str, Any]) -> None:
    path = f"/jobs/{finished_job['id']}/events"
    requests: list[dict[str, Any]] = [
        {"headers": {"Last-Event-ID": "12; drop"}},
        {"headers": {"Last-Event-ID": "1"}, "params": {"after": "x"}},
    ]
    for given in requests:
        answer = client.get(path, **given)
        assert (answer.status_code, problem_of(answer)) == (400, "malformed-input")


def test_many_followers_hear_the_same(client: httpx.Client) -> None:
    job_id = client.post("/jobs", json={**TINY, "epochs": 20}).json()["id"]
    heard: list[list[Event]] = []
    followers = [threading.Thread(target=lambda: heard.append(list(follow(client, job_id)))) for _ in range(20)]
    for follower in followers:
        follower.start()
    for follower in followers:
        follower.join(DEADLINE_S)
    assert len(heard) == 20
    assert all(events == heard[0] for events in heard)


def test_a_cancel_reaches_followers(client: httpx.Client) -> None:
    states = []
    with long_job(client) as job_id:
        for event in follow(client, job_id):
            if event.kind == "check" and "cancelling" not in states:
                client.post(f"/jobs/{job_id}/cancel")
            if event.kind == "state":
                states.append(event.data["state"])
    assert states[:2] == ["queued", "running"]
    assert states[-1] == "cancelled"


def test_head_does_not_hang(client: httpx.Client) -> None:
    with long_job(client) as job_id:
        wait_for(client, job_id, "check")
        answer = client.head(f"/jobs/{job_id}/events")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_server_that_stops_ends_its_streams(service: Service, client: httpx.Client) -> None:
    with long_job(client) as job_id, httpx.Client(timeout=DEADLINE_S) as other, ExitStack() as still_open:
        wait_for(client, job_id, "check")
        with serving(service) as url:
            answer = still_open.enter_context(other.stream("GET", f"{url}/api/v1/jobs/{job_id}/events"))
            lines = answer.iter_lines()
            assert "event: check" in lines
        list(lines)  # ended, and not cut, which would be an error


def test_silence_is_filled_with_comments(service: Service, client: httpx.Client) -> None:
    async def hear(job_id: str) -> list[bytes]:
        hub = EventHub(service.jobs, heartbeat_s=0.01)
        stream = hub.follow(job_id, 0)
        heard = [await anext(stream) for _ in range(4)]
        await stream.aclose()
        hub.close()
        return heard

    with long_job(client), long_job(client) as queued:
        retry, state, *comments = asyncio.run(hear(queued))
    assert retry == b"retry: 1000\n\n"
    assert state.startswith(b"event: state\n")
    assert comments == [b": ping\n\n"] * 2


def test_news_are_not_looked_for_in_a_read_from_before(service: Service, client: httpx.Client) -> None:
    """Of two followers one is reading when something happens; the other one asks after it was woken."""
    began, goes_on = threading.Event(), threading.Event()

    class Slow(Jobs):
        n_looks = 0

        def events_since(self, event_id: int) -> dict[int, str]:
            self.n_looks += 1
            return super().events_since(event_id)

        def events(self, *arguments: Any, **options: Any) -> EventBatch:
            found = super().events(*arguments, **options)
            if not began.is_set():
                began.set()
                assert goes_on.wait(DEADLINE_S)
            return found

    async def hear(job_id: str) -> bytes:
        slow = Slow(service.database, max_queue_length=10, wake_engine=lambda: None)
        hub = EventHub(slow, poll_s=0.01, heartbeat_s=DEADLINE_S)
        first, second = hub.follow(job_id, 0), hub.follow(job_id, 0)
        assert await anext(first) == await anext(second) == b"retry: 1000\n\n"
        reading = asyncio.ensure_future(anext(first))
        await asyncio.to_thread(began.wait, DEADLINE_S)
        await asyncio.to_thread(client.post, f"/jobs/{job_id}/cancel")
        n_looks = slow.n_looks
        while slow.n_looks < n_looks + 2:  # the hub has heard of it
            await asyncio.sleep(0.001)
        heard = await anext(second)
        goes_on.set()
        await reading
        await first.aclose()
        await second.aclose()
        hub.close()
        return heard

    with long_job(client), long_job(client) as queued:
        assert b"cancelled" in asyncio.run(hear(queued))
