"""``inkling``: the root of the command line."""

from __future__ import annotations

import click

from service import __version__

from .failure import debug_option
from .lazy_group import LazyGroup

_COMMANDS = {
    "serve": "Start the web service.",
    "train": "Train a model and watch it learn.",
    "sweep": "Train every combination of some values, and compare.",
    "report": "Make the course report: every number and figure.",
    "predict": "Ask a model which digit an image shows.",
    "explain": "Ask a model why: what each pixel says for a digit.",
    "jobs": "List, follow, cancel, resume and picture training jobs.",
    "sweeps": "List, follow, cancel and picture sweeps.",
    "verify": "Train a job again and compare every bit of its weights.",
    "models": "List models, look inside, compare, move aliases.",
    "keys": "Make, list and revoke the keys of the service.",
    "doctor": "Look for what may give trouble on this machine.",
    "datasets": "List what there is to train on, and add.",
}

_TOUR = (
    ("inkling predict digit.png", "which digit? A trained model is included"),
    ("inkling models show mnist-softmax", "its weights, a picture for each class"),
    ("inkling train", "train one yourself and watch it learn"),
    ("inkling serve", "the same over HTTP, for programs"),
)

_TOUR_END = """\
Everything is kept in one folder: ./data, or what --data-dir or INKLING_DATA_DIR
names. With --url or INKLING_URL the commands talk to a running server instead.
All commands: inkling --help. Examples of each: inkling COMMAND --help."""


@click.group(
    cls=LazyGroup,
    package="service.cli.commands",
    summaries=_COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\n"
    "Completion of commands and options in your shell:\n"
    '  bash  eval "$(_INKLING_COMPLETE=bash_source inkling)"\n'
    '  zsh   eval "$(_INKLING_COMPLETE=zsh_source inkling)"\n'
    "  fish  _INKLING_COMPLETE=fish_source inkling | source",
)
@click.version_option(__version__, prog_name="inkling", message="%(prog)s %(version)s")
@debug_option
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Train a model on handwritten digits, look at every weight, and ask it about an image.

    \b
    Examples:
      inkling predict digit.png
      inkling train --epochs 50 --l2-penalty 0.01 --follow
      inkling models show mnist-softmax
      inkling serve --port 8000
      inkling jobs list --url http://127.0.0.1:8000
    """
    if ctx.invoked_subcommand is None:
        click.secho("Inkling: a glass box for handwritten digits.\n", bold=True)
        for example, meaning in _TOUR:
            click.echo(f"  {click.style(f'{example:<34}', fg='cyan')}  {meaning}")
        click.echo(f"\n{_TOUR_END}")
