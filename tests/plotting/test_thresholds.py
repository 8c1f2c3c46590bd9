"""Maps of thresholds are those that the model infers, where they stand."""

import types

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_sparsevae import SparseCodingVAE
from sklearn_sparsevae.plotting import ThresholdDisplay

MAPS = np.random.RandomState(0).rand(2, 3, 4, 6).astype(np.float32)
IMAGES = np.zeros((2, 12, 16, 3))


def test_a_row_for_each_photo_and_a_map_for_each_atom_in_one_range():
    model = types.SimpleNamespace(thresholds=lambda X: MAPS)
    display = ThresholdDisplay.from_estimator(model, IMAGES, atoms=[5, 2])
    assert display.axes_.shape == (2, 3)
    for row, maps in zip(display.axes_, MAPS, strict=True):
        for ax, atom in zip(row[1:], [5, 2], strict=True):
            (drawn,) = ax.get_images()
            assert_array_equal(drawn.get_array(), maps[..., atom])
            chosen = MAPS[..., [5, 2]]
            assert drawn.get_clim() == (chosen.min(), chosen.max())
    assert [ax.get_title() for ax in display.axes_[0]] == ["photo", "atom 5", "atom 2"]


def test_the_atoms_that_vary_most_are_drawn():
    maps = MAPS * [0.1, 5, 0, 3, 1, 2]
    assert ThresholdDisplay(IMAGES, maps).atoms == [1, 3, 5, 4]


def test_photos_of_different_sizes_have_maps_of_different_sizes():
    model = types.SimpleNamespace(thresholds=lambda X: [MAPS[:1], MAPS[1:, :2]])
    display = ThresholdDisplay.from_estimator(model, [IMAGES[0], IMAGES[1, :8]])
    shapes = [ax.get_images()[0].get_array().shape for ax in display.axes_[:, 1]]
    assert shapes == [(3, 4), (2, 4)]


@pytest.mark.parametrize("atoms", [[6], [-1], [], 3, [0.5], "all"])
def test_atoms_that_there_are_not_are_refused(atoms):
    with pytest.raises(
        ValueError, match="expected a list of whole numbers from 0 to 5"
    ):
        ThresholdDisplay(IMAGES, MAPS, atoms)


@pytest.mark.parametrize("maps", [MAPS[:1], MAPS[..., 0], [MAPS[0], MAPS[1, ..., :2]]])
def test_maps_that_do_not_belong_to_the_photos_are_refused(maps):
    with pytest.raises(ValueError, match="a map .h, w, n_atoms. for each image"):
        ThresholdDisplay(IMAGES, maps)


def test_what_infers_none_is_refused():
    with pytest.raises(TypeError, match="has no thresholds"):
        ThresholdDisplay.from_estimator(object(), IMAGES)


@pytest.mark.parametrize("shrinkage", ["support", "soft"])
@pytest.mark.parametrize("threshold", ["scalar", "structured"])
def test_an_untrained_model_has_alpha_everywhere(shrinkage, threshold):
    photos = np.random.RandomState(1).rand(3, 10, 12, 3)
    model = SparseCodingVAE(
        8,
        n_downsamples=2,
        alpha=0.07,
        shrinkage=shrinkage,
        threshold=threshold,
        max_epochs=0,
        random_state=0,
        backbone_params={"width": 4},
    ).fit(photos)
    found = model.thresholds(photos)
    assert found.shape == (3, 3, 3, 5) and found.dtype == np.float32
    np.testing.assert_allclose(found, 0.07, rtol=1e-5)


def test_thresholds_are_those_that_codes_obey():
    photos = np.random.RandomState(1).rand(4, 8, 8)
    model = SparseCodingVAE(
        12, n_downsamples=2, threshold="atom", max_epochs=0, random_state=0
    ).fit(photos)
    policy = model.net_.module_.bottleneck.thresholds
    policy.raw.data[::2] = 50.0  # what no coefficient exceeds
    high = model.thresholds(photos)[0, 0, 0] > 1
    used = model.transform(photos).sites().toarray()[:, 1:].any(0)
    assert_array_equal(high, [True, False] * 5 + [True])
    assert not used[high].any() and used[~high].any()
