"""What comes out as JSON, as documented in OpenAPI.

Answers are built from plain data and not validated again on their way out; the tests hold them against these models.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from service.core import METRICS
from service.jobs import JobState

Metric: TypeAlias = Literal[tuple(METRICS)]  # type: ignore[valid-type]  # made of the table


class Answer(BaseModel):
    """An answer: exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class CheckMetrics(Answer):
    """What a validation check found. Steps and epochs count from 0."""

    epoch: int
    step: int
    train_loss: Annotated[float, Field(description="Cross-entropy on the step's own batch, before its update.")]
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


class Check(CheckMetrics):
    """A validation check as it was recorded: a row of the metrics."""

    id: Annotated[
        int,
        Field(
            description="Of the event that told of it; grows over all jobs. A resumed job has its first ones in common."
        ),
    ]


class Progress(Answer):
    """How far a job is."""

    fraction: Annotated[float, Field(description="Of the steps of all epochs; early stopping may end before 1.")]
    epoch: int
    step: int
    images_per_s: float | None
    eta_s: Annotated[float | None, Field(description="If all epochs are made.")]
    patience_left: Annotated[int | None, Field(description="In checks; null without early stopping.")]


class CheckEvent(Check):
    """The data of a `check` event."""

    progress: Progress


class Transition(Answer):
    """A move of a job to another state; also the data of a `state` event."""

    state: JobState
    at: datetime
    reason: str | None


class LatestAndBest(Answer):
    """The newest check, and the one with the lowest validation loss."""

    latest: Check | None
    best: Check | None


class Tensor(Answer):
    """A matrix among the parameters of a model, its biases in the last row."""

    name: str
    shape: list[int]


class Operation(Answer):
    """A step of a model: `scale` is x / divisor - shift, `dense` x W + b with the named tensor."""

    kind: str
    tensor: str | None = None
    divisor: float | None = None
    shift: float | None = None


class Version(Answer):
    """A version of a model."""

    name: str
    version: int


class Failure(Answer):
    """Why a job failed."""

    type: str
    title: str
    detail: str


class Continuation(Answer):
    """Where a resumed job began."""

    job: Annotated[str, Field(description="The job whose checkpoint it began with; its earlier checks are copies.")]
    step: Annotated[int, Field(description="The first step that it made itself.")]


class LargestDifference(Answer):
    """Of two sets of weights, the largest absolute difference; null where their shapes differ."""

    best: float | None
    last: float | None


class RecordDifference(Answer):
    """Something in which a record and the training that repeated it differ."""

    what: Annotated[str, Field(description="As in `environment.numpy`, `config.seed`, `dataset.sha256`.")]
    recorded: Any
    now: Any


class VerificationOutcome(Answer):
    """Whether the same weights came out."""

    identical: Annotated[bool, Field(description="Whether best and last weights are the same to the bit.")]
    recorded_sha256: Annotated[str, Field(description="Of the weight file of the model.")]
    retrained_sha256: Annotated[str, Field(description="Of the weight file that this training would make.")]
    largest_difference: LargestDifference
    differences: list[RecordDifference]


class Verification(Answer):
    """What a job trains again, and what came of it."""

    job: str
    model: Version
    outcome: Annotated[VerificationOutcome | None, Field(description="null until the job has succeeded.")]


class Job(Answer):
    """A training job."""

    id: str
    state: JobState
    config: Annotated[dict[str, Any], Field(description="The request, with everything that it left open.")]
    progress: Progress
    metrics: LatestAndBest
    stop_reason: Annotated[
        Literal["max_epochs", "early_stopping", "cancelled", "non_finite_loss"] | None,
        Field(description="Why training ended."),
    ]
    error: Failure | None
    model: Annotated[Version | None, Field(description="What it made, once it is over; a verification makes none.")]
    continues: Annotated[Continuation | None, Field(description="Of a resumed job.")]
    verification: Annotated[Verification | None, Field(description="Of a job that verifies another.")]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    history: list[Transition]


class Snapshot(Answer):
    """Weights that were kept at a check."""

    step: int
    epoch: int
    check: Annotated[int, Field(description="The id of the check that found them so good.")]


class SnapshotList(Answer):
    """The snapshots of a job, the oldest first."""

    job: str
    every_checks: Annotated[int, Field(description="One is kept every so many checks: 1, 2, 4 and so on.")]
    max_snapshots: Annotated[
        int,
        Field(description="As many are kept at most: 256 of a job, 16 of a sweep's member, none of a verification."),
    ]
    shape: Annotated[
        list[int],
        Field(
            description="Of each: of one matrix [n_inputs, n_outputs], the bias in its last row; else [n_parameters]."
        ),
    ]
    tensors: Annotated[list[Tensor], Field(description="What each is made of, one after the other, row after row.")]
    operations: Annotated[list[Operation], Field(description="The steps from grey levels to probabilities.")]
    outputs: Annotated[list[str], Field(description="What each output is for.")]
    snapshots: list[Snapshot]


class SnapshotConfusion(Answer):
    """How many validation images the weights of a snapshot take for which class."""

    job: str
    step: int
    epoch: int
    classes: list[int]
    n_images: int
    accuracy: float
    confusion: Annotated[list[list[int]], Field(description="A row for each true class, a column for each told one.")]


class JobList(Answer):
    """Jobs, the newest first."""

    jobs: list[Job]
    next: Annotated[str | None, Field(description="Pass it as `before` for the next page; null on the last.")]


