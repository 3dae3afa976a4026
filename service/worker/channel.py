"""A worker process's end of the connection to its engine: work and requests to stop come in, messages go out."""

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
from .run import StopRequests, train_packed

NICENESS = 10
"""Serving comes before training: answers are waited for, training is watched.

Where the kernel shares the processor among sessions first (Linux's autogroups), niceness and `sched_yield` count within
a session only, which is why a worker stays in that of its engine."""

DONE = b""
"""What a worker sends after the last message of a stack; no message is empty."""

HEARTBEAT = b"\0"
"""What a worker sends every second while it has work; no message begins like that."""

HEARTBEAT_S = 1.0

_Work: TypeAlias = tuple[bytes, StopRequests]


def serve(descriptor: int, log_level: str = "warning", log_format: LogFormat = "text") -> None:
    """Train stack after stack for the engine at the other end of a socket: what a worker process does.

    It ends when the engine closes the socket, as a killed engine does too. A bug in training ends it with a
    traceback. When else it ends is its engine's decision, so it ignores requests to terminate.
    """
    configure_logging(log_level, log_format)
    start_tracing(__version__)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # logging to a terminal that is another process group's stops nobody
    os.nice(NICENESS)
    work: queue.SimpleQueue[_Work] = queue.SimpleQueue()
    with Connection(descriptor) as connection:
        threading.Thread(target=_receive, args=(connection, work), daemon=True, name="requests").start()
        sending = threading.Lock()

        def send(data: bytes) -> None:
            with sending:
                connection.send_bytes(data)

        try:
            while True:
                spec, stop = work.get()
                with heartbeats(send):
                    train_packed(spec, lambda message: send(encode_message(message)), stop)
                send(DONE)
                # In a thread: a collector that is not reachable must not keep the next stack waiting.
                threading.Thread(target=flush_spans, daemon=True, name="spans").start()
        except ConnectionError:
            return  # the engine is gone


@contextmanager
def heartbeats(send: Callable[[bytes], None]) -> Iterator[None]:
    """Send one every second until the block is left; while there is no work, nobody reads them."""
    over = threading.Event()

    def repeat() -> None:
        with suppress(OSError):  # the engine is gone
            while not over.wait(HEARTBEAT_S):
                send(HEARTBEAT)

    thread = threading.Thread(target=repeat, daemon=True, name="heartbeats")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def pack_request(**request: object) -> bytes:
    """Return a request: to ``train`` a packed stack, to ``cancel`` one member of it, or to ``hand_back`` all of it."""
    packed: bytes = msgpack.packb(request)
    return packed


def apply_request(request: Mapping[str, Any], stop: StopRequests) -> None:
    """Pass on a request to cancel a member, or to hand back the stack."""
    if "cancel" in request:
        stop.cancel(request["cancel"])
    else:
        stop.hand_back()


def _receive(connection: Connection, work: queue.SimpleQueue[_Work]) -> None:
    """Take requests until the engine closes; those to stop belong to the work that came before them."""
    stop = StopRequests()
    while True:
        try:
            request = msgpack.unpackb(connection.recv_bytes())
        except (EOFError, OSError):
            os._exit(0)  # in the middle of a step, if need be: the engine is gone
        if "train" in request:
            stop = StopRequests()
            work.put((request["train"], stop))
        else:
            apply_request(request, stop)
