"""k-means as the segmenters need it."""

import contextlib
import functools
import warnings

import numpy as np
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

# Up to this many rows k-means is no slower on one thread than on two.
_FEW_ROWS = 20_000


@functools.cache
def _thread_pools():
    """Find the libraries with threads of their own, which takes 3 ms."""
    return ThreadpoolController()


def one_thread():
    """Context in which linear algebra stays on one thread.

    The matrices of one image are so small that threads mostly wait for one another:
    with two of them an image takes several times as long, on a busy machine ten times.
    """
    return _thread_pools().limit(limits=1)


def on_one_thread(function, *args):
    """Call with linear algebra on one thread, in whatever process this runs."""
    with one_thread():
        return function(*args)


def fit_k_means(X, n_clusters, n_init, seed, estimator=KMeans, weights=None):
    """k-means that takes fewer distinct rows than clusters without complaint."""
    model = estimator(min(n_clusters, X.shape[0]), n_init=n_init, random_state=seed)
    few = X.shape[0] <= _FEW_ROWS
    with warnings.catch_warnings(), one_thread() if few else contextlib.nullcontext():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, sample_weight=weights)


def distinct_rows(X):
    """Take equal rows together, so that they cannot be told apart by rounding.

    Parameters
    ----------
    X : csr_array in canonical format, without explicit zeros, or ndarray

    Returns
    -------
    distinct : csr_array or ndarray
        X without the repetitions, in the order of their first occurrence; X itself if
        all rows differ.
    group : ndarray of int of shape (n_rows,)
        Which of those each row is.
    weights : ndarray of float of shape (n_distinct,) or None
        How many rows each of them stands for; None if all rows differ.
    """
    if sparse.issparse(X):
        bounds = zip(X.indptr[:-1], X.indptr[1:])
        parts = [slice(start, stop) for start, stop in bounds]
        keys = ((X.indices[p].tobytes(), X.data[p].tobytes()) for p in parts)
    else:
        keys = (row.tobytes() for row in np.ascontiguousarray(X) + 0.0)  # no -0.0
    numbers = {}
    group = np.array([numbers.setdefault(key, len(numbers)) for key in keys])
    if len(numbers) == X.shape[0]:
        return X, group, None
    _, first, weights = np.unique(group, return_index=True, return_counts=True)
    return X[first], group, weights.astype(float)


def cluster_rows(X, n_clusters, n_init, seed):
    """Labels of k-means; the same for rows that are equal."""
    distinct, group, weights = distinct_rows(X)
    model = fit_k_means(distinct, n_clusters, n_init, seed, weights=weights)
    return model.labels_[group]
