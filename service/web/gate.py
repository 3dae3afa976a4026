"""Who is asking, whether they may, and how often: decided at the route that matched, before anything of it runs."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from ipaddress import ip_address
from re import compile as pattern

from anyio.to_thread import run_sync
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from service import access
from service.access import EVERY_SCOPE, AuditLog, Keys
from service.bootstrap import is_open
from service.database import AuditedCall, Submitter, audited_call, submitter
from service.errors import InsufficientScope, ServiceError, TooManyRequests, Unauthenticated
from service.settings import Settings

from .access import ACCESS, PUBLIC
from .rate_limit import Slots, TokenBuckets

_log = logging.getLogger(__name__)

_CHANGES = frozenset({access.Scope.TRAIN, access.Scope.ADMIN})
_LOOKS_LIKE_A_KEY = pattern(rb"inkling_[0-9a-f]{12}_")
_OBJECT = pattern(r"[\w./@-]{1,200}")
_WAIT_FOR_KEYS_S = 1.0


@dataclass(frozen=True, slots=True)
class Client:
    """Who is asking: a key, or without one an address.

    ``limited`` is false only for the owner of a machine on which no key was ever made.
    """

    key_id: str | None
    address: str
    grants: frozenset[access.Scope]
    limited: bool

    @property
    def name(self) -> str:
        """What tells it from other clients."""
        return self.key_id or self.address


class Gate:
    """Lets requests in.

    Without keys a service on loopback is open. Once a key was made, and on every other address, all but what
    the table of routes calls public needs one, unless ``allow_anonymous`` says otherwise.
    """

    def __init__(self, keys: Keys, audit_log: AuditLog, settings: Settings):
        self._keys = keys
        self._audit_log = audit_log
        self._settings = settings
        self._of_keys = TokenBuckets(settings.max_requests_per_s)
        self._of_addresses = TokenBuckets(settings.max_requests_per_s_per_address)
        self._reading: asyncio.Task[None] | None = None
        self.streams = Slots(settings.max_streams_per_client)

    async def admit(self, scope: Scope, template: str, send: Send) -> Send:
        """Let a request in to the route that it matched, or raise; return what its answer is to be sent with.

        Raises
        ------
        Unauthenticated, InsufficientScope, TooManyRequests
        """
        row = f"{scope['method']} {template}"
        if row not in ACCESS:
            _log.error("%s has no row in the table of access and is open to nobody", row)
            raise InsufficientScope("Nobody may do this.")
        needed = ACCESS[row]
        if needed is PUBLIC:
            return send
        is_free = await self.is_free() if self._keys.stale else is_open(self._settings, self._keys)
        client = self._let_in(scope, needed, is_free)
        # Set in any case: a request that was sent ahead begins with what the one before it left.
        submitter.set(Submitter(client.key_id, self._settings.max_jobs_per_key) if client.key_id else None)
        audited_call.set(None)
        if needed in _CHANGES and scope["method"] != "GET":
            scope["state"]["send"] = send = self._audited(scope, template, client, send)
        return send

    def take_stream(self, client: Client) -> AbstractContextManager[None]:
        """Return what holds one of the client's streams while it is entered.

        Raises
        ------
        TooManyRequests : it follows as many jobs as it may.
        """
        if client.limited and self.streams.full(client.name):
            at_most = f"At most {self.streams.per_client} streams may be open at a time."
            raise TooManyRequests(at_most, retry_after_s=5)
        return self.streams.held(client.name)

    async def is_free(self) -> bool:
        """Tell whether no key is needed at the moment."""
        if self._keys.stale:
            await self._read_keys()
        return is_open(self._settings, self._keys)

    def _let_in(self, scope: Scope, needed: access.Scope, is_free: bool) -> Client:
        client: Client = scope["state"].get("client") or self._identify(scope, is_free)
        if needed not in client.grants:
            raise InsufficientScope(f"This needs a key of scope {needed}.")
        scope["state"]["client"] = client
        return client

    def _identify(self, scope: Scope, is_free: bool) -> Client:
        if scope["query_string"] and _LOOKS_LIKE_A_KEY.search(scope["query_string"]):
            raise Unauthenticated("A key belongs in the Authorization header; this one was seen and should be revoked.")
        address = client_address(scope)
        presented = _presented(scope)
        found = self._keys.check(presented) if presented is not None else None
        if found is not None:
            _take(self._of_keys, found[0])
            return Client(found[0], address, found[1], limited=True)
        is_owner = is_free and not self._settings.allow_anonymous
        if not is_owner:
            _take(self._of_addresses, address)
        if presented is not None:
            raise Unauthenticated("The key is not, or no longer, valid.")
        if not is_free:
            raise Unauthenticated("This needs a key, as in: Authorization: Bearer KEY")
        return Client(None, address, EVERY_SCOPE, limited=not is_owner)

    async def _read_keys(self) -> None:
        """Have the keys read again, once for all who ask at the same time; a slow database holds nobody up for long."""
        if self._reading is None:
            self._reading = asyncio.create_task(run_sync(self._keys.load))
            self._reading.add_done_callback(self._have_read)
        await asyncio.wait([self._reading], timeout=_WAIT_FOR_KEYS_S)

    def _have_read(self, _: asyncio.Task[None]) -> None:
        self._reading = None

    def _audited(self, scope: Scope, template: str, client: Client, send: Send) -> Send:
        """Write the audit log's line before the answer goes out, unless it was written with what was changed."""
        request_id = scope["state"]["request_id"]
        call = AuditedCall(key_id=client.key_id, method=scope["method"], route=template, request_id=request_id)
        audited_call.set(call)

        async def send_audited(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] != call.recorded_status:
                new = call.line(message["status"], _object_id(scope, message))
                try:
                    await run_sync(self._audit_log.append, new)
                except ServiceError:
                    _log.exception("could not be written into the audit log: %s", new)
            await send(message)

        return send_audited


