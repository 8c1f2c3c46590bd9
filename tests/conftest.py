"""What every test shares: hypothesis runs that are short and the same everywhere."""

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile(
    "default", deadline=None, max_examples=40, derandomize=True, database=None
)
settings.load_profile("default")


@pytest.fixture
def rng():
    return np.random.default_rng(0)
