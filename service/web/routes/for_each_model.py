"""Routes that exist three times: for the default model, for a named one, and for one version of it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

from fastapi import APIRouter
from pydantic import Field, create_model
from starlette.responses import Response

from service.web.access_control import PREDICT
from service.web.batches import Reference
from service.web.requests import Parameters
from service.web.routing import BoundedRequest

_Query = TypeVar("_Query", bound=Parameters)
_Answer: TypeAlias = Callable[[BoundedRequest, _Query, Reference], Awaitable[Response]]

_ADDRESSES = {
    "": ("", "the default model"),
    "/models/{name}": ("_with_model", "the champion of a model or the version that an alias names"),
    "/models/{name}/versions/{version}": ("_with_version", "one version of a model"),
}
"""Of each the end of its operation's name, and what answers, in words."""


class AliasParameters(Parameters):
    """Which version of a model answers."""

    alias: str | None = Field(None, description="The version that this alias names, instead of `champion`.")


def for_each_model(
    router: APIRouter, verb: str, kind: type[_Query], body: dict[str, Any], **options: Any
) -> Callable[[_Answer[_Query]], _Answer[_Query]]:
    """Add three routes of a function of a request, its parameters and what answers.

    The routes read their parameters themselves: FastAPI's dependencies would take as long as all the rest of a
    prediction. ``{model}`` in its docstring stands for what answers.

    Parameters
    ----------
    kind : of the query parameters; where no version is named, an ``alias`` can be in addition.
    body : OpenAPI's ``requestBody``.
    """
    by_alias: Any = create_model(f"{kind.__name__}ByAlias", __base__=(kind, AliasParameters))

    def decorate(answer: _Answer[_Query]) -> _Answer[_Query]:
        first: str = answer.__name__
        stem = verb if verb.isalpha() else first
        for address, (end, model) in _ADDRESSES.items():
            takes: Any = kind if "{version}" in address else by_alias
            router.add_api_route(
                f"{address}/{verb}",
                _endpoint(takes, answer),
                methods=["POST"],
                name=f"{stem}{end}" if end else first,
                description=(answer.__doc__ or "").format(model=model),
                dependencies=[PREDICT],
                openapi_extra={**body, "parameters": takes.documented()},
                **options,
            )
        return answer

    return decorate


def _endpoint(kind: type[_Query], answer: _Answer[_Query]) -> Callable[[BoundedRequest], Awaitable[Response]]:
    async def endpoint(request: BoundedRequest) -> Response:
        query = kind.of(request) if request.scope["query_string"] else kind()
        version = request.path_params.get("version") or getattr(query, "alias", None)
        return await answer(request, query, (request.path_params.get("name"), version))

    return endpoint
