"""How well versions do on images that they were not trained on, alone and against each other."""

from dataclasses import asdict
from typing import Annotated

from fastapi import Query
from pydantic import Field

from service.charts import Drawing, calibration_chart
from service.errors import InvalidField
from service.inference import Comparison, ConfusionCell, EvaluationSummary, compare, evaluate
from service.jobs import ImageFormat
from service.registry import Model
from service.web.access_control import READ
from service.web.pictures import CHART_ANSWER, ChartParameters, confusion_drawing
from service.web.requests import WHOLE, Parameters, ServiceDep
from service.web.routing import noun_router

router = noun_router("models")

_ONE_MODEL = "name/version, the version a number or an alias"

Label = Annotated[int, Field(ge=0, le=9)]


Hardest = Annotated[int, Field(ge=0, le=100, description="Images of the highest loss to list."), WHOLE]


class CellParameters(Parameters):
    """A cell of a confusion matrix."""

    true: Label = Field(description="The class that the images are.")
    predicted: Label = Field(description="The class that they are predicted as.")
    limit: int = Field(50, ge=1, le=200)


Models = Annotated[
    list[Annotated[str, Field(json_schema_extra={"pattern": "^[^/]+/[^/]+$"})]],
    Query(min_length=2, max_length=8, description=f"2 to 8 times {_ONE_MODEL}; the first is the baseline."),
]


@router.get("/models/{name}/versions/{version}/evaluation", dependencies=[READ])
def get_evaluation(name: str, version: str, service: ServiceDep, hardest: Hardest = 20) -> EvaluationSummary:
    """Evaluate a version on the test images of its classes: confusion, calibration, the hardest images."""
    model = service.catalogue.get(name, version)
    return evaluate(model, service.datasets).summary(model, hardest=hardest)


@router.get("/models/{name}/versions/{version}/evaluation/images", dependencies=[READ])
def get_images_of_cell(name: str, version: str, query: CellParameters, service: ServiceDep) -> ConfusionCell:
    """List the test images in one cell of the confusion matrix, the highest loss first."""
    model = service.catalogue.get(name, version)
    evaluation = evaluate(model, service.datasets)
    return evaluation.cell(model, query.true, query.predicted, query.limit)


@router.get("/models/{name}/versions/{version}/confusion.{image_format}", dependencies=[READ], **CHART_ANSWER)
def confusion_of_version(
    name: str, version: str, image_format: ImageFormat, query: ChartParameters, service: ServiceDep
) -> Drawing:
    """Draw the confusion matrix of the test images."""
    model = service.catalogue.get(name, version)
    manifest, evaluation = model.manifest, evaluate(model, service.datasets)
    return confusion_drawing(
        evaluation.confusion(),
        manifest.class_names,
        title=f"Confusion: {manifest.name}, version {manifest.version}",
        of=f"test images of {evaluation.dataset}",
        provenance={**manifest.provenance(), "part": "test"},
        **query.form(image_format),
    )


@router.get("/models/{name}/versions/{version}/calibration.{image_format}", dependencies=[READ], **CHART_ANSWER)
def calibration_of_version(
    name: str, version: str, image_format: ImageFormat, query: ChartParameters, service: ServiceDep
) -> Drawing:
    """Draw the reliability curve: the accuracy on the test images by the probability of what is predicted."""
    model = service.catalogue.get(name, version)
    manifest, evaluation = model.manifest, evaluate(model, service.datasets)
    calibration = evaluation.calibration()
    return Drawing.of(
        calibration_chart,
        [asdict(each) for each in calibration.bins],
        title=f"Calibration: {manifest.name}, version {manifest.version}",
        caption=f"On {len(evaluation.true):,} test images of {evaluation.dataset}, probability and accuracy differ "
        f"by {calibration.expected_error:.2%} on average.",
        provenance={**manifest.provenance(), "part": "test"},
        **query.form(image_format),
    )


@router.get("/compare", dependencies=[READ])
def compare_versions(model: Models, service: ServiceDep) -> Comparison:
    """Compare versions on the same test images: differences, how certain they are, and whether it may be chance."""
    return compare([_model(service, text) for text in model], service.datasets)


def _model(service: ServiceDep, text: str) -> Model:
    name, _, reference = text.partition("/")
    if not name or not reference or "/" in reference:
        raise InvalidField(f"Each model must be {_ONE_MODEL}.", field="model", allowed=_ONE_MODEL)
    return service.catalogue.get(name, reference)
