"""Codes in any form as one matrix with a row per site."""

import numpy as np
from scipy import sparse

from sklearn_sparsevae._arguments import whole_number
from sklearn_sparsevae.codes import check_n_mean_atoms
from sklearn_sparsevae.metrics._input import as_array


def as_sites(codes, n_atoms=None):
    """Codes as a CSR array with one row per site."""
    if n_atoms is not None:
        whole_number(n_atoms, "n_atoms")
    if isinstance(codes, list | tuple) and any(hasattr(c, "sites") for c in codes):
        sites = join_sites(codes, n_atoms)
    elif hasattr(codes, "sites"):
        sites = join_sites([codes], n_atoms)
    else:
        sites = _plain_sites(codes, n_atoms)
    if 0 in sites.shape:
        raise ValueError(
            f"Got codes of {sites.shape[0]} sites and {sites.shape[1]} atoms; expected "
            "at least one of each."
        )
    if not np.isfinite(sites.data).all():
        raise ValueError("Got codes with NaN or infinite values; expected finite ones.")
    return sites


def join_sites(parts, n_atoms=None):
    """Sites of all SparseCodes of a list, as one CSR array.

    Their atoms must be as many, and as many as ``n_atoms`` where that is given; as many
    of them must code means.
    """
    for name in ("n_atoms", "n_mean_atoms"):
        found = {getattr(part, name, None) for part in parts}
        if None in found or len(found) > 1:
            raise ValueError(
                f"Got a list of codes with {name} of {found}; expected SparseCodes "
                "with equally many atoms per site, and as many of them for means, as "
                "transform gives them for photos of different sizes."
            )
    known = parts[0].n_atoms
    if n_atoms not in (None, known):
        raise ValueError(
            f"Got n_atoms={n_atoms} for codes of {known} atoms per site. Leave n_atoms "
            "out: the codes know their own."
        )
    sites = [sparse.csr_array(part.sites()) for part in parts]
    return sites[0] if len(sites) == 1 else sparse.vstack(sites, "csr")


def n_mean_atoms_of(codes, n_atoms, given=None):
    """How many of ``n_atoms`` atoms code means: what codes say, else what is given."""
    if given is not None:
        given = check_n_mean_atoms(given, n_atoms)
    part = codes[0] if isinstance(codes, list | tuple) else codes
    if not hasattr(part, "sites"):
        return given or 0
    if given not in (None, part.n_mean_atoms):
        raise ValueError(
            f"Got n_mean_atoms={given} for codes of n_mean_atoms={part.n_mean_atoms}. "
            "Leave it out: the codes know their own."
        )
    return part.n_mean_atoms


def _plain_sites(codes, n_atoms):
    """Sites of a matrix that does not know its grid."""
    if sparse.issparse(codes):
        if n_atoms is None:
            raise ValueError(
                f"Got a plain sparse matrix of shape {codes.shape} as codes, whose "
                "rows may be images or sites; expected SparseCodes, or n_atoms, the "
                "atoms per site: n_atoms=codes.shape[1] where a row is a site. What "
                "joins SparseCodes and keeps their grid is a list of them."
            )
    else:
        codes = as_array(codes, "codes")
    if codes.ndim != 2 or 0 in codes.shape:
        raise ValueError(
            f"Got codes of shape {codes.shape}; expected a matrix with one row per "
            "image or per site, and at least one row and column."
        )
    if codes.dtype.kind not in "fiu":
        raise ValueError(
            f"Got codes of type {codes.dtype}; expected real numbers. Convert them "
            "with .astype(float)."
        )
    if codes.dtype == np.float16:  # scipy's matrices know no halves
        codes = codes.astype(np.float32)
    sites = sparse.csr_array(codes)
    if not sites.has_canonical_format:  # repeated entries are one number
        sites = sites.copy()
        sites.sum_duplicates()
    if n_atoms is None or n_atoms == sites.shape[1]:
        return sites
    if sites.shape[1] % n_atoms:
        raise ValueError(
            f"Got codes with {sites.shape[1]} columns; expected a multiple of "
            f"n_atoms={n_atoms}. Pass the number of atoms of the model that made them."
        )
    return sites.reshape(-1, n_atoms).tocsr()
