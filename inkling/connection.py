"""How calls are sent and events received: by a connection that waits, or by one that is awaited. All else is shared."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any, Generic, TypeVar

import httpx

from .call import Call, Json, path_of, read_nothing
from .errors import (
    InklingError,
    InvalidField,
    InvalidInput,
    ServerFailed,
    ServiceUnreachable,
    TooManyRequests,
    raise_for_problem,
)

_RETRY_S = 1.0
_MAX_UNANSWERED = 30
"""Connections in a row without a message, before following is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a job.

    ``id`` grows; ``kind`` is ``state`` or ``check``. ``data`` is the check with its ``progress``, or the
    ``state``, when it was entered (``at``) and why (``reason``).
    """

    id: int
    kind: str
    data: Json


class EventCursor:
    """How far the events of a job were read, over all connections, from after the one of an id on; 0 for none.

    Lines are as the WHATWG standard defines them.
    """

    def __init__(self, job_id: str, after: int = 0) -> None:
        self.path = path_of("jobs", job_id, "events")
        self.is_over = False
        self.retry_s = _RETRY_S
        self._after = after
        self._unanswered = 0
        self._fields: dict[str, str] = {}

    @contextmanager
    def connection(self) -> Iterator[dict[str, str]]:
        """Suppress the loss of a connection, but not for ever; yield the headers of the request."""
        self._fields = {}  # what the end of a connection has cut off
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(self._after)} if self._after else {})
        try:
            yield headers
        except ServiceUnreachable:
            if self._unanswered >= _MAX_UNANSWERED:
                raise
        self._unanswered += 1

    def feed(self, line: str) -> Event | None:
        """Parse a line; return the event that it completes. Comments and unknown fields are left out."""
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            self._fields[name] = f"{self._fields['data']}\n{value}" if name == "data" in self._fields else value
            return None
        fields, self._fields = self._fields, {}
        self._unanswered = 0
        if fields.get("retry", "").isdecimal():
            self.retry_s = int(fields["retry"]) / 1000
        self.is_over = fields.get("event") == "end"
        if self.is_over or not {"id", "event", "data"} <= fields.keys():
            return None
        try:
            event = Event(id=int(fields["id"]), kind=fields["event"], data=json.loads(fields["data"]))
        except (ValueError, RecursionError):
            raise ServerFailed("What answers with these events is not Inkling.") from None
        self._after = event.id
        return event


Result = TypeVar("Result")
HttpClient = TypeVar("HttpClient")

TIMEOUT = httpx.Timeout(60.0, connect=5.0)
"""Seconds to wait for each part of a response, and for a connection."""

_MAX_BACKOFF_S = 8.0
_MAX_RETRY_AFTER_S = 30.0
_SILENCE_S = 45.0
"""Without a line, after which a stream of events is lost: the server sends one every 15 s at least."""
_PROXY_VARIABLES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine: ``localhost``, or an address of its loopback."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


class _Server(Generic[HttpClient]):
    """A server: its URL, what is sent with every request, and what its responses mean; see `inkling.InklingClient`."""

    _make: Callable[..., HttpClient]

    def __init__(
        self,
        url: str | None,
        key: str | None,
        timeout: float | httpx.Timeout,
        retries: int,
        http_client: HttpClient | None,
    ) -> None:
        url = (url or os.environ.get("INKLING_URL") or "http://127.0.0.1:8000").rstrip("/")
        key = os.environ.get("INKLING_KEY", "").strip() if key is None else key
        try:
            self.url = httpx.URL(url)
            if not re.match(r"https?://[^/]", url):
                raise httpx.InvalidURL("no scheme")
        except httpx.InvalidURL:
            allowed = "http://HOST:PORT or https://HOST"
            raise InvalidField("The URL must name a server.", field="url", allowed=allowed) from None
        if not re.fullmatch(r"[!-~]*", key):
            raise InvalidField("The key cannot be one.", field="key", allowed="printable characters without spaces")
        self.place = f"at {self.url.copy_with(userinfo=b'')}"
        self._base = f"{url}/api/v1"
        self._timeout = timeout if isinstance(timeout, httpx.Timeout) else httpx.Timeout(timeout)
        self._retries = retries
        self._headers = {"User-Agent": f"inkling/{version('inkling-digits')}"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._is_own = http_client is None
        self._http = http_client or self._http_client()

    def _http_client(self) -> HttpClient:
        """Make an HTTP client: direct to this machine, elsewhere by the proxies and certificates of the environment."""
        if is_this_machine(self.url.host):
            return self._make(trust_env=False, verify=self._certificates())
        try:
            return self._make()
        except (ValueError, OSError, ImportError, httpx.InvalidURL) as error:
            names = [name for name in os.environ if name.upper() in _PROXY_VARIABLES]
            raise ServiceUnreachable(
                f"The server {self.place} cannot be reached: the proxies or certificates of the environment cannot be "
                f"used ({', '.join(names)}). Correct these variables, or pass an http_client."
            ) from error

    def _certificates(self) -> ssl.SSLContext:
        if self.url.scheme == "http":
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # no certificates are loaded, which takes 20 ms
        try:
            return httpx.create_ssl_context()
        except OSError:
            return httpx.create_ssl_context(trust_env=False)

    def _arguments(self, call: Call[Any]) -> dict[str, Any]:
        headers = {**self._headers, **call.request.get("headers", {})}
        url = f"{self._base}{call.path}"
        return {"timeout": self._timeout, **call.request, "method": call.method, "url": url, "headers": headers}

    def _stream_arguments(self, path: str, headers: dict[str, str]) -> dict[str, Any]:
        seconds = self._timeout.as_dict()
        if seconds["read"] is not None:
            seconds["read"] = max(seconds["read"], _SILENCE_S)
        request = {"headers": headers, "timeout": httpx.Timeout(**seconds)}
        return self._arguments(Call(method="GET", path=path, read=read_nothing, request=request))

    def _read(self, call: Call[Result], response: httpx.Response) -> Result | Call[Result]:
        raise_for_problem(response)
        try:
            return call.read(response)
        except InklingError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError):  # the last of JSON that is nested too deeply
            raise ServerFailed(f"What answers {self.place} is not Inkling.", status=response.status_code) from None

    @contextmanager
    def _transport_errors(self) -> Iterator[None]:
        try:
            yield
        except httpx.TimeoutException as error:
            raise ServiceUnreachable(f"The server {self.place} did not answer in time.") from error
        except httpx.ProxyError as error:
            raise ServiceUnreachable(f"The proxy of the environment does not reach the server {self.place}.") from error
        except UnicodeEncodeError as error:
            raise InvalidInput("A text cannot be sent: it holds half of a surrogate pair.") from error
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise ServiceUnreachable(f"No server answers {self.place}; start one with: inkling serve") from error

    def _again(self, call: Call[Result], error: InklingError) -> Call[Result]:
        """Return a call as it is repeated, after a pause; raise its error if it may not be."""
        after_s = error.retry_after_s or 0.0
        is_last = call.n_repeats >= max(self._retries, call.retries)
        if not call.repeatable or is_last or after_s > _MAX_RETRY_AFTER_S or error.code == "queue-full":
            raise error
        backoff_s = min(0.1 * 3**call.n_repeats, _MAX_BACKOFF_S) * random.uniform(0.75, 1)  # noqa: S311 - spreads load
        return replace(call, n_repeats=call.n_repeats + 1, pause_s=max(backoff_s, after_s))


class Connection(_Server[httpx.Client]):
    """Sends calls and waits for their results."""

    _make = httpx.Client

    def close(self) -> None:
        """Close the connections, if they are its own."""
        if self._is_own:
            self._http.close()

    def run(self, call: Call[Result]) -> Result:
        """Send a call, and those that it leads to; return the result or raise the `InklingError` of the answer."""
        while True:
            if call.pause_s:
                time.sleep(call.pause_s)
            try:
                with self._transport_errors():
                    response = self._http.request(**self._arguments(call))
                result = self._read(call, response)
            except (ServiceUnreachable, TooManyRequests) as error:
                result = self._again(call, error)
            if not isinstance(result, Call):
                return result
            call = result

    def events(self, job_id: str, after: int = 0) -> Iterator[Event]:
        """Yield what happened to a job after an event, and then what happens, until it is over.

        A stream that breaks is continued after the last event that was received.
        """
        cursor = EventCursor(job_id, after)
        while True:
            with (
                cursor.connection() as headers,
                self._transport_errors(),
                self._http.stream(**self._stream_arguments(cursor.path, headers)) as response,
            ):
                if not response.is_success:
                    response.read()
                    raise_for_problem(response)
                for line in response.iter_lines():
                    if event := cursor.feed(line):
                        yield event
                    if cursor.is_over:
                        return
            time.sleep(cursor.retry_s)


class AsyncConnection(_Server[httpx.AsyncClient]):
    """Sends calls that are awaited; see `Connection`."""

    _make = httpx.AsyncClient

    async def close(self) -> None:
        """See `Connection.close`."""
        if self._is_own:
            await self._http.aclose()

    async def run(self, call: Call[Result]) -> Result:
        """See `Connection.run`."""
        while True:
            if call.pause_s:
                await asyncio.sleep(call.pause_s)
            try:
                with self._transport_errors():
                    response = await self._http.request(**self._arguments(call))
                result = self._read(call, response)
            except (ServiceUnreachable, TooManyRequests) as error:
                result = self._again(call, error)
            if not isinstance(result, Call):
                return result
            call = result

    async def events(self, job_id: str, after: int = 0) -> AsyncIterator[Event]:
        """See `Connection.events`."""
        cursor = EventCursor(job_id, after)
        while True:
            with cursor.connection() as headers, self._transport_errors():
                async with self._http.stream(**self._stream_arguments(cursor.path, headers)) as response:
                    if not response.is_success:
                        await response.aread()
                        raise_for_problem(response)
                    async for line in response.aiter_lines():
                        if event := cursor.feed(line):
                            yield event
                        if cursor.is_over:
                            return
            await asyncio.sleep(cursor.retry_s)
