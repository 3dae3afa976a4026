"""A report as one HTML page that needs nothing but itself: no script, no outside resource."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from .contents import Contents

_TEMPLATES = files(__package__) / "templates"

_MEDIA_TYPES = {"png": "image/png", "svg": "image/svg+xml"}


def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text("utf-8")


_STYLE = _template("report.css")
_PAGE = Environment(
    loader=FunctionLoader(_template), autoescape=True, undefined=StrictUndefined, trim_blocks=True
).get_template("report.html")

CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "style-src": f"'sha256-{b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'",
    "img-src": "data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
"""What a browser must allow for the page: its one style sheet and its pictures, nothing else."""


def render_page(contents: Contents, pictures: dict[str, bytes]) -> bytes:
    """Return the page as UTF-8; ``pictures`` has each figure as SVG, by its name."""
    sources = {name: f"data:image/svg+xml;base64,{b64encode(svg).decode()}" for name, svg in pictures.items()}
    return _PAGE.render(contents=contents, pictures=sources, style=Markup(_STYLE)).encode()  # noqa: S704 - it is ours
