"""The parts put together by the settings, started and stopped."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from service.bootstrap import Service
from service.core import TrainingConfig
from service.database import migrate
from service.errors import StorageFailed
from service.jobs import Job, JobRequest, JobState
from service.settings import Settings
from tests.jobs.job_system import ENDLESS, SHORT, eventually


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", executor="inline", workers=1)


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[..., Service]]:
    """Build and start services on one data folder, or on another one; all are stopped at the end."""
    services: list[Service] = []

    def start_one(**changes: Any) -> Service:
        service = Service(settings.model_copy(update=changes))
        service.start()
        services.append(service)
        return service

    yield start_one
    for service in reversed(services):
        service.stop()


def train(service: Service, **hyperparameters: Any) -> Job:
    job = service.jobs.submit(JobRequest(config=TrainingConfig(**{**SHORT, **hyperparameters})))
    return eventually(lambda: found if (found := service.jobs.get(job.id)).state.final else None)


def held() -> tuple[int, int, int]:
    return threading.active_count(), len(psutil.Process().children()), len(os.listdir("/proc/self/fd"))  # noqa: PTH208


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_service_trains_and_releases_everything(settings: Settings, executor: str) -> None:
    before = held()
    with Service(settings.model_copy(update={"executor": executor})) as service:
        eventually(lambda: service.engine.working)
        job = train(service)
        assert job.state is JobState.SUCCEEDED
        assert service.catalogue.get("mnist-softmax", None) is not None
    assert held() == before
    assert not service.engine.working
    assert {path.name for path in settings.data_dir.iterdir()} >= {"inkling.db", "model_store", "inkling.db.lock"}


@pytest.mark.parametrize("store", ["model_store", "datasets"])
def test_a_start_removes_what_an_interrupted_write_left(
    start: Callable[..., Service], settings: Settings, store: str
) -> None:
    leftover = settings.data_dir / store / ".tmp" / "half"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    start()
    assert not leftover.exists()


@pytest.mark.parametrize(("named", "expected"), [(None, "mnist-digits"), ("mnist-softmax", "mnist-softmax")])
def test_the_settings_decide_which_model_is_the_default(settings: Settings, named: str | None, expected: str) -> None:
    with Service(settings.model_copy(update={"default_model": named})) as service:
        assert service.catalogue.get().manifest.name == service.catalogue.default_name == expected


def test_a_second_start_finds_everything(start: Callable[..., Service]) -> None:
    first = start()
    job = train(first)
    first.stop()
    second = start()
    assert second.jobs.get(job.id) == job
    assert second.registry.versions("mnist-softmax") == first.registry.versions("mnist-softmax")
    again = train(second)
    assert again.model is not None and job.model is not None
    assert again.model["version"] == job.model["version"] + 1


@pytest.mark.slow
def test_an_earlier_job_resumes_at_the_next_start(start: Callable[..., Service]) -> None:
    first = start()
    job_id = first.jobs.submit(JobRequest(config=TrainingConfig(**ENDLESS))).id
    eventually(lambda: first.jobs.get(job_id).latest)
    first.stop()
    second = start()
    eventually(lambda: second.jobs.get(job_id).state is JobState.RUNNING)
    second.jobs.cancel(job_id)
    eventually(lambda: second.jobs.get(job_id).state.final)


@pytest.mark.slow
def test_two_services_on_one_folder_share_the_work(start: Callable[..., Service]) -> None:
    first, second = start(), start()
    eventually(lambda: first.engine.working or second.engine.working)
    assert first.engine.working is not second.engine.working
    working, waiting = (first, second) if first.engine.working else (second, first)
    assert train(waiting).state is JobState.SUCCEEDED
    working.stop()
    eventually(lambda: waiting.engine.working)
    assert train(waiting).state is JobState.SUCCEEDED


def test_two_data_folders_with_one_database_share_the_work(start: Callable[..., Service], tmp_path: Path) -> None:
    """Each would take the other's jobs for those of a dead engine, if the lock were in the data folder."""
    (tmp_path / "linked").symlink_to(tmp_path / "data")
    first = start()
    second = start(data_dir=tmp_path / "other", database_url=f"sqlite:///{tmp_path / 'linked' / 'inkling.db'}")
    eventually(lambda: first.engine.working or second.engine.working)
    assert first.engine.working is not second.engine.working


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageFailed) as failure:
        Service(Settings(data_dir=tmp_path / "file" / "data"))
    assert str(tmp_path / "file" / "data") in failure.value.message


def test_a_newer_database_stops_the_start(settings: Settings) -> None:
    before = held()
    with Service(settings) as service, service.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StorageFailed, match="newer version"), Service(settings):
        pass
    assert held() == before


@pytest.mark.parametrize("name", ["a b", "what?", "100%41", "#1", "ünï", "a@b:c"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    settings = Settings(data_dir=tmp_path / name, executor="inline", workers=1)
    service = Service(settings)
    migrate(service.database)
    service.database.close()
    assert (tmp_path / name / "inkling.db").is_file()


def test_another_database_and_another_store(tmp_path: Path, start: Callable[..., Service]) -> None:
    service = start(
        database_url=f"sqlite:///{tmp_path / 'elsewhere.db'}", store_url=str(tmp_path / "models"), max_queue_length=1
    )
    train(service)
    assert (tmp_path / "elsewhere.db").is_file() and (tmp_path / "models" / "mnist-softmax").is_dir()
    assert not (service.settings.data_dir / "inkling.db").exists()


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"DATA_DIR": str(tmp_path), "WORKERS": "3", "EXECUTOR": "inline", "PORT": "0"}.items():
        monkeypatch.setenv(f"INKLING_{name}", value)
    settings = Settings()
    assert (settings.data_dir, settings.workers, settings.executor, settings.port) == (tmp_path, 3, "inline", 0)
    assert settings.store_dir == tmp_path / "model_store"


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
