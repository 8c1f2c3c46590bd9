"""scikit-learn's own steps of a Pipeline, through skops: types are trusted by name."""

import io
import zipfile

import numpy as np
from sklearn.base import BaseEstimator

# What the arrays of a sparse matrix may unfold to, beside a multiple of their size.
_UNFOLDED, _RATIO = 2**26, 100


def to_bytes(step, name):
    """Return a step as the bytes of skops' format, an array of uint8.

    Parameters
    ----------
    step : estimator
        Of scikit-learn.
    name : str
        What errors call it.
    """
    io_of_skops, what = _skops(name), f"{name}, {_class_of(step)},"
    try:
        data = io_of_skops.dumps(step)
        untrusted = io_of_skops.get_untrusted_types(data=data)
    except Exception as error:  # of any type: what it is made of decides
        raise TypeError(f"Got {what} which skops cannot keep: {error}") from error
    if untrusted:
        raise TypeError(
            f"Got {what} which holds {', '.join(untrusted)}; expected what scikit-learn"
            " and NumPy are made of, since a file may not name other code. Keep the "
            "other steps, and make this one anew where the file is loaded."
        )
    return np.frombuffer(data, np.uint8)


def from_bytes(array, name):
    """Return the step that `to_bytes` made an array of, if its types are trusted."""
    io_of_skops, data = _skops(name), array.tobytes()
    try:
        _check_sizes(data)
        step = io_of_skops.loads(data, trusted=[])
        if not isinstance(step, BaseEstimator):
            raise TypeError(f"it is of type {type(step).__name__}")
    except Exception as error:  # whatever is wrong with what somebody made up
        raise ValueError(f"{name} is no step of scikit-learn: {error}") from error
    return step


def _skops(name):
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            f"{name} is scikit-learn's, not ours: files keep it through skops. Install "
            "it: pip install 'sklearn-sparsevae[files]'."
        ) from error
    return skops.io


def _class_of(step):
    return f"{type(step).__module__}.{type(step).__qualname__}"


def _check_sizes(data):
    """Refuse archives that unfold to far more than they are."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        stored = all(m.compress_type == zipfile.ZIP_STORED for m in members)
        if not stored or sum(m.file_size for m in members) > len(data):
            raise ValueError("its archive is compressed, which skops' is not")
        for member in members:
            if member.filename.endswith(".npz"):
                with archive.open(member) as inner, zipfile.ZipFile(inner) as matrix:
                    unfolded = sum(m.file_size for m in matrix.infolist())
                if unfolded > _UNFOLDED + _RATIO * member.file_size:
                    raise ValueError(f"{member.filename} unfolds to {unfolded} bytes")
