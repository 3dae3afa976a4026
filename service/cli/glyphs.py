"""Digits large enough to see from the other side of the room."""

from __future__ import annotations

_ROWS = """\
.###. ..#.. .###. .###. ...#. ##### .###. ##### .###. .###.
#...# .##.. #...# #...# ..##. #.... #...# ....# #...# #...#
#...# ..#.. ....# ....# .#.#. #.... #.... ...#. #...# #...#
#...# ..#.. ..##. ..##. #..#. ####. ####. ..#.. .###. .####
#...# ..#.. .#... ....# ##### ....# #...# ..#.. #...# ....#
#...# ..#.. #.... #...# ...#. #...# #...# .#... #...# #...#
.###. .###. ##### .###. ...#. .###. .###. .#... .###. .###."""


def glyph(digit: int) -> list[str]:
    """Return a digit as 7 lines of 10 characters."""
    return [row.split()[digit].replace("#", "██").replace(".", "  ") for row in _ROWS.splitlines()]
