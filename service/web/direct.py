"""The short way to a prediction: for endpoints that do less than the framework would do around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from typing import Any

from fastapi.dependencies.utils import get_flat_params
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import ServiceError

from .errors import answer_to
from .routing import Route

_TEXTS = (str, str | None)


class DirectRoute(Route):
    """A route whose endpoint is called by itself, for those that are called thousands of times a second.

    FastAPI reads the declaration and documents it, as of any other. But where an endpoint asks for nothing more than
    the request, the service, and texts of the address, there is nothing to validate, and the way through FastAPI's
    dependencies takes longer than a prediction.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        others = {field.alias for field in get_flat_params(self.dependant) if field.field_info.annotation not in _TEXTS}
        if others or self._takes_json or not iscoroutinefunction(endpoint):
            raise TypeError(f"{endpoint.__name__} asks for more than can be given directly")
        self.app = self._answer

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do as `handle` for a request that matches, its method too."""
        await self._answer(scope, receive, await scope["app"].state.gate.admit(scope, self.path_format, send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = self.bounded(scope, receive)
        texts = scope["path_params"] | dict(request.query_params) if scope["query_string"] else scope["path_params"]
        try:
            response: Response = await self.endpoint(request=request, service=scope["app"].state.service, **texts)
            await response(scope, receive, send)
        finally:
            request.let_go()


class DirectRoutes:
    """Leads straight to direct routes whose address has no variable part, past the layers of the framework.

    What those would do for them is little: compare the address with one pattern after the other, keep a stack of
    what is to be closed, and answer when something goes wrong, which is done here.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, DirectRoute) and not route.param_convertors
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None or "fastapi.telemetry" in scope:  # what is traced shall show every layer
            await self._app(scope, receive, send)
            return
        scope.update(route=route, endpoint=route.endpoint, path_params={})
        try:
            await route.serve(scope, receive, send)
        except (ServiceError, HTTPException) as error:
            answer = await answer_to(Request(scope), error)
            await answer(scope, receive, send)
