"""Contenders measured in turn, so that what the machine does beside them hits all alike.

A round runs each contender once. Ratios are taken within a round, and their median is told; a machine that is slower
in one round than in another changes neither.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

OURS = "Inkling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The measurements of one claim: for each contender one value a round, in the order of the rounds.

    Attributes
    ----------
    unit : of the values, "s" say; ``larger_is_better`` of rates.
    targets : by contender, the ratio that is claimed of Inkling against it.
    floors : values that nothing can pass, drawn as lines.
    facts : whatever else was found; goes into the JSON as it is.
    """

    title: str
    unit: str
    values: Mapping[str, Sequence[float]]
    larger_is_better: bool = False
    targets: Mapping[str, float] = field(default_factory=dict)
    floors: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def median(self, name: str) -> float:
        """Return the median of a contender over the rounds."""
        return statistics.median(self.values[name])

    def ratios(self, name: str) -> list[float]:
        """How many times better Inkling did than ``name``, round by round."""
        pairs = zip(self.values[OURS], self.values[name], strict=True)
        return [ours / theirs if self.larger_is_better else theirs / ours for ours, theirs in pairs]

    def table(self) -> str:
        """Return the comparison as lines of text."""
        width = max(map(len, [*self.values, *self.floors]))
        lines = [self.title]
        for name, values in self.values.items():
            line = f"  {name:{width}}  {self.median(name):9.3f} {self.unit}"
            line += f"  ({min(values):.3f} to {max(values):.3f})"
            if name != OURS:
                ratios = self.ratios(name)
                line += f"   Inkling is {statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"
            if name in self.targets:
                met = statistics.median(self.ratios(name)) >= self.targets[name]
                line += f", claimed {self.targets[name]:g}x: {'yes' if met else 'NO'}"
            lines.append(line)
        for name, value in self.floors.items():
            line = f"  {name:{width}}  {value:9.3f} {self.unit}"
            lines.append(f"{line}   Inkling is at {self.median(OURS) / value:.2f} times this")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        others = [name for name in self.values if name != OURS]
        return {
            "title": self.title,
            "unit": self.unit,
            "values": {name: list(values) for name, values in self.values.items()},
            "medians": {name: self.median(name) for name in self.values},
            "ratios": {name: statistics.median(self.ratios(name)) for name in others},
            "targets": dict(self.targets),
            "floors": dict(self.floors),
            "facts": dict(self.facts),
        }

    def picture(self) -> Figure:
        """Bars of the medians, a dot for each round, a line for each floor."""
        figure = new_figure(9, 1 + 0.5 * len(self.values) + 0.15 * len(self.floors))
        axes = figure.add_subplot()
        for place, (name, values) in enumerate(self.values.items()):
            colour = "tab:blue" if name == OURS else "0.75"
            axes.barh(place, self.median(name), color=colour)
            axes.plot(values, [place] * len(values), "o", color="0.2", markersize=4)
            ratio = "" if name == OURS else f"   Inkling {statistics.median(self.ratios(name)):.2f}x"
            axes.text(max(values), place, f"  {self.median(name):.3g} {self.unit}{ratio}", va="center")
        for (name, value), style in zip(self.floors.items(), ("--", ":", "-.", "-"), strict=False):
            axes.axvline(
                value, color="tab:red", linestyle=style, linewidth=1.2, label=f"{name}: {value:.3g} {self.unit}"
            )
        axes.set_yticks(range(len(self.values)), list(self.values))
        axes.invert_yaxis()
        axes.set_xlim(0, 1.3 * max(max(values) for values in self.values.values()))
        axes.set_xlabel(self.unit)
        axes.set_title(self.title, fontsize=10)
        if self.floors:
            figure.legend(fontsize=8, loc="outside lower center", ncols=2)
        return figure


def interleave(contenders: Mapping[str, Callable[[int], Any]], rounds: int) -> dict[str, list[Any]]:
    """Call each contender once a round with the number of the round; return what they returned.

    Every other round goes backwards, so that nobody always follows the same neighbour.
    """
    returned: dict[str, list[Any]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            show(f"round {number + 1} of {rounds}: {name}")
            returned[name].append(contenders[name](number))
    show("")
    return returned


def show(what: str) -> None:
    """Say on the terminal, if there is one, what is being measured; the next line takes its place."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


def warn_if_busy() -> None:
    """Say so if others use the machine, to be called before the first measurement. Linux only."""
    before = processor_ticks()
    time.sleep(1)
    ticks = [after - earlier for after, earlier in zip(processor_ticks(), before, strict=True)]
    if ticks and 1 - (ticks[3] + ticks[4]) / sum(ticks) > 0.1:  # idle, and waiting for a disk
        print("Others use this machine now: peers with several threads suffer most from that.", file=sys.stderr)


def processor_ticks() -> list[int]:
    """Return what all cores have done so far: user, nice, system, idle, waiting, ..."""
    stat = Path("/proc/stat")
    return [int(word) for word in stat.read_text().split("\n")[0].split()[1:]] if stat.exists() else []


def machine() -> dict[str, Any]:
    """What the figures were measured on, without naming it."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else processor,
        "cores": len(models) or None,
        "python": platform.python_version(),
    }


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, that belongs to nobody else."""
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def write(facts: Mapping[str, Any], figure: Figure, *, json_file: Path | None, picture: Path | None) -> None:
    """Write what was found, with the machine it was found on, where files are asked for."""
    for path in (json_file, picture):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    if json_file is not None:
        json_file.write_text(json.dumps({"machine": machine(), **facts}, indent=1) + "\n")
    if picture is not None:
        figure.savefig(picture)
