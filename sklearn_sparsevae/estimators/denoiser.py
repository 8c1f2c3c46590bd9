"""Denoiser: noisy images in, images without their noise out.

Longer than other modules because half of it documents what a user has to know of noise.
"""

from __future__ import annotations

import dataclasses
import functools
import numbers
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from sklearn_sparsevae._arguments import check_flag, random_numbers, whole_number
from sklearn_sparsevae._typing import Images, ImagesOut, Unused
from sklearn_sparsevae.estimators import _parameters as groups
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators._image_estimator import ImageEstimator
from sklearn_sparsevae.estimators._parameters import POSITIVE_INT
from sklearn_sparsevae.estimators._stabilizing import Stabilizer, restore_stabilized
from sklearn_sparsevae.estimators._stopping import warn_and_raise
from sklearn_sparsevae.images import Layout
from sklearn_sparsevae.noise import estimate_sigma
from sklearn_sparsevae.sparse import denoise_patches
from sklearn_sparsevae.training import (
    DenoisingBatches,
    DenoisingModule,
    DenoisingNet,
    Restorer,
    RunSettings,
    fast_precision,
    fitted_together,
    from_first,
    open_checkpoints,
    train_denoiser,
)

_TILE = 512  # pixels a side of what is restored at once
_CROP = 40  # pixels a side of what is trained on
_STRENGTHS = (0, 55)  # of noise that "estimate" stands for
# Noisy photos with fewer pixels than this are restored from themselves by "auto".
_FEW_PIXELS = 2**22


