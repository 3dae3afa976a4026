"""Training on the workers of a Dask cluster, which need this package but neither database nor model store."""

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
from service.worker.channel import pack_request
from service.worker.cluster import MAX_BATCHES, messages_queue, requests_queue, train_task

from .interface import Listener, Outcome

logger = logging.getLogger(__name__)

_CONNECT_S = 10.0
_ANSWER_S = 30.0
_POLL_S = 1.0
_CLEANUP_S = 2.0
_END = b""
"""Marks the end of a task's messages, which come in lists."""


def check_scheduler(address: str | None, *, insecure: bool = False) -> str:
    """Return the address of a scheduler, if it may be used.

    Raises `InvalidField` if it is not an address, or one to which others on the network could send code; `ExtraMissing`
    if Dask is not installed.
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
        from distributed import Security  # noqa: PLC0415 - an extra
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
    except OSError:  # a file is missing, unreadable, or in another format (ssl.SSLError)
        return False


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class DaskExecutor:
    """A slot for each present thread of the cluster's workers; none while the scheduler cannot be reached.

    A thread with an event loop holds the connection. When the scheduler dies, everything in execution is lost, and a
    connection is tried every second until it, or another at its address, answers. Connections to tls:// use Dask's own
    configuration (``DASK_DISTRIBUTED__COMM__TLS__...``).
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
        """The present number of slots; a killed stack occupies its thread until it ends."""
        return max(0, self._n_threads - sum(execution.lingers for execution in list(self._running)))

    def prepare(self) -> None:
        """Raise `ConnectionError` if the scheduler cannot be reached."""
        if self._client is None or not self._n_threads:
            raise ConnectionError("the Dask scheduler cannot be reached")

    def submit(self, spec: StackSpec, listener: Listener) -> _DaskExecution:
        """Send a stack to the cluster."""
        execution = _DaskExecution(self._client, spec, listener, self._call_soon, self._suspend)
        self._running.add(execution)
        self._call_soon(lambda: execution.start(self._running.discard))
        return execution

    def close(self) -> None:
        """Request what still runs to stop, and disconnect."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call_soon(self, callback: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # closed: nothing is in execution
            self._loop.call_soon_threadsafe(callback)

    def _suspend(self) -> None:
        """Offer no slots until the cluster has answered again: another stack would be lost too."""
        self._n_threads = 0

    async def _keep_connected(self) -> None:
        from distributed import Client  # noqa: PLC0415

        while True:
            client = Client(self._address, asynchronous=True, set_as_default=False, timeout=_CONNECT_S, name="inkling")
            try:
                await client
                logger.info("connected to the Dask scheduler at %s", self._address)
                await self._poll(client)
            except Exception as error:  # a connection may break with any error; the next one may work
                logger.warning("no Dask scheduler answers at %s: %s; retrying", self._address, error)
            finally:
                await client.close()
            await asyncio.sleep(_POLL_S)

    async def _poll(self, client: Any) -> None:
        """Count the threads of the cluster until the connection breaks, or this task is cancelled."""
        self._client = client
        try:
            while True:
                threads = await asyncio.wait_for(client.nthreads(), _ANSWER_S)
                self._n_threads = sum(threads.values())
                await asyncio.sleep(_POLL_S)
        finally:
            self._client, self._n_threads = None, 0
            for execution in list(self._running):
                execution.abandon()
            await asyncio.gather(*(execution.task for execution in list(self._running)), return_exceptions=True)

    async def _close(self) -> None:
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task()}
        await asyncio.wait(tasks, timeout=_CLEANUP_S) if tasks else None


class _DaskExecution:
    """One stack as a task of the cluster. Its coroutines run in the executor's thread."""

    task: asyncio.Task[None]
    _exchange: asyncio.Task[Outcome]

    def __init__(
        self,
        client: Any,
        spec: StackSpec,
        listener: Listener,
        call_soon: Callable[[Callable[[], object]], None],
        on_break: Callable[[], None],
    ):
        self._client = client
        self._on_break = on_break
        self._work = pack_request(train=spec.to_bytes())
        # Unique: late messages of an abandoned attempt go to a queue that is not read.
        self._name = f"{spec.members[0].job_id}-{spec.members[0].fence}-{uuid.uuid4().hex[:8]}"
        self._listener = listener
        self._call_soon = call_soon
        self._requests: asyncio.Queue[bytes] = asyncio.Queue()
        self._future: Any = None
        self._message_queue: Any = None
        self._request_queue: Any = None
        self._abandoned = asyncio.Event()
        self._received_at: float | None = None
        self._over = False
        self.lingers = False

    def start(self, on_over: Callable[[_DaskExecution], object]) -> None:
        self._exchange = asyncio.get_running_loop().create_task(self._send_and_receive())
        self.task = asyncio.get_running_loop().create_task(self._run())
        self.task.add_done_callback(lambda _: on_over(self))

    @property
    def silent_s(self) -> float:
        """It is 0 for a task that waits for a worker."""
        received_at = self._received_at
        return 0.0 if self._over or received_at is None else time.monotonic() - received_at

    def cancel(self, member: int) -> None:
        self._call_soon(lambda: self._requests.put_nowait(pack_request(cancel=member)))

    def hand_back(self) -> None:
        self._call_soon(lambda: self._requests.put_nowait(pack_request(hand_back=True)))

    def kill(self) -> None:
        """The thread belongs to the cluster: it is requested to stop, and not waited for."""
        self._call_soon(self._give_up)

    def abandon(self) -> None:
        """End it from the executor's thread, without waiting for the cluster."""
        self._abandoned.set()
        self._give_up()

    def _give_up(self) -> None:
        self._exchange.cancel()

    async def _run(self) -> None:
        outcome = Outcome.LOST
        try:
            outcome = await self._exchange
        except asyncio.CancelledError:
            logger.debug("%s is abandoned", self._name)
        except Exception as error:  # a connection may break with any error
            logger.warning("the connection to %s is broken: %r", self._name, error)
            self._on_break()
        self._over = True
        self.lingers = self._received_at is not None and not self._future.done()
        self._listener.on_end(outcome)
        await self._clean_up()

    async def _send_and_receive(self) -> Outcome:
        """Send the stack and forward its messages, until the task is over."""
        from distributed import Queue  # noqa: PLC0415

        self._message_queue = Queue(messages_queue(self._name), client=self._client, maxsize=MAX_BATCHES)
        self._request_queue = Queue(requests_queue(self._name), client=self._client)
        # Private, since awaiting a queue itself would create it, and count its user, a second time.
        await asyncio.gather(self._message_queue._started, self._request_queue._started)
        await self._request_queue.put(self._work)
        self._work = b""
        self._future = self._client.submit(
            train_task, self._name, __version__, key=f"train-{self._name}", pure=False, retries=0
        )
        end = asyncio.create_task(self._wait_for_end())
        forwarding = asyncio.create_task(self._forward_requests())
        try:
            while (batch := await self._message_queue.get()) != _END:
                self._received_at = time.monotonic()
                for message in batch:
                    self._listener.on_message(decode_message(message))
            return await end
        finally:
            end.cancel()
            forwarding.cancel()

    async def _wait_for_end(self) -> Outcome:
        """Wait for the task itself, which cannot report its own death, and put a mark after its last message."""
        from distributed import KilledWorker  # noqa: PLC0415

        try:
            outcome = Outcome.RETURNED if await self._future else Outcome.LOST
        except KilledWorker:
            outcome = Outcome.LOST
        except Exception as error:
            outcome = Outcome.CRASHED if self._future.status == "error" else Outcome.LOST
            logger.error("%s ended with an error", self._name, exc_info=error)
        await self._message_queue.put(_END)
        return outcome

    async def _forward_requests(self) -> None:
        while True:
            await self._request_queue.put(await self._requests.get())

    async def _clean_up(self) -> None:
        """Leave nothing in the scheduler. An abandoned task is requested to stop; its thread is busy until then."""
        if self._message_queue is None:
            return
        try:
            if self._future is not None and not self._future.done():
                await asyncio.wait_for(self._request_queue.put(pack_request(hand_back=True)), _CLEANUP_S)
                if self.lingers:
                    await self._wait_for_thread()
                if not self._future.done():
                    await asyncio.wait_for(self._future.cancel(), _CLEANUP_S)
            await asyncio.wait_for(self._message_queue.get(batch=True), _CLEANUP_S)
        except Exception as error:  # the scheduler has died, and everything in it
            logger.debug("nothing to clean up after %s: %r", self._name, error)
        finally:
            for queue in (
                self._message_queue,
                self._request_queue,
            ) * 2:  # twice: also for a worker that died without closing them
                queue.close()
            self._future = None  # the scheduler keeps its result as long as it is referenced

    async def _wait_for_thread(self) -> None:
        waiting = [asyncio.create_task(wait) for wait in (self._future.exception(), self._abandoned.wait())]
        _, still_waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in still_waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
