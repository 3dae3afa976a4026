"""The composition root: builds every part from the settings, and is the only place that chooses implementations."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import service
from service.access import AuditLog, Keys
from service.answers import plain
from service.background import Background
from service.database import Database, Search, delivery_rows, file_size, migrate
from service.datasets import Datasets
from service.deliveries import Deliverer
from service.errors import Corrupted, KeysRequired, StorageFailed
from service.inference import DecodingLimits, ModelCatalogue, import_weights
from service.jobs import (
    Annotations,
    Collections,
    DaskExecutor,
    Deletion,
    Engine,
    EngineLock,
    Executor,
    InlineExecutor,
    Jobs,
    ProcessesExecutor,
    Recorder,
    Snapshots,
    Sweeps,
    check_scheduler,
)
from service.metrics import Metrics
from service.registry import DEFAULT_MODEL, Manifest, Registry, default_model, install_shipped, parse_version_id
from service.reports import Reports
from service.retention import Keep, Retention, Upkeep
from service.stores import BlobStore, LocalStore, ObjectStore
from service.tracking import CATCH_UP, MlflowLog

from .settings import Settings

logger = logging.getLogger(__name__)

MLFLOW, WEBHOOK = "mlflow", "webhook"
"""The programs to which what ends can be sent."""
DATABASE_WAIT_S = 60.0
"""How long a database server that is still starting is waited for."""


class Service:
    """All parts of a service, built by the settings and ready to start.

    Raises `StorageFailed` if the data folder cannot be made.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = _open_database(settings)
        self.store, self.dataset_files = open_stores(settings)
        self.registry = Registry(self.store)
        lock = _engine_lock(self.database, settings)
        self.datasets = Datasets(
            self.dataset_files, max_uploads=settings.max_datasets, limit_bytes=settings.max_dataset_expanded_bytes
        )
        self.metrics = Metrics(service.__version__)
        recorder = Recorder(self.database, self.registry, self.datasets)
        self.engine = Engine(self.database, recorder, _executor_factory(settings, self.metrics), lock, self.datasets)
        submission: dict[str, Any] = {
            "datasets": self.datasets,
            "registry": self.registry,
            "max_queue_length": settings.max_queue_length,
            "wake_engine": self.engine.wake,
        }
        self.jobs, self.sweeps = Jobs(self.database, **submission), Sweeps(self.database, **submission)
        self.reports = Reports(self.database, self.jobs, self.sweeps, **submission)
        self.snapshots = Snapshots(self.database, self.datasets)
        self.collections = Collections(self.database, self.datasets)
        self.annotations = Annotations(self.database, self.registry, self.datasets)
        self.catalogue = ModelCatalogue(self.registry, default_name=settings.default_model or DEFAULT_MODEL)
        self.limits = DecodingLimits(
            max_image_bytes=settings.max_image_bytes,
            max_streamed_pixels=settings.max_image_pixels,
            max_images_per_request=settings.max_images_per_request,
        )
        self.keys = Keys(self.database)
        self.audit_log = AuditLog(self.database)
        self.deletion = Deletion(self.database, self.registry, self.datasets, lambda: self.catalogue.default_name)
        deletes: dict[str, Callable[[str], None]] = {
            "report": self.reports.delete,
            "sweep": self.sweeps.delete,
            "job": self.jobs.delete,
            "version": lambda object_id: self.deletion.version(*parse_version_id(object_id)),
        }
        self.retention = Retention(self.database, self.registry, self.audit_log, deletes)
        self.background: list[Background] = []

    def require_keys_if_exposed(self) -> None:
        """Raise `KeysRequired` if others could reach a service without keys, unless the settings allow it."""
        self._open()
        if not (is_open(self.settings, self.keys) or self.keys.exist):
            raise KeysRequired(
                f"Other machines can reach {self.settings.host}, and there is no key. Create one with `inkling keys "
                "create NAME --scope admin`, or allow access without keys: --allow-anonymous "
                "(INKLING_ALLOW_ANONYMOUS=true)."
            )

    def prepare_background(self) -> None:
        """Make what runs beside training and import what it needs, which a command that only asks does not.

        Raise `ExtraMissing` if the settings want what needs a package that is not installed.
        """
        self.background = [Background(name, step, lambda: self.engine.working) for name, step in _steps(self)]

    def start(self) -> None:
        """Migrate, clean the stores, install the shipped models, start the engine; raise `StorageFailed`."""
        self.prepare_background()
        self._open()
        self.store.check()
        self.clean()
        self.install_models()
        self.engine.start()
        for work in self.background:
            work.start()

    def clean(self) -> None:
        """Delete the files that interrupted uploads, registrations and deletions left."""
        for part in (self.store, self.dataset_files, self.registry, self.datasets, self.annotations):
            part.clean()

    def install_models(self) -> None:
        """Install the shipped models, and use one of them by default unless the settings name another."""
        shipped = shipped_models()
        try:
            install_shipped(shipped, self.registry)
        except Corrupted:
            logger.exception("a shipped model is damaged; it is not installed")
        if self.settings.default_model is None:
            self.catalogue.default_name = default_model(shipped, self.registry)

    def import_weights(self, name: str, content: bytes, *, publish: Any, **about: Any) -> Manifest:
        """Make the next version of a model of a weight file, and announce it; errors as the function of that name."""
        made = import_weights(self.registry, self.datasets, content, name=name, published=publish, **about)
        self.announce("version.created", f"{made.name}/{made.version}")
        return made

    def announce(self, event: str, object_id: str) -> None:
        """Send to the programs that wait for it what did not end with a job, as a version that was imported."""
        with self.database.write() as connection:
            delivery_rows.append(connection, event, object_id)

    def page(self, noun: str, search: Search, **page: Any) -> dict[str, Any]:
        """Return a page of ``jobs``, ``sweeps``, ``reports``, ``collections``, ``models`` or ``datasets``."""
        if noun in ("models", "datasets"):
            found, following = getattr(self.annotations, noun)(search, **page)
        else:
            found, following = getattr(self, noun).page(search=search, **page)
        return {noun: found, "next": following}

    def deliveries_waiting(self) -> dict[str, float]:
        """Return how much waits for each program to which what ends is sent."""
        with self.database.read() as connection:
            return {**dict.fromkeys(_targets(self.settings), 0), **delivery_rows.count_waiting(connection)}

    def _open(self) -> None:
        self.database.wait(DATABASE_WAIT_S)
        migrate(self.database)
        self.keys.load()

    def stop(self) -> None:
        """Return running jobs to the queue and close everything."""
        Background.stop(self.background)
        self.engine.stop()
        self.catalogue.close()
        self.database.close()
        self.metrics.inference.settle()

    def __enter__(self) -> Self:
        """Start."""
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """Stop."""
        self.stop()


