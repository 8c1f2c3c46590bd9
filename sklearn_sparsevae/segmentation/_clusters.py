"""k-means as the segmenters need it."""

import contextlib
import functools
import warnings

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


def fit_k_means(X, n_clusters, n_init, seed, estimator=KMeans):
    """k-means that takes fewer distinct rows than clusters without complaint."""
    model = estimator(min(n_clusters, X.shape[0]), n_init=n_init, random_state=seed)
    few = X.shape[0] <= _FEW_ROWS
    with warnings.catch_warnings(), one_thread() if few else contextlib.nullcontext():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X)
