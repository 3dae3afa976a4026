"""How well versions do on images that they were not trained on, alone and against each other."""

from typing import Annotated, Any

from pydantic import Field
from starlette.responses import JSONResponse, Response

from service.charts import Drawing, calibration_chart
from service.errors import InvalidField
from service.inference import compare, evaluate
from service.registry import Model
from service.web.access_control import READ
from service.web.pictures import CHART_ANSWER, ChartDep, confusion_drawing
from service.web.requests import Parameters, ServiceDep
from service.web.routing import Answer, noun_router

router = noun_router("models")

_ONE_MODEL = "name/version, the version a number or an alias"

Label = Annotated[int, Field(ge=0, le=9)]


class ClassResult(Answer):
    """How well one class is predicted; null stands for 0 / 0."""

    label: int = Field(alias="class")
    precision: float | None = Field(description="Of the images predicted as it, the share that is correct.")
    recall: float | None = Field(description="Of its images, the share predicted as it.")
    f1: float | None = Field(description="The harmonic mean of the two.")
    n_images: int


class CalibrationBin(Answer):
    """Images of which the model is about as sure; null where there is none."""

    low: float
    high: float
    n_images: int
    mean_probability: float | None = Field(description="Of the predicted class.")
    accuracy: float | None


class Calibration(Answer):
    """How sure a model is, and how often it is correct then."""

    bins: list[CalibrationBin]
    expected_error: float = Field(description="The mean gap between accuracy and mean probability.")


class HardImage(Answer):
    """An image of high loss."""

    index: int = Field(description="In the test part, as the images of a data set count.")
    true: int
    predicted: int
    loss: float
    probability: float = Field(description="Of the predicted class.")


class Evaluation(Answer):
    """How well a version does on the test images of its classes."""

    model: str
    version: int
    dataset: str
    n_images: int
    accuracy: float
    loss: float = Field(description="Mean cross-entropy.")
    classes: list[int] = Field(description="Of the rows and columns of `confusion`.")
    confusion: list[list[int]] = Field(description="A row for each true class, a column for each predicted.")
    per_class: list[ClassResult]
    calibration: Calibration
    hardest: list[HardImage] = Field(description="The highest loss first.")


class ConfusionCell(Answer):
    """The test images of one class that a version predicts as one class."""

    model: str
    version: int
    dataset: str
    n_images: int = Field(description="In the cell; `images` may be fewer.")
    images: list[HardImage] = Field(description="The highest loss first.")


class ComparedModel(Answer):
    """How well a version does on the images that all are compared on."""

    model: str
    version: int
    accuracy: float
    loss: float


class PairedComparison(Answer):
    """One version against the first, image by image. Differences are the other's figure less the first's."""

    first: str = Field(description="`name/version`.")
    other: str = Field(description="`name/version`.")
    accuracy_difference: float
    accuracy_interval: list[float] = Field(description="95 %: low and high.")
    loss_difference: float
    loss_interval: list[float] = Field(description="95 %: low and high.")
    only_first_right: int
    only_other_right: int
    p_value: float = Field(description="McNemar's test, exact and two-sided.")
    sentence: str = Field(description="What this means.")


class ComparisonAnswer(Answer):
    """Versions on the test images of the classes that all of them know."""

    dataset: str
    n_images: int
    classes: list[int]
    models: list[ComparedModel]
    comparisons: list[PairedComparison] = Field(description="Of each other version with the first.")


class EvaluationParameters(Parameters):
    """How much of an evaluation is listed."""

    hardest: int = Field(20, ge=0, le=100, description="Images of the highest loss to list.")


class CellParameters(Parameters):
    """A cell of a confusion matrix."""

    true: Label = Field(description="The class that the images are.")
    predicted: Label = Field(description="The class that they are predicted as.")
    limit: int = Field(50, ge=1, le=200)


class CompareParameters(Parameters):
    """Which versions are compared."""

    model: list[Annotated[str, Field(json_schema_extra={"pattern": "^[^/]+/[^/]+$"})]] = Field(
        min_length=2, max_length=8, description=f"2 to 8 times {_ONE_MODEL}; the first is the baseline."
    )


@router.get("/models/{name}/versions/{version}/evaluation", dependencies=[READ], response_model=Evaluation)
def get_evaluation(name: str, version: str, query: EvaluationParameters, service: ServiceDep) -> Response:
    """Evaluate a version on the test images of its classes: confusion, calibration, the hardest images."""
    model = service.catalogue.get(name, version)
    return JSONResponse({**_names(model), **evaluate(model, service.datasets).to_dict(hardest=query.hardest)})


@router.get("/models/{name}/versions/{version}/evaluation/images", dependencies=[READ], response_model=ConfusionCell)
def get_images_of_cell(name: str, version: str, query: CellParameters, service: ServiceDep) -> Response:
    """List the test images in one cell of the confusion matrix, the highest loss first."""
    model = service.catalogue.get(name, version)
    evaluation = evaluate(model, service.datasets)
    return JSONResponse({**_names(model), **evaluation.cell(query.true, query.predicted, query.limit)})


@router.get("/models/{name}/versions/{version}/confusion.{image_format}", dependencies=[READ], **CHART_ANSWER)
async def confusion_of_version(name: str, version: str, chart: ChartDep, service: ServiceDep) -> Response:
    """Draw the confusion matrix of the test images."""

    def prepare(**form: Any) -> Drawing:
        model = service.catalogue.get(name, version)
        manifest, evaluation = model.manifest, evaluate(model, service.datasets)
        return confusion_drawing(
            evaluation.confusion(),
            manifest.class_names,
            title=f"Confusion: {manifest.name}, version {manifest.version}",
            of=f"test images of {evaluation.dataset}",
            provenance={**manifest.provenance(), "part": "test"},
            **form,
        )

    return await chart.answer(prepare)


@router.get("/models/{name}/versions/{version}/calibration.{image_format}", dependencies=[READ], **CHART_ANSWER)
async def calibration_of_version(name: str, version: str, chart: ChartDep, service: ServiceDep) -> Response:
    """Draw the reliability curve: the accuracy on the test images by the probability of what is predicted."""

    def prepare(**form: Any) -> Drawing:
        model = service.catalogue.get(name, version)
        manifest, evaluation = model.manifest, evaluate(model, service.datasets)
        calibration = evaluation.calibration()
        return Drawing.of(
            calibration_chart,
            calibration["bins"],
            title=f"Calibration: {manifest.name}, version {manifest.version}",
            caption=f"On {len(evaluation.true):,} test images of {evaluation.dataset}, probability and accuracy differ "
            f"by {calibration['expected_error']:.2%} on average.",
            provenance={**manifest.provenance(), "part": "test"},
            **form,
        )

    return await chart.answer(prepare)


@router.get("/compare", dependencies=[READ], response_model=ComparisonAnswer)
def compare_versions(query: CompareParameters, service: ServiceDep) -> Response:
    """Compare versions on the same test images: differences, how certain they are, and whether it may be chance."""
    return JSONResponse(compare([_model(service, text) for text in query.model], service.datasets))


def _model(service: ServiceDep, text: str) -> Model:
    name, _, reference = text.partition("/")
    if not name or not reference or "/" in reference:
        raise InvalidField(f"Each model must be {_ONE_MODEL}.", field="model", allowed=_ONE_MODEL)
    return service.catalogue.get(name, reference)


def _names(model: Model) -> dict[str, str | int]:
    return {"model": model.manifest.name, "version": model.manifest.version}
