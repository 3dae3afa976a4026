"""A chart over steps: its lines, bands and marks, and axes that fit them."""

from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from .curves import AVERAGED_STEPS, MAX_POINTS, AnySteps, Curves, Series, Steps, block_statistics, steps_averaged, thin
from .frame import INK, LARGEST_DRAWN, MAX_MARKERS, Frame, new_sheet

_LOG_SCALE_FROM_RATIO = 1_000
_FIRST_STEPS_FRACTION = 0.05
_MIN_POINTS_TO_ZOOM = 20


class Canvas:
    """A chart that is drawn line by line and then encoded, once.

    Parameters
    ----------
    y_label : what is measured; its last word alone must do where there is no room for more.
    y_bounds : the values that are possible at all.
    off_scale : the fraction of the values, at each end, that may lie outside the chart if this magnifies the rest.
    """

    def __init__(
        self, *, y_label: str, y_bounds: tuple[float, float], off_scale: float = 0.0, **frame: Unpack[Frame]
    ) -> None:
        self.sheet = new_sheet(**frame)
        self._axes = self.sheet.axes
        self._y_label, self._y_bounds, self._off_scale = y_label, y_bounds, off_scale
        self._recorded: list[tuple[Series, Series]] = []
        self._drawn: list[tuple[Series, Series]] = []
        self._marked: list[float] = []
        self._last_step = 1.0
        self._n_left_out = 0

    def line(
        self,
        steps: AnySteps,
        values: Series,
        *,
        colour: str,
        label: str | None,
        max_points: int = MAX_POINTS,
        **style: Any,
    ) -> None:
        """Draw values as they are, thinned to what a picture can show; a short line also shows its points.

        A line without a label is not in the legend; ``style`` is matplotlib's.
        """
        at, values = self._take_finite(steps, values)
        if len(values) == 0:
            return
        kept = thin(values, max_points)
        marker = "o" if len(values) <= MAX_MARKERS else None
        (line,) = self._axes.plot(at[kept], values[kept], **({"color": colour, "marker": marker, "zorder": 3} | style))
        if label is not None:
            self.sheet.add_to_legend(line, label)
        self._drawn.append((at, values))

    def band(self, steps: AnySteps, lower: Series, upper: Series, *, colour: str) -> Any:
        """Fill the room between two lines; return what a legend shows of it."""
        finite = (np.abs(lower) <= LARGEST_DRAWN) & (np.abs(upper) <= LARGEST_DRAWN)
        at, low, high = (series[finite].astype(np.float64) for series in (steps, lower, upper))
        if len(at):
            self._drawn += [(at, low), (at, high)]
        return self._axes.fill_between(at, low, high, color=colour, alpha=0.22, linewidth=0)

    def training_loss(self, curves: Curves, *, colour: str, label: str, n_averaged: int = AVERAGED_STEPS) -> None:
        """Draw the mean loss of every so many steps in a band of one standard deviation to each side.

        A long run is averaged over more steps at a time, a very short one not at all, as the label states.
        """
        steps, values, band = curves.train_loss_steps, curves.train_loss, curves.train_loss_band
        if band is None:
            if len(values) < 2 * n_averaged:
                self.line(steps, values, colour=colour, label=label)
                return
            at, values = self._take_finite(steps, values)
            n_averaged = max(n_averaged, steps_averaged(len(values)))
            steps, mean, deviation = block_statistics(at, values, n_averaged)
            if len(mean) == 0:
                return
            band = np.maximum(mean - deviation, values.min()), mean + deviation
            values = mean
        else:
            n_averaged = curves.n_averaged
            steps, values = self._take_finite(steps, values)
        shown = self.band(steps, *band, colour=colour)
        (line,) = self._axes.plot(steps, values, color=colour, zorder=2.5)
        self.sheet.add_to_legend((shown, line), f"{label}, mean of {n_averaged} steps ± s.d.")

    def mark_run(self, curves: Curves, values: Series, *, colour: str, best_label: str) -> None:
        """Ring the best check on a line and draw its early stop; ``{value}`` becomes the line's value there."""
        if curves.best_step is not None:
            value = float(values[np.abs(curves.check_steps - curves.best_step).argmin()])
            label = f"{best_label.format(value=f'{value:.4g}')}, step {curves.best_step:,}"
            ring = {"color": "white", "markersize": 9, "markeredgecolor": colour, "markeredgewidth": 2}
            self._dot(curves.best_step, value, label, **ring)
        if curves.stop_step is not None:
            self.mark_step(curves.stop_step, label="early stop")

    def mark_end(self, step: int, value: float, *, colour: str, label: str | None) -> None:
        """Put a dot on a line; without a label it is not in the legend."""
        self._dot(step, value, label, color=colour, markersize=6, markeredgecolor="white", markeredgewidth=0.8)

    def _dot(self, step: int, value: float, label: str | None, **style: Any) -> None:
        if not abs(value) <= LARGEST_DRAWN:
            return
        (dot,) = self._axes.plot([step], [value], "o", zorder=4, clip_on=False, **style)
        self._marked.append(value)
        if label is not None:
            self.sheet.add_to_legend(dot, label)

    def mark_recurrence(self, steps: Steps, values: Series, *, colour: str, label: str) -> None:
        """Put a triangle just below each of these points of a line."""
        below = self.sheet.just_below()
        (marks,) = self._axes.plot(steps, values, "^", color=colour, markersize=6, zorder=4, transform=below)
        self.sheet.add_to_legend(marks, label)
        self._marked += values.tolist()

    def mark_level(self, value: float) -> None:
        """Draw a thin line across the chart at a value that has a meaning."""
        self._axes.axhline(value, color=INK, linewidth=0.8, zorder=1)

    def mark_step(self, step: int, *, label: str) -> None:
        """Draw a dashed line across the chart at ``step``."""
        line = self._axes.axvline(step, color=INK, linewidth=1.2, linestyle=(0, (4, 3)), zorder=2)
        self._last_step = max(self._last_step, step)
        self.sheet.add_to_legend(line, f"{label}, step {step:,}")

    def encode(self, batches_per_epoch: int | None) -> bytes:
        """Finish the chart with its header and axes, and return the picture as a file.

        Where the first steps would dwarf all that follows, the axis is fitted to what follows and a note gives
        their range.
        """
        left_out = f"{self._n_left_out:,} values are not finite or too large to draw. " if self._n_left_out else ""
        self.sheet.lay_out(left_out, batches_per_epoch)
        self.sheet.number_steps(self._last_step)
        self._finish_y_axis()
        return self.sheet.encode()

    def _take_finite(self, steps: AnySteps, values: Series) -> tuple[Series, Series]:
        """Remove values that cannot be drawn, and count them."""
        drawable = np.abs(values) <= LARGEST_DRAWN
        self._n_left_out += int((~drawable).sum())
        self._last_step = float(max([self._last_step, *steps[-1:]]))
        at, values = steps[drawable].astype(np.float64), values[drawable].astype(np.float64)
        self._recorded.append((at, values))
        return at, values

    def _finish_y_axis(self) -> None:
        drawn = self._drawn or [(np.zeros(1), np.zeros(1))]
        values = np.concatenate([each for _, each in drawn])
        if values.min() > 1 / LARGEST_DRAWN and values.max() > _LOG_SCALE_FROM_RATIO * values.min():
            self.sheet.make_y_axis_logarithmic(n_ticks=8)
        else:
            self._fit_y_axis(drawn, values)
        self.sheet.label_y_axis(self._y_label)

    def _fit_y_axis(self, drawn: list[tuple[Series, Series]], values: Series) -> None:
        self.sheet.number_y_axis()
        later = np.append(np.concatenate([each[~_is_first(at)] for at, each in drawn]), self._marked)
        low, high = np.quantile(later, [self._off_scale, 1 - self._off_scale])
        has_outliers = bool(high - low < np.ptp(later) / 2)
        if has_outliers:
            later = np.append(later[(low <= later) & (later <= high)], self._marked)
        is_dwarfed = len(values) >= _MIN_POINTS_TO_ZOOM and np.ptp(later) < np.ptp(values) / 2
        shown = later if is_dwarfed else values
        span = float(np.ptp(shown) or np.ptp(values) or abs(values[0]) or 1)
        smallest, largest = self._y_bounds
        bottom = max(float(shown.min()) - 0.08 * span, smallest - 0.02 * span)
        top = min(float(shown.max()) + 0.08 * span, largest + 0.02 * span)
        self._axes.set_ylim(bottom, top)
        if not is_dwarfed:
            return
        dwarfing = np.concatenate([each if has_outliers else each[_is_first(at)] for at, each in self._recorded])
        ends = (dwarfing.min(), dwarfing.max()) if len(dwarfing) else ()
        outside = [f"{value:.4g}" for value in ends if not bottom <= value <= top]
        if outside:
            self.sheet.note(f"{'some values' if has_outliers else 'first steps'} off scale: {', '.join(outside)}")


def _is_first(at: Series) -> NDArray[np.bool_]:
    """Return which steps of a line are its first ones: of a short line fewer than of a long one."""
    is_first: NDArray[np.bool_] = at < _FIRST_STEPS_FRACTION * at[-1:].max(initial=0)
    return is_first
