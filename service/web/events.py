"""Streams of the events of jobs, and the one poll of the database that wakes them.

However many streams there are, a process asks the database one cheap question a few times a second: which jobs have new
events? Only the streams of those read them, and streams at the same event share one read. Between reads no stream holds
a connection of the database.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext, suppress
from dataclasses import dataclass

from anyio.to_thread import run_sync
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse
from starlette.types import Send

from service.core import yield_cpu
from service.errors import StorageFailed
from service.jobs import Event, EventCursor, Jobs

POLL_S = 0.2
HEARTBEAT_S = 15.0
RETRY_MS = 1000
_PAGE = 1000
END_ID = 10**17
"""Of every ``end``: a client that reconnects after it gets 204, which stops a browser's `EventSource`."""
_END = format_sse_event(id=str(END_ID), event="end", data_str="{}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """Events as they are sent, the id of the last, and whether nothing can follow."""

    wire: bytes
    last_id: int
    over: bool
    full: bool


class EventHub:
    """Yields the events of jobs as they happen.

    The database is polled every ``poll_s`` while there are streams; one without an event for ``heartbeat_s`` sends a
    comment.
    """

    def __init__(self, jobs: Jobs, *, poll_s: float = POLL_S, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._jobs = jobs
        self._poll_s = poll_s
        self._heartbeat_s = heartbeat_s
        self._followers: dict[str, set[asyncio.Event]] = {}
        self._reads: dict[str, dict[int, asyncio.Task[_Page]]] = {}
        self._poll: asyncio.Task[None] | None = None
        self._closing = False

    def close(self) -> None:
        """End all streams; their clients reconnect to another process, or to the next one."""
        self._closing = True
        if self._poll is not None:
            self._poll.cancel()
        for job_id in self._followers:
            self._wake(job_id)

    async def follow(self, job_id: str, after: int) -> AsyncGenerator[bytes]:
        """Yield the events of a job after a given one, and then new ones, until its final state.

        An id that no event has had yet begins at the start: it is from another database.
        """
        yield format_sse_event(retry=RETRY_MS)
        # If the database fails, the stream stops without an end event, and its client reconnects.
        with self._woken_by(job_id) as news, suppress(StorageFailed):
            newest = await run_sync(self._jobs.newest_event_id)
            last_id = after if after <= newest else 0
            while not self._closing:
                news.clear()
                page = await self._read(job_id, last_id)
                if page.wire:
                    yield page.wire
                last_id = page.last_id
                if page.over:
                    yield _END
                    return
                if not page.full and not await _happened(news, self._heartbeat_s):
                    yield KEEPALIVE_COMMENT

    @contextmanager
    def _woken_by(self, job_id: str) -> Iterator[asyncio.Event]:
        news = asyncio.Event()
        self._followers.setdefault(job_id, set()).add(news)
        if self._poll is None and not self._closing:
            self._poll = asyncio.create_task(self._keep_polling(), name="event hub")
        try:
            yield news
        finally:
            self._followers[job_id].remove(news)
            if not self._followers[job_id]:
                del self._followers[job_id]
                self._reads.pop(job_id, None)

    async def _keep_polling(self) -> None:
        """Wake streams as long as there are any: first all, for what happened before, then those of jobs with news."""
        try:
            cursor: EventCursor | None = None
            while self._followers:
                with suppress(StorageFailed):  # the engine logs it, and the next poll tries again
                    if cursor is None:
                        cursor = await run_sync(EventCursor, self._jobs)
                        changed = set(self._followers)
                    else:
                        changed = await run_sync(cursor.changed_jobs)
                    for job_id in changed:
                        self._wake(job_id)
                await asyncio.sleep(self._poll_s)
        finally:
            self._poll = None

    def _wake(self, job_id: str) -> None:
        self._reads.pop(job_id, None)  # a read that runs now may have begun before the new event
        for news in self._followers.get(job_id, ()):
            news.set()

    async def _read(self, job_id: str, after: int) -> _Page:
        """Read the events after a given one; streams that ask between two polls share one read."""
        reads = self._reads.setdefault(job_id, {})
        if after not in reads:
            reads[after] = asyncio.create_task(run_sync(self._page, job_id, after))
            reads[after].add_done_callback(lambda _: reads.pop(after, None))
        return await asyncio.shield(reads[after])

    def _page(self, job_id: str, after: int) -> _Page:
        yield_cpu()  # a prediction may wait for this core
        news = self._jobs.events(job_id, after=after, limit=_PAGE)
        yield_cpu()
        return _Page(
            wire=b"".join(map(_on_the_wire, news.events)),
            last_id=news.events[-1].id if news.events else after,
            over=news.complete,
            full=len(news.events) == _PAGE,
        )


def _on_the_wire(event: Event) -> bytes:
    return format_sse_event(id=str(event.id), event=event.kind, data_str=json.dumps(event.data))


async def _happened(news: asyncio.Event, within_s: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            return await news.wait()
    return False


class EventStream(StreamingResponse):
    """Server-Sent Events, ready for the wire, which hold a ``slot`` and are closed when the client leaves.

    A client that does not receive them is disconnected by `Connection`.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes], *, slot: AbstractContextManager[None] | None = None) -> None:
        super().__init__(events, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._events = events
        self._slot = slot or nullcontext()

    async def stream_response(self, send: Send) -> None:
        """See `StreamingResponse`, which cancels this when the client leaves."""
        with self._slot:
            async with aclosing(self._events):
                await super().stream_response(send)
