"""Codes that count atoms rather than weigh them."""

import numpy as np


def are_counts(codes):
    """Whether codes count atoms rather than weigh them.

    So the codes of vector quantisation do: positive integers, which add up to the same
    number of levels at every site. Codes without a non-zero count nothing.
    """
    if codes.nnz == 0:
        return True
    if (codes.data < 0).any() or (codes.data % 1).any():
        return False
    return bool(np.ptp(codes.sites().sum(axis=1, dtype=np.float64)) == 0)
