"""Sample photos and crops."""

import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sklearn_sparsevae.datasets import load_sample_photos, random_crops


def test_photos_are_colour_and_of_useful_size():
    photos = load_sample_photos()
    assert len(photos.images) == len(photos.names) == 7
    for name, image in zip(photos.names, photos.images):
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        assert min(image.shape[:2]) >= 300
        assert f"{name} " in photos.DESCR
        assert f"{image.shape[0]} x {image.shape[1]}" in photos.DESCR


def test_the_split_is_fixed_and_disjoint():
    train, test = load_sample_photos(subset="train"), load_sample_photos(subset="test")
    assert train.names == ["astronaut", "china", "motorcycle", "rocket"]
    assert test.names == ["chelsea", "coffee", "flower"]
    assert load_sample_photos().names == train.names + test.names


def test_photos_need_no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "socket", refuse)
    assert len(load_sample_photos().images) == 7


def test_unknown_subsets_are_refused():
    with pytest.raises(ValueError, match="Got subset='val'; expected one of 'train'"):
        load_sample_photos(subset="val")


@given(
    st.lists(st.tuples(st.integers(4, 9), st.integers(4, 9)), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(0, 5),
)
def test_crops_are_pieces_of_the_photos(shapes, size, seed):
    images = [
        np.arange(h * w).reshape(h, w) + 100 * i for i, (h, w) in enumerate(shapes)
    ]
    crops = random_crops(images, size, 7, random_state=seed)
    assert crops.shape == (7, size, size)
    for crop in crops:
        photo, position = divmod(crop[0, 0], 100)
        row, column = divmod(position, shapes[photo][1])
        piece = images[photo][row : row + size, column : column + size]
        assert_array_equal(crop, piece)


def test_every_position_is_equally_likely():
    images = [np.arange(12).reshape(3, 4), np.arange(100, 104).reshape(2, 2)]
    crops = random_crops(images, 2, 7000, random_state=0)
    corners, counts = np.unique(crops[:, 0, 0], return_counts=True)
    assert corners.tolist() == [0, 1, 2, 4, 5, 6, 100]
    assert counts.min() > 900 and counts.max() < 1100


def test_crops_are_repeatable_and_keep_the_type():
    photos = load_sample_photos(subset="test").images
    crops = random_crops(photos, 32, 5, random_state=3)
    assert crops.shape == (5, 32, 32, 3) and crops.dtype == np.uint8
    assert_array_equal(crops, random_crops(photos, 32, 5, random_state=3))
    assert not np.array_equal(crops, random_crops(photos, 32, 5, random_state=4))


@pytest.mark.parametrize(
    ("images", "size", "message"),
    [
        ([], 4, "Got 0 images"),
        ([np.zeros((8, 8))], 0, "Got size=0"),
        ([np.zeros((8, 3, 3))], 4, "a side of 3 pixels; expected at least size=4"),
        ([np.zeros((8, 8, 3)), np.zeros((8, 8, 4))], 4, "all .H, W, C. or all"),
        ([np.zeros((8, 8, 3)), np.zeros((8, 8, 3), np.uint8)], 4, "of one type"),
        ([np.zeros(8)], 4, "all .H, W, C. or all"),
    ],
)
def test_bad_photos_are_refused(images, size, message):
    with pytest.raises(ValueError, match=message):
        random_crops(images, size, 2)
