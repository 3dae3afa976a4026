"""Images in; digits, and why, out."""

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import numpy as np
import orjson
from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.bootstrap import Service
from service.charts import digit_picture, evidence_picture
from service.core import Floats, Ints
from service.errors import ServiceError
from service.inference import (
    DecodedFile,
    Explanation,
    FileResult,
    ModelInputs,
    RefusedFile,
    Thresholds,
    Verdict,
    answer,
    explain,
    predictions_csv,
)
from service.inference import predict as predict_images
from service.metrics import Stages
from service.registry import Model
from service.web.access_control import PREDICT
from service.web.image_body import FILES_BODY, IMAGE_BODY, ImageBody, read_images
from service.web.limits import limits_of
from service.web.pictures import BINARY, PNG, PNG_ANSWER, Upscale
from service.web.problems import Problem, problem_of
from service.web.requests import Parameters, ServiceDep
from service.web.routing import CSV, CSV_CONTENT, Answer, answer_type_of, noun_router

router = noun_router("prediction")

_JSON, _NPY = "application/json", "application/x-npy"
_PICTURE: dict[str, Any] = {**PNG_ANSWER, "responses": {200: PNG_ANSWER["responses"][200]}}


class Judged(Answer):
    """What a prediction is worth."""

    verdict: Annotated[
        Verdict, Field(description="The first that holds of blank, not-a-digit, several-digits, unsure, digit.")
    ]
    rivals: Annotated[list[int], Field(description="If unsure, other digits that it may be, the most probable first.")]


class Prediction(Judged):
    """The prediction for one image."""

    digit: int
    class_name: Annotated[str, Field(description="The data set's name of that class; where it has no names, a number.")]
    probabilities: Annotated[dict[str, float], Field(description="Of every class; they sum to 1.")]
    preprocessing: Annotated[list[str], Field(description="The steps of preprocessing, in order.")]
    warnings: list[str]
    name: Annotated[str, Field(default=None, description="Of the file; only of those in an archive or a form.")]


class RefusedFileAnswer(Answer):
    """A file in an archive, or in a form of several, that could not be read."""

    name: str
    error: Problem


class PredictionAnswer(Answer):
    """Predictions in the order of the images, and the version that made them."""

    model: str
    version: int
    predictions: list[Prediction | RefusedFileAnswer]


class Flip(Answer):
    """An image near by that the model predicts as another digit."""

    digit: int
    pixels: list[list[int]]
    distance: Annotated[float, Field(description="The root of the sum of squared changes, in grey levels.")]
    is_local: Annotated[
        bool,
        Field(
            description="Found by a local search, as for every network: others may be nearer. Else it is the nearest."
        ),
    ]


class Unit(Answer):
    """A unit of a hidden layer."""

    layer: int
    unit: Annotated[int, Field(description="Its number in the layer, from 1.")]
    activation: float
    share: Annotated[float, Field(description="In the logit: all units of a layer and the bias sum to it.")]


class ExplanationAnswer(Judged):
    """The evidence of each pixel of an image for a class."""

    model: str
    version: int
    digit: Annotated[int, Field(description="The class that is explained.")]
    against: Annotated[int | None, Field(description="The class that it is held against, if one was named.")]
    rule: Annotated[
        Literal["weight_times_pixel", "deeplift_rescale"], Field(description="The first for linear models.")
    ]
    baseline: Annotated[
        Literal["zero", "blank"],
        Field(description="The image whose pixels have no evidence: 0 after scaling, or without ink."),
    ]
    logit: Annotated[float, Field(description="Of the class; with `against`, the difference of the two logits.")]
    bias: Annotated[float, Field(description="The logit of the baseline: for a linear model its bias.")]
    sum: Annotated[float, Field(description="The evidence of all pixels and the bias: the logit, but for rounding.")]
    evidence: Annotated[list[list[float]], Field(description="28 rows of 28, one number a pixel, by the rule.")]
    probabilities: Annotated[dict[str, float], Field(description="Of every class; they sum to 1.")]
    logits: Annotated[dict[str, float], Field(description="Of every class, uncalibrated; for logistic, z and -z.")]
    temperature: Annotated[float, Field(description="Logits are divided by it before they become probabilities.")]
    pixels: Annotated[list[list[int]], Field(description="What the model saw: 28 rows of 28, from 0 to 255.")]
    units: Annotated[list[Unit], Field(description="Of each hidden layer the up to 16 with the largest shares.")]
    flip: Annotated[Flip | None, Field(description="Of the predicted class; null if none was found.")]
    warnings: list[str]
    steps: Annotated[list[str], Field(description="The steps of preprocessing, in order.")]


class AliasParameters(Parameters):
    """Which version of a model answers."""

    alias: Annotated[str | None, Field(description="The version that this alias names, instead of `champion`.")] = None


class PreprocessParameters(Parameters):
    """What of preprocessing is shown."""

    step: Annotated[
        str | None,
        Field(description="The picture after this step: its number from 0, or the beginning of its text."),
    ] = None