class SweepMember(Answer):
    """A member of a sweep: a job like any other, and the values in which it differs from the rest."""

    rank: Annotated[int, Field(description="1 is the best; those without a check come last.")]
    values: Annotated[dict[str, Any], Field(description="Of the hyperparameters in the grid.")]
    job: Annotated[str, Field(description="The id of its job, which has everything else.")]
    state: JobState
    progress: Progress
    metrics: LatestAndBest
    stop_reason: Literal["max_epochs", "early_stopping", "cancelled", "non_finite_loss"] | None
    error: Failure | None
    model: Version | None
    started_at: datetime | None
    finished_at: datetime | None


class SweepSummary(Answer):
    """What a listing says of a sweep."""

    id: str
    base: Annotated[dict[str, Any], Field(description="What all members share, as far as it was said.")]
    grid: dict[str, list[Any]]
    dataset: str
    name: Annotated[str, Field(description="The model of which every member becomes a version.")]
    state: Annotated[Literal["running", "finished"], Field(description="finished: every member is over.")]
    states: Annotated[dict[JobState, int], Field(description="How many members are in each state.")]
    created_at: datetime


class Sweep(SweepSummary):
    """A sweep with its members, the best first."""

    fraction: Annotated[float, Field(description="The mean over the members; those that are over count whole.")]
    ranked_by: Metric
    best: Annotated[str | None, Field(description="The job of the best member; null before the first check.")]
    members: list[SweepMember]


class SweepList(Answer):
    """Sweeps, the newest first."""

    sweeps: list[SweepSummary]
    next: Annotated[str | None, Field(description="Pass it as `before` for the next page; null on the last.")]


class LossCurve(Answer):
    """The training loss of every step."""

    steps: list[int]
    values: list[float]


class Metrics(Answer):
    """The history of a job."""

    checks: list[Check]
    train_loss: LossCurve
    thinned: Annotated[bool, Field(description="Whether points were left out; minima and maxima stayed.")]


class VersionSummary(Answer):
    """What a listing says of a version."""

    version: int
    state: Annotated[
        Literal["ready", "corrupted"], Field(description="corrupted: its manifest is damaged, so it is not used.")
    ]
    model: str | None
    classes: list[int] | None
    class_names: list[str] | None
    published: Literal["best", "last"] | None
    metrics: Annotated[CheckMetrics | None, Field(description="Of the published weights.")]
    created_at: datetime | None
    job_id: str | None


class ModelSummary(Answer):
    """What a listing says of a model."""

    name: str
    state: Literal["ready", "corrupted"]
    versions: list[int]
    aliases: dict[str, int] | None
    default: Annotated[VersionSummary | None, Field(description="Answers when neither version nor alias is asked for.")]


class ModelList(Answer):
    """All models."""

    models: list[ModelSummary]
    default: Annotated[str, Field(description="The name of the model that answers when none is named.")]


class ModelDetail(Answer):
    """A model with all its versions, the oldest first."""

    name: str
    state: Literal["ready", "corrupted"]
    versions: list[VersionSummary]
    aliases: dict[str, int] | None
    default: VersionSummary | None


class DatasetReference(Answer):
    """The data that a model was trained on."""

    name: str
    sha256: str


class PublishedMetrics(Answer):
    """The checks of the best and of the last weights, and that of the published ones of these."""

    best: CheckMetrics
    last: CheckMetrics
    published: CheckMetrics


class VersionDetail(Answer):
    """The manifest of a version: how it was trained, how well it did, what its weight file must be."""

    name: str
    version: int
    aliases: Annotated[list[str], Field(description="Those that name it now.")]
    model: str
    classes: Annotated[list[int], Field(description="Of each output; for logistic, the positive one first.")]
    class_names: list[str]
    dtype: Literal["float32", "float64"]
    published: Annotated[Literal["best", "last"], Field(description="Which weights predictions use.")]
    config: dict[str, Any]
    dataset: DatasetReference
    metrics: PublishedMetrics
    stop_reason: str
    environment: Annotated[dict[str, Any], Field(description="Versions and BLAS, as far as they decide the bits.")]
    job_id: str | None
    job_exists: Annotated[
        bool | None, Field(description="Whether that job is on this server; null while the database is away.")
    ]
    created_at: datetime
    weights_sha256: str
    size_bytes: int
    format: Annotated[int, Field(description="Of the manifest.")]
    image_shape: Annotated[list[int], Field(description="Height and width of the images it is for.")]
    tensors: Annotated[list[Tensor], Field(description="What its parameters are.")]
    operations: Annotated[list[Operation], Field(description="The steps from grey levels to probabilities.")]


class AliasEntry(Answer):
    """One move of an alias."""

    model: str
    alias: str
    number: Annotated[int, Field(description="Counts the moves of this alias from 1.")]
    version: Annotated[int | None, Field(description="What it names from then on; null when it was deleted.")]
    at: datetime
    by: str | None
    reason: str | None


class AliasHistory(Answer):
    """Every move of an alias, the oldest first."""

    history: list[AliasEntry]


class Prediction(Answer):
    """What one image was read as."""

    digit: int
    class_name: Annotated[
        str, Field(description="What the data set calls that class; where it has no names, a number.")
    ]
    probabilities: Annotated[dict[str, float], Field(description="Of every class; they sum to 1.")]
    preprocessing: Annotated[list[str], Field(description="What was done to the image, in order.")]
    warnings: list[str]


class PredictionAnswer(Answer):
    """Predictions in the order of the images, and which version made them."""

    model: str
    version: int
    predictions: list[Prediction]
