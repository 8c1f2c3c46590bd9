"""Sparse codes of small patches of a picture, over the cosines of the DCT."""

import numpy as np
from scipy.fft import dct

# Side of a patch, and what soft thresholding takes from a coefficient.
PATCH = 5
SHRINKAGE = 4.0
# Sum of absolute codes, in units of lightness, at which a patch is half textured.
HALF_TEXTURED = 8.0


def patch_codes(lightness):
    """Which cosines the sparse code of the patch around every pixel uses.

    The codes minimise ``|p - D^T z|^2 / 2 + SHRINKAGE |z|_1`` for patches p less their
    mean. D is the orthonormal DCT in two dimensions without its constant, so that they
    are its coefficients after soft thresholding. Both signs of a cosine count as two.

    Parameters
    ----------
    lightness : ndarray of shape (H, W)
        L of CIE Lab.

    Returns
    -------
    shares : ndarray of float32 of shape (H, W, 2 * (PATCH ** 2 - 1) + 1)
        ``|z| / (|z|_1 + HALF_TEXTURED)``; the rest in the last place, which stands for
        no texture. Sum to 1.
    """
    padded = np.pad(np.asarray(lightness, np.float32), PATCH // 2, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (PATCH, PATCH))
    coefficients = windows.reshape(-1, PATCH**2) @ _cosines().T
    n_atoms = coefficients.shape[1]
    shares = np.empty((len(coefficients), 2 * n_atoms + 1), np.float32)
    np.maximum(coefficients - SHRINKAGE, 0, out=shares[:, :n_atoms])
    np.maximum(-coefficients - SHRINKAGE, 0, out=shares[:, n_atoms:-1])
    shares[:, -1] = HALF_TEXTURED
    shares /= shares.sum(axis=1, keepdims=True)
    return shares.reshape(*lightness.shape, -1)


def _cosines():
    """Atoms of the two-dimensional DCT but the constant, one a row."""
    basis = dct(np.eye(PATCH), norm="ortho", axis=0)
    return np.kron(basis, basis)[1:].astype(np.float32)
