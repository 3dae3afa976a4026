"""The database's own clock, for leases: several machines then agree about the time without agreeing on a clock."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Double, Engine, literal_column


def now_s(engine: Engine) -> ColumnElement[float]:
    """Return an expression for the seconds since 1970, with fractions."""
    if engine.dialect.name == "sqlite":
        return literal_column("((julianday('now') - 2440587.5) * 86400.0)", Double)
    return literal_column("extract(epoch FROM clock_timestamp())", Double)
