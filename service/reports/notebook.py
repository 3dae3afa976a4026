"""A report as a Jupyter notebook that trains it anew on a service, by the client `inkling`, and shows each task."""

import json
from typing import Any

from .contents import Contents
from .text import Section
from .wording import in_markdown

_CONNECT = """\
import os

from inkling import InklingClient

# A key, if the service needs one, is read from the environment variable INKLING_API_KEY.
client = InklingClient(os.environ.get("INKLING_URL", "http://127.0.0.1:8000"))"""

_SHOW = """\
sections = {section["number"]: section for section in report.data["sections"]}


def answer(number):
    section = sections[number]
    print("\\n".join(section["sentences"]))
    if table := section["table"]:
        print("", table["caption"], "\\t".join(table["head"]), *map("\\t".join, table["rows"]), sep="\\n")


report.findings["key_sentences"]"""


def render_notebook(contents: Contents) -> bytes:
    """Return a notebook of format 4.5 as UTF-8, without outputs: whoever runs it computes them."""
    options = ", ".join(f"{name}={value!r}" for name, value in contents.findings.options.items() if name != "dataset")
    head = contents.title, contents.byline, contents.subtitle, contents.notice
    cells = [
        _words("# " + "\n\n".join(map(in_markdown, filter(None, head)))),
        _words("Start a service with `inkling serve`, and install the client with the package `inkling-digits`."),
        _code(_CONNECT),
        _code(f"report = client.train_report({options}).wait(progress=True)\nreport"),
        _code(_SHOW),
    ]
    for section in contents.sections:
        cells += _cells(section)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)],
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}, "title": contents.title},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False).encode()


def _cells(section: Section) -> list[dict[str, Any]]:
    formulas = "".join(f"\n\n$${formula.latex}$$" for formula in section.formulas)
    return [
        _words(f"## {section.number} {section.title}{formulas}"),
        _code(f"answer({section.number!r})"),
        *(_code(f"report.figure({figure.name!r})") for figure in section.figures),
    ]


def _words(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def _code(text: str) -> dict[str, Any]:
    source = text.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
