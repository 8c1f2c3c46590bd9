"""What the loaders return: scikit-learn's Bunch, which says in brief what it holds."""

import numpy as np
from sklearn import utils


class Bunch(utils.Bunch):
    """scikit-learn's Bunch with a line for each of its items in place of all pixels.

    Examples
    --------
    >>> from sklearn_sparsevae.datasets import load_sample_photos
    >>> load_sample_photos(subset="test")
    Bunch of
        images : list of 3 arrays of shapes (300, 451, 3), (400, 600, 3), ...
        names : list of 3: 'chelsea', 'coffee', 'flower'
        DESCR : text of 16 lines
    """

    def __repr__(self):
        rows = (f"    {name} : {_in_brief(value)}" for name, value in self.items())
        return "\n".join(["Bunch of", *rows])


def _in_brief(value, n_shown=3):
    """Describe an item in less than a line."""
    if isinstance(value, str):
        return f"text of {len(value.splitlines())} lines" if "\n" in value else value
    if isinstance(value, np.ndarray):
        return f"array of shape {value.shape}, {value.dtype}"
    if not isinstance(value, list) or not value:
        return repr(value)
    if all(isinstance(item, np.ndarray) for item in value):
        shown = [f"{item.shape}" for item in value[: n_shown - 1]]
        kind = f"list of {len(value)} arrays of shapes "
    else:
        shown = [repr(item) for item in value[:n_shown]]
        kind = f"list of {len(value)}: "
    return kind + ", ".join(shown + ["..."] * (len(shown) < len(value)))
