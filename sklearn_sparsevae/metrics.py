"""What a reconstruction, a code and a segmentation are worth, in numbers.

Every image metric is computed per image and then averaged, every code metric over all
sites of all images. Images are ``(n, H, W, C)`` or ``(n, H, W)``, channels last:
``uint8`` is divided by 255, floats are taken as they are.
"""

import numpy as np
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from skimage.metrics import structural_similarity

__all__ = [
    "atom_usage",
    "dice",
    "hoyer",
    "iou",
    "make_scorers",
    "matched_iou",
    "nonzeros_per_site",
    "psnr",
    "ssim",
    "usage_perplexity",
    "zero_fraction",
]

_MAX_PSNR = 100.0  # dB: a root mean squared error of 1e-5 of the range
_SSIM_WINDOW = 11  # pixels: what sigma 1.5 spans in scikit-image


# Images ------------------------------------------------------------------------------


def psnr(y_true, y_pred, *, data_range=1.0, per_image=False):
    """Peak signal-to-noise ratio in decibels, per image and then averaged.

    ``10 log10(data_range^2 / MSE)``, where MSE is the mean over the pixels and channels
    of one image. The mean of the images' PSNR is at least the PSNR of the MSE pooled
    over them, by Jensen's inequality; papers use both.

    Parameters
    ----------
    y_true : array-like of shape (n_images, ...)
        Images, or rows of features; ``uint8`` covers the whole range.
    y_pred : array-like of the same shape
        Their reconstructions, taken without clipping.
    data_range : float, default=1.0
        Largest minus smallest value that a float can take. The values of ``y_true``
        may not span more.
    per_image : bool, default=False
        Return one number per image instead of their mean.

    Returns
    -------
    psnr : float, or ndarray of shape (n_images,)
        At most 100 dB, which is also what identical images get: a mean stays finite.
        Higher is better.

    Raises
    ------
    ValueError
        If the shapes differ, a value is not finite, or ``y_true`` spans more than
        ``data_range``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.metrics import psnr
    >>> photos = np.zeros((2, 8, 8, 3))
    >>> round(psnr(photos, photos + 0.1), 6)
    20.0
    >>> psnr(photos, photos + [[[[0.1]]], [[[0.01]]]], per_image=True).round(6)
    array([20., 40.])
    """
    pairs = _image_pairs(y_true, y_pred, data_range, min_ndim=2)
    mse = np.array([np.mean((true - pred) ** 2) for true, pred in pairs])
    floor = data_range**2 * 10 ** (-_MAX_PSNR / 10)
    values = 10 * np.log10(data_range**2 / np.maximum(mse, floor))
    return values if per_image else float(values.mean())


