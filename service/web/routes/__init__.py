"""The routes, a file for each noun. Every endpoint parses, makes one call, and shapes the answer."""

from fastapi import APIRouter

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

# Addresses are compared one by one, in this order.
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
