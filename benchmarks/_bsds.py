"""BSDS500, for the benchmarks on it: photos to train on and crops to judge by."""

import functools

import _common
import numpy as np

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, SparseCodingVAE
from sklearn_sparsevae.datasets import random_crops

TITLE = "BSDS500"
ARCHIVE = "bsds500.zip"
POLICIES = {"SC": "scalar", "SC + In": "vector", "SSC": "structured"}
METHODS = {
    "VQ": VQVAE,
    "DL": DictionaryLearningVAE,
    **{
        name: functools.partial(SparseCodingVAE, threshold=threshold)
        for name, threshold in POLICIES.items()
    },
}


def parser(description, *, json_name):
    """Command line that every benchmark on BSDS500 has."""
    options = _common.parser(description, data=ARCHIVE, json_name=json_name)
    add = options.add_argument
    add("--n-train", type=_common.positive, default=200, help="training photos")
    add("--n-test", type=_common.positive, default=200, help="held-out photos")
    return options


def find_archive(options, data):
    """Path of the archive; see `_common.find_archive`."""
    members = "images/train/*.jpg, images/val/*.jpg and images/test/*.jpg"
    return _common.find_archive(options, data, name=ARCHIVE, members=members)


def load(archive, subset, n_photos):
    """Read a fixed random choice of photos ``(H, W, 3)`` of a subset."""
    return _common.load_photos(archive, f"images/{subset}", n_photos)


def crops(photos, side):
    """One square at a random place of each photo, ``(n, side, side, 3)``."""
    squares = [
        random_crops([photo], side, 1, _common.SEED + i)
        for i, photo in enumerate(photos)
    ]
    return np.concatenate(squares)
