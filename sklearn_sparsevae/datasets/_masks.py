"""Label maps as files, and the photos that files of masks belong to."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from sklearn_sparsevae._arguments import as_ndarray
from sklearn_sparsevae._files import written_aside
from sklearn_sparsevae.datasets._sources import SUFFIXES

_PAGE = re.compile(r"(?P<file>.*)(?P<page>\[\d+\])$", re.DOTALL)
_MOST_OF_A_PALETTE, _MOST = 255, 65535
_BLACK_AND_WHITE = [0, 0, 0, 255, 255, 255]
_WRITER = "sklearn_sparsevae"
_N_SHOWN = 3
_N_AT_ONCE = 8


def save_masks(
    folder: str | PathLike[str],
    names: Sequence[str],
    labels: NDArray[Any] | Sequence[NDArray[Any]],
) -> list[Path]:
    """Write label maps as PNG files, called as the photos that they belong to.

    The pixels of a file are the labels, and viewers show them: those of two classes, 0
    and 1, are black and white, others the colours of a palette; above 255 they are grey
    levels of 16 bits. :func:`load_image_folder` reads the same labels with ``masks=``,
    as do ``numpy.asarray(PIL.Image.open(path))`` and other readers of palettes.

    Parameters
    ----------
    folder : str or path-like
        Where to; it and the folders in it are made where they are not there.
    names : sequence of str
        Names of the photos, such as those of :func:`load_image_folder`. Of
        ``"cats/1.jpg"`` the mask is ``"cats/1.png"``, of page 3 of a TIFF file,
        ``"stack.tif[3]"``, it is ``"stack[3].png"``.
    labels : ndarray of shape (n, H, W), or sequence of ndarray of shape (H, W)
        Integers from 0 to 65535, or booleans: what the ``predict`` of a segmenter
        returns.

    Returns
    -------
    paths : list of pathlib.Path
        The files, in the order of the names.

    Raises
    ------
    TypeError
        If labels are no whole numbers.
    ValueError
        If there are not as many names as label maps, two names give one file, a name
        leads out of the folder, or a map is none of labels. Nothing is written then.
    FileExistsError
        If a file is there already, and it was not this function that wrote it.

    See Also
    --------
    load_image_folder : Reads photos and masks.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_sparsevae.datasets import save_masks
    >>> labels = np.zeros((2, 8, 8), int)
    >>> labels[:, 2:5] = 1
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = save_masks(folder, ["cats/1.jpg", "dogs/1.jpg"], labels)
    ...     [path.relative_to(folder).as_posix() for path in paths]
    ['cats/1.png', 'dogs/1.png']
    """
    folder, maps = Path(folder), _checked(labels)
    names = [names] if isinstance(names, str) else list(names)
    if len(names) != len(maps):
        raise ValueError(
            f"Got {len(names)} names for {len(maps)} label maps; expected one for each."
        )
    paths = [path_in(folder, name, mask_name) for name in names]
    _check_clashes(names, paths)
    largest = max((int(labels.max()) for labels in maps), default=0)
    # Most of the time is waiting for the disk.
    with ThreadPoolExecutor(_N_AT_ONCE) as pool:
        list(pool.map(functools.partial(_write, largest), paths, maps))
    return paths


def stem_of(name):
    """Name of a photo or mask without what says its format."""
    page = _PAGE.match(name)
    if page and _without_suffix(page["file"]) != page["file"]:
        return _without_suffix(page["file"]) + page["page"]
    return _without_suffix(name)


def pair_masks(photos, masks, suffix):
    """Numbers of the masks that photos have, by names relative to their folders."""
    found = {}
    for number, name in enumerate(masks):
        stem = stem_of(name)
        if stem in found:
            raise ValueError(
                f"Got two masks of one photo, {masks[found[stem]]} and {name}; "
                "expected one for each. Leave one out."
            )
        found[stem] = number
    wanted = [stem_of(name) + suffix for name in photos]
    missing = [p for p, stem in zip(photos, wanted) if stem not in found]
    extra = [masks[found[stem]] for stem in found.keys() - set(wanted)]
    if missing or extra or len(set(wanted)) < len(wanted):
        raise ValueError(
            f"{len(photos)} photos and {len(masks)} masks do not pair by name: "
            f"{_some(missing)} without a mask, {_some(sorted(extra))} without a photo. "
            f"Expected for each photo one mask of its name{_and(suffix)}, of any "
            "format; two photos may not differ in their format alone."
        )
    return [found[stem] for stem in wanted]


def _and(suffix):
    return f" and {suffix!r}" if suffix else ""


def _some(names):
    shown = ", ".join(names[:_N_SHOWN]) + ", ..." * (len(names) > _N_SHOWN)
    return shown or "none"


def _without_suffix(name):
    path = PurePosixPath(name)
    known = path.suffix.lower() in SUFFIXES
    return name[: -len(path.suffix)] if known else name


def page_of(name):
    """File of a photo, and the number of its page; None where it is the only one."""
    _check_text(name)
    page = _PAGE.match(name)
    if page and _without_suffix(page["file"]) != page["file"]:
        return page["file"], int(page["page"][1:-1])
    return name, None


def path_in(folder, name, written):
    """Path in a folder, and in no other place, of the file ``written`` for a name."""
    _check_text(name)
    here, windows = PurePosixPath(name), PureWindowsPath(name)
    out = here.is_absolute() or windows.anchor or ".." in windows.parts
    if out or not here.name or "\0" in name:
        raise ValueError(
            f"Got the name {name!r}; expected one relative to the folder and inside "
            'it, without "..", such as those of load_image_folder.'
        )
    path = folder / written(name)
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise ValueError(
            f"Got the name {name!r}, which a link takes out of {folder}; expected a "
            "place inside it."
        )
    return path


def mask_name(name):
    """Name of the label map of a photo."""
    return stem_of(name) + ".png"


def _check_text(name):
    if not isinstance(name, str):
        raise TypeError(f"Got a name of type {type(name).__name__}; expected text.")


def _check_clashes(names, paths):
    seen = {}
    for name, path in zip(names, paths):
        key = os.path.normcase(path)
        if key in seen:
            raise ValueError(
                f"Got the names {seen[key]!r} and {name!r}, which both give "
                f"{path.name}; expected one file for each."
            )
        seen[key] = name
        if path.exists() and not _is_ours(path):
            raise FileExistsError(
                f"{path} is there already and no mask of save_masks: choose another "
                "folder, so that no photo is lost."
            )


def _is_ours(path):
    try:
        with Image.open(path, formats=("PNG",)) as image:
            return image.info.get("Software") == _WRITER
    except (OSError, SyntaxError, ValueError):
        return False


def _checked(labels):
    if not hasattr(labels, "__len__"):
        raise TypeError(
            f"Got labels of type {type(labels).__name__}; expected an array (n, H, W), "
            "or a list of label maps."
        )
    maps = [as_ndarray(label_map, "labels") for label_map in labels]
    for label_map in maps:
        if label_map.ndim != 2 or not label_map.size:
            raise ValueError(
                f"Got a label map of shape {label_map.shape}; expected (H, W) with at "
                "least one pixel. One map alone is labels[None]."
            )
        if label_map.dtype.kind not in "biu":
            raise TypeError(
                f"Got labels of type {label_map.dtype}; expected integers or booleans."
            )
        if label_map.min() < 0 or label_map.max() > _MOST:
            raise ValueError(
                f"Got labels from {label_map.min()} to {label_map.max()}; expected 0 "
                f"to {_MOST}. Number them anew."
            )
    return maps


def _write(largest, path, label_map):
    path.parent.mkdir(parents=True, exist_ok=True)
    note = PngImagePlugin.PngInfo()
    note.add_text("Software", _WRITER)
    with written_aside(path) as aside:
        _picture(label_map, largest).save(aside, "PNG", pnginfo=note)


def _picture(label_map, largest):
    if largest > _MOST_OF_A_PALETTE:
        return Image.fromarray(label_map.astype(np.uint16))
    image = Image.fromarray(label_map.astype(np.uint8))
    image.putpalette(_BLACK_AND_WHITE if largest <= 1 else _colours())
    return image


def _colours():
    """Palette of the PASCAL VOC: bits of the label, spread over the colours."""
    labels = np.arange(256)[:, None] >> np.array([0, 1, 2])
    colours = np.zeros((256, 3), int)
    for bit in range(8):
        colours |= (labels & 1) << (7 - bit)
        labels >>= 3
    return colours.ravel().tolist()
