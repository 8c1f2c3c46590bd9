"""Closed-loop transcription via convolutional sparse coding."""

import functools
import numbers

import numpy as np
from scipy import sparse
from sklearn.base import _fit_context
from sklearn.utils import check_consistent_length, check_random_state, check_scalar
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_array, check_is_fitted

from sklearn_sparsevae import metrics
from sklearn_sparsevae.backbones import ConvolutionalSparseCoding
from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.estimators._transformer import ImageTransformer
from sklearn_sparsevae.training import (
    ClosedLoopSettings,
    Transcriber,
    Transcription,
    make_closed_loop,
)

_POSITIVE_INT = Interval(numbers.Integral, 1, None, closed="left")
_POSITIVE = Interval(numbers.Real, 0, None, closed="neither")


class ClosedLoopVAE(ImageTransformer):
    """Closed-loop transcription via convolutional sparse coding.

    The encoder f is a stack of convolutional sparse coding layers [1]_ [2]_, unrolled
    FISTA for ::

        1/2 ||x - A z||^2 + alpha ||z||_1,  z >= 0

    followed by a linear map to the unit sphere; the decoder g is its inverse, layer by
    layer. Both play for the rate reduction [3]_ between the features of the images,
    Z = f(X), and of the images regenerated from them, Z^ = f(g(Z))::

        min over g, max over f:  R([Z, Z^]) - 1/2 R(Z) - 1/2 R(Z^)

    and, when labels are given, for ``Delta R(Z) + Delta R(Z^) + sum_j Delta R(Z_j,
    Z^_j)`` over the classes j. R is :func:`~sklearn_sparsevae.sparse.coding_rate`. No
    loss compares images. That regenerated images show what the original did, sample by
    sample, is due to the start, which has the principal components of the images as
    features, and to batches that are smaller than ``latent_dim``: their features can
    only be alike if they span the same subspace.

    Parameters
    ----------
    n_components : int or tuple of int, default=(64, 128)
        Kernels of each layer. A layer halves the resolution of images. The last, linear
        map has ``latent_dim`` weights for every number of its maps, so that the model
        is one for small images.
    latent_dim : int, default=128
        Length of the features, at least 2.
    alpha : float, default=0.1
        Weight of the L1 norm in every layer, whose input has unit variance.
    n_rollout_steps : int, default=3
        Steps of FISTA in each layer.
    kernel_size : int, default=3
        Side of the kernels, odd. 1, as always where rows are vectors, keeps the
        resolution.
    image_shape : tuple of int (H, W, C) or (H, W), default=None
        What the rows of a 2-D ``X`` are, when they are images.
    value_range : tuple of float (low, high), default=None
        What floating point images span; None stands for (0, 1).
    max_epochs : int, default=5
        Passes over the training images; 0 keeps the model as it starts.
    batch_size : int, default=64
        Images in a training batch.
    lr : float, default=0.0005
        About how far outputs of a layer of the decoder, of unit variance, move in a
        step of training; the encoder goes at 0.3 of it. It falls to zero over the
        epochs. With a larger one regenerated images drift from the originals, up to
        where the encoder runs away from the decoder.
    gradient_clip : float, default=100.0
        Longest gradient of encoder or decoder, as a Euclidean norm.
    device : str, default="auto"
        "auto" (a GPU when there is one), "cpu", "cuda", "cuda:1", ...
    random_state : int, RandomState instance or None, default=None
        Seed of everything random. The global generators are left alone.
    verbose : int, default=0
        Above zero: a progress bar with the terms of the objective, PSNR and the time
        left.

    Attributes
    ----------
    components_ : list of ndarray (n_kernels, n_channels, k, k)
        Unit kernels of the encoder's layers.
    classes_ : ndarray or None
        Classes of ``y``; None when the objective is the one without.
    history_ : list of dict
        For each epoch the means of ``train_delta_r`` (the rate reduction between Z and
        Z^), with labels ``train_delta_r_features`` and ``train_delta_r_regenerated``,
        their sum after the decoder's step ``train_loss``, ``train_psnr``, and ``dur``
        in seconds.
    n_epochs_ : int
        Epochs trained.
    net_ : ClosedLoopNet
        The skorch net; ``net_.module_`` is the torch module.
    image_shape_ : tuple of int
        ``(H, W, C)`` of the training images.
    data_range_ : float
        What `score` takes as the peak.
    n_features_in_ : int
        Numbers in an image or vector.

    Notes
    -----
    Of the paper [1]_ only abstract and introduction were at hand. They leave open the
    depth and width, the L1 weights, whether encoder and decoder share kernels, and how
    to train; the layers are those of [2]_, the objective that of [4]_. Chosen here:

    - The decoder has kernels of its own. A shared kernel would be pulled both ways, by
      encoder and decoder.
    - Layers standardise their input with moments taken once from the data, in place of
      batch normalisation; so no feature depends on what else is in a batch.
    - Features come to the sphere by stereographic projection, which can be inverted.
      Division by the norm would forget the contrast of an image.
    - Kernels start as principal components of patches, plus and minus, the decoder by
      least squares, and the last map such that it decodes to the principal components
      of the images. Training starts close to PCA with ``latent_dim - 1`` components.
    - Each tensor has Adam's rate ``lr`` divided by the numbers that an output of it
      sums, and encoder and decoder move in turn, once each, the encoder more slowly.

    References
    ----------
    .. [1] X. Dai et al. "Closed-Loop Transcription via Convolutional Sparse Coding".
       2023.
    .. [2] X. Dai et al. "Revisiting Sparse Convolutional Model for Visual Recognition".
       NeurIPS 2022.
    .. [3] Y. Yu et al. "Learning Diverse and Discriminative Representations via the
       Principle of Maximal Coding Rate Reduction". NeurIPS 2020.
    .. [4] X. Dai et al. "CTRL: Closed-Loop Transcription to an LDR via Minimaxing Rate
       Reduction". Entropy 24(4), 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_sparsevae import ClosedLoopVAE
    >>> digits = load_digits()
    >>> images = digits.images[:200] / 16
    >>> model = ClosedLoopVAE(
    ...     n_components=(16, 32), latent_dim=24, max_epochs=1, random_state=0
    ... ).fit(images, digits.target[:200])
    >>> features = model.transform(images)
    >>> features.shape, model.inverse_transform(features).shape
    ((200, 24), (200, 8, 8))
    >>> maps = model.sparse_maps(images)
    >>> maps.shape, maps.grid_shape, maps.n_atoms
    ((200, 128), (2, 2), 32)
    """

    _parameter_constraints: dict = {
        "n_components": [_POSITIVE_INT, tuple, list],
        "latent_dim": [Interval(numbers.Integral, 2, None, closed="left")],
        "alpha": [Interval(numbers.Real, 0, None, closed="left")],
        "n_rollout_steps": [_POSITIVE_INT],
        "kernel_size": [_POSITIVE_INT],
        "image_shape": [tuple, list, None],
        "value_range": [tuple, list, None],
        "max_epochs": [Interval(numbers.Integral, 0, None, closed="left")],
        "batch_size": [_POSITIVE_INT],
        "lr": [_POSITIVE],
        "gradient_clip": [_POSITIVE],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=(64, 128),
        *,
        latent_dim=128,
        alpha=0.1,
        n_rollout_steps=3,
        kernel_size=3,
        image_shape=None,
        value_range=None,
        max_epochs=5,
        batch_size=64,
        lr=0.0005,
        gradient_clip=100.0,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.latent_dim = latent_dim
        self.alpha = alpha
        self.n_rollout_steps = n_rollout_steps
        self.kernel_size = kernel_size
        self.image_shape = image_shape
        self.value_range = value_range
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.gradient_clip = gradient_clip
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    # ---- training -------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Start from the principal components of ``X`` and train in a closed loop.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features), or sequence
            uint8, or floats in [0, 1] (see ``value_range``), all of one size. Also a
            memory map or a lazy sequence, such as :mod:`sklearn_sparsevae.datasets`
            loads; up to 2048 images are read to start from.
        y : array-like of shape (n,), default=None
            Classes, for the objective with classes. Any other ``y``, such as floats of
            a regression, is not used.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            When ``X`` is not as described, or ``y`` is labels of another number.
        FloatingPointError
            When a term of the objective stops being finite.
        """
        images, layout = self._open_images(X)
        self.classes_, labels = _classes(y, images)
        fields = ClosedLoopSettings.__dataclass_fields__
        net = make_closed_loop(
            functools.partial(self._make_transcription, layout),
            images,
            labels,
            ClosedLoopSettings(**{name: getattr(self, name) for name in fields}),
            check_random_state(self.random_state).randint(2**31 - 1),
        )
        self._keep(net, layout, images)
        return self

    def _make_transcription(self, layout):
        vector = layout.kind == "vector"
        if self.kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size={self.kernel_size} must be odd, such as 3 or 5."
            )
        backbone = ConvolutionalSparseCoding(
            layout.image_shape,
            self._n_kernels(),
            self.latent_dim,
            1 if vector else self.kernel_size,
            float(self.alpha),
            self.n_rollout_steps,
        )
        return Transcription(backbone, (0, 1) if vector else self._value_range)

    def _n_kernels(self):
        """Kernels of each layer, as a tuple of at least one."""
        single = isinstance(self.n_components, numbers.Integral)
        widths = (self.n_components,) if single else tuple(self.n_components)
        whole = all(isinstance(w, numbers.Integral) and w >= 1 for w in widths)
        if not (widths and whole):
            raise ValueError(
                f"n_components={self.n_components!r} must be a positive integer for "
                "each layer, such as (64, 128)."
            )
        return widths

    # ---- features and images --------------------------------------------------------

    def transform(self, X):
        """Features of images.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features), or sequence
            As in `fit`, and of the same size.

        Returns
        -------
        features : ndarray of shape (n, latent_dim)
            Rows of unit norm, float32.
        """
        check_is_fitted(self)
        return self._transcriber().features(self._check_whole(X)[0])

    def inverse_transform(self, X):
        """Images of features.

        Parameters
        ----------
        X : array-like of shape (n, latent_dim)
            Features as from `transform`; others are scaled to unit norm first.

        Returns
        -------
        images : ndarray
            In the layout of the input of `fit`, float32.
        """
        check_is_fitted(self)
        features = check_array(X, dtype=np.float32, input_name="X")
        if features.shape[1] != self.latent_dim:
            raise ValueError(
                f"X has {features.shape[1]} columns, expected features of length "
                f"{self.latent_dim}, as transform returns them."
            )
        images = self._transcriber().decode(features)
        return self._finish(images, self.layout_.kind)

    def reconstruct(self, X):
        """Images regenerated from the features of images, both steps at once.

        Parameters
        ----------
        X : array-like
            As in `transform`.

        Returns
        -------
        images : ndarray
            In the layout of ``X``, float32; ``inverse_transform(transform(X))``.
        """
        check_is_fitted(self)
        images, layout = self._check_whole(X)
        output = np.concatenate(list(self._transcriber().reconstruct(images)))
        return self._finish(output, layout.kind)

    def score(self, X, y=None):
        """Peak signal-to-noise ratio of regenerated images, in dB, mean over images.

        Parameters
        ----------
        X : array-like
            As in `transform`.
        y : object, default=None
            Not used.

        Returns
        -------
        psnr : float
            Higher is better.
        """
        check_is_fitted(self)
        images, layout = self._check_whole(X)
        parts = self._transcriber().reconstruct(images)
        values, done = [], 0
        for part in parts:
            target = self._as_floats(images[done : done + len(part)])
            output = self._finish(part, layout.kind).reshape(target.shape)
            values.append(
                metrics.psnr(
                    target, output, data_range=self.data_range_, per_image=True
                )
            )
            done += len(part)
        return float(np.mean(np.concatenate(values)))

    def sparse_maps(self, X, layer=-1):
        """Sparse maps of a layer of the encoder.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features), or sequence
            As in `fit`; images may be of another size.
        layer : int, default=-1
            Which layer, as an index.

        Returns
        -------
        maps : SparseCodes of shape (n, h * w * n_kernels)
            One row per image, columns site-major, float32, non-negative.
        """
        check_is_fitted(self)
        widths = self._n_kernels()
        check_scalar(
            layer,
            "layer",
            numbers.Integral,
            min_val=-len(widths),
            max_val=len(widths) - 1,
        )
        images, layout = self._check_input(X)
        n_layers = layer % len(widths) + 1
        transcriber, (*size, _) = self._transcriber(), layout.image_shape
        grid_shape = transcriber.module.backbone.grid_shape(size, n_layers)
        grid = {"grid_shape": grid_shape, "n_atoms": widths[layer]}
        batches = transcriber.maps(images, n_layers)
        parts = [SparseCodes.from_sites(*sites, **grid) for sites in batches]
        shape = layout.public_shape(*size)
        return SparseCodes(
            parts[0] if len(parts) == 1 else sparse.vstack(parts, format="csr"),
            image_shape=None if layout.kind == "vector" else shape,
            **grid,
        )

    @property
    def components_(self):
        """Unit kernels of the encoder's layers, a list of ndarrays."""
        check_is_fitted(self, "net_")
        return self._transcriber().components()

    def _transcriber(self):
        return Transcriber(self.net_.module_, self.device)

    def _check_whole(self, X):
        images, layout = self._check_input(X)
        if layout.image_shape != self.image_shape_:
            size, fitted = layout.image_shape[:2], self.image_shape_[:2]
            raise ValueError(
                f"X holds images of {size[0]}x{size[1]} pixels, but this model was "
                f"fitted on {fitted[0]}x{fitted[1]}, and a feature describes a whole "
                "image: resize or crop the images, or use sparse_maps."
            )
        return images, layout

    @property
    def _n_features_out(self):
        return self.latent_dim


def _classes(y, images):
    """Classes, and the index of each image's; ``None, None`` for any other ``y``."""
    y = np.asarray(y)
    if y.ndim != 1 or type_of_target(y) not in ("binary", "multiclass"):
        return None, None
    check_consistent_length(images, y)
    return np.unique(y, return_inverse=True)
