"""The course report: one request for all its runs, one page, document and file of numbers for all that they show."""

from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.responses import Response

from service.charts import Drawing
from service.core import HYPERPARAMETERS
from service.database import Annotation
from service.database.annotation_rows import TITLE_PATTERN
from service.errors import JobNotFound
from service.jobs import ImageFormat
from service.reports import FORMS, HAND_IN, MAX_PENALTIES, MAX_SEEDS, ReportDetail, ReportOptions, ReportSummary
from service.web.access_control import READ, TRAIN
from service.web.middleware import policy
from service.web.pictures import CHART_ANSWER, PNG, SVG, file_answer
from service.web.requests import (
    Annotating,
    AnnotationChange,
    GroupsPage,
    IdempotencyKey,
    ReportId,
    ServiceDep,
)
from service.web.routing import JsonAnswer, NextPage, answer, noun_router

router = noun_router("reports")

_MEDIA_TYPES = {
    **{"html": "text/html", "pdf": "application/pdf", "md": "text/markdown", "json": "application/json"},
    **{"tex": "application/x-tex", "ipynb": "application/x-ipynb+json"},
    **{"zip": "application/zip", "png": PNG, "svg": SVG},
}


_DEFAULTS = ReportOptions()
_MAX_PENALTY = next(row.maximum for row in HYPERPARAMETERS if row.name == "l2_penalty")


class ReportRequest(Annotating):
    """What to report on; everything may be left out."""

    assignment: Literal[1, 2] = Field(1, description="1: logistic and softmax regression. 2: networks.")
    dataset: Literal["mnist"] = Field("mnist", description="The data set.")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Of initial weights and of the order of shuffled batches.")
    seeds: int = Field(
        1, ge=1, le=MAX_SEEDS, description="Train with so many seeds, from that one on: means, intervals and bands."
    )
    classes: list[Annotated[int, Field(ge=0, le=9)]] = Field(
        list(_DEFAULTS.classes),
        min_length=2,
        max_length=2,
        description="Of assignment 1: the two classes of logistic regression, the positive one first.",
    )
    l2_penalties: list[Annotated[float, Field(ge=0, le=_MAX_PENALTY)]] = Field(
        list(_DEFAULTS.l2_penalties),
        min_length=1,
        max_length=MAX_PENALTIES + 1,
        description="Of assignment 1, of softmax regression; 0 is always added.",
    )
    title: str = Field(
        "", max_length=200, pattern=TITLE_PATTERN, description="At the head of the report instead of its subject."
    )
    authors: list[Annotated[str, Field(max_length=100, pattern=TITLE_PATTERN)]] = Field(
        [], max_length=20, description="Below the title."
    )
    group: str = Field("", max_length=100, pattern=TITLE_PATTERN, description="After the authors.")
    quick: bool = Field(False, description="Train fewer epochs; noted on every page.")


KeepRuns = Annotated[bool, Field(description="Delete the report alone; its jobs and its sweep stay.")]

ReportList = answer("ReportList", "Reports, the newest first.", reports=list[ReportSummary], next=NextPage)


@router.post("/reports", dependencies=[TRAIN], status_code=202, response_model=ReportDetail)
def submit_report(body: ReportRequest, service: ServiceDep, key: IdempotencyKey = None) -> Response:
    """Submit a course report: all its runs, as ordinary jobs. They are durable before this answers."""
    options = body.model_dump()
    annotation = Annotation(tags=options.pop("tags"), notes=options.pop("notes"))
    report = service.reports.submit(ReportOptions(**options), annotation=annotation, idempotency_key=key)
    shown = service.reports.describe(report.id)
    return JsonAnswer(shown, 202, {"Location": f"/api/v1/reports/{report.id}"})


@router.get("/reports", dependencies=[READ], response_model=ReportList)
def list_reports(query: GroupsPage, service: ServiceDep) -> Any:
    """List reports, the newest first; found as jobs are."""
    return service.page("reports", **query.asked)


@router.get("/reports/{report_id}", dependencies=[READ])
def get_report(report_id: ReportId, service: ServiceDep) -> ReportDetail:
    """Return how far a report is and, once all its runs have succeeded, every number and sentence of it."""
    return service.reports.describe(report_id)


@router.patch("/reports/{report_id}", dependencies=[TRAIN])
def annotate_report(report_id: ReportId, body: AnnotationChange, service: ServiceDep) -> ReportDetail:
    """Change the title of a report in lists, its tags or its notes. What stands at its head is an option of it."""
    service.annotations.change("reports", report_id, body.model_dump(exclude_unset=True))
    return service.reports.describe(report_id)


@router.post("/reports/{report_id}/cancel", dependencies=[TRAIN], status_code=202)
def cancel_report(report_id: ReportId, service: ServiceDep) -> ReportDetail:
    """Ask every run that is not over to stop; asking again changes nothing."""
    service.reports.cancel(report_id)
    return service.reports.describe(report_id)


@router.delete("/reports/{report_id}", dependencies=[TRAIN], status_code=204)
def delete_report(report_id: ReportId, service: ServiceDep, keep_runs: KeepRuns = False) -> None:
    """Delete a report that is over, with its jobs and its sweep. Their models stay."""
    service.reports.delete(report_id, keep_runs=keep_runs)


@router.get(
    "/reports/{report_id}/report.{form}",
    dependencies=[READ],
    **file_answer("The report.", *(_MEDIA_TYPES[form] for form in FORMS)),
)
def report_file(
    report_id: ReportId, form: Literal["html", "pdf", "md", "tex", "ipynb", "json", "zip"], service: ServiceDep
) -> Drawing:
    """Return the report as a page that needs nothing else, as PDF, text, notebook or numbers, or all in an archive."""
    return _file(report_id, f"report.{form}", service)


@router.get("/reports/{report_id}/figures/{name}.{image_format}", dependencies=[READ], **CHART_ANSWER)
def report_figure(report_id: ReportId, name: str, image_format: ImageFormat, service: ServiceDep) -> Drawing:
    """Return a figure of the report."""
    return _file(report_id, f"figures/{name}.{image_format}", service)


def _file(report_id: str, name: str, service: ServiceDep) -> Drawing:
    form = name.rpartition(".")[2]
    if name not in service.reports.file_names(report_id):
        raise JobNotFound("This report has no figure of that name.")
    headers: tuple[tuple[str, str], ...] = ()
    if form == "html":
        from service.reports.rendering import CONTENT_SECURITY_POLICY  # noqa: PLC0415 - it takes a while

        headers = (("Content-Security-Policy", policy(CONTENT_SECURITY_POLICY)),)
    if form == "zip":
        headers = (("Content-Disposition", f'attachment; filename="{HAND_IN}"'),)
    # Runs that are over never change, so neither does what is made of them.
    draw, media_type = partial(service.reports.file, report_id, name), _MEDIA_TYPES[form]
    return Drawing(made_of=(report_id, name), draw=draw, media_type=media_type, headers=headers)
