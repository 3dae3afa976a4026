"""Parameters as bytes: a training state to go on from, and the snapshots of a run to look back at."""

from dataclasses import astuple, fields
from math import inf

import numpy as np

from service.core import Check, EarlyStopping, Floats, Layout, TrainingConfig, TrainingState
from service.core.npz import ArraySpec, read_npz, write_npz
from service.errors import Corrupted

FORMAT = 2
"""Of checkpoints. Format 1 has one matrix in ``last`` and ``best`` and no ``format`` in it."""

_SERIES = ArraySpec((None,), "float64")


def encode_checkpoint(state: TrainingState) -> bytes:
    """Return a state as the bytes of an ``.npz`` file.

    The lowest loss is not stored: it is that of the best check.
    """
    return write_npz(
        {
            "format": np.array(FORMAT, np.int64),
            "last": state.last,
            "best": state.best,
            "optimizer": state.optimizer,
            "pending_losses": state.pending_losses,
            "last_check": _check_to_array(state.last_check),
            "best_check": _check_to_array(state.best_check),
            "counters": np.array([state.next_step, state.stopping.checks_without_improvement], dtype=np.int64),
        }
    )


def decode_checkpoint(data: bytes, config: TrainingConfig) -> TrainingState:
    """Read a state of any format back, to the bit; raise `Corrupted` unless it is whole and of such a run."""
    layout = config.build_model().layout
    expected = {
        "pending_losses": _SERIES,
        "last_check": _SERIES,
        "best_check": _SERIES,
        "counters": ArraySpec((2,), "int64"),
    }
    if _is_first_format(data):
        arrays = read_npz(data, {**expected, **dict.fromkeys(("last", "best"), ArraySpec((None, None), config.dtype))})
        if any(arrays[name].size != layout.size for name in ("last", "best")):
            raise Corrupted("The weights of the checkpoint are not those of such a run.")
        rows = {name: layout.from_stored(arrays[name].ravel()) for name in ("last", "best")}
        optimizer = np.empty((0, layout.size), config.dtype)
    else:
        row = ArraySpec((layout.size,), config.dtype)
        optimizers = ArraySpec((None, layout.size), config.dtype)
        number = ArraySpec((), "int64")
        arrays = read_npz(data, {**expected, "last": row, "best": row, "optimizer": optimizers, "format": number})
        if arrays["format"] != FORMAT:
            raise Corrupted("The checkpoint was written by a later version of Inkling.")
        rows, optimizer = arrays, arrays["optimizer"]
    best_check = _check_from_array(arrays["best_check"])
    next_step, checks_without_improvement = arrays["counters"].tolist()
    if min(next_step, checks_without_improvement) < 0:
        raise Corrupted("A counter of the checkpoint is negative.")
    return TrainingState(
        next_step=next_step,
        last=rows["last"],
        best=rows["best"],
        optimizer=optimizer,
        stopping=EarlyStopping(
            patience=config.patience,
            lowest_loss=best_check.validation_loss if best_check else inf,
            checks_without_improvement=checks_without_improvement,
        ),
        best_check=best_check,
        last_check=_check_from_array(arrays["last_check"]),
        pending_losses=arrays["pending_losses"],
    )


def decode_pending_losses(data: bytes) -> tuple[Check | None, Floats]:
    """Return the last check and the losses since, without reading weights; raise `Corrupted` if damaged."""
    others = {"best_check", "counters", "last", "best"}
    others |= set() if _is_first_format(data) else {"optimizer", "format"}
    arrays = read_npz(data, {"pending_losses": _SERIES, "last_check": _SERIES}, others=others)
    return _check_from_array(arrays["last_check"]), arrays["pending_losses"]


def _is_first_format(data: bytes) -> bool:
    return b"format.npy" not in data


def snapshot_stride(n_checks: int, max_snapshots: int) -> int:
    """Return every how many checks a snapshot is kept: the smallest power of two that keeps ``max_snapshots`` at most.

    With each power the snapshots are half of those before, so that a run in progress only has to drop some.
    """
    return 1 << max(0, -(-n_checks // max_snapshots) - 1).bit_length()


def pack_snapshot(layout: Layout, row: Floats) -> bytes:
    """Return parameters as little-endian float32, in the order of files."""
    return layout.to_stored(row).astype("<f4").tobytes()


def unpack_snapshot(layout: Layout, data: bytes) -> Floats:
    """Read back what `pack_snapshot` wrote, (n_parameters,) float32."""
    return layout.from_stored(np.frombuffer(data, dtype="<f4").astype(np.float32))


def _check_to_array(check: Check | None) -> Floats:
    return np.array(astuple(check) if check else (), dtype=np.float64)


def _check_from_array(values: Floats) -> Check | None:
    if not len(values):
        return None
    if len(values) != len(fields(Check)):
        raise Corrupted("A check of the checkpoint has too few or too many values.")
    named = dict(zip((field.name for field in fields(Check)), values.tolist(), strict=True))
    return Check(**{**named, "epoch": int(named["epoch"]), "step": int(named["step"])})
