"""Around every request: an id, security headers, a line in the log, and the answer to an unexpected error.

The Host and Origin headers are checked, HEAD and OPTIONS answered.
A service on 127.0.0.1 is reachable by every page in the user's browser. Two checks keep those out: the Host
header must name this server (a name that an attacker points at 127.0.0.1 does not), and a request that changes
something must not come from another origin. (Starlette's TrustedHostMiddleware ignores what follows the port, and
takes any number of Host headers.)
"""

import logging
import re
import time
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from itertools import count
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from service.telemetry import request_id as current_request_id

from .problems import allowed_methods, problem_response

_log = logging.getLogger(__name__)

_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")
_MAX_NAME_LENGTH = 253
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}


class Guard:
    """Refuses requests whose Host header does not name this server, and changes that a page of another origin sends.

    Parameters
    ----------
    bound : the address that the server listens on. When it is every address of the machine, any IP address is
        accepted as a name, since only host names can be made to point somewhere else.
    allowed : further names; ``*.example.com`` are all names below example.com.
    """

    def __init__(self, app: ASGIApp, bound: str, allowed: Iterable[str] = ()) -> None:
        self._app = app
        names = {_bracketed(name).lower() for name in (bound, *allowed)}
        self._allowed = _LOOPBACK | names
        self._allowed_ends = tuple(name[1:] for name in names if name.startswith("*."))
        self._any_address = bound in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        refused = self._refusal(scope) if scope["type"] == "http" else None
        serve = problem_response(scope, *refused) if refused else self._app
        await serve(scope, receive, send)

    def is_own(self, hosts: list[str]) -> bool:
        """Whether there is one Host header and it names this server."""
        match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if match is None:
            return False
        name = match["name"].lower()
        if name in self._allowed or name.endswith(self._allowed_ends):
            return True
        return self._any_address and _is_address(name.strip("[]"))

    def _refusal(self, scope: Scope) -> tuple[str, str] | None:
        """Return the code and the detail of the problem that a request has, if it has one."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if not self.is_own(hosts):
            return "bad-host", _detail_of(hosts)
        # Browsers send Origin with every request that is not safe, and other programs need not send it.
        if scope["method"] in _SAFE_METHODS or all(_names_host(each, hosts[0]) for each in headers.getlist("origin")):
            return None
        return "cross-origin", "A page of another origin may not change anything here."


def _detail_of(hosts: list[str]) -> str:
    if len(hosts) != 1 or not (match := _HOST.fullmatch(hosts[0])):
        return "A request needs one Host header."
    name = match["name"][:_MAX_NAME_LENGTH]
    detail = (
        f"The Host header names {name}, which is none of this server's names; its operator can allow it: "
        f"--allowed-hosts {name} (INKLING_ALLOWED_HOSTS)."
    )
    _log.warning("refused: %s", detail)
    return detail


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


def _names_host(origin: str, host: str) -> bool:
    """Whether host and port are the same; a port that is not written is that of the origin's scheme.

    The schemes may differ: behind a proxy that ends TLS, the request is of http.
    """
    scheme, _, authority = origin.partition("://")
    port = _DEFAULT_PORTS.get(scheme, "")
    return _with_port(authority, port) == _with_port(host, port)


def _with_port(authority: str, default: str) -> str:
    return authority if re.search(r":[0-9]+$", authority) else f"{authority}:{default}"


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


_A_KEY = re.compile(r"(inkling_[0-9a-f]{12}_)[\w-]+")
_MAX_DECODINGS = 5

CONTENT_SECURITY_POLICY: Mapping[str, str] = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "font-src": "'self'",
    "img-src": "'self' blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


def policy(directives: Mapping[str, str]) -> str:
    """Write directives as the value of a Content-Security-Policy header."""
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"}

_SECURITY_HEADERS = {
    "Content-Security-Policy": policy(CONTENT_SECURITY_POLICY),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}
RAW_SECURITY_HEADERS = [
    (name.lower().encode("ascii"), value.encode("ascii")) for name, value in _SECURITY_HEADERS.items()
]
_NAMES = frozenset(name for name, _ in RAW_SECURITY_HEADERS)


def refusal(path: str, code: str, detail: str) -> bytes:
    """Return a problem as HTTP/1.1, for a connection whose request is not passed to the application, and log it."""
    request_id = str(ULID())
    answer = problem_response({"state": {"request_id": request_id}, "path": path}, code, detail)
    headers = [*answer.raw_headers, *RAW_SECURITY_HEADERS, (b"x-request-id", request_id.encode("ascii"))]
    lines = [STATUS_LINE[answer.status_code], *(b"%s: %s\r\n" % header for header in headers)]
    _log.info("%s refused: %s", request_id, code)
    return b"".join((*lines, b"connection: close\r\n\r\n", bytes(answer.body)))


class RequestContext:
    """The outermost middleware.

    The id is made here, whatever the client sent. It stands in ``X-Request-ID``, in every problem, and in the
    log line, so that a person who has one can find the others. The log line also has the id of the key, never a key.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        ulid = str(ULID())  # with a number it is as unique and as ordered as one for each, at a twentieth of the price
        self._ids = (f"{ulid}-{number:06x}" for number in count(1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = next(self._ids)
        scope.setdefault("state", {})["request_id"] = request_id
        current_request_id.set(request_id)
        started_s = time.monotonic()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                present = _NAMES.intersection([name for name, _ in headers])
                ours = RAW_SECURITY_HEADERS
                if present:  # the answer has one of its own
                    ours = [header for header in ours if header[0] not in present]
                message = {**message, "headers": [*headers, *ours, (b"x-request-id", request_id.encode("ascii"))]}
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            _log.info("%s the client left before its request was read", request_id)
        except Exception:
            _log.exception("%s failed", request_id)
            if status:
                raise  # half an answer is out: only the server can break the connection
            answer = problem_response(scope, "internal-error", "Something went wrong on the server.")
            await answer(scope, receive, scope["state"].get("send", send_with_headers))  # a line of the audit log, too
        finally:
            _record(scope, status, time.monotonic() - started_s)


def _record(scope: Scope, status: int, duration_s: float) -> None:
    """Count a request that was answered, and give it its line in the log."""
    method = scope["method"] if scope["method"] in _METHODS else "other"
    # Templates of addresses, of which there are few, whatever clients ask for.
    route = getattr(scope.get("route"), "path", None) or scope["root_path"] or "none"
    scope["app"].state.service.metrics.request(method, route, status, duration_s)
    if not _log.isEnabledFor(logging.INFO):
        return
    path = _without_keys(scope.get("raw_path", b"").decode("ascii", "backslashreplace"))
    client = scope["state"].get("client")
    key_id = client.key_id if client else None
    _log.info(
        "%s %s %s %s %d %.1f ms",
        scope["state"]["request_id"],
        key_id or "-",
        scope["method"],
        path,
        status,
        1000 * duration_s,
        extra={
            "request_id": scope["state"]["request_id"],
            "method": scope["method"],
            "path": path,
            "status": status,
            "duration_s": round(duration_s, 6),
            **({"key_id": key_id} if key_id else {}),
        },
    )


def _without_keys(path: str) -> str:
    """Return a path to be logged: keys do not belong in addresses, but one may be there, percent-encoded or not."""
    decoded = path
    for _ in range(_MAX_DECODINGS):
        if _A_KEY.search(decoded):
            return ascii(_A_KEY.sub(r"\1***", decoded))[1:-1]
        if "%" not in decoded:
            return path
        decoded = unquote(decoded)
    return "(encoded too often)"
