"""Which scope each route needs, as one table. What has no row is open to nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Mount

from service.access import Scope

PUBLIC = None
"""In place of a scope: open to everybody."""

READ, PREDICT, TRAIN, ADMIN = Scope

ACCESS: dict[str, Scope | None] = {
    # The page and the documentation are the same for everybody, and hold nothing of what is stored here.
    "GET /": PUBLIC,
    "GET /docs": PUBLIC,
    "GET /openapi.json": PUBLIC,
    "GET /favicon.ico": PUBLIC,
    "GET /problems/{code}": PUBLIC,
    # Who watches over processes has no key, and learns yes or no.
    "GET /livez": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /v2/health/live": PUBLIC,
    "GET /v2/health/ready": PUBLIC,
    "GET /metrics": READ,
    "GET /api/v1/jobs": READ,
    "POST /api/v1/jobs": TRAIN,
    "GET /api/v1/jobs/{job_id}": READ,
    "DELETE /api/v1/jobs/{job_id}": TRAIN,
    "POST /api/v1/jobs/{job_id}/cancel": TRAIN,
    "POST /api/v1/jobs/{job_id}/resume": TRAIN,
    "POST /api/v1/jobs/{job_id}/verify": TRAIN,
    "GET /api/v1/jobs/{job_id}/events": READ,
    "GET /api/v1/jobs/{job_id}/metrics": READ,
    "GET /api/v1/jobs/{job_id}/loss.{image_format}": READ,
    "GET /api/v1/jobs/{job_id}/accuracy.{image_format}": READ,
    "GET /api/v1/jobs/{job_id}/weights.png": READ,
    "GET /api/v1/jobs/{job_id}/snapshots": READ,
    "GET /api/v1/jobs/{job_id}/snapshots/weights.f32": READ,
    "GET /api/v1/jobs/{job_id}/snapshots/{step}/weights.png": READ,
    "GET /api/v1/jobs/{job_id}/snapshots/{step}/confusion": READ,
    "GET /api/v1/jobs/{job_id}/snapshots/{step}/confusion.{image_format}": READ,
    "GET /api/v1/sweeps": READ,
    "POST /api/v1/sweeps": TRAIN,
    "GET /api/v1/sweeps/{sweep_id}": READ,
    "POST /api/v1/sweeps/{sweep_id}/cancel": TRAIN,
    "GET /api/v1/sweeps/{sweep_id}/accuracy.{image_format}": READ,
    "GET /api/v1/sweeps/{sweep_id}/norms.{image_format}": READ,
    "GET /api/v1/sweeps/{sweep_id}/heatmap.{image_format}": READ,
    "GET /api/v1/sweeps/{sweep_id}/weights.png": READ,
    "GET /api/v1/reports": READ,
    "POST /api/v1/reports": TRAIN,
    "GET /api/v1/reports/{report_id}": READ,
    "POST /api/v1/reports/{report_id}/cancel": TRAIN,
    "GET /api/v1/reports/{report_id}/report.{form}": READ,
    "GET /api/v1/reports/{report_id}/figures/{name}.{image_format}": READ,
    "GET /api/v1/models": READ,
    "GET /api/v1/models/{name}": READ,
    "POST /api/v1/models/{name}/versions": TRAIN,
    "GET /api/v1/models/{name}/versions/{version}": READ,
    "GET /api/v1/models/{name}/versions/{version}/weights.npz": READ,
    "GET /api/v1/models/{name}/versions/{version}/weights.onnx": READ,
    "GET /api/v1/models/{name}/versions/{version}/weights.png": READ,
    "GET /api/v1/models/{name}/versions/{version}/evaluation": READ,
    "GET /api/v1/models/{name}/versions/{version}/evaluation/images": READ,
    "GET /api/v1/models/{name}/versions/{version}/confusion.{image_format}": READ,
    "GET /api/v1/compare": READ,
    # An alias decides which version answers everybody.
    "PUT /api/v1/models/{name}/aliases/{alias}": ADMIN,
    "DELETE /api/v1/models/{name}/aliases/{alias}": ADMIN,
    "GET /api/v1/models/{name}/aliases/{alias}/history": READ,
    "POST /api/v1/predict": PREDICT,
    "POST /api/v1/models/{name}/predict": PREDICT,
    "POST /api/v1/models/{name}/versions/{version}/predict": PREDICT,
    "POST /api/v1/preprocess": PREDICT,
    "POST /api/v1/explain": PREDICT,
    "POST /api/v1/models/{name}/explain": PREDICT,
    "POST /api/v1/models/{name}/versions/{version}/explain": PREDICT,
    "POST /api/v1/explain.png": PREDICT,
    "POST /api/v1/models/{name}/explain.png": PREDICT,
    "POST /api/v1/models/{name}/versions/{version}/explain.png": PREDICT,
    # Clients of the Open Inference Protocol look at a model before they ask it.
    "GET /v2": PREDICT,
    "GET /v2/models/stats": PREDICT,
    "GET /v2/models/{name}": PREDICT,
    "GET /v2/models/{name}/config": PREDICT,
    "GET /v2/models/{name}/ready": PREDICT,
    "GET /v2/models/{name}/stats": PREDICT,
    "GET /v2/models/{name}/versions/{version}": PREDICT,
    "GET /v2/models/{name}/versions/{version}/config": PREDICT,
    "GET /v2/models/{name}/versions/{version}/ready": PREDICT,
    "GET /v2/models/{name}/versions/{version}/stats": PREDICT,
    "POST /v2/models/{name}/infer": PREDICT,
    "POST /v2/models/{name}/versions/{version}/infer": PREDICT,
    "POST /v2/repository/index": PREDICT,
    "GET /api/v1/datasets": READ,
    "POST /api/v1/datasets": TRAIN,
    "GET /api/v1/datasets/{name}": READ,
    "GET /api/v1/datasets/{name}/images": READ,
    "GET /api/v1/datasets/{name}/images/{index}.png": READ,
    "GET /api/v1/datasets/{name}/contact-sheet.png": READ,
    "GET /api/v1/hyperparameters": READ,
    "GET /api/v1/audit": ADMIN,
}
"""``METHOD /path/{as}/declared`` to the scope that it needs. HEAD is GET; OPTIONS says only what is documented."""

PUBLIC_MOUNTS = {"/static"}
"""Folders of files that are open to everybody."""


def unguarded(routes: Iterable[BaseRoute]) -> Iterator[str]:
    """Yield the routes that the table does not cover."""
    for context in iter_route_contexts(list(routes)):
        if isinstance(context.original_route, Mount):
            yield from {context.original_route.path} - PUBLIC_MOUNTS
        else:
            yield from {f"{method} {context.path}" for method in context.methods or {"ANY"}} - ACCESS.keys()
