"""What all tests share: arithmetic that raises, a clean environment, one BLAS thread, one TLS context, and MNIST."""

from __future__ import annotations

import gc
import os
import signal
import ssl
from collections.abc import Generator, Iterator
from functools import cache
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

from service.datasets import Dataset, load_dataset
from tests.postgresql import a_server

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in the background of a shell. What tests start would ignore it too, and some tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector, which would go through a million objects that stay, then and later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def strict_arithmetic() -> Iterator[None]:
    """Make overflow, invalid values and division by zero raise, in the main thread and its event loops."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        yield


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    """Hide the settings of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith("INKLING_"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread() -> Iterator[None]:
    """Train as the workers do; it also keeps test processes from fighting over the cores."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="session", autouse=True)
def authorities_read_once() -> Iterator[None]:
    """Share what trusts a file of authorities: each client of httpx would read it anew, in 25 ms of processor time."""
    make = ssl.create_default_context
    shared = cache(make)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", lambda *a, **k: (shared if [*k] == ["cafile"] else make)(*a, **k))
        yield


postgresql = pytest.fixture(scope="session")(a_server)


@pytest.fixture(scope="session")
def fork_server() -> Any:
    """Return what forks processes from one that has imported everything, which takes a second of processor time."""
    fork_server = get_context("forkserver")
    fork_server.set_forkserver_preload(["service.jobs"])
    return fork_server


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    """Return MNIST: ``training`` and ``test``, each with ``images`` (n, 28, 28) uint8 and ``labels`` (n,)."""
    return load_dataset("mnist")
