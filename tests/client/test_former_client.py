"""`service.client`, the former name of `inkling`, for one release."""

from __future__ import annotations

import subprocess
import sys
import warnings

PROGRAM = """
from service.client import AsyncInklingClient, AsyncJob, Event, Explanation, Job, Picture, Prediction
from service.client import InklingClient, ServiceError
from service.errors import InvalidField, JobNotFound, ServiceUnreachable
with InklingClient({url!r}) as client:
    try:
        client.train(learning_rate=50)
    except InvalidField as error:
        assert error.field == "learning_rate" and isinstance(error, ServiceError)
    try:
        client.job("01ARZ3NDEKTSV4RRFFQ69G5FAV")
    except JobNotFound as error:
        assert isinstance(error, ServiceError)
try:
    InklingClient("http://127.0.0.1:9").models()
except ServiceUnreachable:
    print("it works")
"""


def test_programs_that_import_the_former_name_work(url: str) -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM.format(url=url)], capture_output=True, text=True, check=True)
    assert run.stdout == "it works\n"
    strict = [sys.executable, "-W", "error", "-c", "import service.client"]
    run = subprocess.run(strict, capture_output=True, text=True, check=False)
    assert "DeprecationWarning: service.client is now inkling: from inkling import InklingClient" in run.stderr


def test_the_client_itself_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        subprocess.run(
            [sys.executable, "-W", "error", "-c", "import inkling, sys; assert 'service' not in sys.modules"],
            check=True,
        )
