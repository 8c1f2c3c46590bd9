"""Draw off screen, and close what a test has drawn."""

import matplotlib
import pytest


@pytest.fixture(autouse=True)
def figures():
    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")
