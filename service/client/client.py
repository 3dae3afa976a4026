"""The client that waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from . import calls
from .answers import Explanation, JobFacts, Prediction
from .call import Json
from .connection import Connection, Event, whereabouts
from .images import Image, body_of
from .picture import Picture
from .progress import ProgressLine


class InklingClient:
    """Inkling on a server, from Python.

    Every method raises errors of the tree in `service.errors`: `InvalidField` names the field and what it may be,
    `ServiceUnreachable` says that nobody answers.

    Parameters
    ----------
    url : of the server; by default that of ``INKLING_URL``, or ``http://127.0.0.1:8000``.
    key : for that server, if it needs one; by default that of ``INKLING_KEY``.
    """

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        self.connection = Connection(*whereabouts(url, key))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.connection.close()

    def train(self, model: str = "softmax", **fields: Any) -> Job:
        """Submit a training job. ``fields`` are those of ``POST /jobs``: hyperparameters, ``dataset``, ``name``."""
        return Job(self, self.connection.run(calls.submission("jobs", body={"model": model, **fields})))

    def job(self, job_id: str) -> Job:
        """Return a job."""
        return Job(self, self.connection.run(calls.job(job_id)))

    def jobs(self, *, state: str | None = None, limit: int = 50) -> list[Job]:
        """Return the newest jobs."""
        page = self.connection.run(calls.jobs(state=state, limit=limit))
        return [Job(self, data) for data in page["jobs"]]

    def predict(self, image: Image, **which: Any) -> Prediction:
        """Tell the digit in one image. ``which`` may be ``model``, ``version`` and ``alias``; see `predict_all`."""
        predictions = self.predict_all(image, **which)
        if len(predictions) != 1:
            raise ValueError("there are several images: use predict_all")
        return predictions[0]

    def predict_all(
        self, images: Image, *, model: str | None = None, version: int | None = None, alias: str | None = None
    ) -> list[Prediction]:
        """Tell the digits in a batch of images, in their order.

        Parameters
        ----------
        images : see `service.client.images.Image`.
        model, version, alias : who is asked; the champion of the default model if nothing is given.
        """
        call = calls.ask("predict", body_of(images), model=model, version=version, alias=alias)
        return Prediction.all_of(self.connection.run(call))

    def explain(
        self,
        image: Image,
        *,
        digit: int | None = None,
        against: int | None = None,
        model: str | None = None,
        version: int | None = None,
        alias: str | None = None,
    ) -> Explanation:
        """Tell what each pixel of an image says for a digit: for what the model says, if none is named."""
        question = {"digit": digit, "against": against}
        call = calls.ask("explain", body_of(image), model=model, version=version, alias=alias, **question)
        picture = self.connection.run(calls.as_picture(call, upscale=8))
        return Explanation.of(self.connection.run(call), picture)

    def default_version(self, model: str) -> int | str:
        """Return the version that answers when none is named: the champion, or else the latest."""
        default = self.model(model)["default"]
        return int(default["version"]) if default else "champion"

    def evaluate(self, model: str, version: int | str | None = None) -> Json:
        """Return how a version does on the test images: accuracy, confusion, calibration, the hardest images."""
        version = version or self.default_version(model)
        return self.connection.run(calls.evaluation(model, version))

    def confusion(self, model: str, version: int | str | None = None) -> Picture:
        """Draw which test images are taken for which class."""
        version = version or self.default_version(model)
        return self.connection.run(calls.picture("models", model, "versions", version, "confusion.png"))

    def weights(self, model: str, version: int | str | None = None) -> Picture:
        """Draw the weights of a version."""
        version = version or self.default_version(model)
        return self.connection.run(calls.picture("models", model, "versions", version, "weights.png"))

    def weights_file(self, model: str, version: int | str | None = None, *, format: str = "npz") -> bytes:
        """Return a version's weights as ``npz`` (arrays best and last), or what predictions use as ``onnx``."""
        version = version or self.default_version(model)
        return self.connection.run(calls.file("models", model, "versions", version, f"weights.{format}"))

    def import_weights(
        self, model: str, content: bytes, *, classes: Sequence[int] = (), publish: str = "best", dataset: str = "mnist"
    ) -> Json:
        """Make the next version of a model of a ``.npz`` file; ``classes`` are those of its outputs, if not all."""
        labels = ",".join(map(str, classes))
        call = calls.import_weights(model, content, classes=labels, publish=publish, dataset=dataset)
        return self.connection.run(call)

    def models(self) -> list[Json]:
        """Return a summary of every model."""
        return self.connection.run(calls.models())

    def model(self, name: str) -> Json:
        """Return a model with all its versions."""
        return self.connection.run(calls.model(name))

    def move_alias(self, model: str, alias: str, version: int, *, reason: str | None = None) -> Json:
        """Let an alias name a version from now on."""
        return self.connection.run(calls.move_alias(model, alias, version, reason=reason))

    def image(self, index: int, *, dataset: str = "mnist", part: str = "test", upscale: int = 1) -> Picture:
        """Return an image of a data set."""
        return self.connection.run(
            calls.picture("datasets", dataset, "images", f"{index}.png", part=part, upscale=upscale)
        )


class Job(JobFacts):
    """A training job on a server; a notebook shows its loss curves."""

    def __init__(self, client: InklingClient, data: Json) -> None:
        super().__init__(data)
        self._client = client
        self._connection = client.connection

    def refresh(self) -> Self:
        """Ask how it is now."""
        self.data = self._connection.run(calls.job(self.id))
        return self

    def wait(self, *, progress: bool = False) -> Self:
        """Wait until it is over, whatever its end: see ``state`` and ``error``.

        Parameters
        ----------
        progress : show on standard error how far it is.
        """
        line = ProgressLine(self.config["name"]) if progress else None
        for event in self.events():
            if line:
                line.show(event)
        self.refresh()
        if line:
            line.end(self.state)
        return self

    def events(self, *, after: int = 0) -> Iterator[Event]:
        """Yield what happened after an event, and then what happens, until it is over."""
        return self._connection.events(self.id, after)

    def cancel(self) -> Self:
        """Ask it to stop; its best weights so far become a model."""
        self.data = self._connection.run(calls.cancel("jobs", self.id))
        return self

    def resume(self, **changes: Any) -> Job:
        """Submit a job that goes on where this one ended, with new ``epochs`` or ``patience``."""
        call = calls.submission("jobs", self.id, "resume", body=changes)
        return Job(self._client, self._connection.run(call))

    def verify(self) -> Job:
        """Submit a job that trains this one again and compares the weights."""
        call = calls.submission("jobs", self.id, "verify", body={})
        return Job(self._client, self._connection.run(call))

    def delete(self) -> None:
        """Forget it; the model that it made stays."""
        self._connection.run(calls.delete_job(self.id))

    def history(self) -> Json:
        """Return its metric history: ``checks`` and ``train_loss``."""
        return self._connection.run(calls.metrics(self.id))

    def picture(self, what: str) -> Picture:
        """Draw its ``loss``, its ``accuracy`` or its ``weights``, of as far as it is."""
        return self._connection.run(calls.picture("jobs", self.id, f"{what}.png"))

    def _repr_png_(self) -> bytes | None:
        return self.picture("loss") if self.latest else None
