"""From images in a request to its answer; requests that wait at the same time are one batch, as in Triton's batcher."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, TypeAlias, TypeVar

from starlette.responses import Response

from service.bootstrap import Service
from service.core import Floats, Ints
from service.inference import ModelInputs, Thresholds, answer, predict
from service.metrics import Stages
from service.registry import Model

from .connection import IN_PROGRESS
from .routing import BoundedRequest

T = TypeVar("T")
_MAX_IMAGES = 64
"""With so many a batch is full. One request may bring as many, and more together would save nothing."""
Reference: TypeAlias = tuple[str | None, str | None]
"""A model, and its version or alias; None is the default of either."""


class Predicted(NamedTuple):
    """What a request gets: the labels, (n,), and probabilities, (n, n_classes), of its images.

    ``answer`` is that of `service.inference.answer`, where thresholds for it were given.
    """

    labels: Ints
    probabilities: Floats
    answer: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionRequest:
    """What a request asks for, in any protocol.

    Parameters
    ----------
    of : what predicts.
    thresholds : for `service.inference.answer`; None if only labels and probabilities are wanted.
    decode : return the images; what it refuses is counted as failed.
    decode_small : likewise if that takes about as long as switching to a thread and back, else None.
    n_bytes : what decoding works on.
    write : make the answer of what was predicted.
    """

    of: Reference
    thresholds: Thresholds | None
    decode: Callable[[], ModelInputs]
    decode_small: Callable[[], ModelInputs | None]
    n_bytes: int
    write: Callable[[Model, Predicted], Response]
    stages: Stages = field(default_factory=Stages)


_Waiting: TypeAlias = tuple[PredictionRequest, "asyncio.Future[Predicted | None]"]
_Decoded: TypeAlias = tuple[ModelInputs, "asyncio.Future[Predicted | None]"]


class PredictionBatches:
    """Answers predictions. Those on the event loop are decoded and computed at the end of the turn they came in.

    One by one, each reads the weights and the code of all its steps from memory again, since what the framework does
    in between has replaced them in the processor's caches; that takes longer than computing. Nothing waits for others
    to come: what comes alone is predicted at once. The bits are the same in every company.
    """

    def __init__(self, service: Service) -> None:
        self._catalogue = service.catalogue
        self._counters = service.metrics.inference
        self._waiting: dict[tuple[Model, Thresholds | None], list[_Waiting]] = {}

    async def respond(self, request: BoundedRequest, asked: PredictionRequest) -> Response:
        """Answer a request: on the event loop if it is small and its model is loaded, else in a thread."""
        model = self._catalogue.get_cached(*asked.of)
        if model is not None:
            is_alone = len(request.scope["state"].get(IN_PROGRESS, ())) == 1
            predicted = (
                self._predicted_alone(asked, model) if is_alone else await self._predicted_together(asked, model)
            )
            if predicted is not None:
                return self._written(asked, model, predicted)
        return await request.limits.run(partial(self._respond_now, asked), asked.n_bytes)

    def _respond_now(self, asked: PredictionRequest) -> Response:
        model = self._catalogue.get(*asked.of)  # before decoding: the cheaper refusal
        inputs = self._decoded(asked, model, asked.decode)
        return self._written(asked, model, self._predicted(model, inputs, asked.thresholds))

    def _predicted_alone(self, asked: PredictionRequest, model: Model) -> Predicted | None:
        inputs = self._decoded(asked, model, asked.decode_small)
        return None if inputs is None else self._predicted(model, inputs, asked.thresholds)

    async def _predicted_together(self, asked: PredictionRequest, model: Model) -> Predicted | None:
        loop = asyncio.get_running_loop()
        waiting = self._waiting.setdefault((model, asked.thresholds), [])
        if not waiting:
            loop.call_soon(self._predict_waiting, model, asked.thresholds)
        predicted: asyncio.Future[Predicted | None] = loop.create_future()
        waiting.append((asked, predicted))
        return await predicted

    def _decoded(self, asked: PredictionRequest, model: Model, decode: Callable[[], T]) -> T:
        asked.stages.next()
        try:
            inputs = decode()
        except Exception:
            self._counters.failed(model.manifest.name, model.manifest.version)
            raise
        if inputs is None:
            asked.stages.undo()  # it waits on, for a thread
        else:
            asked.stages.next()
        return inputs

    def _predicted(self, model: Model, inputs: ModelInputs, thresholds: Thresholds | None) -> Predicted:
        predicted = predict(model, inputs.images)
        self._counters.executed(model.manifest.name, model.manifest.version)
        return Predicted(*predicted, None if thresholds is None else answer(model, inputs, predicted, thresholds))

    def _written(self, asked: PredictionRequest, model: Model, predicted: Predicted) -> Response:
        asked.stages.next()
        response = asked.write(model, predicted)
        asked.stages.next()
        manifest = model.manifest
        self._counters.succeeded(manifest.name, manifest.version, predicted[:2], asked.stages)
        return response

    def _predict_waiting(self, model: Model, thresholds: Thresholds | None) -> None:
        decoded: list[_Decoded] = []
        n_images = 0
        for asked, predicted in self._waiting.pop((model, thresholds)):
            if predicted.done():
                continue  # its client has left
            try:
                inputs = self._decoded(asked, model, asked.decode_small)
            except Exception as error:
                predicted.set_exception(error)
                continue
            if inputs is None:
                predicted.set_result(None)
                continue
            decoded.append((inputs, predicted))
            n_images += len(inputs)
            if n_images >= _MAX_IMAGES:
                self._predict_batch(model, thresholds, decoded)
                decoded, n_images = [], 0
        if decoded:
            self._predict_batch(model, thresholds, decoded)

    def _predict_batch(self, model: Model, thresholds: Thresholds | None, decoded: list[_Decoded]) -> None:
        inputs = [each for each, _ in decoded]
        try:
            all_ = self._predicted(model, inputs[0] if len(inputs) == 1 else ModelInputs.joined(inputs), thresholds)
        except Exception as error:
            for _, predicted in decoded:
                predicted.set_exception(error)
            return
        ends = pairwise((0, *accumulate(map(len, inputs))))
        for (_, predicted), part in zip(decoded, [slice(*each) for each in ends], strict=True):
            found = all_.answer and {**all_.answer, "predictions": all_.answer["predictions"][part]}
            predicted.set_result(Predicted(all_.labels[part], all_.probabilities[part], found))


def batches_of(request: BoundedRequest) -> PredictionBatches:
    """Return the batches of the application that received a request."""
    batches: PredictionBatches = request.app.state.batches
    return batches
