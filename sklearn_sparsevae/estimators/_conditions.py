"""What is known of images beside their pixels, as rows of numbers."""

import numpy as np
from sklearn.utils import check_array


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
        condition = np.asarray(condition)
        if condition.ndim == 2:
            return check_array(condition, dtype=np.float64, input_name="condition")
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
