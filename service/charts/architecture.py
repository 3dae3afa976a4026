"""A network as a drawing: its layers from left to right, with their sizes and how many parameters lie between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape

from .provenance import Provenance, describe

_MOST_UNITS = 10
_COLUMN_PX, _UNIT_PX, _RADIUS_PX, _TOP_PX = 170, 26, 8, 64
_HEIGHT_PX = _TOP_PX + _MOST_UNITS * _UNIT_PX + 74


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnLayer:
    """A layer of a drawing.

    Parameters
    ----------
    title, function : what it is, and what is computed of its numbers, such as ``relu``.
    n_units : how many numbers it has.
    shape : of the weights that lead to it, biases included; None for the pixels.
    names : of the units, if they have any.
    """

    title: str
    function: str
    n_units: int
    shape: tuple[int, int] | None = None
    names: Sequence[str] = ()


def architecture_picture(layers: Sequence[DrawnLayer], *, title: str, provenance: Provenance) -> bytes:
    """Draw layers as columns of circles, as an SVG file; of a large layer the first and last units."""
    n_parameters = sum(layer.shape[0] * layer.shape[1] for layer in layers if layer.shape)
    width_px = _COLUMN_PX * len(layers)
    columns = [_places(layer.n_units, _COLUMN_PX * (n + 0.5)) for n, layer in enumerate(layers)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width_px}" height="{_HEIGHT_PX}" '
        f'viewBox="0 0 {width_px} {_HEIGHT_PX}" font-family="sans-serif" font-size="12" text-anchor="middle">',
        f"<title>{escape(title)}</title><desc>{escape(describe(provenance))}</desc>",
        f'<rect width="{width_px}" height="{_HEIGHT_PX}" fill="#fff"/>',
        _text(width_px / 2, 22, f"{title}: {n_parameters:,} parameters", 'font-size="15" font-weight="bold"'),
        '<g stroke="#9aa5b1" stroke-width="0.5">',
    ]
    for starts, ends in pairwise(columns):
        parts += [
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>' for x1, y1, _ in starts for x2, y2, _ in ends
        ]
    parts.append("</g>")
    for n, (layer, places) in enumerate(zip(layers, columns, strict=True)):
        x = _COLUMN_PX * (n + 0.5)
        for x_unit, y, unit in places:
            name = layer.names[unit] if unit < len(layer.names) else ""
            parts.append(f'<circle cx="{x_unit:g}" cy="{y:g}" r="{_RADIUS_PX}" fill="#fff" stroke="#1f4e79"/>')
            parts.append(_text(x_unit + _RADIUS_PX + 5, y + 4, name, 'text-anchor="start"') if name else "")
        if layer.n_units > _MOST_UNITS:
            parts.append(_text(x, _TOP_PX + _UNIT_PX * (_MOST_UNITS / 2) + 5, "⋮", 'font-size="18"'))
        foot = _TOP_PX + _MOST_UNITS * _UNIT_PX
        parts += [
            _text(x, _TOP_PX - 16, f"{layer.title}: {layer.n_units:,}", 'font-weight="bold"'),
            _text(x, foot + 16, layer.function),
        ]
        if layer.shape:
            rows, width = layer.shape
            parts.append(_text(x, foot + 36, f"weights {rows:,} × {width:,}"))
            parts.append(_text(x, foot + 54, f"{rows * width:,} parameters"))
    return "\n".join([*filter(None, parts), "</svg>\n"]).encode()


def _places(n_units: int, x: float) -> list[tuple[float, float, int]]:
    """Return where the circles are, and of which units: around the middle, with a gap if not all are drawn."""
    if n_units <= _MOST_UNITS:
        units, rows = list(range(n_units)), [(_MOST_UNITS - n_units) / 2 + n for n in range(n_units)]
    else:
        half = _MOST_UNITS // 2 - 1
        units = [*range(half), *range(n_units - half, n_units)]
        rows = [float(n) for n in [*range(half), *range(_MOST_UNITS - half, _MOST_UNITS)]]
    return [(x, _TOP_PX + _UNIT_PX * (row + 0.5), unit) for row, unit in zip(rows, units, strict=True)]


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>'
