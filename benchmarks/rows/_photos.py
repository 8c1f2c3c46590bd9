"""The pictures that rows work on: parts of the sample photos."""

import _common

from sklearn_sparsevae.datasets import load_sample_photos, random_crops


def crops(side, n_crops, subset="train"):
    """Square crops ``(n_crops, side, side, 3)`` uint8."""
    photos = load_sample_photos(subset=subset).images
    return random_crops(photos, side, n_crops, _common.SEED)
