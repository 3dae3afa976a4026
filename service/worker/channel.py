"""A worker process's end of the line to its engine: work and requests to stop come down it, messages go up."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import msgpack

from service import __version__
from service.telemetry import LogFormat, configure_logging, flush_spans, start_tracing

from .messages import encode_message
from .run import run_training
from .spec import StackSpec
from .stop import StopRequests

NICENESS = 10
"""Training gives way to serving: answers are waited for, training is watched.

Where the kernel shares the processor among sessions first (Linux's autogroups), niceness and `sched_yield` count within
a session only, which is why a worker stays in that of its engine."""

DONE = b""
"""What a worker says after the last message of a stack; no message is empty."""

ALIVE = b"\0"
"""What a worker says every second while it has work; no message begins like that."""

ALIVE_EVERY_S = 1.0

_Work: TypeAlias = tuple[bytes, StopRequests]


def serve(descriptor: int, log_level: str = "warning", log_format: LogFormat = "text") -> None:
    """Train stack after stack for the engine at the other end of a socket: the life of a worker process.

    It ends when the engine hangs up, and an engine that is killed hangs up too. A bug in training ends it with a
    traceback. What else becomes of it is its engine's decision, so it is deaf to requests to terminate.
    """
    configure_logging(log_level, log_format)
    start_tracing(__version__)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # logging to a terminal that is another process group's stops nobody
    os.nice(NICENESS)
    work: queue.SimpleQueue[_Work] = queue.SimpleQueue()
    with Connection(descriptor) as connection:
        threading.Thread(target=_hear, args=(connection, work), daemon=True, name="requests").start()
        voice = threading.Lock()

        def say(words: bytes) -> None:
            with voice:
                connection.send_bytes(words)

        try:
            while True:
                spec, stop = work.get()
                with _saying_that_it_lives(say):
                    run_training(StackSpec.from_bytes(spec), lambda message: say(encode_message(message)), stop)
                say(DONE)
                # In a thread: a collector that is away must not keep the next stack waiting.
                threading.Thread(target=flush_spans, daemon=True, name="spans").start()
        except ConnectionError:
            return  # nobody is left to train for


@contextmanager
def _saying_that_it_lives(say: Callable[[bytes], None]) -> Iterator[None]:
    """Say so every second until the block is left; while there is no work, nobody listens."""
    over = threading.Event()

    def repeat() -> None:
        with suppress(OSError):  # nobody is left to hear it
            while not over.wait(ALIVE_EVERY_S):
                say(ALIVE)

    thread = threading.Thread(target=repeat, daemon=True, name="alive")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def train_request(spec: StackSpec) -> bytes:
    """Return the request to train a stack."""
    return _pack({"train": spec.to_bytes()})


def cancel_request(member: int) -> bytes:
    """Return the request to cancel one member of the stack in training."""
    return _pack({"cancel": member})


def hand_back_request() -> bytes:
    """Return the request to hand back the stack in training."""
    return _pack({"hand_back": True})


def hear_request(request: Mapping[str, Any], stop: StopRequests) -> None:
    """Pass on a request to cancel a member, or to hand back the stack."""
    if "cancel" in request:
        stop.cancel(request["cancel"])
    else:
        stop.hand_back()


def _pack(request: dict[str, object]) -> bytes:
    packed: bytes = msgpack.packb(request)
    return packed


def _hear(connection: Connection, work: queue.SimpleQueue[_Work]) -> None:
    """Take requests until the engine hangs up; those to stop belong to the work that came before them."""
    stop = StopRequests()
    while True:
        try:
            request = msgpack.unpackb(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)  # in the middle of a step, if need be: nobody is left to train for
        if "train" in request:
            stop = StopRequests()
            work.put((request["train"], stop))
        else:
            hear_request(request, stop)
