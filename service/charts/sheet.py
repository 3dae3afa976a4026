"""The sheet that every chart is drawn on: style, header, legend, axes, bytes.

Every chart has a figure of its own and never touches pyplot, so that any number of threads may draw at once.
Imported by `new_sheet` only, because it imports matplotlib.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter
from matplotlib.transforms import ScaledTranslation, Transform
from PIL import Image

from .curves import Series
from .frame import INK, ChartSize, ImageFormat, fit_lines, power_of_ten
from .provenance import Provenance, describe, encode_png, printable

_FAINT_INK = "#5f6368"
_TITLE_PT, _TEXT_PT, _SMALL_PT, _NOTE_PT = 13.0, 10.0, 9.0, 8.0
_EDGE_IN, _LEFT_IN, _RIGHT_IN, _BOTTOM_IN, _LEGEND_LINE_IN, _LEGEND_HANDLE_IN = 0.2, 0.85, 0.3, 0.6, 0.2, 0.55
_COLOUR_BAR_IN, _COLOUR_BAR_ROOM_IN, _EPOCHS_IN = 0.16, 1.05, 0.42
_NUMBERS_IN = 0.45  # of the room at the left
_LEGEND_PART = 0.3  # of the height; a longer legend would crowd out what it explains
_ROOMY_FROM_IN = 4
_MAX_COLOUR_TICKS = 12

# Set once, before anything is drawn, and never changed: a chart must not depend on a personal matplotlibrc,
# text is text (a title may hold a "$"), and the salt gives the ids inside an SVG the same names every time.
matplotlib.rcdefaults()
matplotlib.rcParams.update(
    {
        "text.parse_math": False,
        "svg.hashsalt": "inkling",
        "font.family": "DejaVu Sans",
        "font.size": _TEXT_PT,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": _FAINT_INK,
        "axes.linewidth": 0.8,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e3e5e8",
        "grid.linewidth": 0.8,
        "xtick.color": _FAINT_INK,
        "ytick.color": _FAINT_INK,
        "xtick.labelsize": _SMALL_PT,
        "ytick.labelsize": _SMALL_PT,
        "lines.linewidth": 1.8,
        "lines.markersize": 4.0,
        "lines.solid_capstyle": "round",
        "lines.solid_joinstyle": "round",
    }
)

# Viridis, whose order survives grey print and colour-blindness, without the yellow that is hardly visible on white.
_ORDERED = [to_hex(matplotlib.colormaps["viridis"](fraction)) for fraction in np.linspace(0, 0.92, 256)]


class Sheet:
    """A figure with one pair of axes, which is drawn on, laid out from the top down and then encoded, once."""

    def __init__(
        self,
        *,
        title: str,
        caption: str = "",
        size: ChartSize | None = None,
        image_format: ImageFormat = "png",
        also: dict[ImageFormat, bytes] | None = None,
        provenance: Provenance,
    ) -> None:
        self._title, self._caption, self._format, self._provenance = title, caption, image_format, provenance
        self._also = {} if also is None else also
        size = size or ChartSize()
        self._dpi = size.dots_per_inch
        # A billionth of a pixel more, because the figure rounds its size down.
        self.width_in = (size.width_px + 1e-9) / self._dpi
        self.height_in = (size.height_px + 1e-9) / self._dpi
        self.figure = Figure(figsize=(self.width_in, self.height_in), dpi=self._dpi)
        self._agg: Any = FigureCanvasAgg(self.figure)
        self.axes: Axes = self.figure.add_subplot()
        self._legend: list[tuple[Any, str]] = []
        self._legend_title: str | None = None
        self._colour_bar: tuple[Sequence[str], Sequence[str], str] | None = None
        self.axes_height_in = 0.0
        """Of the placed axes."""

    @property
    def is_roomy(self) -> bool:
        """Whether there is room for more than the chart itself needs."""
        return self.height_in >= _ROOMY_FROM_IN

    @property
    def axes_width_in(self) -> float:
        """The width of the placed axes in inches."""
        return self.axes.get_position().width * self.width_in

    def add_to_legend(self, handle: Any, label: str) -> None:
        """Put something that has been drawn into the legend, in a line that fits the sheet."""
        room_in = self.width_in - 2 * _EDGE_IN - _LEGEND_HANDLE_IN
        self._legend.append((handle, "".join(self.fit_lines(label, FontProperties(size=_SMALL_PT), 1, room_in))))

    def set_legend_title(self, title: str) -> None:
        """Write above the legend what its labels are values of."""
        self._legend_title = "".join(self.fit_lines(title, FontProperties(size=_SMALL_PT), 1)) or None

    def has_room_for_legend(self, labels: Sequence[str]) -> bool:
        """Return whether a legend of these labels would leave the chart most of the sheet."""
        n_lines = -(-len(labels) // self._n_legend_columns(labels))
        return n_lines * _LEGEND_LINE_IN <= _LEGEND_PART * self.height_in

    def add_colour_bar(self, colours: Sequence[str], labels: Sequence[str], title: str) -> None:
        """Put a colour bar to the right of the axes, the first colour at its bottom."""
        self._colour_bar = colours, labels, title

    def lay_out(self, warning: str = "", batches_per_epoch: int | None = None) -> None:
        """Write title, caption after a warning, and legend from the top down; place the axes in the room below.

        If there is room, an axis at the top counts the epochs of a chart over steps.
        """
        top_in = self._write_header(warning)
        if batches_per_epoch and self.is_roomy:
            self._add_epoch_axis(batches_per_epoch)
            top_in += _EPOCHS_IN
        self._place_axes(top_in)

    def _write_header(self, warning: str) -> float:
        """Return the inches that the header takes."""
        down_in = _EDGE_IN
        for text, font, colour in (
            (self._title, FontProperties(size=_TITLE_PT, weight="bold"), INK),
            (warning + self._caption, FontProperties(size=_SMALL_PT), _FAINT_INK),
        ):
            for line in self.fit_lines(text, font, max_lines=2 if self.is_roomy else 1):
                place = self.at(_EDGE_IN, down_in)
                self.figure.text(*place, line, fontproperties=font, color=colour, verticalalignment="top")
                down_in += 1.45 * font.get_size_in_points() / 72
        labels = [label for _, label in self._legend]
        n_columns = self._n_legend_columns(labels)
        self.figure.legend(
            [handle for handle, _ in self._legend],
            labels,
            title=self._legend_title,
            alignment="left",
            loc="upper left",
            bbox_to_anchor=self.at(_EDGE_IN, down_in + 0.04),
            ncols=n_columns,
            fontsize=_SMALL_PT,
            title_fontsize=_SMALL_PT,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            labelspacing=0.45,
        )
        n_lines = -(-len(labels) // n_columns) + (self._legend_title is not None)
        return down_in + _LEGEND_LINE_IN * n_lines + 0.12

    def _place_axes(self, top_in: float) -> None:
        """Give the axes, and a colour bar, all the room below ``top_in``."""
        left, bottom = self.at(_LEFT_IN, self.height_in - _BOTTOM_IN)
        right, top = self.at(self.width_in - (_COLOUR_BAR_ROOM_IN if self._colour_bar else _RIGHT_IN), top_in)
        self.axes.set_position((left, bottom, right - left, top - bottom))
        self.axes_height_in = (top - bottom) * self.height_in
        if self._colour_bar:
            x, _ = self.at(self.width_in - _COLOUR_BAR_ROOM_IN + 0.15, 0)
            bar = self.figure.add_axes((x, bottom, _COLOUR_BAR_IN / self.width_in, top - bottom))
            self._draw_colour_bar(bar, *self._colour_bar)

    def _add_epoch_axis(self, batches_per_epoch: int) -> None:
        per_epoch: Any = batches_per_epoch
        conversions = (lambda step: step / per_epoch, lambda epoch: epoch * per_epoch)
        epochs = self.axes.secondary_xaxis("top", functions=conversions)
        epochs.xaxis.set_major_locator(_whole_numbers(10))
        epochs.set_xlabel("epoch")
        epochs.spines["top"].set_visible(True)
        epochs.set_zorder(5)

    def number_steps(self, last_step: float) -> None:
        """Fit the x axis to steps from 0 to the last one."""
        self.axes.set_xlim(-0.01 * last_step, 1.01 * last_step)
        self.axes.xaxis.set_major_locator(_whole_numbers(7))
        self.axes.xaxis.set_major_formatter("{x:,.0f}")
        self.axes.set_xlabel("step")

    def number_y_axis(self) -> None:
        """Choose round numbers for a linear y axis, and write small and large ones with a power of ten."""
        self.axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
        formatter = ScalarFormatter(useOffset=False)
        formatter.set_powerlimits((-5, 6))
        self.axes.yaxis.set_major_formatter(formatter)

    def make_y_axis_logarithmic(self, n_ticks: int | None = None) -> None:
        """Write powers of ten along a logarithmic y axis, if given at most so many."""
        self.axes.set_yscale("log")
        if n_ticks:
            self.axes.yaxis.set_major_locator(LogLocator(numticks=n_ticks))
            self.axes.yaxis.set_minor_formatter(NullFormatter())
        self.axes.yaxis.set_major_formatter(lambda value, _: power_of_ten(value))

    def label_y_axis(self, label: str) -> None:
        """Name the finished y axis; by the label's last word alone where there is no room for more.

        Numbers that are wide move the axes to the right, so that the name stays on the sheet.
        """
        axis, font = self.axes.yaxis, FontProperties(size=_SMALL_PT)
        numbers = axis.get_major_formatter().format_ticks(axis.get_majorticklocs().tolist())
        widest_in = max((self.text_width_in(number, font) for number in numbers), default=0.0)
        left, bottom, width, height = self.axes.get_position().bounds
        shift = max(0.0, widest_in - _NUMBERS_IN) / self.width_in
        self.axes.set_position((left + shift, bottom, width - shift, height))
        scale = " (log scale)" if self.axes.get_yscale() == "log" else ""
        if self.text_width_in(label + scale, FontProperties(size=_TEXT_PT)) > self.axes_height_in:
            label = label.rsplit(maxsplit=1)[-1]
        self.axes.set_ylabel(label + scale)

    def cell(self, column: int, row: int, *, clip_on: bool = False, **style: Any) -> Rectangle:
        """Draw the unit square around a point; ``style`` is matplotlib's."""
        square = Rectangle((column - 0.5, row - 0.5), 1, 1, clip_on=clip_on, **style)
        self.axes.add_patch(square)
        return square

    @staticmethod
    def swatch(colour: str, edge: str | None = None) -> Rectangle:
        """Return a patch of a colour, for the legend."""
        return Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor=edge)

    def pad_x_axis(self, places: Series) -> None:
        """Fit a linear x axis to these places, with some room at both ends."""
        room = 0.06 * float(np.ptp(places) or abs(places[0]) or 1)
        self.axes.set_xlim(places.min() - room, places.max() + room)

    def are_apart(self, places: Series, by_in: float) -> bool:
        """Return whether neighbouring places on a linear x axis are at least so many inches apart."""
        low, high = self.axes.get_xlim()
        return len(places) < 2 or float(np.diff(places).min()) / (high - low) * self.axes_width_in >= by_in

    def just_below(self) -> Transform:
        """Return what moves a mark from a point of the axes to just below it."""
        return self.axes.transData + ScaledTranslation(0, -7 / 72, self.figure.dpi_scale_trans)

    def note(self, text: str) -> None:
        """Write a few words in small type below the axes."""
        self.figure.text(*self.at(_EDGE_IN, self.height_in - 0.17), text, fontsize=_NOTE_PT, color=_FAINT_INK)

    def at(self, right_in: float, down_in: float) -> tuple[float, float]:
        """Return the place so many inches from the upper left corner, in fractions of the figure."""
        return right_in / self.width_in, 1 - down_in / self.height_in

    def fit_lines(self, text: str, font: FontProperties, max_lines: int, width_in: float | None = None) -> list[str]:
        """Break text to lines of the given width, by default that of the sheet; see `frame.fit_lines`."""
        known = get_font(findfont(font)).get_charmap()
        text = "".join(sign if ord(sign) in known else "\N{REPLACEMENT CHARACTER}" for sign in printable(text))
        room_in = self.width_in - 2 * _EDGE_IN if width_in is None else width_in
        return fit_lines(text, lambda line: self.text_width_in(line, font) <= room_in, max_lines)

    def text_width_in(self, text: str, font: FontProperties) -> float:
        """Return the width of one line of text."""
        width_px, _, _ = self._agg.get_renderer().get_text_width_height_descent(text, font, ismath=False)
        return float(width_px) / self._dpi

    @staticmethod
    def ordered_colours(number: int) -> list[str]:
        """Return so many colours that show an order, from dark to light."""
        return [_ORDERED[place] for place in np.rint(np.linspace(0, 255, number)).astype(int)]

    def encode(self) -> bytes:
        """Return the picture as a file; a PDF is one page, and like an SVG has no pixels."""
        # While a PNG is compressed, which needs no interpreter, the next format is drawn.
        with ThreadPoolExecutor(1) as compressing:
            files = {each: compressing.submit(self._encode(each)) for each in (*self._also, self._format)}
        self._also.update({each: files[each].result() for each in self._also})
        return files[self._format].result()

    def _encode(self, image_format: ImageFormat) -> Callable[[], bytes]:
        """Draw the picture, and return what makes the file of it."""
        if image_format == "png":
            self._agg.draw()
            picture = Image.fromarray(np.asarray(self._agg.buffer_rgba())).convert("RGB")
            return partial(encode_png, picture, self._provenance, dpi=self._dpi)
        file = BytesIO()
        description, date = ("Description", "Date") if image_format == "svg" else ("Subject", "CreationDate")
        metadata = {"Title": printable(self._title), "Creator": "Inkling", description: describe(self._provenance)}
        self.figure.savefig(file, format=image_format, metadata={**metadata, date: None})
        return file.getvalue

    def _draw_colour_bar(self, bar: Axes, colours: Sequence[str], labels: Sequence[str], title: str) -> None:
        """Stack the colours, and label as many as have room."""
        bar.barh(np.arange(len(colours)), 1, height=1, color=colours, edgecolor=colours, linewidth=0.3)
        n_ticks = min(_MAX_COLOUR_TICKS, max(2, int(self.axes_height_in / 0.25)))
        ticks = range(0, len(labels), -(-len(labels) // n_ticks))
        font, room_in = FontProperties(size=_NOTE_PT), _COLOUR_BAR_ROOM_IN - _COLOUR_BAR_IN - 0.25
        bar.set_yticks(ticks, ["".join(self.fit_lines(labels[tick], font, 1, room_in)) for tick in ticks])
        bar.set(xticks=[], xlim=(0, 1), ylim=(-0.5, len(colours) - 0.5))
        bar.yaxis.tick_right()
        bar.tick_params(axis="y", length=2, pad=2, labelsize=_NOTE_PT)
        bar.grid(visible=False)
        bar.spines[:].set_visible(False)
        lines = self.fit_lines(title, font, 2, _COLOUR_BAR_ROOM_IN - 0.1)
        bar.set_title("\n".join(lines), fontproperties=font, color=_FAINT_INK, loc="left", pad=5)

    def _n_legend_columns(self, labels: Sequence[str]) -> int:
        """Return the most columns that fit side by side, filled one after the other as the legend fills them."""
        font = FontProperties(size=_SMALL_PT)
        widths_in = [self.text_width_in(label, font) + _LEGEND_HANDLE_IN + 0.25 for label in labels]
        for n_columns in range(len(labels), 1, -1):
            if sum(column.max() for column in np.array_split(widths_in, n_columns)) <= self.width_in - 2 * _EDGE_IN:
                return n_columns
        return 1


def _whole_numbers(most: int) -> MaxNLocator:
    return MaxNLocator(most, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
