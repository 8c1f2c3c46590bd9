"""Sparse codes as integers that an autoregressive model can predict, and back."""

import dataclasses

import numpy as np
from scipy import sparse

from sklearn_sparsevae.codes import SparseCodes, are_counts
from sklearn_sparsevae.training import CodeSpace

_N_LLOYD_STEPS = 20
_N_CELLS = 1024  # of the histogram from which the steps start


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """Between codes and tokens ``(n, n_sites, n_slots, 2)``.

    The last axis is an atom and the bin of its coefficient. Slots hold the atoms of a
    site in ascending order; those that are left have atom ``n_atoms`` and bin 0. Codes
    that are counts have an atom in as many slots as it counts, and a single bin.

    Attributes
    ----------
    space : CodeSpace
    levels : ndarray of shape (n_bins,)
        The coefficient that each bin stands for, ascending.
    image_shape : tuple or None
        Of the codes' images.
    n_mean_atoms : int
        Of the codes.
    """

    space: CodeSpace
    levels: np.ndarray
    image_shape: tuple | None
    n_mean_atoms: int

    @classmethod
    def learn(cls, codes, n_bins):
        """Find out from SparseCodes what tokens there are."""
        sites = codes.sites()
        # The total of a single site is no sign of anything.
        counts = codes.nnz > 0 and sites.shape[0] > 1 and are_counts(codes)
        n_slots = sites[[0]].sum() if counts else np.diff(sites.indptr).max()
        levels = np.ones(1) if counts else _levels(codes.data.astype(float), n_bins)
        space = CodeSpace(
            grid_shape=codes.grid_shape,
            n_atoms=codes.n_atoms,
            n_bins=len(levels),
            n_slots=max(1, int(n_slots)),
            counts=counts,
        )
        levels = levels.astype(np.float32)
        return cls(space, levels, codes.image_shape, codes.n_mean_atoms)

    def encode(self, codes):
        """Tokens of SparseCodes; what tokens cannot say is rounded to what they can.

        Coefficients go to the nearest level. Of the non-zeros of a site, the largest in
        magnitude are kept, as many as there are slots.
        """
        space, sites = self.space, codes.sites()
        atoms, values = sites.indices, sites.data
        rows = np.repeat(np.arange(sites.shape[0]), np.diff(sites.indptr))
        if space.counts:
            self._check_counts(codes, sites)
            n_times = values.astype(np.int64)
            rows, atoms = np.repeat(rows, n_times), np.repeat(atoms, n_times)
            bins = np.zeros_like(rows)
        else:
            by_magnitude = np.lexsort((-np.abs(values), rows))
            kept = np.sort(by_magnitude[_places(rows) < space.n_slots])
            rows, atoms, bins = rows[kept], atoms[kept], self._nearest(values[kept])
        tokens = np.zeros((sites.shape[0], space.n_slots, 2), np.int64)
        tokens[:, :, 0] = space.n_atoms
        tokens[rows, _places(rows)] = np.stack([atoms, bins], axis=1)
        return tokens.reshape(-1, space.n_sites, *tokens.shape[1:])

    def decode(self, tokens):
        """SparseCodes of tokens."""
        space = self.space
        atoms, bins = tokens[..., 0], tokens[..., 1]
        image, site, slot = np.nonzero(atoms < space.n_atoms)
        columns = site * space.n_atoms + atoms[image, site, slot]
        values = self.levels[bins[image, site, slot]]
        shape = len(tokens), space.n_sites * space.n_atoms
        places = np.stack([image, columns]).astype(_index_type(shape))
        # Adds up the atoms of counts.
        matrix = sparse.coo_array((values, tuple(places)), shape=shape).tocsr()
        return SparseCodes(
            matrix,
            grid_shape=space.grid_shape,
            n_atoms=space.n_atoms,
            image_shape=self.image_shape,
            n_mean_atoms=self.n_mean_atoms,
        )

    def n_tokens(self, tokens):
        """How many tokens each image has: atoms, bins if there are several, ends."""
        n_slots = tokens.shape[2]
        n_pairs = (tokens[..., 0] < self.space.n_atoms).sum(2)
        per_pair = 1 if len(self.levels) == 1 else 2
        return (per_pair * n_pairs + (n_pairs < n_slots)).sum(1)

    def _nearest(self, values):
        return np.searchsorted((self.levels[1:] + self.levels[:-1]) / 2, values)

    def _check_counts(self, codes, sites):
        n_slots = self.space.n_slots
        if are_counts(codes) and (sites.sum(axis=1) == n_slots).all():
            return
        raise ValueError(
            "Got codes that do not count the atoms of a site; expected positive "
            f"integers that add up to {n_slots} at every site, as in the codes of the "
            "fit. Pass codes of the model that those came from."
        )


def _index_type(shape):
    return sparse.get_index_dtype(maxval=max(shape))


def _places(rows):
    """Place of each entry among those of the same row; rows ascend."""
    return np.arange(len(rows)) - np.searchsorted(rows, rows)


def _levels(values, n_bins):
    """Levels with a small squared error: Lloyd's algorithm, from a good start.

    There levels are as dense as the cube root of the values' density, which is best for
    many levels (Panter and Dite, 1951). Where there are no more distinct values than
    levels, they are the levels.
    """
    levels = np.unique(values)
    if len(levels) <= n_bins:
        return levels if len(levels) else np.ones(1)
    values = np.sort(values)
    histogram, edges = np.histogram(values, _N_CELLS)
    share = np.append(0, np.cumsum(np.cbrt(histogram)))
    levels = np.interp((np.arange(n_bins) + 0.5) / n_bins * share[-1], share, edges)
    for _ in range(_N_LLOYD_STEPS):
        ends = np.searchsorted(values, (levels[1:] + levels[:-1]) / 2)
        members = [part for part in np.split(values, ends) if len(part)]
        levels = np.array([part.mean() for part in members])
    levels[levels == 0] = np.abs(values).min()  # a coefficient is not zero
    return levels
