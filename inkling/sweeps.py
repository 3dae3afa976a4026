"""Sweeps: a grid of training jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Unpack

from .call import Call, Json, get, given, post, read_picture, read_record, read_table, submission, until_over
from .display import Picture, Record, Table
from .jobs import ChartOptions, Hyperparameters, PictureFormat
from .methods import Awaitable, Blocking, Noun, request, request_of_noun, returns, returns_table

Metric = Literal["validation_loss", "validation_accuracy", "train_loss", "train_accuracy"]


class SweepPictureOptions(ChartOptions, total=False):
    """Of a chart or of weights, whichever is drawn."""

    scale: Literal["log", "linear", "shared", "per_row", "per_tile"]
    """Of norms the axis, of weights what shares a scale of colours."""
    metric: Metric
    """Of a heat map."""
    weights: Literal["best", "last"]
    rank_by: Metric
    limit: int
    """Of weights: the best so many members, by ``rank_by``."""
    colours: Literal["diverging", "grey"]
    upscale: int
    scale_bar: bool


class _Sweep(Noun):
    """A grid of training jobs, as it was when it was asked for last."""

    @property
    def is_over(self) -> bool:
        """Whether every member is over."""
        return self.state == "finished"

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
        rows = [
            {
                "rank": member["rank"],
                **member["values"],
                "state": member["state"],
                **{
                    name: (member["metrics"]["best"] or {}).get(name, "")
                    for name in ("validation_loss", "validation_accuracy")
                },
            }
            for member in self.members
        ]
        facts = {
            "id": self.id,
            "name": self.data["name"],
            "state": self.state,
            "progress": f"{self.data['fraction']:.0%}",
        }
        return {**facts, "members": rows} if rows else facts

    def __repr__(self) -> str:
        return f"<sweep {self.id}: {self.data['name']}, {self.state}, {self.data['fraction']:.0%}>"

    @request_of_noun
    def refresh(self, *, rank_by: Metric | None = None) -> Call[Record]:
        """Ask for its present state, its members ranked by a metric: by the validation loss, if none is given."""
        return get(read_record, "sweeps", self.id, rank_by=rank_by)

    @request_of_noun
    def wait(self, *, rank_by: Metric | None = None, timeout_s: float | None = None) -> Call[Record]:
        """Wait until every member is over; TimeoutError if that takes longer than ``timeout_s``."""
        call = get(read_record, "sweeps", self.id, rank_by=rank_by)
        return until_over(call, lambda sweep: sweep["state"] == "finished", timeout_s=timeout_s)

    @request_of_noun
    def cancel(self) -> Call[Record]:
        """Ask every member to stop that is not over."""
        return post("sweeps", self.id, "cancel")

    @request
    def picture(
        self,
        what: Literal["accuracy", "norms", "heatmap", "weights"],
        *,
        format: PictureFormat = "png",
        **options: Unpack[SweepPictureOptions],
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
        dataset: str | None = None,
        **hyperparameters: Unpack[Hyperparameters],
    ) -> Call[Record]:
        """Submit a grid of training jobs.

        Parameters
        ----------
        grid : for each hyperparameter in which members differ its values: ``{"l2_penalty": [0, 0.1, 1]}``.
        model, hyperparameters : what all members share; see `Hyperparameters`.
        name : of the model of which each member makes a version.
        dataset : to train on; MNIST by default.
        """
        base = ({} if "model" in grid else {"model": model}) | hyperparameters
        return submission("sweeps", base=base, grid=dict(grid), **given(name=name, dataset=dataset))

    @returns(Sweep, AsyncSweep)
    def sweep(self, sweep_id: str, *, rank_by: Metric | None = None) -> Call[Record]:
        """Return a sweep, its members ranked by a metric: by the validation loss, if none is given."""
        return get(read_record, "sweeps", sweep_id, rank_by=rank_by)

    @returns_table(Sweep, AsyncSweep)
    def sweeps(self, *, limit: int | None = None, before: str | None = None) -> Call[Table[Record]]:
        """Return the newest sweeps, without their members; ``before`` is the ``next`` of an earlier page."""
        return get(read_table("sweeps"), "sweeps", limit=limit, before=before)
