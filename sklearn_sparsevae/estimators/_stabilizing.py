"""Poisson noise made even, taken away there, and back."""

import numpy as np

from sklearn_sparsevae.noise import anscombe, estimate_gain, inverse_anscombe

# Photons add less than this in 8-bit units where noise does not grow with the signal.
_NO_GAIN = 0.01


def restore_stabilized(unit, gain, sigma, restore):
    """Restore unit images whose noise grows with the signal.

    Parameters
    ----------
    unit : ndarray of float32 (n, H, W, C)
    gain : float, array-like or "estimate"
        As :func:`~sklearn_sparsevae.noise.anscombe` takes it; or of each image, with
        the deviation of the read noise.
    sigma : ndarray (n, C)
        Deviation of the read noise, of unit images.
    restore : callable
        ``restore(unit, sigma)`` returns restored unit images, not clipped, and perhaps
        their deviations, in a list.

    Returns
    -------
    arrays : list of ndarray
        As ``restore`` returns them.
    """
    parts = [
        _restore_one(image[None], gain, 255 * deviation, restore)
        for image, deviation in zip(unit, sigma, strict=True)
    ]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def _restore_one(unit, gain, sigma, restore):
    if isinstance(gain, str):
        gain, sigma = estimate_gain(unit, value_range=(0, 1))
        if gain.max() < _NO_GAIN:
            return restore(unit, (sigma / 255)[None].astype(np.float32))
        gain = np.maximum(gain, _NO_GAIN)
    how = {"gain": gain, "sigma": sigma, "value_range": (0, 1)}
    ends = np.broadcast_to(np.array([0, 1], np.float32), (unit.shape[-1], 1, 2)).T
    black, white = anscombe(ends[None], **how)[0]
    span = white - black
    even = (anscombe(unit, **how) - black) / span
    deviation = np.broadcast_to(1 / span[0], (1, unit.shape[-1]))
    restored, *errors = restore(even.astype(np.float32), deviation.astype(np.float32))
    stabilized = black + span * restored
    images = inverse_anscombe(stabilized, **how).astype(np.float32)
    # To first order, by the slope of the square that leads back.
    slope = np.asarray(gain) / 255 * np.maximum(stabilized, 0) / 2 * span
    return [images, *(error * slope.astype(np.float32) for error in errors)]
