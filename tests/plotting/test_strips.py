"""Strips show what traversal and interpolation return, in order."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_sparsevae.plotting import TraversalDisplay


class Fake:
    """An estimator whose images say which image, component and value they show."""

    def traverse(self, X, components, values, sites=None, condition=None):
        self.condition = condition
        shade = np.add.outer(np.add.outer(X[:, 0, 0], components), values)
        if sites is not None:
            shade = shade / 2
        return np.broadcast_to(shade[..., None, None], (*shade.shape, 3, 4))

    def interpolate(self, A, B, n_steps=8, condition=None):
        self.condition = condition
        weights = np.linspace(0, 1, n_steps)[:, None, None]
        return (1 - weights) * A[:, None] + weights * B[:, None]


def shown(display):
    """Grey value of every picture that is drawn."""
    corners = [ax.get_images()[0].get_array()[0, 0] for ax in display.axes_.flat]
    return np.reshape(corners, display.axes_.shape)


X = np.full((2, 3, 4), [[[0.0]], [[0.5]]])


def test_a_row_for_each_image_and_component_and_a_column_for_each_value():
    values = [0.0, 0.1, 0.2, 0.25]
    display = TraversalDisplay.from_estimator(Fake(), X, [0, 0.125], values)
    expected = np.add.outer([0, 0.125, 0.5, 0.625], values)
    np.testing.assert_allclose(shown(display), expected)
    names = [ax.get_ylabel() for ax in display.axes_[:, 0]]
    assert names == ["component 0", "component 0.125"] * 2
    titles = [ax.get_title() for ax in display.axes_[0]]
    assert titles == ["0", "0.1", "0.2", "0.25"]


def test_sites_are_handed_on():
    display = TraversalDisplay.from_estimator(
        Fake(), X, [0], [0.0, 1.0], sites=[(0, 0)]
    )
    np.testing.assert_allclose(shown(display), [[0, 0.5], [0.25, 0.75]])


def test_a_condition_is_handed_on():
    model = Fake()
    TraversalDisplay.from_estimator(model, X, [0], [0.0], condition=[1, 2])
    assert model.condition == [1, 2]
    TraversalDisplay.from_interpolation(model, X, X, condition=[3, 4])
    assert model.condition == [3, 4]


def test_strips_are_drawn_in_the_range_of_the_model():
    model = Fake()
    model.value_range_ = (-1.0, 1.0)
    display = TraversalDisplay.from_estimator(model, X, [0, 0.125], [0.0, 0.25])
    expected = np.add.outer([0, 0.125, 0.5, 0.625], [0.0, 0.25])
    np.testing.assert_allclose(shown(display), (expected + 1) / 2)
    display = TraversalDisplay.from_interpolation(model, X, X[::-1], n_steps=2)
    np.testing.assert_allclose(shown(display), [[0.5, 0.75], [0.75, 0.5]])


def test_vectors_have_no_strips():
    model = Fake()
    model.layout_ = SimpleNamespace(kind="vector")
    with pytest.raises(ValueError, match="vectors: no images to show"):
        TraversalDisplay.from_estimator(model, X, [0], [0.0])
    with pytest.raises(TypeError, match="no interpolate"):
        TraversalDisplay.from_interpolation(object(), X, X)


def test_ways_run_from_left_to_right(figures):
    _, axes = figures.subplots(2, 3)
    display = TraversalDisplay.from_interpolation(
        Fake(), X, X[::-1], n_steps=3, ax=axes
    )
    np.testing.assert_allclose(shown(display), [[0, 0.25, 0.5], [0.5, 0.25, 0]])
    assert_array_equal(display.axes_, axes)
    assert display.figure_ is axes[0, 0].figure
    assert [ax.get_title() for ax in axes[0]] == ["0.00", "0.50", "1.00"]


def test_strips_must_be_equally_long():
    with pytest.raises(ValueError, match=r"Got strips of \[1, 2\] images"):
        TraversalDisplay.from_images([X, X[:1]])
    with pytest.raises(ValueError, match=r"Got strips of \[\] images"):
        TraversalDisplay.from_images([])


@pytest.mark.parametrize("name", ["row_names", "column_names"])
def test_every_strip_and_column_has_a_name_or_none(name):
    with pytest.raises(ValueError, match=f"Got {name}=.*; expected a list of 2"):
        TraversalDisplay.from_images([X, X], **{name: ["a", "b", "c"]})
