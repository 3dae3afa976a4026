"""Head and body go out together, in order, and nothing stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from service.web.joined_writes import JoinedWrites

HEAD, BODY, MORE = b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 100, b"y" * 300_000
DEADLINE_S = 30


class Counting(JoinedWrites):
    """Counts the times that something is handed to the transport."""

    n_sent = 0

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(transport, loop)
        write, writelines = transport.write, transport.writelines

        class Counted:
            def __getattr__(_, name: str) -> object:
                return getattr(transport, name)

            def write(_, data: bytes) -> None:
                self.n_sent += 1
                write(data)

            def writelines(_, parts: tuple[bytes, bytes]) -> None:
                self.n_sent += 1
                writelines(parts)

        self._transport = Counted()  # type: ignore[assignment]


def sent_by(act: Callable[[Counting], None]) -> tuple[bytes, int]:
    """Let a server do something on a connection and close it; return what its client got, and in how many calls."""
    made: list[Counting] = []

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            made.append(Counting(transport, asyncio.get_running_loop()))
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
    ("parts", "n_calls"), [((HEAD, BODY), 1), ((HEAD, MORE), 1), ((HEAD,), 1), ((HEAD, BODY, HEAD, BODY), 2)]
)
@pytest.mark.parametrize("end", ["close", "write_eof"])
def test_two_writes_are_one_call(parts: tuple[bytes, ...], n_calls: int, end: str) -> None:
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
