"""What a request needs is deleted while it is being checked: it is refused, or its job fails with a sentence."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.bootstrap import Service, build
from service.datasets import Dataset, read_upload
from service.errors import Conflict, InvalidField, NotFound
from service.jobs import Jobs
from service.registry import LocalStore
from service.settings import Settings
from tests.jobs.job_system import SHORT, eventually

REASONS = {"/problems/dataset-not-found", "/problems/model-not-found"}


def a_data_set(service: Service, mnist: Dataset, number: int) -> tuple[dict[str, Any], Callable[[], None]]:
    """Add one; return the fields of a request that needs it, and what deletes it."""
    x, y = (part[number : number + 600] for part in (mnist.training.images, mnist.training.labels))
    file = io.BytesIO()
    np.savez(file, x_train=x, y_train=y, x_test=x, y_test=y)
    service.datasets.receive(
        {"name": "passing"}, lambda names, limit: read_upload({"file": file.getvalue()}, names, limit_bytes=limit)
    )
    return {"dataset": "passing", "train_size": 500, "validation_size": 90}, lambda: service.deletion.dataset("passing")


def a_version(service: Service, _: Dataset, number: int) -> tuple[dict[str, Any], Callable[[], None]]:
    """Register one; the same as `a_data_set`."""
    weights = service.registry.weights_bytes("mnist-softmax", 1)
    manifest = replace(service.registry.manifest("mnist-softmax", 1), name="passing", version=number + 1)
    assert service.registry.put(manifest, weights)
    return {"start_from": "passing"}, lambda: service.deletion.version("passing", number + 1)


def submitted(service: Service, fields: dict[str, Any]) -> str | None:
    """Submit a job; return its id, or None if it was refused with a reason."""
    try:
        return service.jobs.submit(service.jobs.request_of({"model": "softmax", **SHORT, "name": "x", **fields})).id
    except (Conflict, InvalidField, NotFound):
        return None


@pytest.mark.parametrize("add", [a_data_set, a_version])
def test_a_request_that_needs_what_is_deleted_leaves_nothing_half(
    tmp_path: Path,
    mnist: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    add: Callable[..., tuple[dict[str, Any], Callable[[], None]]],
) -> None:
    """Deleted before each read of a file by the submission in turn, and at last between check and insertion."""
    real_read, real_accept = LocalStore.read, Jobs._accept
    accepted = []
    with build(Settings(data_dir=tmp_path, executor="inline", workers=1)) as service:
        for moment in count():
            fields, delete = add(service, mnist, moment)
            waiting, n_reads = [delete], count()

            def read(store: LocalStore, key: str, **options: Any) -> bytes:
                if next(n_reads) == moment and waiting:  # noqa: B023
                    waiting.pop()()  # noqa: B023
                return real_read(store, key, **options)

            def accept(jobs: Jobs, *args: Any) -> Any:
                accepted.append(moment)  # noqa: B023
                while waiting:  # noqa: B023
                    waiting.pop()()  # noqa: B023
                return real_accept(jobs, *args)

            with monkeypatch.context() as patched:
                patched.setattr(LocalStore, "read", read)
                patched.setattr(Jobs, "_accept", accept)
                job_id = submitted(service, fields)
            assert not waiting
            if job_id:
                job = eventually(lambda: found if (found := service.jobs.get(job_id)).state.final else None)  # noqa: B023
                assert (job.state, job.model) == ("failed", None)
                assert (job.error or {})["type"] in REASONS and (job.error or {})["detail"]
            if next(n_reads) <= moment:
                break
    assert moment in accepted, "the last one was accepted before what it needs was deleted"
