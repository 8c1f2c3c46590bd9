"""Seeded degradations of images, to train and to judge restoration.

All take a batch of images, or a list of photos of different sizes, and return the same
in its own dtype. Unsigned integers of any width span their dtype and floats [0, 1],
unless ``value_range`` says otherwise. An estimator applies one afresh to every training
batch when it is given as ``degrade=functools.partial(gaussian_noise, sigma=20)``; one
with a ``value_range`` of its own needs a degradation with the same.
"""

from sklearn_sparsevae.degrade._gaps import random_mask, square_mask
from sklearn_sparsevae.degrade._noise import (
    gaussian_noise,
    poisson_gaussian_noise,
    poisson_noise,
    salt_and_pepper,
    speckle,
)
from sklearn_sparsevae.degrade._sharpness import bicubic_downsample, blur

__all__ = [
    "bicubic_downsample",
    "blur",
    "gaussian_noise",
    "poisson_gaussian_noise",
    "poisson_noise",
    "random_mask",
    "salt_and_pepper",
    "speckle",
    "square_mask",
]
