"""Images that have an atom, the largest value first."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_sparsevae import SparseCodes
from sklearn_sparsevae.plotting import TopImagesDisplay

IMAGES = np.linspace(0, 1, 4)[:, None, None] * np.ones((5, 5))
CODES = np.array([[1, 0, 2], [0, 0, 3], [4, 0, 0], [2, 0, 1]], dtype=np.float32)


def test_images_come_in_the_order_of_their_values():
    display = TopImagesDisplay.from_codes(CODES, IMAGES, atoms=[2, 0], n_images=2)
    for found, expected in zip(display.indices, [[1, 0], [2, 3]], strict=True):
        assert_array_equal(found, expected)
    assert_array_equal(display.values[1], [4, 2])
    drawn = display.axes_[1, 0].images[0].get_array()
    assert_array_equal(drawn, IMAGES[2])
    assert display.axes_[0, 0].get_ylabel() == "atom 2"


def test_images_without_the_atom_are_not_drawn():
    display = TopImagesDisplay.from_codes(CODES, IMAGES, atoms=[1, 2], n_images=4)
    assert [len(found) for found in display.indices] == [0, 3]
    assert not any(ax.images for ax in display.axes_[0])


def test_by_default_atoms_that_most_images_have():
    display = TopImagesDisplay.from_codes(CODES, IMAGES)
    assert_array_equal(display.atoms, [0, 2, 1])


def test_of_the_sites_of_an_image_the_largest_counts():
    codes = SparseCodes(CODES.reshape(2, 6), grid_shape=(1, 2))
    display = TopImagesDisplay.from_codes(codes, IMAGES[:2], atoms=[0, 2])
    assert_array_equal(display.values[0], [4, 1])
    assert_array_equal(display.indices[1], [0, 1])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"images": IMAGES[:3]}, "4 sites and 3 images"),
        ({"atoms": [3]}, r"atoms=\[3\]"),
        ({"atoms": [-1]}, "atoms=-1"),
        ({"atoms": []}, r"atoms=\[\]"),
        ({"n_images": 0}, "n_images=0"),
    ],
)
def test_what_does_not_fit_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        TopImagesDisplay.from_codes(**({"codes": CODES, "images": IMAGES} | given))
