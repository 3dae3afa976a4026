from __future__ import annotations

import pytest
from hypothesis import settings

from service.datasets import Dataset, load_dataset

settings.register_profile("fixed", derandomize=True, deadline=None)
settings.load_profile("fixed")


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    return load_dataset("mnist")
