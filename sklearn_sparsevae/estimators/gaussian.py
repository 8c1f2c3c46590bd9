"""VAE, beta-VAE, InfoVAE, conditional and hierarchical VAE: normal codes."""

import dataclasses
import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval
from sklearn.utils.metadata_routing import UNUSED

from sklearn_sparsevae._arguments import check_flag, random_numbers, whole_number
from sklearn_sparsevae._typing import Images, RandomState
from sklearn_sparsevae.bottlenecks import Gaussian
from sklearn_sparsevae.estimators._conditions import ConditionMixin
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators._parameters import (
    NOT_NEGATIVE,
    POSITIVE,
    POSITIVE_INT,
)
from sklearn_sparsevae.estimators.base import BaseSparseAutoencoder

# Training images, or crops of them, from which the usage of the dimensions is taken.
_N_EXAMINED = 2048


@shares_parameters(terms=("reconstruction", "kl"))
class GaussianVAE(ConditionMixin, BaseSparseAutoencoder):  # type: ignore[misc]
    """Variational autoencoder with normal codes, for reconstruction and new images.

    With a decoder ``p(x|z) = N(f(z), c I)``, a posterior ``q(z|x) = N(g(x), h(x))`` of
    diagonal covariance and the prior ``N(0, I)``, minimises the negative evidence lower
    bound [1]_::

        C ||x - f(z)||^2 + KL(N(g(x), h(x)) || N(0, I)),    C = 1 / (2 c),

    with one draw ``z = g(x) + h(x)^(1/2) zeta``, zeta from N(0, I). All is multiplied
    by c, which leaves the optimum where it is: ``history_`` has terms in that unit.

    With the default backbone the model starts as probabilistic PCA [2]_ of patches of
    pixels, whose evidence is known in closed form, and training improves it. Directions
    that vary less than the noise start switched off; ``kl_per_dim_`` and
    ``active_units_`` show what is in use, and so whether the posterior collapsed.

    Codes are dense: the means of the posterior, one for each site and dimension. A site
    is a square of ``2 ** n_downsamples`` pixels a side. Under the prior sites are
    independent (with ``n_levels=2`` only neighbours know of one another), so for
    `sample` to draw images that hang together let one site be the whole image:
    ``n_downsamples=3`` for 8x8 pixels, 5 for 32x32.

    Parameters
    ----------
    n_components : int, default=64
        Dimensions K of the code of a site.
    beta : float, default=1.0
        Weight of the KL divergence: 1 is the VAE, more is beta-VAE [3]_, whose codes
        are less entangled and whose reconstructions are worse.
    beta_warmup : float, default=0
        Epochs, of all fits of a model together, over which that weight rises linearly
        from 0. Not needed where the model starts as PCA.
    noise_variance : float, default=0.001
        Variance c of a number of the decoder's output, in squared units of pixels in
        [0, 1] (for vectors and given latents: of what comes in). Smaller means sharper
        reconstructions from more dimensions, larger a code nearer to the prior.
    mmd_weight : float, default=0.0
        Weight of the maximum mean discrepancy between the codes of a batch and the
        prior (InfoVAE [4]_), which keeps the codes as a whole near the prior without
        pulling on each; with it ``beta`` may be small.
    n_levels : {1, 2}, default=1
        With 2, a second normal code z2, of half as many dimensions, explains the first:
        its prior becomes ``p(z1|z2)``. ``history_`` then has ``train_kl_1`` and
        ``train_kl_2``. It sees the 3x3 sites around its own.
    {parameters}

    Attributes
    ----------
    components_ : ndarray (n_components, latent_dim)
        What one unit of each dimension adds to the latents of a site.
    kl_per_dim_ : ndarray (n_components,)
        KL divergence of each dimension in nats, mean over up to 2048 training images
        and their sites. Near 0: not in use.
    active_units_ : int
        Dimensions whose mean has a variance above 0.01 over those images (Burda et al.
        2016). ``history_`` has it for the batches, as ``train_active_units``.
    condition_classes_ : ndarray or None
        Labels of the condition of the fit, sorted; None where it had none.
    {attributes}

    References
    ----------
    .. [1] D. P. Kingma, M. Welling. "Auto-encoding variational Bayes". ICLR 2014.
    .. [2] M. E. Tipping, C. M. Bishop. "Probabilistic principal component analysis".
       Journal of the Royal Statistical Society B, 1999.
    .. [3] I. Higgins et al. "beta-VAE: learning basic visual concepts with a
       constrained variational framework". ICLR 2017.
    .. [4] S. Zhao, J. Song, S. Ermon. "InfoVAE: balancing learning and inference in
       variational autoencoders". AAAI 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_sparsevae import GaussianVAE
    >>> X, y = load_digits(return_X_y=True)
    >>> images = X[:200].reshape(-1, 8, 8) / 16
    >>> model = GaussianVAE(n_components=8, n_downsamples=3, max_epochs=2)
    >>> model = model.fit(images, condition=y[:200])
    >>> model.transform(images, condition=y[:200]).shape
    (200, 8)
    >>> model.sample(3, condition=[0, 1, 2], random_state=0).shape
    (3, 8, 8)
    """

    # What to return, not data that a meta-estimator would route.
    __metadata_request__transform = {"return_std": UNUSED}

    _parameter_constraints = {
        "n_components": [POSITIVE_INT],
        "beta": [NOT_NEGATIVE],
        "beta_warmup": [NOT_NEGATIVE],
        "noise_variance": [POSITIVE],
        "mmd_weight": [NOT_NEGATIVE],
        "n_levels": [Interval(numbers.Integral, 1, 2, closed="both")],
    }

    n_components: int = dataclasses.field(default=64, kw_only=False)
    beta: float = 1.0
    beta_warmup: float = 0
    noise_variance: float = 0.001
    mmd_weight: float = 0.0
    n_levels: int = 1
    n_downsamples: int = 3
    lr: float = 0.0005

    def _make_bottleneck(self, backbone, n_conditions=0):
        return Gaussian(
            backbone.latent_dim,
            self.n_components,
            self.noise_variance,
            beta=self.beta,
            beta_warmup=self.beta_warmup,
            mmd_weight=self.mmd_weight,
            n_levels=self.n_levels,
            n_conditions=n_conditions,
        )

    def _examine(self, batches):
        usage = self._coder().latent_usage(batches, _N_EXAMINED)
        self.kl_per_dim_, self.active_units_ = usage

    def transform(
        self,
        X: "Images",
        condition: "ArrayLike | None" = None,
        return_std: bool = False,
    ) -> NDArray[np.float32] | Any:
        """Codes of images: means of the posterior.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features), or sequence
            As in `fit`; images may be of another size than those of the fit, and of
            different sizes in a list.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `fit`; needed if, and only if, the model was fitted with one.
        return_std : bool, default=False
            Return the standard deviations of the posterior as well.

        Returns
        -------
        codes : ndarray of shape (n, h * w * n_components), or list of ndarray
            One row per image, columns site-major, float32. Photos of different sizes
            have codes of one row each, in a list.
        std : like codes
            Only with ``return_std``.
        """
        photos = self._given(X, condition)
        check_flag(return_std, "return_std")
        if not return_std:
            return self._codes_of(photos)
        with self._counted(photos, "transform") as photos:
            parts = [self._moments(part) for part in photos.parts()]
        return tuple(photos.gather(kind) for kind in zip(*parts, strict=True))

    def _code(self, photos):
        return self._moments(photos)[0]

    def _moments(self, photos):
        """Means and standard deviations of the codes of photos of one size."""
        shape = len(photos), math.prod(self._grid_of(photos))
        mean, std = np.empty(shape, np.float32), np.empty(shape, np.float32)
        done = 0
        for means, deviations in self._coder().moments(photos):
            part = slice(done, done + len(means))
            mean[part], std[part] = means, deviations
            done = part.stop
        return mean, std

    def _grid_of(self, photos):
        coder = self._coder()
        return *coder.grid_shape(photos.layout.image_shape), coder.n_components

    def score_samples(
        self,
        X: "Images",
        condition: "ArrayLike | None" = None,
        n_samples: int = 16,
        random_state: RandomState = 0,
    ) -> NDArray[np.float64]:
        """Lower bound of the log-likelihood of every image.

        The evidence lower bound at ``beta=1`` whatever the model was trained with, so
        that models of one ``noise_variance`` or of several can be compared::

            E_q(z|x)[log N(x; f(z), c I)] - KL(q(z|x) || p(z))

        with the divergence in closed form and a mean over draws for the rest. Means are
        not clipped to the range of the images.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `transform`.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`; the bound is one of log p(x|y).
        n_samples : int, default=16
            Draws of z.
        random_state : int, RandomState instance or None, default=0
            Seed of the draws. All images are drawn with the same noise, so that the
            value of one does not depend on the others.

        Returns
        -------
        log_likelihood : ndarray of float64 of shape (n,)
            In nats per image, as a density over pixels in [0, 1] (over what comes in,
            for vectors and given latents).
        """
        photos = self._given(X, condition)
        n_samples = whole_number(n_samples, "n_samples")
        seed = random_numbers(random_state).randint(2**31 - 1)
        with self._counted(photos, "score_samples") as photos:
            bounds = [
                bound
                for part in photos.parts()
                for bound in self._coder().evidence_bounds(part, n_samples, seed)
            ]
        return np.concatenate(bounds)

    def sample(
        self,
        n_samples: int = 1,
        condition: "ArrayLike | None" = None,
        random_state: RandomState = None,
    ) -> NDArray[np.float32]:
        """Decode draws of the prior to new images: the means of ``p(x|z)``.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        condition : array-like of shape (n_samples,) or (n_samples, p), default=None
            What each is to be; needed if, and only if, the model was fitted with one.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        images : ndarray
            In the layout, and of the size, of the input of `fit`, float32.
        """
        return self._decode(self._draw_codes(n_samples, random_state), None, condition)
