"""Matrix products of a stack, one small product a member."""

from __future__ import annotations

import numpy as np

from .data import Floats

_SMALL_MULTIPLY_ADDS = 1_000_000
"""Below this OpenBLAS takes a kernel that does not first copy its operands into another order."""


def member_products(a: Floats, b: Floats) -> Floats:
    """Return ``a @ b``, made for each member by itself: the bits of one do not depend on who else is in the stack.

    A product is cut into pieces of its columns that are small enough for a kernel which skips packing. For a batch
    of 128 images and ten classes these are two halves, which take 0.35 (forward) and 0.6 times (backward) as long.

    Parameters
    ----------
    a : (n_members, n_rows, n_inner); b : (n_inner, n_columns).

    Returns
    -------
    (n_members, n_rows, n_columns)
    """
    n_members, n_rows, n_inner = a.shape
    n_columns = b.shape[1]
    product = np.empty((n_members, n_rows, n_columns), a.dtype)
    n_pieces = -(-n_rows * n_inner * n_columns // _SMALL_MULTIPLY_ADDS)
    for piece in range(n_pieces):
        columns = slice(piece * n_columns // n_pieces, (piece + 1) * n_columns // n_pieces)
        np.matmul(a, b[:, columns], out=product[:, :, columns])
    return product
