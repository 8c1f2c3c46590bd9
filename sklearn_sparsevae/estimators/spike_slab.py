"""Variational sparse coding (VSC, VSCLT): sparse codes with a distribution."""

import numbers

from sklearn.utils import check_random_state, check_scalar
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_sparsevae.bottlenecks import PRIORS, SpikeSlab
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators.base import BaseSparseAutoencoder


@shares_parameters(
    terms=("reconstruction", "kl_values", "kl_spikes"),
    lr_note=""". Dictionary and filters train
        3 times, thresholds and scales of the dimensions 10 times as fast""",
)
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

    _parameter_constraints: dict = {
        **BaseSparseAutoencoder._parameter_constraints,
        "prior": [StrOptions(set(PRIORS))],
        "sparsity": [Interval(numbers.Real, 0, 1, closed="neither")],
        "beta": [Interval(numbers.Real, 0, None, closed="left")],
        "beta_warmup": [Interval(numbers.Real, 0, None, closed="left")],
        "noise_variance": [Interval(numbers.Real, 0, None, closed="neither"), None],
        "n_pseudo_inputs": [Interval(numbers.Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components=64,
        *,
        prior="spike_slab",
        sparsity=0.1,
        beta=1.0,
        beta_warmup=0,
        noise_variance=None,
        n_pseudo_inputs=0,
        latent_dim=None,
        n_downsamples=2,
        backbone="auto",
        backbone_params=None,
        image_shape=None,
        value_range=None,
        crop_size="auto",
        degrade=None,
        max_epochs=5,
        batch_size=32,
        lr=0.001,
        lr_schedule="cosine",
        gradient_clip=1.0,
        pixel_loss="mse",
        perceptual_weight=0.0,
        perceptual_network=None,
        adversarial_weight=0.0,
        adversarial_start=0,
        early_stopping=False,
        validation_fraction=0.1,
        n_epochs_no_change=5,
        tol=1e-4,
        warm_start=False,
        device="auto",
        precision="float32",
        callbacks=None,
        random_state=None,
        verbose=0,
    ):
        super().__init__(
            n_components=n_components,
            latent_dim=latent_dim,
            n_downsamples=n_downsamples,
            backbone=backbone,
            backbone_params=backbone_params,
            image_shape=image_shape,
            value_range=value_range,
            crop_size=crop_size,
            degrade=degrade,
            max_epochs=max_epochs,
            batch_size=batch_size,
            lr=lr,
            lr_schedule=lr_schedule,
            gradient_clip=gradient_clip,
            pixel_loss=pixel_loss,
            perceptual_weight=perceptual_weight,
            perceptual_network=perceptual_network,
            adversarial_weight=adversarial_weight,
            adversarial_start=adversarial_start,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_epochs_no_change=n_epochs_no_change,
            tol=tol,
            warm_start=warm_start,
            device=device,
            precision=precision,
            callbacks=callbacks,
            random_state=random_state,
            verbose=verbose,
        )
        self.prior = prior
        self.sparsity = sparsity
        self.beta = beta
        self.beta_warmup = beta_warmup
        self.noise_variance = noise_variance
        self.n_pseudo_inputs = n_pseudo_inputs

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

    def sample(self, n_samples=1, random_state=None):
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
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", numbers.Integral, min_val=1)
        seed = check_random_state(random_state).randint(2**31 - 1)
        coder = self._coder()
        codes = coder.sample(n_samples, coder.grid_shape(self.image_shape_), seed)
        return self.inverse_transform(codes.reshape(n_samples, -1))
