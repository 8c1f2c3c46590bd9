"""Noise of instruments: how strong it is, of which kind, and made even.

Images come as :mod:`sklearn_sparsevae.degrade` takes them, and numbers are in its
units: 255 is the whole range, of floats and of 16 bits too. Noise may reach beyond it.
"""

from sklearn_sparsevae.noise._correlation import noise_correlation
from sklearn_sparsevae.noise._gain import estimate_gain
from sklearn_sparsevae.noise._stabilizing import anscombe, inverse_anscombe
from sklearn_sparsevae.noise._strength import estimate_sigma

__all__ = [
    "anscombe",
    "estimate_gain",
    "estimate_sigma",
    "inverse_anscombe",
    "noise_correlation",
]
