"""The clients against a real server: what waits and what is awaited return the same."""

from __future__ import annotations

import asyncio
import json
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inkling import (
    AsyncInklingClient,
    InklingClient,
    InklingError,
    InvalidField,
    Job,
    JobNotFound,
    ModelNotFound,
    Picture,
    ServiceUnreachable,
)
from inkling.nouns import ProgressLine
from service.datasets import Dataset
from tests.web.serving import LONG, TINY

FIELDS: dict[str, Any] = {name: value for name, value in TINY.items() if name != "model"}
ENDLESS: dict[str, Any] = {name: value for name, value in LONG.items() if name != "model"}


@pytest.fixture(scope="module")
def job(client: InklingClient) -> Job:
    return client.train("softmax", name="by-client", **FIELDS).wait()


@pytest.fixture
def digit(mnist: Dataset) -> Any:
    return mnist.test.images[0]


def is_png(picture: bytes) -> bool:
    return Image.open(BytesIO(picture)).format == "PNG"


@pytest.mark.slow
def test_a_job_from_submission_to_its_end(client: InklingClient, job: Job) -> None:
    assert (job.state, job.model, job.error, job.is_over) == ("succeeded", ("by-client", 1), None, True)
    assert job.config["epochs"] == 2
    assert job.best and job.latest
    assert job.history()["checks"][-1]["id"] == job.latest["id"]
    assert "succeeded" in repr(job)
    assert client.job(job.id).data == job.data
    assert job.id in [one.id for one in client.jobs(state="succeeded")]
    assert is_png(job.picture("loss", width_px=640)) and is_png(job.picture("accuracy"))
    assert is_png(job.picture("weights", weights="last", colours="grey"))
    shown = job._repr_png_()
    assert shown is not None and is_png(shown)


