"""Numbers as a person says them."""

from __future__ import annotations


def duration_text(seconds: float) -> str:
    """Return the units that matter: ``0.8 s``, ``42 s``, ``3 min 20 s``, ``1 h 05 min``, ``12 days``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours == 0:
        return f"{minutes} min {rest:02d} s"
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} days"


def percent(fraction: float) -> str:
    """Return an accuracy or a probability: ``91.53 %``."""
    return f"{100 * fraction:.2f} %"


def loss_text(loss: float) -> str:
    """Return a loss to four decimals, or, of a run that diverges, its order of magnitude: ``1.59e+12``."""
    return f"{loss:.4f}" if loss < 1000 else f"{loss:.3g}"
