"""What a person opens in a browser: the front page, the documentation of the API, the meaning of a problem."""

from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from service.web.access_control import PUBLIC, SecuredRoute
from service.web.middleware import CONTENT_SECURITY_POLICY, policy
from service.web.problems import PROBLEM_TYPES, title
from service.web.routing import JsonAnswer

router = APIRouter(include_in_schema=False, route_class=SecuredRoute)

_STATIC = Path(__file__).parent.parent / "static"

# Browsers cache them and revalidate each time, mostly with 304: modules of two releases must not be mixed.
_ASK_FIRST = {"Cache-Control": "no-cache"}

# Swagger UI's style sheet holds its icons as data: addresses.
_DOCS_POLICY = policy({**CONTENT_SECURITY_POLICY, "img-src": "'self' data:"})


class PageFiles(StaticFiles):
    """The files of the page: what lies in their folder, and nothing else."""

    def __init__(self) -> None:
        super().__init__(directory=_STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """See `StaticFiles.get_response`."""
        answer = await super().get_response(path, scope)
        answer.headers.update(_ASK_FIRST)
        return answer


@router.get("/", dependencies=[PUBLIC])
async def front_page() -> Response:
    """Show the page: draw, train, watch, and look at what there is."""
    return FileResponse(_STATIC / "index.html", headers=_ASK_FIRST)


@router.get("/docs", dependencies=[PUBLIC])
async def documentation() -> Response:
    """Show the API with Swagger UI, which comes with the package."""
    return FileResponse(_STATIC / "docs.html", headers={"Content-Security-Policy": _DOCS_POLICY})


@router.get("/openapi.json", dependencies=[PUBLIC])
async def description(request: Request) -> Response:
    """Return the API as an OpenAPI document."""
    document = await run_sync(request.app.openapi)  # the first time it takes a second
    return JsonAnswer(_without_keys(document) if await request.app.state.access_control.needs_no_key() else document)


@router.get("/favicon.ico", dependencies=[PUBLIC])
async def favicon() -> Response:
    """Browsers ask for it by themselves."""
    return FileResponse(_STATIC / "favicon.ico")


@router.get("/problems/{code}", dependencies=[PUBLIC])
async def explain_problem(code: str) -> Response:
    """Say what the ``type`` of a problem means."""
    problem = PROBLEM_TYPES.get(code)
    if problem is None:
        raise HTTPException(404)
    body = {"type": f"/problems/{code}", "title": title(code), "status": problem.status, "meaning": problem.meaning}
    return JsonAnswer(body)


def _without_keys(document: dict[str, Any]) -> dict[str, Any]:
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
