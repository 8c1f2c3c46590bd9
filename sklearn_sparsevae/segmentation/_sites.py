"""What the segmenters see of a photo's sites, and the way back to its pixels."""

import math
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg import eigh
from scipy.sparse.linalg import eigsh
from skimage.color import rgb2lab
from sklearn.preprocessing import normalize

from sklearn_sparsevae.codes import region_of_sites
from sklearn_sparsevae.segmentation._pooling import pooled_roots

# A finer grid is averaged down to at most this many sites to find an object on.
MAX_SITES = 1024
# Up to this many rows a dense eigensolver is the faster one.
DENSE_ROWS = 200

# Codes that differ by less than this share of their size differ by rounding.
_ROUNDING = 1e-5
_NOISE = math.sqrt(_ROUNDING)  # the same for the roots of magnitudes
# A network that sees the padding around a photo of one colour codes the sites next to
# it otherwise; the roots of the magnitudes then deviate by up to this share.
_PADDING = 0.05
# Lab colours of natural photos deviate by about this much from their mean.
_LAB_SPREAD = 25.0
# Numbers that describe the look of a site where its colour is not known.
_N_APPEARANCE = 5
# Numbers that describe the texture of a site, and the sites over which it is pooled.
_N_TEXTURE = 8
_TEXTURE_REACH = 1.5


class Sites(NamedTuple):
    """What is known of the sites of one image.

    Attributes
    ----------
    grid_shape : tuple of int (h, w)
    color : ndarray of shape (h * w, 3) or (h * w, n)
        CIE Lab, or what stands for it where colours are not known.
    texture : ndarray of shape (h * w, 8)
        Which atoms are used around a site, in total variance 1.
    is_lab : bool
        Whether ``color`` is CIE Lab.
    """

    grid_shape: tuple
    color: np.ndarray
    texture: np.ndarray
    is_lab: bool

    @property
    def features(self):
        """Colour and texture side by side, with a variance of about 1 each."""
        return np.hstack([self.color / _LAB_SPREAD, self.texture])

    @property
    def is_flat(self):
        """Whether all sites look the same."""
        return np.ptp(self.color, axis=0).max() < 1e-3 and not self.texture.any()


def look(codes, max_sites=MAX_SITES):
    """Describe the sites of one image by colour and texture.

    Parameters
    ----------
    codes : SparseCodes of shape (1, n_features)
    max_sites : int
        A finer grid is averaged to at most so many sites.

    Returns
    -------
    sites : Sites
    """
    average, grid_shape = block_average(codes.grid_shape, max_sites)
    rows = codes.sites().astype(np.float64)
    colors = codes.site_colors
    is_lab = colors is not None and colors.shape[3] in (1, 3)
    color = average @ site_appearance(rows, None if colors is None else colors[0])
    least = _PADDING if has_one_color(codes) else _NOISE
    texture = site_texture(average @ abs(rows), grid_shape, least)
    return Sites(grid_shape, color, texture, is_lab)


def has_one_color(codes):
    """Whether the thumbnail of one image is of a single colour."""
    photos = codes.thumbnails
    return photos is not None and not np.ptp(photos, axis=(0, 1, 2)).any()


def site_texture(usage, grid_shape, least=_NOISE):
    """Which atoms are used around every site.

    The square roots of pooled magnitudes along their leading directions in this image.

    Parameters
    ----------
    usage : csr_array of shape (h * w, n_atoms)
        Magnitudes of the codes.
    grid_shape : tuple of int (h, w)
    least : float
        Deviation, as a share of the largest root, below which nothing varies.

    Returns
    -------
    texture : ndarray of shape (h * w, n)
        With a total variance of 1, or 0 where nothing varies.
    """
    pooled = pooled_roots(usage, grid_shape, _TEXTURE_REACH)
    centred = pooled - pooled.mean(axis=0)
    texture = principal_coordinates(centred, _N_TEXTURE)
    spread = np.sqrt(texture.var(axis=0).sum())
    flat = spread <= least * pooled.max(initial=0)
    return np.zeros_like(texture) if flat else texture / spread


def unit_rows(sites):
    """Rows of unit length, so that Euclidean distance is that of their directions."""
    unit = normalize(sites.astype(np.float64), copy=False)  # squares stay finite
    return unit.astype(sites.dtype, copy=False)


