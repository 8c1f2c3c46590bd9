"""DL-VAE: dictionary learning with OMP between an encoder and a decoder."""

import dataclasses
from typing import Literal

from sklearn.utils._param_validation import StrOptions

from sklearn_sparsevae.bottlenecks import DictionaryLearning
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators._parameters import NOT_NEGATIVE, POSITIVE_INT
from sklearn_sparsevae.estimators.base import BaseSparseAutoencoder


@shares_parameters(terms=("reconstruction", "commitment", "codebook", "sparsity"))
class DictionaryLearningVAE(BaseSparseAutoencoder):
    """Dictionary-learning autoencoder (LASERS' DL-VAE).

    Every site is coded by at most ``n_nonzero_coefs`` atoms, chosen by orthogonal
    matching pursuit over a dictionary D that is trained together with encoder E and
    decoder G. Minimises, for codes Z (LASERS [1]_, Equation 13)::

        1/2 ||x - G(Z D)||^2 + ||sg[E(x)] - Z D||^2 + beta ||E(x) - sg[Z D]||^2

    averaged over sites, where sg stops the gradient, and with ``alpha`` its square
    times the number of non-zeros. With the default backbone the model starts as
    dictionary learning on patches of pixels, and training improves it.

    Parameters
    ----------
    n_components : int, default=512
        Number of atoms K of the dictionary.
    n_nonzero_coefs : int, default=5
        Most non-zeros S of a site; more than ``n_components`` or the length of a latent
        has no effect.
    alpha : float, default=0.0
        Threshold of a penalty on the number of non-zeros, in units of the latents (with
        images, of pixel values in [0, 1]): an atom is taken if that lowers the squared
        error of its site by more than ``alpha ** 2``. Flat sites then take few atoms,
        and busy ones up to ``n_nonzero_coefs``, which is best set to more than enough:
        the best use of bits. With 0 all sites take as many as they can.
    selection : {"ols", "omp"}, default="ols"
        Take the atom that leaves least after refitting (orthogonal least squares), or
        the one that correlates most with what is left, as the orthogonal matching
        pursuit of the paper does, which is a little faster and fits worse.
    dictionary_update : {"gradient", "online"}, default="gradient"
        Train the atoms by the gradient of their loss term, or by online
        block-coordinate descent (LASERS, Equations 23 to 28).
    patch_size : int, default=1
        Latents a side that are coded together (LASERS, Section 3.2): sites are squares
        of ``patch_size * 2 ** n_downsamples`` pixels a side.
    commitment_weight : float, default=0.25
        Weight beta of the term that keeps the latents near their codes.
    {parameters}

    Attributes
    ----------
    components_ : ndarray (n_components, latent_dim * patch_size ** 2)
        The atoms, of unit norm.
    {attributes}

    References
    ----------
    .. [1] X. Li, A. D. Sarwate. "LASERS: LAtent Space Encoding for Representations with
       Sparsity for Generative Modeling", 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_sparsevae import DictionaryLearningVAE
    >>> images = load_digits().images[:200] / 16
    >>> model = DictionaryLearningVAE(
    ...     n_components=32, n_nonzero_coefs=3, max_epochs=2, random_state=0
    ... ).fit(images)
    >>> codes = model.transform(images)
    >>> codes.shape, codes.grid_shape, int(codes.sites().count_nonzero(axis=1).max())
    ((200, 128), (2, 2), 3)
    """

    _parameter_constraints = {
        "n_components": [POSITIVE_INT],
        "n_nonzero_coefs": [POSITIVE_INT],
        "alpha": [NOT_NEGATIVE],
        "selection": [StrOptions({"omp", "ols"})],
        "dictionary_update": [StrOptions({"gradient", "online"})],
        "patch_size": [POSITIVE_INT],
        "commitment_weight": [NOT_NEGATIVE],
    }

    n_components: int = dataclasses.field(default=512, kw_only=False)
    n_nonzero_coefs: int = 5
    alpha: float = 0.0
    selection: Literal["omp", "ols"] = "ols"
    dictionary_update: Literal["gradient", "online"] = "gradient"
    patch_size: int = 1
    commitment_weight: float = 0.25

    def _make_bottleneck(self, backbone):
        return DictionaryLearning(
            backbone.latent_dim,
            self.n_components,
            self.n_nonzero_coefs,
            alpha=self.alpha,
            selection=self.selection,
            dictionary_update=self.dictionary_update,
            commitment_weight=self.commitment_weight,
            patch_size=self.patch_size,
        )
