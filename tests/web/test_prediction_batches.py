"""Predictions that are asked for at the same time: computed together, and the same as alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.responses import Response

from service.bootstrap import Service
from service.datasets import load_dataset
from service.errors import InvalidImage
from service.inference import ModelInputs, Thresholds, answer, decode_small_upload, decode_upload, predict
from service.registry import Model
from service.web.app import create_app
from service.web.batches import Predicted, PredictionBatches, PredictionRequest
from service.web.routing import BoundedRequest
from tests.security.image_cases import encoded

IMAGES = load_dataset("mnist").test.images
MODEL = "mnist-digits"
REQUEST = BoundedRequest({"type": "http", "state": {}})


def image(number: int) -> ModelInputs:
    return ModelInputs.as_given(IMAGES[number : number + 1])


async def ask(
    batches: PredictionBatches, images: Sequence[Callable[[], ModelInputs]], leaves: int | None = None
) -> list[Predicted | BaseException]:
    """Return what requests of these images get, all at the same time; the client of one of them may leave."""

    async def predicted(decode: Callable[[], ModelInputs]) -> Predicted:
        def write(model: Model, predicted: Predicted) -> Response:
            found.append(predicted)
            return Response()

        found: list[Predicted] = []
        asked = PredictionRequest(
            of=(MODEL, "1"), thresholds=Thresholds(), decode=decode, decode_small=decode, n_bytes=784, write=write
        )
        await batches.respond(REQUEST, asked)
        return found[0]

    tasks = [asyncio.create_task(predicted(decode)) for decode in images]
    await asyncio.sleep(0)  # all wait now
    if leaves is not None:
        tasks[leaves].cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


def executions(service: Service) -> tuple[int, int]:
    """Return how many batches and images the model has classified."""
    counts = service.metrics.inference_figures()[MODEL, 1].counts
    return int(counts["exec_count"]), int(counts["count"])


@pytest.fixture
def batches(service: Service) -> PredictionBatches:
    service.catalogue.get(MODEL, "1")  # so that it is loaded
    return PredictionBatches(service)


async def ask_all(app: FastAPI, requests: list[dict[str, Any]]) -> list[httpx.Response]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        return await asyncio.gather(*(client.post(**request) for request in requests))


def test_what_comes_together_is_computed_together_and_answered_as_alone(service: Service) -> None:
    address = f"/api/v1/models/{MODEL}/versions/1/predict"
    pixels = {"pixels": IMAGES[7].reshape(-1).tolist()}
    tensor = {"name": "image", "datatype": "UINT8", "shape": [1, 28, 28], "data": IMAGES[8].reshape(-1).tolist()}
    requests: list[dict[str, Any]] = [
        *({"url": address, "content": IMAGES[first : first + n].tobytes()} for first, n in ((0, 1), (1, 3), (4, 2))),
        {"url": address, "json": pixels},
        {"url": address, "content": b"no images"},
        {"url": address, "content": IMAGES[9].tobytes(), "headers": {"Accept": "text/csv"}},
        {"url": f"{address}?unsure_below=1&digit_below=0", "content": IMAGES[9].tobytes()},
        {"url": address, "content": IMAGES[9].tobytes(), "headers": {"Accept": "application/x-npy"}},
        {"url": f"/v2/models/{MODEL}/versions/1/infer", "json": {"inputs": [tensor]}},
        {"url": "/api/v1/models/mnist-softmax/predict", "content": IMAGES[9].tobytes()},
    ]
    app = create_app(service)
    alone = [asyncio.run(ask_all(app, [request]))[0] for request in requests]
    for _ in range(20):  # on a busy machine, what names mean may have to be looked up again, in threads
        before = executions(service)
        together = asyncio.run(ask_all(app, requests))
        n_batches, n_images = np.subtract(executions(service), before)
        assert n_images == 11
        if n_batches == 3:  # by the usual thresholds, by others, and without a verdict
            break
    assert n_batches == 3
    assert [answer.status_code for answer in together] == [200] * 4 + [415] + [200] * 5
    del alone[4], together[4]  # each refusal has an id
    assert [answer.content for answer in together] == [answer.content for answer in alone]
    assert json.loads(together[5].content)["predictions"][0]["verdict"] == "unsure"


def test_a_batch_that_is_full_is_computed(service: Service, batches: PredictionBatches) -> None:
    before = executions(service)
    for number, predicted in enumerate(asyncio.run(ask(batches, [partial(image, number) for number in range(130)]))):
        assert isinstance(predicted, Predicted)
        model, inputs = service.catalogue.get(MODEL, 1), image(number)
        labels, probabilities = predict(model, inputs.images)
        assert predicted.labels == labels
        assert predicted.probabilities.tobytes() == probabilities.tobytes()
        assert predicted.answer == answer(model, inputs)
    assert executions(service)[0] - before[0] == 3


def test_who_leaves_disturbs_nobody(service: Service, batches: PredictionBatches) -> None:
    def decode(number: int) -> ModelInputs:
        decoded.append(number)
        return image(number)

    decoded: list[int] = []
    first, left, last = asyncio.run(ask(batches, [partial(decode, number) for number in range(3)], leaves=1))
    assert isinstance(left, asyncio.CancelledError)
    assert isinstance(first, Predicted) and isinstance(last, Predicted)
    assert decoded == [0, 2]


def test_what_is_refused_disturbs_nobody(service: Service, batches: PredictionBatches) -> None:
    def refuse() -> ModelInputs:
        raise InvalidImage("The image is empty.")

    def refusals() -> float:
        return service.metrics.inference_figures()[MODEL, 1].counts["request_failure"]

    before = refusals()
    first, refused, last = asyncio.run(ask(batches, [partial(image, 0), refuse, partial(image, 1)]))
    assert isinstance(refused, InvalidImage) and refusals() == before + 1
    assert isinstance(first, Predicted) and isinstance(last, Predicted)


def test_a_bug_ends_every_request_of_its_batch(service: Service, batches: PredictionBatches) -> None:
    def wrong() -> ModelInputs:
        return ModelInputs(images=np.zeros((1, 27, 28), np.uint8), steps=((),), warnings=((),))

    assert [type(each) for each in asyncio.run(ask(batches, [wrong, wrong]))] == [ValueError] * 2


def test_what_takes_long_to_decode_is_left_to_a_thread(service: Service, batches: PredictionBatches) -> None:
    """A disc of 28x28 pixels: its strokes are so thick that they are thinned, in 10 ms. It is counted once."""
    rows, columns = np.indices((28, 28))
    disc = ((rows - 14) ** 2 + (columns - 14) ** 2 <= 100) * np.uint8(255)
    pictures = [encoded(Image.fromarray(each)) for each in (disc, IMAGES[0])]
    assert decode_small_upload(pictures[0]) is None and decode_small_upload(pictures[1]) is not None
    requests = [
        {
            "url": f"/api/v1/models/{MODEL}/versions/1/predict",
            "content": picture,
            "headers": {"Content-Type": "image/png"},
        }
        for picture in pictures
    ]
    app = create_app(service)
    before = executions(service)
    for company in (requests, requests[:1]):
        answers = asyncio.run(ask_all(app, company))
        found = [answer(service.catalogue.get(MODEL, 1), decode_upload(each)) for each in pictures]
        assert [each.json() for each in answers] == found[: len(company)]
    assert executions(service)[1] - before[1] == 3
