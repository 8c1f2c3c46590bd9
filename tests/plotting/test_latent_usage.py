"""The Display of latent usage draws what the model reports."""

import types

import numpy as np
import pytest
from matplotlib.colors import same_color

from sklearn_sparsevae import plotting

KL = np.array([0.0, 2.5, 0.011, 0.009, 0.7])


def test_dimensions_are_drawn_from_the_most_used_in_two_colours():
    model = types.SimpleNamespace(kl_per_dim_=KL)
    display = plotting.LatentUsageDisplay.from_estimator(model)
    heights = [bar.get_height() for bar in display.bars_]
    np.testing.assert_array_equal(heights, [2.5, 0.7, 0.011, 0.009, 0.0])
    colors = [bar.get_facecolor() for bar in display.bars_]
    assert display.n_active == 3
    assert all(same_color(color, colors[0]) for color in colors[:3])
    assert all(same_color(color, colors[4]) for color in colors[3:])
    assert not same_color(colors[0], colors[4])
    assert "3 of 5 dimensions active" in display.ax_.get_title()
    np.testing.assert_array_equal(model.kl_per_dim_, [0.0, 2.5, 0.011, 0.009, 0.7])


@pytest.mark.parametrize(("threshold", "n_active"), [(0.0, 4), (1.0, 1), (9.0, 0)])
def test_the_threshold_decides_what_is_active(threshold, n_active):
    model = types.SimpleNamespace(kl_per_dim_=KL)
    display = plotting.LatentUsageDisplay.from_estimator(model, threshold=threshold)
    assert display.n_active == n_active


def test_plot_draws_again_where_asked(figures):
    display = plotting.LatentUsageDisplay(KL)
    _, ax = figures.subplots()
    assert display.plot(ax=ax).ax_ is ax
    assert display.figure_ is ax.figure