def kept(settings: Settings) -> Keep:
    """Return what the settings want to be kept."""
    return Keep(
        jobs_days=settings.keep_jobs_days, snapshots_days=settings.keep_snapshots_days, versions=settings.keep_versions
    )


def _targets(settings: Settings) -> list[str]:
    urls = {WEBHOOK: settings.webhook_url, MLFLOW: settings.mlflow_url}
    return [target for target, url in urls.items() if url]


def _steps(service: Service) -> Iterator[tuple[str, Callable[[], float]]]:
    """Yield what the settings want to be done beside training, by name."""
    settings, registry, record = service.settings, service.registry, service.metrics.delivery
    yield "retention", Upkeep(service.retention, kept(settings), service.database, record).step
    if url := settings.mlflow_url:
        log = MlflowLog(url, settings.mlflow_experiment, service.jobs, registry)
        yield MLFLOW, Deliverer(service.database, MLFLOW, log.send, record=record, n_before=CATCH_UP).step
    if (url := settings.webhook_url) and settings.webhook_secret:
        from service.webhooks import Webhook  # noqa: PLC0415 - httpx takes long to import

        webhook = Webhook(
            url,
            settings.webhook_secret.get_secret_value(),
            allow_private=settings.webhook_allow_private,
            describe={
                "job": lambda job_id: plain(service.jobs.get(job_id)),
                "sweep": lambda sweep_id: plain(service.sweeps.get(sweep_id).summary),
                "report": lambda report_id: plain(service.reports.get(report_id).shown()),
                "version": lambda object_id: plain(registry.manifest(*parse_version_id(object_id)).to_dict()),
            },
        )
        yield WEBHOOK, Deliverer(service.database, WEBHOOK, webhook.send, record=record).step


