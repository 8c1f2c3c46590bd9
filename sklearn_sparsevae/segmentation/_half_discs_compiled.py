"""The inner loop of ``half_disc_differences``, compiled by numba."""

import numba
import numpy as np

_SMALL = np.float32(1e-7)


@numba.njit(nogil=True, cache=True, fastmath=True)
def fill_differences(padded, down, right, sector, bounds, differences):
    """Fill ``differences`` (n, H, W, n_histograms) from maps padded on all sides.

    Parameters
    ----------
    padded : ndarray of float32 of shape (H + 2 * reach, W + 2 * reach, n_bins)
    down, right : ndarray of int of shape (n_pixels,)
        Pixels of the disc, counted from the corner of the padding.
    sector : ndarray of int of shape (n_pixels,)
        Which of 2 n sectors each of them lies in.
    bounds : ndarray of int of shape (n_histograms + 1,)
        Where the bins of each histogram begin and end.
    differences : ndarray of float32 of shape (n, H, W, n_histograms)
    """
    n, height, width, n_histograms = differences.shape
    n_bins = padded.shape[2]
    sums = np.empty((2 * n, n_bins), np.float32)
    near, far = np.empty(n_bins, np.float32), np.empty(n_bins, np.float32)
    for y in range(height):
        for x in range(width):
            sums[:] = 0
            for i in range(len(sector)):
                s, row, column = sector[i], y + down[i], x + right[i]
                for b in range(n_bins):
                    sums[s, b] += padded[row, column, b]
            near[:] = 0
            far[:] = 0
            for s in range(n):
                for b in range(n_bins):
                    near[b] += sums[s, b]
                    far[b] += sums[s + n, b]
            for k in range(n):
                for h in range(n_histograms):
                    total = np.float32(0)
                    for b in range(bounds[h], bounds[h + 1]):
                        apart = near[b] - far[b]
                        total += apart * apart / (near[b] + far[b] + _SMALL)
                    differences[k, y, x, h] = total
                for b in range(n_bins):
                    turned = sums[k + n, b] - sums[k, b]
                    near[b] += turned
                    far[b] -= turned
