"""The application: routes, middleware, and the service that it starts and stops."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from service import __version__
from service.bootstrap import Service, build
from service.settings import Settings
from service.telemetry import tracing

from . import problems, routes
from .access_control import AccessControl, SecuredRoute, scopes_by_route
from .events import EventHub
from .limits import ConcurrencyLimits
from .middleware import HostGuard, Methods, OriginGuard
from .openapi import DESCRIPTION, TAGS, describe
from .request_context import RequestContext
from .routes.pages import PageFiles

_DRAWN_AT_ONCE = 2
"""Drawing keeps a core busy; more at once would only make everybody wait."""


def create_app(service: Service | None = None, settings: Settings | None = None) -> FastAPI:
    """Compose the application.

    With no arguments it is an application factory: ``uvicorn --factory service.web.app:create_app``.

    Parameters
    ----------
    service : what answers; whoever gives it starts and stops it. When none is given, one is built from the
        settings, and lives as long as the application.
    settings : the environment's by default; those of the service, if one is given.
    """
    settings = service.settings if service else settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        own = None if service else await run_sync(build, settings)
        if own:
            await run_sync(own.require_keys_if_exposed)
            await run_sync(own.start)
            _attach(app, own)
        try:
            yield
        finally:
            app.state.event_hub.close()
            if own:
                await run_sync(own.stop)

    app = FastAPI(
        title="Inkling",
        description=DESCRIPTION,
        version=__version__,
        openapi_tags=TAGS,
        openapi_url=None,  # a route like the others has it
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": tracing(), "metrics": False, "logs": False, "operation_spans": False},
        middleware=[
            Middleware(RequestContext),
            Middleware(HostGuard, bound=settings.host, allowed=settings.allowed_hosts),
            Middleware(OriginGuard),
            Middleware(Methods),
        ],
    )
    problems.install(app)
    app.router.route_class = SecuredRoute
    # Not by `include_router`, which looks every request up twice.
    app.router.routes.extend(route for router in routes.ROUTERS for route in router.routes)
    app.mount("/static", GZipMiddleware(PageFiles()), name="static")
    scopes_by_route(app.routes)  # raises if one states none
    describe(app)
    if service:
        _attach(app, service)
    return app


def _attach(app: FastAPI, service: Service) -> None:
    app.state.service = service
    app.state.access_control = AccessControl(service.keys, service.audit_log, service.settings)
    app.state.event_hub = EventHub(service.jobs)
    settings = service.settings
    app.state.limits = ConcurrencyLimits(
        max_body_bytes=settings.max_body_bytes, max_dataset_bytes=settings.max_dataset_bytes
    )
    app.state.drawing = CapacityLimiter(_DRAWN_AT_ONCE)
