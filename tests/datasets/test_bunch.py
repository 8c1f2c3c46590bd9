"""Data sets say in brief what they hold."""

import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn import utils

from sklearn_sparsevae.datasets import (
    LazyView,
    load_image_folder,
    load_sample_photos,
)
from sklearn_sparsevae.datasets._bunch import Bunch


def test_a_set_of_photos_is_shown_without_its_pixels():
    photos = load_sample_photos()
    head, *rows = repr(photos).splitlines()
    assert head == "Bunch of" and len(rows) == len(photos)
    for name, row in zip(photos, rows):
        assert row.startswith(f"    {name} : ") and len(row) < 88
    assert "7 arrays of shapes (512, 512, 3), (427, 640, 3), ..." in rows[0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (np.zeros((3, 4), np.uint8), "array of shape (3, 4), uint8"),
        ([np.zeros((2, 2))], "list of 1 arrays of shapes (2, 2)"),
        (["a", "b"], "list of 2: 'a', 'b'"),
        (["a", "b", "c", "d"], "list of 4: 'a', 'b', 'c', ..."),
        ([], "[]"),
        ("one line", "one line"),
        ("two\nlines", "text of 2 lines"),
        (7, "7"),
    ],
)
def test_items_are_described(value, shown):
    assert repr(Bunch(item=value)) == f"Bunch of\n    item : {shown}"


def test_it_is_a_bunch_like_any_other():
    bunch = Bunch(images=[1, 2])
    assert isinstance(bunch, utils.Bunch) and bunch.images is bunch["images"]
    again = pickle.loads(pickle.dumps(bunch))
    assert type(again) is Bunch and again == bunch


def test_lazy_photos_say_where_they_are(tmp_path):
    for i in range(3):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{i}.png")
    images = load_image_folder(tmp_path).images
    assert repr(images) == f"<LazyImages: 3 read from {tmp_path} when asked for>"
    assert repr(images[1:]).startswith("<LazyImages: 2 read from")
    view = LazyView(images)[[0, 2]]
    assert repr(view) == "<LazyView: 2 of the 3 photos in LazyImages>"
