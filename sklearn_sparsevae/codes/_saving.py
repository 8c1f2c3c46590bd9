"""Files of codes: those of one set of images, or a list of such sets."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sklearn_sparsevae.codes import _storage
from sklearn_sparsevae.codes._sparse_codes import SparseCodes


def save_codes(
    codes: SparseCodes | Sequence[SparseCodes], path: str | os.PathLike[str]
) -> None:
    """Write codes to a file that holds numbers only and runs nothing.

    The file has a checksum, and takes the place of an older one when it is complete.
    Other programs read its tensors with the package safetensors.

    Parameters
    ----------
    codes : SparseCodes, or list of SparseCodes
        A list as ``transform`` makes it of photos of different sizes; all items have
        the same number of atoms and the same type of number.
    path : str or path-like
        Its folder must exist.

    Raises
    ------
    TypeError
        If these are no `SparseCodes`: what they would lack is their grid.
    ValueError
        If the list is empty or mixes codes of several models, or values have more than
        64 bits.

    See Also
    --------
    load_codes : Read the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearn_sparsevae.codes import SparseCodes, load_codes, save_codes
    >>> parts = [
    ...     SparseCodes(np.eye(1, 2 * n), grid_shape=(1, n)) for n in (1, 2, 3)
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_codes(parts, Path(folder, "photos.codes"))
    ...     [part.grid_shape for part in load_codes(Path(folder, "photos.codes"))]
    [(1, 1), (1, 2), (1, 3)]
    """
    parts = [codes] if isinstance(codes, SparseCodes) else _checked_list(codes)
    _storage.write(parts, path, is_list=not isinstance(codes, SparseCodes))


def load_codes(
    path: str | os.PathLike[str], mmap: bool = False
) -> SparseCodes | list[SparseCodes]:
    """Read what `save_codes` or `SparseCodes.save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.
    mmap : bool, default=False
        Leave values, columns and thumbnails in the file, from where the system brings
        into memory what is used. They cannot be changed in place: ``codes.copy()`` can.
        The file is read once all the same, for its checksum and its indices.

    Returns
    -------
    codes : SparseCodes, or list of SparseCodes
        Equal to what was saved, to the bit.

    Raises
    ------
    ValueError
        If the file is none of codes, comes from a newer version, or is damaged.

    See Also
    --------
    save_codes : Write the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearn_sparsevae.codes import SparseCodes, load_codes
    >>> codes = SparseCodes(np.eye(3, 8, dtype=np.float32), grid_shape=(2, 2))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     codes.save(Path(folder, "photos.codes"))
    ...     load_codes(Path(folder, "photos.codes"))
    SparseCodes(n_images=3, grid_shape=(2, 2), n_atoms=2, nonzeros_per_site=0.25,
        dtype=float32, memory='40 B')
    """
    return _storage.read(path, mmap, SparseCodes)


def _checked_list(codes):
    """Return a list of codes that can share a file."""
    parts = list(codes) if isinstance(codes, list | tuple) else [codes]
    for part in parts:
        if not isinstance(part, SparseCodes):
            raise TypeError(
                f"Got codes of type {type(part).__name__}; expected SparseCodes, as "
                "transform returns them, or a list of them. as_codes gives a matrix "
                "its grid; numpy.save keeps dense codes."
            )
    if not parts:
        raise ValueError("Got an empty list of codes; expected at least one item.")
    kinds = {
        (
            part.n_atoms,
            part.n_mean_atoms,
            part.dtype,
            len(part.image_shape or ()),
            None if part.thumbnails is None else part.thumbnails.shape[3],
        )
        for part in parts
    }
    if len(kinds) > 1:
        raise ValueError(
            "Got a list of codes that differ in n_atoms, n_mean_atoms, the type of "
            "their values, the layout of their images, or in whether they have "
            "thumbnails; expected those of one model. Save each in a file of its own."
        )
    return parts
