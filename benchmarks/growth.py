"""How the time of training grows with each of the things that make it longer; see `benchmarks.training`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.paired import interleave, new_figure
from benchmarks.peers.process import train_in_processes
from benchmarks.peers.task import Task

IMAGES, MEMBERS, EPOCHS, WORKERS = "training images", "members", "epochs", "workers"
RUNS_OF_WORKERS = 4
"""With one worker four runs follow one another, with two they go in two pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Seconds by what was varied and how much of it, one value a round."""

    values: Mapping[str, Mapping[int, Sequence[float]]]
    quick: bool

    def medians(self, axis: str) -> dict[int, float]:
        """Return the median time for each amount."""
        return {amount: statistics.median(seconds) for amount, seconds in self.values[axis].items()}

    def line(self, axis: str) -> tuple[float, float]:
        """Return offset and slope of the straight line that fits best, deviations taken relative to the time."""
        amounts, seconds = (np.array(part, float) for part in zip(*self.medians(axis).items(), strict=True))
        slope, offset = np.polyfit(amounts, seconds, 1, w=1 / seconds)
        return float(offset), float(slope)

    def table(self) -> str:
        """Return the growth as lines of text."""
        lines = []
        for axis in self.values:
            medians = self.medians(axis)
            first_amount, first = next(iter(medians.items()))
            lines.append(f"{axis:>15}  seconds   for each   amount   time")
            for amount, seconds in medians.items():
                lines.append(
                    f"{amount:15,}  {seconds:7.3f}  {seconds / amount:9.2e}  "
                    f"{amount / first_amount:6.2f}x {seconds / first:6.2f}x"
                )
            if axis != WORKERS:
                offset, slope = self.line(axis)
                deviation = max(abs(offset + slope * amount - s) / s for amount, s in medians.items())
                lines.append(
                    f"  line: {offset:.3g} s + {slope:.3g} s each; no point is further from it than {deviation:.0%}"
                )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "title": "Time of training by what makes it longer",
            "values": {axis: {str(k): list(v) for k, v in of_axis.items()} for axis, of_axis in self.values.items()},
            "medians": {axis: {str(k): v for k, v in self.medians(axis).items()} for axis in self.values},
            "lines": {axis: self.line(axis) for axis in self.values if axis != WORKERS},
            "facts": {"quick": self.quick},
        }

    def picture(self) -> Figure:
        """A panel for each, dots for the rounds and the straight line that fits best."""
        figure = new_figure(9, 6)
        for axes, axis in zip(figure.subplots(2, 2).flat, self.values, strict=True):
            medians = self.medians(axis)
            for amount, seconds in self.values[axis].items():
                axes.plot([amount] * len(seconds), seconds, "o", color="0.5", markersize=3)
            axes.plot(list(medians), list(medians.values()), "o", color="tab:blue")
            if axis == WORKERS:
                axes.bar(list(medians), list(medians.values()), color="tab:blue", width=0.5)
                axes.set_xticks(list(medians))
                axes.set_title(f"{RUNS_OF_WORKERS} runs", fontsize=9)
            else:
                offset, slope = self.line(axis)
                ends = np.array([0, max(medians)])
                axes.plot(ends, offset + slope * ends, "-", color="tab:blue", linewidth=1)
                axes.set_title(f"{offset:.2g} s + {slope:.2g} s each", fontsize=9)
                axes.set_xlim(0)
            axes.set_ylim(0)
            axes.set_xlabel(axis)
            axes.set_ylabel("s")
        figure.suptitle("Time of training by what makes it longer", fontsize=10)
        return figure


def measure_growth(rounds: int, *, quick: bool) -> Growth:
    """Vary one thing at a time, without early stopping, each amount once a round."""
    base = Task(patience=None, epochs=10)
    if quick:
        base = Task(patience=None, n_train=2000, n_validation=1000, epochs=2)
    tasks = {
        IMAGES: {
            n: Task(patience=None, n_train=n, n_validation=base.n_validation, epochs=base.epochs)
            for n in ((1000, 2000, 4000) if quick else (5000, 10_000, 20_000, 40_000, 60_000))
        },
        MEMBERS: {
            n: Task(
                l2=tuple(np.geomspace(1e-5, 1, n).tolist()),
                patience=None,
                n_train=base.n_train,
                n_validation=base.n_validation,
                epochs=2 if quick else 3,
            )
            for n in ((1, 4, 16) if quick else (1, 2, 4, 8, 16, 32, 64))
        },
        EPOCHS: {
            n: Task(patience=None, n_train=base.n_train, n_validation=base.n_validation, epochs=n)
            for n in ((2, 4, 8) if quick else (5, 10, 20, 40))
        },
        WORKERS: dict.fromkeys((1, 2), base),
    }

    def seconds(axis: str, amount: int) -> float:
        workers = amount if axis == WORKERS else 1
        times = RUNS_OF_WORKERS // amount if axis == WORKERS else 1
        answer = train_in_processes("inkling", tasks[axis][amount], processes=workers, times=times)
        return float(answer["seconds"])

    points = {f"{amount:,} {axis}": (axis, amount) for axis, of_axis in tasks.items() for amount in of_axis}
    found = interleave({name: lambda _, point=point: seconds(*point) for name, point in points.items()}, rounds)
    values: dict[str, dict[int, list[float]]] = {axis: {} for axis in tasks}
    for name, (axis, amount) in points.items():
        values[axis][amount] = found[name]
    return Growth(values=values, quick=quick)
