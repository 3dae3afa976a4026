"""Commands that several nouns have in common: list, show, picture, cancel, annotate and delete."""

import functools
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.text import Text

from .annotations import about_text, annotates, searched
from .backend import Backend, Json, with_backend
from .names import Noun
from .root import WholeNumber
from .terminal import age_text, columns, confirm, output_option, print_json, print_result, terminal, write_as

GROUP_STATES = ("running", "finished")
"""Of what has many jobs."""
_PICTURE_OUTPUT = output_option(
    "The file to write; a name that ends in .svg gives SVG (not for weights). [default: the picture's name with .png]"
)
_NOT_OF_A_LIST = {"before", "url", "key_file", "data_dir", "as_json"}
"""Parameters that say where a list is, where its page begins or how it is printed."""


def add_list(
    group: click.Group,
    noun: Noun,
    draw: Callable[[Sequence[Json], Console], None],
    *,
    maker: str,
    states: Iterable[str] = (),
    order: str = "the newest first",
) -> None:
    """Add the command ``list``; ``maker`` is the command that makes the first one."""

    def list_(backend: Backend, *, as_json: bool, **search: Any) -> None:
        answer = backend.page(noun.plural, **search)
        if as_json:
            print_json({noun.plural: answer[noun.plural], "next": answer.get("next")})
        elif not answer[noun.plural] and any(value for name, value in search.items() if name != "limit"):
            click.echo(f"There are no such {noun.value}s {backend.place}.")
        elif not answer[noun.plural]:
            click.echo(f"There are no {noun.value}s {backend.place}. Make one: inkling {maker}{backend.arguments}")
        else:
            draw(answer[noun.plural], terminal())
            print_more(answer, backend)

    list_.__doc__ = f"List {noun.value}s, {order}."
    reaches = with_backend(f"{noun.plural} list", f"{noun.plural} list --search rate --tag week-3", as_json=True)
    command = searched(in_pages(reaches(list_), limit=20 if noun.has_id else 200))
    if states:
        command = click.option("--state", type=click.Choice([*states]), help="Only those in this state.")(command)
    group.command("list")(command)


def in_rows(row_of: Callable[[Json], dict[str, str | Text]], *right: str) -> Callable[[Sequence[Json], Console], None]:
    """Return what prints things, one a line: the columns of their rows, title and tags if any has some, and the age.

    The columns that ``right`` names stand last, aligned right.
    """

    def draw(things: Sequence[Json], console: Console) -> None:
        rows = [row_of(thing) for thing in things]
        titles = dict.fromkeys(title for row in rows for title in row if title not in (*right, "age"))
        left = [*titles, *(["about"] if any(map(about_text, things)) else [])]
        table = columns(*left, right=(*right, "age"))
        table.columns[0].no_wrap = "id" in things[0]
        for thing, row in zip(things, rows, strict=True):
            row["about"] = about_text(thing)
            if "age" not in row:
                row["age"] = age_text(thing["created_at"])
            table.add_row(*(row.get(title, "") for title in (*left, *right, "age")))
        console.print(table)

    return draw


def add_show(
    group: click.Group, noun: Noun, draw: Callable[[Json, Console], None], what: str, *options: Callable[..., Any]
) -> None:
    """Add the command ``show``, which prints ``what`` there is to know about one; its ``options`` say how to ask."""

    def show(backend: Backend, *, as_json: bool, **given: Any) -> None:
        print_result(backend.one(noun.plural, given.pop(f"{noun.value}_id"), **given), draw, as_json=as_json)

    show.__doc__ = f"Show a {noun.value}: {what}."
    command = with_backend(f"{noun.plural} show {noun.example}", as_json=True)(show)
    for option in (*options, noun.argument):
        command = option(command)
    group.command("show")(command)


