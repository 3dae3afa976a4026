"""The model registry: immutable versions, aliases that move between them, and how well versions do on test images."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Header, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.charts import weights_picture
from service.errors import InvalidField, MalformedInput
from service.inference import compare, evaluate, import_weights, write_onnx
from service.jobs.drawing import ImageFormat
from service.registry import ALIAS_PATTERN, ALIAS_RULE, UNSET, Manifest, Model, Unset
from service.web import answers, explanation_answers, requests
from service.web.access_control import ADMIN, READ, TRAIN
from service.web.parameters import Parameters, ServiceDep
from service.web.pictures import (
    BINARY,
    CHART_ANSWER,
    PNG_ANSWER,
    ChartParameters,
    Picture,
    WeightsParameters,
    confusion_picture,
    entity_tag,
    file_answer,
    is_known,
    picture_answer,
)
from service.web.routing import noun_router
from service.web.turns import turns_of

router = noun_router("models")

_VERSION = re.compile(r'"?([0-9]{1,9})"?')
_ONE_MODEL = "name/version, the version a number or an alias"

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The version that the alias must name now, or 412.",
        json_schema_extra={"pattern": f"^{_VERSION.pattern}$"},
    ),
]
Alias = Annotated[str, Path(description=f"{ALIAS_RULE}.", json_schema_extra={"pattern": ALIAS_PATTERN})]
Label = Annotated[int, Field(ge=0, le=9)]

_FILE = "application/octet-stream"
_NPZ_ANSWER = file_answer("An `.npz` file: `best` and `last`, (n_inputs, n_outputs).", _FILE)
_ONNX_ANSWER = file_answer("An ONNX model: `image` to `probabilities` and `digit`.", _FILE)


class ImportParameters(Parameters):
    """What imported weights are of."""

    dataset: Annotated[str, Field(description="What its classes are of, and what it is measured on.")] = "mnist"
    classes: Annotated[
        str, Field(pattern="^([0-9](,[0-9]){0,9})?$", description="Of the outputs; all by default. As in `2,3`.")
    ] = ""
    publish: Annotated[Literal["best", "last"], Field(description="Which weights predictions use.")] = "best"


class EvaluationParameters(Parameters):
    """How much of an evaluation is listed."""

    hardest: Annotated[int, Field(ge=0, le=100, description="Images of the highest loss to list.")] = 20


class CellParameters(Parameters):
    """A cell of a confusion matrix."""

    true: Annotated[Label, Field(description="The class that the images are.")]
    predicted: Annotated[Label, Field(description="The class that they are predicted as.")]
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class CompareParameters(Parameters):
    """Which versions are compared."""

    model: Annotated[
        list[Annotated[str, Field(json_schema_extra={"pattern": "^[^/]+/[^/]+$"})]],
        Field(min_length=2, max_length=8, description=f"2 to 8 times {_ONE_MODEL}; the first is the baseline."),
    ]


@router.get("/models", dependencies=[READ], response_model=answers.ModelList)
def list_models(service: ServiceDep) -> Response:
    """List all models with their versions, their aliases, and the version that answers by default."""
    registry = service.registry
    models = [registry.summary(name).to_dict() for name in registry.names()]
    return JSONResponse({"models": models, "default": service.catalogue.default_name})


@router.get("/models/{name}", dependencies=[READ], response_model=answers.ModelDetail)
def get_model(name: str, service: ServiceDep) -> Response:
    """Return a model with what is known about each version."""
    versions = [version.to_dict() for version in service.registry.version_summaries(name)]
    return JSONResponse({**service.registry.summary(name).to_dict(), "versions": versions})


@router.post(
    "/models/{name}/versions",
    dependencies=[TRAIN],
    status_code=201,
    response_model=answers.VersionDetail,
    openapi_extra={"requestBody": {"required": True, "content": {_FILE: BINARY}}},
)
async def import_version(
    name: str, query: Annotated[ImportParameters, Query()], request: Request, service: ServiceDep
) -> Response:
    """Make the next version of a model of a weight file, as `weights.npz` gives it: `best` and `last`."""
    content = await request.body()
    labels = [int(label) for label in query.classes.split(",") if label]

    def work() -> Response:
        data = service.datasets.get(query.dataset)
        manifest = import_weights(
            service.registry, content, name=name, classes=labels, published=query.publish, dataset=data
        )
        headers = {"Location": f"/api/v1/models/{manifest.name}/versions/{manifest.version}"}
        return JSONResponse({**manifest.to_dict(), "aliases": [], "job_exists": False}, 201, headers)

    # Measuring takes as much memory as the largest body does.
    return await turns_of(request).run(work, service.settings.max_body_bytes)


@router.get("/models/{name}/versions/{version}", dependencies=[READ], response_model=answers.VersionDetail)
def get_version(name: str, version: str, service: ServiceDep) -> Response:
    """Return the manifest of a version, and the aliases that name it. An alias stands for its version."""
    registry = service.registry
    manifest = registry.manifest(name, registry.resolve(name, version))
    aliases = registry.aliases_of(name, manifest.version)
    exists = service.jobs.exists(manifest.job_id)
    return JSONResponse({**manifest.to_dict(), "aliases": aliases, "job_exists": exists})


@router.get(
    "/models/{name}/versions/{version}/weights.npz",
    dependencies=[READ],
    **_NPZ_ANSWER,
)
def get_weights(name: str, version: str, request: Request, service: ServiceDep) -> Response:
    """Return the weight file, verified against its checksum."""
    manifest = service.registry.manifest(name, service.registry.resolve(name, version))
    headers = _file_headers(manifest, "npz", manifest.weights_sha256)
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(service.registry.weights_bytes(name, manifest.version), headers=headers, media_type=_FILE)


@router.get(
    "/models/{name}/versions/{version}/weights.onnx",
    dependencies=[READ],
    **_ONNX_ANSWER,
)
def get_onnx(name: str, version: str, request: Request, service: ServiceDep) -> Response:
    """Return the published weights as an ONNX model, from images to probabilities and digits."""
    model = service.catalogue.get(name, version)
    headers = _file_headers(model.manifest, "onnx", (model.manifest.weights_sha256, model.manifest.provenance()))
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(write_onnx(model), headers=headers, media_type=_FILE)


@router.get(
    "/models/{name}/versions/{version}/weights.png",
    dependencies=[READ],
    **PNG_ANSWER,
)
async def weights_of_version(
    name: str, version: str, query: Annotated[WeightsParameters, Query()], request: Request, service: ServiceDep
) -> Response:
    """Draw the published weights: a 28x28 tile for each class, each weight a solid block."""

    def prepare() -> Picture:
        model = service.catalogue.get(name, version)
        manifest = model.manifest
        provenance = manifest.provenance()
        labels, tiles = manifest.tile_names, model.function.tiles(model.parameters)
        draw = partial(weights_picture, tiles, labels=labels, provenance=provenance, **query.style)
        return Picture(made_of=(manifest.weights_sha256, query.style, provenance), draw=draw)

    return await picture_answer(request, prepare)


@router.get(
    "/models/{name}/versions/{version}/evaluation",
    dependencies=[READ],
    response_model=explanation_answers.Evaluation,
)
def get_evaluation(
    name: str, version: str, query: Annotated[EvaluationParameters, Query()], service: ServiceDep
) -> Response:
    """Evaluate a version on the test images of its classes: confusion, calibration, the hardest images."""
    model = service.catalogue.get(name, version)
    return JSONResponse({**_names(model), **evaluate(model, service.datasets).to_dict(hardest=query.hardest)})


@router.get(
    "/models/{name}/versions/{version}/evaluation/images",
    dependencies=[READ],
    response_model=explanation_answers.ConfusionCell,
)
def get_images_of_cell(
    name: str, version: str, query: Annotated[CellParameters, Query()], service: ServiceDep
) -> Response:
    """List the test images in one cell of the confusion matrix, the highest loss first."""
    model = service.catalogue.get(name, version)
    evaluation = evaluate(model, service.datasets)
    return JSONResponse({**_names(model), **evaluation.cell(query.true, query.predicted, query.limit)})


@router.get(
    "/models/{name}/versions/{version}/confusion.{image_format}",
    dependencies=[READ],
    **CHART_ANSWER,
)
async def confusion_of_version(
    *,
    name: str,
    version: str,
    image_format: ImageFormat,
    query: Annotated[ChartParameters, Query()],
    request: Request,
    service: ServiceDep,
) -> Response:
    """Draw the confusion matrix of the test images."""

    def prepare() -> Picture:
        model = service.catalogue.get(name, version)
        manifest, evaluation = model.manifest, evaluate(model, service.datasets)
        return confusion_picture(
            evaluation.confusion(),
            manifest.class_names,
            title=f"Confusion: {manifest.name}, version {manifest.version}",
            of=f"test images of {evaluation.dataset}",
            size=query.size,
            image_format=image_format,
            provenance={**manifest.provenance(), "part": "test"},
        )

    return await picture_answer(request, prepare)


@router.get("/compare", dependencies=[READ], response_model=explanation_answers.ComparisonAnswer)
def compare_versions(query: Annotated[CompareParameters, Query()], service: ServiceDep) -> Response:
    """Compare versions on the same test images: differences, how certain they are, and whether it may be chance."""
    return JSONResponse(compare([_model(service, text) for text in query.model], service.datasets))


@router.put("/models/{name}/aliases/{alias}", dependencies=[ADMIN], response_model=answers.AliasEntry)
def move_alias(
    name: str, alias: Alias, body: requests.AliasMove, service: ServiceDep, if_match: IfMatch = None
) -> Response:
    """Let an alias name a version from now on, in one atomic step."""
    entry = service.registry.set_alias(name, alias, body.version, expected=_expected(if_match), reason=body.reason)
    return JSONResponse(entry.to_dict())


@router.delete("/models/{name}/aliases/{alias}", dependencies=[ADMIN], response_model=answers.AliasEntry)
def delete_alias(name: str, alias: Alias, service: ServiceDep, if_match: IfMatch = None) -> Response:
    """Let an alias name no version any more. Its history stays."""
    entry = service.registry.delete_alias(name, alias, expected=_expected(if_match))
    return JSONResponse(entry.to_dict())


@router.get("/models/{name}/aliases/{alias}/history", dependencies=[READ], response_model=answers.AliasHistory)
def get_alias_history(name: str, alias: str, service: ServiceDep) -> Response:
    """Return every move of an alias, the oldest first."""
    return JSONResponse({"history": [entry.to_dict() for entry in service.registry.alias_history(name, alias)]})


def _file_headers(manifest: Manifest, suffix: str, *made_of: Any) -> dict[str, str]:
    return {
        "ETag": entity_tag(*made_of),
        "Cache-Control": "no-cache",
        "Content-Disposition": f'attachment; filename="{manifest.name}-{manifest.version}.{suffix}"',
    }


def _expected(if_match: str | None) -> int | Unset:
    if if_match is None:
        return UNSET
    match = _VERSION.fullmatch(if_match)
    if match is None:
        raise MalformedInput("If-Match must name a version.", field="If-Match", allowed="the number of a version")
    return int(match[1])


def _model(service: ServiceDep, text: str) -> Model:
    name, _, reference = text.partition("/")
    if not name or not reference or "/" in reference:
        raise InvalidField(f"Each model must be {_ONE_MODEL}.", field="model", allowed=_ONE_MODEL)
    return service.catalogue.get(name, reference)


def _names(model: Model) -> dict[str, str | int]:
    return {"model": model.manifest.name, "version": model.manifest.version}
