"""The sentences and figures of a report: made from its numbers alone, in self-contained files."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from itertools import accumulate, pairwise
from zipfile import ZipFile

import pytest
from latex2mathml.converter import convert
from PIL import Image

from service.bootstrap import Service
from service.errors import JobNotFound
from service.reports import Contents, Findings, Report, ReportOptions
from service.reports.claims import GapTest, Trend
from service.reports.findings import compare
from service.reports.rendering import _Pages, _write_table
from service.reports.text import Formula, Table
from tests.reports.texts import said, written

Eventually = Callable[[Callable[[], bool]], None]


class Resources(HTMLParser):
    """Collects the references of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.named: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.named += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]


@pytest.mark.slow
def test_the_page_is_self_contained(service: Service, finished: Report, contents: Contents) -> None:
    page = service.reports.file(finished.id, "report.html").decode()
    resources = Resources()
    resources.feed(page)
    assert not resources.tags & {"script", "link", "iframe", "object", "embed"}
    assert all(name.startswith(("data:image/svg+xml;base64,", "#task-")) for name in resources.named)
    assert "url(" not in page and "@import" not in page
    for section in contents.sections:
        for sentence in section.sentences:
            assert sentence.split("<")[0][:60] in page.replace("&#39;", "'").replace("\N{NO-BREAK SPACE}", " ")
    assert page.count("<math ") == sum(len(section.formulas) for section in contents.sections) == 12
    assert page.count("<figure>") == len(contents.figures) == 12
    assert page.count("Quick report") == 2


@pytest.mark.slow
def test_the_document_is_a_pdf_with_text(service: Service, finished: Report) -> None:
    pdf = service.reports.file(finished.id, "report.pdf")
    assert pdf.startswith(b"%PDF-")
    assert 6 <= len(re.findall(rb"/Type /Page\b(?!s)", pdf)) <= 14
    assert b"/ToUnicode" in pdf, "its text cannot be selected"


def test_formulas_aretypeset_after_charts_were_drawn(contents: Contents) -> None:
    from service.reports.rendering import typeset

    assert contents.figures["2b-loss"].draw("png")
    one, half = (typeset(Formula("", latex)) for latex in ("1", r"\dfrac{1}{2}"))
    assert half.height > 2 * one.height and half.width < 3 * one.width
    for section in contents.sections:
        for formula in section.formulas:
            assert "<math " in convert(formula.latex) and typeset(formula).width < 600 * 166 / 25.4, formula.text


def test_the_document_has_the_pixels_of_the_figures(service: Service, finished: Report, contents: Contents) -> None:
    pdf = service.reports.file(finished.id, "report.pdf")
    n_formulas = sum(len(section.formulas) for section in contents.sections)
    assert pdf.count(b"/Subtype /Image") == len(contents.figures) + n_formulas
    for name in contents.figures:
        png = service.reports.file(finished.id, f"figures/{name}.png")
        picture = Image.open(BytesIO(png))
        # Its rows with their filters, as in the PNG: the first chunk of pixels is in the document.
        start = png.index(b"IDAT") + 4
        length = int.from_bytes(png[start - 8 : start - 4], "big")
        assert png[start : start + length] in pdf
        assert f"/Predictor 15 /Colors 3 /Columns {picture.width} /BitsPerComponent 8".encode() in pdf


def test_the_numbers_and_the_figures_are_files(service: Service, finished: Report, findings: Findings) -> None:
    numbers = json.loads(service.reports.file(finished.id, "report.json"))
    assert numbers["in_order"]["last"]["step"] == findings.in_order.last.step
    assert numbers["answers"]["2d"][0].startswith("Early stopping does not end")
    assert service.reports.file(finished.id, "figures/2b-loss.png").startswith(b"\x89PNG")
    assert finished.id.encode() in service.reports.file(finished.id, "figures/2b-loss.png")
    assert b"</svg>" in service.reports.file(finished.id, "figures/4b-weights.svg")
    for name in ("figures/none.png", "report.txt", "../report.html", "figures/2b-loss.pdf"):
        with pytest.raises(JobNotFound):
            service.reports.file(finished.id, name)


def test_sentences_follow_the_numbers(findings: Findings, contents: Contents) -> None:
    assert "does not end this run" in written(findings, contents)["2d"].sentences[0]
    last = replace(findings.in_order.last, epoch=21, step=680, validation_loss=0.1234)
    stopped = replace(findings, in_order=replace(findings.in_order, stopped_early=True, last=last))
    answer = written(stopped, contents)["2d"].sentences[0]
    assert "in epoch 21 (step 680" in answer and "the 22nd epoch" in answer and "0.1234" in answer
    assert "No spike recurs" in written(replace(findings, spikes=None), contents)["2e"].sentences[-1]


