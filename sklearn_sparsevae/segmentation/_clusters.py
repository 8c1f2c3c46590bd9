"""k-means as the segmenters need it."""

import warnings

from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning


def fit_k_means(X, n_clusters, n_init, seed, estimator=KMeans):
    """k-means that takes fewer distinct rows than clusters without complaint."""
    model = estimator(min(n_clusters, X.shape[0]), n_init=n_init, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X)
