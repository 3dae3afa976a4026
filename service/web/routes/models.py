"""The model registry: immutable versions, aliases that move between them, and how well versions do on test images."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Header, Path
from pydantic import ConfigDict, Field, with_config
from starlette.responses import Response

from service.charts import Drawing, DrawnLayer, architecture_picture
from service.core import Check, Operation
from service.errors import MalformedInput
from service.inference import INPUT_SCALINGS, LAYER_ACTIVATIONS, prepare_weights, write_onnx
from service.registry import ALIAS_PATTERN, ALIAS_RULE, MAX_VERSION, UNSET, AliasEntry, Manifest, Unset
from service.web import requests
from service.web.access_control import ADMIN, READ, TRAIN
from service.web.pictures import BINARY, BYTES, PNG_ANSWER, SVG, LayerPictureParameters, file_answer
from service.web.requests import CLASSES_PATTERN, DECIMAL, NamesPage, Page, Parameters, ServiceDep
from service.web.routing import Answer, BoundedRequest, JsonAnswer, NextPage, answer, noun_router

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
VersionNumber = Annotated[
    int, Path(ge=1, le=MAX_VERSION, description="A number; an alias does not stand for it."), DECIMAL
]
Alias = Annotated[str, Path(description=f"{ALIAS_RULE}.", json_schema_extra={"pattern": ALIAS_PATTERN})]

_OUTPUTS = {"softmax": "softmax", "binary": "sigmoid"}

# An operation in an answer has the fields that its kind has.
with_config(ConfigDict(json_schema_serialization_defaults_required=False))(Operation)

_NPZ_ANSWER = file_answer("An `.npz` file: `best` and `last`, (n_inputs, n_outputs).", BYTES)
_ONNX_ANSWER = file_answer("An ONNX model: `image` to `probabilities` and `digit`.", BYTES)


class Tensor(Answer):
    """A matrix among the parameters of a model, its biases in the last row."""

    name: str
    shape: list[int]


class VersionSummaryAnswer(Answer):
    """A version in a listing."""

    title: str
    tags: list[str]
    notes: str
    version: int
    state: Literal["ready", "corrupted"] = Field(description="corrupted: its manifest is damaged, so it is not used.")
    model: str | None
    classes: list[int] | None
    class_names: list[str] | None
    published: Literal["best", "last"] | None
    metrics: Check | None = Field(description="Of the published weights.")
    created_at: datetime | None
    job_id: str | None


class ModelSummaryAnswer(Answer):
    """A model in a listing."""

    name: str
    state: Literal["ready", "corrupted"]
    versions: list[int]
    tags: list[str] = Field(description="Those of all its versions.")
    aliases: dict[str, int] | None
    default: VersionSummaryAnswer | None = Field(description="Used when a request names neither version nor alias.")


ModelList = answer(
    "ModelList",
    "Models, in the order of their names.",
    models=list[ModelSummaryAnswer],
    next=NextPage,
    default=Annotated[str, Field(description="The name of the model that answers when none is named.")],
)


class ModelDetail(Answer):
    """A model with its newest versions, the oldest of them first."""

    name: str
    state: Literal["ready", "corrupted"]
    versions: list[VersionSummaryAnswer]
    next: str | None = Field(description="Pass it as `before` for older versions; null on the last page.")
    tags: list[str] = Field(description="Those of all its versions.")
    aliases: dict[str, int] | None
    default: VersionSummaryAnswer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDetail(Manifest):
    """The manifest of a version: how it was trained, how well it did, what its weight file must be."""

    aliases: Annotated[list[str], Field(description="Those that name it now.")]
    job_exists: Annotated[
        bool | None, Field(description="Whether that job is on this server; null while the database is away.")
    ]
    title: str
    tags: list[str]
    notes: str
    tensors: Annotated[list[Tensor], Field(description="What its parameters are.")]
    operations: Annotated[list[Operation], Field(description="The steps from grey levels to probabilities.")]


AliasHistory = answer("AliasHistory", "Every move of an alias, the oldest first.", history=list[AliasEntry])


class VersionsPage(Page):
    """A page of versions."""

    limit: int = Field(100, ge=1, le=200)


class ImportParameters(Parameters):
    """What imported weights are of."""

    dataset: str | None = Field(
        None,
        description="What its classes are of, and what it is measured and calibrated on. By default `mnist` or, of "
        "weights for another number of classes, the only data set that has so many.",
    )
    calibrate: bool = Field(
        True, description="Fit the temperature to the test images. False keeps what the file computes."
    )
    classes: str = Field("", pattern=CLASSES_PATTERN, description="Of the outputs; all by default. As in `2,3`.")
    publish: Literal["best", "last"] = Field("best", description="Which weights predictions use.")
    activation: Literal[LAYER_ACTIVATIONS] | None = Field(  # type: ignore[valid-type]
        None, description="Of hidden layers, where the file does not say."
    )
    input_scaling: Literal[INPUT_SCALINGS] | None = Field(  # type: ignore[valid-type]
        None,
        description="What the first layer takes, where the file does not say: `unit` is pixel / 255, `bytes` the "
        "pixel itself. Of a linear model in a `.npz` file it is `range`.",
    )


@router.get("/models", dependencies=[READ], response_model=ModelList)
def list_models(query: NamesPage, service: ServiceDep) -> Any:
    """List the models with their versions, their aliases, and the default version; found by any of their versions."""
    return {**service.page("models", **query.asked), "default": service.catalogue.default_name}


@router.get("/models/{name}", dependencies=[READ], response_model=ModelDetail)
def get_model(name: str, query: VersionsPage, service: ServiceDep) -> Any:
    """Return a model with what is known about its newest versions."""
    before = None if query.before is None else int(query.before)
    return service.annotations.model(name, limit=query.limit, before=before)


@router.post(
    "/models/{name}/versions",
    dependencies=[TRAIN],
    status_code=201,
    response_model=VersionDetail,
    openapi_extra={"requestBody": {"required": True, "content": {BYTES: BINARY}}},
)
async def import_version(name: str, query: ImportParameters, request: BoundedRequest, service: ServiceDep) -> Response:
    """Make the next version of a model of an `.npz` or ONNX file of dense layers."""
    content = await request.body()
    options = {**query.model_dump(), "classes": [int(label) for label in query.classes.split(",") if label]}

    def work() -> Response:
        version = service.import_weights(name, content, **options).version
        return JsonAnswer(
            service.annotations.version(name, version), 201, {"Location": f"/api/v1/models/{name}/versions/{version}"}
        )

    # Measuring takes about as much memory as the largest body does.
    return await request.limits.run(work, service.settings.max_body_bytes)


@router.get("/models/{name}/versions/{version}", dependencies=[READ], response_model=VersionDetail)
def get_version(name: str, version: str, service: ServiceDep) -> Any:
    """Return the manifest of a version, and the aliases that name it. An alias stands for its version."""
    return service.annotations.version(name, service.registry.resolve(name, version))


@router.patch("/models/{name}/versions/{version}", dependencies=[TRAIN], response_model=VersionDetail)
def annotate_version(name: str, version: VersionNumber, body: requests.AnnotationChange, service: ServiceDep) -> Any:
    """Change the title, the tags or the notes of a version; its manifest and its weights stay as they are."""
    service.annotations.change("versions", f"{name}/{version}", body.model_dump(exclude_unset=True))
    return service.annotations.version(name, version)


@router.delete("/models/{name}/versions/{version}", dependencies=[ADMIN], status_code=204)
def delete_version(name: str, version: VersionNumber, service: ServiceDep) -> None:
    """Delete a version that no alias and no unfinished job needs. No other version gets its number."""
    service.deletion.version(name, version)


@router.delete("/models/{name}", dependencies=[ADMIN], status_code=204)
def delete_model(name: str, service: ServiceDep) -> None:
    """Delete all versions of a model, and its aliases. Repeat it if it was interrupted."""
    service.deletion.model(name)


@router.get("/models/{name}/versions/{version}/weights.npz", dependencies=[READ], **_NPZ_ANSWER)
def get_weights(name: str, version: str, service: ServiceDep) -> Drawing:
    """Return the weight file, verified against its checksum."""
    manifest = service.registry.manifest(name, service.registry.resolve(name, version))
    read = partial(service.registry.weights_bytes, name, manifest.version)
    return _file(manifest, "npz", read, manifest.weights_sha256)


@router.get("/models/{name}/versions/{version}/weights.onnx", dependencies=[READ], **_ONNX_ANSWER)
def get_onnx(name: str, version: str, service: ServiceDep) -> Drawing:
    """Return the published weights as an ONNX model, from images to probabilities and digits."""
    model = service.catalogue.get(name, version)
    manifest = model.manifest
    return _file(manifest, "onnx", partial(write_onnx, model), manifest.weights_sha256, manifest.provenance())


@router.get("/models/{name}/versions/{version}/weights.png", dependencies=[READ], **PNG_ANSWER)
def weights_of_version(name: str, version: str, query: LayerPictureParameters, service: ServiceDep) -> Drawing:
    """Draw the published weights: a 28x28 tile for each class or unit, each weight a solid block."""
    model = service.catalogue.get(name, version)
    return prepare_weights(model, service.datasets, layer=query.layer, **query.style)


@router.get(
    "/models/{name}/versions/{version}/architecture.svg", dependencies=[READ], **file_answer("An SVG file.", SVG)
)
def draw_architecture(name: str, version: str, service: ServiceDep) -> Drawing:
    """Draw the layers of a version with their sizes, activations and numbers of parameters."""
    manifest = service.registry.manifest(name, service.registry.resolve(name, version))
    function, provenance = manifest.build_model(), manifest.provenance()
    height, width = manifest.image_shape
    layers = [DrawnLayer(title="pixels", function=f"{height} × {width}, scaled", n_units=height * width)]
    *hidden, last = [tensor.shape for tensor in function.layout.tensors]
    for number, shape in enumerate(hidden, 1):
        activation = manifest.config["activation"]
        layers.append(DrawnLayer(title=f"layer {number}", function=activation, n_units=shape[1], shape=shape))
    names, output = function.output.names(manifest.class_names), _OUTPUTS.get(function.output.operation.kind, "")
    layers.append(DrawnLayer(title="outputs", function=output, n_units=last[1], shape=last, names=names))
    title = f"{manifest.name}, version {manifest.version}"
    draw = partial(architecture_picture, layers, title=title, provenance=provenance)
    return Drawing(made_of=(layers, title, provenance), draw=draw, media_type=SVG)


@router.put("/models/{name}/aliases/{alias}", dependencies=[ADMIN])
def move_alias(
    name: str, alias: Alias, body: requests.AliasMove, service: ServiceDep, if_match: IfMatch = None
) -> AliasEntry:
    """Let an alias name a version from now on, in one atomic step."""
    return service.registry.set_alias(name, alias, body.version, expected=_expected(if_match), reason=body.reason)


@router.delete("/models/{name}/aliases/{alias}", dependencies=[ADMIN])
def delete_alias(name: str, alias: Alias, service: ServiceDep, if_match: IfMatch = None) -> AliasEntry:
    """Let an alias name no version any more. Its history stays."""
    return service.registry.delete_alias(name, alias, expected=_expected(if_match))


@router.get("/models/{name}/aliases/{alias}/history", dependencies=[READ], response_model=AliasHistory)
def get_alias_history(name: str, alias: str, service: ServiceDep) -> Any:
    """Return every move of an alias, the oldest first."""
    return {"history": service.registry.alias_history(name, alias)}


def _file(manifest: Manifest, suffix: str, read: Callable[[], bytes], *made_of: Any) -> Drawing:
    name = f'attachment; filename="{manifest.name}-{manifest.version}.{suffix}"'
    return Drawing(made_of=made_of, draw=read, media_type=BYTES, headers=(("Content-Disposition", name),))


def _expected(if_match: str | None) -> int | Unset:
    if if_match is None:
        return UNSET
    match = _VERSION.fullmatch(if_match)
    if match is None:
        raise MalformedInput("If-Match must name a version.", field="If-Match", allowed="the number of a version")
    return int(match[1])
