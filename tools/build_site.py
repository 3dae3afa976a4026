"""Builds the documentation into build/site, to be read by a server or from the disk, without a network.

The builder gets a copy of docs/, in build/pages, in which formulas are MathML, which browsers show without a script;
with two pages more: the changelog, and every route of the API, from its OpenAPI document.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from zensical.main import cli

from service import __version__
from service.settings import Settings
from service.web.app import create_app
from service.web.problems import PROBLEM_TYPES

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "build" / "pages"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FORMULA = re.compile(r"\$`([^`\n]+)`\$")
NAMED = re.compile(r"\[(\w+\.md)\]\(\1\)")  # a link that shows the name of a file, where a site has titles
MARKS = re.compile(r"[*_\\|`~^]")  # what Markdown would take for its own

ROUTES = """# Every route

From the OpenAPI document of version {version}, which a running service has at `/openapi.json` and shows, to try out, at
`/docs`. [The HTTP API](api.md) has the same with explanations and examples; [Access](access.md) what the scopes are.
Besides the answers named, every route can answer with one of the [problems](#problems).

"""


def main() -> None:
    """Write the copy and build the site from it."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    shutil.copy(ROOT / "CHANGELOG.md", PAGES / "changelog.md")
    (PAGES / "routes.md").write_text(
        ROUTES.format(version=__version__) + "\n".join(routes(create_app(settings=Settings()).openapi())) + "\n"
    )
    titles = {page.name: page.read_text().partition("# ")[2].partition("\n")[0] for page in PAGES.glob("*.md")}
    for page in PAGES.glob("*.md"):
        named = NAMED.sub(lambda link: f"[{titles[link[1]]}]({link[1]})", page.read_text())
        page.write_text(with_mathml(named))
    cli(["build", "--strict", "--clean", "--config-file", str(ROOT / "zensical.toml")])


def with_mathml(text: str) -> str:
    """Return a page with its formulas as MathML: fenced ``math`` and those in ``$`..`$``, in other code nothing."""
    kept: list[str] = []

    def keep(fence: re.Match[str]) -> str:
        kept.append(f"<div>{mathml(fence[2], 'block')}</div>" if fence[1] == "math" else fence[0])
        return f"\0{len(kept) - 1}\0"

    prose = FORMULA.sub(lambda formula: f"<span>{mathml(formula[1], 'inline')}</span>", FENCE.sub(keep, text))
    return re.sub(r"\0(\d+)\0", lambda place: kept[int(place[1])], prose)


def mathml(formula: str, display: str) -> str:
    """Return LaTeX as MathML on one line."""
    markup = convert(" ".join(formula.split()), display=display)
    upright = markup.replace("<mo>&#x02016;", '<mo stretchy="false">&#x02016;')  # the bars of a norm
    parts = re.split(r"(<[^>]*>)", upright)
    return "".join(part if part[:1] == "<" else MARKS.sub(lambda mark: f"&#{ord(mark[0])};", part) for part in parts)


def routes(document: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the page of routes: by tag, then the problems, then the objects that answers consist of."""
    for tag in document["tags"]:
        yield f"## {tag['name'].capitalize()}\n\n{tag['description']}\n"
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if operation["tags"] == [tag["name"]]:
                    yield f"### `{method.upper()} {path}`\n\n{operation['description']}\n"
                    yield from route(operation)
    yield "## Problems\n\nThe `type` of an error is `/problems/` and one of these.\n"
    yield from table(
        ("type", "status", "means"),
        ((f"`{code}`", each.status or "", each.meaning) for code, each in PROBLEM_TYPES.items()),
    )
    yield "## Objects\n"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f"### {name}\n\n{schema.get('description', '').partition(chr(10) * 2)[0]}\n"
        fields = schema.get("properties", {}).items()
        if fields:
            yield from table(
                ("field", "is", ""), ((f"`{key}`", kind(of), of.get("description", "")) for key, of in fields)
            )
        else:
            yield f"{kind(schema)}\n"


def route(operation: dict[str, Any]) -> Iterator[str]:
    """Yield what a route takes and answers."""
    rows = [
        (f"`{each['name']}`", each["in"], kind(each["schema"]), each.get("description", ""))
        for each in operation.get("parameters", ())
    ]
    if rows:
        yield from table(("parameter", "in", "is", ""), rows)
    if body := operation.get("requestBody"):
        yield f"Takes {contents(body)}.\n"
    scopes = ", ".join(f"`{scope}`" for each in operation["security"] for scope in each["key"]) or "none"
    answers = "; ".join(
        f"`{status}`{' with ' if answer.get('content') else ''}{contents(answer)}"
        for status, answer in operation["responses"].items()
        if status != "default"
    )
    yield f"Scope: {scopes}. Answers {answers}.\n"


def contents(message: dict[str, Any]) -> str:
    """Return what a body can be: media types, and the objects in them."""
    return ", ".join(
        f"{kind(content.get('schema', {}))} as `{media}`" for media, content in message.get("content", {}).items()
    )


def kind(schema: dict[str, Any]) -> str:
    """Return the type of a value in a few words, with its range and default."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        words = " or ".join(f"`{value}`" for value in schema["enum"])
    elif "anyOf" in schema:
        words = " or ".join(kind(choice) for choice in schema["anyOf"])
    elif schema.get("type") == "array":
        words = f"list of {kind(schema['items'])}" if schema.get("items") else "list"
    else:
        words = schema.get("type", "anything")
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        words += f" from {low:,g} to {high:,g}"
    return words + (f", {str(schema['default']).lower()} by default" if schema.get("default") is not None else "")


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    """Yield a Markdown table and an empty line."""
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(' '.join(str(cell).split()).replace('|', '&#124;') for cell in row)} |"
    yield ""


if __name__ == "__main__":
    main()
