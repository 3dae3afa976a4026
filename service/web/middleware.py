"""What is done for every address: the Host and Origin headers are checked, HEAD and OPTIONS answered.

A service on 127.0.0.1 is reachable by every page in the user's browser. Two checks keep those out: the Host
header must name this server (a name that an attacker points at 127.0.0.1 does not), and a request that changes
something must not come from another origin. (Starlette's TrustedHostMiddleware ignores what follows the port, and
takes any number of Host headers.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import allowed_methods, problem_response

_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}


class HostGuard:
    """Refuses requests whose Host header does not name this server.

    Parameters
    ----------
    bound : the address that the server listens on. When it is every address of the machine, any IP address is
        accepted as a name, since only host names can be made to point somewhere else.
    allowed : further names.
    """

    def __init__(self, app: ASGIApp, bound: str, allowed: Iterable[str] = ()) -> None:
        self._app = app
        self._allowed = _LOOPBACK | {_bracketed(name).lower() for name in (bound, *allowed)}
        self._any_address = bound in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or self.is_own(Headers(scope=scope).getlist("host")):
            await self._app(scope, receive, send)
            return
        answer = problem_response(scope, "bad-host", "The Host header does not name this server.")
        await answer(scope, receive, send)

    def is_own(self, hosts: list[str]) -> bool:
        """Whether there is one Host header and it names this server."""
        match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if match is None:
            return False
        name = match["name"].lower()
        return name in self._allowed or (self._any_address and _is_address(name.strip("[]")))


class OriginGuard:
    """Refuses requests that would change something and that a page of another origin sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in _SAFE_METHODS or _is_same_origin(scope):
            await self._app(scope, receive, send)
            return
        answer = problem_response(scope, "cross-origin", "A page of another origin may not change anything here.")
        await answer(scope, receive, send)


class Methods:
    """Answers HEAD as GET without the body, and OPTIONS with what the address allows."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "OPTIONS" and (allowed := allowed_methods(scope)):
            answer = Response(status_code=204, headers={"Allow": ", ".join(allowed)})
            await answer(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "HEAD":
            as_get = {**scope, "method": "GET"}
            try:
                await self._app(as_get, receive, _without_body(send))
            finally:
                scope["route"] = as_get.get("route")  # for the middleware outside
        else:
            await self._app(scope, receive, send)


def _is_same_origin(scope: Scope) -> bool:
    """Browsers send Origin with every request that is not safe, and other programs need not send it."""
    headers = Headers(scope=scope)
    return all(origin.partition("://")[2] == headers.get("host") for origin in headers.getlist("origin"))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _without_body(send: Send) -> Send:
    ended = False

    async def send_start(message: Message) -> None:
        """Send the start and end the answer there, so that an endpoint that streams is cancelled."""
        nonlocal ended
        if message["type"] == "http.response.start":
            await send(message)
        elif not ended:
            ended = True
            await send({"type": "http.response.body"})

    return send_start
