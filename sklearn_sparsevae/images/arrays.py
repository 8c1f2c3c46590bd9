"""Arrays of what users give for images, or words about what they should give."""

import os
import warnings
from collections.abc import Mapping

import numpy as np
from scipy import sparse

from sklearn_sparsevae._arguments import as_ndarray


def refuse_what_is_no_array(X, name):
    """Raise for what users take for images and is none."""
    if sparse.issparse(X):
        raise TypeError(
            f"{name} is a sparse matrix of shape {X.shape}; expected dense images or "
            f"rows. Use {name}.toarray(), or inverse_transform if it holds codes."
        )
    if isinstance(X, str | bytes | os.PathLike | Mapping) or X is None:
        raise TypeError(
            f"{name} is {type(X).__name__}; expected an array of images. "
            + _how_to_load(X)
        )
    refuse_masked(X, name)
    kind = getattr(getattr(X, "dtype", None), "kind", "")
    if kind == "O" and getattr(X, "ndim", 0) in (1, 3, 4):
        raise TypeError(
            f"{name} is a {type(X).__name__} of dtype object and shape {X.shape}; "
            "expected numbers. Photos of different sizes come as a list: "
            f"list({name}). Convert images of one size with np.stack."
        )


def refuse_masked(X, name):
    """Raise for an array with a mask."""
    if np.ma.is_masked(X):
        raise ValueError(
            f"{name} is a masked array, and its mask would be lost: fill it in with "
            f"{name}.filled(value), or leave those images out."
        )


def _how_to_load(X):
    if isinstance(X, Mapping):
        return "Pass the images in it, for instance X['images']."
    if X is None:
        return "Pass the images as X."
    return (
        "Load files with sklearn_sparsevae.datasets.load_image_folder, or read each "
        "with skimage.io.imread."
    )


def are_photos(X, name):
    """Whether the items of a list are photos, rather than rows or numbers of one."""
    if isinstance(X[0], str | bytes | os.PathLike):
        raise TypeError(
            f"{name} is a list of {type(X[0]).__name__}; expected arrays. "
            + _how_to_load(X[0])
        )
    if isinstance(X[0], tuple) and len(X[0]) == 2 and np.ndim(X[0][0]) >= 2:
        photo_array(X[0], f"{name}[0]")
    try:
        return any(
            hasattr(p, "__array_interface__") or np.ndim(p) >= 2 for p in X
        ) and not all(np.ndim(p) == 1 for p in X)
    except ValueError:  # items that are ragged themselves
        return True


def photo_array(photo, name):
    """Array of one photo, ``(H, W)`` or ``(H, W, C)``."""
    if isinstance(photo, tuple):
        raise TypeError(
            f"{name} is a tuple of {len(photo)}; expected an array (H, W, C) or (H, "
            "W). Give the images alone: [image for image, _ in dataset], or, to read "
            f"them when they are needed, {_sequence(photo, range(len(photo)))}"
        )
    if isinstance(photo, Mapping):
        raise TypeError(
            f"{name} is a {type(photo).__name__} of {list(photo)}; expected an array "
            f"(H, W, C) or (H, W). Give the images alone, {_sequence(photo, photo)}"
        )
    refuse_what_is_no_array(photo, name)
    photo = as_array(photo, name)
    if photo.ndim not in (2, 3):
        raise ValueError(
            f"{name} has shape {photo.shape}; expected photos (H, W, C) or (H, W)."
        )
    return photo


def _sequence(item, keys):
    """Code of a sequence of the images that the items of a data set hold."""
    images = [key for key in keys if len(np.shape(item[key])) in (2, 3)]
    key = images[0] if images else next(iter(keys))
    image, shape = f"np.asarray(self.dataset[i][{key!r}])", np.shape(item[key])
    if len(shape) == 3 and shape[0] <= 4 < min(shape[1:]):
        image = f"np.moveaxis({image}, 0, -1)"
    return (
        "as Images(dataset) with\n"
        "class Images:\n"
        "    def __init__(self, dataset): self.dataset = dataset\n"
        "    def __len__(self): return len(self.dataset)\n"
        f"    def __getitem__(self, i): return {image}"
    )


def as_array(X, name):
    """Make an array of what holds numbers; a DataFrame stays one."""
    if hasattr(X, "iloc") and getattr(X, "ndim", 0) == 2:
        return X
    try:
        array = as_ndarray(X, name, any_byte_order=True)  # made batch by batch
    except ValueError as error:
        raise ValueError(
            f"{name} cannot become an array ({error}); expected images of one shape, "
            "or a list of arrays (H, W, C) that differ only in height and width."
        ) from error
    return array


def warn_of_rows_of_bytes(X):
    """Say what a matrix of unsigned integers is taken for, which may be a photo."""
    dtype = getattr(X, "dtype", None)
    if dtype is None or np.ndim(X) != 2 or getattr(dtype, "kind", "") != "u":
        return
    n_rows, n_columns = np.shape(X)
    warnings.warn(
        f"X has shape {(n_rows, n_columns)} and dtype {dtype}, and is taken for "
        f"{n_rows} vectors of {n_columns} features. If the rows are images, say "
        "image_shape=(H, W, C); one grey image is X[None]; vectors of counts are "
        "X.astype(float).",
        stacklevel=4,
    )
