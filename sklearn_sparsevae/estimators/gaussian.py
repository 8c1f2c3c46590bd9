"""VAE, beta-VAE, InfoVAE, conditional and hierarchical VAE: normal codes."""

import numbers

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils._param_validation import Interval
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from sklearn_sparsevae.bottlenecks import Gaussian
from sklearn_sparsevae.estimators._collecting import GrowingArray
from sklearn_sparsevae.estimators._conditions import Conditions
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators.base import BaseSparseAutoencoder

# Training images, or crops of them, from which the usage of the dimensions is taken.
_N_EXAMINED = 2048


@shares_parameters(terms=("reconstruction", "kl"))
class GaussianVAE(BaseSparseAutoencoder):
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
    n_levels : {{1, 2}}, default=1
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

    _parameter_constraints: dict = {
        **BaseSparseAutoencoder._parameter_constraints,
        "beta": [Interval(numbers.Real, 0, None, closed="left")],
        "beta_warmup": [Interval(numbers.Real, 0, None, closed="left")],
        "noise_variance": [Interval(numbers.Real, 0, None, closed="neither")],
        "mmd_weight": [Interval(numbers.Real, 0, None, closed="left")],
        "n_levels": [Interval(numbers.Integral, 1, 2, closed="both")],
    }

    def __init__(
        self,
        n_components=64,
        *,
        beta=1.0,
        beta_warmup=0,
        noise_variance=0.001,
        mmd_weight=0.0,
        n_levels=1,
        latent_dim=None,
        n_downsamples=3,
        backbone="auto",
        backbone_params=None,
        image_shape=None,
        value_range=None,
        crop_size="auto",
        degrade=None,
        max_epochs=5,
        batch_size=32,
        lr=0.0005,
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
        self.beta = beta
        self.beta_warmup = beta_warmup
        self.noise_variance = noise_variance
        self.mmd_weight = mmd_weight
        self.n_levels = n_levels

    def _make_bottleneck(self, backbone):
        return Gaussian(
            backbone.latent_dim,
            self.n_components,
            self.noise_variance,
            beta=self.beta,
            beta_warmup=self.beta_warmup,
            mmd_weight=self.mmd_weight,
            n_levels=self.n_levels,
            n_conditions=0 if self._conditions is None else self._conditions.n_columns,
        )

    # ---- training -------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, condition=None):
        """Train encoder, bottleneck and decoder to reconstruct ``X``, or restore ``y``.

        Parameters
        ----------
        X : array-like or sequence
            Images or vectors, see :meth:`VQVAE.fit`.
        y : array-like or sequence, default=None
            Images to restore those of ``X`` to, likewise. Labels are not used.
        condition : array-like of shape (n,) or (n, p), default=None
            What to condition on: labels of any type, or p real attributes, of each
            image. Then ``p(x|z, y)`` and ``q(z|x, y)`` take the place of ``p(x|z)`` and
            ``q(z|x)``, and all other methods need the condition as well. Inside
            meta-estimators it is routed as metadata (``set_fit_request`` and its like).

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            When the input is not as described.
        FloatingPointError
            When a term of the loss stops being finite.
        """
        warm = self.warm_start
        return self._train(X, y, warm=warm, keep_training=warm, condition=condition)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, condition=None):
        """Train for one pass over ``X``, at a constant learning rate.

        Parameters
        ----------
        X, y : as in `fit`
            The first call also decides where the model starts, so give it a sample
            that shows what is to come.
        condition : as in `fit`
            The first call must show all labels.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._train_once(X, y, condition)

    def fit_transform(self, X, y=None, condition=None):
        """Fit, then code the same images.

        Parameters
        ----------
        X, y, condition : as in `fit`
            Images, images to restore them to, and what to condition on.

        Returns
        -------
        codes : ndarray of shape (n, h * w * n_components)
            As from `transform`.
        """
        return self.fit(X, y, condition).transform(X, condition)

    def _condition_rows(self, condition, n_images, fitting=False):
        if fitting:
            self._conditions = None if condition is None else Conditions(condition)
        if self._conditions is None:
            if condition is not None:
                raise ValueError(
                    "This model was fitted without a condition and takes none: leave "
                    "condition out, or fit with one."
                )
            return None
        if condition is None:
            raise ValueError(
                "This model was fitted with a condition and needs one here: pass "
                f"condition= with {self._conditions.describe()}."
            )
        return self._conditions.rows(condition, n_images)

    def _examine(self, batches):
        usage = self._coder().latent_usage(batches, _N_EXAMINED)
        self.kl_per_dim_, self.active_units_ = usage
        given = self._conditions
        self.condition_classes_ = None if given is None else given.classes

    # ---- codes and images -----------------------------------------------------------

    def transform(self, X, condition=None, return_std=False):
        """Codes of images: means of the posterior.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features)
            As in `fit`; images may be of another size than those of the fit.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `fit`; needed if, and only if, the model was fitted with one.
        return_std : bool, default=False
            Return the standard deviations of the posterior as well.

        Returns
        -------
        codes : ndarray of shape (n, h * w * n_components)
            One row per image, columns site-major, float32.
        std : ndarray of the shape of codes
            Only with ``return_std``.
        """
        check_is_fitted(self)
        images, _ = self._check_input(X)
        rows = self._condition_rows(condition, len(images))
        mean, std = GrowingArray(), GrowingArray()
        for means, deviations in self._coder().moments(images, rows):
            n_done = len(means) if mean.array is None else len(mean.array) + len(means)
            mean.append(means, share=n_done / len(images))
            if return_std:
                std.append(deviations, share=n_done / len(images))
        return (mean.array, std.array) if return_std else mean.array

    def inverse_transform(self, X, coef_bits=None, condition=None):
        """Images of codes.

        Parameters
        ----------
        X : array-like of shape (n, h * w * n_components)
            Codes as from `transform`, of images of the size of the fit; or
            `SparseCodes`, which say what grid they are of.
        coef_bits : int, default=None
            Bits, from 2 to 16, to which the codes are rounded first; None takes them as
            they are.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`. Another one than the images had gives what they would
            look like under it.

        Returns
        -------
        images : ndarray
            In the layout of the input of `fit`, float32.
        """
        return self._decode(X, coef_bits, condition)

    def reconstruct(self, X, tile=None, condition=None):
        """Images after coding and decoding, both steps at once; or images restored.

        Parameters
        ----------
        X : array-like
            As in `transform`.
        tile : int, default=None
            Side in pixels of overlapping tiles to reconstruct one after another, where
            whole images take too much memory; see :meth:`VQVAE.reconstruct`.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`.

        Returns
        -------
        images : ndarray
            In the layout of ``X``, float32.
        """
        return self._reconstruct(X, tile, condition)

    def score(self, X, y=None, condition=None):
        """Peak signal-to-noise ratio of the reconstruction, in dB, mean over images.

        Parameters
        ----------
        X : array-like
            As in `transform`.
        y : array-like, default=None
            Images to compare with, of the shape of ``X``; None compares with ``X``.
            What is not images is not used, as in `fit`.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`.

        Returns
        -------
        psnr : float
            Higher is better.
        """
        return self._score(X, y, condition)

    def score_samples(self, X, condition=None, n_samples=16, random_state=0):
        """Lower bound of the log-likelihood of every image.

        The evidence lower bound at ``beta=1`` whatever the model was trained with, so
        that models of one ``noise_variance`` or of several can be compared::

            E_q(z|x)[log N(x; f(z), c I)] - KL(q(z|x) || p(z))

        with the divergence in closed form and a mean over draws for the rest. Means are
        not clipped to the range of the images.

        Parameters
        ----------
        X : array-like
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
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", numbers.Integral, min_val=1)
        images, _ = self._check_input(X)
        rows = self._condition_rows(condition, len(images))
        bounds = self._coder().evidence_bounds(
            images, rows, n_samples, _seed(random_state)
        )
        return np.concatenate(list(bounds))

    def interpolate(self, A, B, n_steps=8, condition=None):
        """Images on the way from one to another, along a line between their codes.

        Parameters
        ----------
        A, B : array-like
            Images to start from and to end at, equally many, as in `transform`.
        n_steps : int, default=8
            Images of each way, two at least, the reconstructions of both ends included.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`, one for each way.

        Returns
        -------
        images : ndarray of shape (n, n_steps, ...)
            Each image in the layout of the input, float32.
        """
        return self._interpolate(A, B, n_steps, condition)

    def traverse(self, X, components, values, condition=None):
        """Images with one number of the code set to one value after another.

        Parameters
        ----------
        X : array-like
            Images, as in `transform`.
        components : array-like of int
            Columns of the codes.
        values : array-like of float
            What each is set to, in turn; under the prior they have variance 1.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`.

        Returns
        -------
        images : ndarray of shape (n, n_components, n_values, ...)
            Each image in the layout of the input, float32.
        """
        return self._traverse(X, components, values, None, condition)

    def sample(self, n_samples=1, condition=None, random_state=None):
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
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", numbers.Integral, min_val=1)
        coder, seed = self._coder(), _seed(random_state)
        codes = coder.sample(n_samples, coder.grid_shape(self.image_shape_), seed)
        flat = codes.reshape(n_samples, -1)
        return self.inverse_transform(flat, condition=condition)


def _seed(random_state):
    return int(check_random_state(random_state).randint(2**31 - 1))
