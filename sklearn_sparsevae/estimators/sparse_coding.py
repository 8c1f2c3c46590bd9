"""SC-VAE: sparse coding by learned ISTA between an encoder and a decoder."""

import numbers

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_sparsevae.bottlenecks import PENALTIES, THRESHOLDS, LearnedISTA
from sklearn_sparsevae.estimators.base import BaseSparseAutoencoder


class SparseCodingVAE(BaseSparseAutoencoder):
    """Sparse coding-based autoencoder with learned ISTA (SC-VAE).

    Minimises, over encoder E, decoder G, dictionary D and the parameters of the
    rollout that computes the codes Z (SC-VAE [1]_, Equations 1 to 5)::

        1/2 ||x - G(Z D)||^2 + 1/2 ||E(x) - Z D||^2 + 2 alpha penalty(Z)

    averaged over sites. With the default backbone the model starts as classical sparse
    coding of patches over a dictionary learned from ``X``, and training improves it.

    Parameters
    ----------
    n_components : int, default=512
        Number of atoms K of the dictionary.
    alpha : float, default=0.1
        Weight of the sparsity penalty, positive; larger is sparser. In units of the
        latents: with images, of pixel values in [0, 1].
    n_rollout_steps : int, default=16
        Steps of the rollout (s in the paper).
    latent_dim : int, default=None
        Length n of the latents; None takes what the backbone prefers (for images all
        ``C * 4 ** n_downsamples`` numbers of a patch).
    n_downsamples : int, default=3
        Halvings of the resolution (d in the paper): a site is a square of
        ``2 ** n_downsamples`` pixels a side.
    dictionary : {"learned", "dct"} or ndarray (n_components, latent_dim), \
default="learned"
        Atoms trained from a dictionary that is learned on the first latents; the fixed
        overcomplete DCT of the paper, which trains faster but uses a tenth of its
        atoms; or fixed atoms, in the coordinates of ``components_``.
    learn_alpha : bool, default=True
        Train the thresholds, which start at ``alpha``; otherwise they stay there. (The
        weight in the loss is never trained: its minimum is zero.)
    penalty : {"log", "l1"}, default="log"
        The paper's L1 norm, or the reweighted one [2]_, which has the same slope at
        zero but lets large coefficients be: at equal non-zeros it is worth several dB.
    threshold : {"scalar"}, default="scalar"
        How the shrinkage thresholds come about.
    momentum : bool, default=True
        Start the rollout as FISTA and train its extrapolation; otherwise as ISTA.
    coupled : bool, default=True
        Tie the inhibition matrix S to the filters W_e and the dictionary; otherwise S
        is a free matrix, and a step takes about twice as long.
    backbone : {"auto", "residual", "light", "vqgan", "dense", "identity"}, \
default="auto"
        Encoder and decoder; "auto" is "residual" for images, "dense" for vectors.
    backbone_params : dict, default=None
        Further arguments of the backbone, for instance ``{"width": 64}``.
    image_shape : tuple of int (H, W, C) or (H, W), default=None
        What the rows of a 2-D ``X`` are, when they are images.
    value_range : tuple of float (low, high), default=None
        What floating point images span; None stands for (0, 1).
    crop_size : int, "auto" or None, default="auto"
        Train on random square crops of this side; None trains on whole images, "auto"
        on crops of 64 pixels (at least 8 sites) where the images are larger. An epoch
        has as many crops as cover the photos, and at least 1024.
    max_epochs : int, default=5
        Passes over the training images.
    batch_size : int, default=32
        Images in a training batch.
    lr : float, default=0.001
        Adam's learning rate for the backbone. The bottleneck's matrices train 3 times,
        its scalars 100 times as fast.
    lr_schedule : {"cosine"} or None, default="cosine"
        Let the learning rate fall to zero over the epochs, or keep it.
    gradient_clip : float, default=1.0
        Longest gradient, as a Euclidean norm.
    early_stopping : bool, default=False
        Hold out a part of the images, stop when their loss has not improved for
        ``n_epochs_no_change`` epochs, and keep the best weights.
    validation_fraction : float, default=0.1
        Part of the images held out for early stopping.
    n_epochs_no_change : int, default=5
        Patience of early stopping.
    tol : float, default=1e-4
        Smallest relative improvement that early stopping counts.
    warm_start : bool, default=False
        Let `fit` continue from where the last one ended.
    device : str, default="auto"
        "auto" (a GPU when there is one), "cpu", "cuda", "cuda:1", ...
    precision : {"float32", "bf16"}, default="float32"
        Of the backbone; the sparse codes are always computed in float32.
    callbacks : list, default=None
        skorch callbacks that also follow the training.
    random_state : int, RandomState instance or None, default=None
        Seed of everything random. The global generators are left alone.
    verbose : int, default=0
        Above zero: a progress bar with loss terms, PSNR and the time left.

    Attributes
    ----------
    components_ : ndarray (n_components, latent_dim)
        The atoms, of unit norm. With the residual backbone the first C are the channel
        means of a patch, which are coded apart and without penalty.
    history_ : list of dict
        For each epoch the mean of every loss term (``train_reconstruction``,
        ``train_latent``, ``train_sparsity``, ``train_loss``), ``train_psnr``,
        ``train_nonzeros`` (a site), the same with ``valid_``, and ``dur`` in seconds.
    n_epochs_ : int
        Epochs trained.
    net_ : ReconstructionNet
        The skorch net; ``net_.module_`` is the torch module.
    image_shape_ : tuple of int
        ``(H, W, C)`` of the training images.
    data_range_ : float
        What `score` takes as the peak.
    n_features_in_ : int
        Numbers in an image or vector.

    References
    ----------
    .. [1] P. Xiao, P. Qiu, S. Ha, A. Bani, S. Zhou, A. Sotiras. "SC-VAE: Sparse
       Coding-based Variational Autoencoder with Learned ISTA", 2023.
    .. [2] E. Candes, M. Wakin, S. Boyd. "Enhancing Sparsity by Reweighted l1
       Minimization". J. Fourier Anal. Appl. 14, 2008.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_sparsevae import SparseCodingVAE
    >>> images = load_digits().images[:200] / 16
    >>> model = SparseCodingVAE(
    ...     n_components=32, n_downsamples=2, max_epochs=2, random_state=0
    ... ).fit(images)
    >>> codes = model.transform(images)
    >>> codes.shape, codes.grid_shape
    ((200, 128), (2, 2))
    >>> model.inverse_transform(codes).shape
    (200, 8, 8)
    """

    _parameter_constraints: dict = {
        **BaseSparseAutoencoder._parameter_constraints,
        "alpha": [Interval(numbers.Real, 0, None, closed="neither")],
        "n_rollout_steps": [Interval(numbers.Integral, 1, None, closed="left")],
        "dictionary": [StrOptions({"learned", "dct"}), np.ndarray],
        "learn_alpha": ["boolean"],
        "penalty": [StrOptions(set(PENALTIES))],
        "threshold": [StrOptions(set(THRESHOLDS))],
        "momentum": ["boolean"],
        "coupled": ["boolean"],
    }

    def __init__(
        self,
        n_components=512,
        *,
        alpha=0.1,
        n_rollout_steps=16,
        latent_dim=None,
        n_downsamples=3,
        dictionary="learned",
        learn_alpha=True,
        penalty="log",
        threshold="scalar",
        momentum=True,
        coupled=True,
        backbone="auto",
        backbone_params=None,
        image_shape=None,
        value_range=None,
        crop_size="auto",
        max_epochs=5,
        batch_size=32,
        lr=0.001,
        lr_schedule="cosine",
        gradient_clip=1.0,
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
        self.n_components = n_components
        self.alpha = alpha
        self.n_rollout_steps = n_rollout_steps
        self.latent_dim = latent_dim
        self.n_downsamples = n_downsamples
        self.dictionary = dictionary
        self.learn_alpha = learn_alpha
        self.penalty = penalty
        self.threshold = threshold
        self.momentum = momentum
        self.coupled = coupled
        self.backbone = backbone
        self.backbone_params = backbone_params
        self.image_shape = image_shape
        self.value_range = value_range
        self.crop_size = crop_size
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.gradient_clip = gradient_clip
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_epochs_no_change = n_epochs_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.precision = precision
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose

    def _make_bottleneck(self, backbone):
        given = isinstance(self.dictionary, np.ndarray)
        n_mean_dims = 0 if given else backbone.n_mean_dims
        dictionary = None
        if given:
            dictionary = self.dictionary
        elif self.dictionary == "dct":
            dictionary = backbone.dct_dictionary(self.n_components)
        return LearnedISTA(
            backbone.latent_dim,
            self.n_components,
            float(self.alpha),
            self.n_rollout_steps,
            momentum=self.momentum,
            coupled=self.coupled,
            learn_alpha=self.learn_alpha,
            dictionary=dictionary,
            n_mean_dims=n_mean_dims,
            penalty=self.penalty,
            threshold=self.threshold,
        )
