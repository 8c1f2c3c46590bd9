"""Scorers: metrics of an estimator by name."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline

from sklearn_sparsevae.metrics._codes import (
    hoyer,
    nonzeros_per_site,
    usage_perplexity,
    zero_fraction,
)
from sklearn_sparsevae.metrics._images import peak_psnr, peak_ssim, psnr, ssim
from sklearn_sparsevae.metrics._input import as_set
from sklearn_sparsevae.metrics._masks import (
    dice,
    iou,
    matched_iou,
    segmentation_covering,
)

_IMAGE_SCORES = {"psnr": psnr, "ssim": ssim}
# The same with the peak of a fit, which images may exceed.
_PEAK_SCORES = {"psnr": peak_psnr, "ssim": peak_ssim}
_CODE_SCORES = {
    "hoyer": hoyer,
    "nonzeros": nonzeros_per_site,
    "zero_fraction": zero_fraction,
    "usage_perplexity": usage_perplexity,
}
_MASK_SCORES = {
    "iou": iou,
    "dice": dice,
    "matched_iou": matched_iou,
    "covering": segmentation_covering,
}
_WITHOUT_MASKS = (*_IMAGE_SCORES, *_CODE_SCORES)
_ALL = (*_WITHOUT_MASKS, *_MASK_SCORES)


def make_scorers(*names: str) -> Callable[..., Any]:
    """Make a scorer by name, or one that measures several things in one pass.

    For ``scoring=`` of :func:`~sklearn.model_selection.cross_val_score`,
    :class:`~sklearn.model_selection.GridSearchCV` and their like. The values are the
    plain ones of this package's functions, never negated: choose the best by
    ``refit="psnr"`` (or ``"ssim"``), not by a count of non-zeros, of which less is not
    always better.

    Parameters
    ----------
    *names : str
        Any of ``"psnr"``, ``"ssim"`` (of images and their reconstruction), ``"hoyer"``,
        ``"nonzeros"`` (per site), ``"zero_fraction"``, ``"usage_perplexity"`` (of the
        codes), ``"iou"``, ``"dice"``, ``"matched_iou"``, ``"covering"`` (of ``y``,
        masks or label maps, and ``estimator.predict(X)``). Without a name all that need
        no masks.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None)`` returns a number for one name, and a dict of
        numbers for several. It can be pickled.

    Raises
    ------
    ValueError, TypeError
        If a name is not one of these, or given twice.

    Notes
    -----
    For estimators of this package, alone, last in a Pipeline or in a fitted search,
    ``"psnr"`` is ``estimator.score(X, y)``: the peak is that of the fit, and ``y`` is
    compared with only if the estimator has ``target="y"``. Any other estimator, or
    Pipeline, needs ``transform`` and ``inverse_transform``; ``X`` is compared with,
    never ``y``, floats having a range of 1 and unsigned integers that of their dtype. A
    dense code is that of one site, with as many atoms as columns. Atoms that code
    channel means are left out of ``"usage_perplexity"``, and count in the other scores
    of codes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import GridSearchCV, cross_val_score
    >>> from sklearn_sparsevae.metrics import make_scorers
    >>> X = np.random.default_rng(0).random((30, 8))
    >>> cross_val_score(PCA(8), X, scoring=make_scorers("psnr"), cv=3).round()
    array([100., 100., 100.])
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
        expected = f"expected some of {', '.join(map(repr, _ALL))}"
        for name in names:
            if not isinstance(name, str):
                raise TypeError(
                    f"Got {name!r} as the name of a score; {expected}, each an "
                    "argument of its own."
                )
        if unknown := [name for name in names if name not in _ALL]:
            raise ValueError(
                f"Got {', '.join(map(repr, unknown))} as scores to compute; {expected}."
            )
        if len(set(names)) < len(names):
            raise ValueError(f"Got the names {names}; expected each of them once.")
        self.names = tuple(names) or _WITHOUT_MASKS

    def __repr__(self):
        return f"make_scorers({', '.join(map(repr, self.names))})"

    def __call__(self, estimator, X, y=None):
        if isinstance(estimator, type):
            raise TypeError(
                f"Got the class {estimator.__name__} as estimator; fit one."
            )
        images, codes, masks = (
            [name for name in self.names if name in table]
            for table in (_IMAGE_SCORES, _CODE_SCORES, _MASK_SCORES)
        )
        step, step_X = comparing_step(estimator, X)
        compares = hasattr(step, "compare")
        found = _codes(step, step_X) if codes or (images and not compares) else None
        values = {}
        if images and compares:
            values |= _scores_of_fit(images, step, step_X, y)
        elif images:
            values |= _scores_of_inverse(images, step, step_X, found)
        if codes:
            sites, n_atoms = _sites(step, found)
            values |= {name: _CODE_SCORES[name](sites, n_atoms) for name in codes}
        if masks:
            values |= _scores_of_labels(masks, estimator, X, y)
        values = {name: values[name] for name in self.names}
        return values if len(values) > 1 else values[self.names[0]]


