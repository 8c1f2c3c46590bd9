"""Conditions: what is known of images beside their pixels, as rows of numbers.

All about them is here: labels to rows, and the methods that take them with their
docstrings, hence the length.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context

from sklearn_sparsevae._arguments import as_ndarray, as_table, naming
from sklearn_sparsevae._typing import Codes, Images, ImagesOut, Unused


class Conditions:
    """Turns labels into one-hot rows, or attributes into standardised ones.

    Parameters
    ----------
    condition : array-like of shape (n,) or (n, p)
        Labels, or attributes, of the images of a fit.

    Attributes
    ----------
    classes : ndarray or None
        The labels, sorted; None for attributes.
    n_columns : int
        Numbers p in a row.
    """

    def __init__(self, condition):
        condition = self._checked(condition)
        self.classes = None
        if condition.ndim == 1:
            with naming("condition"):
                self.classes = np.unique(condition)
            self.n_columns = len(self.classes)
        else:
            self.n_columns = condition.shape[1]
            self._mean, scale = condition.mean(axis=0), condition.std(axis=0)
            self._scale = np.where(scale > 0, scale, 1.0)

    def rows(self, condition, n_images):
        """Rows ``(n_images, p)``, float32.

        Raises
        ------
        ValueError
            When the condition does not fit the images, or not that of the fit.
        """
        condition = self._checked(condition)
        if len(condition) != n_images:
            raise ValueError(
                f"condition has {len(condition)} entries for {n_images} images: give "
                "one for each image."
            )
        if (condition.ndim == 1) != (self.classes is not None) or (
            condition.ndim == 2 and condition.shape[1] != self.n_columns
        ):
            raise ValueError(
                f"condition has shape {condition.shape}, but this model was fitted "
                f"with {self.describe()}."
            )
        if self.classes is None:
            return ((condition - self._mean) / self._scale).astype(np.float32)
        return self._one_hot(condition)

    def describe(self):
        """Words for what a condition has to be."""
        if self.classes is None:
            return f"attributes (n, {self.n_columns})"
        return f"labels (n,) that are one of {self.classes.tolist()}"

    def _one_hot(self, labels):
        unknown = sorted(set(labels.tolist()) - set(self.classes.tolist()), key=str)
        if unknown:
            raise ValueError(
                f"condition has the unknown label(s) {unknown}; this model was fitted "
                f"with {self.describe()}."
            )
        return (labels[:, None] == self.classes).astype(np.float32)

    @staticmethod
    def _checked(condition):
        condition = as_ndarray(condition, "condition")
        if condition.ndim == 2:
            return as_table(condition, "condition", dtype=np.float64)
        if condition.ndim != 1:
            raise ValueError(
                f"condition has shape {condition.shape}; expected labels (n,) or "
                "attributes (n, p)."
            )
        if condition.dtype.kind == "f" and not np.isfinite(condition).all():
            raise ValueError(
                "condition has labels that are NaN or infinite: give those images a "
                "label of their own, or leave them out."
            )
        if len({type(label) for label in condition.tolist()}) > 1:
            raise TypeError(
                "condition mixes labels of several types: give all as numbers or all "
                "as strings."
            )
        return condition


class ConditionMixin:
    """Methods that take a condition, for an autoencoder whose bottleneck does.

    Photos carry the rows of their condition, so that a method hands its images on with
    them to the one it overrides.

    Attributes
    ----------
    condition_classes_ : ndarray or None
        Labels of the condition of the fit, sorted.
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Images, y: Unused = None, condition: ArrayLike | None = None
    ) -> Self:
        """Train encoder, bottleneck and decoder to reconstruct ``X``, or restore ``y``.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            Images or vectors, see :meth:`VQVAE.fit`.
        y : array-like or sequence, default=None
            With ``target="y"``, images to restore those of ``X`` to; not used
            otherwise.
        condition : array-like of shape (n,) or (n, p), default=None
            What to condition on: labels of any type, or p real attributes, of each
            image. Then ``p(x|z, y)`` and ``q(z|x, y)`` take the place of ``p(x|z)`` and
            ``q(z|x)``, and all other methods need the condition as well. Inside
            meta-estimators it is routed as metadata (``set_fit_request`` and its like).

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            When the input is not as described.
        FloatingPointError
            When a term of the loss stops being finite.
        """
        warm = self.warm_start
        return self._train(X, y, warm=warm, keep_training=warm, condition=condition)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Images, y: Unused = None, condition: ArrayLike | None = None
    ) -> Self:
        """Train for one pass over ``X``, at a constant learning rate.

        Parameters
        ----------
        X, y : as in `fit`
            The first call also decides where the model starts, so give it a sample
            that shows what is to come.
        condition : as in `fit`
            The first call must show all labels.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._train_once(X, y, condition)

    def fit_transform(
        self, X: Images, y: Unused = None, condition: ArrayLike | None = None
    ) -> NDArray[np.float32] | Any:
        """Fit, then code the same images.

        Parameters
        ----------
        X, y, condition : as in `fit`
            Images, images to restore them to, and what to condition on.

        Returns
        -------
        codes : ndarray of shape (n, h * w * n_components), or list of ndarray
            As from `transform`.
        """
        return self.fit(X, y, condition).transform(X, condition)

    def inverse_transform(
        self,
        X: Codes,
        coef_bits: int | None = None,
        condition: ArrayLike | None = None,
        out: Any = None,
    ) -> ImagesOut:
        """Images of codes.

        Parameters
        ----------
        X : array-like of shape (n, h * w * n_components)
            Codes as from `transform`, of images of the size of the fit; or
            `SparseCodes`, which say what grid they are of.
        coef_bits : int, default=None
            Bits, from 2 to 16, to which the codes are rounded first; None takes them as
            they are.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`. Another one than the images had gives what they would
            look like under it.
        out : ndarray, such as a memory map, default=None
            Where to write the images; see :meth:`VQVAE.inverse_transform`.

        Returns
        -------
        images : ndarray
            In the layout of the input of `fit`, float32.
        """
        return self._decode(X, coef_bits, condition, out)

    def reconstruct(
        self,
        X: Images,
        tile: int | None = None,
        condition: ArrayLike | None = None,
        out: Any = None,
        n_shifts: int = 1,
    ) -> ImagesOut:
        """Images after coding and decoding, both steps at once; or images restored.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `transform`.
        tile : int, default=None
            Side in pixels of overlapping tiles to reconstruct one after another, where
            whole images take too much memory; see :meth:`VQVAE.reconstruct`.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`.
        out : ndarray, such as a memory map, default=None
            Where to write the images; see :meth:`VQVAE.reconstruct`.
        n_shifts : int, default=1
            Average over so many shifts of the grid of sites; see
            :meth:`VQVAE.reconstruct`.

        Returns
        -------
        images : ndarray, or list of ndarray
            In the layout of ``X``, float32.
        """
        return super().reconstruct(self._given(X, condition), tile, out, n_shifts)

    def iter_transform(
        self,
        X: Images,
        batch_size: int | None = None,
        condition: ArrayLike | None = None,
    ) -> Iterator[Any]:
        """Yield codes block by block; see :meth:`VQVAE.iter_transform`.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `transform`.
        batch_size : int, default=None
            Images in a block; None takes as many as `transform` codes at once.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`, of all images.

        Yields
        ------
        codes : as `transform` returns them
            Of the next images, one row each.
        """
        return super().iter_transform(self._given(X, condition), batch_size)

    def iter_reconstruct(
        self,
        X: Images,
        batch_size: int | None = None,
        condition: ArrayLike | None = None,
    ) -> Iterator[NDArray[np.float32]]:
        """Yield reconstructions block by block; see :meth:`VQVAE.iter_reconstruct`.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `reconstruct`.
        batch_size : int, default=None
            As in `iter_transform`.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`, of all images.

        Yields
        ------
        images : ndarray of float32
            Of the next images, in the layout of ``X``.
        """
        return super().iter_reconstruct(self._given(X, condition), batch_size)

    def compare(
        self, X: Images, y: Unused = None, condition: ArrayLike | None = None
    ) -> tuple[ImagesOut, ImagesOut]:
        """Return what `score` compares: images, and what the model makes of them.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `transform`.
        y : array-like, default=None
            With ``target="y"`` the images that those of ``X`` are to become; not used
            otherwise.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`.

        Returns
        -------
        targets, outputs : ndarray of float of the shape of X, or lists of ndarray
            Both in the range ``value_range_``.
        """
        return super().compare(self._given_pair(X, y, condition))

    def score(
        self, X: Images, y: Unused = None, condition: ArrayLike | None = None
    ) -> float:
        """Peak signal-to-noise ratio of the reconstruction, in dB, mean over images.

        Parameters
        ----------
        X : array-like, list of photos or sequence
            As in `transform`.
        y : array-like, default=None
            With ``target="y"`` the images to compare with; not used otherwise.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`.

        Returns
        -------
        psnr : float
            Higher is better.
        """
        return super().score(self._given_pair(X, y, condition))

    def interpolate(
        self, A: Images, B: Images, n_steps: int = 8, condition: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Images on the way from one to another, along a line between their codes.

        Parameters
        ----------
        A, B : array-like
            Images to start from and to end at, equally many, as in `transform`.
        n_steps : int, default=8
            Images of each way, two at least, the reconstructions of both ends included.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`, one for each way.

        Returns
        -------
        images : ndarray of shape (n, n_steps, ...)
            Each image in the layout of the input, float32.
        """
        starts = self._given(A, condition, "A")
        ends = self._given(B, condition, "B")
        return super().interpolate(starts, ends, n_steps)

    def traverse(
        self,
        X: Images,
        components: Sequence[int] | NDArray[np.integer],
        values: Sequence[float] | NDArray[Any],
        condition: ArrayLike | None = None,
    ) -> NDArray[np.float32]:
        """Images with one number of the code set to one value after another.

        Parameters
        ----------
        X : array-like
            Images, as in `transform`.
        components : array-like of int
            Columns of the codes.
        values : array-like of float
            What each is set to, in turn; under the prior they have variance 1.
        condition : array-like of shape (n,) or (n, p), default=None
            As in `transform`.

        Returns
        -------
        images : ndarray of shape (n, n_components, n_values, ...)
            Each image in the layout of the input, float32.
        """
        return super().traverse(self._given(X, condition), components, values)

    # ---- photos with their conditions -----------------------------------------------

    def _given(self, X, condition, name="X"):
        """Open images that come with a condition, if the model needs one."""
        return self._carry(self._open(X, name), condition)

    def _given_pair(self, X, y, condition):
        return self._carry(self._open_pair(X, y), condition)

    def _carry(self, photos, condition):
        if photos.condition is not None and condition is None:
            return photos
        rows = self._condition_rows(condition, len(photos))
        return dataclasses.replace(photos, condition=rows)

    def _open_to_code(self, X):
        return self._given(X, None)

    def _with_condition(self, photos, condition, warm):
        if warm:
            rows, encoder = self._condition_rows(condition, len(photos)), self._encoder
        elif condition is None:
            return photos, None
        else:
            encoder = Conditions(condition)
            rows = encoder.rows(condition, len(photos))
        return dataclasses.replace(photos, condition=rows), encoder

    def _keep_condition(self, conditions):
        self._encoder = conditions
        self.condition_classes_ = None if conditions is None else conditions.classes

    def _n_conditions(self):
        return None if self._encoder is None else self._encoder.n_columns

    def _condition_rows(self, condition, n_images):
        """Rows ``(n_images, p)`` of a condition, None if the fit had none."""
        if self._encoder is None:
            if condition is not None:
                raise ValueError(
                    "This model was fitted without a condition and takes none: leave "
                    "condition out, or fit with one."
                )
            return None
        if condition is None:
            raise ValueError(
                "This model was fitted with a condition and needs one here: pass "
                f"condition= with {self._encoder.describe()}."
            )
        return self._encoder.rows(condition, n_images)
