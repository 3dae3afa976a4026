"""Training losses as bytes: to the bit, and those of earlier versions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.core import count_losses, pack_losses, unpack_losses

WHOLE = np.finfo(np.float64).max


@given(
    st.lists(st.floats(0, 1e300) | st.floats(0, width=32, allow_infinity=False) | st.just(float("inf")), max_size=50),
    st.integers(0, 50),
    st.integers(0, 50),
)
def test_losses_are_kept_to_the_bit(losses: list[float], start: int, length: int) -> None:
    """Infinity alone is not: JSON has no room for it."""
    packed, places = pack_losses(np.array(losses, dtype=np.float64)), slice(start, start + length)
    expected = [min(loss, WHOLE) for loss in losses]
    assert unpack_losses(packed).tolist() == expected and unpack_losses(packed, places).tolist() == expected[places]
    assert count_losses(len(packed)) == len(losses)
    assert len(packed) == 4 * len(losses) or (packed[0] == 2 and len(packed) == 1 + 8 * len(losses))


@given(st.lists(st.floats(0, width=32, allow_infinity=False), max_size=50))
def test_losses_of_earlier_versions_are_read_and_written_as_they_were(losses: list[float]) -> None:
    before = np.array(losses, dtype="<f4").tobytes()
    assert unpack_losses(before).tolist() == losses and count_losses(len(before)) == len(losses)
    assert pack_losses(unpack_losses(before)) == before
