"""The strength of white Gaussian noise, estimated from the images themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from sklearn_sparsevae._image_arrays import unit_images
from sklearn_sparsevae._typing import Images
from sklearn_sparsevae.noise._blocks import (
    HIGH,
    LOW,
    SIDE,
    blocks_of,
    check_channels,
    check_sides,
    deviation,
    least,
    n_even_blocks,
    spacing,
)

# Of the blocks, the most even ones; at least as many as this many that do not overlap.
_SHARE, _FEWEST = 0.015, 6


def estimate_sigma(
    images: Images, *, value_range: tuple[float, float] | None = None
) -> NDArray[np.float64]:
    """Estimate the standard deviation of white Gaussian noise in images.

    The way of Ponomarenko et al. [1]_: of all blocks of 8x8 pixels the few whose low
    frequencies hold least energy are taken, and the energy of their high frequencies is
    that of the noise. Texture elsewhere does not matter, so that photos without noise
    come out near 0, and a choice by other frequencies does not make noise look weaker.
    Here all blocks follow that then seem to hold noise alone, which steadies it.

    Where many pixels have a channel's least or greatest value, the noise was clipped
    there: blocks that are all black or white are left out, and the others are compared
    with what clipping leaves of the noise at their brightness [2]_.

    Parameters
    ----------
    images : ndarray of shape (n, H, W, C) or (n, H, W), or list of (H, W, C) or (H, W)
        Unsigned integers or floats, noise beyond ``value_range`` included. Sides of at
        least 8 pixels; below 64 the estimate is rough, since few blocks are even.
    value_range : tuple of float (low, high), default=None
        What is black and what is white. None stands for all that the dtype of unsigned
        integers can hold, and for [0, 1] of floats; a pair says it of any numbers.

    Returns
    -------
    sigma : ndarray of shape (n, C)
        Of each image and channel by itself, in 8-bit units: 255 is the whole range, of
        floats too. Rounding to 8 bits adds 1/12 to the variance.

    Raises
    ------
    ValueError, TypeError
        If ``images`` are not as described or have unlike numbers of channels.

    Notes
    -----
    Noise whose neighbouring pixels go together, as after demosaicing, JPEG or
    resampling, has less energy in high frequencies and is underestimated.

    References
    ----------
    .. [1] N. N. Ponomarenko, V. V. Lukin, M. S. Zriakhov, A. Kaarna, J. Astola. "An
       Automatic Approach to Lossy Compression of AVIRIS Images". IGARSS 2007.
    .. [2] A. Foi. "Clipped Noisy Images: Heteroskedastic Modeling and Practical
       Denoising". Signal Processing 89, 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.degrade import gaussian_noise
    >>> from sklearn_sparsevae.noise import estimate_sigma
    >>> ramp = np.linspace(0.3, 0.7, 128) * np.ones((2, 128, 1))
    >>> noisy = gaussian_noise(ramp, sigma=20, random_state=0)
    >>> estimate_sigma(noisy).round().astype(int).tolist()
    [[20], [20]]
    """
    sigma = []
    for i, image in enumerate(unit_images(images, value_range)):
        check_sides(image)
        sigma.append([_sigma(channel) for channel in np.moveaxis(image, -1, 0)])
        check_channels(sigma, i)
    return np.array(sigma) * 255


def _sigma(channel):
    """Deviation of the noise in one channel ``(H, W)``, in its own units."""
    darkest, brightest = channel.min(), channel.max()
    at_darkest, at_brightest = channel == darkest, channel == brightest
    if (at_darkest | at_brightest).all():
        return 0.0
    # Elsewhere these two are reached by a pixel or two; otherwise noise was clipped.
    low = darkest if at_darkest.mean() > 1e-3 else -np.inf
    high = brightest if at_brightest.mean() > 1e-3 else np.inf
    step = spacing(channel.size)
    mean, power = blocks_of(channel, step)
    slack = 1e-6 * (brightest - darkest)
    seen = (mean > darkest + slack) & (mean < brightest - slack)
    mean, power = mean[seen], power[seen]
    if not len(mean):
        return 0.0
    texture, power = power[:, LOW].sum(1), power[:, HIGH]
    fewest = int(_FEWEST * SIDE**2 / min(step, SIDE) ** 2)
    n_even = max(int(_SHARE * len(mean)), fewest)
    if np.isinf(low) and np.isinf(high):
        sigma = deviation(power[least(texture, n_even)])
        return deviation(power[least(texture, n_even_blocks(texture, sigma, n_even))])
    # Begin where the range is farthest away.
    room = np.minimum(mean - low, high - mean)
    far = np.flatnonzero(room >= np.median(room))
    sigma = deviation(power[far[least(texture[far], n_even)]])
    for _ in range(8):
        if sigma <= slack:
            break
        last, sigma = sigma, _unclipped(mean, texture, power, sigma, low, high, n_even)
        if abs(sigma - last) < 3e-3 * last:
            break
    return sigma


def _unclipped(mean, texture, power, sigma, low, high, n_even):
    """Deviation before clipping, by what that left of a deviation of ``sigma``."""
    left, excess = _clipped_noise(mean, sigma, low, high)
    # Where little is left little can be learned, unless there is nothing else.
    clear = np.flatnonzero(left >= min(0.6, np.quantile(left, 0.7)))
    energy = texture[clear] / left[clear]
    even = clear[least(energy, n_even_blocks(energy, sigma, n_even))]
    left, excess, texture = left[even], excess[even], texture[even]
    # Clipped noise has light tails: of blocks with little energy in some frequencies
    # more is in the others. To first order, by the fourth cumulant of the pixels.
    n_low = LOW.sum()
    slope = excess / (2 * SIDE**2 * left**2 + n_low * excess)
    left = left + slope * np.minimum(texture / sigma**2 - n_low * left, 0)
    return deviation(power[even]) / np.sqrt(left.mean())


def _clipped_noise(mean, sigma, low, high):
    """Return what is left of noise that was clipped, by the mean after clipping.

    Variance, in units of ``sigma**2``, and fourth cumulant where it is negative, in
    those of ``sigma**4``.
    """
    ends = [end for end in (low, high) if np.isfinite(end)]
    signal = np.unique(np.add.outer(ends, sigma * np.linspace(-3, 3, 121)))
    a, b = (low - signal) / sigma, (high - signal) / sigma
    # Infinite ends have no weight; any finite number serves for them.
    weights = ndtr(a), ndtr(-b)
    density_a, density_b = (np.exp(-t * t / 2) / np.sqrt(2 * np.pi) for t in (a, b))
    a, b = (np.where(np.isfinite(t), t, 0) for t in (a, b))
    inside = [1 - weights[0] - weights[1]]
    inside.append(density_a - density_b)
    for k in (2, 3, 4):  # integrals of t**k over the normal density, by parts
        ends_k = a ** (k - 1) * density_a - b ** (k - 1) * density_b
        inside.append((k - 1) * inside[k - 2] + ends_k)
    first, second, third, fourth = (
        a**k * weights[0] + b**k * weights[1] + inside[k] for k in (1, 2, 3, 4)
    )
    variance = second - first**2
    central = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    excess = np.minimum(central - 3 * variance**2, 0)
    after = signal + sigma * first
    return np.interp(mean, after, variance), np.interp(mean, after, excess)
