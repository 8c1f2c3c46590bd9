"""Image metrics: how close reconstructions are, per image and then averaged."""

from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

from sklearn_sparsevae._typing import Images, Score
from sklearn_sparsevae.metrics._input import image_pairs, in_units, mean_or_each

_LEAST_MSE = 1e-10  # in units of the squared range: 100 dB
_SSIM_WINDOW = 11  # pixels: what sigma 1.5 spans in scikit-image


def psnr(
    y_true: Images, y_pred: Images, *, data_range: float = 1.0, per_image: bool = False
) -> Score:
    """Peak signal-to-noise ratio in decibels, per image and then averaged.

    ``10 log10(data_range^2 / MSE)``, where MSE is the mean over the pixels and channels
    of one image. The mean of the images' PSNR is at least the PSNR of the MSE pooled
    over them, by Jensen's inequality; papers use both.

    Parameters
    ----------
    y_true : array-like of shape (n_images, ...), or list of arrays
        Images, or rows of features; those of a list may differ in shape. Unsigned
        integers of any width span their dtype.
    y_pred : array-like of the same shape, or list of arrays
        Their reconstructions, taken without clipping.
    data_range : float, default=1.0
        Largest minus smallest value that a float can take, of which the values of
        ``y_true`` may not span more. It says nothing of unsigned integers: a byte of
        255 is as white as a float of ``data_range``.
    per_image : bool, default=False
        Return one number per image instead of their mean.

    Returns
    -------
    psnr : float, or ndarray of shape (n_images,)
        At most 100 dB, which is also what identical images get: a mean stays finite.
        Higher is better.

    Raises
    ------
    ValueError
        If the shapes differ, a value is not finite, an array is masked or holds signed
        integers or booleans, ``y_true`` spans more than ``data_range``, or that is not
        positive and finite.
    TypeError
        If ``data_range`` is no number.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.metrics import psnr
    >>> photos = np.zeros((2, 8, 8, 3))
    >>> round(psnr(photos, photos + 0.1), 6)
    20.0
    >>> psnr(photos, photos + [[[[0.1]]], [[[0.01]]]], per_image=True).round(6)
    array([20., 40.])
    """
    pairs = image_pairs(y_true, y_pred, data_range, min_ndim=1)
    values = np.array([_psnr(true, pred) for true, pred in pairs])
    return mean_or_each(values, per_image)


def peak_psnr(targets, outputs, peak):
    """PSNR of each image with a given peak, which the values may exceed.

    So it is where the peak is that of a fit, and the images are others.

    Parameters
    ----------
    targets, outputs : ndarray of shape (n_images, ...), or lists of ndarray
        Floats, all in one range.
    peak : float
        Largest minus smallest value of the fit.

    Returns
    -------
    psnr : ndarray of shape (n_images,)
        At most 100 dB.
    """
    return _each(_psnr, targets, outputs, peak)


def peak_ssim(targets, outputs, peak):
    """SSIM of each image with a given peak, as in `peak_psnr`."""
    return _each(_ssim, targets, outputs, peak)


def _each(measure, targets, outputs, peak):
    pairs = zip(targets, outputs, strict=True)
    return np.array([measure(in_units(a, peak), in_units(b, peak)) for a, b in pairs])


def _psnr(true, pred):
    """PSNR of one image in units of its range."""
    return -10 * np.log10(max(np.mean((true - pred) ** 2), _LEAST_MSE))


def ssim(
    y_true: Images, y_pred: Images, *, data_range: float = 1.0, per_image: bool = False
) -> Score:
    """Structural similarity of Wang et al. (2004), per image and then averaged.

    The original's Gaussian window of 11 by 11 pixels, ``sigma=1.5``, with population
    covariances, ``K1=0.01`` and ``K2=0.03``. The mean runs over the pixels whose window
    lies inside the image, then over the channels, then over the images.

    Parameters
    ----------
    y_true : array-like of shape (n_images, H, W, C) or (n_images, H, W), or list
        Images of at least 11 by 11 pixels, as in :func:`psnr`.
    y_pred : array-like of the same shape, or list
        Their reconstructions, taken without clipping.
    data_range : float, default=1.0
        As in :func:`psnr`.
    per_image : bool, default=False
        Return one number per image instead of their mean.

    Returns
    -------
    ssim : float, or ndarray of shape (n_images,)
        In [-1, 1], 1 for identical images. Higher is better.

    Raises
    ------
    ValueError, TypeError
        As :func:`psnr`, and if an image is smaller than the window.

    References
    ----------
    Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli. "Image quality assessment:
    from error visibility to structural similarity". IEEE Transactions on Image
    Processing, 2004, Eq. 13 and section III-C.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.metrics import ssim
    >>> photos = np.random.default_rng(0).random((2, 16, 16, 3))
    >>> ssim(photos, photos)
    1.0
    """
    pairs = image_pairs(y_true, y_pred, data_range, min_ndim=2)
    values = np.array([_ssim(true, pred) for true, pred in pairs])
    return mean_or_each(values, per_image)


def _ssim(true, pred):
    """SSIM of one image in units of its range."""
    if true.ndim not in (2, 3) or min(true.shape[:2]) < _SSIM_WINDOW:
        raise ValueError(
            f"Got an image of shape {true.shape} in y_true; expected (H, W, C) or (H, "
            f"W) with H and W of at least {_SSIM_WINDOW}, the window of SSIM. Give "
            "flat rows their image shape, and measure smaller images with psnr."
        )
    return structural_similarity(  # [Wang 2004 Eq. 13]
        true,
        pred,
        data_range=1.0,
        channel_axis=-1 if true.ndim == 3 else None,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