def add_picture(group: click.Group, noun: Noun, what: str, endings: Mapping[str, Sequence[str]], *shown: str) -> None:
    """Add the command ``picture``, whose help says ``what`` is drawn.

    ``endings`` has the pictures, each with what the name of its file may end in besides ``.png``.
    """

    def draw(backend: Backend, *, picture: str, output: Path | None, **named: str) -> None:
        (object_id,) = named.values()
        file, can_be = output or Path(f"{picture}.png"), (".png", *endings[picture])
        write_as(file, can_be, lambda ending: backend.file(noun.plural, object_id, picture + ending))

    draw.__doc__ = what
    reaches = with_backend(*(f"{noun.plural} picture {noun.example} {rest}" for rest in shown))
    choice = click.argument("picture", type=click.Choice([*endings]))
    group.command("picture")(noun.argument(choice(_PICTURE_OUTPUT(reaches(draw)))))


def add_cancel(group: click.Group, noun: Noun, effect: str, outcome: Callable[[Json], str] | None = None) -> None:
    """Add the command ``cancel``. Its help says the ``effect``; ``outcome`` returns what is printed."""

    def cancel(backend: Backend, **named: str) -> None:
        (object_id,) = named.values()
        cancelled = backend.act(noun.plural, object_id, "cancel")
        click.echo(outcome(cancelled) if outcome else f"The {noun.value} is {cancelled['state']}.")

    cancel.__doc__ = effect
    group.command("cancel")(noun.argument(with_backend(f"{noun.plural} cancel {noun.example}")(cancel)))


def add_annotate(group: click.Group, noun: Noun, what: str = "the title") -> None:
    """Add the command ``annotate``."""

    def annotate(backend: Backend, *, changes: Json, **named: str) -> None:
        (name,) = named.values()
        backend.annotate(noun.plural, name, changes)
        click.echo(f"{noun.called(name)} is annotated.")

    annotate.__doc__ = f"Change {what}, all the tags or the notes of a {noun.value}; what is not given stays."
    shown = f'{noun.plural} annotate {noun.example} --title "A larger rate" --tag week-3'
    reaches = with_backend(shown, creates=not noun.has_id)
    group.command("annotate")(noun.argument(annotates(reaches(annotate))))


def add_delete(group: click.Group, noun: Noun, which: str, stays: str) -> None:
    """Add the command ``delete``; ``which`` can be deleted, and ``stays`` is a sentence on what is kept."""

    def delete(backend: Backend, **named: str) -> None:
        (name,) = named.values()
        backend.delete(noun.plural, name)
        click.echo(f"{noun.called(name)} is deleted. {stays}")

    delete.__doc__ = f"Delete a {noun.value} {which}. {stays}"
    reaches = with_backend(f"{noun.plural} delete {noun.example}", creates=noun is Noun.DATASET)
    group.command("delete")(noun.argument(deletes(reaches(delete))))


def deletes(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--yes``, without which a command on a terminal asks first whether to delete what its argument names."""

    @click.option("--yes", is_flag=True, help="Do not ask.")
    @functools.wraps(command)
    def run(*args: Any, yes: bool, **named: Any) -> Any:
        context = click.get_current_context()
        (name,) = (named[str(each.name)] for each in context.command.params if isinstance(each, click.Argument))
        confirm(f"Delete {name}?", yes=yes)
        return command(*args, **named)

    return run


def in_pages(command: Callable[..., Any], *, limit: int = 20) -> Callable[..., Any]:
    """Add ``--limit`` and ``--before``."""
    before = click.option("--before", metavar="CURSOR", help="The page after the one that ended with this cursor.")
    number = click.option(
        "--limit", type=WholeNumber(1, 200), default=limit, help=f"How many, 1 to 200. [default {limit}]"
    )
    return number(before(command))


def print_more(answer: Mapping[str, Any], backend: Backend) -> None:
    """Print the command that shows the next page of the same list, if there is one."""
    context, words = click.get_current_context(), []
    for param in context.command.params:
        name = str(param.name)
        is_typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not is_typed or name in _NOT_OF_A_LIST:
            continue
        is_option, value = isinstance(param, click.Option), context.params[name]
        for each in value if isinstance(value, tuple) else (value,):
            words += [param.opts[0]] * is_option + [shlex.quote(str(each))] * (each is not True)
    if cursor := answer.get("next"):
        click.echo(f"More: {context.command_path} {' '.join([*words, '--before', cursor])}{backend.arguments}")
