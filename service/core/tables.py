"""Tables as CSV, for programs and spreadsheets."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(names: Sequence[str], rows: Iterable[Mapping[str, Any]], *, header: bool = True) -> str:
    """Return rows as CSV (RFC 4180, but lines end in ``\\n``) below a line of the names; other fields are left out.

    Text that a spreadsheet would run as a formula, such as the name of a file of others, gets an apostrophe before it.
    Source: OWASP, CSV injection.
    """
    text = StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writerow({name: _cell(name) for name in names})
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def weights_csv(outputs: Sequence[str], matrix: Sequence[Sequence[Any]]) -> str:
    """Return a matrix as CSV: a line for each input, the last one being the bias, with a column for each output."""
    inputs = [*range(len(matrix) - 1), "bias"]
    lines = (",".join(map(str, (name, *row))) for name, row in zip(inputs, matrix, strict=True))
    return csv_text(("input", *outputs), ()) + "".join(f"{line}\n" for line in lines)


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
