"""Sweeps: a grid of jobs submitted as one, ranked, cancelled and pictured together."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.jobs import SweepRequest, sweep_pictures
from service.jobs.drawing import ImageFormat
from service.jobs.sweep_pictures import MAX_ROWS
from service.web import answers, requests
from service.web.answers import Metric
from service.web.dependencies import IdempotencyKey, ServiceDep, SweepId
from service.web.pictures import PNG_ANSWER
from service.web.routing import noun_router
from service.web.weights_style import WeightsGridStyleDep

from .pictures import CHART_ANSWER, SizeDep, drawing_answer

router = noun_router("sweeps")

RankBy = Annotated[Metric, Query(description="What members are compared by, each at its best check.")]


@router.post("/sweeps", status_code=202, responses={202: {"model": answers.Sweep}})
def submit_sweep(body: requests.SweepRequest, key: IdempotencyKey, service: ServiceDep) -> Response:
    """Submit a grid of training jobs. All of them are durable before this answers.

    Members are all combinations of the values. Those that share data, batch size and batch order are trained
    together, as one stack.
    """
    request = SweepRequest(
        base=body.base.model_dump(exclude_unset=True),
        grid=body.grid.model_dump(exclude_unset=True),
        dataset=body.dataset,
        name=body.name,
    )
    sweep = service.sweeps.submit(request, idempotency_key=key)
    return JSONResponse(sweep.to_dict(), 202, {"Location": f"/api/v1/sweeps/{sweep.id}"})


@router.get("/sweeps", responses={200: {"model": answers.SweepList}})
def list_sweeps(
    service: ServiceDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[str | None, Query(description="The `next` of an earlier page.")] = None,
) -> Response:
    """List sweeps, the newest first, without their members."""
    sweeps, following = service.sweeps.page(limit=limit, before=before)
    return JSONResponse({"sweeps": [sweep.to_dict() for sweep in sweeps], "next": following})


@router.get("/sweeps/{sweep_id}", responses={200: {"model": answers.Sweep}})
def get_sweep(sweep_id: SweepId, service: ServiceDep, rank_by: RankBy = "validation_loss") -> Response:
    """Return a sweep as it is now, its members ranked and the best one named."""
    return JSONResponse(service.sweeps.get(sweep_id).to_dict(rank_by))


@router.post("/sweeps/{sweep_id}/cancel", status_code=202, responses={202: {"model": answers.Sweep}})
def cancel_sweep(sweep_id: SweepId, service: ServiceDep) -> Response:
    """Ask all members that are not over to stop, as each can be by its own job. Asking again changes nothing."""
    return JSONResponse(service.sweeps.cancel(sweep_id).to_dict(), 202)


@router.get("/sweeps/{sweep_id}/accuracy.{image_format}", response_class=Response, responses=CHART_ANSWER)
async def sweep_accuracy(
    sweep_id: SweepId, image_format: ImageFormat, size: SizeDep, request: Request, service: ServiceDep
) -> Response:
    """Draw the validation accuracy of each member over steps; of repeated seeds their mean, in a band."""
    prepare = partial(sweep_pictures.accuracy, service.sweeps, sweep_id, size=size, image_format=image_format)
    return await drawing_answer(request, prepare, image_format)


@router.get("/sweeps/{sweep_id}/norms.{image_format}", response_class=Response, responses=CHART_ANSWER)
async def sweep_norms(
    *,
    sweep_id: SweepId,
    image_format: ImageFormat,
    scale: Annotated[Literal["log", "linear"], Query(description="Of the axis of the penalty.")] = "log",
    size: SizeDep,
    request: Request,
    service: ServiceDep,
) -> Response:
    """Draw the norm of the last weights over the L2 penalty, which must be in the grid."""
    chart = partial(sweep_pictures.norms, scale=scale, size=size, image_format=image_format)
    return await drawing_answer(request, partial(chart, service.sweeps, sweep_id), image_format)


@router.get("/sweeps/{sweep_id}/heatmap.{image_format}", response_class=Response, responses=CHART_ANSWER)
async def sweep_heatmap(
    *,
    sweep_id: SweepId,
    image_format: ImageFormat,
    metric: RankBy = "validation_loss",
    size: SizeDep,
    request: Request,
    service: ServiceDep,
) -> Response:
    """Draw a metric for each pair of values of the two hyperparameters that vary, its mean if seeds do too."""
    chart = partial(sweep_pictures.heatmap, metric=metric, size=size, image_format=image_format)
    return await drawing_answer(request, partial(chart, service.sweeps, sweep_id), image_format)


@router.get("/sweeps/{sweep_id}/weights.png", response_class=Response, responses=PNG_ANSWER)
async def sweep_weights(
    *,
    sweep_id: SweepId,
    style: WeightsGridStyleDep,
    weights: Annotated[
        Literal["best", "last"], Query(description="Of the lowest validation loss so far, or the newest.")
    ] = "best",
    rank_by: RankBy = "validation_loss",
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS, description="Only so many members, the best.")] = MAX_ROWS,
    request: Request,
    service: ServiceDep,
) -> Response:
    """Draw weights: a row for each member in the order of the grid, a column for each class."""
    chosen = {"which": weights, "rank_by": rank_by, "limit": limit, **style.arguments}
    return await drawing_answer(request, partial(sweep_pictures.weights, service.sweeps, sweep_id, **chosen))
