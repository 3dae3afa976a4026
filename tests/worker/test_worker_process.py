"""A worker as a program of its own: light, polite, and gone when nobody listens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from service.worker import Checked, Ended, Message, StackSpec, Started, decode_message
from service.worker.channel import DONE, HEARTBEAT, pack_request

ROOT = Path(__file__).parents[2]


class Worker:
    """A worker process, and the engine's end of its line."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"from service.worker import serve; serve({theirs.fileno()})"],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                stderr=subprocess.PIPE,
                text=True,
            )
            self.line = Connection(ours.detach())

    def hear(self) -> Message | None:
        assert self.line.poll(30), "the worker says nothing"
        while (message := self.line.recv_bytes()) == HEARTBEAT:
            pass
        return None if message == DONE else decode_message(message)

    def hear_out(self) -> list[Message]:
        return list(iter(self.hear, None))


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.line.close()
    worker.process.kill()
    worker.process.communicate()


@pytest.fixture
def endless(make_spec: Callable[..., StackSpec]) -> StackSpec:
    return make_spec(epochs=10_000, patience=None, train_size=2000, checks_per_epoch=1)


@pytest.mark.slow
def test_it_trains_stack_after_stack(worker: Worker, make_spec: Callable[..., StackSpec]) -> None:
    ends = []
    for _ in range(3):
        worker.line.send_bytes(pack_request(train=make_spec().to_bytes()))
        messages = worker.hear_out()
        assert isinstance(messages[0], Started) and messages[0].environment.blas_threads == 1
        ends.append(messages[-1])
    assert isinstance(ends[0], Ended) and ends[0] == ends[1] == ends[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("request_to_stop", "handed_back"), [(pack_request(cancel=0), False), (pack_request(hand_back=True), True)]
)
def test_it_stops_on_request_and_takes_the_next_stack(
    worker: Worker,
    endless: StackSpec,
    make_spec: Callable[..., StackSpec],
    request_to_stop: bytes,
    handed_back: bool,
) -> None:
    worker.line.send_bytes(pack_request(train=endless.to_bytes()))
    while not isinstance(worker.hear(), Checked):
        pass
    worker.line.send_bytes(request_to_stop)
    ended = worker.hear_out()[-1]
    assert isinstance(ended, Ended) and ended.stop_reason == "cancelled" and ended.handed_back is handed_back
    worker.line.send_bytes(pack_request(train=make_spec().to_bytes()))
    ended = worker.hear_out()[-1]
    assert isinstance(ended, Ended) and ended.stop_reason == "max_epochs", "the request was for the stack before"


@pytest.mark.slow
def test_a_request_sent_with_the_work_counts(worker: Worker, endless: StackSpec) -> None:
    worker.line.send_bytes(pack_request(train=endless.to_bytes()))
    worker.line.send_bytes(pack_request(cancel=0))
    ended = worker.hear_out()[-1]
    assert isinstance(ended, Ended) and ended.stop_reason == "cancelled"


@pytest.mark.slow
def test_it_gives_way_and_ignores_requests_to_terminate_and_a_terminal_that_is_not_its_own(
    worker: Worker, endless: StackSpec
) -> None:
    worker.line.send_bytes(pack_request(train=endless.to_bytes()))
    assert isinstance(worker.hear(), Started)
    niceness = psutil.Process().nice()
    assert psutil.Process(worker.process.pid).nice() == min(19, niceness + 10)
    for request in (signal.SIGTERM, signal.SIGTTOU):
        os.kill(worker.process.pid, request)
    worker.line.send_bytes(pack_request(cancel=0))
    assert isinstance(worker.hear_out()[-1], Ended)


@pytest.mark.slow
def test_it_ends_quietly_when_its_engine_hangs_up(worker: Worker, endless: StackSpec) -> None:
    worker.line.send_bytes(pack_request(train=endless.to_bytes()))
    assert isinstance(worker.hear(), Started)
    worker.line.close()
    _, errors = worker.process.communicate(timeout=10)
    assert worker.process.returncode == 0
    assert errors == ""


@pytest.mark.slow
def test_a_bug_ends_it_with_a_traceback(worker: Worker, make_spec: Callable[..., StackSpec]) -> None:
    members = make_spec().members + make_spec(train_size=600).members
    worker.line.send_bytes(pack_request(train=StackSpec(dataset="mnist", members=members).to_bytes()))
    _, errors = worker.process.communicate(timeout=30)
    assert worker.process.returncode == 1
    assert "ValueError: the members of a stack must share data" in errors
