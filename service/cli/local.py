"""This machine's own data, with or without a server beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from threading import Thread
from typing import Any

from inkling import Event
from service.bootstrap import Service, build, shipped_models
from service.charts import digit_picture, evidence_picture, weights_picture
from service.core import TrainingConfig
from service.database import migrate
from service.inference import Explanation, answer, compare, decode_upload, evaluate, explain, import_weights, write_onnx
from service.jobs import JobRequest, Jobs, JobState, SweepRequest, Sweeps, job_picture, sweep_pictures
from service.registry import Registry, install_shipped
from service.reports import ReportOptions
from service.settings import Settings

from .backend import Backend, ImageFile, Json, ModelReference, Picture, PictureFormat, SweepPicture
from .polling import poll_sweep
from .sweep_words import DEFAULT_METRIC

_POLL_S = 0.1


class LocalBackend(Backend):
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
        # A command shows what happens; what its workers would log besides is for whoever asks for it.
        level = settings.log_level if "log_level" in settings.model_fields_set else "warning"
        self._service = build(settings.model_copy(update={"log_level": level}))

    def close(self) -> None:
        self._service.stop()

    @property
    def trains_here(self) -> bool:
        return self._service.engine.working

    @cached_property
    def _jobs(self) -> Jobs:
        migrate(self._service.database)
        return self._service.jobs

    @cached_property
    def _sweeps(self) -> Sweeps:
        migrate(self._service.database)
        return self._service.sweeps

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
        hyperparameters = dict(request)
        about = {key: hyperparameters.pop(key) for key in ("dataset", "name") if key in hyperparameters}
        config = TrainingConfig.from_dict(hyperparameters)
        return self._jobs.submit(JobRequest(config=config, **about)).to_dict()

    def job(self, job_id: str) -> Json:
        return self._jobs.get(job_id).to_dict()

    def jobs(self, *, state: str | None = None, limit: int = 50, before: str | None = None) -> Json:
        jobs, cursor = self._jobs.page(state=JobState(state) if state else None, limit=limit, before=before)
        return {"jobs": [job.to_dict() for job in jobs], "next": cursor}

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        jobs = self._at_work.jobs
        jobs.get(job_id)  # raises if there is no such job
        while True:
            news = jobs.news(job_id, after=after)
            for event in news.events:
                after = event.id
                yield Event(id=event.id, kind=event.kind, data=dict(event.data))
            if news.are_all:
                return
            if not news.events:
                time.sleep(_POLL_S)

    def cancel(self, job_id: str) -> Json:
        return self._jobs.cancel(job_id).to_dict()

    def resume(self, job_id: str, changes: Mapping[str, Any]) -> Json:
        return self._jobs.resume(job_id, changes).to_dict()

    def verify(self, job_id: str) -> Json:
        return self._jobs.verify(job_id).to_dict()

    def delete(self, job_id: str) -> None:
        self._jobs.delete(job_id)

    def metrics(self, job_id: str) -> Json:
        return self._jobs.metrics(job_id).to_dict()

    def job_picture(self, job_id: str, picture: Picture, picture_format: PictureFormat) -> bytes:
        return job_picture(self._jobs, job_id, picture, image_format=picture_format)

    # Sweeps

    def submit_sweep(self, request: Mapping[str, Any]) -> Json:
        return self._sweeps.submit(SweepRequest(**request)).to_dict()

    def sweep(self, sweep_id: str, *, rank_by: str | None = None) -> Json:
        return self._sweeps.get(sweep_id).to_dict(rank_by or DEFAULT_METRIC)

    def sweeps(self, *, limit: int = 50, before: str | None = None) -> Json:
        sweeps, cursor = self._sweeps.page(limit=limit, before=before)
        return {"sweeps": [sweep.to_dict() for sweep in sweeps], "next": cursor}

    def watch_sweep(self, sweep_id: str, *, rank_by: str | None = None) -> Iterator[Json]:
        sweeps = self._at_work.sweeps
        return poll_sweep(lambda: sweeps.get(sweep_id).to_dict(rank_by or DEFAULT_METRIC))

    def cancel_sweep(self, sweep_id: str) -> Json:
        return self._sweeps.cancel(sweep_id).to_dict()

    def sweep_picture(self, sweep_id: str, picture: SweepPicture, picture_format: PictureFormat) -> bytes:
        if picture == "weights":
            return sweep_pictures.weights(self._sweeps, sweep_id).draw()
        chart = {
            "accuracy": sweep_pictures.accuracy,
            "norms": sweep_pictures.norms,
            "heatmap": sweep_pictures.heatmap,
        }[picture]
        return chart(self._sweeps, sweep_id, image_format=picture_format).draw()

    # Reports

    def submit_report(self, request: Mapping[str, Any]) -> Json:
        reports = self._at_work.reports
        report = reports.submit(ReportOptions.from_dict(request))
        Thread(target=reports.prepare, args=(report.id,), daemon=True).start()  # beside the workers' training
        return report.to_dict()

    def report(self, report_id: str) -> Json:
        return self._at_work.reports.describe(report_id)

    def cancel_report(self, report_id: str) -> Json:
        return self._at_work.reports.cancel(report_id).to_dict()

    def report_file(self, report_id: str, name: str) -> bytes:
        return self._service.reports.file(report_id, name)

    # Models

    def models(self) -> list[Json]:
        return [self._registry.summary(name).to_dict() for name in self._registry.names()]

    def model(self, name: str) -> Json:
        versions = [summary.to_dict() for summary in self._registry.version_summaries(name)]
        return {**self._registry.summary(name).to_dict(), "versions": versions}

    def version(self, name: str, reference: int | str | None = None) -> Json:
        manifest = self._registry.manifest(name, self._registry.resolve(name, reference))
        aliases = self._registry.aliases_of(name, manifest.version)
        return {**manifest.to_dict(), "aliases": aliases, "job_exists": self._jobs.exists(manifest.job_id)}

    def weights_file(self, name: str, version: int) -> bytes:
        return self._registry.weights_bytes(name, version)

    def onnx_file(self, name: str, version: int) -> bytes:
        return write_onnx(self._registry.load(name, version))

    def import_weights(self, name: str, content: bytes, *, classes: str, publish: str, dataset: str) -> Json:
        manifest = import_weights(
            self._registry,
            content,
            name=name,
            classes=[int(label) for label in classes.split(",") if label],
            published="last" if publish == "last" else "best",
            dataset=self._service.datasets.get(dataset),
        )
        return {**manifest.to_dict(), "aliases": [], "job_exists": False}

    def weights_picture(self, name: str, version: int) -> bytes:
        model = self._registry.load(name, version)
        manifest = model.manifest
        return weights_picture(model.weights, labels=manifest.output_names, provenance=manifest.provenance())

    def move_alias(self, name: str, alias: str, version: int, *, reason: str | None = None) -> Json:
        return self._registry.set_alias(name, alias, version, reason=reason).to_dict()

    def alias_history(self, name: str, alias: str) -> list[Json]:
        return [entry.to_dict() for entry in self._registry.alias_history(name, alias)]

    def evaluation(self, name: str, version: int) -> Json:
        model = self._registry.load(name, version)
        found = evaluate(model, self._service.datasets)
        return {"model": name, "version": version, **found.to_dict(hardest=20)}

    def comparison(self, models: Sequence[str]) -> Json:
        pairs = [text.partition("/") for text in models]
        return compare(
            [self._stocked.catalogue.get(name, version) for name, _, version in pairs], self._service.datasets
        )

    # Images

    def predict(self, file: ImageFile, model: ModelReference) -> Json:
        speaker = self._stocked.catalogue.get(model.name, model.version or model.alias)
        return answer(speaker, decode_upload(file.data, file.media_type))

    def explain(self, file: ImageFile, model: ModelReference, *, digit: int | None, against: int | None) -> Json:
        return self._explanation(file, model, digit, against).to_dict()

    def explanation_picture(
        self, file: ImageFile, model: ModelReference, *, digit: int | None, against: int | None
    ) -> bytes:
        found = self._explanation(file, model, digit, against)
        provenance = found.model.manifest.provenance()
        return evidence_picture(
            found.pixels, found.evidence, digit=found.digit, against=found.against, upscale=8, provenance=provenance
        )

    def _explanation(
        self, file: ImageFile, model: ModelReference, digit: int | None, against: int | None
    ) -> Explanation:
        speaker = self._stocked.catalogue.get(model.name, model.version or model.alias)
        return explain(speaker, decode_upload(file.data, file.media_type), digit=digit, against=against)

    def preprocess(self, file: ImageFile) -> bytes:
        return digit_picture(decode_upload(file.data, file.media_type).images[0], upscale=1, provenance={})

    def datasets(self) -> list[Json]:
        return [dataset.to_dict() for dataset in self._service.datasets.all()]

    def add_dataset(self, words: Mapping[str, str], files: Mapping[str, bytes]) -> Json:
        return self._service.datasets.receive(words, files).to_dict()
