"""What the tests of all bottlenecks share."""

import pytest
import torch


@pytest.fixture(autouse=True)
def seeded():
    """What starts or is drawn at random is the same in every run."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        yield
