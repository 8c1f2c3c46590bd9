"""Index arithmetic between sites and columns."""

import numpy as np
from scipy import sparse

from sklearn_sparsevae.codes._checks import as_integers, as_values, check_sites

_MAX_INT32 = np.iinfo(np.int32).max


def assemble(values, atoms, counts, n_sites, n_atoms):
    """CSR array of the non-zeros of each site; see `SparseCodes.from_sites`."""
    values, atoms = as_values(values), as_integers(atoms, "atoms")
    counts = as_integers(counts, "counts")
    check_sites(values, atoms, counts, n_sites, n_atoms)
    counts = counts.reshape(counts.size // n_sites, n_sites)
    columns = _columns(atoms, counts, n_atoms)
    shape = (len(counts), n_sites * n_atoms)
    pointer = _row_pointer(counts, shape[1])
    return sparse.csr_array((values, columns, pointer), shape=shape)


def split_sites(codes, n_sites, n_atoms):
    """CSR array with one row per site; shares the data of the codes."""
    counts = np.empty((codes.shape[0], n_sites), dtype=np.int64)
    for i, (start, stop) in enumerate(zip(codes.indptr[:-1], codes.indptr[1:])):
        site = codes.indices[start:stop] // n_atoms
        counts[i] = np.bincount(site, minlength=n_sites)
    pointer = _row_pointer(counts.reshape(-1, 1), n_atoms, codes.nnz)
    atoms = np.remainder(
        codes.indices,
        n_atoms,
        out=np.empty(codes.nnz, dtype=pointer.dtype),
        casting="same_kind",
    )
    shape = (counts.size, n_atoms)
    return sparse.csr_array((codes.data, atoms, pointer), shape=shape)


def _columns(atoms, counts, n_atoms):
    """Column of every value: its site times n_atoms, plus its atom."""
    n_images, n_sites = counts.shape
    dtype = _index_dtype(n_sites * n_atoms, len(atoms))
    columns = np.empty(len(atoms), dtype=dtype)
    if len(atoms) == 0:
        return columns
    first = np.arange(n_sites, dtype=dtype) * dtype(n_atoms)
    start = 0
    for row in counts:  # one image at a time keeps the temporaries small
        stop = start + int(row.sum())
        columns[start:stop] = np.repeat(first, row)
        start = stop
    return np.add(columns, atoms, out=columns, casting="same_kind")


def _row_pointer(counts, n_columns, nnz=None):
    """CSR row pointer of rows that hold ``counts.sum(axis=1)`` values."""
    nnz = int(counts.sum()) if nnz is None else nnz
    pointer = np.zeros(len(counts) + 1, dtype=_index_dtype(n_columns, nnz))
    np.cumsum(counts.sum(axis=1), out=pointer[1:])
    return pointer


def _index_dtype(*largest):
    """Smallest index type that scikit-learn accepts, if the numbers fit."""
    return np.int32 if max(largest) <= _MAX_INT32 else np.int64


def narrow(matrix):
    """Give a CSR array indices of 32 bits where they fit; changes it in place."""
    dtype = _index_dtype(matrix.shape[1], matrix.nnz)
    matrix.indices = matrix.indices.astype(dtype, copy=False)
    matrix.indptr = matrix.indptr.astype(dtype, copy=False)


def canonical(codes):
    """Sort and drop explicit zeros without touching arrays that the caller holds."""
    if not codes.has_sorted_indices:
        codes.data = codes.data.copy()
        codes.sort_indices()
    if not codes.has_canonical_format:
        raise ValueError(
            "Got codes with an atom more than once in one site; expected every atom at "
            "most once per site. Add up the values of repeated atoms first."
        )
    if np.count_nonzero(codes.data) < codes.nnz:
        codes.data = codes.data.copy()
        codes.eliminate_zeros()
    return codes