def test_the_gradient_checks_were_made(findings: Findings) -> None:
    checks = [*findings.gradients, findings.penalised_gradient]
    assert [(check.model, check.n_entries) for check in checks] == [
        ("logistic", 785),
        ("softmax", 7850),
        ("softmax", 7850),
    ]
    for check in checks:
        assert 0 < check.largest_relative_error < 1e-7


def test_the_cause_of_the_spikes_is_found(findings: Findings) -> None:
    spikes = findings.spikes
    assert spikes is not None
    assert (spikes.batch, spikes.period, spikes.first_step, spikes.batches_per_epoch) == (18, 186, 204, 31)
    assert spikes.largest <= spikes.height <= spikes.smallest < -0.01 and spikes.change < -0.01
    became = re.search(
        r" \(positive for 2, negative for 3\): (\d+) images of 2 become wrong and (\d+) images? of 3 becomes? right\.$",
        said("spikes_of", spikes)[2],
    )
    assert became and [len(spikes.newly_wrong), len(spikes.newly_right)] == [int(number) for number in became.groups()]
    change = len(spikes.newly_right) - len(spikes.newly_wrong)
    assert change / findings.in_order.n_validation == pytest.approx(spikes.change, abs=1e-6)
    assert set(spikes.newly_wrong) == {2} and {spikes.labels[place] for place in spikes.wrong} == {3}
    assert spikes.is_cause and "The cause is that same batch" in said("spikes_of", spikes)[2]
    small = replace(spikes, change=spikes.height / 2.1)
    assert said("spikes_of", small)[2].startswith(
        "None of the batches since the check before makes half of that alone; "
    )
    assert spikes.logit_change < -1 and spikes.wrong_step_share > 0.5
    assert spikes.loss > 2 * spikes.usual_loss
    assert len(spikes.images) == 128 and len(spikes.wrong) > spikes.usual_wrong


def test_what_the_seed_says_is_held_against_the_findings(findings: Findings, contents: Contents) -> None:
    def verdicts(findings: Findings) -> dict[str, list[tuple[str, str]]]:
        """By task, whether each statement holds, and by how much."""
        table, by_task = written(findings, contents)["6"].table, defaultdict(list)
        assert table
        for task, _, holds, by in table.rows:
            by_task[task].append((holds, by))
        return by_task

    found = verdicts(findings)
    assert "3d" not in found, "the quick run has no step 2,500"
    falls = all(a > b for a, b in pairwise(findings.accuracy_trend.values))
    assert found["4c"][0][0] == ("yes" if falls else "no")
    opposite = verdicts(replace(findings, spikes=None, accuracy_trend=Trend.of([(0.0, 0.5), (1.0, 0.6)], ".2%")))
    assert [holds for holds, _ in (opposite["2e"][1], opposite["4c"][0])] == ["no", "no"]
    long = replace(findings.gap, tests=[GapTest(step=2480, gap=0.001, p=0.73), *findings.gap.tests])
    [(holds, by)] = verdicts(replace(findings, gap=long))["3d"]
    assert holds == "no" and by.startswith("0.10 percentage points lower at step 2,480, p = 0.73; ")


@pytest.mark.parametrize("n_rows", [1, 2, 3, 12])
def test_no_row_of_a_table_is_alone_on_the_next_page(n_rows: int) -> None:
    long_name = "a quantity with so long a name that it takes more than one line of its column, as some do in a table"
    rows = [(long_name if row % 3 == 0 else "x", "1.00") for row in range(n_rows)]
    table, pages, taken = Table(caption="Numbers", head=("quantity", "value"), rows=rows), _Pages(""), set()
    for start_mm in range(180, 272, 4):
        pages.add_page()
        first = pages.page_no()
        pages.set_y(start_mm)
        least_mm = sum(pages.row_mm(cells, table) for cells in (table.head, *rows[-2:]))
        _write_table(pages, table)
        assert pages.page_no() == first or pages.y - pages.t_margin >= least_mm
        taken.add(pages.page_no() - first)
    assert 1 in taken


def test_no_line_of_a_paragraph_is_alone_on_a_page() -> None:
    pages, text = _Pages(""), "words of a sentence " * 25
    for start_mm in range(220, 272, 3):
        pages.add_page()
        first = pages.page_no()
        pages.ink(10)
        pages.set_y(start_mm)
        pages.paragraph(text, after_mm=0)
        begun_mm = start_mm if pages.page_no() == first else pages.t_margin
        assert pages.y - begun_mm == pytest.approx(pages.height_mm(text, 10))


def test_numbers_of_the_comparison(findings: Findings) -> None:
    """A norm without a penalty differs by up to 5% over the seeds, the others by up to 3%."""
    options = ReportOptions()
    for l2_penalty, known, within in ((0.0, 4.89, 0.05), (1.0, 0.60199, 0.03)):
        for part, agrees in ((0.99, True), (1.01, False)):
            run = replace(findings.plain, l2_penalty=l2_penalty, norm=known * (1 - within * part))
            rows = compare(options, findings.in_order, findings.shuffled, [findings.plain, run])
            assert rows[-1].quantity == f"norm at λ = {l2_penalty:g}" and rows[-1].agrees == agrees
    by_name = {(row.quantity, row.source): row.ours for row in rows}
    last = findings.in_order.last
    assert by_name["validation accuracy at the stop", "reference table"] == last.validation_accuracy
    assert by_name["training accuracy at the stop", "reference table"] == last.train_accuracy


