"""Which atoms are used around every site: square roots of pooled magnitudes."""

import math

import numpy as np

# Weights of a Gaussian below this share of the largest do not count.
_NEGLIGIBLE = 1e-9
# Sites along a side of the squares that a large grid is pooled in.
_TILE = 64


def pooled_roots(usage, grid_shape, reach):
    """Square roots of the magnitudes around every site, averaged by a Gaussian.

    Distances between them are those of Hellinger between which atoms are used.

    Parameters
    ----------
    usage : csr_array of shape (h * w, n_atoms)
        Magnitudes of the codes.
    grid_shape : tuple of int (h, w)
    reach : float
        Standard deviation of the Gaussian, in sites. The average is one of the sites
        that there are: at the border its weights are scaled to a sum of 1.

    Returns
    -------
    roots : ndarray of float32 of shape (h * w, n_atoms)
    """
    return _pool(usage, grid_shape, reach, [slice(0, n) for n in grid_shape])


def pooled_tiles(usage, grid_shape, reach):
    """Yield the same for one part of a grid after the other, in little memory.

    Yields
    ------
    sites : ndarray of int of shape (n_sites,)
        Which rows of ``usage`` these are.
    roots : ndarray of float32 of shape (n_sites, n_atoms)
    """
    numbers = np.arange(math.prod(grid_shape)).reshape(grid_shape)
    rows, columns = (
        [slice(i, i + _TILE) for i in range(0, n, _TILE)] for n in grid_shape
    )
    for tile in ((down, right) for down in rows for right in columns):
        tile = [slice(p.start, min(p.stop, n)) for p, n in zip(tile, grid_shape)]
        yield numbers[*tile].ravel(), _pool(usage, grid_shape, reach, tile)


def _pool(usage, grid_shape, reach, tile):
    """Roots of the sites of a tile, from all that reach into it."""
    (down, near), (right, beside) = (
        _gaussian_average(n, reach, part) for n, part in zip(grid_shape, tile)
    )
    sites = np.arange(math.prod(grid_shape)).reshape(grid_shape)[near, beside]
    # Codes are known to as many digits, and everything below takes half the time.
    grid = usage[sites.ravel()].toarray().astype(np.float32).reshape(*sites.shape, -1)
    pooled = np.tensordot(down, np.matmul(right, grid), 1)
    return np.sqrt(pooled.reshape(-1, usage.shape[1]))


def _gaussian_average(n, reach, part):
    """Matrix that averages along a part of an axis of n sites, and where it reads."""
    margin = math.ceil(reach * math.sqrt(-2 * math.log(_NEGLIGIBLE)))
    source = slice(max(0, part.start - margin), min(n, part.stop + margin))
    apart = np.subtract.outer(np.r_[part], np.r_[source])
    with np.errstate(over="ignore"):  # of a reach near 0
        weights = np.exp(-((apart / reach) ** 2) / 2)
    weights[weights < _NEGLIGIBLE] = 0  # some would be subnormal, which is slow
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32), source