class GuardedRoute(APIRoute):
    """A route that nobody reaches but through the gate."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `APIRoute.handle`."""
        if scope["method"] in (self.methods or ()):  # else the answer is 405, and nothing of the route runs
            gate: Gate = scope["app"].state.gate
            send = await gate.admit(scope, self.path_format, send)
        await super().handle(scope, receive, send)


def client_of(request: Request) -> Client:
    """Return who is asking."""
    client: Client = request.scope["state"]["client"]
    return client


def _presented(scope: Scope) -> str | None:
    """Return the key that a request comes with. What is no bearer token may be meant for a proxy before us."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    if not values:
        return None
    if len(values) > 1:
        raise Unauthenticated("There is more than one Authorization header.")
    kind, _, key = values[0].partition(b" ")
    return key.strip().decode("latin-1") if kind.lower() == b"bearer" else None


def _take(buckets: TokenBuckets, client: str) -> None:
    if wait_s := buckets.take(client):
        raise TooManyRequests("Requests come faster than they may.", retry_after_s=wait_s)


def client_address(scope: Scope) -> str:
    """Return where a request comes from. Whoever has an IPv6 address has 2^64 of them, which count as one."""
    host = scope["client"][0] if scope.get("client") else "local"
    if ":" not in host:
        return str(host)
    address = ip_address(host.partition("%")[0])
    return f"{(int(address) >> 64):016x}::/64"


def _object_id(scope: Scope, start: Message) -> str | None:
    """Return what was made, else what the address names. What could not be the name of anything is not kept."""
    made = Headers(raw=start["headers"]).get("location")
    # Of /api/v1/models/mnist/versions/3 that is mnist/3.
    names = made.split("/")[4::2] if made else map(str, scope.get("path_params", {}).values())
    named = "/".join(names)
    return named if _OBJECT.fullmatch(named) else None
