"""Writes the pages that are made from tables in the code; with --check only says which of them are out of date.

docs/access.md             from service.access.Scope, the scopes that routes state and the limits among the settings
docs/configuration.md      from the fields of service.settings.Settings
docs/hyperparameters.md    from service.core.HYPERPARAMETERS
docs/layers.svg            from the layers that import-linter checks, in pyproject.toml
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from service.access import Scope
from service.cli.root import option_name
from service.cli.settings_options import variable_name
from service.core import FORMULAS, HYPERPARAMETERS, Hyperparameter
from service.settings import Settings
from service.web.access_control import PUBLIC_MOUNTS, scopes_by_route
from service.web.app import create_app
from service.web.connection import MAX_HEADER_BYTES, MAX_HEADERS
from service.web.image_body import MAX_FILES
from service.web.limits import SEND_TIMEOUT_S
from service.web.strict_json import MAX_DEPTH

DOCS = Path(__file__).parent
ROOT = DOCS.parent
NOTICE = "<!-- Made by docs/generate.py: change the table in the code, then run `make docs`. -->"

ACCESS_PAGE = f"""{NOTICE}
# Access and limits

Who may do what, route by route, and how much at a time. [security.md](security.md) says how keys work and what else
keeps a service safe.

## Scopes

A key has one or several of these. A request whose key has not the scope that its route needs is answered
`403 insufficient-scope`.

"""

CONFIGURATION = f"""{NOTICE}
# Configuration

Every setting is an option of `inkling serve` and a variable of the environment; the option wins. A variable
that is empty counts as not given. There is no configuration file. A setting that takes several values is an option
given several times, or a list with commas, as in `INKLING_ALLOWED_HOSTS=digits.example,*.lab.example`, or in JSON. A
value that is not legal ends the start with one sentence that names it.

"""

HYPERPARAMETER_PAGE = f"""{NOTICE}
# Hyperparameters

What a training job may be asked to do. These are the fields of `POST /api/v1/jobs` and, with dashes, the options of
`inkling train`, where null is written `none`, true and false `--shuffle` and `--no-shuffle`, and classes `2,3`. All of
them may be left out. A value outside its range is refused with an answer that names the field and the range.
[The mathematics](mathematics.md) says what each of them does.

