"""HEAD and OPTIONS for every address, so that no route has to think of them."""

from __future__ import annotations

from fastapi.routing import iter_route_contexts
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def allowed_methods(scope: Scope) -> list[str]:
    """Return the methods that the address of a request allows; none if there is nothing there."""
    methods: set[str] = set()
    for route in iter_route_contexts(scope["app"].routes):
        if route.path_regex.match(scope["path"]):
            methods |= {"GET"} if isinstance(route.original_route, Mount) else route.methods or set()
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods | {"OPTIONS"}) if methods else []


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
                scope["route"] = as_get.get("route")  # for those around us
        else:
            await self._app(scope, receive, send)


def _without_body(send: Send) -> Send:
    ended = False

    async def send_start(message: Message) -> None:
        """Pass the start on and end the answer there: whoever streams then hears that nobody listens."""
        nonlocal ended
        if message["type"] == "http.response.start":
            await send(message)
        elif not ended:
            ended = True
            await send({"type": "http.response.body"})

    return send_start
