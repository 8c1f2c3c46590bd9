"""What a type checker is to accept and to refuse; mypy reads this file in `make lint`.

Nothing runs here. An `ignore` that is no longer needed is an error, so that each marks
a mistake that is found.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

import sklearn_sparsevae
from sklearn_sparsevae import (
    VQVAE,
    ClosedLoopVAE,
    CodePrior,
    DictionaryLearningVAE,
    GaussianVAE,
    KMeansSegmenter,
    SparseCodingVAE,
    SpectralSegmenter,
    SpikeSlabVAE,
    recipes,
)
from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.degrade import gaussian_noise
from sklearn_sparsevae.metrics import make_scorers, psnr

Photos = NDArray[np.uint8]


def accepted(photos: Photos, ragged: list[Photos]) -> None:
    """Check the calls of the README and of the user guide."""
    model = SparseCodingVAE(64, alpha=0.1, dictionary=np.eye(64), batch_size=8)
    codes: SparseCodes = model.fit(photos).transform(photos)
    images: NDArray[np.float32] = model.inverse_transform(codes)
    quality: float = psnr(photos, images) + model.score(photos)
    model.fit(ragged).transform(ragged)
    SparseCodingVAE(**recipes.SC_VAE)
    DictionaryLearningVAE(degrade=partial(gaussian_noise, sigma=20), n_nonzero_coefs=3)
    GaussianVAE(16, n_downsamples=3).fit(photos, condition=[1, 2]).sample(16)
    VQVAE(64, max_epochs=1).fit(photos[:10]).traverse(photos[:1], [0], [1.0])
    CodePrior(grid_shape=(2, 2)).fit(codes).sample(3, random_state=0).sites()
    SpikeSlabVAE(prior="threshold").fit(photos).sample(2)
    ClosedLoopVAE((16, 32)).fit(photos, [0, 1]).sparse_maps(photos)
    for segmenter in KMeansSegmenter(3), SpectralSegmenter(n_regions=8):
        segmenter.fit(codes).predict(codes)
    make_scorers("psnr", "hoyer")
    print(quality, sklearn_sparsevae.__version__, sklearn_sparsevae.VQVAE().lr)


def refused() -> None:
    """Check that mistakes are found."""
    SparseCodingVAE(n_componentz=64)  # type: ignore[call-arg]
    SparseCodingVAE(64, 0.1)  # type: ignore[call-arg, arg-type]
    SparseCodingVAE(alpha="0.1")  # type: ignore[arg-type]
    VQVAE(pixel_loss="l2")  # type: ignore[arg-type]
    DictionaryLearningVAE(selection="lars")  # type: ignore[arg-type]
    SpectralSegmenter(n_cluster=2)  # type: ignore[call-arg]
    SparseCodingVAE().reconstruct(np.ones(1), tiles=64)  # type: ignore[call-arg]
    psnr(np.ones(1), np.ones(1), range=2)  # type: ignore[call-arg]
    gaussian_noise(np.ones(1), sigmas=3)  # type: ignore[call-arg]
    sklearn_sparsevae.SparseCodingVEA()  # type: ignore[attr-defined]
