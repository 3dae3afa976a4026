"""The client that openapi-python-client makes of ``/openapi.json``, used against a running service."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.datasets import load_dataset
from tests.web.serving import TINY, wait_until_over

ROOT = Path(__file__).parents[3]
PACKAGE = "inkling_client"


@pytest.fixture(scope="module")
def package(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Generate the client with the configuration that docs/api.md gives, and make it importable."""
    folder = tmp_path_factory.mktemp("generated")
    written = re.search(r"```yaml\n(content_type_overrides:\n.*?)```", (ROOT / "docs/api.md").read_text(), re.DOTALL)
    assert written, "docs/api.md shows the configuration"
    (folder / "client.yml").write_text(written[1])
    (folder / "openapi.json").write_bytes(httpx.get(f"{url}/openapi.json").content)
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json"]
    command += ["--config", "client.yml", "--meta", "none", "--output-path", PACKAGE, "--fail-on-warning"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield folder / PACKAGE
    sys.path.remove(str(folder))


@pytest.fixture
def client(url: str, package: Path) -> Iterator[Any]:
    with importlib.import_module(PACKAGE).Client(base_url=url, raise_on_unexpected_status=True) as client:
        yield client


def operation(noun: str, name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.api.{noun}.{name}")


def model(name: str) -> Any:
    return getattr(importlib.import_module(f"{PACKAGE}.models"), name)


def test_every_operation_is_there_and_can_be_imported(url: str, package: Path) -> None:
    document = httpx.get(f"{url}/openapi.json").json()
    documented = {each["operationId"] for item in document["paths"].values() for each in item.values()}
    modules = {path.stem: path for path in package.rglob("*.py") if path.stem != "__init__"}
    assert documented <= modules.keys()
    broken = set()
    for name, path in modules.items():
        try:
            importlib.import_module(".".join(path.relative_to(package.parent).with_suffix("").parts))
        except NameError as error:
            assert error.name == "Unset"
            broken.add(name)
    # openapi-python-client 0.29 leaves an import out where a body may be of several types and nothing is optional.
    assert broken == {"add_collected_image"}


def test_a_job_is_submitted_listed_and_drawn(url: str, client: Any) -> None:
    body = model("TrainingRequest").from_dict(TINY)
    job = operation("jobs", "submit_job").sync(client=client, body=body)
    with httpx.Client(base_url=f"{url}/api/v1") as http:
        wait_until_over(http, job.id)
    listed = operation("jobs", "list_jobs").sync(client=client, limit=200)
    assert job.id in [each.id for each in listed.jobs]
    finished = operation("jobs", "get_job").sync(client=client, job_id=job.id)
    assert (finished.state, finished.model.name) == ("succeeded", "mnist-softmax")
    drawn = operation("pictures", "weights_of_job").sync(client=client, job_id=job.id, upscale=1)
    assert Image.open(drawn.payload).format == "PNG"


def test_a_sweep_is_submitted(client: Any) -> None:
    grid = {"base": {**TINY, "epochs": 1}, "grid": {"l2_penalty": [0.0, 0.1]}}
    sweep = operation("sweeps", "submit_sweep").sync(client=client, body=model("SweepRequest").from_dict(grid))
    assert [sorted(member.values.to_dict().items()) for member in sweep.members]
    assert sweep.base.to_dict()["epochs"] == 1


@pytest.mark.parametrize("form", ["raw", "png", "json"])
def test_digits_are_predicted(client: Any, form: str) -> None:
    digits = load_dataset("mnist").test
    file = importlib.import_module(f"{PACKAGE}.types").File
    picture = BytesIO()
    Image.fromarray(digits.images[0]).save(picture, "PNG")
    pixels = {"pixels": digits.images[0].tolist()}
    body = {
        "raw": lambda: file(payload=BytesIO(digits.images[0].tobytes())),
        "png": lambda: file(payload=BytesIO(picture.getvalue())),
        "json": lambda: model("PredictJsonBody").from_dict(pixels),
    }[form]()
    answer = operation("prediction", "predict").sync(client=client, body=body)
    assert answer.predictions[0].digit == digits.labels[0]


def test_a_picture_is_bytes(url: str, client: Any) -> None:
    shown = operation("datasets", "get_image").sync(client=client, name="mnist", index=7)
    assert (np.asarray(Image.open(shown.payload)) == load_dataset("mnist").training.images[7]).all()


def test_an_error_is_a_problem(client: Any) -> None:
    problem = operation("models", "get_model").sync(client=client, name="nobody")
    assert (problem.type_, problem.status) == ("/problems/model-not-found", 404)
    with pytest.raises(ValueError, match="no-such-state"):
        model("JobState")("no-such-state")