@shares_parameters()
class Denoiser(
    groups.Images, groups.Training, groups.Running, groups.Loading, ImageEstimator
):
    """Denoiser of images, for noise of any strength, trained on clean photos or noisy.

    The noise is white and Gaussian: independent in every number, of the same strength
    all over an image. `fit` trains one network for a range of strengths; `transform`
    estimates how strong the noise of each image is, or is told, and takes it away. ::

        Denoiser().fit(photos).transform(noisy)

    Without clean photos the network learns from noisy ones (``clean=False``), or images
    are restored from nothing but themselves (``method="patches"``): sparse codes of
    their overlapping patches, see :func:`~sklearn_sparsevae.sparse.denoise_patches`.

    Parameters
    ----------
    sigma : tuple of float (low, high), float or "estimate", default=(0, 55)
        Standard deviation of the noise in 8-bit units: 255 is the whole range of any
        dtype. A pair is the range to train for, and `transform` estimates the strength
        in each image unless it is told; "estimate" is the same as the default. A number
        is the strength of all images.
    clean : bool, default=True
        Whether the photos of `fit` are clean. If not, their noise is as strong as
        ``sigma``, a number, says, or estimated for each.
    method : {"network", "patches", "auto"}, default="network"
        What restores: a trained network, or sparse codes of the patches of each image
        by itself, for which `fit` only takes note of what images look like. "auto"
        takes the network unless photos are noisy and few, with less than 4 million
        pixels together.
    gain : float, array-like of shape (C,) or "estimate", default=None
        For Poisson noise, as counted photons have it, the same or less in each image:
        what a photon adds in 8-bit units. Images are then made even by
        :func:`~sklearn_sparsevae.noise.anscombe` before they are restored, and
        ``sigma`` of `transform` is that of the read noise, 0 by default. "estimate"
        takes both from each image, by :func:`~sklearn_sparsevae.noise.estimate_gain`.
        None is for noise that does not depend on the signal. With ``clean=False`` the
        photos of `fit` have such noise too.
    bottleneck : {"lista", "pursuit"} or None, default=None
        Sparse codes in the middle of the network, with thresholds that are affine in
        the strength of the noise; None restores best where that was trained for.
    width : int, default=64
        Channels of the network's features.
    n_shifts : {1, 2, 3, 4}, default=4
        Average over so many shifts of the grid of sites, each mirrored in another way:
        about 0.1 dB better than one, in so many times the time.
    n_batches : int, default=1000
        Batches of crops of 40 pixels a side, or less where images are smaller, in an
        epoch.
    max_epochs : int, default=20
        Epochs of training. The default takes some ten minutes on two cores.
    batch_size : int, default=12
        Crops in a training batch.
    lr : float, default=0.001
        Learning rate of Adam, and of the orthogonal steps (Muon) of most convolutions.
        It falls to zero over the epochs.
    gradient_clip : float, default=0.05
        Maximum Euclidean norm of the gradient; a longer one is scaled to it.
    precision : {"auto", "float32", "bf16"}, default="auto"
        Of the convolutions. "auto" is bf16 where the processor has it in hardware, a
        GPU or a CPU with AMX, and float32 elsewhere.
    {parameters}

    Attributes
    ----------
    method_ : {"network", "patches"}
        What restores.
    history_ : dict of ndarray of shape (n_epochs,)
        What was recorded of every epoch, by name: ``train_psnr`` in dB over all
        strengths, ``train_likelihood`` of the predicted deviations, ``train_loss``,
        ``epoch``, counted from 1, and ``dur`` in seconds.
    n_epochs_ : int
        Epochs trained.
    net_ : DenoisingNet or None
        The skorch net; None with patches.
    {image_attributes}

    See Also
    --------
    sklearn_sparsevae.noise.estimate_sigma : How strong the noise of images is.
    sklearn_sparsevae.degrade : Noise, to try a denoiser.

    Notes
    -----
    The network takes the strength of the noise as a map beside the pixels (FFDNet
    [1]_), works at 2x2 and 4x4 pixels, and predicts the noise (DnCNN [2]_). From noisy
    photos it learns by recorrupting them (R2R [3]_), which needs noise that is Gaussian
    and white.

    References
    ----------
    .. [1] K. Zhang, W. Zuo, L. Zhang. "FFDNet: Toward a Fast and Flexible Solution for
       CNN-Based Image Denoising". IEEE Transactions on Image Processing 27, 2018.
    .. [2] K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang. "Beyond a Gaussian Denoiser:
       Residual Learning of Deep CNN for Image Denoising". IEEE Transactions on Image
       Processing 26, 2017.
    .. [3] T. Pang, H. Zheng, Y. Quan, H. Ji. "Recorrupted-to-Recorrupted: Unsupervised
       Deep Learning for Image Denoising". CVPR 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_sample_images
    >>> from sklearn_sparsevae import Denoiser
    >>> from sklearn_sparsevae.degrade import gaussian_noise
    >>> photos = load_sample_images().images
    >>> clean = photos[0][None, :64, :64]
    >>> noisy = gaussian_noise(clean, sigma=25, random_state=0)
    >>> denoiser = Denoiser(n_batches=20, max_epochs=1, random_state=0).fit(photos)
    >>> restored, deviation = denoiser.transform(noisy, return_std=True)
    >>> restored.shape, deviation.shape
    ((1, 64, 64, 3), (1, 64, 64, 3))
    """

    _parameter_constraints = {
        "sigma": [
            tuple,
            list,
            Interval(numbers.Real, 0, 255, closed="both"),
            StrOptions({"estimate"}),
        ],
        "clean": ["boolean"],
        "method": [StrOptions({"network", "patches", "auto"})],
        "gain": [numbers.Real, "array-like", StrOptions({"estimate"}), None],
        "bottleneck": [StrOptions({"lista", "pursuit"}), None],
        "width": [POSITIVE_INT],
        "n_shifts": [Interval(numbers.Integral, 1, 4, closed="both")],
        "n_batches": [POSITIVE_INT],
        "precision": [StrOptions({"auto", "float32", "bf16"})],
    }

    sigma: tuple[float, float] | list[float] | float | Literal["estimate"] = (
        dataclasses.field(default=_STRENGTHS, kw_only=False)
    )
    clean: bool = True
    method: Literal["network", "patches", "auto"] = "network"
    gain: float | ArrayLike | Literal["estimate"] | None = None
    bottleneck: Literal["lista", "pursuit"] | None = None
    width: int = 64
    n_shifts: int = 4
    n_batches: int = 1000
    max_epochs: int = 20
    batch_size: int = 12
    lr: float = 0.001
    gradient_clip: float = 0.05
    precision: Literal["auto", "float32", "bf16"] = "auto"

    _loss_name = "squared error"  # beside its curve
    _net_class = DenoisingNet

    # What to do with images, not data that a meta-estimator would route.
    __metadata_request__transform = {
        "sigma": UNUSED,
        "return_std": UNUSED,
        "tile": UNUSED,
    }
    __metadata_request__score = {"sigma": UNUSED}

    # ---- training -------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    @fitted_together
    def fit(self, X: Images, y: Unused = None) -> Self:
        """Train the network on photos.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C) or (n, H, W), or sequence of photos
            Unsigned integers, or floats in [0, 1] (see ``value_range``), of one size or
            of different sizes in a list; also what is larger than memory, as in the
            other estimators. Clean photos, or with ``clean=False`` noisy ones, whose
            floats may exceed the range.
        y : Ignored
            To learn from pairs of noisy and clean photos take
            :class:`DictionaryLearningVAE` or :class:`SparseCodingVAE` with
            ``target="y"``.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            When ``X`` or ``sigma`` is not as described.
        FloatingPointError
            When the loss stops being finite.
        """
        strengths = self._strengths()
        photos, spec, names = self._open_to_fit(X, None, self._make_spec())
        if photos.layout.is_vector:
            raise ValueError(
                f"Got {photos.layout.describe()}; expected images (n, H, W, C) or (n, "
                "H, W). Say image_shape=(H, W, C) if the rows are images."
            )
        method = self._choose_method(photos)
        net = None
        if method == "network":
            seed = from_first(random_numbers(self.random_state).randint(2**31 - 1))
            batches = DenoisingBatches(
                _with_crops(photos),
                strengths,
                self.n_batches * self.batch_size,
                *(() if self.clean else self._noise_of(photos)),
            )
            with open_checkpoints(self, photos, seed) as kept:
                net = train_denoiser(
                    lambda: self._make_module(photos.layout.channels),
                    batches,
                    RunSettings.of(self, checkpoints=kept),
                    kept.seed,
                )
            stopped_by = net.stopped_by
            net.forget_training()
        self.method_ = method
        known = photos if photos.is_one_size else _with_crops(photos)
        self._keep(net, known, spec.beyond_the_range(), names)
        if net is not None:
            warn_and_raise(self, stopped_by)
        return self

    def _make_spec(self):
        spec = super()._make_spec()
        is_clean = self.clean and self.method != "patches"
        return spec if is_clean else spec.beyond_the_range()

    def _strengths(self):
        """Range of strengths to train for, of unit images."""
        if isinstance(self.sigma, numbers.Real):
            return self.sigma / 255, self.sigma / 255
        given = _STRENGTHS if isinstance(self.sigma, str) else tuple(self.sigma)
        is_pair = len(given) == 2 and all(
            isinstance(s, numbers.Real) and 0 <= s <= 255 for s in given
        )
        if not is_pair or given[0] > given[1]:
            raise ValueError(
                f"sigma={self.sigma!r} must be a number from 0 to 255, a pair (low, "
                "high) of such with low <= high, or 'estimate'."
            )
        return given[0] / 255, given[1] / 255

    def _choose_method(self, photos):
        if self.method != "auto":
            return self.method
        n_pixels = sum(shape[0] * shape[1] for shape in photos.shapes)
        return "network" if self.clean or n_pixels >= _FEW_PIXELS else "patches"

    def _make_module(self, n_channels):
        precision = self.precision
        if precision == "auto":
            precision = fast_precision(self.device)
        return DenoisingModule(n_channels, self.width, self.bottleneck, precision)

    def _fresh_module(self):
        return self._as_built()._make_module(self.layout_.channels)

    # ---- restoring ------------------------------------------------------------------

    def transform(
        self,
        X: Images,
        sigma: ArrayLike | None = None,
        return_std: bool = False,
        tile: int = _TILE,
    ) -> ImagesOut | tuple[ImagesOut, ImagesOut]:
        """Restore images.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            Images of any size, with as many channels as those of the fit. Floats may
            exceed the range: noise need not be clipped.
        sigma : float or array-like of shape (C,) or (n, C), default=None
            Standard deviation of the noise in 8-bit units: of all, of each channel, or
            of each channel of each image. None takes the parameter ``sigma`` if that is
            a number, and otherwise estimates it for each channel of each image.
        return_std : bool, default=False
            Also return how far the result may be off.
        tile : int, default=512
            Pixels a side of what is restored at once. What decides a pixel is seen
            around every tile too, so that the result does not depend on it; larger
            ones are a little faster and take more memory.

        Returns
        -------
        restored : ndarray, or list of ndarray
            In the layout of ``X``, float32, within ``value_range_``.
        deviation : ndarray, or list of ndarray
            Predicted standard deviation of the errors of ``restored``, calibrated so
            that 95 % of them are within two deviations on crops of the photos of the
            fit. Only with ``return_std``.

        Raises
        ------
        ValueError, TypeError
            When ``X`` is not as described, ``sigma`` does not fit it, or ``return_std``
            is asked of a model that restores by patches, which predicts none.
        """
        check_flag(return_std, "return_std")
        photos = self._open(X)
        given = self._check_sigma(sigma, len(photos))
        if return_std and self.method_ == "patches":
            raise ValueError(
                "return_std=True needs a network, but this model restores by patches: "
                "fit with method='network'."
            )
        tile = whole_number(tile, "tile")
        with self._counted(photos, "transform") as counted:
            results, kind = [], photos.layout.kind
            for _, part, *more in self._restored(counted, given, tile, return_std):
                results.append([self._finish(part, kind), *more])
        restored, *deviations = (
            _gathered(parts, photos.is_one_size) for parts in zip(*results, strict=True)
        )
        return (restored, deviations[0]) if return_std else restored

    def fit_transform(
        self, X: Images, y: Unused = None, **transform_params: Any
    ) -> ImagesOut:
        """Fit to photos and restore these.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `fit`.
        y : Ignored
            As in `fit`.
        **transform_params : dict
            As `transform` takes them.

        Returns
        -------
        restored : ndarray, or list of ndarray
            As `transform` returns it; with ``return_std=True`` a pair.
        """
        return self.fit(X, y).transform(X, **transform_params)

    def score(self, X: Images, y: Images, sigma: ArrayLike | None = None) -> float:
        """Peak signal-to-noise ratio of restored images, in dB, mean over images.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            Noisy images, as in `transform`.
        y : array-like, list of photos or sequence
            What they are to become, of the same shapes.
        sigma : float or array-like, default=None
            As in `transform`.

        Returns
        -------
        psnr : float
            Higher is better.
        """
        check_is_fitted(self)
        targets = self._open(y, "y")
        photos = self._open(X)
        if targets.shapes != photos.shapes:
            raise ValueError(
                f"y holds images of shapes {targets.shapes[:3]}, but X "
                f"{photos.shapes[:3]}: expected the same, photo by photo."
            )
        photos = dataclasses.replace(photos, targets=targets)
        given, values = self._check_sigma(sigma, len(photos)), []
        with self._counted(photos, "score") as counted:
            for batch, restored, *_ in self._restored(counted, given):
                restored = self._finish(restored, photos.layout.kind)
                values.extend(self._psnr(batch.targets.floats(), restored))
        return float(np.mean(values))

    def _restored(self, photos, given, tile=_TILE, return_std=False):
        """Yield blocks of photos of one size, restored in [0, 1], and deviations."""
        size_of, restore = self._restorer(tile, return_std, photos.count)
        first, kind = 0, photos.layout.kind
        for part in photos.parts():
            for batch in part.read(size_of(part.layout.image_shape)):
                unit = batch.unit()
                sigma = given[first : first + len(batch)]
                first += len(batch)
                if self.gain is not None:
                    arrays = restore_stabilized(unit, self.gain, sigma, restore)
                else:
                    if given.shape[1] == 0:
                        sigma = self._estimated(unit)
                    arrays = restore(unit, np.ascontiguousarray(sigma, np.float32))
                restored, *deviations = arrays
                yield batch, restored, *(self._in_range(d, kind) for d in deviations)

    def _restorer(self, tile, return_std, count):
        """Return how many images of a shape to take at once, and what restores them."""
        if self.method_ == "patches":
            seed = random_numbers(self.random_state).randint(2**31 - 1)

            def restore(unit, sigma):
                restored = []
                for image, strength in zip(unit, sigma, strict=True):
                    restored.append(denoise_patches(image, strength, seed=seed))
                    count(1)
                return [np.stack(restored)]

            return lambda shape: 1, restore
        restorer = Restorer(self.net_.module_, self.device, self.n_shifts, tile)
        restore = functools.partial(
            restorer.restore, with_deviation=return_std, count=count
        )
        return restorer.batch_size, restore

    def _in_range(self, deviation, kind):
        """Give deviations of unit images the range and layout of images."""
        low, high = self._input.values_of(kind).limits
        layout = Layout(kind, deviation.shape[1:])
        return layout.restore(deviation * np.float32(high - low))

    def _check_sigma(self, sigma, n_images):
        """Return deviations of unit images ``(n, C)``; ``(n, 0)`` to be estimated."""
        is_known = isinstance(self.sigma, numbers.Real) and self.gain is None
        if sigma is None and is_known:
            sigma = self.sigma
        n_channels = self.layout_.channels
        if sigma is None and self.gain is not None:
            sigma = 0.0
        if sigma is None:
            return np.empty((n_images, 0))
        shapes = [(), (n_channels,), (n_images, n_channels)]
        try:
            values = np.asarray(sigma, np.float64)
        except (TypeError, ValueError):
            values = np.full((), np.nan)
        fits = values.shape in shapes and np.isfinite(values).all()
        if not fits or values.min() < 0:
            raise ValueError(
                f"sigma={sigma!r} must be a number of 0 or more, {n_channels} of them, "
                f"one for each channel, or an array {(n_images, n_channels)}, in "
                "8-bit units."
            )
        return np.broadcast_to(values, (n_images, n_channels)) / 255

    def _noise_of(self, photos):
        """Return what noise photos to train on have.

        Returns
        -------
        sigma : ndarray of float32 (n, C)
            Deviation of the noise of each, of unit images.
        ways : list of Stabilizer, or None
            How noise that grows with the signal becomes that.
        """
        n_channels = photos.layout.channels
        if self.gain is None and isinstance(self.sigma, numbers.Real):
            shape = (len(photos), n_channels)
            return np.full(shape, self.sigma / 255, np.float32), None
        unit = (b.unit() for part in photos.parts() for b in part.read(1))
        if self.gain is None:
            found = [self._estimated(images) for images in unit]
            return np.concatenate(found).astype(np.float32), None
        dark = np.zeros(n_channels)
        ways = [Stabilizer.of(images[0], self.gain, dark) for images in unit]
        return np.stack([way.deviation for way in ways]), ways

    def _estimated(self, unit):
        """Estimated deviations ``(n, C)`` of unit images."""
        # By itself each, since copies of large images would fill the memory.
        sigma = [
            [
                estimate_sigma(image[None, ..., c], value_range=(0, 1)).item()
                for c in range(image.shape[-1])
            ]
            for image in unit
        ]
        return np.array(sigma) / 255

    def __sklearn_is_fitted__(self):
        return hasattr(self, "method_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        return tags


def _with_crops(photos):
    """Photos to be trained on through crops, rows that are images too."""
    if photos.layout.kind == "flat":
        layout = dataclasses.replace(photos.layout, kind="channels")
        photos = dataclasses.replace(photos, layout=layout)
    return photos.with_crops(min(_CROP, photos.smallest_side))


def _gathered(parts, is_one_size):
    """Blocks of images of one size as one array, others as a list of images."""
    if is_one_size:
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
    return [image for part in parts for image in part]
