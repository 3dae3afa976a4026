"""Training on the workers of a Dask cluster. They need this package and neither database nor model store."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from service import __version__
from service.errors import ExtraMissing, InvalidField
from service.worker import StackSpec, decode_message
from service.worker.channel import cancel_request, hand_back_request, train_request
from service.worker.cluster import MAX_BATCHES, messages_queue, requests_queue, train_task

from .interface import Listener, Outcome

logger = logging.getLogger(__name__)

_CONNECT_S = 10.0
_ANSWER_S = 30.0
_LOOK_AROUND_S = 1.0
_PATIENCE_S = 2.0
_OVER = b""
"""What the engine puts behind the last message of a task; a task puts lists."""


def check_scheduler(address: str | None, *, insecure: bool = False) -> str:
    """Return the address of a scheduler, if it is one that may be used.

    Raises
    ------
    InvalidField
        It is no address, or one to which anybody on the way could send code.
    ExtraMissing
        Dask is not installed.
    """
    try:
        parts = urlsplit(address or "")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host is None or port is None or parts.scheme not in ("tcp", "tls"):
        raise InvalidField(
            "The executor dask needs the address of a scheduler.",
            field="dask_scheduler",
            allowed="tcp://host:port or tls://host:port",
        )
    if parts.scheme == "tcp" and not (insecure or _is_loopback(host)):
        raise InvalidField(
            f"{host} is another machine, and tcp:// is neither encrypted nor authenticated. Dask sends pickled code "
            "by design, so whoever reaches the scheduler or the wire can run anything on every worker and here. Use "
            "tls://, or say that the network is trusted with --dask-insecure (INKLING_DASK_INSECURE=true).",
            field="dask_scheduler",
            allowed="tls://host:port, or tcp:// on this machine",
        )
    try:
        from distributed import Security  # noqa: PLC0415 - only who has such a cluster needs it
    except ModuleNotFoundError as error:
        raise ExtraMissing("The executor dask needs Dask: pip install 'inkling-digits[dask]'.") from error
    if parts.scheme == "tls" and not _has_certificates(Security()):
        raise InvalidField(
            "tls:// needs a certificate, its key, and the authority of the cluster's certificates: files that "
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT, ...__CLIENT__KEY and ...__CA_FILE or Dask's settings name.",
            field="dask_scheduler",
            allowed="tls://host:port with three files in PEM that can be read",
        )
    return str(address)


def _has_certificates(security: Any) -> bool:
    try:
        return security.get_connection_args("client")["ssl_context"] is not None
    except OSError:  # not there, not to be read, or in another format: ssl.SSLError is one too
        return False


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class DaskExecutor:
    """A slot for each thread of the cluster's workers, as many as there are at the time; none while it is away.

    Its connection lives in a thread with an event loop. When the scheduler is gone, everything in execution is lost,
    and it is looked for every second until it, or another at its address, is there. Connections to tls:// are made by
    Dask's own configuration (``DASK_DISTRIBUTED__COMM__TLS__...``).
    """

    def __init__(self, address: str):
        self._address = address
        self._client: Any = None
        self._n_threads = 0
        self._running: set[_DaskExecution] = set()
        self._loop = asyncio.new_event_loop()
        self._keeping = self._loop.create_task(self._keep_connected())
        self._thread = threading.Thread(target=self._loop.run_forever, name="dask", daemon=True)
        self._thread.start()

    @property
    def n_slots(self) -> int:
        """How many stacks can be in execution; what was killed and has not ended yet occupies its thread."""
        return max(0, self._n_threads - sum(execution.lingers for execution in list(self._running)))

    def prepare(self) -> None:
        """Refuse what could not be begun.

        Raises
        ------
        OSError
            The scheduler is away.
        """
        if self._client is None or not self._n_threads:
            raise ConnectionError("the Dask scheduler cannot be reached")

    def submit(self, spec: StackSpec, listener: Listener) -> _DaskExecution:
        """Give a stack to the cluster."""
        execution = _DaskExecution(self._client, spec, listener, self._later, self._have_no_slots)
        self._running.add(execution)
        self._later(lambda: execution.start(self._running.discard))
        return execution

    def close(self) -> None:
        """Ask what still runs to stop, and hang up."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _later(self, act: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # closed: nothing is in execution any more
            self._loop.call_soon_threadsafe(act)

    def _have_no_slots(self) -> None:
        """Take nothing more, until the cluster has answered again: it would be lost too."""
        self._n_threads = 0

    async def _keep_connected(self) -> None:
        from distributed import Client  # noqa: PLC0415

        while True:
            client = Client(self._address, asynchronous=True, set_as_default=False, timeout=_CONNECT_S, name="inkling")
            try:
                await client
                logger.info("connected to the Dask scheduler at %s", self._address)
                await self._look_around(client)
            except Exception as error:  # whatever a connection breaks with: the next one may be better
                logger.warning("no Dask scheduler answers at %s: %s; trying again", self._address, error)
            finally:
                await client.close()
            await asyncio.sleep(_LOOK_AROUND_S)

    async def _look_around(self, client: Any) -> None:
        """Count the threads of the cluster until the connection breaks, or this task is cancelled."""
        self._client = client
        try:
            while True:
                threads = await asyncio.wait_for(client.nthreads(), _ANSWER_S)
                self._n_threads = sum(threads.values())
                await asyncio.sleep(_LOOK_AROUND_S)
        finally:
            self._client, self._n_threads = None, 0
            for execution in list(self._running):
                execution.abandon()
            await asyncio.gather(*(execution.task for execution in list(self._running)), return_exceptions=True)

    async def _close(self) -> None:
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task()}
        await asyncio.wait(tasks, timeout=_PATIENCE_S) if tasks else None


