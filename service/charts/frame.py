"""The frame of every chart: its size, its text and colours, and the first import of matplotlib."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, Required, TypeAlias, TypedDict, Unpack

from service.errors import InvalidField

from .provenance import Provenance, printable

if TYPE_CHECKING:
    from .sheet import Sheet

ImageFormat: TypeAlias = Literal["png", "svg", "pdf"]
MEDIA_TYPES: Mapping[str, str] = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}

# From the palette of Okabe and Ito, which remains distinct to colour-blind readers.
TRAINING = "#0072B2"
VALIDATION = "#D55E00"
CATEGORIES = TRAINING, VALIDATION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222"
INK = "#222222"

LARGEST_DRAWN = 1e30
"""Beyond it, squares and axis limits would overflow."""

MAX_MARKERS = 40
"""Of a line: with more points, none has a marker."""
_MAX_CHARACTERS = 400
_importing = Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartSize:
    """The size of a chart in pixels, and its resolution.

    Parameters
    ----------
    width_px : 320 to 3840.
    height_px : 240 to 2160.
    dpi : 50 to 600, and leaving at least 4 by 3 inches, or the text would not fit. The default makes the chart at
        least 8 by 5 inches, so that a larger one is the same picture with more pixels; a small one keeps its text
        legible (never below 72).

    Raises
    ------
    InvalidField : one of them is out of its range.
    """

    width_px: int = 960
    height_px: int = 600
    dpi: int | None = None

    def __post_init__(self) -> None:
        """Check all three ranges; that of ``dpi`` depends on the others."""
        check_whole("width_px", self.width_px, 320, 3840)
        check_whole("height_px", self.height_px, 240, 2160)
        check_whole("dpi", self.dots_per_inch, 50, min(600, self.width_px // 4, self.height_px // 3))

    @property
    def dots_per_inch(self) -> int:
        """The given ``dpi``, or the one that follows from the size."""
        return max(72, min(self.width_px // 8, self.height_px // 5)) if self.dpi is None else self.dpi


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """A picture before it is drawn.

    Parameters
    ----------
    made_of : everything that it depends on: equal parts give equal bytes, for caches and ETags.
    draw : returns the file.
    headers : to send with it.
    """

    made_of: tuple[Any, ...]
    draw: Callable[[], bytes]
    media_type: str = "image/png"
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, chart: Callable[..., bytes], *values: Any, **options: Any) -> Drawing:
        """Prepare what a function draws of these arguments."""
        media_type = MEDIA_TYPES[options.get("image_format", "png")]
        draw = partial(chart, *values, **options)
        return cls(made_of=(chart.__name__, values, options), draw=draw, media_type=media_type)


class Frame(TypedDict, total=False):
    """The parameters that all charts have in common.

    Parameters
    ----------
    title, caption : one line each, or two if they are long; what does not fit ends in "…".
    size : 960 by 600 pixels by default.
    image_format : ``png``, ``svg`` or ``pdf``, which is one page.
    also : further formats of the same picture. Their files are put here, drawn from one layout, which takes longer than
        to draw it.
    provenance : written into the file.
    """

    title: Required[str]
    caption: str
    size: ChartSize | None
    image_format: ImageFormat
    also: dict[ImageFormat, bytes] | None
    provenance: Required[Provenance]


def new_sheet(**frame: Unpack[Frame]) -> Sheet:
    """Make an empty sheet; the first one imports all of matplotlib that charts need, in about a second and 45 MB.

    Under a lock, because its modules import each other in circles: two threads that enter the circle at different
    places would each wait for the other, which Python resolves by giving one of them half a module.
    """
    with _importing:
        from .sheet import Sheet  # noqa: PLC0415
    return Sheet(**frame)


def fit_lines(text: str, fits: Callable[[str], bool], max_lines: int) -> list[str]:
    """Break ``text`` at spaces into at most ``max_lines`` lines; if there is more, the last ends in "…".

    Parameters
    ----------
    fits : whether a line is narrow enough; called seldom, because it may be slow.
    """
    rest = printable(text[:_MAX_CHARACTERS])
    lines: list[str] = []
    while rest and len(lines) < max_lines:
        if fits(rest):
            return [*lines, rest]
        is_last = len(lines) == max_lines - 1
        ending = "…" if is_last else ""
        # The shortest beginning that is too wide is one longer than the longest that fits.
        length = bisect_left(range(1, len(rest)), True, key=lambda n: not fits(rest[:n] + ending))
        if length == 0:
            break
        if not is_last and (space := rest.rfind(" ", 1, length + 1)) > 0:
            length = space
        lines.append(rest[:length].rstrip() + ending)
        rest = rest[length:].lstrip()
    return lines


def power_of_ten(value: float) -> str:
    """Write 0.001 to 1000 as they are, and other powers of ten as 10⁴."""
    exponent = round(math.log10(value))
    return f"{value:g}" if abs(exponent) <= 3 else "10" + superscript(exponent)


def superscript(number: int) -> str:
    """Write a whole number as an exponent: ⁻¹²."""
    return str(number).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def check_whole(field: str, value: int, smallest: int, largest: int) -> None:
    """Raise `InvalidField` unless a value is a whole number in a range."""
    if not isinstance(value, int) or not smallest <= value <= largest:
        allowed = f"a whole number from {smallest} to {largest}"
        raise InvalidField(f"{field} must be {allowed}.", field=field, allowed=allowed)
