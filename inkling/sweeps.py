"""Sweeps and course reports: many training jobs, submitted and followed as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict, Unpack, get_args

from .call import Call, Json, delete, get, given, read_bytes, read_picture, read_record, read_table, submission
from .display import Metric, Picture, PictureFormat, PictureOptions, Record, Table
from .jobs import TrainingOptions, TrainingSet
from .methods import Awaitable, Blocking, request, returns, returns_table
from .nouns import Annotation, GroupSearch, Noun


class _Sweep(Noun):
    """A grid of training jobs, as it was at the last request."""

    path = "sweeps"

    @property
    def members(self) -> Table[Record]:
        """Its jobs, ranked: ``values``, ``job``, ``state``, ``rank`` and the rest; a summary has none."""
        return Table(map(Record, self.data.get("members", ())))

    @property
    def best(self) -> str | None:
        """The id of the job that is ranked first."""
        best: str | None = self.data.get("best")
        return best

    @property
    def summary(self) -> Json:
        """What a table shows of it."""
        rows = []
        for member in self.members:
            best = {name: (member["metrics"]["best"] or {}).get(name, "") for name in get_args(Metric)[:2]}
            rows.append({"rank": member["rank"], **member["values"], "state": member["state"], **best})
        return {**super().summary, **({"members": rows} if rows else {})}

    @request
    def picture(
        self,
        what: Literal["accuracy", "norms", "heatmap", "weights"],
        *,
        format: PictureFormat = "png",
        **options: Unpack[PictureOptions],
    ) -> Call[Picture]:
        """Draw its accuracies, norms over ``l2_penalty``, a heat map of two numbers, or its weights."""
        return get(read_picture, "sweeps", self.id, f"{what}.{format}", **options)


class Sweep(Blocking, _Sweep):
    """A grid of training jobs; a notebook shows its members, ranked."""


class AsyncSweep(Awaitable, _Sweep):
    """A grid of training jobs whose methods are awaited."""


class Sweeps:
    """What a client does about sweeps."""

    @returns(Sweep, AsyncSweep)
    def train_sweep(
        self,
        grid: Mapping[str, Sequence[object]],
        model: Literal["softmax", "logistic"] = "softmax",
        *,
        name: str | None = None,
        dataset: TrainingSet | None = None,
        **hyperparameters: Unpack[TrainingOptions],
    ) -> Call[Record]:
        """Submit a grid of training jobs.

        Parameters
        ----------
        grid : for each hyperparameter in which members differ its values: ``{"l2_penalty": [0, 0.1, 1]}``.
        model, hyperparameters : what all members share, see `Hyperparameters`; and `Annotation`, of the sweep.
        name : of the model of which each member makes a version.
        dataset : to train on, as for a job.
        """
        base: Json = ({} if "model" in grid else {"model": model}) | hyperparameters
        written = {part: base.pop(part) for part in Annotation.__annotations__ if part in base}
        return submission("sweeps", base=base, grid=dict(grid), **given(name=name, dataset=dataset), **written)

    @returns(Sweep, AsyncSweep)
    def sweep(self, sweep_id: str, *, rank_by: Metric | None = None) -> Call[Record]:
        """Return a sweep, its members ranked by a metric: by the validation loss, if none is given."""
        return get(read_record, "sweeps", sweep_id, rank_by=rank_by)

    @returns_table(Sweep, AsyncSweep)
    def sweeps(self, **search: Unpack[GroupSearch]) -> Call[Table[Record]]:
        """Return the newest sweeps, without their members; parameters as those of `jobs`."""
        return get(read_table("sweeps"), "sweeps", **search)


class ReportOptions(TypedDict, total=False):
    """How a report differs from that of the course; see docs/report.md."""

    assignment: Literal[1, 2]
    """1: logistic and softmax regression; 2: networks with hidden layers."""
    seed: int
    seeds: int
    """How many, from ``seed`` on: results over several have means, intervals and bands."""
    classes: Sequence[int]
    """The two of logistic regression."""
    l2_penalties: Sequence[float]
    title: str
    authors: Sequence[str]
    group: str
    quick: bool
    """Fewer epochs, to try it out."""
    tags: Sequence[str]
    notes: str


class _Report(Noun):
    """A course report, as it was at the last request."""

    path = "reports"

    @property
    def findings(self) -> Json | None:
        """Its numbers, once every run has succeeded."""
        found: Json | None = self.data.get("findings")
        return found

    @property
    def summary(self) -> Json:
        """What a table shows of it."""
        return {**super().summary, **({"findings": self.findings} if self.findings else {})}

    @request
    def delete(self, *, keep_runs: bool = False) -> Call[None]:
        """Delete it, with its jobs and its sweep unless ``keep_runs``; it must be over. Models that they made stay."""
        return delete(self.path, self.id, keep_runs=keep_runs or None)

    @request
    def document(self, form: Literal["html", "pdf", "md", "tex", "ipynb", "json", "zip"] = "html") -> Call[bytes]:
        """Return the whole report as a file."""
        return get(read_bytes, "reports", self.id, f"report.{form}")

    @request
    def figure(self, name: str, *, format: PictureFormat = "png") -> Call[Picture]:
        """Return one of its figures; ``data["links"]`` names them."""
        return get(read_picture, "reports", self.id, "figures", f"{name}.{format}")


class Report(Blocking, _Report):
    """A course report; a notebook shows its findings."""


class AsyncReport(Awaitable, _Report):
    """A course report whose methods are awaited."""


class Reports:
    """What a client does about reports."""

    @returns(Report, AsyncReport)
    def train_report(self, **options: Unpack[ReportOptions]) -> Call[Record]:
        """Submit the runs of a course report; without options those of the report itself."""
        return submission("reports", **options)

    @returns(Report, AsyncReport)
    def report(self, report_id: str) -> Call[Record]:
        """Return a report."""
        return get(read_record, "reports", report_id)

    @returns_table(Report, AsyncReport)
    def reports(self, **search: Unpack[GroupSearch]) -> Call[Table[Record]]:
        """Return the newest reports; parameters as those of `jobs`."""
        return get(read_table("reports"), "reports", **search)