class _DaskExecution:
    """One stack as a task of the cluster. All that is awaited is awaited in the executor's thread."""

    task: asyncio.Task[None]
    _conversation: asyncio.Task[Outcome]

    def __init__(
        self,
        client: Any,
        spec: StackSpec,
        listener: Listener,
        later: Callable[[Callable[[], object]], None],
        on_break: Callable[[], None],
    ):
        self._client = client
        self._on_break = on_break
        self._work = train_request(spec)
        # Never the same twice: what an attempt that is given up still says ends up in a queue that nobody reads.
        self._name = f"{spec.members[0].job_id}-{spec.members[0].fence}-{uuid.uuid4().hex[:8]}"
        self._listener = listener
        self._later = later
        self._requests: asyncio.Queue[bytes] = asyncio.Queue()
        self._future: Any = None
        self._messages: Any = None
        self._asked: Any = None
        self._abandoned = asyncio.Event()
        self._heard_at: float | None = None
        self._over = False
        self.lingers = False

    def start(self, on_gone: Callable[[_DaskExecution], object]) -> None:
        self._conversation = asyncio.get_running_loop().create_task(self._converse())
        self.task = asyncio.get_running_loop().create_task(self._follow())
        self.task.add_done_callback(lambda _: on_gone(self))

    @property
    def silent_s(self) -> float:
        """See `Execution.silent_s`. A task that waits for its worker is not silent, it has not begun."""
        heard_at = self._heard_at
        return 0.0 if self._over or heard_at is None else time.monotonic() - heard_at

    def cancel(self, member: int) -> None:
        """See `Execution.cancel`."""
        self._later(lambda: self._requests.put_nowait(cancel_request(member)))

    def hand_back(self) -> None:
        """See `Execution.hand_back`."""
        self._later(lambda: self._requests.put_nowait(hand_back_request()))

    def kill(self) -> None:
        """See `Execution.kill`. The thread that trains belongs to the cluster: it is asked, and not waited for."""
        self._later(self._end)

    def abandon(self) -> None:
        """End it from the executor's thread, without waiting for the cluster."""
        self._abandoned.set()
        self._end()

    def _end(self) -> None:
        self._conversation.cancel()

    async def _follow(self) -> None:
        outcome = Outcome.LOST
        try:
            outcome = await self._conversation
        except asyncio.CancelledError:
            logger.debug("%s is given up", self._name)
        except Exception as error:  # whatever a connection breaks with
            logger.warning("the line to %s is broken: %r", self._name, error)
            self._on_break()
        self._over = True
        self.lingers = self._heard_at is not None and not self._future.done()
        self._listener.on_end(outcome)
        await self._tidy_up()

    async def _converse(self) -> Outcome:
        """Hand the work over and pass on what is said of it, until the task is over."""
        from distributed import Queue  # noqa: PLC0415

        self._messages = Queue(messages_queue(self._name), client=self._client, maxsize=MAX_BATCHES)
        self._asked = Queue(requests_queue(self._name), client=self._client)
        # Awaiting a queue itself would create it, and count its user, a second time.
        await asyncio.gather(self._messages._started, self._asked._started)
        await self._asked.put(self._work)
        self._work = b""
        self._future = self._client.submit(
            train_task, self._name, __version__, key=f"train-{self._name}", pure=False, retries=0
        )
        end = asyncio.create_task(self._see_the_end())
        asking = asyncio.create_task(self._pass_requests_on())
        try:
            while (batch := await self._messages.get()) != _OVER:
                self._heard_at = time.monotonic()
                for message in batch:
                    self._listener.on_message(decode_message(message))
            return await end
        finally:
            end.cancel()
            asking.cancel()

    async def _see_the_end(self) -> Outcome:
        """Watch the task itself, for it cannot say that it died, and put its end behind its last message."""
        from distributed import KilledWorker  # noqa: PLC0415

        try:
            outcome = Outcome.RETURNED if await self._future else Outcome.LOST
        except KilledWorker:
            outcome = Outcome.LOST
        except Exception as error:
            outcome = Outcome.CRASHED if self._future.status == "error" else Outcome.LOST
            logger.error("%s ended with an error", self._name, exc_info=error)
        await self._messages.put(_OVER)
        return outcome

    async def _pass_requests_on(self) -> None:
        while True:
            await self._asked.put(await self._requests.get())

    async def _tidy_up(self) -> None:
        """Leave nothing in the scheduler. A task that was given up is asked to stop; its thread is not free before."""
        if self._messages is None:
            return
        try:
            if self._future is not None and not self._future.done():
                await asyncio.wait_for(self._asked.put(hand_back_request()), _PATIENCE_S)
                if self.lingers:
                    await self._see_the_thread_free()
                if not self._future.done():
                    await asyncio.wait_for(self._future.cancel(), _PATIENCE_S)
            await asyncio.wait_for(self._messages.get(batch=True), _PATIENCE_S)
        except Exception as error:  # it is gone, and all this with it
            logger.debug("nothing to tidy up after %s: %r", self._name, error)
        finally:
            for queue in (self._messages, self._asked) * 2:  # for a worker, too, that died with them in its hands
                queue.close()
            self._future = None  # the scheduler keeps its result for as long as somebody refers to it

    async def _see_the_thread_free(self) -> None:
        waiting = [asyncio.create_task(act) for act in (self._future.exception(), self._abandoned.wait())]
        _, still_waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in still_waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
