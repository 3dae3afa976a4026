"""The routes, a file for each noun. Every endpoint parses, makes one call, and shapes the answer."""

from fastapi import APIRouter

from . import (
    audit,
    datasets,
    evaluation,
    events,
    explanation,
    inference_protocol,
    jobs,
    models,
    operations,
    pages,
    pictures,
    prediction,
    reports,
    snapshots,
    sweeps,
)

# Addresses are compared one by one, in this order.
ROUTERS: tuple[APIRouter, ...] = (
    prediction.router,
    inference_protocol.infer_router,
    jobs.router,
    events.router,
    pictures.router,
    snapshots.router,
    sweeps.router,
    reports.router,
    models.router,
    explanation.router,
    inference_protocol.router,
    evaluation.router,
    datasets.router,
    audit.router,
    operations.router,
    operations.probes,
    pages.router,
)
