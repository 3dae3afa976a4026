"""Inkling on this machine: the data folder itself, with or without a server that uses it too."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from threading import Thread
from typing import Any

from service import inference
from service.answers import plain
from service.bootstrap import Service
from service.charts import digit_picture, evidence_picture, reading_picture
from service.database import Annotation, Search, migrate
from service.inference import ImageFile, decode_upload
from service.jobs import Event, SweepRequest, job_picture, sweep_picture
from service.registry import Model, parse_version_id
from service.reports import ReportOptions
from service.settings import Settings

from .backend import Json

_POLL_S = 0.1


class LocalBackend:
    """Inkling in the folder that the settings name.

    The database is migrated and the shipped models are installed when they are first needed. ``place`` is where it
    is, in words; ``arguments`` are what a further command needs to reach the same place, after a space, or nothing.
    """

    is_remote = False

    def __init__(self, settings: Settings, *, place: Path | None = None, arguments: str = "") -> None:
        self.place = f"on this machine, in {place or settings.data_dir}"
        self.arguments = arguments
        # Commands print what happens; the log of their workers is only for those who ask for it.
        level = settings.log_level if "log_level" in settings.model_fields_set else "warning"
        self._service = Service(settings.model_copy(update={"log_level": level}))
        self._is_started = False

    def close(self) -> None:
        """Stop training, if this process trains: running jobs are queued again."""
        self._service.stop()

    def start_training(self) -> None:
        """Train what is queued in this process, unless a server does that already. Calling it again does nothing."""
        if not self._is_started:
            self._is_started = True
            self._service.start()

    @property
    def trains_here(self) -> bool:
        """Whether jobs are trained by this process, and so end with it."""
        return self._service.engine.working

    @cached_property
    def _with_models(self) -> Service:
        """The service with its models, which is all that a prediction needs."""
        self._service.install_models()
        return self._service

    @cached_property
    def _migrated(self) -> Service:
        """The service with its database. Its store may be away: what only concerns jobs does not need it."""
        migrate(self._service.database)
        return self._service

    @property
    def _whole(self) -> Service:
        """The service with both."""
        _ = self._migrated
        return self._with_models

    # Every noun: ``noun`` is ``jobs``, ``sweeps``, ``reports``, ``models`` or another one where that is said

    def one(self, noun: str, object_id: str, *, rank_by: str = "validation_loss") -> Json:
        """Return one as it is now.

        The members of a sweep are ranked by a metric, a report has its findings, a model its newest versions.
        """
        if noun == "models":
            return plain(self._whole.annotations.model(object_id))
        if noun == "reports":
            return plain(self._migrated.reports.describe(object_id))
        found = self._service_of(noun).get(object_id)
        return plain(found.ranking(rank_by) if noun == "sweeps" else found)

    def page(self, noun: str, *, q: str | None = None, tag: Sequence[str] = (), **page: Any) -> Json:
        """Return those that are found, also of ``datasets`` and ``collections``, and ``next``.

        The latter is the ``before`` of the next page; models and data sets are ordered by name, others by age.
        """
        service = self._whole if noun == "models" else self._migrated
        return plain(service.page(noun, Search.of(q, tag), **page))

    def file(self, noun: str, object_id: str, name: str) -> bytes:
        """Return a file by its name in the API: of a report, the weights of ``versions``, a picture of what is trained.

        ``weights.csv`` and ``gradient.csv`` of a job are the numbers that lead into its first layer.
        """
        if noun == "reports":
            return self._migrated.reports.file(object_id, name)
        if noun == "versions":
            registry, version = self._with_models.registry, parse_version_id(object_id)
            if name == "weights.npz":
                return registry.weights_bytes(*version)
            model = registry.load(*version)
            if name == "weights.onnx":
                return inference.write_onnx(model)
            return inference.prepare_weights(model, self._service.datasets).draw()
        what, _, ending = name.partition(".")
        service: Any = self._service_of(noun)
        if ending == "csv":
            numbers: str = service.numbers(object_id, what, layer=1, which="best").to_csv()
            return numbers.encode()
        draw: Any = job_picture if noun == "jobs" else sweep_picture
        drawn: bytes = draw(service, object_id, what, image_format=ending)
        return drawn

    def submit(self, noun: str, request: Mapping[str, Any]) -> Json:
        """Submit a job, a sweep or a report; return it. ``request`` is the body of its ``POST``."""
        if noun == "jobs":
            jobs = self._whole.jobs
            return plain(jobs.submit(jobs.request_of(request)))
        if noun == "sweeps":
            return plain(self._whole.sweeps.submit(SweepRequest(**request)).ranking())
        reports, fields = self._migrated.reports, dict(request)
        written = {name: fields.pop(name) for name in ("tags", "notes") if name in fields}
        report = reports.submit(ReportOptions(**fields), annotation=Annotation(**written))
        Thread(target=reports.prepare, args=(report.id,), daemon=True).start()  # while the workers train
        return plain(report.shown())

    def act(self, noun: str, object_id: str, verb: str, **options: Any) -> Json:
        """``cancel`` what of one is not over; ``pause``, ``proceed`` with, ``resume`` or ``verify`` a job.

        Return it, or the job that was submitted by that. ``proceed`` takes ``steps`` or ``epochs``, ``resume`` the
        ``changes`` of ``epochs`` or ``patience``.
        """
        changed = getattr(self._service_of(noun), verb)(object_id, **options)
        return plain(changed) if noun == "jobs" else self.one(noun, object_id)

    def annotate(self, kind: Any, object_id: str, changes: Mapping[str, Any]) -> None:
        """Change the ``title``, ``tags`` or ``notes`` of what has a list: by id, name or ``name/version``."""
        self._migrated.annotations.change(kind, object_id, changes)

    def delete(self, noun: str, object_id: str, **options: bool) -> None:
        """Delete one, or of ``versions``, ``datasets`` or ``collections``, that nothing needs.

        Jobs, sweeps and reports must be over; with them go their jobs, those of a report unless ``keep_runs``.
        """
        if noun == "versions":
            self._whole.deletion.version(*parse_version_id(object_id))
        elif noun == "models":
            self._whole.deletion.model(object_id)
        elif noun == "datasets":
            self._migrated.deletion.dataset(object_id)
        else:
            self._service_of(noun).delete(object_id, **options)

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """Yield the events of a job after one of them, and then as they happen, until the job is over."""
        jobs = self._migrated.jobs
        jobs.get(job_id)  # raises if there is no such job
        while True:
            batch = jobs.events(job_id, after=after)
            for event in batch.events:
                after = event.id
                yield event
            if batch.complete:
                return
            if not batch.events:
                time.sleep(_POLL_S)

    def metrics(self, job_id: str) -> Json:
        """Return the metric history: ``checks`` and ``train_loss``."""
        found: Json = json.loads("".join(self._migrated.jobs.metrics(job_id).json_pieces()))
        return found

    # Models

    def version(self, name: str, reference: int | str | None = None) -> Json:
        """Return the manifest of a version, by default the one that answers, and the aliases that name it."""
        return plain(self._whole.annotations.version(name, self._with_models.registry.resolve(name, reference)))

    def import_weights(self, name: str, content: bytes, **options: Any) -> Json:
        """Make the next version of a model of a weight file; see `Service.import_weights`."""
        return self.version(name, self._whole.import_weights(name, content, **options).version)

    def move_alias(self, name: str, alias: str, version: int, *, reason: str | None = None) -> Json:
        """Have an alias name a version from now on; return the move."""
        return plain(self._with_models.registry.set_alias(name, alias, version, reason=reason))

    def alias_history(self, name: str, alias: str) -> list[Json]:
        """Return every move of an alias, the oldest first."""
        return [plain(entry) for entry in self._with_models.registry.alias_history(name, alias)]

    def evaluation(self, name: str, version: int) -> Json:
        """Evaluate a version on the test images."""
        model = self._with_models.registry.load(name, version)
        return plain(inference.evaluate(model, self._service.datasets).summary(model, hardest=20))

    def comparison(self, models: Sequence[str]) -> Json:
        """Compare versions, each as ``name/version``, with the first of them."""
        compared = [self._model(*parse_version_id(text)) for text in models]
        return plain(inference.compare(compared, self._service.datasets))

    # Images and data sets

    def predict(
        self, image: ImageFile, *, unsure_below: float | None = None, digit_below: float | None = None, **options: Any
    ) -> Json:
        """Predict the digit of each image in a file, by the ``model``, ``version`` or ``alias`` that is given."""
        thresholds = inference.Thresholds(unsure_below=unsure_below, digit_below=digit_below)
        model, decoded = self._model(**options), decode_upload(image.content, image.media_type)
        return inference.answer(model, decoded, thresholds=thresholds)

    def explain(self, image: ImageFile, **question: Any) -> Json:
        """Return the evidence of each pixel of one image for a ``digit``, or for one ``against`` another."""
        return plain(self._explanation(image, **question)[0])

    def explanation_picture(self, image: ImageFile, **question: Any) -> bytes:
        """Draw that evidence as PNG."""
        found, provenance = self._explanation(image, **question)
        return evidence_picture(
            found.pixels, found.evidence, digit=found.digit, against=found.against, upscale=8, provenance=provenance
        )

    def preprocess(self, image: ImageFile, *, step: int | None = None) -> bytes:
        """Return the 28x28 PNG that a model gets, or the picture after a step."""
        inputs = decode_upload(image.content, image.media_type, keeps_pictures=step is not None)
        picture = inputs.only if step is None else inputs.picture_after(str(step))
        return digit_picture(picture, upscale=1, provenance={})

    def read(self, image: ImageFile, **options: Any) -> Json:
        """Read all digits of a picture."""
        return self._reading(image, **options)[0]

    def reading_picture(self, image: ImageFile, **options: Any) -> bytes:
        """Draw the picture with what was read in it as PNG."""
        found, picture, provenance = self._reading(image, **options)
        return reading_picture(picture.pixels, picture.size_px, found, provenance=provenance)

    def read_collection(self, name: str, *, model: str | None = None, **options: Any) -> Json:
        """Return what a model, ``name`` or ``name/version``, reads in the images of a collection."""
        model_name, _, reference = (model or "").partition("/")
        found = self._model(model_name or None, reference or None)
        readings = self._migrated.collections.readings(name, partial(inference.predictions_of, found), **options)
        return plain({"model": found.manifest.name, "version": found.manifest.version, **readings})

    def add_collection(self, name: str) -> Json:
        """Make an empty collection."""
        return plain(self._migrated.collections.create(name))

    def collect(self, name: str, image: ImageFile, label: int) -> Json:
        """Add an image with its label."""
        pixels = decode_upload(image.content, image.media_type).only
        original = image.content, image.media_type
        return plain(self._migrated.collections.add(name, label, pixels, original=original))

    def relabel(self, name: str, image_id: str, label: int) -> Json:
        """Correct the label of an image."""
        return plain(self._migrated.collections.relabel(name, image_id, label))

    def delete_collected_image(self, name: str, image_id: str) -> None:
        """Delete an image of a collection."""
        self._migrated.collections.remove(name, image_id)

    def freeze_collection(self, name: str) -> Json:
        """Freeze a collection into a data set."""
        return plain(self._migrated.annotations.dataset(self._migrated.collections.freeze(name).name))

    def add_dataset(self, fields: Mapping[str, Any], files: Mapping[str, ImageFile]) -> Json:
        """Add a data set; ``fields`` and ``files`` are the parts of the form that ``POST /datasets`` takes."""
        form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
        read = partial(inference.read_dataset, list(files.items()), limits=self._service.limits)
        return plain(self._migrated.annotations.dataset(self._service.datasets.receive(form, read).name))

    def _service_of(self, noun: str) -> Any:
        return getattr(self._migrated, noun)

    def _model(self, model: str | None = None, version: int | str | None = None, alias: str | None = None) -> Model:
        return self._with_models.catalogue.get(model, version or alias)

    def _reading(
        self, image: ImageFile, *, expect: int | None = None, **options: Any
    ) -> tuple[Json, inference.Picture, Mapping[str, str]]:
        model, picture = self._model(**options), inference.read_picture(image.content, inference.DecodingLimits())
        return inference.read(model, picture, expect=expect), picture, model.manifest.provenance()

    def _explanation(
        self, image: ImageFile, *, digit: int | None = None, against: int | None = None, **options: Any
    ) -> tuple[inference.Explanation, Mapping[str, str]]:
        model, decoded = self._model(**options), decode_upload(image.content, image.media_type)
        return inference.explain(model, decoded, digit=digit, against=against), model.manifest.provenance()
