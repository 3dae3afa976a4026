"""A report as a self-contained HTML page, without scripts or outside resources, and as a PDF with searchable text.

Imported on first use, because fpdf takes long to import.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from fpdf import FPDF
from fpdf.enums import Align, MethodReturnValue, TableCellFillMode, XPos, YPos
from fpdf.fonts import FontFace
from fpdf.image_datastructures import RasterImageInfo
from fpdf.util import Padding
from latex2mathml.converter import convert
from markupsafe import Markup
from PIL import Image

from service.charts import png_chunks

from .contents import Contents
from .figures import Figure
from .text import TEXTS, Formula, Section, Table, template
from .wording import unbroken

_INK, _FAINT, _BLUE, _ORANGE = (34, 34, 34), (95, 99, 104), (0, 114, 178), (213, 94, 0)
_MARGIN_MM, _TEXT_PT, _SMALL_PT, _LINE = 22.0, 10.0, 8.0, 1.45
_PT_MM = 25.4 / 72
_FIGURE_MM, _WIDE_MM = 120.0, 166.0
_FORMULA_DPI = 600
_HEADING_MM, _FORMULA_MM, _ANSWER_TOGETHER_MM = 13.0, 12.0, 40.0
_LINES_TOGETHER, _TABLE_PT, _PADDING_MM, _ROW_MM, _ROWS_TOGETHER = 8, 7.0, 0.8, 6.0, 4
_PROVENANCE_PT, _AROUND_CAPTION_MM, _SMALLEST_SCALE = 6.0, 3.0, 0.6
"""A figure is made smaller, down to this, where that saves a page that would be left part empty."""


_SYMBOLS = {
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{each: f"\\{each}" for each in "&%$#_{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\N{NO-BREAK SPACE}": "~"},
    **{"−": "$-$", "×": r"$\times$", "±": r"$\pm$", "λ": r"$\lambda$", "‖": r"$\Vert$", "ŷ": r"$\hat{y}$"},
    **{superscript: f"$^{{{sign}}}$" for superscript, sign in zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789", strict=True)},
}
_IN_A_LONG_NAME = re.compile(r"(?<![\\\w])(?=\w{24})\w{8}|(?<=\w{8})\w{8}(?=\w)", re.ASCII)
"""Where the name of a job or a SHA-256 may be broken, every 8 letters."""
_LATEX = TEXTS.overlay(
    block_start_string="<%",
    block_end_string="%>",
    variable_start_string="<<",
    variable_end_string=">>",
    comment_start_string="<#",
    comment_end_string="#>",
)
TEXTS.filters["tex"] = lambda text: _IN_A_LONG_NAME.sub(
    r"\g<0>\\allowbreak{}", "".join(_SYMBOLS.get(letter, letter) for letter in text)
)
TEXTS.filters["mathml"] = lambda formula: Markup(convert(formula.latex, display="block"))  # noqa: S704 - it is ours
_STYLE = template("report.css")
_PAGE = TEXTS.overlay(autoescape=True).get_template("report.html")
_MARKDOWN = TEXTS.get_template("report.md")
_SOURCE = _LATEX.get_template("report.tex")

CONTENT_SECURITY_POLICY = {
    "default-src": "'none'",
    "style-src": f"'sha256-{b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'",
    "img-src": "data:",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
"""The policy of the page: its one style sheet and its pictures, nothing else."""


def render_page(contents: Contents, pictures: dict[str, bytes]) -> bytes:
    """Return the page as UTF-8; ``pictures`` has each figure as SVG, by its name."""
    sources = {name: f"data:image/svg+xml;base64,{b64encode(svg).decode()}" for name, svg in pictures.items()}
    return _PAGE.render(contents=contents, pictures=sources, style=Markup(_STYLE)).encode()  # noqa: S704 - it is ours


def render_markdown(contents: Contents) -> bytes:
    """Return the report as Markdown as UTF-8, with its formulas as LaTeX and its figures in a folder beside it."""
    return _MARKDOWN.render(contents=contents).encode()


def render_latex(contents: Contents) -> bytes:
    """Return the report as LaTeX as UTF-8, for pdfLaTeX, with its figures in a folder beside it."""
    return _SOURCE.render(contents=contents).encode()


class _Pages(FPDF):
    """A4 pages with a number at their foot, and the notice of a quick report on each."""

    def __init__(self, notice: str) -> None:
        from matplotlib import get_data_path  # noqa: PLC0415 - the figures have loaded it, under a lock

        fonts = Path(get_data_path()) / "fonts" / "ttf"
        super().__init__(format="A4")
        self._notice = notice
        self.n_figures = 0
        for style, file in (("", "DejaVuSerif"), ("B", "DejaVuSerif-Bold"), ("I", "DejaVuSerif-Italic")):
            self.add_font("serif", style, fonts / f"{file}.ttf")
        self._broken: dict[tuple[str, str, float], list[str]] = {}
        self.set_margins(_MARGIN_MM, _MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=_MARGIN_MM)

    def footer(self) -> None:
        self.set_y(-15)
        self.ink(_TABLE_PT, colour=_ORANGE if self._notice else _FAINT)  # the notice fits between the margins
        self.cell(0, 5, f"{self._notice}  {self.page_no()}".strip(), align="C")

    def ink(self, size_pt: float, style: str = "", colour: tuple[int, int, int] = _INK) -> None:
        """Choose the font of the next text."""
        self.set_font("serif", style, size_pt)
        self.set_text_color(*colour)

    def keep(self, name: str, png: bytes) -> str | Image.Image:
        """Return the argument of `image` for a picture.

        A PDF compresses pixels as a PNG does, so those of an ordinary one are copied into fpdf's private cache of
        pictures: compressing each again, without the filters of PNG, takes 85 ms and makes it half as large again.
        """
        picture = Image.open(BytesIO(png))
        if picture.mode != "RGB" or picture.info.get("interlace"):
            return picture
        packed = b"".join(png[start + 8 : end - 4] for kind, start, end in png_chunks(png) if kind == b"IDAT")
        self.image_cache.images[name] = RasterImageInfo(
            data=packed,
            w=picture.width,
            h=picture.height,
            cs="DeviceRGB",
            bpc=8,
            dpn=3,
            dp=f"/Predictor 15 /Colors 3 /Columns {picture.width}",
            f="FlateDecode",
            i=len(self.image_cache.images) + 1,
            usages=0,
            iccp=None,
            iccp_i=None,
        )
        return name

    def height_mm(self, text: str, size_pt: float) -> float:
        """Return the height of a paragraph over the whole width in this size."""
        self.set_font("serif", "", size_pt)
        return size_pt * _LINE * _PT_MM * len(self._lines(text))

    def _lines(self, text: str) -> list[str]:
        """Return the lines of a paragraph in the chosen font, broken once: that takes longer than to write them."""
        key = text, self.font_style, self.font_size_pt
        if key not in self._broken:
            lines: Any = self.multi_cell(
                0, text=unbroken(text), align="L", dry_run=True, output=MethodReturnValue.LINES
            )
            self._broken[key] = lines
        return self._broken[key]

    def table_start_mm(self, table: Table) -> float:
        """Return the height of a table's caption, its head and the first rows."""
        return self.height_mm(table.caption, _SMALL_PT) + _ROW_MM * (2 + min(len(table.rows), _ROWS_TOGETHER))

    def row_mm(self, cells: Sequence[str], table: Table) -> float:
        """Return the height of a row of a table."""
        self.ink(_TABLE_PT, "B" if cells is table.head else "")
        heights: list[Any] = [
            self.multi_cell(
                self.epw * width,
                _TABLE_PT * _LINE * _PT_MM,
                unbroken(cell),
                align="L",
                padding=Padding.new(_PADDING_MM),
                dry_run=True,
                output=MethodReturnValue.HEIGHT,
            )
            for cell, width in zip(cells, table.column_widths(), strict=True)
            if cell
        ]
        return float(max(heights))

    def paragraph(self, text: str, *, after_mm: float = 2.0) -> None:
        """Write text in the chosen font, and move below it."""
        height = self.font_size_pt * _LINE * _PT_MM
        lines = self._lines(text)
        # One of a few lines stays whole, so that no line of it is alone on a page.
        if len(lines) <= _LINES_TOGETHER and self.will_page_break(height * len(lines)):
            self.add_page()
        for line in lines:
            self.cell(0, height, line, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(after_mm)


def render_document(contents: Contents, pictures: Mapping[str, bytes]) -> bytes:
    """Return the document; ``pictures`` has each figure as PNG, by its name."""
    pages = _Pages(contents.notice)
    pages.set_title(contents.title)
    pages.set_creation_date(contents.ended_at)  # the same report has the same bytes
    pages.set_creator(f"Inkling {contents.findings.inkling}")
    pages.set_lang("en")
    pages.add_page()
    pages.ink(20, "B")
    pages.paragraph(contents.title)
    if contents.byline:
        pages.ink(12)
        pages.paragraph(contents.byline)
        pages.set_author(contents.byline)
    pages.ink(_SMALL_PT, colour=_FAINT)
    pages.paragraph(contents.subtitle)
    if contents.notice:
        pages.ink(_TEXT_PT, "B", _ORANGE)
        pages.paragraph(contents.notice)
    for section in contents.sections:
        _write_section(pages, section, pictures)
    return bytes(pages.output())


def _write_section(pages: _Pages, section: Section, pictures: Mapping[str, bytes]) -> None:
    # A heading stays with the beginning of its answer, and without figures with that of its table.
    answer_mm = sum(pages.height_mm(sentence, _TEXT_PT) + 2 for sentence in section.sentences)
    needed_mm = _HEADING_MM + _FORMULA_MM * len(section.formulas) + min(answer_mm, _ANSWER_TOGETHER_MM)
    if section.table and not section.figures:
        needed_mm += pages.table_start_mm(section.table)
    if pages.will_page_break(needed_mm):
        pages.add_page()
    pages.ln(4)
    pages.ink(13, "B", _BLUE)
    pages.start_section(f"{section.number} {section.title}")
    pages.paragraph(f"{section.number}  {section.title}")
    for formula in section.formulas:
        picture = typeset(formula)
        pages.image(picture, x=pages.l_margin + 8, w=picture.width * 25.4 / _FORMULA_DPI, alt_text=formula.text)
        pages.ln(2)
    if section.formulas:
        pages.ln(2)
    for sentence in section.sentences:
        pages.ink(_TEXT_PT)
        pages.paragraph(sentence)
    for figure in section.figures:
        _place_figure(pages, figure, pictures[figure.name])
    if section.table:
        _write_table(pages, section.table)


@lru_cache(64)
def typeset(formula: Formula) -> Image.Image:
    """Return a formula as dark pixels on white."""
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415 - the figures have loaded it, under a lock
    from matplotlib.mathtext import MathTextParser  # noqa: PLC0415

    # Not through a figure's text: charts show a $ in a name as it is, so their settings do not read formulas.
    font = FontProperties(size=_TEXT_PT, math_fontfamily="dejavuserif")
    parsed = MathTextParser("agg").parse(f"${formula.latex}$", dpi=_FORMULA_DPI, prop=font)
    return Image.fromarray(255 - np.asarray(parsed.image))


def _height_mm(png: bytes) -> float:
    width, height = Image.open(BytesIO(png)).size
    widest_mm = _WIDE_MM if width > 3 * height else _FIGURE_MM
    return min(widest_mm, width / 4) * height / width


def _place_figure(pages: _Pages, figure: Figure, png: bytes) -> None:
    """Place a picture with its caption on the page, or on the next if there is no room for both."""
    height_mm = _height_mm(png)
    pages.n_figures += 1
    caption = f"Figure {pages.n_figures}. {figure.caption}"
    lines_mm = pages.height_mm(caption, _SMALL_PT) + pages.height_mm(figure.provenance, _PROVENANCE_PT)
    room_mm = pages.page_break_trigger - pages.y - lines_mm - _AROUND_CAPTION_MM
    if room_mm < _SMALLEST_SCALE * height_mm:
        pages.add_page()
    else:
        height_mm = min(height_mm, room_mm)
    pages.image(pages.keep(figure.name, png), x=Align.C, h=height_mm, alt_text=figure.caption)
    pages.ln(2)
    pages.ink(_SMALL_PT)
    pages.paragraph(caption, after_mm=0.5)
    pages.ink(_PROVENANCE_PT, colour=_FAINT)
    pages.paragraph(figure.provenance, after_mm=4)


def _write_table(pages: _Pages, table: Table) -> None:
    if pages.will_page_break(pages.table_start_mm(table)):
        pages.add_page()
    pages.ink(_SMALL_PT)
    pages.paragraph(table.caption)
    align = tuple("LEFT" if place < table.n_words else "RIGHT" for place in range(len(table.head)))
    head_mm, *rows = [pages.row_mm(cells, table) for cells in (table.head, *table.rows)]
    y, n_on_page = pages.y + head_mm, 0
    for height_mm in rows:
        if y + height_mm > pages.page_break_trigger:
            y, n_on_page = pages.t_margin + head_mm, 0
        y, n_on_page = y + height_mm, n_on_page + 1
    # The last row is not left alone on a page: the one before goes with it, in a table with a head of its own.
    parts = [table.rows[:-2], table.rows[-2:]] if n_on_page == 1 and len(rows) > 2 else [table.rows]
    pages.ink(_TABLE_PT)
    for place, part in enumerate(parts):
        if place:
            pages.add_page()
        with pages.table(
            col_widths=tuple(table.column_widths()),
            text_align=align,
            borders_layout="HORIZONTAL_LINES",
            headings_style=FontFace(emphasis="BOLD"),
            cell_fill_mode=TableCellFillMode.NONE,
            line_height=_TABLE_PT * _LINE * _PT_MM,
            padding=_PADDING_MM,
        ) as made:
            for cells in (table.head, *part):
                made.row([unbroken(cell) for cell in cells])
    pages.ln(3)
