"""What is ready at one time goes out together, in order, and nothing stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from service.web.outbox import MAX_HELD_BYTES, JoinedWrites, Outbox

HEAD, BODY, MORE = b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 100, b"y" * 300_000
DEADLINE_S = 30


class Counting(JoinedWrites):
    """Counts the times that something is handed to the transport."""

    n_sent = 0

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport, Outbox())
        writelines = transport.writelines

        class Counted:
            def __getattr__(_, name: str) -> object:
                return getattr(transport, name)

            def writelines(_, parts: list[bytes]) -> None:
                self.n_sent += 1
                writelines(parts)

        self._transport = Counted()  # type: ignore[assignment]


def sent_by(act: Callable[[Counting], None]) -> tuple[bytes, int]:
    """Let a server do something on a connection and close it; return what its client got, and in how many calls."""
    made: list[Counting] = []

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            made.append(Counting(transport))
            act(made[0])

    async def run() -> bytes:
        async with await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            async with asyncio.timeout(DEADLINE_S):
                received = await reader.read()
            writer.close()
            await writer.wait_closed()
            return received

    received = asyncio.run(run())
    return received, made[0].n_sent


@pytest.mark.parametrize(
    ("parts", "n_calls"),
    [((HEAD, BODY), 1), ((HEAD, MORE), 1), ((HEAD,), 1), ((HEAD, BODY, HEAD, BODY), 1), ((HEAD, MORE, BODY), 2)],
)
@pytest.mark.parametrize("end", ["close", "write_eof"])
def test_what_is_written_in_one_round_is_one_call(parts: tuple[bytes, ...], n_calls: int, end: str) -> None:
    def act(transport: Counting) -> None:
        for part in parts:
            transport.write(part)
        getattr(transport, end)()
        if end == "write_eof":
            asyncio.get_running_loop().call_soon(transport.close)

    assert sent_by(act) == (b"".join(parts), n_calls)


def test_what_stands_alone_goes_out_by_itself() -> None:
    """As an event of a stream does."""

    def act(transport: Counting) -> None:
        transport.write(HEAD)
        assert transport.get_write_buffer_size() == len(HEAD)
        asyncio.get_running_loop().call_later(0.01, transport.write, BODY)
        asyncio.get_running_loop().call_later(0.02, transport.close)

    assert sent_by(act) == (HEAD + BODY, 2)


class Recording:
    """A transport that notes what it is given; `JoinedWrites` needs no more of one."""

    def __init__(self, name: str, sent: list[tuple[str, bytes]]) -> None:
        self._name, self._sent = name, sent

    def writelines(self, parts: list[bytes]) -> None:
        self._sent.append((self._name, b"".join(parts)))


def test_answers_of_several_connections_go_out_in_turn_after_the_round() -> None:
    sent: list[tuple[str, bytes]] = []

    async def run() -> None:
        outbox = Outbox()
        first, other = (JoinedWrites(Recording(name, sent), outbox) for name in ("first", "other"))  # type: ignore[arg-type]
        for writes in (first, other, first):
            writes.write(HEAD)
        assert sent == []
        await asyncio.sleep(0)
        assert sent == [("first", HEAD + HEAD), ("other", HEAD)]
        other.write(b"z" * (MAX_HELD_BYTES + 1))  # of so much nothing is held back
        assert len(sent) == 3

    asyncio.run(run())


def test_nobody_waits_long_for_others() -> None:
    """What takes time in a round holds up only itself and what came half a millisecond before it."""
    sent: list[tuple[str, bytes]] = []
    now_s = 0.0

    async def run() -> None:
        nonlocal now_s
        outbox = Outbox(lambda: now_s)
        writes = [JoinedWrites(Recording(str(number), sent), outbox) for number in range(3)]  # type: ignore[arg-type]
        writes[0].write(HEAD)
        now_s = 0.0004
        writes[1].write(HEAD)
        assert sent == []
        now_s = 0.0006
        writes[2].write(HEAD)
        assert [name for name, _ in sent] == ["0", "1"]
        await asyncio.sleep(0)
        assert [name for name, _ in sent] == ["0", "1", "2"]

    asyncio.run(run())


def test_a_connection_that_is_lost_silences_no_other() -> None:
    """Uvloop refuses to write to a transport that is closed."""
    sent: list[tuple[str, bytes]] = []

    class Lost(Recording):
        def writelines(self, parts: list[bytes]) -> None:
            raise RuntimeError("the handler is closed")

    async def run() -> None:
        outbox = Outbox()
        lost, other = (JoinedWrites(transport, outbox) for transport in (Lost("", sent), Recording("other", sent)))  # type: ignore[arg-type]
        for _ in range(2):
            lost.write(HEAD)
            other.write(HEAD)
            await asyncio.sleep(0)

    asyncio.run(run())
    assert sent == [("other", HEAD)] * 2
