"""Small photos and small models."""

import numpy as np
import pytest
from skimage.transform import resize
from sklearn.datasets import load_sample_images

from sklearn_sparsevae import SparseCodingVAE


@pytest.fixture(scope="session")
def photos():
    """Twelve 16 x 16 colour crops of scikit-learn's photos, uint8."""
    crops = []
    for photo in load_sample_images().images:
        small = resize(photo, (64, 96), anti_aliasing=True)
        small = np.round(small * 255).astype(np.uint8)
        crops += [small[i : i + 16, j : j + 16] for i in (0, 24, 40) for j in (0, 50)]
    return np.stack(crops)


@pytest.fixture(scope="session")
def images(photos):
    """The same as floats."""
    return photos.astype(np.float32) / 255


@pytest.fixture
def tiny():
    """Return a function that makes a model of a second."""

    def make(**params):
        defaults = {
            "n_components": 24,
            "n_downsamples": 2,
            "n_rollout_steps": 5,
            "backbone_params": {"width": 16},
            "max_epochs": 1,
            "batch_size": 4,
            "random_state": 0,
        }
        return SparseCodingVAE(**(defaults | params))

    return make
