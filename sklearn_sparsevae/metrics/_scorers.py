"""Scorers: several metrics of one estimator by name, in one pass."""

from sklearn_sparsevae.metrics._codes import (
    hoyer,
    nonzeros_per_site,
    usage_perplexity,
    zero_fraction,
)
from sklearn_sparsevae.metrics._images import psnr, ssim

_IMAGE_SCORES = {"psnr": psnr, "ssim": ssim}
_CODE_SCORES = {
    "hoyer": hoyer,
    "nonzeros": nonzeros_per_site,
    "zero_fraction": zero_fraction,
    "usage_perplexity": usage_perplexity,
}


def make_scorers(*names):
    """Make a scorer that measures several things by name in one pass.

    For ``scoring=`` of :class:`~sklearn.model_selection.GridSearchCV` and its like.
    The values are the plain ones of this package's functions, never negated: choose
    the best by ``refit="psnr"`` (or ``"ssim"``), not by a count of non-zeros, of which
    less is not always better.

    Parameters
    ----------
    *names : str
        Any of ``"psnr"``, ``"ssim"`` (of ``y`` if given, else of ``X``, and their
        reconstruction), ``"hoyer"``, ``"nonzeros"`` (per site), ``"zero_fraction"``,
        ``"usage_perplexity"`` (of the codes); all of them by default.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None)`` returns a dict of the named numbers. It codes
        ``X`` once, can be pickled, and takes any estimator, or Pipeline, that has
        ``transform`` and ``inverse_transform``.

    Raises
    ------
    ValueError
        If a name is not one of these.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_sparsevae.metrics import make_scorers
    >>> X = np.random.default_rng(0).random((30, 8))
    >>> search = GridSearchCV(
    ...     PCA(), {"n_components": [1, 4, 8]},
    ...     scoring=make_scorers("psnr", "nonzeros"), refit="psnr",
    ... ).fit(X)
    >>> search.best_params_, search.cv_results_["mean_test_nonzeros"]
    ({'n_components': 8}, array([1., 4., 8.]))
    """
    return _Scorers(names)


class _Scorers:
    """Measures of one estimator, computed together."""

    def __init__(self, names):
        known = [*_IMAGE_SCORES, *_CODE_SCORES]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ValueError(
                f"Got {', '.join(map(repr, unknown))} as scores to compute; expected "
                f"some of {', '.join(map(repr, known))}."
            )
        self.names = tuple(names) or tuple(known)

    def __repr__(self):
        return f"make_scorers({', '.join(map(repr, self.names))})"

    def __call__(self, estimator, X, y=None):
        target = X if y is None else y
        codes, images = self._outputs(estimator, X)
        return {
            name: _CODE_SCORES[name](codes)
            if name in _CODE_SCORES
            else _IMAGE_SCORES[name](target, images)
            for name in self.names
        }

    def _outputs(self, estimator, X):
        """Codes and reconstruction, each only if asked for, and never coded twice."""
        wants_codes = any(name in _CODE_SCORES for name in self.names)
        wants_images = any(name in _IMAGE_SCORES for name in self.names)
        if not wants_codes and hasattr(estimator, "reconstruct"):
            return None, estimator.reconstruct(X)
        codes = estimator.transform(X)
        return codes, estimator.inverse_transform(codes) if wants_images else None
