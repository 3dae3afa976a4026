"""Who may call a route, and how often: a route states its scope, and it is checked before anything of the route runs.

A route states its scope with FastAPI's `Security`, as in ``@router.get("/jobs", dependencies=[READ])``, and
`SecuredRoute` checks it. FastAPI itself would read a JSON body first, and solving one dependency costs it as much time
as an endpoint that does nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from re import compile as pattern
from typing import Any

from anyio.to_thread import run_sync
from fastapi import params
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi.security import HTTPBearer
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount
from starlette.types import Message, Receive, Scope, Send

from service import access
from service.access import EVERY_SCOPE, AuditLog, Keys
from service.bootstrap import is_open
from service.database import AuditedCall, Submitter, audited_call, submitter
from service.errors import InsufficientScope, ServiceError, TooManyRequests, Unauthenticated
from service.settings import Settings

from .limits import Slots, TokenBuckets

_log = logging.getLogger(__name__)

API_KEY = HTTPBearer(
    scheme_name="key",
    description="A key made with `inkling keys create`, of the scope that the operation names. Needed once there is a "
    "key, and wherever others can reach the service.",
)
PUBLIC = params.Security(API_KEY)
"""Open without a key."""
READ, PREDICT, COLLECT, TRAIN, ADMIN = (params.Security(API_KEY, scopes=[scope]) for scope in access.Scope)

PUBLIC_MOUNTS = frozenset({"/static"})
"""Folders of files that are open without a key."""

_CHANGES = frozenset({access.Scope.COLLECT, access.Scope.TRAIN, access.Scope.ADMIN})
_LOOKS_LIKE_A_KEY = pattern(rb"inkling_[0-9a-f]{12}_")
_OBJECT = pattern(r"[\w./@-]{1,200}")
_OF_A_CLASS = pattern("collect:").match
_WAIT_FOR_KEYS_S = 1.0


@dataclass(frozen=True, slots=True)
class Client:
    """Who sent a request: a key, or without one an address.

    ``limited`` is false only for the owner of a machine on which no key was ever made.
    """

    key_id: str | None
    address: str
    scopes: frozenset[str]
    limited: bool

    @property
    def name(self) -> str:
        """What distinguishes it from other clients."""
        return self.key_id or self.address


class AccessControl:
    """Checks keys, scopes and rates, and writes the audit log.

    Without keys a service on loopback is open. Once a key was made, and on every other address, all but public
    routes need one, unless ``allow_anonymous`` is set.
    """

    def __init__(self, keys: Keys, audit_log: AuditLog, settings: Settings):
        self._keys = keys
        self._audit_log = audit_log
        self._settings = settings
        self._key_buckets = TokenBuckets(settings.max_requests_per_s)
        self._address_buckets = TokenBuckets(settings.max_requests_per_s_per_address)
        self._loading: asyncio.Task[None] | None = None
        self.streams = Slots(settings.max_streams_per_client)

    async def authorize(self, scope: Scope, route: SecuredRoute, needed: access.Scope, send: Send) -> Send:
        """Authorize a request for the route it matched; return what its answer is to be sent with.

        A change has its line in the audit log before it begins, unless the route writes both in one transaction. Raise
        `Unauthenticated`, `InsufficientScope` or `TooManyRequests`; or `StorageFull` or `StorageFailed` if the line
        cannot be written, so that nothing is changed.
        """
        needs_no_key = await self.needs_no_key() if self._keys.stale else is_open(self._settings, self._keys)
        client: Client = scope["state"].get("client") or self._identify(scope, needs_no_key)
        if needed not in client.scopes and f"{needed}:{scope['path_params'].get('name')}" not in client.scopes:
            raise InsufficientScope(f"This needs a key of scope {_scope_of_a_key(needed, scope)}.")
        scope["state"]["client"] = client
        # Set in any case: a pipelined request starts with the context of the one before it.
        submitter.set(Submitter(client.key_id, self._settings.max_jobs_per_key) if client.key_id else None)
        audited_call.set(None)
        if needed in _CHANGES and scope["method"] != "GET":
            scope["state"]["send"] = send = await self._audited(scope, route, client, send)
        return send

    def open_stream(self, client: Client) -> AbstractContextManager[None]:
        """Return a context manager that holds one of a client's stream slots; raise `TooManyRequests` without one."""
        if client.limited and self.streams.full(client.name):
            at_most = f"At most {self.streams.per_client} streams may be open at a time."
            raise TooManyRequests(at_most, retry_after_s=5)
        return self.streams.held(client.name)

    async def needs_no_key(self) -> bool:
        """Return whether the service is open at the moment."""
        if self._keys.stale:
            await self._load_keys()
        return is_open(self._settings, self._keys)

    def _identify(self, scope: Scope, needs_no_key: bool) -> Client:
        if scope["query_string"] and _LOOKS_LIKE_A_KEY.search(scope["query_string"]):
            raise Unauthenticated("A key belongs in the Authorization header; this one was seen and should be revoked.")
        address = client_address(scope)
        token = _bearer_token(scope)
        found = self._keys.check(token) if token is not None else None
        if found is not None:
            # A class shares its key: each of its addresses counts by itself.
            is_shared = any(map(_OF_A_CLASS, found[1]))
            _take(self._key_buckets, f"{found[0]} {address}" if is_shared else found[0])
            return Client(found[0], address, found[1], limited=True)
        is_owner = needs_no_key and not self._settings.allow_anonymous
        if not is_owner:
            _take(self._address_buckets, address)
        if token is not None:
            raise Unauthenticated("The key is not, or no longer, valid.")
        if not needs_no_key:
            raise Unauthenticated("This needs a key, as in `Authorization: Bearer KEY`.")
        return Client(None, address, EVERY_SCOPE, limited=not is_owner)

    async def _load_keys(self) -> None:
        """Load the keys again, once for all concurrent requests, and wait for a slow database only so long."""
        if self._loading is None:
            self._loading = asyncio.create_task(run_sync(self._keys.load))
            self._loading.add_done_callback(self._loaded)
        await asyncio.wait([self._loading], timeout=_WAIT_FOR_KEYS_S)

    def _loaded(self, _: asyncio.Task[None]) -> None:
        self._loading = None

    async def _audited(self, scope: Scope, route: SecuredRoute, client: Client, send: Send) -> Send:
        request_id, template = scope["state"]["request_id"], route.path_format
        call = AuditedCall(key_id=client.key_id, method=scope["method"], route=template, request_id=request_id)
        audited_call.set(call)
        if not route.records_itself:
            call.recorded = (route.status_code or 200, _object_id(scope))
            call.line_id = await run_sync(self._audit_log.append, call.line(*call.recorded))

        async def send_audited(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = (message["status"], _object_id(scope, message))
                if found != call.recorded:
                    await self._record(call, *found)
            await send(message)

        return send_audited

    async def _record(self, call: AuditedCall, status: int, object_id: str | None) -> None:
        try:
            if call.line_id is None:
                await run_sync(self._audit_log.append, call.line(status, object_id))
            else:
                await run_sync(partial(self._audit_log.correct, call.line_id, status=status, object_id=object_id))
        except ServiceError:
            _log.exception("could not be written into the audit log: %s", call.line(status, object_id))


class SecuredRoute(APIRoute):
    """A route that needs the scope it states; one that states none refuses every request."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        dependencies: Sequence[params.Depends] | None = None,
        openapi_extra: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        stated = [each for each in dependencies or () if isinstance(each, params.Security)]
        others = [each for each in dependencies or () if each not in stated]
        if len(stated) > 1:
            raise TypeError(f"{path} states more than one scope")
        self.states_scope = bool(stated)
        scopes = [access.Scope(scope) for security in stated for scope in security.scopes or ()]
        self.needed_scope = scopes[0] if scopes else None
        security = {"security": [{API_KEY.scheme_name: [self.needed_scope]}] if self.needed_scope else []}
        extra = {**(openapi_extra or {}), **security}
        super().__init__(path, endpoint, dependencies=others, openapi_extra=extra, **options)
        # What takes such a key is accepted, and recorded in the audit log, in one transaction.
        self.records_itself = any(field.alias == "Idempotency-Key" for field in self.dependant.header_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `APIRoute.handle`."""
        if scope["method"] in (self.methods or ()):  # else the answer is 405, and nothing of the route runs
            if not self.states_scope:
                _log.error("%s states no scope and refuses every request", self.path_format)
                raise InsufficientScope("Nobody may do this.")
            if self.needed_scope is not None:
                control: AccessControl = scope["app"].state.access_control
                send = await control.authorize(scope, self, self.needed_scope, send)
        await super().handle(scope, receive, send)


def scopes_by_route(routes: Iterable[BaseRoute]) -> dict[str, access.Scope | None]:
    """Return the scope of each ``METHOD /path/{as}/declared``, None if public; raise RuntimeError if one has none."""
    scopes: dict[str, access.Scope | None] = {}
    missing = []
    for context in iter_route_contexts(list(routes)):
        route = context.original_route
        if isinstance(route, Mount) and route.path in PUBLIC_MOUNTS:
            continue
        names = [f"{method} {context.path}" for method in sorted(context.methods or {"ANY"})]
        if isinstance(route, Mount):
            missing.append(route.path)
        elif isinstance(route, SecuredRoute) and route.states_scope:
            scopes.update(dict.fromkeys(names, route.needed_scope))
        else:
            missing += names
    if missing:
        raise RuntimeError(f"without a scope: {', '.join(sorted(missing))}")
    return scopes


def client_of(request: Request) -> Client:
    """Return who sent a request."""
    client: Client = request.scope["state"]["client"]
    return client


def client_address(scope: Scope) -> str:
    """Return where a request comes from. Whoever has an IPv6 address has 2^64 of them, which count as one.

    What a trusted proxy forwards as an address and is none counts as ``unknown``, all of it together.
    """
    host: str = scope["client"][0] if scope.get("client") else "local"
    if ":" not in host:
        return host
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        _log.info("a proxy forwarded what is no address: %.100r", host)
        return "unknown"
    return f"{(int(address) >> 64):016x}::/64"


def _bearer_token(scope: Scope) -> str | None:
    """Return the key of a request. What is no bearer token may be meant for a proxy before us."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if not values:
        return None
    if len(values) > 1:
        raise Unauthenticated("There is more than one Authorization header.")
    kind, _, key = values[0].partition(b" ")
    return key.strip().decode("latin-1") if kind.lower() == b"bearer" else None


def _scope_of_a_key(needed: access.Scope, scope: Scope) -> str:
    """Return how a key would state a scope, for a collection with its name."""
    of_this = f"{needed}:{scope['path_params'].get('name')}"
    return of_this if needed is access.Scope.COLLECT and access.is_scope_of_a_key(of_this) else needed.of_a_key


def _take(buckets: TokenBuckets, client: str) -> None:
    if wait_s := buckets.take(client):
        raise TooManyRequests("Requests come faster than they may.", retry_after_s=wait_s)


def _object_id(scope: Scope, start: Message | None = None) -> str | None:
    """Return the name of what was made, else what the address names. Text that cannot be a name is not kept."""
    made = Headers(raw=start["headers"]).get("location") if start else None
    # Of /api/v1/models/mnist/versions/3 that is mnist/3.
    names = made.split("/")[4::2] if made else map(str, scope.get("path_params", {}).values())
    named = "/".join(names)
    return named if _OBJECT.fullmatch(named) else None
