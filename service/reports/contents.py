"""The contents of a report, in their order: the same for its page, its document and its JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Annotated, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from service.answers import Doc
from service.datasets import load_dataset
from service.errors import JobNotFound

from .derivations import LOGISTIC, PENALISED, SOFTMAX, Formula
from .figures import Figure, FigureFormat, logistic_figures, softmax_figures
from .findings import Findings
from .report import LogisticRuns, ReportFindings, ReportOptions, ReportSummary, Run, Runs, ended_at
from .seeds import OverSeeds
from .sentences import answers, key_sentences, verdicts
from .spikes import Spikes, find_spikes
from .wording import loss, percent, signed

FORMS = ("html", "pdf", "md", "tex", "ipynb", "json", "zip")
HAND_IN = "hand-in.zip"
"""What the archive is to be called where a person keeps it."""


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
    formulas: Sequence[Formula] = ()
    sentences: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    table: Table | None = None

    def shown(self) -> ReportSection:
        """Return it as in an answer."""
        table = self.table
        return ReportSection(
            number=self.number,
            title=self.title,
            formulas=[formula.text for formula in self.formulas],
            latex=[formula.latex for formula in self.formulas],
            sentences=self.sentences,
            figures=[ReportFigure(name=figure.name, caption=figure.caption) for figure in self.figures],
            table=ReportTable(caption=table.caption, head=table.head, rows=table.rows) if table else None,
        )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDetail(ReportSummary):
    """A report with its findings."""

    findings: Annotated[dict[str, Any] | None, Doc("All numbers, once all runs have succeeded.")] = None
    sections: Annotated[Sequence[ReportSection], Doc("What stands in it; empty until then.", list[ReportSection])] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogisticPart:
    """The part that needs only the runs of logistic regression: it can be made while the others still train."""

    spikes: Spikes | None
    figures: Mapping[str, Figure]

    @classmethod
    def of(cls, runs: LogisticRuns) -> LogisticPart:
        """Find the spikes; figures are drawn on request."""
        spikes = find_spikes(runs.in_order, load_dataset(runs.options.dataset))
        return cls(spikes=spikes, figures=logistic_figures(runs, spikes))


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
    def of(cls, runs: Runs, part: LogisticPart) -> Contents:
        """Compute numbers and sentences; figures are drawn when their files are requested."""
        findings = Findings.of(runs, part.spikes)
        figures = {**part.figures, **softmax_figures(runs, findings)}
        options, epochs = runs.options, findings.plain.epochs_allowed
        return cls(
            title=options.title or "Logistic and softmax regression on handwritten digits",
            byline=options.byline,
            ended_at=ended_at(runs.all_runs),
            subtitle=subtitle_of(options, findings),
            notice=f"Quick report: {epochs} epochs of softmax and at most {findings.in_order.epochs_allowed} of "
            "logistic regression. Its numbers are not those of the full report."
            if options.quick
            else "",
            findings=findings,
            key_sentences=key_sentences(findings),
            figures=figures,
            sections=_sections(runs, findings, figures),
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


_TITLES = {
    "1a": "The gradient of logistic regression",
    "1b": "The gradient of softmax regression",
    "2b": "Loss of logistic regression",
    "2c": "Accuracy of logistic regression",
    "2d": "Early stopping",
    "2e": "Shuffling",
    "3b": "Loss of softmax regression",
    "3c": "Accuracy of softmax regression",
    "3d": "Overfitting",
    "4a": "The gradient with an L2 penalty",
    "4b": "Weights with and without a penalty",
    "4c": "Accuracy under each penalty",
    "4d": "What the penalty costs",
    "4e": "The norm of the weights",
    "5": "Comparison with the seed report",
}


def _sections(runs: Runs, findings: Findings, figures: Mapping[str, Figure]) -> list[Section]:
    formulas = {"1a": LOGISTIC, "1b": SOFTMAX, "4a": PENALISED}
    tables = {"4d": _cost_table(findings), "5": _comparison_table(findings)}
    sections = [
        Section(
            number=number,
            title=_TITLES[number],
            formulas=formulas.get(number, ()),
            sentences=sentences,
            figures=[figure for name, figure in figures.items() if name.startswith(f"{number}-")],
            table=tables.get(number),
        )
        for number, sentences in answers(findings).items()
    ]
    seed = Section(number="6", title="What the seed report says", table=_verdict_table(findings))
    seeds = findings.over_seeds
    over = [_seeds_section(seeds)] if seeds else []
    return [*sections, seed, *over, sources(f"{7 + len(over)}", runs.all_runs)]


SPREAD_CAPTION = (
    "Mean over the seeds, half the width of the 95% confidence interval of that mean (Student's t), smallest and "
    "largest value"
)


def subtitle_of(options: ReportOptions, findings: ReportFindings) -> str:
    """Return what a report is of, and which run is meant where one over several seeds names none."""
    first = f" Sentences and figures that name no seeds are of seed {options.seed} alone." if options.seeds > 1 else ""
    return (
        f"{findings.dataset['title'].rstrip('.')}, {options.seed_words}. Report {findings.report}, by Inkling "
        f"{findings.inkling}; {findings.elapsed_s:.1f} s from the first start of a run to the last end.{first}"
    )


def _seeds_section(seeds: OverSeeds) -> Section:
    return Section(
        number="7",
        title="Over the seeds",
        table=Table(
            caption=f"{SPREAD_CAPTION}.",
            head=("quantity", "mean", "±", "smallest", "largest"),
            rows=[(quantity, *spread.cells(form)) for quantity, form, spread in seeds.numbers],
        ),
    )


def _cost_table(findings: Findings) -> Table:
    plain = findings.plain.best.validation_accuracy
    rows = [
        (
            f"{run.l2_penalty:g}",
            str(run.last.epoch),
            loss(run.best.validation_loss),
            percent(run.best.train_accuracy),
            percent(run.best.validation_accuracy),
            signed(run.best.validation_accuracy - plain) if run.l2_penalty else "",
        )
        for run in sorted(findings.softmax, key=lambda run: run.l2_penalty)
    ]
    return Table(
        caption="Each run at its lowest validation loss; the last column is the change of the validation accuracy "
        "against λ = 0, in percentage points. Changes here and above are rounded after subtracting.",
        head=("λ", "last epoch", "validation loss", "training accuracy", "validation accuracy", "change"),
        rows=rows,
    )


def _verdict_table(findings: Findings) -> Table:
    rows = [
        (verdict.task, verdict.statement, "yes" if verdict.holds else "no", verdict.by)
        for verdict in verdicts(findings)
    ]
    return Table(
        caption="Statements of the seed report, whether they hold for these runs, and by how much.",
        head=("task", "statement", "holds", "by how much"),
        rows=rows,
        n_words=4,
    )


def _comparison_table(findings: Findings) -> Table | None:
    if not findings.comparison:
        return None
    rows = []
    for row in findings.comparison:
        known = f"{row.low:,g}" if row.low == row.high else f"{row.low:,g} to {row.high:,g}"
        ours = _digits(f"{row.ours:,.5f}")
        # A difference that vanishes in the rounding of the known digits is none.
        rounded = round(row.difference, 5)
        difference = _digits(f"{rounded:+.5f}").replace("-", "−") if rounded else "0"
        rows.append((row.quantity, row.source, ours, known, difference, "yes" if row.agrees else "no"))
    return Table(
        caption="This run beside the numbers of the seed report and of the reference table measured from it. "
        "The difference is counted from the nearer end of a range; norms agree within 3%, "
        "that without a penalty within 5%.",
        head=("quantity", "source", "this run", "source says", "difference", "agrees"),
        rows=rows,
        n_words=2,
    )


def _digits(number: str) -> str:
    return number.rstrip("0").rstrip(".")


def sources(number: str, runs: Sequence[Run]) -> Section:
    """Return the section of a report that names its runs, models, data and software."""
    rows = []
    for run in runs:
        model = f"{run.job.model['name']} {run.job.model['version']}" if run.job.model else ""
        rows.append((run.job.id, _described(run, seeds=len({run.job.config.seed for run in runs})), model))
    recorded = runs[0].provenance
    software = {"python": "Python", "numpy": "NumPy", "blas": "BLAS"}
    environment = ", ".join(f"{title} {recorded[name]}" for name, title in software.items() if name in recorded)
    table = Table(
        caption=f"The runs, which are ordinary jobs, and their models. Data set {recorded['dataset']}, SHA-256 "
        f"{recorded['dataset_sha256']}. {environment}.",
        head=("job", "run", "model and version"),
        rows=rows,
        n_words=3,
    )
    return Section(number=number, title="Sources", table=table)


def _described(run: Run, *, seeds: int) -> str:
    config = run.job.config
    seed = f", seed {config.seed}" if seeds > 1 else ""
    if config.hidden_layers:
        words = f"{'-'.join(map(str, config.hidden_layers))}, {config.activation}, {config.initialization}"
        return ", ".join([words, f"momentum {config.momentum:g}", f"augmentation {config.augmentation}"]) + seed
    what = f"{config.model} {'/'.join(map(str, config.classes)) if config.model == 'logistic' else ''}".strip()
    return f"{what}, λ = {config.l2_penalty:g}, {'shuffled' if config.shuffle else 'file order'}{seed}"
