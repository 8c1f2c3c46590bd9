"""Codes of the sites of a region, averaged: what is there, not where exactly."""

import math

import numpy as np
from scipy import sparse

SIGNS = ("apart", "ignored")


def region_of_sites(grid_shape, pooled_shape):
    """Region of every site of a grid, both in reading order.

    Parameters
    ----------
    grid_shape, pooled_shape : tuple of int
        Sites, and regions, per column and per row. Regions differ by one site in height
        or width where they do not divide the grid.

    Returns
    -------
    regions : ndarray of int of shape (h * w,)

    Raises
    ------
    ValueError
        When there are more regions than sites along an axis.
    """
    if any(n > m for n, m in zip(pooled_shape, grid_shape, strict=True)):
        raise ValueError(
            f"Got {pooled_shape[0]} by {pooled_shape[1]} regions for codes of a "
            f"{grid_shape[0]} by {grid_shape[1]} grid; expected at least one site in "
            "each region. Ask for fewer regions."
        )
    rows, columns = (
        np.arange(m) * n // m for n, m in zip(pooled_shape, grid_shape, strict=True)
    )
    return (rows[:, None] * pooled_shape[1] + columns).ravel()


def pooled(codes, pooled_shape, signs):
    """Mean codes of regions as a CSR array, and its atoms a region; see `pool`."""
    n_parts = 2 if signs == "apart" else 1
    regions = region_of_sites(codes.grid_shape, pooled_shape)
    sites, atoms = np.divmod(codes.indices.astype(np.int64), codes.n_atoms)
    columns = (regions[sites] * codes.n_atoms + atoms) * n_parts
    if signs == "apart":
        columns += codes.data < 0
    dtype = np.result_type(codes.data, np.float32)
    shares = abs(codes.data.astype(dtype)) / np.bincount(regions)[regions[sites]]
    n_columns = math.prod(pooled_shape) * codes.n_atoms * n_parts
    shape = (codes.shape[0], n_columns)
    parts = shares.astype(dtype), columns, codes.indptr.astype(np.int64)
    matrix = sparse.csr_array(parts, shape=shape)
    matrix.sum_duplicates()
    return matrix, codes.n_atoms * n_parts
