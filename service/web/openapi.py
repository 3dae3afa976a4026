"""The OpenAPI document: what FastAPI collects, with the one shape that every error has."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from .access_control import API_KEY
from .problems import Problem

DESCRIPTION = """\
A glass-box training-and-inference service for handwritten digits: submit a training job, watch it learn, inspect
every weight, send an image and get the digit it shows.

Every error is [problem details](https://www.rfc-editor.org/rfc/rfc9457): `type` is stable and can be opened,
`errors` names each field and what it may be. Unknown fields and parameters are refused, numbers are strict.
Steps and epochs count from 0, times are UTC.
"""

TAGS: list[dict[str, Any]] = [
    {"name": "jobs", "description": "Train a model, and watch it."},
    {"name": "pictures", "description": "What a job looks like, while it runs and after."},
    {"name": "snapshots", "description": "The weights of a job at its checks, and what they predict."},
    {"name": "sweeps", "description": "Train a grid of hyperparameters, and compare its members."},
    {"name": "reports", "description": "Every number and figure of the course report, in one call."},
    {"name": "models", "description": "Immutable versions, and aliases that move between them."},
    {"name": "prediction", "description": "Images in, digits out."},
    {"name": "datasets", "description": "What models are trained on."},
    {"name": "inference protocol", "description": "The Open Inference Protocol, version 2."},
    {"name": "operations", "description": "Health, metrics, the audit log and the table of hyperparameters."},
]

_REFERENCES = "#/components/schemas/{model}"


def without_keys(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a service that needs no keys at the moment."""
    paths = {
        path: {
            method: {name: value for name, value in operation.items() if name != "security"}
            for method, operation in item.items()
        }
        for path, item in document["paths"].items()
    }
    components = {name: value for name, value in document["components"].items() if name != "securitySchemes"}
    return {**document, "paths": paths, "components": components}


def describe(app: FastAPI) -> None:
    """Add to the application's OpenAPI document what belongs to no single route."""
    collect = app.openapi

    def openapi() -> dict[str, Any]:
        document = collect()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            problem = Problem.model_json_schema(ref_template=_REFERENCES)
            schemas.update(problem.pop("$defs"))
            schemas["Problem"] = problem
            scheme = API_KEY.model.model_dump(mode="json", by_alias=True, exclude_none=True)
            document["components"]["securitySchemes"] = {API_KEY.scheme_name: scheme}
            operations = [operation for item in document["paths"].values() for operation in item.values()]
            for parameter in (each for operation in operations for each in operation.get("parameters", ())):
                _remove_null(parameter["schema"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _remove_null(schema: dict[str, Any]) -> None:
    """Document a parameter that may be left out as what it is otherwise: in an address nothing is null."""
    options = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    if len(options) == 1:
        schema.update(options[0])
    elif options:
        schema["anyOf"] = options