_Probability: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class PredictVersionParameters(Parameters):
    """From where on a prediction is refused; what is not given is as measured for the model."""

    unsure_below: Annotated[
        _Probability | None, Field(description="The probability below which a prediction is unsure.")
    ] = None
    digit_below: Annotated[
        _Probability | None, Field(description="The probability that it is a digit at all, below which it is none.")
    ] = None

    @property
    def thresholds(self) -> Thresholds:
        """As the verdicts take them."""
        return Thresholds(unsure_below=self.unsure_below, digit_below=self.digit_below)


class PredictParameters(PredictVersionParameters, AliasParameters):
    """From where on a prediction is refused, and which version of a model answers."""


class ExplainVersionParameters(Parameters):
    """Which classes are explained."""

    digit: Annotated[int | None, Field(description="The class to explain; by default the predicted one.")] = None
    against: Annotated[int | None, Field(description="A second class, for the contrast between the two.")] = None


class ExplainParameters(ExplainVersionParameters, AliasParameters):
    """Which classes are explained, with which version."""


class DrawVersionParameters(ExplainVersionParameters):
    """Which classes are explained, and how that is drawn."""

    upscale: Upscale = 8


class DrawParameters(DrawVersionParameters, AliasParameters):
    """Which classes are explained, with which version, and how that is drawn."""


_PREDICT: dict[str, Any] = {
    "dependencies": [PREDICT],
    "response_model": PredictionAnswer,
    "responses": {200: {"content": {_NPY: BINARY, **CSV_CONTENT}}},
}
_PREDICT_BY_ALIAS: dict[str, Any] = {
    **_PREDICT,
    "openapi_extra": {**FILES_BODY, "parameters": PredictParameters.documented()},
}
_EXPLAIN: dict[str, Any] = {
    "dependencies": [PREDICT],
    "response_model": ExplanationAnswer,
    "openapi_extra": IMAGE_BODY,
}
_DRAW: dict[str, Any] = {"dependencies": [PREDICT], **_PICTURE, "openapi_extra": IMAGE_BODY}


# These read their parameters themselves: FastAPI's dependencies would take as long as all the rest of a prediction.
@router.post("/predict", **_PREDICT_BY_ALIAS)
async def predict(request: Request) -> Response:
    """Predict the digits in images, with the default model."""
    query = _read(request, PredictParameters)
    return await _predict(request, query, None, query.alias)


@router.post("/models/{name}/predict", **_PREDICT_BY_ALIAS)
async def predict_with_model(name: str, request: Request) -> Response:
    """Predict the digits in images, with the champion of a model or the version that an alias names."""
    query = _read(request, PredictParameters)
    return await _predict(request, query, name, query.alias)


@router.post(
    "/models/{name}/versions/{version}/predict",
    **_PREDICT,
    openapi_extra={**FILES_BODY, "parameters": PredictVersionParameters.documented()},
)
async def predict_with_version(name: str, version: str, request: Request) -> Response:
    """Predict the digits in images, with one version of a model."""
    return await _predict(request, _read(request, PredictVersionParameters), name, version)


@router.post("/preprocess", **_DRAW)
async def preprocess(
    query: Annotated[PreprocessParameters, Query()], request: Request, service: ServiceDep
) -> Response:
    """Return the 28x28 PNG that a model would see, or the picture after one of the steps of preprocessing.

    Headers list, as JSON, the steps and the warnings.
    """
    body = await read_images(request)

    def draw() -> Response:
        inputs = body.decode(service.limits, keeps_pictures=query.step is not None)
        picture = inputs.only if query.step is None else inputs.picture_after(query.step)
        steps, warnings = json.dumps(inputs.steps[0]), json.dumps(inputs.warnings[0])
        content = digit_picture(picture, upscale=1, provenance={"preprocessing": steps})
        headers = {"X-Preprocessing-Steps": steps, "X-Preprocessing-Warnings": warnings}
        return Response(content, headers=headers, media_type=PNG)

    return await limits_of(request).run(draw, body.n_bytes)


@router.post("/explain", **_EXPLAIN)
async def explain_image(query: Annotated[ExplainParameters, Query()], request: Request) -> Response:
    """Return the evidence of each pixel of an image for a class, with the default model."""
    return await _explain(request, query, (None, query.alias))


@router.post("/models/{name}/explain", **_EXPLAIN)
async def explain_with_model(name: str, query: Annotated[ExplainParameters, Query()], request: Request) -> Response:
    """Return the evidence of each pixel for a class, with the champion of a model or the version of an alias."""
    return await _explain(request, query, (name, query.alias))


@router.post("/models/{name}/versions/{version}/explain", **_EXPLAIN)
async def explain_with_version(
    name: str,
    version: str,
    query: Annotated[ExplainVersionParameters, Query()],
    request: Request,
) -> Response:
    """Return the evidence of each pixel of an image for a class, with one version of a model."""
    return await _explain(request, query, (name, version))


