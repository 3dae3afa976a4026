"""Images in; digits, and why, out."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from io import BytesIO
from typing import Annotated, Any, TypeAlias

import numpy as np
import orjson
from pydantic import ConfigDict, Field
from starlette.responses import Response

from service.bootstrap import Service
from service.charts import digit_picture, evidence_picture
from service.core import Floats
from service.inference import (
    DecodedFile,
    Explanation,
    FileResult,
    ModelInputs,
    RefusedFile,
    Rivals,
    Thresholds,
    Verdict,
    explain,
    predictions_csv,
)
from service.registry import Model
from service.web.access_control import PREDICT
from service.web.batches import Predicted, PredictionRequest, Reference, batches_of
from service.web.image_body import FILES_BODY, IMAGE_BODY, ImageBody, read_images
from service.web.pictures import BINARY, PNG, PNG_MADE, Upscale
from service.web.problems import Problem, problem_of
from service.web.requests import Parameters, ServiceDep
from service.web.routing import CSV, CSV_CONTENT, Answer, BoundedRequest, JsonAnswer, noun_router

from .for_each_model import for_each_model

router = noun_router("prediction")

_JSON, _NPY = "application/json", "application/x-npy"


class Prediction(Answer):
    """The prediction for one image."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    verdict: Verdict
    rivals: Rivals
    digit: int
    class_name: str = Field(description="The data set's name of that class; where it has no names, a number.")
    probabilities: dict[str, float] = Field(description="Of every class; they sum to 1.")
    preprocessing: list[str] = Field(description="The steps of preprocessing, in order.")
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


class PreprocessParameters(Parameters):
    """What of preprocessing is shown."""

    step: str | None = Field(
        None, description="The picture after this step: its number from 0, or the beginning of its text."
    )


_Probability: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class PredictParameters(Parameters):
    """From where on a prediction is refused; what is not given is as measured for the model."""

    unsure_below: _Probability | None = Field(None, description="The probability below which a prediction is unsure.")
    digit_below: _Probability | None = Field(
        None, description="The probability that it is a digit at all, below which it is none."
    )

    @property
    def thresholds(self) -> Thresholds:
        """As the verdicts take them."""
        return Thresholds(unsure_below=self.unsure_below, digit_below=self.digit_below)


class ExplainParameters(Parameters):
    """Which classes are explained."""

    digit: int | None = Field(None, description="The class to explain; by default the predicted one.")
    against: int | None = Field(None, description="A second class, for the contrast between the two.")


class DrawParameters(ExplainParameters):
    """Which classes are explained, and how that is drawn."""

    upscale: Upscale = 8


@router.post("/preprocess", dependencies=[PREDICT], **PNG_MADE, openapi_extra=IMAGE_BODY)
async def preprocess(query: PreprocessParameters, request: BoundedRequest, service: ServiceDep) -> Response:
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

    return await request.limits.run(draw, body.n_bytes)


@for_each_model(
    router,
    "predict",
    PredictParameters,
    FILES_BODY,
    response_model=PredictionAnswer,
    responses={200: {"content": {_NPY: BINARY, **CSV_CONTENT}}},
)
async def predict(request: BoundedRequest, query: PredictParameters, of: Reference) -> Response:
    """Predict the digits in images, with {model}."""
    service: Service = request.app.state.service
    media_type = request.answer_type
    body = await read_images(request)
    files: list[FileResult] = []

    def decode() -> ModelInputs:
        if not body.holds_files:
            return body.decode(service.limits)
        files.extend(body.decode_each(service.limits))
        refused = [file for file in files if isinstance(file, RefusedFile)]
        if refused and media_type == _NPY:
            raise refused[0].error  # a table of numbers has no place for it
        decoded = [file.inputs for file in files if isinstance(file, DecodedFile)]
        return ModelInputs.joined(decoded, service.limits)

    def write(model: Model, predicted: Predicted) -> Response:
        content: str | bytes
        if (found := predicted.answer) is None:
            content = _to_npy(predicted.probabilities)
        else:
            if files:
                found["predictions"] = _by_file(request, files, found["predictions"])
            content = _to_csv(found["predictions"]) if media_type == CSV else orjson.dumps(found)
        of_model = {} if media_type == _JSON else {"X-Model": f"{model.manifest.name}/{model.manifest.version}"}
        return Response(content, media_type=media_type, headers=of_model)

    asked = PredictionRequest(
        of=of,
        thresholds=None if media_type == _NPY else query.thresholds,
        decode=decode,
        decode_small=partial(body.decode_small, service.limits),
        n_bytes=body.n_bytes,
        write=write,
    )
    return await batches_of(request).respond(request, asked)


def _by_file(request: BoundedRequest, files: Sequence[FileResult], predictions: Sequence[Any]) -> list[dict[str, Any]]:
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


def _to_npy(probabilities: Floats) -> bytes:
    """Write the probabilities alone, a row an image: the cheapest form of a large batch."""
    file = BytesIO()
    np.save(file, probabilities)
    return file.getvalue()


@for_each_model(router, "explain", ExplainParameters, IMAGE_BODY, response_model=Explanation)
async def explain_image(request: BoundedRequest, query: ExplainParameters, of: Reference) -> Response:
    """Return the evidence of each pixel of an image for a class, with {model}."""
    return await _explain(request, query, of, lambda model, explanation: JsonAnswer(explanation))


@for_each_model(router, "explain.png", DrawParameters, IMAGE_BODY, **PNG_MADE)
async def draw_explanation(request: BoundedRequest, query: DrawParameters, of: Reference) -> Response:
    """Draw the evidence of each pixel of an image, red for and blue against, with {model}."""

    def draw(model: Model, explanation: Explanation) -> Response:
        picture = evidence_picture(
            explanation.pixels,
            explanation.evidence,
            digit=explanation.digit,
            against=explanation.against,
            upscale=query.upscale,
            provenance=model.manifest.provenance(),
        )
        return Response(picture, media_type=PNG)

    return await _explain(request, query, of, draw)


async def _explain(
    request: BoundedRequest, query: ExplainParameters, of: Reference, write: Callable[[Model, Explanation], Response]
) -> Response:
    """Answer with what is written of an explanation, in the thread in which it is computed."""
    service: Service = request.app.state.service
    body: ImageBody = await read_images(request)

    def work() -> Response:
        model = service.catalogue.get(*of)  # before decoding: the cheaper refusal
        return write(model, explain(model, body.decode(service.limits), digit=query.digit, against=query.against))

    return await request.limits.run(work, body.n_bytes)
