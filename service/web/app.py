"""The application: routes, middleware, its OpenAPI document, and the service that it starts and stops."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Lock
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from service import __version__
from service.bootstrap import Service
from service.settings import Settings
from service.telemetry import tracing

from . import problems, routes
from .access_control import API_KEY, AccessControl, SecuredRoute, scopes_by_route
from .batches import PredictionBatches
from .events import EventHub
from .limits import ConcurrencyLimits
from .middleware import Guard, Methods, RequestContext
from .problems import Problem
from .routes.pages import PageFiles

_DESCRIPTION = """\
A glass-box training-and-inference service for handwritten digits: submit a training job, watch it learn, inspect
every weight, send an image and get the digit it shows.

Every error is [problem details](https://www.rfc-editor.org/rfc/rfc9457): `type` is stable and can be opened,
`errors` names each field and what it may be. Unknown fields and parameters are refused, numbers are strict.
Steps and epochs count from 0, times are UTC.
"""

_TAGS: list[dict[str, Any]] = [
    {"name": "jobs", "description": "Train a model, and watch it."},
    {"name": "pictures", "description": "What a job looks like, while it runs and after."},
    {"name": "snapshots", "description": "The weights of a job at its checks, and what they predict."},
    {"name": "sweeps", "description": "Train a grid of hyperparameters, and compare its members."},
    {"name": "reports", "description": "Every number and figure of the course report, in one call."},
    {"name": "models", "description": "Immutable versions, and aliases that move between them."},
    {"name": "prediction", "description": "Images in, digits out."},
    {"name": "collections", "description": "Labelled images that grow, and are frozen into data sets."},
    {"name": "datasets", "description": "What models are trained on."},
    {"name": "inference protocol", "description": "The Open Inference Protocol, version 2."},
    {"name": "operations", "description": "Health, metrics, the audit log and the table of hyperparameters."},
]

_REFERENCES = "#/components/schemas/{model}"

_COMPRESSED_BYTES = 10_000
_NOT_COMPRESSED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream", "image/*")
"""What is compressed already, or has an `ETag` of its bytes."""
_DRAWN_AT_ONCE = 2
"""Drawing keeps a core busy; more at once would only make everybody wait."""


def create_app(service: Service | None = None, settings: Settings | None = None) -> FastAPI:
    """Compose the application, by default that of the environment: ``uvicorn --factory service.web.app:create_app``.

    Whoever gives a service starts and stops it. Otherwise one is built of the settings, and lasts as long as the
    application.
    """
    settings = service.settings if service else settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        own = None if service else await run_sync(Service, settings)
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
        description=_DESCRIPTION,
        version=__version__,
        openapi_tags=_TAGS,
        openapi_url=None,  # a route like the others has it
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": tracing(), "metrics": False, "logs": False, "operation_spans": False},
        middleware=[
            Middleware(RequestContext),
            Middleware(Guard, bound=settings.host, allowed=settings.allowed_hosts),
            Middleware(Methods),
        ],
    )
    problems.install(app)
    app.router.route_class = SecuredRoute
    # Not by `include_router`, which looks every request up twice.
    app.router.routes.extend(routes.in_order())
    app.mount("/static", GZipMiddleware(PageFiles()), name="static")
    for route in app.routes:  # predictions, which are small, do without
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            route.app = GZipMiddleware(route.app, _COMPRESSED_BYTES, 1, exclude_content_types=_NOT_COMPRESSED)
    scopes_by_route(app.routes)  # raises if one states none
    _describe(app)
    if service:
        _attach(app, service)
    return app


def _attach(app: FastAPI, service: Service) -> None:
    app.state.service = service
    app.state.access_control = AccessControl(service.keys, service.audit_log, service.settings)
    app.state.event_hub = EventHub(service.jobs)
    app.state.batches = PredictionBatches(service)
    settings = service.settings
    app.state.limits = ConcurrencyLimits(
        max_body_bytes=settings.max_body_bytes, max_dataset_bytes=settings.max_dataset_bytes
    )
    app.state.drawing = CapacityLimiter(_DRAWN_AT_ONCE)


def _describe(app: FastAPI) -> None:
    """Add to the application's OpenAPI document what belongs to no single route. Any thread may ask for it."""
    collect, making = app.openapi, Lock()

    def openapi() -> dict[str, Any]:
        with making:
            return described(collect())

    def described(document: dict[str, Any]) -> dict[str, Any]:
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        if "securitySchemes" not in components:
            problem = Problem.model_json_schema(ref_template=_REFERENCES)
            schemas.update(problem.pop("$defs"))
            schemas["Problem"] = problem
            scheme = API_KEY.model.model_dump(mode="json", by_alias=True, exclude_none=True)
            components["securitySchemes"] = {API_KEY.scheme_name: scheme}
            operations = [operation for item in document["paths"].values() for operation in item.values()]
            for parameter in (each for operation in operations for each in operation.get("parameters", ())):
                _remove_null(parameter["schema"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _remove_null(schema: dict[str, Any]) -> None:
    """Document a parameter that may be left out as what it is otherwise: in an address nothing is null."""
    options = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    if len(options) == 1:
        schema.update(options[0])
    elif options:
        schema["anyOf"] = options
