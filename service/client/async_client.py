"""The client that is awaited, made from client.py by docs/generate.py: change that one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self

from . import calls
from .answers import Explanation, JobFacts, Prediction
from .call import Json
from .connection import AsyncConnection, Event, whereabouts
from .images import Image, body_of
from .picture import Picture
from .progress import ProgressLine


class AsyncInklingClient:
    """Inkling on a server, from Python.

    Every method raises errors of the tree in `service.errors`: `InvalidField` names the field and what it may be,
    `ServiceUnreachable` says that nobody answers.

    Parameters
    ----------
    url : of the server; by default that of ``INKLING_URL``, or ``http://127.0.0.1:8000``.
    key : for that server, if it needs one; by default that of ``INKLING_KEY``.
    """

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        self.connection = AsyncConnection(*whereabouts(url, key))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self.connection.close()

    async def train(self, model: str = "softmax", **fields: Any) -> AsyncJob:
        """Submit a training job. ``fields`` are those of ``POST /jobs``: hyperparameters, ``dataset``, ``name``."""
        return AsyncJob(self, await self.connection.run(calls.submission("jobs", body={"model": model, **fields})))

    async def job(self, job_id: str) -> AsyncJob:
        """Return a job."""
        return AsyncJob(self, await self.connection.run(calls.job(job_id)))

    async def jobs(self, *, state: str | None = None, limit: int = 50) -> list[AsyncJob]:
        """Return the newest jobs."""
        page = await self.connection.run(calls.jobs(state=state, limit=limit))
        return [AsyncJob(self, data) for data in page["jobs"]]

    async def predict(self, image: Image, **which: Any) -> Prediction:
        """Tell the digit in one image. ``which`` may be ``model``, ``version`` and ``alias``; see `predict_all`."""
        predictions = await self.predict_all(image, **which)
        if len(predictions) != 1:
            raise ValueError("there are several images: use predict_all")
        return predictions[0]

    async def predict_all(
        self, images: Image, *, model: str | None = None, version: int | None = None, alias: str | None = None
    ) -> list[Prediction]:
        """Tell the digits in a batch of images, in their order.

        Parameters
        ----------
        images : see `service.client.images.Image`.
        model, version, alias : who is asked; the champion of the default model if nothing is given.
        """
        call = calls.ask("predict", body_of(images), model=model, version=version, alias=alias)
        return Prediction.all_of(await self.connection.run(call))

    async def explain(
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
        picture = await self.connection.run(calls.as_picture(call, upscale=8))
        return Explanation.of(await self.connection.run(call), picture)

    async def default_version(self, model: str) -> int | str:
        """Return the version that answers when none is named: the champion, or else the latest."""
        default = (await self.model(model))["default"]
        return int(default["version"]) if default else "champion"

    async def evaluate(self, model: str, version: int | str | None = None) -> Json:
        """Return how a version does on the test images: accuracy, confusion, calibration, the hardest images."""
        version = version or await self.default_version(model)
        return await self.connection.run(calls.evaluation(model, version))

    async def confusion(self, model: str, version: int | str | None = None) -> Picture:
        """Draw which test images are taken for which class."""
        version = version or await self.default_version(model)
        return await self.connection.run(calls.picture("models", model, "versions", version, "confusion.png"))

    async def weights(self, model: str, version: int | str | None = None) -> Picture:
        """Draw the weights of a version."""
        version = version or await self.default_version(model)
        return await self.connection.run(calls.picture("models", model, "versions", version, "weights.png"))

    async def weights_file(self, model: str, version: int | str | None = None, *, format: str = "npz") -> bytes:
        """Return a version's weights as ``npz`` (arrays best and last), or what predictions use as ``onnx``."""
        version = version or await self.default_version(model)
        return await self.connection.run(calls.file("models", model, "versions", version, f"weights.{format}"))

    async def import_weights(
        self, model: str, content: bytes, *, classes: Sequence[int] = (), publish: str = "best", dataset: str = "mnist"
    ) -> Json:
        """Make the next version of a model of a ``.npz`` file; ``classes`` are those of its outputs, if not all."""
        labels = ",".join(map(str, classes))
        call = calls.import_weights(model, content, classes=labels, publish=publish, dataset=dataset)
        return await self.connection.run(call)

    async def models(self) -> list[Json]:
        """Return a summary of every model."""
        return await self.connection.run(calls.models())

    async def model(self, name: str) -> Json:
        """Return a model with all its versions."""
        return await self.connection.run(calls.model(name))

    async def move_alias(self, model: str, alias: str, version: int, *, reason: str | None = None) -> Json:
        """Let an alias name a version from now on."""
        return await self.connection.run(calls.move_alias(model, alias, version, reason=reason))

    async def image(self, index: int, *, dataset: str = "mnist", part: str = "test", upscale: int = 1) -> Picture:
        """Return an image of a data set."""
        return await self.connection.run(
            calls.picture("datasets", dataset, "images", f"{index}.png", part=part, upscale=upscale)
        )


class AsyncJob(JobFacts):
    """A training job on a server."""

    def __init__(self, client: AsyncInklingClient, data: Json) -> None:
        super().__init__(data)
        self._client = client
        self._connection = client.connection

    async def refresh(self) -> Self:
        """Ask how it is now."""
        self.data = await self._connection.run(calls.job(self.id))
        return self

    async def wait(self, *, progress: bool = False) -> Self:
        """Wait until it is over, whatever its end: see ``state`` and ``error``.

        Parameters
        ----------
        progress : show on standard error how far it is.
        """
        line = ProgressLine(self.config["name"]) if progress else None
        async for event in self.events():
            if line:
                line.show(event)
        await self.refresh()
        if line:
            line.end(self.state)
        return self

    def events(self, *, after: int = 0) -> AsyncIterator[Event]:
        """Yield what happened after an event, and then what happens, until it is over."""
        return self._connection.events(self.id, after)

    async def cancel(self) -> Self:
        """Ask it to stop; its best weights so far become a model."""
        self.data = await self._connection.run(calls.cancel("jobs", self.id))
        return self

    async def resume(self, **changes: Any) -> AsyncJob:
        """Submit a job that goes on where this one ended, with new ``epochs`` or ``patience``."""
        call = calls.submission("jobs", self.id, "resume", body=changes)
        return AsyncJob(self._client, await self._connection.run(call))

    async def verify(self) -> AsyncJob:
        """Submit a job that trains this one again and compares the weights."""
        call = calls.submission("jobs", self.id, "verify", body={})
        return AsyncJob(self._client, await self._connection.run(call))

    async def delete(self) -> None:
        """Forget it; the model that it made stays."""
        await self._connection.run(calls.delete_job(self.id))

    async def history(self) -> Json:
        """Return its metric history: ``checks`` and ``train_loss``."""
        return await self._connection.run(calls.metrics(self.id))

    async def picture(self, what: str) -> Picture:
        """Draw its ``loss``, its ``accuracy`` or its ``weights``, of as far as it is."""
        return await self._connection.run(calls.picture("jobs", self.id, f"{what}.png"))
