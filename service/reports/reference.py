"""What others found with these runs: the course report that this one follows, and the reference table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .options import ReportOptions
from .run_numbers import RunNumbers

SEED_REPORT, TABLE = "seed report", "reference table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One number of this report beside one that was published.

    Attributes
    ----------
    ours, low, high : this run's, and the range within which the other lies; both ends are the same if it is exact.
    difference : how far ours is outside of the range, 0 within it.
    agrees : whether that is within the tolerance.
    note : why it does not, where the runs themselves say so.
    """

    quantity: str
    source: str
    ours: float
    low: float
    high: float
    difference: float
    agrees: bool
    note: str = ""


def compare(
    options: ReportOptions, in_order: RunNumbers, shuffled: RunNumbers, softmax: Sequence[RunNumbers]
) -> list[Comparison]:
    """Set the numbers of a report beside the published ones, as far as it asks the same questions."""
    rows: list[Comparison] = []

    def row(
        quantity: str,
        ours: float,
        low: float,
        high: float | None = None,
        *,
        source: str = TABLE,
        tolerance: float,
        note: str = "",
    ) -> None:
        high = low if high is None else high
        difference = ours - min(max(ours, low), high)
        agrees = abs(difference) <= tolerance
        rows.append(
            Comparison(
                quantity=quantity,
                source=source,
                ours=ours,
                low=low,
                high=high,
                difference=difference,
                agrees=agrees,
                note="" if agrees else note,
            )
        )

    if options.dataset == "mnist" and options.classes == (2, 3):
        last = in_order.last
        row("training images of 2 and 3", in_order.n_train, 4005, tolerance=0)
        row("validation images of 2 and 3", in_order.n_validation, 2042, tolerance=0)
        row("early stopping, epoch counted from 0", last.epoch, 33, source=SEED_REPORT, tolerance=0)
        row("early stopping, epoch counted from 1", last.epoch + 1, 34, source=SEED_REPORT, tolerance=0)
        row("validation loss there", last.validation_loss, 0.0658, source=SEED_REPORT, tolerance=5e-5)
        row("step of early stopping", last.step, 1038, tolerance=0)
        row("validation loss there", last.validation_loss, 0.06577, tolerance=5e-6)
        row("lowest validation loss", in_order.best.validation_loss, 0.06569, tolerance=5e-6)
        row("validation accuracy there", last.validation_accuracy, 0.97943, tolerance=5e-6)
        row("training accuracy there", last.train_accuracy, 0.97578, tolerance=5e-6)
        earlier = "stops earlier than in file order, as published" if shuffled.last.step < last.step else "stops later"
        note = f"{earlier}; the epoch depends on the seed"
        row("epoch of early stopping if shuffled", shuffled.last.epoch, 11, 26, tolerance=0, note=note)
    if options.dataset == "mnist":
        plain = softmax[0].last
        row("softmax: validation loss", plain.validation_loss, 0.298, 0.301, tolerance=0)
        row("softmax: validation accuracy", plain.validation_accuracy, 0.914, 0.918, tolerance=0)
        row("softmax: training accuracy", plain.train_accuracy, 0.922, 0.925, tolerance=0)
        row("softmax: norm", softmax[0].norm, 4.89, tolerance=0.01 * 4.89)
        for run in softmax:
            if run.l2_penalty not in _NORMS:
                continue
            published, stop_epoch = _NORMS[run.l2_penalty]
            ours = f"stopped in epoch {run.last.epoch}" if run.stopped_early else "made all its epochs"
            theirs = f"stopped after about {stop_epoch}" if stop_epoch else "made all its epochs"
            row(
                f"norm at λ = {run.l2_penalty:g}",
                run.norm,
                published,
                tolerance=0.01 * published,
                note=f"this run {ours}, the published one {theirs}",
            )
    return rows


_NORMS = {1.0: (0.602, 3), 0.1: (1.655, 12), 0.01: (3.268, 39), 0.001: (4.621, None)}
"""By penalty: the norm, and the epoch in which early stopping ended the run, if it did."""
