"""Boundaries beside those that people drew, and textons in the place of codes."""

import io
import zipfile

import numpy as np
from scipy import sparse
from scipy.io import loadmat
from scipy.sparse.csgraph import maximum_flow
from skimage.morphology import thin
from sklearn.cluster import MiniBatchKMeans

# Largest distance of boundary pixels that match, as a share of the photo's diagonal.
TOLERANCE = 0.0075
N_TEXTONS = 32


def read_boundaries(archive, name):
    """Boundaries that people drew, a list of boolean maps, from a MATLAB file."""
    with zipfile.ZipFile(archive) as data:
        cells = loadmat(io.BytesIO(data.read(name)))["groundTruth"][0]
    return [cell["Boundaries"][0, 0].astype(bool) for cell in cells]


def count_matches(found, people):
    """Match thinned boundaries with those of people.

    As in the BSDS benchmark a pixel matches at most one of each person, and a found one
    counts as right if anyone drew it. There the matching has the smallest total
    distance; here it has the largest number of pairs, whatever their distances are.

    Returns
    -------
    counts : ndarray of shape (4,)
        Found pixels that match, found pixels, drawn pixels that match, drawn pixels.
    """
    found = thin(found)
    radius = TOLERANCE * np.hypot(*found.shape)
    right = np.zeros(int(found.sum()), dtype=bool)
    n_matched = 0
    for drawn in people:
        partner = match(found, drawn, radius)
        right |= partner >= 0
        n_matched += (partner >= 0).sum()
    n_drawn = sum(drawn.sum() for drawn in people)
    return np.array([right.sum(), right.size, n_matched, n_drawn])


def match(found, drawn, radius):
    """Partner of each pixel of one map in the other, or -1: as many as can be."""
    reach = int(radius)
    numbers = np.full(np.add(drawn.shape, 2 * reach), -1)
    inside = numbers[reach:-reach, reach:-reach]
    inside[drawn] = np.arange(drawn.sum())
    rows, columns = np.nonzero(found)
    pairs = [np.empty((2, 0), dtype=int)]
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            if down**2 + right**2 <= radius**2:
                other = numbers[rows + reach + down, columns + reach + right]
                near = np.flatnonzero(other >= 0)
                pairs.append(np.stack([near, other[near]]))
    one, other = np.concatenate(pairs, axis=1)
    partner = np.full(len(rows), -1)
    if not len(one):
        return partner
    # As a flow, since the search for alternating paths may stall along lines.
    n_found, n_drawn = len(rows), int(drawn.sum())
    first, second = 1 + np.arange(n_found), 1 + n_found + np.arange(n_drawn)
    last = 1 + n_found + n_drawn
    starts = np.concatenate([np.zeros_like(first), 1 + one, second])
    ends = np.concatenate([first, 1 + n_found + other, np.full_like(second, last)])
    capacity = np.ones(len(starts), dtype=np.int32)
    graph = sparse.csr_array((capacity, (starts, ends)), shape=(last + 1, last + 1))
    flow = sparse.coo_array(maximum_flow(graph, 0, last, method="dinic").flow)
    used = (flow.data > 0) & (flow.row > 0) & (flow.col > n_found) & (flow.col < last)
    partner[flow.row[used] - 1] = flow.col[used] - 1 - n_found
    return partner


def f_measure(counts):
    """F of summed counts: the harmonic mean of precision and recall."""
    right, found, matched, drawn = np.maximum(counts, 1e-9)
    precision, recall = right / found, matched / drawn
    return 2 * precision * recall / (precision + recall)


class Textons:
    """Clusters of filter responses of training photos, each pixel in one of them."""

    def __init__(self, lightness, seed):
        """Learn from a list of maps of lightness."""
        rng, self.bank = np.random.RandomState(seed), _bank()
        sample = [self._responses(one) for one in lightness]
        sample = [one[rng.choice(len(one), 1000, replace=False)] for one in sample]
        self.model = MiniBatchKMeans(N_TEXTONS, n_init=1, random_state=seed)
        self.model.fit(np.concatenate(sample))

    def __call__(self, lightness):
        """Return the texton of each pixel as shares ``(H, W, N_TEXTONS)``."""
        texton = self.model.predict(self._responses(lightness))
        return np.eye(N_TEXTONS, dtype=np.float32)[texton].reshape(*lightness.shape, -1)

    def _responses(self, lightness):
        side = self.bank.shape[1]
        padded = np.pad(np.asarray(lightness, np.float32), side // 2, mode="symmetric")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side))
        flat = windows.reshape(-1, side**2) @ self.bank.reshape(len(self.bank), -1).T
        return np.ascontiguousarray(flat)


def _bank():
    """Sixteen odd and even filters in eight directions, and one that is round."""
    rows, columns = np.mgrid[-4:5, -4:5].astype(float)
    filters = []
    for angle in np.arange(8) * np.pi / 8:
        across = columns * np.cos(angle) + rows * np.sin(angle)
        along = rows * np.cos(angle) - columns * np.sin(angle)
        envelope = np.exp(-(across**2) / 2 - along**2 / (2 * 2.5**2))
        filters += [-across * envelope, (across**2 - 1) * envelope]
    squared = rows**2 + columns**2
    narrow, wide = np.exp(-squared / 2), np.exp(-squared / 8)
    filters.append(narrow / narrow.sum() - wide / wide.sum())
    filters = np.array(filters, np.float32)
    filters -= filters.mean(axis=(1, 2), keepdims=True)
    return filters / np.abs(filters).sum(axis=(1, 2), keepdims=True)
