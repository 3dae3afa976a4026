"""What requests return, so that a notebook shows it: pictures, records and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar

Row = TypeVar("Row")
PictureFormat: TypeAlias = Literal["png", "svg"]
Metric: TypeAlias = Literal["validation_loss", "validation_accuracy", "train_loss", "train_accuracy"]

_MAX_ROWS = 50
_MAX_DEPTH = 3


class Picture(bytes):
    """The bytes of a PNG or SVG file, which a notebook shows as the last value of a cell."""

    def _repr_png_(self) -> bytes | None:
        return bytes(self) if self.startswith(b"\x89PNG") else None

    def _repr_svg_(self) -> str | None:
        return None if self.startswith(b"\x89PNG") else self.decode()

    def __repr__(self) -> str:
        return f"<picture of {len(self):,} bytes>"

    def save(self, path: str | Path) -> Path:
        """Write the file and return its path."""
        path = Path(path)
        path.write_bytes(self)
        return path


class PictureOptions(TypedDict, total=False):
    """How a picture is drawn. docs/api.md says which picture takes which, and the ranges."""

    width_px: int
    height_px: int
    dpi: int
    weights: Literal["best", "last"]
    layer: int
    scale: Literal["shared", "per_tile", "per_row", "log", "linear"]
    colours: Literal["diverging", "grey"]
    upscale: int
    scale_bar: bool
    metric: Metric
    rank_by: Metric
    limit: int


class Record(dict[str, Any]):
    """A JSON object, which a notebook shows as a table of names and values."""

    def _repr_html_(self) -> str:
        return html_of(self)


class Table(list[Row]):
    """A list, which a notebook shows as a table with a row for each.

    ``next`` is the ``before`` (of images of a data set, the ``after``) of the next page; None on the last.
    """

    def __init__(self, rows: Iterable[Row] = (), *, next: Any = None) -> None:
        super().__init__(rows)
        self.next = next

    def _repr_html_(self) -> str:
        return html_of(self)


def html_of(value: object, depth: int = 0) -> str:
    """Return a value as HTML: mappings and lists of them as tables, numbers short, long lists by their length."""
    facts = _facts(value)
    if facts is not None and depth < _MAX_DEPTH:
        return _table((f"<th>{escape(str(name))}</th>", _cell(cell, depth)) for name, cell in facts.items())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        rows = [_facts(row) for row in value[:_MAX_ROWS]]
        if depth < _MAX_DEPTH and rows and None not in rows:
            return _rows([row for row in rows if row is not None], len(value), depth)
        if len(value) > 10 or facts is not None or any(isinstance(one, list | dict) for one in value):
            return f"<i>{len(value):,} values</i>"
        return ", ".join(html_of(one) for one in value)
    if facts is not None:
        return f"<i>{len(facts):,} values</i>"
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))


def _facts(value: object) -> Mapping[Any, Any] | None:
    """What there is to show of a value, by name; None if it has no named parts."""
    if isinstance(value, Mapping):
        return value
    summary = getattr(value, "summary", None)
    if summary is not None:
        return dict(summary)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None


def _rows(rows: Sequence[Mapping[Any, Any]], n_rows: int, depth: int) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    head = [f"<th>{escape(str(name))}</th>" for name in names]
    more = f"<p>and {n_rows - len(rows):,} more</p>" if n_rows > len(rows) else ""
    return _table([head, *([_cell(row.get(name, ""), depth + 1) for name in names] for row in rows)]) + more


def _cell(value: object, depth: int) -> str:
    return f"<td>{html_of(value, depth + 1)}</td>"


def _table(rows: Iterable[Iterable[str]]) -> str:
    return "<table>" + "".join("<tr>" + "".join(cells) + "</tr>" for cells in rows) + "</table>"
