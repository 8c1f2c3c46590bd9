"""Closed-loop transcription via convolutional sparse coding.

Longer than other modules: half of it says what the paper leaves open.
"""

import dataclasses
import numbers
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils import check_consistent_length, check_scalar
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d

from sklearn_sparsevae._arguments import as_table, naming, random_numbers
from sklearn_sparsevae._typing import Images, Unused
from sklearn_sparsevae.backbones import ConvolutionalSparseCoding
from sklearn_sparsevae.codes import SparseCodes, concatenate_codes
from sklearn_sparsevae.estimators import _parameters as groups
from sklearn_sparsevae.estimators._conditions import Conditions
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators._parameters import NOT_NEGATIVE, POSITIVE_INT
from sklearn_sparsevae.estimators._stopping import warn_and_raise
from sklearn_sparsevae.estimators._transformer import ImageTransformer
from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.training import (
    ClosedLoopNet,
    RunSettings,
    Transcriber,
    Transcription,
    fitted_together,
    from_first,
    open_checkpoints,
    train_closed_loop,
)


@shares_parameters()
class ClosedLoopVAE(
    groups.Images,
    groups.Target,
    groups.Training,
    groups.Running,
    groups.Loading,
    ImageTransformer,
):
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
    target : {"X", "y"}, default="X"
        With "y", the labels of ``y`` are the classes of the objective with classes;
        with "X" the objective is the one without, whatever ``y`` is.
    batch_size : int, default=64
        Images in a training batch.
    lr : float, default=0.0005
        About how far outputs of a layer of the encoder, of unit variance, move in a
        step of training; the decoder goes at 0.3 of it. It falls to zero over the
        epochs. The default keeps images whatever the size of a batch, and moves
        features little. With batches of several hundred images, more than
        ``latent_dim``, 0.1 separates classes; with a larger one regenerated images
        drift from the originals, up to where the encoder runs away from the decoder.
    gradient_clip : float, default=100.0
        Maximum Euclidean norm of the gradient of encoder or decoder.
    {parameters}

    Attributes
    ----------
    components_ : list of ndarray (n_kernels, n_channels, k, k)
        Unit kernels of the encoder's layers.
    classes_ : ndarray or None
        Classes of ``y``; None when the objective is the one without.
    history_ : dict of ndarray of shape (n_epochs,)
        What was recorded of every epoch, by name: the means of ``train_delta_r`` (the
        rate reduction between Z and Z^), with labels ``train_delta_r_features`` and
        ``train_delta_r_regenerated``, their sum after the decoder's step
        ``train_loss``, and ``train_psnr`` in dB; ``epoch``, counted from 1; and ``dur``
        in seconds. pandas takes it, and
        :class:`~sklearn_sparsevae.plotting.HistoryDisplay` draws it.
    n_epochs_ : int
        Epochs trained.
    net_ : ClosedLoopNet
        The skorch net; ``net_.module_`` is the torch module.
    {image_attributes}

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
      sums, and encoder and decoder move in turn, once each, the decoder more slowly.

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

    _parameter_constraints = {
        "n_components": [POSITIVE_INT, tuple, list],
        "latent_dim": [Interval(numbers.Integral, 2, None, closed="left")],
        "alpha": [NOT_NEGATIVE],
        "n_rollout_steps": [POSITIVE_INT],
        "kernel_size": [POSITIVE_INT],
    }

    n_components: int | tuple[int, ...] | list[int] = dataclasses.field(
        default=(64, 128), kw_only=False
    )
    latent_dim: int = 128
    alpha: float = 0.1
    n_rollout_steps: int = 3
    kernel_size: int = 3
    batch_size: int = 64
    lr: float = 0.0005
    gradient_clip: float = 100.0

    _loss_name = "rate reduction (nats)"  # beside its curve
    _net_class = ClosedLoopNet

    # ---- training -------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    @fitted_together
    def fit(self, X: "Images", y: Unused = None) -> Self:
        """Start from the principal components of ``X`` and train in a closed loop.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features), or sequence
            Unsigned integers, or floats in [0, 1] (see ``value_range``), all of one
            size. Also a memory map or a lazy sequence, such as
            :mod:`sklearn_sparsevae.datasets` loads; up to 2048 images are read to start
            from.
        y : array-like of shape (n,), default=None
            With ``target="y"`` the classes, for the objective with classes. Not used
            otherwise, whatever it is.

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
        photos, spec, names = self._open_to_fit(X, None, self._make_spec())
        if not photos.is_one_size:
            raise ValueError(
                "X holds images of different sizes; expected one size, since a feature "
                "describes a whole image. Resize or crop them."
            )
        classes = None
        if self.target == "y":
            classes, photos = _with_classes(photos, y)
        seed = from_first(random_numbers(self.random_state).randint(2**31 - 1))
        with open_checkpoints(self, photos, seed) as kept:
            net = train_closed_loop(
                lambda: self._make_transcription(photos.layout),
                photos,
                RunSettings.of(self, checkpoints=kept),
                kept.seed,
            )
        stopped_by = net.stopped_by
        net.forget_training()
        self._keep(net, photos, spec, names)
        self.classes_ = classes
        warn_and_raise(self, stopped_by)
        return self

    def _make_spec(self):
        # ``y`` are classes, never images.
        return InputSpec.of(self.image_shape, self.value_range)

    def _make_transcription(self, layout):
        if self.kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size={self.kernel_size} must be odd, such as 3 or 5."
            )
        backbone = ConvolutionalSparseCoding(
            layout.image_shape,
            self._n_kernels(),
            self.latent_dim,
            1 if layout.is_vector else self.kernel_size,
            float(self.alpha),
            self.n_rollout_steps,
        )
        return Transcription(backbone)

    def _fresh_module(self):
        return self._as_built()._make_transcription(self.layout_)

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
        return tuple(int(width) for width in widths)

    # ---- features and images --------------------------------------------------------

    def transform(self, X: "Images") -> NDArray[np.float32]:
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
        return self._codes_of(X)

    def _code(self, photos):
        return self._transcriber().features(photos)

    def inverse_transform(self, X: "ArrayLike") -> NDArray[np.float32]:
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
        features = as_table(X, "X", dtype=np.float32)
        if features.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {features.shape[1]} columns, expected features of length "
                f"{self._n_features_out}, as transform returns them."
            )
        return self._decode_rows(features)

    def _decode_rows(self, features, rows=None):
        return self._finish(self._transcriber().decode(features))

    def reconstruct(self, X: "Images") -> NDArray[np.float32]:
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
        return self._images_of(self._open(X), self._rebuild)

    def _rebuild(self, photos):
        return np.concatenate(list(self._transcriber().reconstruct(photos)))

    def _batch_size(self, photos):
        return self._transcriber().batch_size(photos)

    def sparse_maps(self, X: "Images", layer: int = -1) -> SparseCodes | Any:
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
        photos = super()._open(X)
        transcriber = self._transcriber()
        widths = [len(layer.kernels) for layer in transcriber.module.backbone.layers]
        check_scalar(
            layer,
            "layer",
            numbers.Integral,
            min_val=-len(widths),
            max_val=len(widths) - 1,
        )
        n_layers = layer % len(widths) + 1
        with self._counted(photos, "sparse_maps") as photos:
            return photos.gather(
                self._maps(part, transcriber, n_layers, widths[layer])
                for part in photos.parts()
            )

    def _maps(self, photos, transcriber, n_layers, n_atoms):
        """Sparse maps of photos of one size."""
        size = photos.layout.image_shape[:2]
        grid_shape = transcriber.module.backbone.grid_shape(size, n_layers)
        grid = {"grid_shape": grid_shape, "n_atoms": n_atoms}
        batches = transcriber.maps(photos, n_layers)
        parts = [SparseCodes.from_sites(*sites, **grid) for sites in batches]
        codes = concatenate_codes(parts)
        if not photos.layout.is_vector:
            codes.image_shape = photos.layout.public_shape(*size)
        return codes

    @property
    def components_(self) -> list[NDArray[np.float32]]:
        """Unit kernels of the encoder's layers, a list of ndarrays."""
        check_is_fitted(self, "net_")
        return self._transcriber().components()

    def _transcriber(self):
        return Transcriber(self.net_.module_, self.device)

    def _open(self, X, name="X"):
        """Photos of the size of the fit, which features describe as a whole."""
        return self._check_size(super()._open(X, name), name)

    def _open_pair(self, X, y):
        return self._check_size(super()._open_pair(X, y))

    def _check_size(self, photos, name="X"):
        fitted = self.image_shape_[:2]
        for shape in photos.shapes:
            if tuple(shape[:2]) != tuple(fitted):
                raise ValueError(
                    f"{name} holds images of {shape[0]}x{shape[1]} pixels, but this "
                    f"model was fitted on {fitted[0]}x{fitted[1]}, and a feature "
                    "describes a whole image: resize or crop the images, or use "
                    "sparse_maps."
                )
        return photos

    @property
    def _n_features_out(self):
        return self.net_.module_.backbone.to_vector.out_features + 1


def _with_classes(photos, y):
    """Classes of ``y``, and photos with the class of each as their condition."""
    if y is None:
        raise ValueError(
            "target='y' needs classes, one label for each image: pass them as y, or "
            "set target='X'."
        )
    with naming("y"):
        y = column_or_1d(y, dtype=None)
    check_consistent_length(photos.shapes, y)
    if type_of_target(y, input_name="y") not in ("binary", "multiclass"):
        raise ValueError(
            f"y holds {type_of_target(y)} values; expected classes, one label for each "
            "image. Set target='X' if they are none."
        )
    encoder = Conditions(y)
    rows = encoder.rows(y, len(photos))
    return encoder.classes, dataclasses.replace(photos, condition=rows)
