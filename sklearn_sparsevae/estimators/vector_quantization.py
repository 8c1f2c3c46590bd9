"""VQ-VAE and RQ-VAE: vector quantisation between an encoder and a decoder."""

import dataclasses
import math
import numbers
from collections.abc import Sequence
from typing import Literal

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_sparsevae._arguments import whole_number
from sklearn_sparsevae.bottlenecks import (
    FiniteScalarQuantization,
    VectorQuantization,
)
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators._parameters import NOT_NEGATIVE, POSITIVE_INT
from sklearn_sparsevae.estimators.base import BaseSparseAutoencoder

# What a grid has no use for, and the values that leave it out.
_WITHOUT_CODEBOOK = {
    "n_quantizers": 1,
    "codebook_update": "gradient",
    "gradient": "straight_through",
    "codebook": "free",
}
_MOST_CODES = 2**20


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
        Number of codes K in the codebook. ``quantizer="fsq"`` has the product of
        ``levels`` in its place.
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
        Weight beta of the term that keeps the latents near their codes;
        ``quantizer="fsq"`` has none.
    gradient : {"straight_through", "rotation"}, default="straight_through"
        What the encoder receives of the decoder's gradient: all of it as it is, or
        turned and scaled as the latent would be to become its code [4]_.
    codebook : {"free", "linear"}, default="free"
        Codes that are trained one by one, or fixed ones (placed by k-means) times a
        matrix that is trained, so that all of a large codebook stay in use [5]_.
    quantizer : {"nearest", "fsq"}, default="nearest"
        The nearest code of a codebook, or a few numbers, linear in the latent, each
        rounded to one of its ``levels`` [6]_: no codebook, every combination is a
        code. For one level (``n_quantizers=1``).
    levels : sequence of int, default=(16, 8, 4)
        For ``quantizer="fsq"``: levels of each number, at least 2. Their product is the
        number of codes. The first number starts as the direction in which patches
        differ most and should have most levels: (16, 8, 4) for 512 codes,
        (16, 8, 8, 4, 4) for 16,384; [6]_ has (8, 8, 8) and (8, 8, 8, 6, 5). All is
        then left to the network, for which ``lr=0.004`` is better than the default.
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
    .. [4] C. Fifty et al. "Restructuring Vector Quantization with the Rotation Trick".
       ICLR 2025.
    .. [5] Y. Zhu et al. "Addressing Representation Collapse in Vector Quantized Models
       with One Linear Layer" (SimVQ). ICCV 2025.
    .. [6] F. Mentzer, D. Minnen, E. Agustsson, M. Tschannen. "Finite Scalar
       Quantization: VQ-VAE Made Simple" (FSQ). ICLR 2024.

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
        "gradient": [StrOptions({"straight_through", "rotation"})],
        "codebook": [StrOptions({"free", "linear"})],
        "quantizer": [StrOptions({"nearest", "fsq"})],
        "levels": [tuple, list],
    }

    n_components: int = dataclasses.field(default=512, kw_only=False)
    n_quantizers: int = 1
    codebook_update: Literal["gradient", "ema"] = "gradient"
    decay: float = 0.99
    patch_size: int = 1
    commitment_weight: float = 0.25
    gradient: Literal["straight_through", "rotation"] = "straight_through"
    codebook: Literal["free", "linear"] = "free"
    quantizer: Literal["nearest", "fsq"] = "nearest"
    levels: Sequence[int] = (16, 8, 4)

    def _make_bottleneck(self, backbone):
        if self.quantizer == "fsq":
            self._refuse("quantizer", "fsq", **_WITHOUT_CODEBOOK)
            return FiniteScalarQuantization(
                backbone.latent_dim,
                self._checked_levels(),
                patch_size=self.patch_size,
            )
        if self.codebook == "linear":
            self._refuse("codebook", "linear", codebook_update="gradient")
        return VectorQuantization(
            backbone.latent_dim,
            self.n_components,
            self.n_quantizers,
            codebook_update=self.codebook_update,
            decay=self.decay,
            gradient=self.gradient,
            codebook=self.codebook,
            commitment_weight=self.commitment_weight,
            patch_size=self.patch_size,
        )

    def _refuse(self, name, value, **possible):
        """Refuse settings that have no meaning beside one of them."""
        for other, only in possible.items():
            given = getattr(self, other)
            if given != only:
                raise ValueError(
                    f"{name}={value!r} has no use for {other}={given!r}; leave "
                    f"{other}={only!r}."
                )

    def _checked_levels(self):
        """Levels as whole numbers of at least 2."""
        levels = tuple(whole_number(n, "levels", least=2) for n in self.levels)
        if not levels:
            raise ValueError("levels is empty, expected a number for each dimension.")
        if math.prod(levels) > _MOST_CODES:
            raise ValueError(
                f"levels={levels} make {math.prod(levels):,} codes; expected at most "
                f"{_MOST_CODES:,}."
            )
        return levels
