"""Variational sparse coding (VSC, VSCLT): sparse codes with a distribution."""

import dataclasses
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions

from sklearn_sparsevae._typing import RandomState
from sklearn_sparsevae.bottlenecks import PRIORS, SpikeSlab
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators._parameters import (
    FRACTION,
    NOT_NEGATIVE,
    POSITIVE,
    POSITIVE_INT,
    WHOLE,
)
from sklearn_sparsevae.estimators.base import BaseSparseAutoencoder


@shares_parameters(terms=("reconstruction", "kl_values", "kl_spikes"))
class SpikeSlabVAE(BaseSparseAutoencoder):
    """Variational sparse coding (VSC), also with learned thresholds (VSCLT).

    A site has a distribution q(z | x) over sparse codes z and a prior p(z) of them.
    Minimises, over encoder E, decoder G, dictionary D and both distributions::

        1/2 E_q ||x - G(z D)||^2 + beta c KL(q(z | E(x)) || p(z))

    averaged over sites: c times the negative evidence lower bound of a decoder with
    noise of variance c (times ``beta`` for its second term).

    ``prior="spike_slab"`` is VSC [1]_. Under the prior a dimension is on with
    probability alpha, and normal if it is; q has a spike probability gamma, a mean and
    a variance for each dimension. ``prior="threshold"`` is VSCLT [2]_: dimensions are
    Laplace variables, soft-thresholded by Gamma variables. `transform` gives the mean
    where gamma is above one half, or shrunk by the mean threshold, and exact zeros
    elsewhere.

    With the default backbone the model starts as hard (or soft) thresholding of
    patches in an orthonormal basis that is learned from ``X``, and training improves
    it. Each dimension decides by itself whether it is on. That is one product of
    matrices, and as good as `DictionaryLearningVAE` with as few atoms; but it cannot
    tell the atoms of a much overcomplete dictionary apart, with which
    `DictionaryLearningVAE` reconstructs better at equal non-zeros.

    Parameters
    ----------
    n_components : int, default=64
        Number of dimensions K of the code of a site. Those beyond the length of the
        latents (48 by default for colour images) start unused, and mostly stay so.
    prior : {"spike_slab", "threshold"}, default="spike_slab"
        Spikes and a normal slab, or a Laplace distribution and a threshold.
    sparsity : float, default=0.1
        Prior share of non-zeros, in (0, 1): alpha. The model starts with it, and with
        ``noise_variance=None`` stays near it. With the residual backbone the first C
        dimensions, the channel means of a patch, are always on and do not count.
    beta : float, default=1.0
        Weight of the KL divergence.
    beta_warmup : float, default=0
        Epochs, of all fits of a model together, in which that weight rises from zero.
    noise_variance : float, default=None
        Variance c of the decoder's noise, in squared units of pixels in [0, 1] (of
        latents, where they are given). Smaller is more faithful and less sparse. None
        takes the value for which ``sparsity`` is about right, from the first images.
    n_pseudo_inputs : int, default=0
        With ``prior="spike_slab"``, rows of latents that are trained to show which
        dimensions go together: the prior of the spikes is the mixture of theirs. 0
        gives all dimensions the probability ``sparsity``.
    lr : float, default=0.001
        Adam's learning rate for the backbone. Dictionary and filters train 3 times,
        thresholds and scales of the dimensions 10 times as fast.
    {parameters}

    Attributes
    ----------
    components_ : ndarray (n_components, latent_dim)
        The atoms, of unit norm. With the residual backbone the first C are the channel
        means of a patch.
    {attributes}

    Notes
    -----
    ``history_`` has the KL divergence of the values, and that of the spikes or (as
    ``train_kl_thresholds``) of the thresholds, times their weight. With pseudo-inputs
    there is also ``train_kl_share``, the divergence of their mean share of spikes from
    ``sparsity``.

    References
    ----------
    .. [1] F. Tonolini, B. S. Jensen, R. Murray-Smith. "Variational Sparse Coding". UAI
       2019.
    .. [2] K. Fallah, C. J. Rozell. "Variational Sparse Coding with Learned
       Thresholding". ICML 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_sparsevae import SpikeSlabVAE
    >>> images = load_digits().images[:200] / 16
    >>> model = SpikeSlabVAE(n_components=32, max_epochs=2, random_state=0).fit(images)
    >>> codes = model.transform(images)
    >>> codes.shape, codes.grid_shape
    ((200, 128), (2, 2))
    >>> model.sample(3, random_state=0).shape
    (3, 8, 8)
    """

    _parameter_constraints = {
        "n_components": [POSITIVE_INT],
        "prior": [StrOptions(set(PRIORS))],
        "sparsity": [FRACTION],
        "beta": [NOT_NEGATIVE],
        "beta_warmup": [NOT_NEGATIVE],
        "noise_variance": [POSITIVE, None],
        "n_pseudo_inputs": [WHOLE],
    }

    n_components: int = dataclasses.field(default=64, kw_only=False)
    prior: Literal["spike_slab", "threshold"] = "spike_slab"
    sparsity: float = 0.1
    beta: float = 1.0
    beta_warmup: float = 0
    noise_variance: float | None = None
    n_pseudo_inputs: int = 0

    def _make_bottleneck(self, backbone):
        return SpikeSlab(
            backbone.latent_dim,
            self.n_components,
            self.prior,
            sparsity=float(self.sparsity),
            beta=float(self.beta),
            beta_warmup=self.beta_warmup,
            noise_variance=self.noise_variance,
            n_pseudo_inputs=self.n_pseudo_inputs,
            n_mean_dims=backbone.n_mean_dims,
        )

    def sample(
        self, n_samples: int = 1, random_state: RandomState = None
    ) -> NDArray[np.float32]:
        """Images of codes that are drawn from the prior.

        The prior knows nothing of what sites have to do with one another: images are
        coherent where one site is a whole image (``2 ** n_downsamples`` its side).

        Parameters
        ----------
        n_samples : int, default=1
            Number of images, of the size of those of the fit.
        random_state : int, RandomState instance or None, default=None
            Seed of the draws.

        Returns
        -------
        images : ndarray
            In the layout of the input of `fit`, float32.
        """
        return self._decode(self._draw_codes(n_samples, random_state), None)
