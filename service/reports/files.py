"""The files that a report comes to, by name."""

from __future__ import annotations

import json
from typing import Any

from service.charts import load_matplotlib
from service.errors import JobNotFound

from .contents import Contents
from .figures import FigureFormat
from .sentences import key_sentences

FORMS = ("html", "pdf", "json")


def file_names(contents: Contents) -> list[str]:
    """Return the names of all files of a report, in which figures stand in a folder of their own."""
    figures = [f"figures/{name}.{form}" for name in contents.figures for form in ("png", "svg")]
    return [*(f"report.{form}" for form in FORMS), *figures]


def encode_file(contents: Contents, name: str) -> bytes:
    """Return a file of a report.

    Raises
    ------
    JobNotFound
        There is no file of that name.
    """

    def pictures(form: FigureFormat) -> dict[str, bytes]:
        return {name: figure.draw(form) for name, figure in contents.figures.items()}

    stem, _, form = name.rpartition(".")
    if name not in file_names(contents):
        raise JobNotFound("This report has no file of that name.")
    if name == "report.json":
        return json.dumps(to_dict(contents), indent=2, ensure_ascii=False).encode()
    # Imported when needed: together they take longer to import than all the rest of a server.
    if name == "report.html":
        from .page import render_page  # noqa: PLC0415

        return render_page(contents, pictures("svg"))
    if name == "report.pdf":
        load_matplotlib()
        from .document import render_document  # noqa: PLC0415

        return render_document(contents, pictures("png"))
    return contents.figures[stem.removeprefix("figures/")].draw("svg" if form == "svg" else "png")


def to_dict(contents: Contents) -> dict[str, Any]:
    """Return all numbers, with the sentences that were written from them, as plain data."""
    said = {section.number: list(section.sentences) for section in contents.sections if section.sentences}
    key = key_sentences(contents.findings)
    return {**contents.findings.to_dict(), "key_sentences": key, "answers": said}
