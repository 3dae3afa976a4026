"""A training state as bytes: what a job goes on from after its worker or engine is gone."""

from __future__ import annotations

from dataclasses import astuple, fields
from math import inf

import numpy as np

from service.core import N_FEATURES, Check, EarlyStopping, Floats, TrainingConfig, TrainingState
from service.core.npz import ArraySpec, read_npz, write_npz
from service.errors import Corrupted


def encode_checkpoint(state: TrainingState) -> bytes:
    """Return a state as the bytes of an ``.npz`` file.

    The lowest loss is not stored: it is that of the best check.
    """
    return write_npz(
        {
            "last": state.last,
            "best": state.best,
            "pending_losses": state.pending_losses,
            "last_check": _check_to_array(state.last_check),
            "best_check": _check_to_array(state.best_check),
            "counters": np.array([state.next_step, state.stopping.checks_without_improvement], dtype=np.int64),
        }
    )


def decode_checkpoint(data: bytes, config: TrainingConfig) -> TrainingState:
    """Read a state back, to the bit.

    Raises
    ------
    Corrupted
        The bytes are not a whole checkpoint of such a run.
    """
    weights = ArraySpec(shape=(N_FEATURES, config.n_outputs), dtypes=(config.dtype,))
    series = ArraySpec(shape=(None,), dtypes=("float64",))
    arrays = read_npz(
        data,
        {
            "last": weights,
            "best": weights,
            "pending_losses": series,
            "last_check": series,
            "best_check": series,
            "counters": ArraySpec(shape=(2,), dtypes=("int64",)),
        },
    )
    best_check = _check_from_array(arrays["best_check"])
    next_step, checks_without_improvement = arrays["counters"].tolist()
    if min(next_step, checks_without_improvement) < 0:
        raise Corrupted("A counter of the checkpoint is negative.")
    return TrainingState(
        next_step=next_step,
        last=arrays["last"],
        best=arrays["best"],
        stopping=EarlyStopping(
            patience=config.patience,
            lowest_loss=best_check.validation_loss if best_check else inf,
            checks_without_improvement=checks_without_improvement,
        ),
        best_check=best_check,
        last_check=_check_from_array(arrays["last_check"]),
        pending_losses=arrays["pending_losses"],
    )


def _check_to_array(check: Check | None) -> Floats:
    return np.array(astuple(check) if check else (), dtype=np.float64)


def _check_from_array(values: Floats) -> Check | None:
    if not len(values):
        return None
    if len(values) != len(fields(Check)):
        raise Corrupted("A check of the checkpoint has too few or too many values.")
    named = dict(zip((field.name for field in fields(Check)), values.tolist(), strict=True))
    return Check(**{**named, "epoch": int(named["epoch"]), "step": int(named["step"])})