def principal_coordinates(X, n_components):
    """Rows of X in the directions of its largest singular values.

    Keeps the distances between rows as well as that many numbers can.

    Returns
    -------
    coordinates : ndarray of shape (n_rows, min(n_components, n_features))
    """
    gram = X.T @ X
    gram = (gram.toarray() if sparse.issparse(gram) else gram).astype(np.float64)
    size = len(gram)
    if size <= max(DENSE_ROWS, 4 * n_components) or not gram.any():
        first = max(0, size - n_components)
        axes = eigh(gram, subset_by_index=[first, size - 1])[1]
        return X @ axes.astype(X.dtype)
    start = np.random.RandomState(0).uniform(size=size)
    return X @ eigsh(gram, n_components, v0=start)[1].astype(X.dtype)


def site_appearance(sites, colors):
    """Features in which Euclidean distance is about perceived difference.

    CIE Lab colour where the codes carry site colours; else the leading components of
    the codes themselves, scaled to the spread that Lab colours have in photos.

    Parameters
    ----------
    sites : csr_array of shape (h * w, n_atoms)
    colors : ndarray of shape (h, w, C) or None

    Returns
    -------
    appearance : ndarray of shape (h * w, n_features)
    """
    if colors is None:
        leading = principal_coordinates(sites.astype(np.float64), _N_APPEARANCE)
        spread = np.sqrt(leading.var(axis=0).sum())
        flat = spread <= _ROUNDING * np.abs(leading).max(initial=0)
        return np.zeros_like(leading) if flat else leading * (_LAB_SPREAD / spread)
    return perceived_colors(colors)


def perceived_colors(image):
    """CIE Lab of every pixel; 100 times the channels if they are not one or three.

    Parameters
    ----------
    image : ndarray of shape (H, W, C)
        In [0, 1].

    Returns
    -------
    colors : ndarray of shape (H * W, 3) or (H * W, C)
    """
    if image.shape[2] == 1:
        image = np.repeat(image, 3, axis=2)
    lab = rgb2lab(image) if image.shape[2] == 3 else 100 * image
    return lab.reshape(-1, lab.shape[2]).astype(np.float64)


def block_average(grid_shape, max_sites):
    """Average of blocks of sites, on a grid small enough for ``max_sites``.

    Returns
    -------
    average : csr_array of shape (h_small * w_small, h * w)
        Takes features of the sites to those of the blocks.
    small : tuple of int (h_small, w_small)
    """
    shrink = min(1.0, math.sqrt(max_sites / math.prod(grid_shape)))
    small = tuple(max(1, int(size * shrink)) for size in grid_shape)
    block = region_of_sites(grid_shape, small)
    share = 1 / np.bincount(block)[block]
    pairs = (block, np.arange(len(block)))
    shape = (math.prod(small), len(block))
    return sparse.csr_array((share, pairs), shape=shape), small


def magnify(values, grid_shape, shape, covered=None):
    """Interpolate one value per site linearly to another grid or to pixels.

    Parameters
    ----------
    values : ndarray of shape (h * w,)
    grid_shape : tuple of int (h, w)
    shape : tuple of int (H, W)
    covered : tuple of int, optional
        Pixels that the grid covers, where that is more than ``shape``.

    Returns
    -------
    image : ndarray of shape (H, W)
    """
    values = np.asarray(values, dtype=np.float64).reshape(grid_shape)
    rows, columns = map(_interpolation, shape, grid_shape, covered or shape)
    return rows @ values @ columns.T


def covered_shape(grid_shape, shape):
    """Pixels that a grid of square sites covers: the photo, padded at its end.

    The site is the smallest power of two that needs this grid for the photo, as
    encoders halve their input; without one, the grid is stretched over the photo.
    """
    for site in 2 ** np.arange(16):
        if all(-(-size // site) == n for size, n in zip(shape, grid_shape)):
            return tuple(int(n * site) for n in grid_shape)
    return tuple(shape)


def _interpolation(size, n_sites, covered):
    """Matrix that reads values at site centres linearly at ``size`` pixel centres."""
    position = (np.arange(size) + 0.5) * n_sites / covered - 0.5
    position = np.clip(position, 0, n_sites - 1)
    return np.maximum(1 - np.abs(position[:, None] - np.arange(n_sites)), 0)


def magnify_labels(labels, grid_shape, shape):
    """Label of every pixel: the one with the largest interpolated share.

    Ties go to the smaller label.
    """
    covered = covered_shape(grid_shape, shape)
    best = np.full(shape, -1.0)
    image = np.zeros(shape, dtype=labels.dtype)
    for label in np.unique(labels):
        share = magnify(labels == label, grid_shape, shape, covered)
        better = share > best
        image[better], best[better] = label, share[better]
    return image
