"""VQ-VAE and RQ-VAE: vector quantisation between an encoder and a decoder."""

import dataclasses
import numbers
from typing import Literal

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_sparsevae.bottlenecks import VectorQuantization
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators._parameters import NOT_NEGATIVE, POSITIVE_INT
from sklearn_sparsevae.estimators.base import BaseSparseAutoencoder


@shares_parameters(terms=("reconstruction", "commitment", "codebook"))
class VQVAE(BaseSparseAutoencoder):
    """Vector-quantised autoencoder: VQ-VAE, and RQ-VAE with more quantizers.

    Every site becomes the nearest code of a codebook that is trained together with
    encoder and decoder ([1]_; LASERS [3]_, Equation 3). With ``n_quantizers`` above one
    each further level quantises what the levels before it left, over the same
    codebook [2]_: the code of a site counts how often each code is part of the sum.

    With the default backbone the model starts as vector quantisation of patches of
    pixels by k-means, and training improves it.

    Parameters
    ----------
    n_components : int, default=512
        Number of codes K in the codebook.
    n_quantizers : int, default=1
        Levels: 1 is VQ-VAE, more is RQ-VAE.
    codebook_update : {"gradient", "ema"}, default="gradient"
        Train the codes by the gradient of their loss term, or by exponential moving
        averages of the latents they stand for. With several quantizers these drift
        apart from an encoder that learns, and codes fall out of use.
    decay : float, default=0.99
        Of the moving averages, in [0, 1).
    patch_size : int, default=1
        Latents a side that are coded together: sites are squares of
        ``patch_size * 2 ** n_downsamples`` pixels a side.
    commitment_weight : float, default=0.25
        Weight beta of the term that keeps the latents near their codes.
    {parameters}

    Attributes
    ----------
    components_ : ndarray (n_components, latent_dim * patch_size ** 2)
        The codes.
    {attributes}

    References
    ----------
    .. [1] A. van den Oord, O. Vinyals, K. Kavukcuoglu. "Neural Discrete Representation
       Learning". NeurIPS 2017.
    .. [2] D. Lee, C. Kim, S. Kim, M. Cho, W.-S. Han. "Autoregressive Image Generation
       using Residual Quantization". CVPR 2022.
    .. [3] X. Li, A. D. Sarwate. "LASERS: LAtent Space Encoding for Representations with
       Sparsity for Generative Modeling", 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_sparsevae import VQVAE
    >>> images = load_digits().images[:200] / 16
    >>> model = VQVAE(n_components=32, max_epochs=2, random_state=0).fit(images)
    >>> codes = model.transform(images)
    >>> codes.shape, codes.grid_shape, codes.nnz
    ((200, 128), (2, 2), 800)
    """

    _parameter_constraints = {
        "n_components": [POSITIVE_INT],
        "n_quantizers": [POSITIVE_INT],
        "codebook_update": [StrOptions({"ema", "gradient"})],
        "decay": [Interval(numbers.Real, 0, 1, closed="left")],
        "patch_size": [POSITIVE_INT],
        "commitment_weight": [NOT_NEGATIVE],
    }

    n_components: int = dataclasses.field(default=512, kw_only=False)
    n_quantizers: int = 1
    codebook_update: Literal["gradient", "ema"] = "gradient"
    decay: float = 0.99
    patch_size: int = 1
    commitment_weight: float = 0.25

    def _make_bottleneck(self, backbone):
        return VectorQuantization(
            backbone.latent_dim,
            self.n_components,
            self.n_quantizers,
            codebook_update=self.codebook_update,
            decay=self.decay,
            commitment_weight=self.commitment_weight,
            patch_size=self.patch_size,
        )
