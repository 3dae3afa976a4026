"""The Open Inference Protocol, version 2: the addresses that Triton's and KServe's clients know."""

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from anyio.to_thread import run_sync
from fastapi import APIRouter
from starlette.responses import Response

from service import __version__
from service.bootstrap import Service
from service.core import IMAGE_SIDE_PX
from service.datasets import gunzip
from service.errors import InvalidField
from service.inference import ModelInputs
from service.metrics import STAGES, InferenceFigures
from service.registry import Manifest, Model
from service.web.access_control import PREDICT, PUBLIC
from service.web.batches import Predicted, PredictionRequest, batches_of
from service.web.inference_protocol import (
    DIGIT,
    HEADER_LENGTH,
    INPUT,
    PROBABILITIES,
    InferRequest,
    parse_infer_request,
    write_infer_response,
)
from service.web.problems import ProtocolError, problem_response
from service.web.requests import ServiceDep
from service.web.routing import BoundedRequest, JsonAnswer, Route
from service.web.strict_json import parse_json

from .operations import works

_BINARY = "application/octet-stream"
_PLATFORM = "inkling_numpy"
_SMALL_BYTES = 16_384
_ERROR: dict[str, Any] = {"description": "What was wrong, and what is allowed.", "model": ProtocolError}
_TENSORS = "A tensor `image`, UINT8 or FP32 from 0 to 255, `[n, 28, 28]` or `[n, 784]`, in JSON or as bytes after it."
_INFER: dict[str, Any] = {
    "responses": {200: {"content": {"application/json": {}, _BINARY: {}}}},
    "dependencies": [PREDICT],
    "openapi_extra": {
        "parameters": [
            {
                "name": HEADER_LENGTH,
                "in": "header",
                "description": "Bytes of the JSON, where those of a tensor follow it.",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "description": _TENSORS,
            "content": {
                "application/json": {"schema": {"type": "object", "required": ["inputs"]}},
                _BINARY: {"schema": {"type": "string", "format": "binary"}},
            },
        },
    },
}


class _ProtocolRoute(Route):
    encodings: ClassVar[tuple[str, ...]] = ("identity", "gzip")
    """Clients of the protocol may compress what they send."""


_INDEXED_VERSIONS = 200
"""Of each model in the index: the newest."""

router = APIRouter(
    prefix="/v2", tags=["inference protocol"], responses={"4XX": _ERROR, "5XX": _ERROR}, route_class=_ProtocolRoute
)


@router.post("/models/{name}/infer", name="infer", **_INFER)
@router.post("/models/{name}/versions/{version}/infer", name="infer_with_version", **_INFER)
async def infer(request: BoundedRequest) -> Response:
    """Predict the digits in images, with the champion of a model, or the version that is named or has the alias."""
    service: Service = request.app.state.service
    content, header_length = await request.body(), request.headers.get(HEADER_LENGTH)
    is_packed = request.coding != "identity"
    parsed: InferRequest | None = None

    def parse() -> ModelInputs:
        nonlocal parsed
        parsed = parse_infer_request(_expanded(request, content), header_length, service.limits)
        nothing = ((),) * len(parsed.images)  # of steps and warnings, which this protocol does not show
        return ModelInputs(images=parsed.images, steps=nothing, warnings=nothing)

    def write(model: Model, predicted: Predicted) -> Response:
        assert parsed is not None
        body, json_bytes = write_infer_response(parsed, model.manifest, predicted.labels, predicted.probabilities)
        if json_bytes is None:
            return Response(body, media_type="application/json")
        return Response(body, headers={HEADER_LENGTH: str(json_bytes)}, media_type=_BINARY)

    n_bytes = service.settings.max_body_bytes if is_packed else len(content)  # what is packed may be large
    asked = PredictionRequest(
        of=_asked(request),
        thresholds=None,
        decode=parse,
        decode_small=lambda: parse() if n_bytes <= _SMALL_BYTES else None,
        n_bytes=n_bytes,
        write=write,
    )
    return await batches_of(request).respond(request, asked)


@router.get("", dependencies=[PREDICT])
async def server_metadata() -> Response:
    """Return the server's name and version, and which extensions of the protocol it has."""
    extensions = ["binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics"]
    return JsonAnswer({"name": "inkling", "version": __version__, "extensions": extensions})


@router.get("/health/live", dependencies=[PUBLIC])
async def server_live() -> Response:
    """Answer if the process does."""
    return JsonAnswer({"live": True})


@router.get("/health/ready", dependencies=[PUBLIC])
def server_ready(request: BoundedRequest, service: ServiceDep) -> Response:
    """Answer 200 if any model can answer, else 503."""
    if any(works(partial(service.catalogue.get, name)) for name in (None, *service.registry.names())):
        return JsonAnswer({"ready": True})
    return problem_response(request.scope, "not-ready", "No model can answer.")


@router.get("/models/stats", dependencies=[PREDICT])
def all_statistics(service: ServiceDep) -> Response:
    """Return how often each version predicted since the start, and how long it took."""
    registry = service.registry
    return _statistics(service, ((name, version) for name in registry.names() for version in registry.versions(name)))


@router.get("/models/{name}/stats", dependencies=[PREDICT], name="model_statistics")
@router.get("/models/{name}/versions/{version}/stats", dependencies=[PREDICT], name="version_statistics")
def statistics(request: BoundedRequest, service: ServiceDep) -> Response:
    """Return how often each version of a model, or the one named, predicted since the start, and how long it took."""
    name, version = _asked(request)
    registry = service.registry
    numbers = registry.versions(name) if version is None else [registry.resolve(name, version)]
    return _statistics(service, ((name, number) for number in numbers))


@router.get("/models/{name}", dependencies=[PREDICT], name="model_metadata")
@router.get("/models/{name}/versions/{version}", dependencies=[PREDICT], name="version_metadata")
def metadata(request: BoundedRequest, service: ServiceDep) -> Response:
    """Return the tensors of a version, by default the one that answers. An alias stands for its version."""
    name, version = _asked(request)
    registry = service.registry
    manifest = registry.manifest(name, registry.resolve(name, version))
    versions = registry.versions(name) if version is None else (manifest.version,)
    numbers = [str(number) for number in versions]
    return JsonAnswer({"name": name, "versions": numbers, "platform": _PLATFORM, **_tensors(manifest)})


@router.get("/models/{name}/config", dependencies=[PREDICT], name="model_config")
@router.get("/models/{name}/versions/{version}/config", dependencies=[PREDICT], name="version_config")
def configuration(request: BoundedRequest, service: ServiceDep) -> Response:
    """Return the configuration of a version as Triton has it: its tensors without their batch, and the most of one."""
    name, version = _asked(request)
    registry = service.registry
    tensors = _tensors(registry.manifest(name, registry.resolve(name, version)))

    def configured(kind: str) -> list[dict[str, Any]]:
        return [
            {"name": each["name"], "data_type": f"TYPE_{each['datatype']}", "dims": each["shape"][1:]}
            for each in tensors[kind]
        ]

    return JsonAnswer(
        {
            "name": name,
            "platform": _PLATFORM,
            "max_batch_size": service.limits.max_images_per_request,
            "input": configured("inputs"),
            "output": configured("outputs"),
        }
    )


@router.get("/models/{name}/ready", dependencies=[PREDICT], name="model_ready")
@router.get("/models/{name}/versions/{version}/ready", dependencies=[PREDICT], name="version_ready")
def ready(request: BoundedRequest, service: ServiceDep) -> Response:
    """Answer 200 if a version, by default the one that answers, can: its weights are loaded and verified."""
    name, version = _asked(request)
    manifest = service.catalogue.get(name, version).manifest
    return JsonAnswer({"name": name, "version": str(manifest.version), "ready": True})


@router.post("/repository/index", dependencies=[PREDICT])
async def repository_index(request: BoundedRequest, service: ServiceDep) -> Response:
    """List all versions of all models; with `{"ready": true}` only those that can answer. The body may be empty."""
    body = await _body(request)
    options = parse_json(body) if body else {}
    ready = options.get("ready", False) if isinstance(options, dict) else None
    if not isinstance(ready, bool):
        raise InvalidField("ready must be true or false.", field="ready", allowed='{"ready": true} or nothing')
    return JsonAnswer(await run_sync(_index, service, ready))


def _index(service: Service, only_ready: bool) -> list[dict[str, str]]:
    registry = service.registry
    return [
        {
            "name": name,
            "version": str(version["version"]),
            "state": "READY" if version["state"] == "ready" else "UNAVAILABLE",
            "reason": "" if version["state"] == "ready" else "its manifest is damaged",
        }
        for name in registry.names()
        for version in registry.version_summaries(name, limit=_INDEXED_VERSIONS)[0]
        if version["state"] == "ready" or not only_ready
    ]


def _asked(request: BoundedRequest) -> tuple[str, str | None]:
    """Return the model of an address, and the version or alias if it names one."""
    return request.path_params["name"], request.path_params.get("version")


def _tensors(manifest: Manifest) -> dict[str, list[dict[str, Any]]]:
    labels = {"labels": list(manifest.class_names)}
    probabilities = {"datatype": "FP32", "shape": [-1, len(manifest.classes)], "parameters": labels}
    return {
        "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, IMAGE_SIDE_PX, IMAGE_SIDE_PX]}],
        "outputs": [{"name": PROBABILITIES, **probabilities}, {"name": DIGIT, "datatype": "INT64", "shape": [-1]}],
    }


async def _body(request: BoundedRequest) -> bytes:
    return await run_sync(_expanded, request, await request.body())


def _expanded(request: BoundedRequest, content: bytes) -> bytes:
    if request.coding == "identity":
        return content
    return gunzip(content, limit_bytes=request.app.state.service.settings.max_body_bytes)


def _statistics(service: Service, versions: Iterable[tuple[str, int]]) -> Response:
    figures = service.metrics.inference_figures()
    return JsonAnswer({"model_stats": [_statistics_of(*key, figures.get(key, InferenceFigures())) for key in versions]})


def _statistics_of(name: str, version: int, figures: InferenceFigures) -> dict[str, Any]:
    count = int(figures.counts["request_success"])

    def duration(part: str) -> dict[str, int]:
        return {"count": count, "ns": round(1000 * figures.duration_us[part])}

    none = {"count": 0, "ns": 0}
    return {
        "name": name,
        "version": str(version),
        "last_inference": round(1000 * figures.last_at_s),
        "inference_count": int(figures.counts["count"]),
        "execution_count": int(figures.counts["exec_count"]),
        "inference_stats": {
            "success": duration("request"),
            "fail": {**none, "count": int(figures.counts["request_failure"])},
            **{stage: duration(stage) for stage in STAGES},
            "cache_hit": none,
            "cache_miss": none,
        },
        "batch_stats": [],
    }
