"""Text of any length and content made to fit the line that there is for it."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

_MAX_CHARACTERS = 400
_ELLIPSIS = "…"


def printable(text: str) -> str:
    """Return ``text`` on one line, with a sign in place of what cannot be printed, encoded or put in XML."""
    one_line = " ".join(text.split())
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in one_line)


def fit_lines(text: str, fits: Callable[[str], bool], max_lines: int) -> list[str]:
    """Break ``text`` at spaces into at most ``max_lines`` lines; if there is more, the last ends in "…".

    Parameters
    ----------
    fits : tells whether a line is narrow enough; asked seldom, because it may be slow.
    """
    rest = printable(text[:_MAX_CHARACTERS])
    lines: list[str] = []
    while rest and len(lines) < max_lines:
        if fits(rest):
            return [*lines, rest]
        is_last = len(lines) == max_lines - 1
        ending = _ELLIPSIS if is_last else ""
        # The shortest beginning that is too wide is one longer than the longest that fits.
        lengths = range(1, len(rest))
        length = bisect_left(lengths, True, key=lambda n: not fits(rest[:n] + ending))
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
    if abs(exponent) <= 3:
        return f"{value:g}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