"""

FIXED_LIMITS = {
    "bytes of headers": f"{MAX_HEADER_BYTES:,}",
    "headers": f"{MAX_HEADERS}",
    "levels of nested JSON": f"{MAX_DEPTH}",
    "files in a form": f"{MAX_FILES:,}",
    "seconds that a client may take nothing of an event stream": f"{SEND_TIMEOUT_S:g}",
}
"""Limits that are no settings."""

LAYERS = {
    "web": "routes, schemas, live events",
    "cli": "the command line",
    "bootstrap": "settings to parts, wired: the only place that chooses",
    "settings": "one frozen object, which nothing below can read",
    "tracking": "finished jobs, for trackers of experiments",
    "reports": "numbers, figures, documents",
    "access": "keys, scopes, audit log",
    "retention": "what is not to be kept",
    "webhooks": "what ended, posted to an URL",
    "backup": "everything in one file",
    "deliveries": "what is to be sent",
    "jobs": "states, engine, executors",
    "inference": "image to digit",
    "worker": "what runs in another process: a specification in, messages out",
    "charts": "all pictures",
    "database": "all SQL",
    "datasets": "bytes to arrays",
    "metrics": "counts and times",
    "registry": "weight files",
    "core": "mathematics in NumPy",
    "sklearn": "for scikit-learn",
    "answers": "values as JSON",
    "background": "threads beside training",
    "stores": "immutable files",
    "telemetry": "log lines and spans",
    "errors": "one tree of everything that goes wrong on purpose",
}


def access() -> str:
    """Return the page of scopes, routes and limits."""
    routes = [
        (f"`{route}`", scope or "public")
        for route, scope in scopes_by_route(create_app(settings=Settings()).routes).items()
    ]
    routes += [(f"`GET {mount}/...`", "public") for mount in sorted(PUBLIC_MOUNTS)]
    limits = [
        (_sentence(field.description or ""), f"{field.default:,}", f"`{option_name(name)}`")
        for name, field in Settings.model_fields.items()
        if name.startswith("max_") or name.endswith("_timeout_s")
    ]
    limits += [(_sentence(meaning), most, "") for meaning, most in FIXED_LIMITS.items()]
    return (
        ACCESS_PAGE
        + _table(("scope", "allows to"), [(f"`{scope.of_a_key}`", scope.allows) for scope in Scope])
        + "\n## Routes\n\nA route states its scope where it is declared; one that states none keeps the service from "
        + "starting. `HEAD` is `GET`.\n\n"
        + _table(("route", "scope"), routes)
        + "\n## Limits\n\nA request beyond one is refused and says which it was.\n\n"
        + _table(("what", "at most", "setting"), limits)
    )


def configuration() -> str:
    """Return the page of settings."""
    rows = [
        (f"`{option_name(name)}`", f"`{variable_name(name)}`", _setting_default(field), _setting_help(field))
        for name, field in Settings.model_fields.items()
    ]
    return CONFIGURATION + _table(("option", "variable", "default", "meaning"), rows)


def hyperparameters() -> str:
    """Return the page of hyperparameters, with the formulas of the L2 penalty."""
    rows = [
        (f"`{row.name}`", _hyperparameter_default(row), row.allowed, _sentence(row.help)) for row in HYPERPARAMETERS
    ]
    return (
        HYPERPARAMETER_PAGE
        + _table(("name", "default", "allowed", "meaning"), rows)
        + "\n## What `l2_penalty` multiplies\n\n"
        + "Lambda is the penalty, C the mean cross-entropy and W the weights:\n\n"
        + _table(("`l2_convention`", "objective"), [(f"`{name}`", formula) for name, formula in FORMULAS.items()])
    )


def layers() -> str:
    """Return the picture of the layers as SVG: a row a layer, its siblings side by side."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    rows = [layer.split(" | ") for contract in contracts for layer in contract.get("layers", ())]
    left, width, height, gap = 76, 860, 54, 10
    parts = []
    for i, row in enumerate(rows):
        box_width = (width - gap * (len(row) - 1)) / len(row)
        y = 24 + i * (height + gap)
        for j, name in enumerate(row):
            x = left + j * (box_width + gap)
            centre = x + box_width / 2
            parts.append(
                f'<rect x="{x:g}" y="{y}" width="{box_width:g}" height="{height}" rx="6" class="l{i}"/>\n'
                f'<text x="{centre:g}" y="{y + 23}" class="name">{name}</text>\n'
                f'<text x="{centre:g}" y="{y + 42}" class="says">{escape(LAYERS[name])}</text>\n'
            )
    bottom = 24 + len(rows) * (height + gap) - gap
    shades = "".join(f".l{i}{{fill:hsl(212 {60 - 4 * i}% {97 - 3 * i}%)}}" for i in range(len(rows)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 24} {bottom + 24}" role="img" '
        'aria-label="The layers of Inkling, from web and command line down to the core">\n'
        "<style>rect{stroke:#4a6078;stroke-opacity:.45}text{text-anchor:middle;fill:#16202b}"
        ".name{font:600 15px ui-monospace,Menlo,Consolas,monospace}.says{font:13px system-ui,sans-serif;fill:#3a4a5b}"
        f".page{{fill:#fff;stroke:none}}.arrow{{stroke:#4a6078;stroke-width:2;fill:none}}{shades}</style>\n"
        '<rect class="page" width="100%" height="100%" rx="10"/>\n'
        f'<path class="arrow" d="M52 28V{bottom - 4}m-6-9 6 9 6-9"/>\n'
        f'<text class="says" transform="translate(34 {(bottom + 24) / 2:g}) rotate(-90)">'
        "imports point down only</text>\n"
        f"{''.join(parts)}</svg>\n"
    )


PAGES = {
    "access.md": access,
    "configuration.md": configuration,
    "hyperparameters.md": hyperparameters,
    "layers.svg": layers,
}


def out_of_date() -> list[str]:
    """Return the names of the pages that differ from what the code says now."""
    return [name for name, page in PAGES.items() if not (DOCS / name).exists() or (DOCS / name).read_text() != page()]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a Markdown table; a bar inside a cell is escaped, since it would end the cell."""
    cells = [tuple(cell.replace("|", r"\|") for cell in row) for row in (head, ("---",) * len(head), *rows)]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _setting_default(field: FieldInfo) -> str:
    """The default, unless the machine or the other settings decide it; then the meaning says so."""
    default = None if field.default_factory else field.default
    if default is None or default == ():
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _setting_help(field: FieldInfo) -> str:
    words = _sentence(field.description or "")
    if get_origin(field.annotation) is Literal:
        return f"{words} ({', '.join(f'`{choice}`' for choice in get_args(field.annotation))})"
    return words


def _hyperparameter_default(row: Hyperparameter) -> str:
    match row.default:
        case None:
            return "null"
        case bool():
            return str(row.default).lower()
        case int() | float():
            return f"{row.default:,g}"
        case _:
            return str(row.default)


def main() -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is out of date")
    stale = out_of_date()
    if parser.parse_args().check:
        sys.exit(f"Out of date, run `make docs`: {', '.join(stale)}" if stale else 0)
    for name in stale:
        (DOCS / name).write_text(PAGES[name]())


if __name__ == "__main__":
    main()
