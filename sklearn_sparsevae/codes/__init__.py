"""Sparse codes of images: a CSR array that remembers the grid its columns came from.

One row is one image. Its columns run over sites in reading order and over the atoms
of each site: column ``(row * w + column) * n_atoms + atom`` on an ``(h, w)`` grid.
Every consumer of a :class:`scipy.sparse.csr_array` can use such codes as they are;
the grid is there for those who want to go back to images or to label maps.
"""

from sklearn_sparsevae.codes._checks import (
    check_n_mean_atoms as check_n_mean_atoms,  # not public: metrics ask it
)
from sklearn_sparsevae.codes._conversion import as_codes, concatenate_codes
from sklearn_sparsevae.codes._counts import (
    are_counts as are_counts,  # not public: estimators and metrics ask it
)
from sklearn_sparsevae.codes._pooling import (
    region_of_sites as region_of_sites,  # not public: estimators and segmenters ask it
)
from sklearn_sparsevae.codes._quantization import quantize_codes
from sklearn_sparsevae.codes._saving import load_codes, save_codes
from sklearn_sparsevae.codes._sparse_codes import SparseCodes

__all__ = [
    "SparseCodes",
    "as_codes",
    "concatenate_codes",
    "load_codes",
    "quantize_codes",
    "save_codes",
]
