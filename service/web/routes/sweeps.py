"""Sweeps: a grid of jobs submitted as one, ranked, cancelled and pictured together."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field
from starlette.responses import Response

from service.charts import Drawing
from service.core import METRICS
from service.jobs import (
    MAX_ROWS,
    ImageFormat,
    RankedSweep,
    SweepRequest,
    SweepSummary,
    prepare_sweep_accuracy,
    prepare_sweep_heatmap,
    prepare_sweep_norms,
    prepare_sweep_weights,
)
from service.web import requests
from service.web.access_control import READ, TRAIN
from service.web.pictures import CHART_ANSWER, PNG_ANSWER, BestOrLast, ChartParameters, WeightsGridParameters
from service.web.requests import GroupsPage, IdempotencyKey, ServiceDep, SweepId
from service.web.routing import JsonAnswer, NextPage, answer, noun_router

router = noun_router("sweeps")

Metric: TypeAlias = Literal[tuple(METRICS)]  # type: ignore[valid-type]  # made of the table

RankBy = Annotated[Metric, Field(description="What members are compared by, each at its best check.")]


SweepList = answer("SweepList", "Sweeps, the newest first.", sweeps=list[SweepSummary], next=NextPage)


class NormsParameters(ChartParameters):
    """How norms are drawn."""

    scale: Literal["log", "linear"] = Field("log", description="Of the axis of the penalty.")


class HeatmapParameters(ChartParameters):
    """What a heat map shows."""

    metric: RankBy = "validation_loss"


class MemberWeightsParameters(WeightsGridParameters):
    """Whose weights are drawn, and how."""

    weights: BestOrLast = "best"
    rank_by: RankBy = "validation_loss"
    limit: int = Field(MAX_ROWS, ge=1, le=MAX_ROWS, description="Only so many members, the best.")


@router.post("/sweeps", dependencies=[TRAIN], status_code=202, response_model=RankedSweep)
def submit_sweep(body: requests.SweepRequest, service: ServiceDep, key: IdempotencyKey = None) -> Response:
    """Submit a grid of training jobs. All of them are durable before this answers.

    Members are all combinations of the values. Those that share data, batch size and batch order are trained
    together, as one stack.
    """
    request = SweepRequest(
        base=body.base.model_dump(exclude_unset=True),
        grid=body.grid.model_dump(exclude_unset=True),
        dataset=service.collections.training_set(body.model_dump(include={"dataset"})["dataset"]),
        **body.model_dump(include={"name", "title", "tags", "notes"}),
    )
    sweep = service.sweeps.submit(request, idempotency_key=key)
    return JsonAnswer(sweep.ranking(), 202, {"Location": f"/api/v1/sweeps/{sweep.id}"})


@router.get("/sweeps", dependencies=[READ], response_model=SweepList)
def list_sweeps(query: GroupsPage, service: ServiceDep) -> Any:
    """List sweeps, the newest first, without their members; found as jobs are."""
    return service.page("sweeps", **query.asked)


@router.get("/sweeps/{sweep_id}", dependencies=[READ])
def get_sweep(sweep_id: SweepId, service: ServiceDep, rank_by: RankBy = "validation_loss") -> RankedSweep:
    """Return a sweep as it is now, its members ranked and the best one named."""
    return service.sweeps.get(sweep_id).ranking(rank_by)


@router.patch("/sweeps/{sweep_id}", dependencies=[TRAIN])
def annotate_sweep(sweep_id: SweepId, body: requests.AnnotationChange, service: ServiceDep) -> RankedSweep:
    """Change the title, the tags or the notes of a sweep; its jobs have their own."""
    service.annotations.change("sweeps", sweep_id, body.model_dump(exclude_unset=True))
    return service.sweeps.get(sweep_id).ranking()


@router.post("/sweeps/{sweep_id}/cancel", dependencies=[TRAIN], status_code=202)
def cancel_sweep(sweep_id: SweepId, service: ServiceDep) -> RankedSweep:
    """Ask all members that are not over to stop, as each can be by its own job. Asking again changes nothing."""
    return service.sweeps.cancel(sweep_id).ranking()


@router.delete("/sweeps/{sweep_id}", dependencies=[TRAIN], status_code=204)
def delete_sweep(sweep_id: SweepId, service: ServiceDep) -> None:
    """Delete a sweep that is over, with all its jobs. Their models stay."""
    service.sweeps.delete(sweep_id)


@router.get("/sweeps/{sweep_id}/accuracy.{image_format}", dependencies=[READ], **CHART_ANSWER)
def sweep_accuracy(
    sweep_id: SweepId, image_format: ImageFormat, query: ChartParameters, service: ServiceDep
) -> Drawing:
    """Draw the validation accuracy of each member over steps; of repeated seeds their mean, in a band."""
    return prepare_sweep_accuracy(service.sweeps, sweep_id, **query.form(image_format))


@router.get("/sweeps/{sweep_id}/norms.{image_format}", dependencies=[READ], **CHART_ANSWER)
def sweep_norms(sweep_id: SweepId, image_format: ImageFormat, query: NormsParameters, service: ServiceDep) -> Drawing:
    """Draw the norm of the last weights over the L2 penalty, which must be in the grid."""
    return prepare_sweep_norms(service.sweeps, sweep_id, **query.form(image_format))


@router.get("/sweeps/{sweep_id}/heatmap.{image_format}", dependencies=[READ], **CHART_ANSWER)
def sweep_heatmap(
    sweep_id: SweepId, image_format: ImageFormat, query: HeatmapParameters, service: ServiceDep
) -> Drawing:
    """Draw a metric for each pair of values of the two hyperparameters that vary, its mean if seeds do too."""
    return prepare_sweep_heatmap(service.sweeps, sweep_id, **query.form(image_format))


@router.get("/sweeps/{sweep_id}/weights.png", dependencies=[READ], **PNG_ANSWER)
def sweep_weights(sweep_id: SweepId, query: MemberWeightsParameters, service: ServiceDep) -> Drawing:
    """Draw weights: a row for each member in the order of the grid, a column for each class."""
    chosen = {"which": query.weights, "rank_by": query.rank_by, "limit": query.limit, **query.style}
    return prepare_sweep_weights(service.sweeps, sweep_id, **chosen)
