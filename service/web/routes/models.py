"""The model registry: immutable versions, and aliases that move between them."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Header, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.charts import weights_picture
from service.errors import MalformedInput
from service.inference import import_weights, write_onnx
from service.registry import UNSET, Unset
from service.web import answers, requests
from service.web.dependencies import ServiceDep
from service.web.pictures import PNG_ANSWER, Picture, entity_tag, is_known, picture_answer
from service.web.routing import noun_router
from service.web.turns import turns_of
from service.web.weights_style import WeightsStyleDep

router = noun_router("models")

_VERSION = re.compile(r'"?([0-9]{1,9})"?')

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The version that the alias must name now, or 412.",
        json_schema_extra={"pattern": f"^{_VERSION.pattern}$"},
    ),
]

_NPZ = "application/octet-stream"
_NPZ_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "An `.npz` file: `best` and `last`, (785, n_outputs).", "content": {_NPZ: {}}},
    304: {"description": "The client's copy, named by `If-None-Match`, is up to date."},
}

_ONNX_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "An ONNX model: `image` to `probabilities` and `digit`.", "content": {_NPZ: {}}},
    304: _NPZ_ANSWER[304],
}


@router.get("/models", responses={200: {"model": answers.ModelList}})
def list_models(service: ServiceDep) -> Response:
    """List all models with their versions, their aliases, and the version that answers by default."""
    registry = service.registry
    models = [registry.summary(name).to_dict() for name in registry.names()]
    return JSONResponse({"models": models, "default": service.catalogue.default_name})


@router.get("/models/{name}", responses={200: {"model": answers.ModelDetail}})
def get_model(name: str, service: ServiceDep) -> Response:
    """Return a model with what is known about each version."""
    versions = [version.to_dict() for version in service.registry.version_summaries(name)]
    return JSONResponse({**service.registry.summary(name).to_dict(), "versions": versions})


@router.get("/models/{name}/versions/{version}", responses={200: {"model": answers.VersionDetail}})
def get_version(name: str, version: str, service: ServiceDep) -> Response:
    """Return the manifest of a version, and the aliases that name it. An alias stands for its version."""
    registry = service.registry
    manifest = registry.manifest(name, registry.resolve(name, version))
    aliases = registry.aliases_of(name, manifest.version)
    exists = service.jobs.exists(manifest.job_id)
    return JSONResponse({**manifest.to_dict(), "aliases": aliases, "job_exists": exists})


@router.get("/models/{name}/versions/{version}/weights.npz", response_class=Response, responses=_NPZ_ANSWER)
def get_weights(name: str, version: str, request: Request, service: ServiceDep) -> Response:
    """Return the weight file, verified against its checksum."""
    manifest = service.registry.manifest(name, service.registry.resolve(name, version))
    headers = {
        "ETag": entity_tag(manifest.weights_sha256),
        "Cache-Control": "no-cache",
        "Content-Disposition": f'attachment; filename="{name}-{manifest.version}.npz"',
    }
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(service.registry.weights_bytes(name, manifest.version), headers=headers, media_type=_NPZ)


@router.get("/models/{name}/versions/{version}/weights.onnx", response_class=Response, responses=_ONNX_ANSWER)
def get_onnx(name: str, version: str, request: Request, service: ServiceDep) -> Response:
    """Return the published weights as an ONNX model, from images to probabilities and digits."""
    model = service.catalogue.get(name, version)
    manifest = model.manifest
    headers = {
        "ETag": entity_tag((manifest.weights_sha256, manifest.provenance())),
        "Cache-Control": "no-cache",
        "Content-Disposition": f'attachment; filename="{name}-{manifest.version}.onnx"',
    }
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(write_onnx(model), headers=headers, media_type=_NPZ)


@router.post(
    "/models/{name}/versions",
    status_code=201,
    responses={201: {"model": answers.VersionDetail}},
    openapi_extra={"requestBody": {"required": True, "content": {_NPZ: {"schema": {"type": "string"}}}}},
)
async def import_version(
    *,
    name: str,
    request: Request,
    service: ServiceDep,
    dataset: Annotated[str, Query(description="What its classes are of, and what it is measured on.")] = "mnist",
    classes: Annotated[
        str, Query(pattern="^([0-9](,[0-9]){0,9})?$", description="Of the outputs; all by default. As in `2,3`.")
    ] = "",
    publish: Annotated[Literal["best", "last"], Query(description="Which weights predictions use.")] = "best",
) -> Response:
    """Make the next version of a model of a weight file, as `weights.npz` gives it: `best` and `last`."""
    content = await request.body()
    labels = [int(label) for label in classes.split(",") if label]

    def work() -> Response:
        data = service.datasets.get(dataset)
        manifest = import_weights(service.registry, content, name=name, classes=labels, published=publish, dataset=data)
        headers = {"Location": f"/api/v1/models/{manifest.name}/versions/{manifest.version}"}
        return JSONResponse({**manifest.to_dict(), "aliases": [], "job_exists": False}, 201, headers)

    # Measuring takes as much memory as the largest body does.
    return await turns_of(request).run(work, service.settings.max_body_bytes)


@router.get("/models/{name}/versions/{version}/weights.png", response_class=Response, responses=PNG_ANSWER)
async def weights_of_version(
    name: str, version: str, style: WeightsStyleDep, request: Request, service: ServiceDep
) -> Response:
    """Draw the published weights: a 28x28 tile for each class, each weight a solid block."""

    def prepare() -> Picture:
        model = service.catalogue.get(name, version)
        manifest = model.manifest
        provenance = manifest.provenance()
        labels = manifest.output_names
        draw = partial(weights_picture, model.weights, labels=labels, provenance=provenance, **style.arguments)
        return Picture(made_of=(manifest.weights_sha256, style, provenance), draw=draw)

    return await picture_answer(request, prepare)


@router.put("/models/{name}/aliases/{alias}", responses={200: {"model": answers.AliasEntry}})
def move_alias(
    name: str,
    alias: str,
    body: requests.AliasMove,
    service: ServiceDep,
    if_match: IfMatch = None,
) -> Response:
    """Let an alias name a version from now on, in one atomic step."""
    entry = service.registry.set_alias(name, alias, body.version, expected=_expected(if_match), reason=body.reason)
    return JSONResponse(entry.to_dict())


@router.delete("/models/{name}/aliases/{alias}", responses={200: {"model": answers.AliasEntry}})
def delete_alias(
    name: str,
    alias: str,
    service: ServiceDep,
    if_match: IfMatch = None,
) -> Response:
    """Let an alias name no version any more. Its history stays."""
    entry = service.registry.delete_alias(name, alias, expected=_expected(if_match))
    return JSONResponse(entry.to_dict())


@router.get("/models/{name}/aliases/{alias}/history", responses={200: {"model": answers.AliasHistory}})
def get_alias_history(name: str, alias: str, service: ServiceDep) -> Response:
    """Return every move of an alias, the oldest first."""
    return JSONResponse({"history": [entry.to_dict() for entry in service.registry.alias_history(name, alias)]})


def _expected(if_match: str | None) -> int | Unset:
    if if_match is None:
        return UNSET
    match = _VERSION.fullmatch(if_match)
    if match is None:
        raise MalformedInput("If-Match must name a version.", field="If-Match", allowed="the number of a version")
    return int(match[1])
