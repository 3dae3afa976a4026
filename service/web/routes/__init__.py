"""The routes, a file for each noun. Every endpoint parses, makes one call, and shapes the answer."""

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from . import (
    collections,
    datasets,
    evaluation,
    inference_protocol,
    jobs,
    models,
    operations,
    pages,
    prediction,
    reading,
    reports,
    snapshots,
    sweeps,
)

_MOST_USED = ("/predict", "/infer")
ROUTERS: tuple[APIRouter, ...] = (
    prediction.router,
    reading.router,
    inference_protocol.router,
    jobs.router,
    jobs.pictures,
    snapshots.router,
    sweeps.router,
    reports.router,
    models.router,
    evaluation.router,
    datasets.router,
    collections.router,
    operations.router,
    operations.probes,
    pages.router,
)


def in_order() -> list[BaseRoute]:
    """Return all routes: a request's address is compared with one after the other, so predictions come first."""
    all_ = [route for router in ROUTERS for route in router.routes]
    return sorted(all_, key=lambda route: not (isinstance(route, APIRoute) and route.path.endswith(_MOST_USED)))
