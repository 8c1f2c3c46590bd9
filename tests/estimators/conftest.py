"""Small photos and small models."""

import numpy as np
import pytest
from skimage.transform import resize
from sklearn.datasets import load_sample_images

from sklearn_sparsevae import GaussianVAE
from sklearn_sparsevae.codes import SparseCodes, as_codes
from tests.estimators.table import ESTIMATORS


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


@pytest.fixture(scope="session")
def patches_of():
    """Rows of patches, channel by channel as pixel-unshuffle orders them."""

    def rows(images, side):
        n, height, width, channels = images.shape
        shape = (n, height // side, side, width // side, side, channels)
        return (
            images.reshape(shape)
            .transpose(0, 1, 3, 5, 2, 4)
            .reshape(-1, channels * side**2)
        )

    return rows


@pytest.fixture(params=ESTIMATORS, ids=lambda cls: cls.__name__)
def estimator(request):
    """Every estimator; a file about one of them overrides this."""
    return request.param


@pytest.fixture
def sparse_codes(estimator):
    """Leave out the estimator whose codes are a plain array, without a grid."""
    if estimator is GaussianVAE:
        pytest.skip("its codes are dense")


@pytest.fixture
def codes_of():
    """Return a function for codes that know their grid, which dense ones do not."""

    def transform(model, X):
        codes = model.transform(X)
        if isinstance(codes, SparseCodes):
            return codes
        side = model.net_.module_.site_size
        grid = tuple(-(-length // side) for length in X.shape[1:3])
        n_atoms = model.n_components
        return as_codes(codes, grid, n_atoms, image_shape=X.shape[1:])

    return transform


@pytest.fixture
def tiny(estimator):
    """Return a function that makes a model of a second."""

    def make(**params):
        defaults = {
            "n_components": 24,
            "n_downsamples": 2,
            "backbone_params": {"width": 16},
            "max_epochs": 1,
            "batch_size": 4,
            "random_state": 0,
            **ESTIMATORS[estimator],
        }
        return estimator(**(defaults | params))

    return make
