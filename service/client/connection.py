"""How calls are made: by one connection that waits, or by one that is awaited. All else is shared."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from service import __version__
from service.errors import InvalidField, ServiceError, ServiceUnreachable

from .call import Call, Json, path_of
from .event_stream import Message, MessageParser
from .problem import raise_for_problem

Result = TypeVar("Result")

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_RETRY_S = 1.0
_MAX_UNANSWERED = 30
"""Attempts in a row to take a stream up again, before following is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a job.

    ``id`` grows; ``kind`` is ``state`` or ``check``. ``data`` is the check with its ``progress``, or the
    ``state``, when it was entered (``at``) and why (``reason``).
    """

    id: int
    kind: str
    data: Json


def whereabouts(url: str | None, key: str | None) -> tuple[str, str]:
    """Return a server's URL and the key for it, from the environment where they are not given."""
    found = url or os.environ.get("INKLING_URL") or "http://127.0.0.1:8000"
    return found, os.environ.get("INKLING_KEY", "") if key is None else key


class _Following:
    """How far a stream of events has come, over all its connections."""

    def __init__(self, job_id: str, after: int) -> None:
        self.path = path_of("jobs", job_id, "events")
        self.over = False
        self.retry_s = _RETRY_S
        self._after = after
        self._unanswered = 0

    @property
    def headers(self) -> dict[str, str]:
        return {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(self._after)} if self._after else {})

    def take(self, message: Message) -> Event | None:
        self._unanswered = 0
        if message.retry_ms is not None:
            self.retry_s = message.retry_ms / 1000
        if message.event == "end":
            self.over = True
        elif message.id is not None:
            self._after = int(message.id)
            return Event(id=self._after, kind=message.event, data=json.loads(message.data))
        return None

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Let a connection be lost, but not for ever."""
        try:
            yield
        except ServiceUnreachable:
            if self._unanswered >= _MAX_UNANSWERED:
                raise
        self._unanswered += 1


class _Place:
    """The server: where it is, and what is said to it each time."""

    def __init__(self, url: str, key: str) -> None:
        url = url.rstrip("/")
        if not re.match(r"https?://[^/]", url):
            raise InvalidField("The URL must name a server.", field="url", allowed="http://HOST:PORT or https://HOST")
        if not re.fullmatch(r"[!-~]*", key):
            raise InvalidField("The key cannot be one.", field="key", allowed="printable characters without spaces")
        self.place = f"at {url}"
        headers = {"User-Agent": f"inkling/{__version__}"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._options: dict[str, Any] = {"base_url": f"{url}/api/v1", "headers": headers, "timeout": _TIMEOUT}

    def _read(self, call: Call[Result], response: httpx.Response) -> Result:
        raise_for_problem(response)
        try:
            return call.read(response)
        except ValueError:
            raise ServiceError(f"What answers {self.place} is not Inkling.") from None

    @contextmanager
    def _transport_errors(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise ServiceUnreachable(f"The server {self.place} did not answer in time.") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ServiceUnreachable(f"No server answers {self.place}; start one with: inkling serve") from error


class Connection(_Place):
    """Makes calls and waits for them.

    Parameters
    ----------
    url : of the server, as in ``http://127.0.0.1:8000``.
    key : for that server, if it needs one.

    Raises
    ------
    InvalidField : the URL is not one, or the key cannot be one.
    """

    def __init__(self, url: str, key: str = "") -> None:
        super().__init__(url, key)
        self._http = httpx.Client(**self._options)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def run(self, call: Call[Result]) -> Result:
        """Make a call, twice if its answer is lost and that does no harm.

        Raises
        ------
        ServiceError : what the service refused it with, or that it does not answer.
        """
        try:
            return self._once(call)
        except ServiceUnreachable:
            if not call.repeatable:
                raise
            return self._once(call)

    def events(self, job_id: str, after: int = 0) -> Iterator[Event]:
        """Yield what happened to a job after an event, and then what happens, until it is over.

        A stream that breaks is taken up again after the last event that came.
        """
        following = _Following(job_id, after)
        while True:
            with following.attempt():
                for message in self._messages(following):
                    event = following.take(message)
                    if following.over:
                        return
                    if event:
                        yield event
            time.sleep(following.retry_s)

    def _once(self, call: Call[Result]) -> Result:
        with self._transport_errors():
            response = self._http.request(call.method, call.path, **call.request)
        return self._read(call, response)

    def _messages(self, following: _Following) -> Iterator[Message]:
        parser = MessageParser()
        with (
            self._transport_errors(),
            self._http.stream("GET", following.path, headers=following.headers) as response,
        ):
            if not response.is_success:
                response.read()
                raise_for_problem(response)
            for line in response.iter_lines():
                if (message := parser.feed(line)) is not None:
                    yield message


class AsyncConnection(_Place):
    """Makes calls that are awaited; see `Connection`."""

    def __init__(self, url: str, key: str = "") -> None:
        super().__init__(url, key)
        self._http = httpx.AsyncClient(**self._options)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def run(self, call: Call[Result]) -> Result:
        """See `Connection.run`."""
        try:
            return await self._once(call)
        except ServiceUnreachable:
            if not call.repeatable:
                raise
            return await self._once(call)

    async def events(self, job_id: str, after: int = 0) -> AsyncIterator[Event]:
        """See `Connection.events`."""
        following = _Following(job_id, after)
        while True:
            with following.attempt():
                async for message in self._messages(following):
                    event = following.take(message)
                    if following.over:
                        return
                    if event:
                        yield event
            await asyncio.sleep(following.retry_s)

    async def _once(self, call: Call[Result]) -> Result:
        with self._transport_errors():
            response = await self._http.request(call.method, call.path, **call.request)
        return self._read(call, response)

    async def _messages(self, following: _Following) -> AsyncIterator[Message]:
        parser = MessageParser()
        with self._transport_errors():
            async with self._http.stream("GET", following.path, headers=following.headers) as response:
                if not response.is_success:
                    await response.aread()
                    raise_for_problem(response)
                async for line in response.aiter_lines():
                    if (message := parser.feed(line)) is not None:
                        yield message
