"""The contents of a report, in their order: the same for its page, its document and its JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from service.answers import Doc
from service.errors import JobNotFound

from .figures import Figure, FigureFormat
from .report import ReportFindings, ReportSummary, Runs, ended_at

if TYPE_CHECKING:
    from .text import Section

FORMS = ("html", "pdf", "md", "tex", "ipynb", "json", "zip")
HAND_IN = "hand-in.zip"
"""What the archive is to be called where a person keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFigure:
    """A figure: `figures/{name}.png` and `.svg`."""

    name: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTable:
    """A table of words."""

    caption: str
    head: Annotated[Sequence[str], Doc(written_as=list[str])]
    rows: Annotated[Sequence[Sequence[str]], Doc(written_as=list[list[str]])]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSection:
    """One task: the answer to it, and what shows it."""

    number: str
    title: str
    formulas: Annotated[list[str], Doc("As text.")]
    latex: Annotated[list[str], Doc("The same formulas.")]
    sentences: Annotated[Sequence[str], Doc(written_as=list[str])]
    figures: list[ReportFigure]
    table: ReportTable | None

    @classmethod
    def of(cls, section: Section) -> ReportSection:
        """Make it of a section."""
        table = section.table
        return cls(
            number=section.number,
            title=section.title,
            formulas=[formula.text for formula in section.formulas],
            latex=[formula.latex for formula in section.formulas],
            sentences=section.sentences,
            figures=[ReportFigure(name=figure.name, caption=figure.caption) for figure in section.figures],
            table=ReportTable(caption=table.caption, head=table.head, rows=table.rows) if table else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDetail(ReportSummary):
    """A report with its findings."""

    findings: Annotated[dict[str, Any] | None, Doc("All numbers, once all runs have succeeded.")] = None
    sections: Annotated[Sequence[ReportSection], Doc("What stands in it; empty until then.", list[ReportSection])] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contents:
    """A whole report."""

    title: str
    byline: str
    subtitle: str
    ended_at: datetime
    notice: str
    findings: ReportFindings
    key_sentences: Sequence[str]
    figures: Mapping[str, Figure]
    sections: Sequence[Section]
    _documents: dict[str, bytes] = field(default_factory=dict, init=False, repr=False)
    """Those that were made, by their form: the archive has all the others."""

    @classmethod
    def of(cls, runs: Runs, findings: ReportFindings, figures: Mapping[str, Figure], **values: Any) -> Contents:
        """Write the text; ``values`` are what its template needs besides findings. Figures are drawn on request."""
        from .text import write  # noqa: PLC0415 - Jinja takes long to import

        options, jobs = runs.options, [run.job for run in runs.all_runs]
        text = write(findings, figures, jobs=jobs, provenance=runs.all_runs[0].provenance, **values)
        captioned = {figure.name: figure for section in text.sections for figure in section.figures}
        return cls(
            title=options.title or text.title,
            byline=options.byline,
            subtitle=text.subtitle,
            ended_at=ended_at(jobs),
            notice=text.notice,
            findings=findings,
            key_sentences=text.key_sentences,
            figures={name: captioned[name] for name in figures},
            sections=text.sections,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers, with the sentences that were written from them, as plain data."""
        by_task = {section.number: list(section.sentences) for section in self.sections if section.sentences}
        return {**asdict(self.findings), "key_sentences": list(self.key_sentences), "answers": by_task}

    def file_names(self) -> list[str]:
        """Return the names of all files of the report; figures are in a folder of their own."""
        figures = [f"figures/{name}.{form}" for name in self.figures for form in ("png", "svg")]
        return [*(f"report.{form}" for form in FORMS), *figures]

    def file(self, name: str) -> bytes:
        """Return a file of the report.

        Raises
        ------
        JobNotFound : there is no file of that name.
        """
        if name not in self.file_names():
            raise JobNotFound("This report has no file of that name.")
        if name.startswith("figures/"):
            stem, _, form = name.removeprefix("figures/").rpartition(".")
            return self.figures[stem].draw("svg" if form == "svg" else "png")
        form = name.removeprefix("report.")
        if form not in self._documents:
            self._documents[form] = self._document(form)
        return self._documents[form]

    def _document(self, form: str) -> bytes:
        if form == "json":
            return json.dumps(self.to_dict(), indent=2, ensure_ascii=False).encode()
        if form == "zip":
            return self._archive()
        # Imported on first use: it takes longer to import than all the rest of a server.
        from .notebook import render_notebook  # noqa: PLC0415
        from .rendering import render_document, render_latex, render_markdown, render_page  # noqa: PLC0415

        if form == "html":
            return render_page(self, self._pictures("svg"))
        if form == "pdf":
            return render_document(self, self._pictures("png"))
        return {"md": render_markdown, "tex": render_latex, "ipynb": render_notebook}[form](self)

    def _archive(self) -> bytes:
        """Return all other files in a folder of a ZIP archive; figures of the course also under its names for them."""
        named = {name: name for name in self.file_names() if name != "report.zip"}
        for figure in self.figures.values():
            if figure.course_name:
                named[f"{figure.course_name}.png"] = f"figures/{figure.name}.png"
        archive = BytesIO()
        with ZipFile(archive, "w", ZIP_DEFLATED) as files:
            for name, made in named.items():
                method = ZIP_STORED if name.endswith((".png", ".pdf")) else ZIP_DEFLATED  # those are compressed already
                files.writestr(ZipInfo(f"report/{name}", (1980, 1, 1, 0, 0, 0)), self.file(made), method)
        return archive.getvalue()

    def _pictures(self, form: FigureFormat) -> dict[str, bytes]:
        return {name: figure.draw(form) for name, figure in self.figures.items()}
