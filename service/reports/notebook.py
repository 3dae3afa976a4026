"""A report as a Jupyter notebook that trains it anew on a service, by the client `inkling`, and shows each task."""

import json
import re
from typing import Any

from .contents import Contents
from .text import TEXTS


def render_notebook(contents: Contents) -> bytes:
    """Return a notebook of format 4.5 as UTF-8, without outputs: whoever runs it computes them."""
    options = ", ".join(f"{name}={value!r}" for name, value in contents.findings.options.items() if name != "dataset")
    text = TEXTS.get_template("report.ipynb.md").render(contents=contents, options=options)
    parts = re.split(r"^<!-- (code|markdown) -->\n", text, flags=re.MULTILINE)[1:]
    cells = []
    for number, (kind, source) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
        cell: dict[str, Any] = {"id": f"cell-{number}", "cell_type": kind}
        cell |= {"execution_count": None, "metadata": {}, "outputs": []} if kind == "code" else {"metadata": {}}
        cells.append({**cell, "source": source.strip("\n").splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}, "title": contents.title},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False).encode()