@router.post("/explain.png", **_DRAW)
async def draw_explanation(query: Annotated[DrawParameters, Query()], request: Request) -> Response:
    """Draw the evidence of each pixel of an image, red for and blue against, with the default model."""
    return await _explain(request, query, (None, query.alias), query.upscale)


@router.post("/models/{name}/explain.png", **_DRAW)
async def draw_explanation_with_model(
    name: str, query: Annotated[DrawParameters, Query()], request: Request
) -> Response:
    """Draw the evidence of each pixel, with the champion of a model or the version that an alias names."""
    return await _explain(request, query, (name, query.alias), query.upscale)


@router.post("/models/{name}/versions/{version}/explain.png", **_DRAW)
async def draw_explanation_with_version(
    name: str,
    version: str,
    query: Annotated[DrawVersionParameters, Query()],
    request: Request,
) -> Response:
    """Draw the evidence of each pixel of an image, with one version of a model."""
    return await _explain(request, query, (name, version), query.upscale)


_Query = TypeVar("_Query", bound=PredictVersionParameters)


def _read(request: Request, kind: type[_Query]) -> _Query:
    if request.scope["query_string"]:
        return kind.of(request)
    return kind()


async def _predict(
    request: Request, query: PredictVersionParameters, name: str | None, reference: str | None
) -> Response:
    """Decode, predict and write the answer."""
    service: Service = request.app.state.service
    media_type = answer_type_of(request)
    body = await read_images(request)
    stages = Stages()

    def work(cached: Model | None = None) -> Response:
        stages.next()
        model = cached or service.catalogue.get(name, reference)  # before decoding: the cheaper refusal
        manifest = model.manifest
        files: list[FileResult] | None = None
        try:
            if body.holds_files:
                files = body.decode_each(service.limits)
                refused = [file for file in files if isinstance(file, RefusedFile)]
                if refused and media_type == _NPY:
                    raise refused[0].error  # a table of numbers has no place for it
                inputs = ModelInputs.joined(
                    [file.inputs for file in files if isinstance(file, DecodedFile)], service.limits
                )
            else:
                inputs = body.decode(service.limits)
        except ServiceError:
            service.metrics.inference.failed(manifest.name, manifest.version)
            raise
        stages.next()
        prediction = predict_images(model, inputs.images)
        stages.next()
        content: str | bytes
        if media_type == _NPY:
            content = _to_npy(prediction)
        else:
            found = answer(model, inputs, prediction, query.thresholds)
            if files is not None:
                found["predictions"] = _by_file(request, files, found["predictions"])
            content = _to_csv(found["predictions"]) if media_type == CSV else orjson.dumps(found)
        stages.next()
        service.metrics.inference.succeeded(manifest.name, manifest.version, prediction, stages)
        of_model = {} if media_type == _JSON else {"X-Model": f"{manifest.name}/{manifest.version}"}
        return Response(content, media_type=media_type, headers=of_model)

    # What is small is predicted here: switching to a thread and back would take as long as the prediction itself.
    cached = service.catalogue.get_cached(name, reference) if body.is_small else None
    return work(cached) if cached else await limits_of(request).run(work, body.n_bytes)


def _by_file(request: Request, files: Sequence[FileResult], predictions: Sequence[Any]) -> list[dict[str, Any]]:
    """Return predictions with the names of their files, and the problem of each refused file, in the files' order."""
    following, rows = iter(predictions), []
    for file in files:
        if isinstance(file, RefusedFile):
            rows.append({"name": file.name, "error": problem_of(request, file.error)})
        else:
            rows += [{"name": name, **next(following)} for name in file.image_names]
    return rows


def _to_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Write a line for each image or refused file; where there are no names, the number of the image stands for one."""
    return predictions_csv(
        {"name": number, **row, **({"error": row["error"]["detail"]} if "error" in row else {})}
        for number, row in enumerate(rows)
    )


def _to_npy(prediction: tuple[Ints, Floats]) -> bytes:
    """Write the probabilities alone, a row an image: the cheapest form of a large batch."""
    file = BytesIO()
    np.save(file, prediction[1])
    return file.getvalue()


async def _explain(
    request: Request,
    query: ExplainVersionParameters,
    reference: tuple[str | None, str | None],
    upscale: int | None = None,
) -> Response:
    """Answer with JSON or, where an upscale is given, with a PNG; written where it is computed, in a thread."""
    service: Service = request.app.state.service
    body: ImageBody = await read_images(request)

    def work() -> Response:
        model = service.catalogue.get(*reference)  # before decoding: the cheaper refusal
        explanation = explain(model, body.decode(service.limits), digit=query.digit, against=query.against)
        if upscale is None:
            return JSONResponse(explanation.to_dict())
        return Response(_draw(explanation, upscale), media_type=PNG)

    return await limits_of(request).run(work, body.n_bytes)


def _draw(explanation: Explanation, upscale: int) -> bytes:
    return evidence_picture(
        explanation.pixels,
        explanation.evidence,
        digit=explanation.digit,
        against=explanation.against,
        upscale=upscale,
        provenance=explanation.model.manifest.provenance(),
    )
