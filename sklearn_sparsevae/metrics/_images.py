"""Image metrics: how close reconstructions are, per image and then averaged."""

import numpy as np
from skimage.metrics import structural_similarity

from sklearn_sparsevae.metrics._input import image_pairs

_MAX_PSNR = 100.0  # dB: a root mean squared error of 1e-5 of the range
_SSIM_WINDOW = 11  # pixels: what sigma 1.5 spans in scikit-image


def psnr(y_true, y_pred, *, data_range=1.0, per_image=False):
    """Peak signal-to-noise ratio in decibels, per image and then averaged.

    ``10 log10(data_range^2 / MSE)``, where MSE is the mean over the pixels and channels
    of one image. The mean of the images' PSNR is at least the PSNR of the MSE pooled
    over them, by Jensen's inequality; papers use both.

    Parameters
    ----------
    y_true : array-like of shape (n_images, ...)
        Images, or rows of features; ``uint8`` covers the whole range.
    y_pred : array-like of the same shape
        Their reconstructions, taken without clipping.
    data_range : float, default=1.0
        Largest minus smallest value that a float can take. The values of ``y_true``
        may not span more.
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
        If the shapes differ, a value is not finite, or ``y_true`` spans more than
        ``data_range``.

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
    pairs = image_pairs(y_true, y_pred, data_range, min_ndim=2)
    mse = np.array([np.mean((true - pred) ** 2) for true, pred in pairs])
    floor = data_range**2 * 10 ** (-_MAX_PSNR / 10)
    values = 10 * np.log10(data_range**2 / np.maximum(mse, floor))
    return values if per_image else float(values.mean())


def ssim(y_true, y_pred, *, data_range=1.0, per_image=False):
    """Structural similarity of Wang et al. (2004), per image and then averaged.

    The original's Gaussian window of 11 by 11 pixels, ``sigma=1.5``, with population
    covariances, ``K1=0.01`` and ``K2=0.03``. The mean runs over the pixels whose window
    lies inside the image, then over the channels, then over the images.

    Parameters
    ----------
    y_true : array-like of shape (n_images, H, W, C) or (n_images, H, W)
        Images of at least 11 by 11 pixels; ``uint8`` covers the whole range.
    y_pred : array-like of the same shape
        Their reconstructions, taken without clipping.
    data_range : float, default=1.0
        Largest minus smallest value that a float can take. The values of ``y_true``
        may not span more.
    per_image : bool, default=False
        Return one number per image instead of their mean.

    Returns
    -------
    ssim : float, or ndarray of shape (n_images,)
        In [-1, 1], 1 for identical images. Higher is better.

    Raises
    ------
    ValueError
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
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.ndim not in (3, 4) or min(y_true.shape[1:3]) < _SSIM_WINDOW:
        raise ValueError(
            f"Got y_true of shape {y_true.shape}; expected (n_images, H, W, C) or "
            f"(n_images, H, W) with H and W of at least {_SSIM_WINDOW}, the window of "
            "SSIM. Give flat rows their image shape, and measure smaller images with "
            "psnr."
        )
    values = np.array(
        [
            structural_similarity(
                true,
                pred,
                data_range=data_range,
                channel_axis=-1 if true.ndim == 3 else None,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for true, pred in image_pairs(y_true, y_pred, data_range, min_ndim=3)
        ]
    )
    return values if per_image else float(values.mean())
