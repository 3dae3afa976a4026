"""The server: uvicorn with `Connection`, streams that end when it stops, and one or several processes."""

import errno
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from ipaddress import ip_network

import uvicorn
from fastapi import FastAPI
from uvicorn.server import HANDLED_SIGNALS

from service import __version__
from service.bootstrap import Service
from service.database import has_wal_reset_race, sqlite3
from service.errors import ServiceError
from service.metrics import share_metrics
from service.settings import Settings
from service.telemetry import configure_logging, start_tracing

from .app import create_app
from .connection import Connection, ConnectionLimits
from .limits import SEND_TIMEOUT_S
from .supervisor import Supervisor

_log = logging.getLogger(__name__)

GRACE_S = 3
"""What is being answered when the signal comes may take this long; streams are ended at once."""
KEEP_ALIVE_S = 75
"""Longer than clients and balancers keep a connection that is not used (5 to 60 s), so that it is they who close it:
a request that is sent just when the server closes is lost."""
_SWITCH_S = 0.0002
"""Python's switch interval, 5 ms by default: the event loop waits this long for a thread that records training."""
_BACKLOG = 2048
_OTHER_FILES = 256
"""Open at a time besides connections: the database, files, pipes to workers."""
_FEWEST_OTHER_FILES = 96
"""With which the service still works, if the process may not have more."""


class Server(uvicorn.Server):
    """Uvicorn's server, which by itself would wait until clients that follow a job leave.

    Once requests are answered, ``on_ready`` is called.
    """

    def __init__(self, app: FastAPI, on_ready: Callable[[], None]) -> None:
        settings: Settings = app.state.service.settings
        limits = ConnectionLimits(
            header_timeout_s=settings.header_timeout_s, max_connections=_as_many_as_files(settings.max_connections)
        )
        config = uvicorn.Config(
            app,
            http=partial(Connection, limits=limits),  # type: ignore[arg-type]
            access_log=False,
            log_config=None,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            ws="none",
        )
        for name in settings.trusted_proxies:
            if not _is_network(name):
                _log.warning("%s of the trusted proxies is no address and no network: nothing is trusted by it", name)
        super().__init__(config)
        self._app = app
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server.startup`."""
        await super().startup(sockets)
        # What is here now stays: looking through all of it again and again would hold up requests for 50 ms each time.
        gc.collect()
        gc.freeze()
        # Few requests in progress have as many objects as Python waits for by default, so that it looked through all of
        # them several times in each turn of the loop: a tenth of a prediction. No body is kept by what it finds.
        gc.set_threshold(5_000)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all streams, then stop as usual. Their clients reconnect to another process, or to the next one."""
        self._app.state.event_hub.close()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: object) -> None:
        """Stop. That takes seconds, so asking again changes nothing; and it is no failure, so the exit code is 0."""
        self.should_exit = True

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Handle signals from now on, also while nothing is served yet or any more.

        By itself, uvicorn gives them back when it has finished: then the second of two would kill a service that is
        writing down where its jobs are.
        """
        previous = {sig: signal.signal(sig, self.handle_exit) for sig in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for sig, handler in previous.items():
                signal.signal(sig, handler)


def run(settings: Settings, on_ready: Callable[[str], None] = lambda url: None) -> None:
    """Serve until SIGTERM or SIGINT, from this process or from several that it supervises.

    Parameters
    ----------
    settings : of the service; ``port`` 0 takes a free one.
    on_ready : called with the server's URL once requests are answered.

    Raises
    ------
    StorageFailed : the data folder or the database cannot be used.
    KeysRequired : others could reach it, and there is no key.
    ServiceError : the address cannot be listened on, or a web process ended at its start.
    """
    _configure_process(settings)
    with listen(settings.host, settings.port) as listener:
        ready = partial(on_ready, _url(listener))
        if settings.web_workers == 1:
            serve(settings, listener, ready)
            return
        reserved = _reserve(listener)
    with reserved:
        service = Service(settings)
        try:
            service.require_keys_if_exposed()  # here, where the command line reports the reason
            service.prepare_background()  # likewise
        finally:
            service.stop()
        with share_metrics(settings.data_dir):
            supervisor = Supervisor(settings.model_copy(update={"port": reserved.getsockname()[1]}), ready)
            supervisor.run()
    if supervisor.failed:
        raise ServiceError("A web process ended while it was started; the log says why.")


def serve(settings: Settings, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve from this process until SIGTERM or SIGINT; errors as `run`.

    Once requests are answered, ``on_ready`` is called in the event loop.
    """
    _configure_process(settings)
    with ExitStack() as until_stopped:
        service = Service(settings)
        service.require_keys_if_exposed()
        until_stopped.enter_context(service)
        if service.database.exclusive and has_wal_reset_race(sqlite3.sqlite_version_info):
            _log.warning(
                "Python's SQLite %s can, very rarely, damage a database (the WAL-reset race). To try the service it "
                "will do; for lasting work install a newer one (%s -m pip install 'inkling-digits[sqlite]') or use "
                "PostgreSQL, and make backups (inkling backup FILE).",
                sqlite3.sqlite_version,
                sys.executable,
            )
        server = Server(create_app(service), on_ready)
        until_stopped.enter_context(server.handling_signals())
        server.run([listener])


def _configure_process(settings: Settings) -> None:
    configure_logging(settings.log_level, settings.log_format)
    start_tracing(__version__)
    sys.setswitchinterval(_SWITCH_S)


def _as_many_as_files(max_connections: int) -> int:
    """Let the process have that many connections open, or return how many it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max_connections + _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return max_connections
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed == wanted:
        return max_connections
    possible = max(allowed - _OTHER_FILES, min(allowed - _FEWEST_OTHER_FILES, allowed // 2), 1)
    _log.warning(
        "The process may open only %d files: at most %d connections at a time, not %d; raise it with ulimit -n %d.",
        allowed,
        possible,
        max_connections,
        wanted,
    )
    return possible


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Take an address before anything else is begun, and know what port 0 became.

    It may be ``shared`` with other processes that take it so. Raise `ServiceError` if it is taken, or none of this
    machine's.
    """
    try:
        host = host.strip("[]")  # of IPv6, as in an address of a page
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        both = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(
            (host, port), family=family, backlog=_BACKLOG, reuse_port=shared, dualstack_ipv6=both
        )
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror  # else the resolver's
        if error.errno == errno.EADDRINUSE:
            reason = "another program has it, perhaps an Inkling that runs already; --port (INKLING_PORT) takes another"
        raise ServiceError(f"Port {port} of {host} cannot be listened on: {reason}.") from error
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Inherited by every connection: the kernel drops a client that takes nothing for so long.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * SEND_TIMEOUT_S))
    return listener


def _reserve(listener: socket.socket) -> socket.socket:
    """Return a socket that keeps the address for those that share it, and accepts nothing.

    While no web process listens yet, or all have died, the port would be anybody's, also that of a connection.
    """
    reserved = socket.socket(listener.family)
    for one in (listener, reserved):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind(listener.getsockname())
    return reserved


def _is_network(text: str) -> bool:
    """Whether uvicorn compares addresses with it."""
    with suppress(ValueError):
        return text == "*" or bool(ip_network(text))
    return False


def _url(listener: socket.socket) -> str:
    """Return where it can be opened from this machine; of every address, that is the one of loopback."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - replaced, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
