"""The text of a report: the template of its assignment, filled in with findings and cut into sections.

Templates are written in a small form of Markdown. A blank line ends a paragraph, and what it begins with is its kind:
``#`` the title, ``>`` the subtitle, and a second one the notice of a quick report, ``##`` a section with its number,
``![name](course_name)`` the caption of a figure, ``:`` the caption of a table with its rows, ``$$`` a formula as plain
text and in further lines as LaTeX. All others are sentences of the answer to a task; ``*`` marks the most important
ones of the report. Any other white space counts as one space, and before punctuation as none, so that lines may be
broken anywhere.

Imported on first use, because Jinja takes long to import.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from service.inference import SIGNIFICANT, mcnemar, printed_p

from . import wording
from .claims import TESTED_STEP
from .drawings import STYLES
from .figures import Figure
from .report import ReportFindings


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula: ``text`` for a screen reader or a terminal, ``latex`` for both matplotlib and latex2mathml."""

    text: str
    latex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; its first ``n_words`` columns are words, aligned left, the others numbers, aligned right."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_words: int = 1

    def column_widths(self) -> list[float]:
        """Return how much of its width each column needs, as fractions that sum to 1."""
        # Letters of a heading are bold, and so wider.
        words = [1.4 * max(map(len, head.split() or [""])) for head in self.head]
        longest = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        widths = [min(max(*pair, 12), 36) for pair in zip(words, longest, strict=True)]
        return [width / sum(widths) for width in widths]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Section:
    """One task: its title, the answer, and the figures or the table that show it."""

    number: str
    title: str
    formulas: list[Formula] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    table: Table | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Text:
    """The text of a report; ``title`` is that of a report without one of its own."""

    title: str
    subtitle: str
    notice: str
    key_sentences: Sequence[str]
    sections: Sequence[Section]


def template(name: str) -> str:
    """Return the source of a template or a style sheet."""
    return (files(__package__) / "templates" / name).read_text("utf-8")


_END = "\N{PARAGRAPH SEPARATOR}"


def _load(name: str) -> str:
    """Return a template; the blank lines of a text are marked, since its tags leave others."""
    source = template(name)
    return source.replace("\n\n", f"\n{_END}\n") if name.endswith(".txt") else source


TEXTS = Environment(loader=FunctionLoader(_load), autoescape=False, undefined=StrictUndefined, trim_blocks=True)  # noqa: S701 - they are texts
TEXTS.globals.update(zip=zip, SIGNIFICANT=SIGNIFICANT, TESTED_STEP=TESTED_STEP, n_styles=len(STYLES))
TEXTS.filters.update({each.__name__: each for each in (mcnemar, printed_p, *wording.FILTERS)})
TEXTS.filters.update(form=format, whole="{:,}".format, yes=lambda holds: "yes" if holds else "no")
_FORMULA = re.compile(r"^\$\$ (.+)\n([^$]+) \$\$$", re.MULTILINE)


def formulas(assignment: int) -> list[Formula]:
    """Return all formulas of an assignment; they need no findings."""
    return [_formula(found) for found in _FORMULA.finditer(template(f"assignment-{assignment}.txt"))]


def write(findings: ReportFindings, figures: Mapping[str, Figure], **values: Any) -> Text:
    """Fill in the template of the report's assignment with findings, and with ``values`` that are not among them."""
    known = {each.name: getattr(findings, each.name) for each in fields(findings)}
    source = TEXTS.get_template(f"assignment-{findings.options['assignment']}.txt")
    title, below_title = "", []
    key_sentences: list[str] = []
    sections: list[Section] = []
    for paragraph in paragraphs(source.render(known, findings=findings, **values)):
        if formula := _FORMULA.fullmatch(paragraph):
            sections[-1].formulas.append(_formula(formula))
            continue
        text, *rows = paragraph.split("\n")
        kind, _, words = text.partition(" ")
        if kind == "#":
            title = words
        elif kind == ">":
            below_title.append(words)
        elif kind == "##":
            number, _, heading = words.partition(" ")
            sections.append(Section(number=number, title=heading))
        elif kind == ":":
            sections[-1] = replace(sections[-1], table=_table(words, rows))
        elif kind.startswith("!["):
            name, _, course_name = kind[2:-1].partition("](")
            sections[-1].figures.append(replace(figures[name], caption=words, course_name=course_name))
        elif kind == "*":
            sections[-1].sentences.append(words)
            key_sentences.append(words)
        else:
            sections[-1].sentences.append(text)
    subtitle, notice = below_title if len(below_title) > 1 else (*below_title, "")
    return Text(title=title, subtitle=subtitle, notice=notice, key_sentences=key_sentences, sections=sections)


def paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a filled-in template, each a line, but for formulas and for the rows of tables."""
    for paragraph in filter(None, map(str.strip, text.split(_END))):
        line = re.sub(r"\s*\n(?!\|)\s*| +", " ", paragraph)
        yield paragraph if paragraph.startswith("$$") else re.sub(r" (?=[.,;:](\s|$))", "", line)


def _formula(found: re.Match[str]) -> Formula:
    return Formula(found[1], found[2].replace("\n", " "))


def _table(caption: str, rows: Sequence[str]) -> Table:
    head, marks, *body = ([cell.strip() for cell in row[1:-1].split("|")] for row in rows)
    return Table(caption=caption, head=head, rows=body, n_words=marks.count("---"))