def ssim(y_true, y_pred, *, data_range=1.0, per_image=False):
    """Structural similarity of Wang et al. (2004), per image and then averaged.

    The original's Gaussian window of 11 by 11 pixels, ``sigma=1.5``, with population
    covariances, ``K1=0.01`` and ``K2=0.03``. The mean runs over the pixels whose window
    lies inside the image, then over the channels, then over the images.

    Parameters
    ----------
    y_true : array-like of shape (n_images, H, W, C) or (n_images, H, W)
        Images of at least 11 by 11 pixels; ``uint8`` covers the whole range.
    y_pred : array-like of the same shape
        Their reconstructions, taken without clipping.
    data_range : float, default=1.0
        Largest minus smallest value that a float can take. The values of ``y_true``
        may not span more.
    per_image : bool, default=False
        Return one number per image instead of their mean.

    Returns
    -------
    ssim : float, or ndarray of shape (n_images,)
        In [-1, 1], 1 for identical images. Higher is better.

    Raises
    ------
    ValueError
        As :func:`psnr`, and if an image is smaller than the window.

    References
    ----------
    Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli. "Image quality assessment:
    from error visibility to structural similarity". IEEE Transactions on Image
    Processing, 2004, Eq. 13 and section III-C.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_sparsevae.metrics import ssim
    >>> photos = np.random.default_rng(0).random((2, 16, 16, 3))
    >>> ssim(photos, photos)
    1.0
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.ndim not in (3, 4) or min(y_true.shape[1:3]) < _SSIM_WINDOW:
        raise ValueError(
            f"Got y_true of shape {y_true.shape}; expected (n_images, H, W, C) or "
            f"(n_images, H, W) with H and W of at least {_SSIM_WINDOW}, the window of "
            "SSIM. Give flat rows their image shape, and measure smaller images with "
            "psnr."
        )
    values = np.array(
        [
            structural_similarity(
                true,
                pred,
                data_range=data_range,
                channel_axis=-1 if true.ndim == 3 else None,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for true, pred in _image_pairs(y_true, y_pred, data_range, min_ndim=3)
        ]
    )
    return values if per_image else float(values.mean())


# Codes -------------------------------------------------------------------------------


def hoyer(codes, n_atoms=None):
    r"""Hoyer's sparsity of the codes, per site and then averaged.

    :math:`(\sqrt K - \|z\|_1 / \|z\|_2) / (\sqrt K - 1)` for the code `z` of one site
    over `K` atoms. It measures how unequal the magnitudes are, not how many are zero:
    see :func:`zero_fraction` for that.

    Parameters
    ----------
    codes : SparseCodes, sparse array or matrix, or array-like, 2-D
        Codes, one row per image, or per site where ``n_atoms`` is not given.
    n_atoms : int, optional
        Atoms per site of a plain matrix; :class:`~sklearn_sparsevae.codes.SparseCodes`
        knows its own.

    Returns
    -------
    hoyer : float
        In [0, 1]: 0 where all atoms weigh the same, 1 where each site has one atom. A
        site without any counts as 1.

    Raises
    ------
    ValueError
        If ``codes`` is not 2-D and finite, ``n_atoms`` does not divide its columns, or
        there is only one atom.

    References
    ----------
    P. O. Hoyer. "Non-negative matrix factorization with sparseness constraints". JMLR,
    2004, section 3.1.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import hoyer
    >>> hoyer([[0.0, 3.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    0.5
    """
    sites = _as_sites(codes, n_atoms)
    root = np.sqrt(sites.shape[1])
    if root == 1:
        raise ValueError(
            "Got codes of one atom per site; expected at least two, between which "
            "Hoyer's sparsity can tell. Pass n_atoms, or one column per atom."
        )
    l1 = _sum_per_site(sites, np.abs)
    l2 = np.sqrt(_sum_per_site(sites, np.square))
    ratio = np.divide(l1, l2, out=np.ones(len(l1)), where=l2 > 0)
    return float(np.clip((root - ratio) / (root - 1), 0.0, 1.0).mean())


def nonzeros_per_site(codes, n_atoms=None):
    """Count the non-zeros of a site's code, on average over all sites.

    Parameters
    ----------
    codes, n_atoms
        As in :func:`hoyer`.

    Returns
    -------
    nonzeros : float
        In [0, K] for K atoms. Lower is sparser.

    Raises
    ------
    ValueError
        If ``codes`` is not 2-D and finite, or ``n_atoms`` does not divide its columns.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import nonzeros_per_site
    >>> nonzeros_per_site([[0.0, 3.0, 0.0, 1.0, 1.0, 1.0]], n_atoms=3)
    2.0
    """
    sites = _as_sites(codes, n_atoms)
    return float(np.count_nonzero(sites.data) / sites.shape[0])


def zero_fraction(codes, n_atoms=None):
    """Fraction of the codes' coefficients that are exactly zero.

    Parameters
    ----------
    codes, n_atoms
        As in :func:`hoyer`.

    Returns
    -------
    fraction : float
        In [0, 1], over all atoms of all sites. Higher is sparser.

    Raises
    ------
    ValueError
        As :func:`nonzeros_per_site`.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import zero_fraction
    >>> zero_fraction([[0.0, 3.0, 0.0, 0.0]])
    0.75
    """
    sites = _as_sites(codes, n_atoms)
    return 1.0 - nonzeros_per_site(sites) / sites.shape[1]


def atom_usage(codes, n_atoms=None):
    """Count the sites that use each atom, over the whole set.

    Parameters
    ----------
    codes, n_atoms
        As in :func:`hoyer`.

    Returns
    -------
    usage : ndarray of int of shape (n_atoms,)
        Sites whose coefficient of that atom is not zero; 0 for a dead atom.

    Raises
    ------
    ValueError
        As :func:`nonzeros_per_site`.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import atom_usage
    >>> atom_usage([[0.0, 3.0, 0.0, 1.0, 1.0, 0.0]], n_atoms=3)
    array([1, 2, 0])
    """
    sites = _as_sites(codes, n_atoms)
    return np.bincount(sites.indices[sites.data != 0], minlength=sites.shape[1])


def usage_perplexity(codes, n_atoms=None):
    r"""Perplexity of the atoms' usage over the whole set.

    :math:`\exp(-\sum_k p_k \log p_k)`, where :math:`p_k` is the share of atom `k` in
    all non-zeros: the number of atoms that, used equally often, would be as varied.
    Give it a whole set: on a small batch it is bounded by the number of non-zeros.

    Parameters
    ----------
    codes, n_atoms
        As in :func:`hoyer`.

    Returns
    -------
    perplexity : float
        In [1, K] for K atoms, or 0 where no atom is used. Higher is more varied.

    Raises
    ------
    ValueError
        As :func:`nonzeros_per_site`.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import usage_perplexity
    >>> round(usage_perplexity([[1.0, 0.0, 0.0], [0.0, -2.0, 0.0]]), 6)
    2.0
    """
    usage = atom_usage(codes, n_atoms)
    if not usage.any():
        return 0.0
    share = usage[usage > 0] / usage.sum()
    return float(np.exp(-np.sum(share * np.log(share))))


# Segmentations -----------------------------------------------------------------------


def iou(y_true, y_pred, *, per_image=False):
    """Intersection over union of foreground masks, per image and then averaged.

    Parameters
    ----------
    y_true, y_pred : array-like of bool, or of 0 and 1, of shape (n_images, H, W)
        True and predicted masks. Any shape that agrees is taken, images first.
    per_image : bool, default=False
        Return one number per image instead of their mean.

    Returns
    -------
    iou : float, or ndarray of shape (n_images,)
        In [0, 1]; 1 where both masks are empty. Higher is better.

    Raises
    ------
    ValueError
        If the shapes differ or a mask holds anything but 0 and 1.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import iou
    >>> iou([[[1, 1], [0, 0]]], [[[1, 0], [0, 0]]])
    0.5
    """
    both, sizes = _overlaps(y_true, y_pred)
    return _mean_ratio(both, sizes - both, per_image)


def dice(y_true, y_pred, *, per_image=False):
    """Dice's coefficient (F1) of foreground masks, per image and then averaged.

    ``2 |A and B| / (|A| + |B|)``, which is ``2 iou / (1 + iou)`` on each image.

    Parameters
    ----------
    y_true, y_pred, per_image
        As in :func:`iou`.

    Returns
    -------
    dice : float, or ndarray of shape (n_images,)
        In [0, 1]; 1 where both masks are empty. Higher is better.

    Raises
    ------
    ValueError
        As :func:`iou`.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import dice
    >>> round(dice([[[1, 1], [0, 0]]], [[[1, 0], [0, 0]]]), 6)
    0.666667
    """
    both, sizes = _overlaps(y_true, y_pred)
    return _mean_ratio(2 * both, sizes, per_image)


def matched_iou(y_true, y_pred, *, per_image=False):
    """Mean intersection over union of label maps whose numbers mean nothing.

    In each image every true segment is matched to at most one predicted one, so that
    the sum of their IoU is largest (the Hungarian method). The image's score is the
    mean over its true segments; a segment left without a partner scores 0, and a
    predicted segment left over costs only what it took from the others.

    Parameters
    ----------
    y_true, y_pred : array-like of int of shape (n_images, H, W)
        True and predicted label maps.
    per_image : bool, default=False
        Return one number per image instead of their mean.

    Returns
    -------
    iou : float, or ndarray of shape (n_images,)
        In (0, 1]. Higher is better.

    Raises
    ------
    ValueError
        If the shapes differ or the labels are not integers.

    Examples
    --------
    >>> from sklearn_sparsevae.metrics import matched_iou
    >>> matched_iou([[[0, 0], [1, 1]]], [[[7, 7], [3, 3]]])
    1.0
    """
    y_true, y_pred = _label_maps(y_true, y_pred)
    values = np.array([_match(true, pred) for true, pred in zip(y_true, y_pred)])
    return values if per_image else float(values.mean())


# Scorers -----------------------------------------------------------------------------


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
    The values are the plain ones of this module's functions, never negated: choose the
    best by ``refit="psnr"`` (or ``"ssim"``), not by a count of non-zeros, of which less
    is not always better.

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


# Helpers -----------------------------------------------------------------------------


def _image_pairs(y_true, y_pred, data_range, min_ndim):
    """Check both sets and return an iterator over pairs of float64 images."""
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if data_range <= 0:
        raise ValueError(f"Got data_range={data_range}; expected a positive number.")
    if y_true.shape != y_pred.shape or y_true.ndim < min_ndim or not y_true.size:
        raise ValueError(
            f"Got y_true of shape {y_true.shape} and y_pred of shape {y_pred.shape}; "
            "expected the same shape (n_images, ...) with at least one value. Give a "
            "single image an axis of images in front: image[None]."
        )
    for name, images in (("y_true", y_true), ("y_pred", y_pred)):
        _check_values(images, name)
    _check_span(y_true, data_range)
    return (
        (_as_float(true, data_range), _as_float(pred, data_range))
        for true, pred in zip(y_true, y_pred)
    )


def _check_values(images, name):
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise ValueError(
            f"Got {name} of type {images.dtype}; expected uint8 or a floating type. "
            "Convert other integers to floats between 0 and data_range."
        )
    if not np.isfinite(images.max() - images.min()):
        raise ValueError(
            f"Got {name} with NaN, infinite or unbounded values; expected finite ones. "
            "Find them with numpy.isfinite."
        )


def _check_span(images, data_range):
    low, high = images.min(), images.max()
    if images.dtype == np.uint8 or float(high) - float(low) <= data_range * (1 + 1e-6):
        return
    raise ValueError(
        f"Got y_true from {low:.4g} to {high:.4g}; expected values that span at most "
        f"data_range={data_range}. Divide the images by their largest possible value, "
        "or pass the range that they have as data_range."
    )


def _as_float(image, data_range):
    scale = data_range / 255 if image.dtype == np.uint8 else 1.0
    return image.astype(np.float64) * scale


def _as_sites(codes, n_atoms=None):
    """Codes as a CSR array with one row per site."""
    if hasattr(codes, "sites"):
        _check_known_atoms(codes.n_atoms, n_atoms)
        codes = codes.sites()
    codes = codes if sparse.issparse(codes) else np.asarray(codes)
    if codes.ndim != 2 or 0 in codes.shape:
        raise ValueError(
            f"Got codes of shape {codes.shape}; expected a matrix with one row per "
            "image or per site, and at least one row and column."
        )
    sites = sparse.csr_array(codes)
    if not np.isfinite(sites.data).all():
        raise ValueError("Got codes with NaN or infinite values; expected finite ones.")
    if n_atoms is None or n_atoms == sites.shape[1]:
        return sites
    if n_atoms < 1 or sites.shape[1] % n_atoms:
        raise ValueError(
            f"Got codes with {sites.shape[1]} columns; expected a multiple of "
            f"n_atoms={n_atoms}. Pass the number of atoms of the model that made them."
        )
    return sites.reshape(-1, n_atoms).tocsr()


def _check_known_atoms(known, given):
    if given not in (None, known):
        raise ValueError(
            f"Got n_atoms={given} for codes of {known} atoms per site. Leave n_atoms "
            "out: the codes know their own."
        )


def _sum_per_site(sites, function):
    """Sum of ``function(z)`` over each row, in float64 and without a dense copy."""
    rows = np.repeat(np.arange(sites.shape[0]), np.diff(sites.indptr))
    weights = function(sites.data.astype(np.float64))
    return np.bincount(rows, weights=weights, minlength=sites.shape[0])


def _overlaps(y_true, y_pred):
    """Intersections and summed sizes of the masks of each image."""
    masks = _label_maps(y_true, y_pred)
    for mask in masks:
        if mask.min() < 0 or mask.max() > 1:
            raise ValueError(
                f"Got a mask with values from {mask.min()} to {mask.max()}; expected 0 "
                "and 1, or booleans. Compare label maps with matched_iou, or make "
                "masks of them: labels == foreground."
            )
    true, pred = (mask.reshape(len(mask), -1).astype(bool) for mask in masks)
    return (true & pred).sum(axis=1), true.sum(axis=1) + pred.sum(axis=1)


def _label_maps(y_true, y_pred):
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape or y_true.ndim < 2 or not y_true.size:
        raise ValueError(
            f"Got y_true of shape {y_true.shape} and y_pred of shape {y_pred.shape}; "
            "expected the same shape (n_images, H, W). Bring both to one resolution."
        )
    for name, labels in (("y_true", y_true), ("y_pred", y_pred)):
        if labels.dtype.kind not in "biu":
            raise ValueError(
                f"Got {name} of type {labels.dtype}; expected integers or booleans. "
                "Threshold soft masks first: mask > 0.5."
            )
    return y_true, y_pred


def _mean_ratio(numerator, denominator, per_image):
    values = np.divide(
        numerator, denominator, out=np.ones(len(numerator)), where=denominator > 0
    )
    return values if per_image else float(values.mean())


def _match(true, pred):
    """Mean IoU of the true segments of one image under the best matching."""
    true_labels, true = np.unique(true.ravel(), return_inverse=True)
    pred_labels, pred = np.unique(pred.ravel(), return_inverse=True)
    shape = (len(true_labels), len(pred_labels))
    both = np.zeros(shape)
    np.add.at(both, (true, pred), 1)
    union = both.sum(axis=1, keepdims=True) + both.sum(axis=0, keepdims=True) - both
    scores = both / union
    return scores[linear_sum_assignment(scores, maximize=True)].sum() / shape[0]
