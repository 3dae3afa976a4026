"""Counting rules, and which images each step sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core import Schedule, TrainingConfig
from service.core.data import epoch_batches


def batches(config: TrainingConfig, n_images: int, first_step: int = 0) -> list[list[int]]:
    """The numbers of the images in each batch, from ``first_step`` to the end of its epoch."""
    images = np.arange(n_images)
    schedule = Schedule.of(config, n_images)
    return [images[batch].tolist() for batch in epoch_batches(config, schedule, first_step)]


class TestSchedule:
    @pytest.mark.parametrize(
        ("n_images", "changes", "batches_per_epoch", "check_interval"),
        [
            (20_000, {}, 156, 31),
            (20_000, {"drop_last": False}, 157, 31),
            (4005, {}, 31, 6),
            (4005, {"checks_per_epoch": 1}, 31, 31),
            (4005, {"checks_per_epoch": 31}, 31, 1),
            (4005, {"checks_per_epoch": 1000}, 31, 1),
            (256, {"drop_last": False}, 2, 1),
            (100, {}, 1, 1),
            (1, {"drop_last": True}, 1, 1),
            (7, {"batch_size": 3}, 2, 1),
            (7, {"batch_size": 3, "drop_last": False}, 3, 1),
        ],
    )
    def test_counts(self, n_images: int, changes: dict[str, Any], batches_per_epoch: int, check_interval: int) -> None:
        schedule = Schedule.of(TrainingConfig(**changes), n_images)
        assert (schedule.batches_per_epoch, schedule.check_interval) == (batches_per_epoch, check_interval)

    def test_checks_follow_multiples_of_the_interval_across_epochs(self) -> None:
        schedule = Schedule.of(TrainingConfig(), 4005)
        steps = [step for step in range(70) if schedule.is_check(step)]
        assert steps == [0, 6, 12, 18, 24, 30, 36, 42, 48, 54, 60, 66]
        assert [schedule.epoch_of(step) for step in (0, 30, 31, 61, 62, 1038)] == [0, 0, 1, 1, 2, 33]


class TestBatches:
    def test_in_the_given_order(self) -> None:
        config = TrainingConfig(batch_size=3, shuffle=False)
        assert batches(config, 7) == [[0, 1, 2], [3, 4, 5]]
        assert batches(config, 7, first_step=2) == [[0, 1, 2], [3, 4, 5]]

    def test_the_short_last_batch_is_kept_on_request(self) -> None:
        config = TrainingConfig(batch_size=3, shuffle=False, drop_last=False)
        assert batches(config, 7) == [[0, 1, 2], [3, 4, 5], [6]]

    @pytest.mark.parametrize("drop_last", [True, False])
    def test_a_batch_above_the_number_of_images_is_all_of_them(self, drop_last: bool) -> None:
        config = TrainingConfig(batch_size=128, shuffle=False, drop_last=drop_last)
        assert batches(config, 5) == [[0, 1, 2, 3, 4]]

    @given(
        n_images=st.integers(1, 300),
        batch_size=st.integers(1, 320),
        shuffle=st.booleans(),
        drop_last=st.booleans(),
        seed=st.integers(0, 2**32 - 1),
        epoch=st.integers(0, 9999),
        data=st.data(),
    )
    def test_an_epoch_is_a_pure_function_of_seed_and_epoch(
        self,
        n_images: int,
        batch_size: int,
        shuffle: bool,
        drop_last: bool,
        seed: int,
        epoch: int,
        data: st.DataObject,
    ) -> None:
        config = TrainingConfig(batch_size=batch_size, shuffle=shuffle, drop_last=drop_last, seed=seed)
        schedule = Schedule.of(config, n_images)
        first_step = epoch * schedule.batches_per_epoch
        whole = batches(config, n_images, first_step)

        seen = [image for batch in whole for image in batch]
        assert len(seen) == len(set(seen))
        assert n_images - len(seen) == (n_images % schedule.batch_size if drop_last else 0)
        assert all(len(batch) == schedule.batch_size for batch in whole[:-1])
        assert len(whole) == schedule.batches_per_epoch
        if not shuffle:
            assert seen == list(range(len(seen)))

        done = data.draw(st.integers(0, len(whole) - 1))
        assert batches(config, n_images, first_step + done) == whole[done:]

    def test_seeds_and_epochs_give_different_orders(self) -> None:
        orders = [
            batches(TrainingConfig(seed=seed, batch_size=50), 50, first_step=epoch)[0]
            for seed in range(4)
            for epoch in range(4)
        ]
        assert len({tuple(order) for order in orders}) == 16
        assert all(sorted(order) == list(range(50)) for order in orders)

    def test_the_order_of_a_seed_does_not_change_unnoticed(self) -> None:
        config = TrainingConfig(batch_size=4, seed=7)
        assert batches(config, 8, first_step=6) == [[3, 5, 0, 4], [2, 7, 1, 6]]
