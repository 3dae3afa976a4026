"""What a request needs is deleted while it is being checked: it is refused, or its job fails with a sentence."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.bootstrap import Service
from service.datasets import Dataset, read_upload
from service.errors import Conflict, InvalidField, NotFound
from service.jobs import Jobs
from service.settings import Settings
from service.stores import LocalStore
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
    with Service(Settings(data_dir=tmp_path, executor="inline", workers=1)) as service:
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


@pytest.mark.parametrize("add", [a_data_set, a_version])
def test_lists_leave_out_what_is_deleted_while_they_are_read(
    tmp_path: Path,
    mnist: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    add: Callable[..., tuple[dict[str, Any], Callable[[], None]]],
) -> None:
    """Deleted before each read of the store by the lists in turn: all else is listed, and nothing called damaged."""
    with Service(Settings(data_dir=tmp_path, executor="inline", workers=1)) as service:

        def listed() -> list[str]:
            models, datasets = service.annotations.models()[0], service.annotations.datasets()[0]
            assert {model["state"] for model in models} == {"ready"}
            names = [*(model["name"] for model in models), *(dataset.name for dataset in datasets)]
            return [name for name in names if name != "passing"]

        others = listed()
        for moment in count():
            shutil.rmtree(tmp_path / "model_store" / "passing", ignore_errors=True)  # else each tombstone adds a read
            _, delete = add(service, mnist, moment)
            waiting, n_reads = [delete], count()

            def interrupted(real: Callable[..., Any]) -> Callable[..., Any]:
                def read(*args: Any, **options: Any) -> Any:
                    if next(n_reads) == moment and waiting:  # noqa: B023
                        waiting.pop()()  # noqa: B023
                    return real(*args, **options)

                return read

            with monkeypatch.context() as patched:
                for name in ("read", "list"):
                    patched.setattr(LocalStore, name, interrupted(getattr(LocalStore, name)))
                assert listed() == others
            if waiting:
                break
    assert moment > 3 and "damaged" not in caplog.text
