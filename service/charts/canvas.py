"""One chart over steps: lines, header, marks, bytes. With `style`, all that imports matplotlib.

That import costs about a second and 45 MB, so the chart functions make it when they are called.
Every chart has a figure of its own and never touches pyplot, so that any number of threads may draw at once.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, Literal, TypeAlias

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter
from PIL import Image

from .curves import Series, Steps
from .provenance import Provenance, describe, encode_png
from .size import ChartSize
from .style import FAINT_INK, INK, NOTE_PT, SMALL_PT, TEXT_PT, TITLE_PT
from .thinning import block_statistics, thin
from .typesetting import fit_lines, printable

ImageFormat: TypeAlias = Literal["png", "svg"]

_EDGE_IN, _LEFT_IN, _RIGHT_IN, _BOTTOM_IN, _EPOCHS_IN, _LEGEND_LINE_IN = 0.2, 0.85, 0.3, 0.6, 0.42, 0.2
_ROOMY_FROM_IN, _TWO_COLUMNS_FROM_IN = 4, 7

_MAX_POINTS = 2_000
_MAX_MARKERS = 40
_AVERAGED_STEPS = 10
_LOG_SCALE_FROM_RATIO = 1_000
_FIRST_STEPS_FRACTION = 0.05
_MIN_POINTS_TO_ZOOM = 20
_LARGEST_DRAWN = 1e30  # beyond it, squares and axis limits would overflow


class Canvas:
    """A chart that is drawn line by line and then encoded, once.

    Parameters
    ----------
    y_label : what is measured; its last word alone must do where there is no room for more.
    y_bounds : the values that are possible at all.
    """

    def __init__(self, size: ChartSize, *, y_label: str, y_bounds: tuple[float, float]):
        self._dpi = size.dots_per_inch
        # A billionth of a pixel more, because the figure rounds its size down.
        self._width_in = (size.width_px + 1e-9) / self._dpi
        self._height_in = (size.height_px + 1e-9) / self._dpi
        self._figure = Figure(figsize=(self._width_in, self._height_in), dpi=self._dpi)
        self._agg: Any = FigureCanvasAgg(self._figure)
        self._axes = self._figure.add_subplot()
        self._y_label, self._y_bounds = y_label, y_bounds
        self._legend: list[tuple[Any, str]] = []
        self._recorded: list[tuple[Series, Series]] = []
        self._drawn: list[tuple[Series, Series]] = []
        self._rings: list[float] = []
        self._last_step = 1.0
        self._n_left_out = 0

    def line(self, steps: Steps, values: Series, *, colour: str, label: str) -> None:
        """Draw values as they are, thinned to what a picture can show; a short line also shows its points."""
        at, values = self._take_finite(steps, values)
        if len(values) == 0:
            return
        kept = thin(values, _MAX_POINTS)
        marker = "o" if len(values) <= _MAX_MARKERS else None
        (line,) = self._axes.plot(at[kept], values[kept], color=colour, marker=marker, zorder=3)
        self._legend.append((line, label))
        self._drawn.append((at, values))

    def averaged_line(self, steps: Steps, values: Series, *, colour: str, label: str) -> None:
        """Draw the mean of every ten steps in a band of one standard deviation to each side.

        A long run is averaged over more steps at a time, a very short one not at all; the label says so.
        """
        if len(values) < 2 * _AVERAGED_STEPS:
            self.line(steps, values, colour=colour, label=label)
            return
        at, values = self._take_finite(steps, values)
        n_averaged = max(_AVERAGED_STEPS, -(-len(values) // _MAX_POINTS))
        middle, mean, deviation = block_statistics(at, values, n_averaged)
        if len(mean) == 0:
            return
        low, high = np.maximum(mean - deviation, values.min()), mean + deviation
        band = self._axes.fill_between(middle, low, high, color=colour, alpha=0.22, linewidth=0)
        (line,) = self._axes.plot(middle, mean, color=colour, zorder=2.5)
        self._legend.append(((band, line), f"{label}, mean of {n_averaged} steps ± s.d."))
        self._drawn += [(middle, low), (middle, high)]

    def mark_point(self, step: int, steps: Steps, values: Series, *, colour: str, label: str) -> None:
        """Ring the point of a line at ``step``; ``{value}`` in the label becomes the line's value there."""
        value = float(values[np.abs(steps - step).argmin()])
        if not abs(value) <= _LARGEST_DRAWN:
            return
        (ring,) = self._axes.plot(
            [step], [value], "o", color="white", markersize=9, markeredgecolor=colour, markeredgewidth=2
        )
        ring.set(zorder=4, clip_on=False)
        self._legend.append((ring, f"{label.format(value=f'{value:.4g}')}, step {step:,}"))
        self._rings.append(value)

    def mark_step(self, step: int, *, label: str) -> None:
        """Draw a dashed line across the chart at ``step``."""
        line = self._axes.axvline(step, color=INK, linewidth=1.2, linestyle=(0, (4, 3)), zorder=2)
        self._last_step = max(self._last_step, step)
        self._legend.append((line, f"{label}, step {step:,}"))

    def encode(
        self,
        *,
        title: str,
        caption: str,
        batches_per_epoch: int | None,
        image_format: ImageFormat,
        provenance: Provenance,
    ) -> bytes:
        """Finish the chart with its header and axes, and return the picture as a file.

        Where the first steps would dwarf all that follows, the axis is fitted to what follows and a note says
        how far they reach.
        """
        roomy = self._height_in >= _ROOMY_FROM_IN
        if self._n_left_out:
            caption = f"{self._n_left_out:,} values are not finite or too large to draw. {caption}"
        top_in = self._write_header(title, caption, max_lines=2 if roomy else 1)
        if batches_per_epoch and roomy:
            self._add_epoch_axis(batches_per_epoch)
            top_in += _EPOCHS_IN
        x, y = self._at(_LEFT_IN, self._height_in - _BOTTOM_IN)
        right, top = self._at(self._width_in - _RIGHT_IN, top_in)
        self._axes.set_position((x, y, right - x, top - y))
        self._finish_x_axis()
        self._finish_y_axis((top - y) * self._height_in)
        return self._encode_svg(title, provenance) if image_format == "svg" else self._encode_png(provenance)

    def _take_finite(self, steps: Steps, values: Series) -> tuple[Series, Series]:
        """Leave out what cannot be drawn, and count it."""
        drawable = np.abs(values) <= _LARGEST_DRAWN
        self._n_left_out += int((~drawable).sum())
        self._last_step = float(max([self._last_step, *steps[-1:]]))
        at, values = steps[drawable].astype(np.float64), values[drawable].astype(np.float64)
        self._recorded.append((at, values))
        return at, values

    def _finish_x_axis(self) -> None:
        axis = self._axes.xaxis
        self._axes.set_xlim(-0.01 * self._last_step, 1.01 * self._last_step)
        axis.set_major_locator(MaxNLocator(7, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
        axis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
        self._axes.set_xlabel("step")

    def _finish_y_axis(self, height_in: float) -> None:
        at, values = _joined(self._drawn or [(np.zeros(1), np.zeros(1))])
        if values.min() > 1 / _LARGEST_DRAWN and values.max() > _LOG_SCALE_FROM_RATIO * values.min():
            self._make_y_axis_logarithmic()
        else:
            self._fit_y_axis(at, values)
        scale = " (log scale)" if self._axes.get_yscale() == "log" else ""
        label = self._y_label + scale
        if self._text_width_in(label, FontProperties(size=TEXT_PT)) > height_in:
            label = self._y_label.split()[-1] + scale
        self._axes.set_ylabel(label)

    def _make_y_axis_logarithmic(self) -> None:
        axis = self._axes.yaxis
        self._axes.set_yscale("log")
        axis.set_major_locator(LogLocator(numticks=8))
        axis.set_major_formatter(FuncFormatter(lambda value, _: _power_of_ten(value)))
        axis.set_minor_formatter(NullFormatter())

    def _fit_y_axis(self, at: Series, values: Series) -> None:
        axis = self._axes.yaxis
        axis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
        formatter = ScalarFormatter(useOffset=False)
        formatter.set_powerlimits((-5, 6))
        axis.set_major_formatter(formatter)

        first_steps = _FIRST_STEPS_FRACTION * at.max()
        later = np.append(values[at >= first_steps], self._rings)
        is_dwarfed = len(values) >= _MIN_POINTS_TO_ZOOM and np.ptp(later) < np.ptp(values) / 2
        shown = later if is_dwarfed else values
        span = float(np.ptp(shown) or np.ptp(values) or abs(values[0]) or 1)
        smallest, largest = self._y_bounds
        bottom = max(float(shown.min()) - 0.08 * span, smallest - 0.02 * span)
        top = min(float(shown.max()) + 0.08 * span, largest + 0.02 * span)
        self._axes.set_ylim(bottom, top)
        if not is_dwarfed:
            return
        at, recorded = _joined(self._recorded)
        first = recorded[at < first_steps]
        outside = [f"{value:.4g}" for value in (first.min(), first.max()) if not bottom <= value <= top]
        if outside:
            place = self._at(_EDGE_IN, self._height_in - 0.17)
            note = f"first steps off scale: {', '.join(outside)}"
            self._figure.text(*place, note, fontsize=NOTE_PT, color=FAINT_INK)

    def _add_epoch_axis(self, batches_per_epoch: int) -> None:
        per_epoch: Any = batches_per_epoch
        conversions = (lambda step: step / per_epoch, lambda epoch: epoch * per_epoch)
        epochs = self._axes.secondary_xaxis("top", functions=conversions)
        epochs.xaxis.set_major_locator(MaxNLocator(10, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
        epochs.set_xlabel("epoch")
        epochs.spines["top"].set_visible(True)
        epochs.set_zorder(5)

    def _write_header(self, title: str, caption: str, max_lines: int) -> float:
        """Write title, caption and legend from the top down; return the inches that they take."""
        down_in = _EDGE_IN
        for text, font, colour in (
            (title, FontProperties(size=TITLE_PT, weight="bold"), INK),
            (caption, FontProperties(size=SMALL_PT), FAINT_INK),
        ):
            for line in self._fit_lines(text, font, max_lines):
                place = self._at(_EDGE_IN, down_in)
                self._figure.text(*place, line, fontproperties=font, color=colour, verticalalignment="top")
                down_in += 1.45 * font.get_size_in_points() / 72
        n_columns = 2 if self._width_in >= _TWO_COLUMNS_FROM_IN else 1
        self._figure.legend(
            [handle for handle, _ in self._legend],
            [label for _, label in self._legend],
            loc="upper left",
            bbox_to_anchor=self._at(_EDGE_IN, down_in + 0.04),
            ncols=n_columns,
            fontsize=SMALL_PT,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            labelspacing=0.45,
        )
        return down_in + _LEGEND_LINE_IN * -(-len(self._legend) // n_columns) + 0.12

    def _fit_lines(self, text: str, font: FontProperties, max_lines: int) -> list[str]:
        known = get_font(findfont(font)).get_charmap()
        text = "".join(sign if ord(sign) in known else "\N{REPLACEMENT CHARACTER}" for sign in printable(text))
        width_in = self._width_in - 2 * _EDGE_IN
        return fit_lines(text, lambda line: self._text_width_in(line, font) <= width_in, max_lines)

    def _text_width_in(self, text: str, font: FontProperties) -> float:
        width_px, _, _ = self._agg.get_renderer().get_text_width_height_descent(text, font, ismath=False)
        return float(width_px) / self._dpi

    def _at(self, right_in: float, down_in: float) -> tuple[float, float]:
        """Return the place so many inches from the upper left corner, in fractions of the figure."""
        return right_in / self._width_in, 1 - down_in / self._height_in

    def _encode_png(self, provenance: Provenance) -> bytes:
        self._agg.draw()
        pixels = np.ascontiguousarray(np.asarray(self._agg.buffer_rgba())[..., :3])
        return encode_png(Image.fromarray(pixels), provenance, dpi=self._dpi)

    def _encode_svg(self, title: str, provenance: Provenance) -> bytes:
        file = BytesIO()
        metadata = {"Title": printable(title), "Description": describe(provenance), "Creator": "Inkling"}
        self._figure.savefig(file, format="svg", metadata=metadata | {"Date": None})
        return file.getvalue()


def _joined(series: list[tuple[Series, Series]]) -> tuple[Series, Series]:
    return np.concatenate([at for at, _ in series]), np.concatenate([values for _, values in series])


def _power_of_ten(value: float) -> str:
    """Write 0.001 to 1000 as they are, and other powers of ten as 10⁴."""
    exponent = round(np.log10(value))
    if abs(exponent) <= 3:
        return f"{value:g}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
