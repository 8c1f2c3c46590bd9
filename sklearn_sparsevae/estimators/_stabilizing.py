"""Poisson noise made even, to be taken away or learned from there, and back."""

import dataclasses

import numpy as np

from sklearn_sparsevae.noise import anscombe, estimate_gain, inverse_anscombe

# Photons add less than this in 8-bit units where noise does not grow with the signal.
_NO_GAIN = 0.01


@dataclasses.dataclass(frozen=True)
class Stabilizer:
    """Way to even noise and back for one image, in [0, 1] here and there.

    Attributes
    ----------
    how : dict or None
        What :func:`~sklearn_sparsevae.noise.anscombe` is told; None leaves images as
        they are.
    black, span : ndarray of shape (C,)
        Where black lies there, and how far white lies from it.
    deviation : ndarray of float32 (C,)
        Deviation of the noise there.
    """

    how: dict | None
    black: np.ndarray
    span: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, unit, gain, sigma):
        """Make one for a unit image.

        Parameters
        ----------
        unit : ndarray of float32 (H, W, C)
        gain : float, array-like or "estimate"
            As :func:`~sklearn_sparsevae.noise.anscombe` takes it; or of this image,
            with the deviation of its read noise.
        sigma : ndarray (C,)
            Deviation of the read noise, of unit images.
        """
        n_channels, sigma = unit.shape[-1], 255 * sigma
        if isinstance(gain, str):
            gain, sigma = estimate_gain(unit[None], value_range=(0, 1))
            if gain.max() < _NO_GAIN:
                none = np.zeros(n_channels), np.ones(n_channels)
                return cls(None, *none, (sigma / 255).astype(np.float32))
            gain = np.maximum(gain, _NO_GAIN)
        how = {"gain": gain, "sigma": sigma, "value_range": (0, 1)}
        ends = np.broadcast_to(np.array([0, 1], np.float32), (n_channels, 1, 2)).T
        black, white = anscombe(ends[None], **how)[0, :, 0]
        return cls(how, black, white - black, (1 / (white - black)).astype(np.float32))

    def even(self, unit):
        """Return unit images ``(n, H, W, C)`` with even noise."""
        if self.how is None:
            return unit
        even = (anscombe(unit, **self.how) - self.black) / self.span
        return even.astype(np.float32)

    def back(self, restored, *errors):
        """Return restored images with the range before, and deviations of errors."""
        if self.how is None:
            return [restored, *errors]
        stabilized = self.black + self.span * restored
        images = inverse_anscombe(stabilized, **self.how).astype(np.float32)
        # To first order, by the slope of the square that leads back.
        gain = np.asarray(self.how["gain"]) / 255
        slope = gain * np.maximum(stabilized, 0) / 2 * self.span
        return [images, *(error * slope.astype(np.float32) for error in errors)]


def restore_stabilized(unit, gain, sigma, restore):
    """Restore unit images whose noise grows with the signal.

    Parameters
    ----------
    unit : ndarray of float32 (n, H, W, C)
    gain, sigma : see `Stabilizer`
        ``sigma`` for each image, ``(n, C)``.
    restore : callable
        ``restore(unit, sigma)`` returns restored unit images, not clipped, and perhaps
        their deviations, in a list.

    Returns
    -------
    arrays : list of ndarray
        As ``restore`` returns them.
    """
    parts = []
    for image, deviation in zip(unit, sigma, strict=True):
        way = Stabilizer.of(image, gain, deviation)
        parts.append(way.back(*restore(way.even(image[None]), way.deviation[None])))
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
