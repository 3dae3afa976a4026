"""Predictions of requests that wait at the same time, computed together, as Triton's dynamic batcher does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, TypeAlias

from starlette.requests import Request

from service.core import Floats, Ints
from service.inference import ModelInputs, Thresholds, answer, predict
from service.metrics import InferenceCounters
from service.registry import Model

from .connection import IN_PROGRESS

_MAX_IMAGES = 64
"""With so many a batch is full. One request may bring as many, and more together would save nothing."""
_Asked: TypeAlias = tuple[Model, Thresholds | None]


class Predicted(NamedTuple):
    """What a request gets: the labels, (n,), and probabilities, (n, n_classes), of its images.

    ``answer`` is that of `service.inference.answer`, where thresholds for it were given.
    """

    labels: Ints
    probabilities: Floats
    answer: dict[str, Any] | None


class PredictionBatches:
    """Predicts at the end of a turn of the event loop what was asked for in it.

    One by one, each prediction reads the weights and the code of all its steps from memory again, since what the
    framework does in between has replaced them in the processor's caches; that takes longer than computing. Nothing
    waits for others to come: what comes alone is predicted at once. The bits are the same in every company.
    """

    def __init__(self, counters: InferenceCounters) -> None:
        self._counters = counters
        self._waiting: dict[_Asked, list[tuple[ModelInputs, asyncio.Future[Predicted]]]] = {}

    async def predict(
        self, request: Request, model: Model, inputs: ModelInputs, thresholds: Thresholds | None = None
    ) -> Predicted:
        """Predict the few images of a request, together with those of others that ask the same of the same version."""
        if len(request.scope["state"].get(IN_PROGRESS, ())) == 1:
            return self.predict_now(model, inputs, thresholds)  # there is nobody to wait for
        loop = asyncio.get_running_loop()
        asked = model, thresholds
        waiting = self._waiting.get(asked)
        if waiting is None:
            waiting = self._waiting[asked] = []
            loop.call_soon(self._predict_waiting, asked)
        predicted: asyncio.Future[Predicted] = loop.create_future()
        waiting.append((inputs, predicted))
        if sum(len(each) for each, _ in waiting) >= _MAX_IMAGES:
            self._predict_waiting(asked)
        return await predicted

    def predict_now(self, model: Model, inputs: ModelInputs, thresholds: Thresholds | None = None) -> Predicted:
        """Predict the images of one request as a batch of its own, in any thread."""
        predicted = predict(model, inputs.images)
        self._counters.executed(model.manifest.name, model.manifest.version)
        return Predicted(*predicted, None if thresholds is None else answer(model, inputs, predicted, thresholds))

    def _predict_waiting(self, asked: _Asked) -> None:
        waiting = self._waiting.pop(asked, ())  # nothing waits if the batch was full before
        try:
            results = self._predict_each(asked, [inputs for inputs, _ in waiting]) if waiting else ()
        except Exception as error:
            for _, predicted in waiting:
                if not predicted.done():
                    predicted.set_exception(error)
            return
        for (_, predicted), result in zip(waiting, results, strict=True):
            if not predicted.done():  # its client may have left
                predicted.set_result(result)

    def _predict_each(self, asked: _Asked, requests: Sequence[ModelInputs]) -> Sequence[Predicted]:
        model, thresholds = asked
        if len(requests) == 1:
            return (self.predict_now(model, requests[0], thresholds),)
        labels, table, found = self.predict_now(model, ModelInputs.joined(requests), thresholds)
        parts = [slice(*ends) for ends in pairwise((0, *accumulate(map(len, requests))))]
        return [
            Predicted(labels[part], table[part], found and {**found, "predictions": found["predictions"][part]})
            for part in parts
        ]


def batches_of(request: Request) -> PredictionBatches:
    """Return the batches of the application that received a request."""
    batches: PredictionBatches = request.app.state.batches
    return batches
