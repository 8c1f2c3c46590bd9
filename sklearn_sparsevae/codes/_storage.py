"""Codes as the tensors of a file, and back.

All parts of a list stand one after the other, so that ten thousand photos of different
sizes are still eight tensors.
"""

import math

import numpy as np

from sklearn_sparsevae import _container

# What is written of every part, and with how many axes: the first is that of parts.
_OF_PARTS = {
    "n_images": 1,
    "n_values": 1,
    "grid_shape": 2,
    "image_shape": 2,
    "thumbnail_shape": 2,
}
# The numbers of all parts, one part after the other.
_WHOLES = ("values", "columns", "row_ends", "thumbnails")
_OF_THUMBNAILS = {"thumbnail_shape", "thumbnails"}


def write(parts, path, is_list):
    """Write SparseCodes of one model to a file."""
    first = parts[0]
    tensors = {
        "n_images": np.array([part.shape[0] for part in parts]),
        "n_values": np.array([int(part.indptr[-1]) for part in parts]),
        "grid_shape": np.array([part.grid_shape for part in parts]),
        "image_shape": np.array([part.image_shape or () for part in parts], np.int64),
        "values": _joined([part.data[: part.indptr[-1]] for part in parts]),
        "columns": _joined([part.indices[: part.indptr[-1]] for part in parts]),
        "row_ends": _joined([part.indptr for part in parts]),
    }
    if first.thumbnails is not None:
        shapes = [part.thumbnails.shape[1:] for part in parts]
        tensors["thumbnail_shape"] = np.array(shapes)
        tensors["thumbnails"] = _joined([part.thumbnails.ravel() for part in parts])
    content = {
        "n_atoms": first.n_atoms,
        "n_mean_atoms": first.n_mean_atoms,
        "is_list": is_list,
    }
    _container.write(path, "codes", tensors, content)


def read(path, mmap, make):
    """Return SparseCodes, or a list of them; ``make`` is the class."""
    tensors, content = _container.read(path, "codes", mmap)
    try:
        parts = list(_parts(tensors, content, make))
        is_list = content["is_list"]
        if not (isinstance(is_list, bool) and (is_list or len(parts) == 1)):
            raise ValueError(f"is_list={is_list!r} does not fit {len(parts)} parts")
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise _container.damaged(path, error) from error
    return parts if is_list else parts[0]


def _joined(arrays):
    """One array of all; that of a single part is not copied."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _parts(tensors, content, make):
    """Yield the codes of a file, each checked as all codes are."""
    sizes = _sizes(tensors)
    whole = {name: tensors[name] for name in _WHOLES if name in tensors}
    done = dict.fromkeys(whole, 0)

    def take(name, *shape):
        start, count = done[name], math.prod(shape)
        done[name] = start + count
        part = whole[name][start : done[name]]
        if len(part) < count:
            raise ValueError(
                f"{name} has {len(whole[name])} numbers, which are too few"
            )
        return part.reshape(shape)

    n_atoms = content["n_atoms"]
    for of_part in zip(*sizes.values(), strict=True):
        known = dict(zip(sizes, (part.tolist() for part in of_part), strict=True))
        n_images, n_values = known["n_images"], known["n_values"]
        small = None
        if "thumbnails" in whole:
            small = take("thumbnails", n_images, *known["thumbnail_shape"])
        names = ("values", n_values), ("columns", n_values), ("row_ends", n_images + 1)
        yield make(
            tuple(take(name, count) for name, count in names),
            shape=(n_images, math.prod(known["grid_shape"]) * n_atoms),
            grid_shape=tuple(known["grid_shape"]),
            n_atoms=n_atoms,
            image_shape=tuple(known["image_shape"]) or None,
            thumbnails=small,
            n_mean_atoms=content["n_mean_atoms"],
        )
    for name, count in done.items():
        if count != len(whole[name]):
            raise ValueError(f"{name} has {len(whole[name])} numbers, {count} belong")


def _sizes(tensors):
    """Return what is said of every part, once it is known to be sizes."""
    optional = set() if "thumbnails" in tensors else _OF_THUMBNAILS
    difference = sorted({*_OF_PARTS, *_WHOLES} - optional ^ set(tensors))
    if difference:
        raise ValueError(f"it lacks, or should not have, the tensors {difference}")
    for name in _WHOLES:
        if name in tensors and tensors[name].ndim != 1:
            raise ValueError(f"{name} has shape {tensors[name].shape}")
    sizes = {name: tensors[name] for name in _OF_PARTS if name in tensors}
    n_parts = sizes["n_images"].size
    for name, n_axes in _OF_PARTS.items():
        if name not in sizes:
            continue
        values = sizes[name]
        whole = values.dtype.kind in "iu" and values.min(initial=0) >= 0
        if not (whole and values.ndim == n_axes and len(values) == n_parts > 0):
            raise ValueError(f"{name} does not hold the sizes of {n_parts} parts")
    return sizes
