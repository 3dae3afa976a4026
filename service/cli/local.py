"""This machine's own data, with or without a server beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from service.bootstrap import Service, build, shipped_models
from service.charts import accuracy_chart, digit_picture, loss_chart, weights_picture
from service.core import TrainingConfig
from service.database import migrate
from service.datasets import dataset_names, load_dataset
from service.inference import answer, decode_upload
from service.jobs import JobRequest, Jobs, JobState
from service.registry import Registry, install_shipped
from service.settings import Settings

from .backend import Event, ImageFile, Json, ModelReference, Picture, PictureFormat
from .plain_data import chart_caption, dataset_dict, manifest_dict, model_dict, move_dict, provenance_of, version_dict
from .weights_view import tile_labels

_POLL_S = 0.1


class LocalBackend:
    """A `Backend` on the folder that the settings name.

    The database is brought up to date and the shipped models are installed when they are first needed; the
    engine starts when a job is first followed, and works if no server's engine has the folder.

    Parameters
    ----------
    settings : as for a server.
    arguments : see `Backend.arguments`.
    """

    is_remote = False

    def __init__(self, settings: Settings, *, arguments: str = "") -> None:
        self.place = f"on this machine, in {settings.data_dir}"
        self.arguments = arguments
        self._service = build(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._service.stop()

    @property
    def trains_here(self) -> bool:
        """See `Backend.trains_here`."""
        return self._service.engine.working

    @cached_property
    def _jobs(self) -> Jobs:
        migrate(self._service.database)
        return self._service.jobs

    @cached_property
    def _stocked(self) -> Service:
        """The service, with the shipped models in its store."""
        install_shipped(shipped_models(), self._service.registry)
        return self._service

    @property
    def _registry(self) -> Registry:
        return self._stocked.registry

    @cached_property
    def _at_work(self) -> Service:
        """The service, with its engine started."""
        self._service.start()
        return self._service

    # Jobs

    def submit(self, request: Mapping[str, Any]) -> Json:
        """See `Backend.submit`."""
        hyperparameters = dict(request)
        about = {key: hyperparameters.pop(key) for key in ("dataset", "name") if key in hyperparameters}
        config = TrainingConfig.from_dict(hyperparameters)
        return self._jobs.submit(JobRequest(config=config, **about)).to_dict()

    def job(self, job_id: str) -> Json:
        """See `Backend.job`."""
        return self._jobs.get(job_id).to_dict()

    def jobs(self, *, state: str | None = None, limit: int = 50, before: str | None = None) -> Json:
        """See `Backend.jobs`."""
        jobs, cursor = self._jobs.page(state=JobState(state) if state else None, limit=limit, before=before)
        return {"jobs": [job.to_dict() for job in jobs], "next": cursor}

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """See `Backend.events`."""
        jobs = self._at_work.jobs
        while True:
            is_over = jobs.get(job_id).state.final  # asked first: what came before the end is then all there
            news = jobs.events(job_id, after=after)
            for event in news:
                after = event.id
                yield Event(id=event.id, kind=event.kind, data=dict(event.data))
            if is_over and not news:
                return
            if not news:
                time.sleep(_POLL_S)

    def cancel(self, job_id: str) -> Json:
        """See `Backend.cancel`."""
        return self._jobs.cancel(job_id).to_dict()

    def delete(self, job_id: str) -> None:
        """See `Backend.delete`."""
        self._jobs.delete(job_id)

    def metrics(self, job_id: str) -> Json:
        """See `Backend.metrics`."""
        return self._jobs.metrics(job_id).to_dict()

    def job_picture(self, job_id: str, picture: Picture, picture_format: PictureFormat) -> bytes:
        """See `Backend.job_picture`."""
        job, provenance = self._jobs.get(job_id), self._jobs.provenance(job_id)
        if picture == "weights":
            found = self._jobs.weights(job_id, "best")
            labels = tile_labels(job.config.model, [str(label) for label in job.config.classes])
            about = {**provenance, "weights": "best", "step": str(found.next_step - 1)}
            return weights_picture(found.weights, labels=labels, provenance=about)
        draw = loss_chart if picture == "loss" else accuracy_chart
        return draw(
            self._jobs.curves(job_id),
            title=f"{picture.capitalize()}: {job.name}",
            caption=chart_caption(job),
            image_format=picture_format,
            provenance=provenance,
        )

    # Models

    def models(self) -> list[Json]:
        """See `Backend.models`."""
        return [model_dict(self._registry.summary(name)) for name in self._registry.names()]

    def model(self, name: str) -> Json:
        """See `Backend.model`."""
        versions = [version_dict(summary) for summary in self._registry.version_summaries(name)]
        return {**model_dict(self._registry.summary(name)), "versions": versions}

    def version(self, name: str, reference: int | str | None = None) -> Json:
        """See `Backend.version`."""
        manifest = self._registry.manifest(name, self._registry.resolve(name, reference))
        aliases = [alias for alias, version in self._registry.aliases(name).items() if version == manifest.version]
        return {**manifest_dict(manifest), "aliases": aliases}

    def weights_file(self, name: str, version: int) -> bytes:
        """See `Backend.weights_file`."""
        return self._registry.weights_bytes(name, version)

    def weights_picture(self, name: str, version: int) -> bytes:
        """See `Backend.weights_picture`."""
        model = self._registry.load(name, version)
        labels = tile_labels(model.manifest.model, model.manifest.class_names)
        return weights_picture(model.weights, labels=labels, provenance=provenance_of(model.manifest))

    def move_alias(self, name: str, alias: str, version: int, *, reason: str | None = None) -> Json:
        """See `Backend.move_alias`."""
        return move_dict(self._registry.set_alias(name, alias, version, reason=reason))

    def alias_history(self, name: str, alias: str) -> list[Json]:
        """See `Backend.alias_history`."""
        return [move_dict(entry) for entry in self._registry.alias_history(name, alias)]

    # Images

    def predict(self, file: ImageFile, model: ModelReference) -> Json:
        """See `Backend.predict`."""
        speaker = self._stocked.catalogue.get(model.name, model.version or model.alias)
        return answer(speaker, decode_upload(file.data, file.media_type))

    def preprocess(self, file: ImageFile) -> bytes:
        """See `Backend.preprocess`."""
        return digit_picture(decode_upload(file.data, file.media_type).images[0], upscale=1, provenance={})

    def datasets(self) -> list[Json]:
        """See `Backend.datasets`."""
        return [dataset_dict(load_dataset(name)) for name in dataset_names()]