def test_what_is_equal_is_said_once(findings: Findings, contents: Contents) -> None:
    best = findings.in_order.best
    assert best
    shuffled = replace(findings.shuffled, best=replace(findings.shuffled.best, validation_loss=best.validation_loss))
    text = " ".join(written(replace(findings, shuffled=shuffled), contents)["2e"].sentences)
    assert f"the lowest validation loss is {best.validation_loss:.4f} with it and without." in text


@pytest.mark.slow
def test_markdown_and_the_archive_have_the_whole_report(service: Service, finished: Report, contents: Contents) -> None:
    text = service.reports.file(finished.id, "report.md").decode()
    for section in contents.sections:
        assert f"## {section.number} {section.title}" in text
        assert all(f"$${formula.latex}$$" in text for formula in section.formulas)
        assert all(sentence in text for sentence in section.sentences)
        assert all(f"](figures/{figure.name}.png)" in text for figure in section.figures)
    archive = ZipFile(BytesIO(service.reports.file(finished.id, "report.zip")))
    names = set(service.reports.file_names(finished.id)) - {"report.zip"}
    course = {f"report/{figure.course_name}.png" for figure in contents.figures.values() if figure.course_name}
    assert len(course) == 8 and "report/task4d_l2_reg_norms.png" in course
    assert set(archive.namelist()) == {f"report/{name}" for name in names} | course
    assert archive.read("report/task2b_binary_train_loss.png") == archive.read("report/figures/2b-loss.png")
    assert archive.read("report/report.pdf") == service.reports.file(finished.id, "report.pdf")


def test_the_latex_source_is_well_formed(contents: Contents) -> None:
    names = r"Å. Öst & 100% <_^~\\{}$#", "Group|7"
    source = replace(contents, byline=", ".join(names)).file("report.tex").decode()
    # Commands with arguments that are written out, then whatever is escaped, leave text with balanced braces.
    bare = re.sub(r"\\(?:[a-zA-Z]+|.)", "", source.partition(r"\begin{document}")[2])
    depth = list(accumulate((letter == "{") - (letter == "}") for letter in bare))
    assert min(depth) == 0 == depth[-1]
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+\*?)\}", source):
        opened.append(name) if kind == "begin" else opened.remove(name)
    assert opened == [] and source.count(r"\begin{figure}") == len(contents.figures)
    assert bare.count("$") % 2 == 0 and not set(bare) & set("#%")
    assert all(ord(letter) < 0x180 for letter in source), "pdfLaTeX knows no other letters"
    for section in contents.sections:
        assert all(rf"\[ {formula.latex} \]" in source for formula in section.formulas)
        assert section.table is None or sum(section.table.column_widths()) == pytest.approx(1)
    rows = sum(len(section.table.rows) + 1 for section in contents.sections if section.table)
    assert len(re.findall(r" \\\\$", source, re.MULTILINE)) == rows


def test_the_head_has_title_and_authors(contents: Contents) -> None:
    options = ReportOptions(title="1 of $5 _or_ $6", authors=("A. Student", "B. <Student>"), group="Group 7")
    assert options.byline == "A. Student and B. <Student>, Group 7"
    headed = replace(contents, title=options.title, byline=options.byline)
    assert "B. &lt;Student&gt;, Group 7</p>" in headed.file("report.html").decode()
    escaped = "# 1 of \\$5 \\_or\\_ \\$6\n\nA. Student and B. \\<Student>, Group 7\n"
    assert headed.file("report.md").decode().startswith(escaped)
    assert "".join(json.loads(headed.file("report.ipynb"))["cells"][0]["source"]).startswith(escaped)
    assert headed.file("report.pdf").startswith(b"%PDF-")
    # A request without these has the fingerprint of versions that did not know them.
    assert set(ReportOptions().fingerprinted()) == {"dataset", "seed", "classes", "l2_penalties", "quick"}
    assert {"title", "authors", "group"} <= set(options.fingerprinted())


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_full_report_meets_the_known_numbers(service: Service, eventually: Eventually) -> None:
    """`tests/core/test_report_table.py` holds the numbers in every run."""
    report = service.reports.submit(ReportOptions())
    for _ in range(5):  # each waits for its own deadline; the machine may be busy
        try:
            eventually(lambda: service.reports.get(report.id).state.final)
            break
        except AssertionError:
            continue
    findings = service.reports.contents(report.id).findings
    assert isinstance(findings, Findings)
    rows = findings.comparison
    assert len(rows) == 19
    assert [row.quantity for row in rows if not row.agrees] == []
