"""The one face that every command is written against: this machine's own data, or a server elsewhere.

Both speak the plain dictionaries of the HTTP API and raise the same errors.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

if TYPE_CHECKING:
    from inkling import Event  # which brings httpx, of which help and usage need nothing

Json = dict[str, Any]
Picture = Literal["loss", "accuracy", "weights"]
SweepPicture = Literal["accuracy", "norms", "weights", "heatmap"]
PictureFormat = Literal["png", "svg"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """A file to be read: its name, its bytes, and what its name says that they are."""

    name: str
    data: bytes

    @property
    def media_type(self) -> str | None:
        """As in ``image/png``; None where the name tells nothing."""
        return mimetypes.guess_type(self.name)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReference:
    """Which model is asked: at most one of version and alias; nothing at all is the default model."""

    name: str | None = None
    version: int | None = None
    alias: str | None = None


class Backend(Protocol):
    """What Inkling can be asked for. Every method raises errors of the `ServiceError` tree."""

    place: str
    """Where this is, in words: ``at http://127.0.0.1:8000``, or ``on this machine, in data``."""

    arguments: str
    """What a further command needs to reach the same place, with a space before it; or nothing."""

    is_remote: bool
    """Whether this is a server elsewhere."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything."""
        ...

    @property
    def trains_here(self) -> bool:
        """Whether jobs are trained in this process, and so end with it."""
        ...

    # Jobs

    def submit(self, request: Mapping[str, Any]) -> Json:
        """Submit a training job; return it. ``request`` is the body of ``POST /jobs``."""
        ...

    def job(self, job_id: str) -> Json:
        """Return a job as it is now."""
        ...

    def jobs(self, *, state: str | None = None, limit: int = 50, before: str | None = None) -> Json:
        """Return ``jobs``, newest first, and ``next``: what to pass as ``before`` for the next page."""
        ...

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """Yield what happened after an event, and then what happens, until the job is over.

        On this machine it is trained by this process meanwhile, if no server is there to do it.
        """
        ...

    def cancel(self, job_id: str) -> Json:
        """Ask a job to stop; return it."""
        ...

    def resume(self, job_id: str, changes: Mapping[str, Any]) -> Json:
        """Submit a job that goes on where another ended, with new ``epochs`` or ``patience``; return it."""
        ...

    def verify(self, job_id: str) -> Json:
        """Submit a job that trains another again and compares the weights; return it."""
        ...

    def delete(self, job_id: str) -> None:
        """Delete a job that has ended. The model it made stays."""
        ...

    def metrics(self, job_id: str) -> Json:
        """Return the metric history: ``checks`` and ``train_loss``."""
        ...

    def job_picture(self, job_id: str, picture: Picture, picture_format: PictureFormat) -> bytes:
        """Return a picture of a job, of as far as it is."""
        ...

    # Sweeps

    def submit_sweep(self, request: Mapping[str, Any]) -> Json:
        """Submit a sweep; return it. ``request`` is the body of ``POST /sweeps``."""
        ...

    def sweep(self, sweep_id: str, *, rank_by: str | None = None) -> Json:
        """Return a sweep as it is now, its members ranked by a metric, by the validation loss if none is named."""
        ...

    def sweeps(self, *, limit: int = 50, before: str | None = None) -> Json:
        """Return ``sweeps``, newest first, and ``next``: what to pass as ``before`` for the next page."""
        ...

    def watch_sweep(self, sweep_id: str, *, rank_by: str | None = None) -> Iterator[Json]:
        """Yield a sweep as it is, again and again, until it is over; on this machine it is trained meanwhile."""
        ...

    def cancel_sweep(self, sweep_id: str) -> Json:
        """Ask every member that is not over to stop; return the sweep."""
        ...

    def sweep_picture(self, sweep_id: str, picture: SweepPicture, picture_format: PictureFormat) -> bytes:
        """Return a picture of a sweep, of as far as it is."""
        ...

    # Reports

    def submit_report(self, request: Mapping[str, Any]) -> Json:
        """Submit a report; return it. ``request`` is the body of ``POST /reports``."""
        ...

    def report(self, report_id: str) -> Json:
        """Return a report as it is now, with findings at the end; on this machine it is trained meanwhile."""
        ...

    def cancel_report(self, report_id: str) -> Json:
        """Ask every run of a report that is not over to stop; return the report."""
        ...

    def report_file(self, report_id: str, name: str) -> bytes:
        """Return one of the files that the links of a report name."""
        ...

    # Models

    def models(self) -> list[Json]:
        """Return a summary of every model."""
        ...

    def model(self, name: str) -> Json:
        """Return a model with all its versions."""
        ...

    def version(self, name: str, reference: int | str | None = None) -> Json:
        """Return what is known about a version: its manifest, and the aliases that name it."""
        ...

    def weights_file(self, name: str, version: int) -> bytes:
        """Return a version's weights as ``.npz``."""
        ...

    def onnx_file(self, name: str, version: int) -> bytes:
        """Return a version's published weights as an ONNX model."""
        ...

    def import_weights(self, name: str, content: bytes, *, classes: str, publish: str, dataset: str) -> Json:
        """Make a version of a ``.npz`` file; return it. ``classes`` as in ``2,3``, or nothing for all."""
        ...

    def weights_picture(self, name: str, version: int) -> bytes:
        """Return a version's weights as PNG."""
        ...

    def move_alias(self, name: str, alias: str, version: int, *, reason: str | None = None) -> Json:
        """Let an alias name a version from now on; return the move."""
        ...

    def alias_history(self, name: str, alias: str) -> list[Json]:
        """Return every move of an alias, the oldest first."""
        ...

    def evaluation(self, name: str, version: int) -> Json:
        """Return how a version does on the test images."""
        ...

    def comparison(self, models: Sequence[str]) -> Json:
        """Hold versions, each as ``name/version``, against the first of them."""
        ...

    # Images

    def predict(self, file: ImageFile, model: ModelReference) -> Json:
        """Return which model and version was asked, and its prediction for each image in the file."""
        ...

    def explain(self, file: ImageFile, model: ModelReference, *, digit: int | None, against: int | None) -> Json:
        """Return what each pixel of one image says for a digit, or for one digit against another."""
        ...

    def explanation_picture(
        self, file: ImageFile, model: ModelReference, *, digit: int | None, against: int | None
    ) -> bytes:
        """Return the same as PNG."""
        ...

    def preprocess(self, file: ImageFile) -> bytes:
        """Return the 28x28 PNG that a model would see."""
        ...

    def datasets(self) -> list[Json]:
        """Describe every data set."""
        ...

    def add_dataset(self, words: Mapping[str, str], files: Mapping[str, bytes]) -> Json:
        """Add a data set; ``words`` and ``files`` are the parts of the form that ``POST /datasets`` takes."""
        ...
