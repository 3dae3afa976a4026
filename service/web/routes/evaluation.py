"""How well versions do on images that they were not trained on, alone and against each other."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.errors import InvalidField
from service.inference import compare, evaluate
from service.jobs.drawing import ImageFormat
from service.registry import Model
from service.web import explanation_answers
from service.web.dependencies import ServiceDep
from service.web.pictures import Picture, picture_answer
from service.web.routing import noun_router

from .pictures import CHART_ANSWER, SizeDep, confusion_picture

router = noun_router("models")

_ONE_MODEL = "name/version, the version a number or an alias"


@router.get("/models/{name}/versions/{version}/evaluation", responses={200: {"model": explanation_answers.Evaluation}})
def get_evaluation(
    name: str,
    version: str,
    service: ServiceDep,
    hardest: Annotated[int, Query(ge=0, le=100, description="Images of the highest loss to list.")] = 20,
) -> Response:
    """Evaluate a version on the test images of its classes: confusion, calibration, the hardest images."""
    model = service.catalogue.get(name, version)
    return JSONResponse({**_names(model), **evaluate(model, service.datasets).to_dict(hardest=hardest)})


@router.get(
    "/models/{name}/versions/{version}/evaluation/images",
    responses={200: {"model": explanation_answers.ConfusionCell}},
)
def get_images_of_cell(
    *,
    name: str,
    version: str,
    service: ServiceDep,
    true: Annotated[int, Query(ge=0, le=9, description="The class that the images are.")],
    predicted: Annotated[int, Query(ge=0, le=9, description="The class that they are taken for.")],
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """List the test images in one cell of the confusion, the highest loss first."""
    model = service.catalogue.get(name, version)
    return JSONResponse({**_names(model), **evaluate(model, service.datasets).cell(true, predicted, limit)})


@router.get(
    "/models/{name}/versions/{version}/confusion.{image_format}", response_class=Response, responses=CHART_ANSWER
)
async def confusion_of_version(
    name: str, version: str, image_format: ImageFormat, *, size: SizeDep, request: Request, service: ServiceDep
) -> Response:
    """Draw which test images are taken for which class."""

    def prepare() -> Picture:
        model = service.catalogue.get(name, version)
        manifest, evaluation = model.manifest, evaluate(model, service.datasets)
        return confusion_picture(
            evaluation.confusion(),
            manifest.class_names,
            title=f"Confusion: {manifest.name}, version {manifest.version}",
            of=f"test images of {evaluation.dataset}",
            size=size,
            image_format=image_format,
            provenance={**manifest.provenance(), "part": "test"},
        )

    return await picture_answer(request, prepare)


@router.get("/compare", responses={200: {"model": explanation_answers.ComparisonAnswer}})
def compare_versions(
    service: ServiceDep,
    model: Annotated[
        list[str],
        Query(min_length=2, max_length=8, description=f"2 to 8 times {_ONE_MODEL}; the first is the measure."),
    ],
) -> Response:
    """Compare versions on the same test images: differences, how certain they are, and whether it may be chance."""
    return JSONResponse(compare([_found(service, text) for text in model], service.datasets))


def _found(service: ServiceDep, text: str) -> Model:
    name, _, reference = text.partition("/")
    if not name or not reference or "/" in reference:
        raise InvalidField(f"Each model must be {_ONE_MODEL}.", field="model", allowed=_ONE_MODEL)
    return service.catalogue.get(name, reference)


def _names(model: Model) -> dict[str, str | int]:
    return {"model": model.manifest.name, "version": model.manifest.version}
