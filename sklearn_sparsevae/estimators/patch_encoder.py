"""Codes of overlapping patches: features for linear classifiers, without a network."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, _fit_context
from sklearn.utils.validation import check_is_fitted

from sklearn_sparsevae._arguments import naming, random_numbers, write_blocks
from sklearn_sparsevae._typing import Grid, Images, Unused
from sklearn_sparsevae.codes import region_of_sites
from sklearn_sparsevae.estimators import _parameters as groups
from sklearn_sparsevae.estimators._collecting import collect_codes
from sklearn_sparsevae.estimators._docs import shares_parameters
from sklearn_sparsevae.estimators._image_estimator import ImageEstimator
from sklearn_sparsevae.estimators._parameters import NOT_NEGATIVE, POSITIVE_INT
from sklearn_sparsevae.training import PatchCoder, PatchDictionary

# Patches to learn from, and photos of which they are taken at most.
_N_PATCHES, _N_PHOTOS = 100_000, 10_000


@shares_parameters()
class PatchEncoder(
    groups.Images,
    groups.Computing,
    groups.Loading,
    ClassNamePrefixFeaturesOutMixin,
    ImageEstimator,
):
    """Pooled sparse codes of overlapping patches, as features for linear classifiers.

    The recipe of Coates, Ng and Lee [1]_ [2]_. Patches from all places of an image are
    freed of brightness and contrast and whitened; the code of a patch p over unit atoms
    D is one step of ISTA from zero, a soft threshold::

        z = sign(D p) max(|D p| - alpha, 0)

    and the codes of the regions of an image are averaged, positive and negative values
    apart, see :meth:`~sklearn_sparsevae.SparseCodes.pool`. The atoms are learned from
    patches without labels. Nothing is trained by gradients, and there is no way back to
    images: where codes have to be short, or be decoded, take one of the autoencoders.

    Nearly all pooled codes are other than zero, so that they come as a dense array.
    Scale them before they are classified::

        make_pipeline(PatchEncoder(), StandardScaler(), RidgeClassifier(alpha=1000))

    Parameters
    ----------
    n_components : int, default=800
        Number of atoms K.
    patch_size : int, default=6
        Pixels along a side of a patch.
    stride : int, default=1
        Pixels from one patch to the next. 2 takes a quarter of the time, and costs
        about four of a hundred right answers on images of 32x32 pixels.
    alpha : float, default=0.5
        Threshold. The products that it is taken from have a deviation near 1.
    pool : tuple of int (h, w) or None, default=(2, 2)
        Regions per column and row whose codes are averaged. None keeps the codes of all
        patches, sparse; they take much memory.
    {parameters}

    Attributes
    ----------
    components_ : ndarray of shape (n_components, patch_size * patch_size * C)
        Unit atoms, of white patches: rows of pixels, of each its channels.
    {image_attributes}

    See Also
    --------
    sklearn_sparsevae.SparseCodes.pool : The same regions, for codes of any estimator.

    Notes
    -----
    Rows that are vectors are one patch each.

    References
    ----------
    .. [1] A. Coates, H. Lee, A. Y. Ng. "An Analysis of Single-Layer Networks in
       Unsupervised Feature Learning". AISTATS 2011.
    .. [2] A. Coates, A. Y. Ng. "The Importance of Encoding Versus Training with Sparse
       Coding and Vector Quantization". ICML 2011.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_sparsevae import PatchEncoder
    >>> images = load_digits().images[:200] / 16
    >>> encoder = PatchEncoder(32, patch_size=4, random_state=0).fit(images)
    >>> encoder.transform(images).shape  # 2 x 2 regions, 32 atoms, two signs
    (200, 256)
    """

    _parameter_constraints = {
        "n_components": [POSITIVE_INT],
        "patch_size": [POSITIVE_INT],
        "stride": [POSITIVE_INT],
        "alpha": [NOT_NEGATIVE],
        "pool": [tuple, list, None],
    }

    n_components: int = dataclasses.field(default=800, kw_only=False)
    patch_size: int = 6
    stride: int = 1
    alpha: float = 0.5
    pool: Grid | None = (2, 2)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Images, y: Unused = None) -> Self:
        """Learn atoms from patches of images.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features), or sequence
            Images of any size that holds a patch, in a list or a lazy sequence where
            they differ, as in the other estimators. 100,000 patches at random places of
            at most 10,000 of them are learned from.
        y : Ignored
            Not used.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            When ``X`` is not as described, or ``pool`` asks for more regions than
            there are patches.
        """
        _check_pool(self.pool)
        photos, spec, names = self._open_to_fit(X, None, self._make_spec())
        is_vector = photos.layout.is_vector
        size = (1, 1) if is_vector else (self.patch_size, self.patch_size)
        _check_sides(photos, size)
        random = random_numbers(self.random_state)
        patches = _draw_patches(photos, size, random)
        seed = random.randint(2**31 - 1)
        learned = PatchDictionary.learn(patches, self.n_components, seed)
        pool = (1, 1) if is_vector and self.pool is not None else self.pool
        coding = {"size": size, "stride": self.stride, "alpha": float(self.alpha)}
        coder = PatchCoder(learned, device=self.device, **coding)
        if pool is not None:
            for shape in set(photos.shapes):
                _regions(coder.grid_shape(shape), pool)
        self._learned, self._coding, self._pool = vars(learned), coding, pool
        known = photos
        if not photos.is_one_size:
            known = photos.with_crops(photos.smallest_side)
        self._keep_input(known, spec, names)
        return self

    def transform(self, X: Images) -> NDArray[np.float32] | Any:
        """Codes of images.

        Parameters
        ----------
        X : array-like of shape (n, H, W, C), (n, H, W) or (n, n_features), or sequence
            As in `fit`; of any size that holds a patch in each region, also of
            different sizes in a list or a lazy sequence, which is read batch by batch.

        Returns
        -------
        features : ndarray of float32 of shape (n, h * w * 2 * n_components)
            Region after region, atom ``k`` of each with column ``2 * k`` for its
            positive and ``2 * k + 1`` for its negative values. With ``pool=None``
            instead SparseCodes, with a site for each patch, in a list where images
            differ in size.
        """
        with self._counted(self._open(X), "transform") as photos:
            if self._pool is None:
                return photos.gather(self._code(part) for part in photos.parts())
            return np.concatenate([self._features(part) for part in photos.parts()])

    def _code(self, photos):
        """Codes of photos of one size."""
        coder, grid_shape, batches = self._batches(photos)
        codes, _ = collect_codes(
            ((*coder.code(images), np.empty((len(images), 0))) for images in batches),
            len(photos),
            grid_shape=grid_shape,
            n_atoms=coder.n_components,
            n_mean_atoms=0,
        )
        return codes

    def _features(self, photos):
        """Pooled codes of photos of one size."""
        coder, grid_shape, batches = self._batches(photos)
        regions = _regions(grid_shape, self._pool)
        features = np.empty((len(photos), self._n_features_out), np.float32)
        pooled = (coder.pool(images, regions) for images in batches)
        return write_blocks(
            (means.reshape(len(means), -1) for means in pooled), features
        )

    def _batches(self, photos):
        """Return what codes photos of one size, their grid, and batches of images."""
        _check_sides(photos, self._coding["size"])
        coder, shape = self._coder(), photos.layout.image_shape
        batches = photos.batches(coder.batch_size(shape))
        return coder, coder.grid_shape(shape), (batch.unit() for batch in batches)

    def _coder(self):
        return PatchCoder(
            PatchDictionary(**self._learned), device=self.device, **self._coding
        )

    @property
    def components_(self) -> NDArray[np.float32]:
        """Atoms of white patches, ndarray ``(n_components, s * s * C)``, of unit norm.

        Numbers of a patch are rows of pixels, of each its channels.
        """
        check_is_fitted(self)
        return self._learned["components"]

    @property
    def _n_features_out(self):
        n_components = len(self.components_)
        if self._pool is not None:
            return 2 * math.prod(self._pool) * n_components
        return math.prod(self._coder().grid_shape(self.image_shape_)) * n_components

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_learned")


def _check_pool(pool):
    """Refuse what is neither two positive integers nor None."""
    if pool is None:
        return
    integers = [n for n in pool if isinstance(n, numbers.Integral)]
    if len(integers) != 2 or len(pool) != 2 or min(integers) < 1:
        raise ValueError(
            f"pool={pool!r} must be two positive integers (h, w), the regions per "
            "column and row of an image, or None."
        )


def _check_sides(photos, size):
    """Refuse photos that hold no patch."""
    smallest = photos.smallest_side
    if smallest < size[0]:
        raise ValueError(
            f"X has an image of {smallest} pixels along its shorter side, but "
            f"patch_size={size[0]}: leave it out, or take smaller patches."
        )


def _regions(grid_shape, pool):
    """Region of every patch of an image."""
    with naming("pool"):
        return region_of_sites(grid_shape, tuple(pool))


def _draw_patches(photos, size, random):
    """Patches ``(N, n)`` of unit images, at random places of random photos."""
    n_most = _N_PATCHES if photos.layout.is_vector else _N_PHOTOS
    chosen = np.arange(len(photos))
    if len(chosen) > n_most:
        chosen = np.sort(random.choice(len(chosen), n_most, replace=False))
    n_each, drawn = -(-_N_PATCHES // len(chosen)), []
    for _, image in photos.in_turn(chosen.tolist()):
        unit = photos.value_range.to_unit(np.asarray(image)[None])[0]
        windows = np.lib.stride_tricks.sliding_window_view(unit, size, axis=(0, 1))
        height, width = windows.shape[:2]
        places = np.arange(height * width)
        if len(places) > n_each:
            places = random.randint(len(places), size=n_each)
        patches = windows[places // width, places % width]
        drawn.append(patches.transpose(0, 2, 3, 1).reshape(len(places), -1))
    return np.concatenate(drawn)
