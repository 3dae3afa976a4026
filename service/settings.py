"""Every setting of the service, in one frozen object. Lower layers do not read it; values are passed to them."""

import base64
import json
import os
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.core import N_PIXELS
from service.telemetry import LogFormat


def _items(given: Any) -> Any:
    """Return the items of a list that is written with commas or, as JSON, in brackets."""
    if not isinstance(given, str):
        return given
    if given.lstrip().startswith("["):
        try:
            return json.loads(given)
        except (ValueError, RecursionError):
            raise ValueError("this is neither a list of names with commas nor one in JSON") from None
    return [item for item in map(str.strip, given.split(",")) if item]


def _check_url(given: str | None) -> str | None:
    try:
        found = urlsplit(given or "http://none")
        if found.scheme in ("http", "https") and found.hostname and found.port != 0:
            return given
    except ValueError:  # of the port
        pass
    raise ValueError("this is not a URL such as https://host/path")


def _host_names(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of hosts that may be written as addresses of pages are, with a scheme or a port."""
    return tuple(urlsplit(each if "://" in each else f"//{each}").hostname or each for each in given)


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_items)]


class Settings(BaseSettings):
    """Read from ``INKLING_*`` variables; the options of ``inkling serve`` override them."""

    model_config = SettingsConfigDict(env_prefix="INKLING_", frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65_535, description="port to listen on; 0 takes a free one")
    data_dir: Path = Field(Path("data"), description="folder for the database and the model store")
    database_url: str | None = Field(
        None,
        description="URL of the database: sqlite:///path or postgresql://user:password@host/name "
        "(not given: SQLite in the data folder)",
    )
    store_url: str | None = Field(
        None, description="folder, or s3://bucket/prefix, of the models (not given: model_store in the data folder)"
    )
    executor: Literal["processes", "inline", "dask"] = Field(
        "processes", description="where training runs: worker processes, this process, or a Dask cluster"
    )
    dask_scheduler: str | None = Field(
        None, description="scheduler of the executor dask: tcp://host:port or tls://host:port"
    )
    dask_insecure: bool = Field(
        False, description="accept tcp:// to another machine: whoever reaches it can run code on every worker"
    )
    workers: int = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 1) - 1),
        ge=1,
        le=64,
        description="jobs trained at a time (cores - 1, at least 1)",
    )
    web_workers: int = Field(
        1, ge=1, le=64, description="web processes on the address; one of them on each host runs the jobs"
    )
    default_model: str | None = Field(
        None,
        description="model that is used when a request names none (not given: the shipped network, or the softmax "
        "model where you had promoted a version of your own)",
    )
    allowed_hosts: Annotated[Names, AfterValidator(_host_names)] = Field(
        (),
        description="host names that requests may use, besides localhost and the address; *.example.com are all "
        "names below example.com",
    )
    allow_anonymous: bool = Field(False, description="allow everything without a key to whoever can reach the address")
    trusted_proxies: Names = Field((), description="addresses of proxies whose X-Forwarded-For is trusted")
    max_requests_per_s: int = Field(
        200, ge=0, description="requests a second with one key, in bursts of twice as many; 0: no limit"
    )
    max_requests_per_s_per_address: int = Field(
        100, ge=0, description="the same, without a valid key, from one address; 0: no limit"
    )
    max_jobs_per_key: int = Field(2000, ge=1, description="jobs of one key that wait or run at a time")
    max_streams_per_client: int = Field(100, ge=1, description="event streams of one client at a time")
    keep_jobs_days: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="days after which jobs, sweeps and reports that ended are deleted (not given: never)",
    )
    keep_snapshots_days: int | None = Field(
        None, ge=1, le=36_500, description="days after which an ended job keeps only 16 snapshots (not given: never)"
    )
    keep_versions: int | None = Field(
        None, ge=1, description="newest versions of each model that are kept, beside those in use (not given: all)"
    )
    mlflow_url: str | None = Field(None, description="MLflow tracking server to which finished jobs are logged")
    mlflow_experiment: str = Field("inkling", min_length=1, description="experiment in MLflow")
    webhook_url: Annotated[str | None, AfterValidator(_check_url)] = Field(
        None, description="URL to which the end of each job, sweep and report, and each new version, is posted"
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="key that signs webhooks: 24 to 64 bytes in base64. Others can see options: give the variable",
        validate_default=True,
    )
    webhook_allow_private: bool = Field(
        False, description="allow a receiver of webhooks whose address is not on the Internet"
    )
    max_queue_length: int = Field(10_000, ge=1, description="jobs that may wait at a time")
    max_json_bytes: int = Field(262_144, ge=1024, description="largest JSON body of a request, bytes")
    max_body_bytes: int = Field(16_777_216, ge=1024, description="largest body of a prediction request, bytes")
    max_image_bytes: int = Field(8_388_608, ge=1024, description="largest image file, bytes")
    max_image_pixels: int = Field(25_000_000, ge=N_PIXELS, description="most pixels of an image")
    max_images_per_request: int = Field(10_000, ge=1, description="most images in one request")
    header_timeout_s: float = Field(10.0, gt=0, le=3600, description="longest wait for a request and its headers, s")
    body_timeout_s: float = Field(
        30.0, gt=0, le=3600, description="longest wait for a body, s, plus 1 s for every 64 KiB received"
    )
    max_connections: int = Field(2000, ge=16, le=60_000, description="open connections at a time")
    log_format: LogFormat = Field("text", description="text for people, or JSON for programs")
    max_dataset_bytes: int = Field(67_108_864, ge=1024, description="largest upload of a data set, bytes")
    max_dataset_expanded_bytes: int = Field(134_217_728, ge=1024, description="largest data set after unpacking, bytes")
    max_datasets: int = Field(100, ge=0, description="data sets that users may upload")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least important messages that are logged"
    )

    @field_validator("webhook_secret")
    @classmethod
    def _check_secret(cls, given: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if not (given and given.get_secret_value()):
            if info.data.get("webhook_url"):
                raise ValueError("webhooks are signed: make a key with `openssl rand -base64 32`")
            return None
        try:
            n_bytes = len(base64.b64decode(given.get_secret_value().removeprefix("whsec_"), validate=True))
        except ValueError:
            n_bytes = 0
        if not 24 <= n_bytes <= 64:
            raise ValueError("this is no key of 24 to 64 bytes in base64, as `openssl rand -base64 32` makes them")
        return given

    @cached_property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the service, also through a proxy."""
        if self.trusted_proxies:
            return False
        try:
            return self.host == "localhost" or ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False

    @property
    def resolved_database_url(self) -> str:
        """The URL of the database."""
        return self.database_url or f"sqlite:///{quote(str(self.data_dir.resolve() / 'inkling.db'))}"

    @property
    def bucket_url(self) -> str | None:
        """The URL of the model store, unless it is a folder."""
        return self.store_url if self.store_url and "://" in self.store_url else None

    @property
    def store_place(self) -> str:
        """The URL or folder of the model store, for display."""
        return self.bucket_url or str(self.store_dir.absolute())

    @property
    def store_dir(self) -> Path:
        """The folder of the model store."""
        return Path(self.store_url) if self.store_url else self.data_dir / "model_store"
