"""A task of a Dask cluster: work and requests to stop come out of one queue of its scheduler, messages go into another.

Queues, because what is taken out of one is gone from the scheduler: events that are logged there stay, checkpoints and
all. Everything in them is bytes that this package wrote, so the scheduler never opens what passes through.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from contextlib import ExitStack, closing
from typing import Any

import msgpack
from threadpoolctl import threadpool_limits

from service import __version__
from service.telemetry import flush_spans, start_tracing, tracing

from .channel import HEARTBEAT_S, apply_request, pack_request
from .messages import Message, encode_message
from .run import StopRequests, train_packed

logger = logging.getLogger(__name__)

BATCH_S = 0.1
"""Messages are collected this long: ten round trips to the scheduler a second at most, however fast the run."""

MAX_BATCHES = 64
"""Batches that wait in the scheduler for an engine at most; it empties them as they come."""

ENGINE_TIMEOUT_S = 30.0
"""An engine that has taken nothing for so long has lost its claims, and the run is given up."""


def messages_queue(name: str) -> str:
    """Return the name of the queue of what a task sends: lists of messages as bytes, an empty one as a heartbeat."""
    return f"{name}-messages"


def requests_queue(name: str) -> str:
    """Return the name of the queue of what a task is asked: first to train, as `service.worker.channel` writes it."""
    return f"{name}-requests"


def train_task(name: str, version: str) -> bool:
    """Train the stack whose request waits in the queue; False if this is not the task's first start, or it was cut off.

    Dask starts a task again whose worker died, whoever asked it not to. The request to train is in the queue once, so a
    second start finds none and leaves it to the engine what becomes of the jobs. Where engine and worker are not of the
    same version, the jobs fail and the reason says so.
    """
    from distributed import Queue, get_client  # noqa: PLC0415 - only a worker of such a cluster gets here

    # For good, not for the run: another task in this process that ends first would set the number back.
    threadpool_limits(limits=1)
    if not tracing():
        start_tracing(__version__)
    client = get_client()
    with ExitStack() as queues:
        requests, messages = (
            queues.enter_context(closing(Queue(of, client=client, maxsize=size)))
            for of, size in ((requests_queue(name), 0), (messages_queue(name), MAX_BATCHES))
        )
        waiting = [msgpack.unpackb(request) for request in requests.get(batch=True)]
        if not waiting or "train" not in waiting[0]:
            logger.info("%s was started before; this start of it does nothing", name)
            return False
        stop = StopRequests()
        for request in waiting[1:]:
            apply_request(request, stop)
        with _Connection(requests, messages, stop) as connection:
            train_packed(waiting[0]["train"], connection.send, stop, engine=version)
        flush_spans()
        return not connection.broken


class _Connection:
    """The two queues that a task uses, with a thread for each, until the block is left."""

    def __init__(self, requests: Any, messages: Any, stop: StopRequests):
        self._requests, self._messages, self._stop = requests, messages, stop
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._guard, args=(act,), daemon=True) for act in (self._send, self._receive)
        ]
        self.broken = False

    def send(self, message: Message) -> None:
        self._outbox.put(encode_message(message))

    def __enter__(self) -> _Connection:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Send what is left, and end the thread that waits for requests."""
        self._outbox.put(None)
        self._threads[0].join()
        if not self.broken:
            self._guard(lambda: self._requests.put(pack_request(over=True), timeout=ENGINE_TIMEOUT_S))
        if not self.broken:  # where the queue is gone, who waits in it is never answered
            self._threads[1].join(ENGINE_TIMEOUT_S)

    def _guard(self, act: Any) -> None:
        """Stop the run where engine or scheduler are gone."""
        try:
            act()
        except (
            Exception
        ) as error:  # whatever a connection breaks with: OSError, TimeoutError, KeyError of a new scheduler
            logger.warning("the connection to the engine is broken: %r", error)
            self.broken = True
            self._stop.hand_back()

    def _send(self) -> None:
        """Send messages in batches, and an empty one each second in which there are none."""
        over = False
        self._messages.put([], timeout=ENGINE_TIMEOUT_S)
        while not over:
            batch: list[bytes] = []
            send_at = time.monotonic() + HEARTBEAT_S
            while not over and (wait_s := send_at - time.monotonic()) > 0:
                try:
                    message = self._outbox.get(timeout=wait_s)
                except queue.Empty:
                    break
                if message is None:
                    over = True
                else:
                    batch.append(message)
                    send_at = min(send_at, time.monotonic() + BATCH_S) if len(batch) == 1 else send_at
            if batch or not over:
                self._messages.put(batch, timeout=ENGINE_TIMEOUT_S)

    def _receive(self) -> None:
        while "over" not in (request := msgpack.unpackb(self._requests.get())):
            apply_request(request, self._stop)