def test_progress_is_shown_until_the_end(client: InklingClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.train(name="by-client-shown", **FIELDS).wait(progress=True)
    shown = capsys.readouterr().err
    assert shown.startswith("\rby-client-shown [")
    assert shown.endswith("  succeeded\n")
    assert "epoch 1  validation loss " in shown.split("\r")[-1]


def test_a_shorter_line_covers_a_longer_one() -> None:
    stream = StringIO()
    line = ProgressLine(stream)
    for epoch in (1000, 1):
        check = {"epoch": epoch, "validation_loss": 0.5, "validation_accuracy": 0.5}
        line.show({"name": "x", "state": "running", "metrics": {"latest": check}, "progress": {"fraction": 0.5}})
    first, second = stream.getvalue().split("\r")[1:]
    assert len(first) == len(second)


def test_cancelled_resumed_verified_deleted(client: InklingClient) -> None:
    job = client.train(name="by-client-long", **ENDLESS)
    for event in job.events():
        if event.kind == "check":
            break
    job.cancel()
    assert job.wait().state == "cancelled"
    short = client.train(name="by-client-short", **FIELDS).wait()
    resumed = short.resume(epochs=3).wait()
    assert resumed.data["continues"]["job"] == short.id
    assert resumed.verify().wait().data["verification"]["outcome"]["identical"]
    job.delete()
    with pytest.raises(JobNotFound):
        job.refresh()


def test_paused_and_continued_step_by_step(client: InklingClient) -> None:
    job = client.train(name="by-client-stepwise", paused=True, **FIELDS).wait()
    assert (job.state, job.is_over, job.data["pause_at_step"]) == ("paused", False, 0)
    assert job.proceed(steps=3).wait().data["pause_at_step"] == 3
    assert is_png(job.picture("gradient"))
    assert job.proceed().wait().state == "succeeded"
    running = client.train(name="by-client-paused", **ENDLESS).pause()
    assert running.wait().state == "paused" and running.cancel().wait().state == "cancelled"


def test_batches_and_versions(client: InklingClient, mnist: Dataset, job: Job) -> None:
    images = mnist.test.images[:5]
    predictions = client.predict_all(images, model="by-client", version=1)
    assert [(one.model, one.version) for one in predictions] == [("by-client", 1)] * 5
    with pytest.raises(InvalidField, match="version"):
        client.predict(images[0], version=1)
    client.move_alias("by-client", "tested", 1, reason="a test")
    assert client.predict(images[0], model="by-client", alias="tested").version == 1
    assert client.model("by-client")["aliases"]["tested"] == 1
    assert "by-client" in [model["name"] for model in client.models()]


def test_explanations_and_evaluations(client: InklingClient, digit: Any) -> None:
    explained = client.explain(digit, digit=7, against=9, model="mnist-softmax", version=1)
    assert (explained.digit, explained.against) == (7, 9)
    assert np.sum(explained.evidence) + explained.bias == pytest.approx(explained.logit)
    shown = explained._repr_png_()
    assert shown is not None and is_png(shown)
    assert client.evaluate("mnist-softmax", 1)["accuracy"] > 0.9
    assert is_png(client.confusion("mnist-softmax"))
    assert is_png(client.weights("mnist-softmax"))


def test_pictures_show_themselves(client: InklingClient, tmp_path: Path) -> None:
    picture = client.image(0, upscale=4)
    with Image.open(picture.save(tmp_path / "seven.png")) as saved:
        assert saved.size == (112, 112)
    assert (picture._repr_png_(), picture._repr_svg_()) == (bytes(picture), None)
    assert "bytes>" in repr(picture)
    assert Picture(b"<svg/>")._repr_svg_() == "<svg/>"


def test_errors_name_field_and_range(client: InklingClient, digit: Any, url: str) -> None:
    with pytest.raises(InvalidField) as caught:
        client.train(learning_rate=50)
    assert (caught.value.field, caught.value.allowed) == ("learning_rate", "a number from 1e-06 to 10")
    with pytest.raises(ModelNotFound):
        client.predict(digit, model="unknown")
    with pytest.raises(InvalidField, match="URL"):
        InklingClient("127.0.0.1:8000")
    with pytest.raises(InvalidField, match="key"):
        InklingClient(url, key="two words")
    with InklingClient("http://127.0.0.1:9") as absent, pytest.raises(ServiceUnreachable, match=r"127\.0\.0\.1:9"):
        absent.models()
    with InklingClient(f"{url}/docs#") as other, pytest.raises(InklingError):
        other.models()


def test_whereabouts_come_from_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INKLING_URL", url)
    with InklingClient() as client:
        assert client.connection.place == f"at {url}"
        assert client.models()
    monkeypatch.setenv("INKLING_KEY", "of-a-file\n")
    InklingClient().close()  # the end of a line is no part of a key


def test_numbers_are_read_from_files_and_arrays(client: InklingClient, mnist: Dataset, tmp_path: Path) -> None:
    strip = np.hstack(list(mnist.test.images[:3])).repeat(3, axis=0).repeat(3, axis=1)
    reading = client.read(strip, expect=3)
    assert (reading.text, reading.warnings, reading.version) == ("721", (), 1)
    path = client.draw_reading(strip).save(tmp_path / "read.png")
    assert client.read(path).text == "721"
    assert client.read(mnist.test.images[0]).text == "7"  # a picture of 28x28, not pixels
    with pytest.raises(InvalidField):
        client.read(strip, expect=0)


@pytest.mark.slow
def test_the_awaited_client_returns_the_same(client: InklingClient, url: str, digit: Any, mnist: Dataset) -> None:
    async def ask() -> None:
        async with AsyncInklingClient(url) as other:
            job = await other.train(name="by-async-client", **FIELDS)
            await job.wait()
            assert (job.state, job.model) == ("succeeded", ("by-async-client", 1))
            assert is_png(await job.picture("loss"))
            assert (await other.job(job.id)).data == client.job(job.id).data
            assert await other.predict(digit) == client.predict(digit)
            assert (await other.explain(digit)).details == client.explain(digit).details
            assert await other.read(digit) == client.read(digit)
            with pytest.raises(ModelNotFound):
                await other.evaluate("unknown")
            long = await other.train(**ENDLESS)
            async for event in long.events():
                if event.kind == "check":
                    break
            await long.cancel()
            assert (await long.wait()).state == "cancelled"
            several = await asyncio.gather(*(other.predict(image) for image in mnist.test.images[:8]))
            assert several == client.predict_all(mnist.test.images[:8])

    asyncio.run(ask())


@pytest.mark.slow
def test_the_examples_of_the_page_run(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of docs/client.md, one after another, as a reader would type them."""
    monkeypatch.setenv("INKLING_URL", url)
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
    blocks = [block.partition("```")[0] for block in page.split("```python\n")[1:]]
    assert len(blocks) >= 10
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/client.md", "exec"), names)
    names["client"].close()
    assert json.dumps(names["job"].data)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["digit.png", "loss.png", "read.png"]