def comparing_step(estimator, X):
    """Find the estimator of this package in a search or last in a Pipeline.

    Returns it and what it gets of ``X``; or the estimator as it is, and ``X``.
    """
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, Pipeline) or not _compares(estimator):
        return estimator, X
    before = estimator[:-1]
    return comparing_step(estimator[-1], before.transform(X) if len(before) else X)


def _compares(estimator):
    estimator = getattr(estimator, "best_estimator_", estimator)
    if isinstance(estimator, Pipeline):
        return _compares(estimator[-1])
    # A pandas DataFrame has a method of that name, too.
    return hasattr(estimator, "compare") and not hasattr(estimator, "columns")


def _scores_of_fit(names, step, X, y):
    """Scores of images that the estimator itself compares, with its own peak."""
    targets, outputs = step.compare(X, y)
    if "ssim" in names and np.ndim(targets[0]) == 1:  # rows that are images
        targets, outputs = (
            rows.reshape(len(rows), *step.image_shape_) for rows in (targets, outputs)
        )
    peak = step.data_range_
    return {n: float(_PEAK_SCORES[n](targets, outputs, peak).mean()) for n in names}


def _scores_of_inverse(names, estimator, X, codes):
    """Scores of what ``inverse_transform`` makes of codes, in the numbers of ``X``."""
    _need(estimator, "inverse_transform", names)
    targets, outputs = as_set(X, "X"), estimator.inverse_transform(codes)
    dtypes = {image.dtype for image in targets}
    peak = 1.0
    if len(dtypes) == 1 and next(iter(dtypes)).kind == "u":
        # Integers, too, come back as floats of the same numbers.
        peak = float(np.iinfo(dtypes.pop()).max)
        targets = [image.astype(np.float64) for image in targets]
    outputs = np.asarray(outputs)
    return {n: _IMAGE_SCORES[n](targets, outputs, data_range=peak) for n in names}


def _codes(estimator, X):
    """Codes whatever `set_output` says: SparseCodes, a list, a matrix or an array."""
    if hasattr(estimator, "_codes_of"):
        return estimator._codes_of(X)
    _need(estimator, "transform", ("codes",))
    codes = estimator.transform(X)
    if sparse.issparse(codes) or isinstance(codes, list):
        return codes
    return np.asarray(codes)


def _sites(estimator, codes):
    """Codes as metrics take them, and the atoms of a site where these must be told."""
    parts = codes if isinstance(codes, list) else [codes]
    if all(hasattr(part, "sites") for part in parts):
        return codes, None
    n_atoms = parts[0].shape[1]
    components = getattr(estimator, "components_", None)
    if hasattr(estimator, "_codes_of") and isinstance(components, np.ndarray):
        n_atoms = len(components)  # a dense code of several sites
    if isinstance(codes, list):
        codes = np.concatenate([np.reshape(part, (-1, n_atoms)) for part in parts])
    return codes, n_atoms


def _scores_of_labels(names, estimator, X, y):
    """Scores of the label maps that an estimator predicts, where there are masks."""
    if y is None:
        raise ValueError(
            f"Got y=None for {', '.join(map(repr, names))}; expected masks or label "
            "maps as y, to compare the predicted ones with."
        )
    _need(estimator, "predict", names)
    y = as_set(y, "y")
    if not isinstance(y, list) and y.ndim == 4 and y.shape[-1] == 1:
        y = y[..., 0]
    labels = estimator.predict(X)
    return {name: _MASK_SCORES[name](y, labels) for name in names}


def _need(estimator, method, names):
    if not hasattr(estimator, method):
        raise TypeError(
            f"Got the estimator {type(estimator).__name__}, which has no {method}; "
            f"expected one that has, for {', '.join(map(repr, names))}."
        )
