"""Images in, digits out."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Annotated, Any, TypeAlias

import numpy as np
import orjson
from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from service.bootstrap import Service
from service.charts import digit_picture
from service.core import Floats, Ints
from service.errors import InvalidInput, ServiceError
from service.inference import ModelInputs, answer
from service.inference import predict as predict_images
from service.metrics import Stages
from service.registry import Model
from service.web import answers
from service.web.dependencies import ServiceDep
from service.web.headers import header
from service.web.image_body import BINARY, IMAGE_BODY, read_images
from service.web.pictures import PNG, PNG_ANSWER
from service.web.routing import noun_router
from service.web.turns import turns_of

router = noun_router("prediction")

_JSON, _NPY = "application/json", "application/x-npy"
_ANSWER: dict[str, Any] = {
    "responses": {200: {"model": answers.PredictionAnswer, "content": {_JSON: {}, _NPY: BINARY}}},
    "openapi_extra": IMAGE_BODY,
}

_Told: TypeAlias = tuple[Ints, Floats]
_Write: TypeAlias = Callable[[Model, ModelInputs, _Told], bytes]

Alias = Annotated[str | None, Query(description="The version that this alias names, instead of `champion`.")]


@router.post("/predict", **_ANSWER)
async def predict(request: Request, service: ServiceDep, alias: Alias = None) -> Response:
    """Tell the digits in images, with the default model."""
    return await _predict(request, service, None, alias)


@router.post("/models/{name}/predict", **_ANSWER)
async def predict_with_model(name: str, request: Request, service: ServiceDep, alias: Alias = None) -> Response:
    """Tell the digits in images, with the champion of a model or the version that an alias names."""
    return await _predict(request, service, name, alias)


@router.post("/models/{name}/versions/{version}/predict", **_ANSWER)
async def predict_with_version(name: str, version: str, request: Request, service: ServiceDep) -> Response:
    """Tell the digits in images, with one version of a model."""
    return await _predict(request, service, name, version)


@router.post("/preprocess", response_class=Response, responses=PNG_ANSWER, openapi_extra=IMAGE_BODY)
async def preprocess(request: Request, service: ServiceDep) -> Response:
    """Return the 28x28 PNG that a model would see. Headers say, as JSON, what was done and what looks doubtful."""
    body = await read_images(request)

    def draw() -> Response:
        inputs = body.decode(service.limits)
        if len(inputs) != 1:
            raise InvalidInput("One image at a time can be shown.")
        steps, warnings = json.dumps(inputs.steps[0]), json.dumps(inputs.warnings[0])
        content = digit_picture(inputs.images[0], upscale=1, provenance={"preprocessing": steps})
        headers = {"X-Preprocessing-Steps": steps, "X-Preprocessing-Warnings": warnings}
        return Response(content, headers=headers, media_type=PNG)

    return await turns_of(request).run(draw, body.n_bytes)


async def _predict(request: Request, service: Service, name: str | None, reference: str | None) -> Response:
    """Decode, predict and write the answer."""
    as_table = header(request.scope, b"accept").strip().lower() == _NPY
    body = await read_images(request)
    stages = Stages()

    def work(cached: Model | None = None) -> Response:
        stages.next()
        model = cached or service.catalogue.get(name, reference)  # before decoding: the cheaper refusal
        manifest = model.manifest
        try:
            inputs = body.decode(service.limits)
        except ServiceError:
            service.metrics.inference.failed(manifest.name, manifest.version)
            raise
        if not as_table:
            return Response(_tell(service, model, inputs, _story, stages), media_type=_JSON)
        of_model = {"X-Model": f"{manifest.name}/{manifest.version}"}
        return Response(_tell(service, model, inputs, _table, stages), media_type=_NPY, headers=of_model)

    # What is small is predicted here: switching to a thread and back would take as long as the prediction itself.
    cached = service.catalogue.get_cached(name, reference) if body.is_small else None
    return work(cached) if cached else await turns_of(request).run(work, body.n_bytes)


def _tell(service: Service, model: Model, inputs: ModelInputs, write: _Write, stages: Stages) -> bytes:
    """Predict, write the answer, and count it."""
    stages.next()
    told = predict_images(model, inputs.images)
    stages.next()
    content = write(model, inputs, told)
    stages.next()
    manifest = model.manifest
    service.metrics.inference.succeeded(manifest.name, manifest.version, n_images=len(inputs), stages=stages)
    return content


def _story(model: Model, inputs: ModelInputs, told: _Told) -> bytes:
    return orjson.dumps(answer(model, inputs, told))


def _table(model: Model, inputs: ModelInputs, told: _Told) -> bytes:
    """Write the probabilities alone, a row an image: what of a large batch costs next to nothing."""
    file = BytesIO()
    np.save(file, told[1])
    return file.getvalue()
