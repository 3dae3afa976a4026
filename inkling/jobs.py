"""Training jobs: submit, follow, look at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack

from .call import Call, Json, get, given, json_body, post, read_bytes, read_picture, read_record, read_table
from .call import submission as submit
from .connection import Event
from .display import Picture, PictureFormat, PictureOptions, Record, Table
from .methods import Awaitable, Blocking, request, request_of_noun, returns, returns_table
from .nouns import Annotation, Noun, Search

State = Literal["queued", "running", "paused", "cancelling", "succeeded", "failed", "cancelled"]


class Hyperparameters(TypedDict, total=False):
    """Hyperparameters of a training job. The server has the defaults, docs/hyperparameters.md the ranges."""

    classes: Sequence[int] | None
    """The classes to distinguish; for logistic regression the first is the positive one."""
    hidden_layers: Sequence[int]
    """Units of each hidden layer; none: a linear model."""
    activation: Literal["relu", "sigmoid", "improved_sigmoid"] | None
    initialization: Literal["zeros", "uniform", "xavier", "he"] | None
    start_from: str | None
    """Begin with the weights of a version: model, model/version or model@alias."""
    input_scaling: Literal["range", "standard"] | None
    augmentation: Literal["none", "soft", "strong"] | None
    """Random distortions of the training images."""
    learning_rate: float
    momentum: float | None
    learning_rate_schedule: Literal["constant", "cosine"] | None
    batch_size: int
    epochs: int
    """Passes over the training images, at most."""
    shuffle: bool
    seed: int
    l2_penalty: float
    l2_convention: Literal["squared", "half_squared", "squared_without_bias"]
    patience: int | None
    """Validation checks without a new lowest validation loss, before it stops early; None: never."""
    checks_per_epoch: int
    drop_last: bool
    train_size: int | None
    """The first so many training images; None: all."""
    validation: Literal["test", "holdout"]
    validation_size: int
    dtype: Literal["float32", "float64"]
    publish: Literal["best", "last"]
    """Which weights become the model: those of the lowest validation loss, or the last."""


class JobSearch(Search, total=False):
    """Which jobs are listed."""

    state: State | None


class TrainingOptions(Hyperparameters, Annotation, total=False):
    """Hyperparameters, and what people write about the job."""


class Continuation(TypedDict, total=False):
    """What can be increased for a job that is resumed."""

    epochs: int
    """Those that were made are counted."""
    patience: int | None


class _Job(Noun):
    """A training job, as it was at the last request."""

    path = "jobs"

    @property
    def config(self) -> Json:
        """The request, with every default."""
        return dict(self.data["config"])

    @property
    def latest(self) -> Json | None:
        """The newest validation check."""
        return self._check("latest")

    @property
    def best(self) -> Json | None:
        """The validation check with the lowest loss."""
        return self._check("best")

    @property
    def model(self) -> tuple[str, int] | None:
        """Name and version of the model that it made, once it is over."""
        made = self.data["model"]
        return (made["name"], made["version"]) if made else None

    @property
    def error(self) -> str | None:
        """Why it failed."""
        error = self.data["error"]
        return str(error["detail"]) if error else None

    @property
    def summary(self) -> Json:
        """What a table shows of it."""
        best = {name: (self.best or {}).get(name, "") for name in ("validation_loss", "validation_accuracy")}
        return {**super().summary, **best, "model": "{}/{}".format(*self.model) if self.model else ""}

    def _check(self, which: str) -> Json | None:
        check: Any = self.data["metrics"][which]
        return dict(check) if check else None

    @request_of_noun
    def pause(self) -> Call[Record]:
        """Pause it after its current step, at most for a day."""
        return post("jobs", self.id, "pause")

    @request_of_noun
    def proceed(self, *, steps: int | None = None, epochs: int | None = None) -> Call[Record]:
        """Continue it, once it is paused: for so many steps, to the end of so many epochs, or to its end."""
        return post("jobs", self.id, "continue", **json_body(given(steps=steps, epochs=epochs)))

    @request_of_noun
    def resume(self, **changes: Unpack[Continuation]) -> Call[Record]:
        """Submit a job that continues where this one ended, with more ``epochs`` or ``patience``."""
        return submit("jobs", self.id, "resume", **changes)

    @request_of_noun
    def verify(self) -> Call[Record]:
        """Submit a job that trains this one again and compares the weights."""
        return submit("jobs", self.id, "verify")

    @request
    def history(self, *, since: int | None = None, max_points: int | None = None) -> Call[Record]:
        """Return its metric history: ``checks`` after the one with id ``since``, and ``train_loss`` of each step."""
        return get(read_record, "jobs", self.id, "metrics", since=since, max_points=max_points)

    @request
    def picture(
        self,
        what: Literal["loss", "accuracy", "weights", "gradient"],
        *,
        format: PictureFormat = "png",
        **options: Unpack[PictureOptions],
    ) -> Call[Picture]:
        """Draw its loss, its accuracy, its weights or the gradient of its next step, of as far as it is."""
        return get(read_picture, "jobs", self.id, f"{what}.{format}", **options)

    @request
    def numbers(
        self,
        what: Literal["weights", "gradient"],
        *,
        layer: int | None = None,
        weights: Literal["best", "last"] | None = None,
    ) -> Call[Record]:
        """Return what `picture` draws as numbers: ``values``, a row for each input and the bias, of ``outputs``.

        Parameters
        ----------
        layer : into which they lead, 1 being next to the pixels.
        weights : those of the lowest validation loss, which is the default, or the last.
        """
        return get(read_record, "jobs", self.id, what, layer=layer, weights=weights)

    @request
    def snapshots(self) -> Call[Record]:
        """Return of which steps the weights are kept."""
        return get(read_record, "jobs", self.id, "snapshots")

    @request
    def snapshot_weights(self, *, since: int | None = None) -> Call[bytes]:
        """Return the weights of all snapshots after a step: little-endian float32, of the ``shape`` of `snapshots`."""
        return get(read_bytes, "jobs", self.id, "snapshots", "weights.f32", since=since)

    @request
    def snapshot_picture(
        self,
        step: int,
        what: Literal["weights", "confusion"] = "weights",
        *,
        format: PictureFormat = "png",
        **options: Unpack[PictureOptions],
    ) -> Call[Picture]:
        """Draw the weights at a step, or which validation images were classified as which class."""
        return get(read_picture, "jobs", self.id, "snapshots", step, f"{what}.{format}", **options)

    @request
    def snapshot_confusion(self, step: int) -> Call[Record]:
        """Return which validation images were classified as which class at a step."""
        return get(read_record, "jobs", self.id, "snapshots", step, "confusion")


TrainingSet = str | Sequence[Mapping[str, Any]]
"""A data set, or several with their weights."""


class Job(Blocking, _Job):
    """A training job; a notebook shows its loss curves."""

    def events(self, *, after: int = 0) -> Iterator[Event]:
        """Yield what happened after an event, and then what happens, until it is over."""
        return self.connection.events(self.id, after)

    def _repr_png_(self) -> bytes | None:
        return self.picture("loss") if self.latest else None

    def _repr_html_(self) -> str | None:
        return None if self.latest else super()._repr_html_()


class AsyncJob(Awaitable, _Job):
    """A training job whose methods are awaited."""

    def events(self, *, after: int = 0) -> AsyncIterator[Event]:
        """Yield what happened after an event, and then what happens, until it is over."""
        return self.connection.events(self.id, after)


class Jobs:
    """What a client does about jobs."""

    @returns(Job, AsyncJob)
    def train(
        self,
        model: Literal["softmax", "logistic"] = "softmax",
        *,
        name: str | None = None,
        dataset: TrainingSet | None = None,
        paused: bool | None = None,
        **hyperparameters: Unpack[TrainingOptions],
    ) -> Call[Record]:
        """Submit a training job.

        Parameters
        ----------
        model : softmax regression over several classes, or logistic regression between two.
        name : of the model that it makes, or of which it makes the next version.
        dataset : to train on, MNIST by default; or several together, each as ``{"name": ..., "weight": ...}``, the one
            to validate on first. Of a collection a ``version`` is named, or it is frozen now.
        paused : wait before the first step, until `proceed`.
        hyperparameters : see `Hyperparameters`; and `Annotation`.
        """
        return submit("jobs", model=model, **given(name=name, dataset=dataset, paused=paused), **hyperparameters)

    @returns(Job, AsyncJob)
    def job(self, job_id: str) -> Call[Record]:
        """Return a job."""
        return get(read_record, "jobs", job_id)

    @returns_table(Job, AsyncJob)
    def jobs(self, **search: Unpack[JobSearch]) -> Call[Table[Record]]:
        """Return the newest jobs, at most 50 by default; see `inkling.nouns.Search`."""
        return get(read_table("jobs"), "jobs", **search)
