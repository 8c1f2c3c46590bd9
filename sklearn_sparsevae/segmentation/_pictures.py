"""What boundaries are looked for in: the colours and the codes of one image."""

import math
from typing import NamedTuple

import numpy as np

from sklearn_sparsevae.segmentation._edges import shrink_thumbnail
from sklearn_sparsevae.segmentation._sites import (
    block_average,
    covered_shape,
    has_one_color,
    look,
    perceived_colors,
    site_appearance,
)

# Larger pictures are averaged to at most this many pixels: photos of BSDS500, at half
# of their resolution, have 40,000. Finer grids of sites likewise.
MAX_PIXELS = 2**16
MAX_SITES = 4096
# Smaller pictures are repeated so that the longer side has more than half of this.
_LONG_SIDE = 64


class Picture(NamedTuple):
    """Colours of one image, as its codes carry them along, and its codes.

    Attributes
    ----------
    color : ndarray of shape (H, W, n_channels)
        CIE Lab, lightness alone of grey photos, or what stands for colours.
    is_lab : bool
    is_flat : bool
        Whether the image has neither colours nor textures that differ.
    pixel : tuple of float (height, width)
        Size of one of its pixels, in pixels of the label map that is asked for.
    code_shares : ndarray of float32 of shape (h, w, n_atoms + 1)
        Share of each atom in each site, the last of none; sum to 1.
    site : tuple of float (height, width)
        Size of a site, in pixels of the label map.
    """

    color: np.ndarray
    is_lab: bool
    is_flat: bool
    pixel: tuple
    code_shares: np.ndarray
    site: tuple

    def spread(self, values, shape):
        """Value of the pixel of this picture at every pixel of the label map."""
        rows, columns = (
            np.minimum(((np.arange(size) + 0.5) / side).astype(int), n - 1)
            for size, side, n in zip(shape, self.pixel, values.shape)
        )
        return values[np.ix_(rows, columns)]


def picture_of(codes, on_grid):
    """Colours of one image, of its thumbnail or else of its sites, and its codes.

    Parameters
    ----------
    codes : SparseCodes of shape (1, n_features)
    on_grid : bool
        Whether a label for each site is asked for, rather than one for each pixel.
    """
    if codes.thumbnails is None:
        average, shape = block_average(codes.grid_shape, MAX_PIXELS)
        rows = average @ codes.sites().astype(np.float64)
        color = site_appearance(rows, None)
        color, is_lab = (color - color.mean(axis=0)).reshape(*shape, -1), False
        pixel = _size(codes, shape, on_grid)
    else:
        thumbnail = codes.thumbnails[0]
        pixel = _size(codes, thumbnail.shape[:2], on_grid)
        thumbnail = _crop(codes, thumbnail)
        small = shrink_thumbnail(thumbnail, MAX_PIXELS)
        step = math.ceil(max(thumbnail.shape[:2]) / max(small.shape[:2]))
        pixel = [side * step for side in pixel]
        n_channels = small.shape[2]
        color = perceived_colors(small / 255).reshape(*small.shape[:2], -1)
        color = color[..., :1] if n_channels == 1 else color
        is_lab = n_channels in (1, 3)
        if not is_lab:
            color = color - color.mean(axis=(0, 1))
    is_flat = codes.thumbnails is None or has_one_color(codes)
    is_flat = is_flat and look(codes).is_flat
    shares = _code_shares(codes)
    times = max(1, _LONG_SIDE // max(color.shape[:2]))
    color = color.repeat(times, axis=0).repeat(times, axis=1)
    return Picture(
        color,
        is_lab,
        is_flat,
        tuple(side / times for side in pixel),
        shares,
        tuple(_size(codes, shares.shape[:2], on_grid)),
    )


def _code_shares(codes):
    """Share of each atom but those of the mean; half is none where usage is typical."""
    average, shape = block_average(codes.grid_shape, MAX_SITES)
    usage = (average @ abs(codes.sites()).astype(np.float64)).toarray()
    usage = usage[:, codes.n_mean_atoms :]
    usage = (usage / (usage.max(initial=0) or 1)).astype(np.float32)
    total = usage.sum(axis=1, keepdims=True)
    rest = np.full_like(total, np.median(total) or 1)
    shares = np.hstack([usage, rest]) / (total + rest)
    return shares.reshape(*shape, -1)


def _size(codes, shape, on_grid):
    """Size of a pixel of a picture of the whole grid."""
    whole = codes.grid_shape
    if not on_grid:
        whole = covered_shape(codes.grid_shape, codes.image_shape[:2])
    return [n_whole / n for n_whole, n in zip(whole, shape)]


def _crop(codes, thumbnail):
    """Leave out what a thumbnail shows beyond the photo, where its grid ends later."""
    if codes.image_shape is None:
        return thumbnail
    photo = codes.image_shape[:2]
    covered = covered_shape(codes.grid_shape, photo)
    height, width = (
        math.ceil(n * p / c) for n, p, c in zip(thumbnail.shape, photo, covered)
    )
    return thumbnail[:height, :width]
