"""Options made from the fields of `Settings`, and settings made from what was given."""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from service.settings import Settings

from .root import AS_JSON, debug_option, examples, option_help, option_name

_Function = TypeVar("_Function", bound=Callable[..., Any])
_ENV_PREFIX = Settings.model_config["env_prefix"]
_SEVERAL = tuple[str, ...]


_GROUPS = {
    "Address and storage": ("host", "port", "data_dir", "database_url", "store_url"),
    "Access": ("allowed_hosts", "allow_anonymous", "trusted_proxies"),
    "Training": ("executor", "dask_scheduler", "dask_insecure", "workers", "max_queue_length", "max_jobs_per_key"),
    "Serving": ("web_workers", "default_model", "header_timeout_s", "body_timeout_s"),
    "Retention": ("keep_jobs_days", "keep_snapshots_days", "keep_versions"),
    "Other programs": (
        *("webhook_url", "webhook_secret", "webhook_allow_private"),
        *("mlflow_url", "mlflow_experiment", "log_format", "log_level"),
    ),
}
"""What each group of options in the help of ``serve`` has; every other setting is a limit."""


class GroupedOptions(click.Command):
    """A command with a section of its help for each of `_GROUPS`."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See `click.Command.format_options`."""
        rest = {param.name: row for param in self.get_params(ctx) if (row := param.get_help_record(ctx)) is not None}
        groups = {title: [rest.pop(name) for name in names] for title, names in _GROUPS.items()}
        limits = [rest.pop(name) for name in [*rest] if name in Settings.model_fields]
        for title, rows in {**groups, "Limits": limits, "Options": [*rest.values()]}.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def settings_options(function: _Function) -> _Function:
    """Add one option for each setting."""
    for name, field in reversed(Settings.model_fields.items()):
        function = _option(name, field)(function)
    return function


def of_this_machine(*shown: str, as_json: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--data-dir`` and ``--debug`` to a command about this machine, which INKLING_URL must not lead elsewhere.

    Its help has the examples that are ``shown``; ``as_json`` adds ``--json``.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def run(*args: Any, **options: Any) -> Any:
            if url := os.environ.get("INKLING_URL"):
                where = f"and INKLING_URL names {url}: unset it first."
                raise click.UsageError(f"This command is about this machine, {where}")
            return command(*args, **options)

        help_ = "Folder of the service. [INKLING_DATA_DIR; default data]"
        described = debug_option(examples(*shown)(AS_JSON(run) if as_json else run))
        return click.option("--data-dir", metavar="FOLDER", help=help_)(described)

    return decorate


def read_settings(given: Mapping[str, Any]) -> Settings:
    """Return the settings: what was given, else the ``INKLING_*`` variables, else the defaults.

    None and an empty tuple count as not given. Raise `click.UsageError`, with option and variable, for illegal values.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value not in (None, ())})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0])
        raise click.UsageError(f"{option_name(name)} or {variable_name(name)}: {_words(first['msg'])}.") from None


def _words(message: str) -> str:
    """Return what pydantic says of a setting, without what it says of its input."""
    return message.replace("Input should be", "it must be").partition(", unable to")[0].removeprefix("Value error, ")


def variable_name(field: str) -> str:
    """Return the environment variable of a setting."""
    return f"{_ENV_PREFIX}{field.upper()}"


def _option(name: str, field: FieldInfo) -> Callable[[Any], Any]:
    description = field.description or ""
    facts = [variable_name(name)]
    default = field.get_default(call_default_factory=True, validated_data={})
    if default not in (None, (), False):
        facts.append(f"default {default:,}" if isinstance(default, int) and name != "port" else f"default {default}")
    if field.annotation is bool:
        return click.option(option_name(name), name, is_flag=True, default=None, help=option_help(description, facts))
    is_choice = get_origin(field.annotation) is Literal
    return click.option(
        option_name(name),
        name,
        type=click.Choice(get_args(field.annotation)) if is_choice else str,
        multiple=field.annotation == _SEVERAL,
        metavar=None if is_choice else "NUMBER" if field.annotation is int else "TEXT",
        help=option_help(description, facts),
    )
