"""A connection by itself, on the event loop that serves."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import httpx
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from service.bootstrap import build
from service.settings import Settings
from service.web.app import create_app
from service.web.connection import Connection, Reception
from service.web.server import Server

DEADLINE_S = 30.0
ALB_IDLE_S = 60
"""After which a common balancer closes a connection that is not used."""
GET = b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_it_is_the_client_who_closes_what_is_not_used(tmp_path: Path) -> None:
    """Else a request may be sent just when the server closes."""
    with build(Settings(data_dir=tmp_path, workers=1)) as service:
        server = Server(create_app(service), lambda: None)
    assert server.config.timeout_keep_alive > max(ALB_IDLE_S, httpx.Limits().keepalive_expiry or 0)


def test_a_client_that_leaves_is_missed_by_the_request_that_is_answered() -> None:
    """Also while others of its requests wait behind that one: a stream would go on for ever."""
    heard: list[str] = []

    async def leave() -> None:
        begun, over = asyncio.Event(), asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/1":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body"})
                return
            begun.set()
            while (message := await receive())["type"] != "http.disconnect":
                pass
            heard.append(f"{scope['path']} {message['type']}")
            over.set()

        config = uvicorn.Config(app, ws="none")
        config.load()
        make = partial(
            Connection,
            config=config,
            server_state=ServerState(),
            app_state={},
            reception=Reception(header_timeout_s=DEADLINE_S, max_connections=10),
        )
        async with await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"".join(GET % number for number in (1, 2, 3, 4)))
            async with asyncio.timeout(DEADLINE_S):
                await begun.wait()
                writer.close()
                await over.wait()

    asyncio.run(leave())
    assert heard == ["/2 http.disconnect"]