def is_open(settings: Settings, keys: Keys) -> bool:
    """Whether no key is needed: on loopback until the first key is made, elsewhere only if the settings allow it."""
    return settings.allow_anonymous or (settings.on_loopback and not keys.exist)


@contextmanager
def opened_keys(settings: Settings) -> Iterator[Keys]:
    """Open the keys of a service, whether or not it runs."""
    with closing(_open_database(settings)) as database:
        migrate(database)
        keys = Keys(database)
        keys.load()
        yield keys


@contextmanager
def inspected(settings: Settings) -> Iterator[Database]:
    """Open the database of a service to look at it: nothing is created, migrated or changed."""
    with closing(Database(settings.resolved_database_url, read_only=True)) as database:
        yield database


def stored_names(settings: Settings) -> dict[str, list[str]]:
    """Return the names of all ``models`` and ``datasets``; nothing is created or installed for it."""
    store, files = open_stores(settings)
    models = {name for one in (store, LocalStore(shipped_models())) for name in Registry(one).names()}
    return {"models": sorted(models), "datasets": Datasets(files).names()}


def disk_use(settings: Settings, database: Database) -> dict[str, int]:
    """Return the bytes that the parts of a service use on this machine's disks, or of the database on its server's."""
    folders = {"models": settings.store_dir, "datasets": settings.data_dir / "datasets"}
    if settings.bucket_url:
        folders = {"models": settings.data_dir / "store_cache", "datasets": settings.data_dir / "dataset_cache"}
    sizes = {name: sum(map(file_size, folder.rglob("*"))) for name, folder in folders.items()}
    return {"database": database.size_bytes(), **sizes}


def _open_database(settings: Settings) -> Database:
    """Return the database of the settings, after making the data folder."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(
            f"The data folder {settings.data_dir} cannot be created ({error.strerror}); choose another with --data-dir."
        ) from error
    database = Database(settings.resolved_database_url, targets=_targets(settings))
    if database.path:
        _check_folder(database.path.parent)
    return database


def _check_folder(folder: Path) -> None:
    """Say of a folder that cannot be used whose it is: SQLite only says that it cannot open a file."""
    if not folder.is_dir():
        raise StorageFailed(f"The folder of the database, {folder}, does not exist.")
    if not os.access(folder, os.W_OK | os.X_OK):
        owner, user = folder.stat().st_uid, os.geteuid()
        raise StorageFailed(
            f"The folder {folder} belongs to user {owner}, and user {user}, as whom this runs, may not write there: "
            f"chown -R {user} {folder}, or choose another with --data-dir. For a folder that is mounted into a "
            f"container: chown -R {user} its path outside, or mount a named volume."
        )


def shipped_models() -> Path:
    """Return the folder of the models that come with Inkling: in the package, or beside it in a checkout."""
    package = Path(service.__file__).parent
    packaged = package / "shipped_models"
    return packaged if packaged.is_dir() else package.parent / "model_store"


def open_stores(settings: Settings) -> tuple[BlobStore, BlobStore]:
    """Return the stores of models and of uploaded data sets: in a bucket if the setting is a URL, else in folders."""
    if url := settings.bucket_url:
        datasets_url = f"{url.rstrip('/')}/.datasets"  # no model can have this name
        return (
            ObjectStore(url, settings.data_dir / "store_cache"),
            ObjectStore(datasets_url, settings.data_dir / "dataset_cache"),
        )
    return LocalStore(settings.store_dir), LocalStore(settings.data_dir / "datasets")


def _engine_lock(database: Database, settings: Settings) -> EngineLock:
    if path := database.path:
        # Beside the database and not in the data folder: two engines must not share the database.
        return EngineLock(path.with_name(f"{path.name}.lock"))
    # Engines of several hosts share the database; one on each host uses its cores.
    return EngineLock(settings.data_dir / f"engine-{socket.gethostname()}.lock")


def _executor_factory(settings: Settings, metrics: Metrics) -> Callable[[], Executor]:
    if settings.executor == "inline":
        return lambda: InlineExecutor(settings.workers)
    if settings.executor == "dask":
        scheduler = check_scheduler(settings.dask_scheduler, insecure=settings.dask_insecure)
        return lambda: DaskExecutor(scheduler)
    return lambda: ProcessesExecutor(
        settings.workers, metrics.worker_restarts.inc, log=(settings.log_level, settings.log_format)
    )
