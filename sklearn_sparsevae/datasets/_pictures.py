"""One photo into a PNG or JPEG file, with what another one says besides its pixels."""

import contextlib

import numpy as np
from PIL import Image, PngImagePlugin

from sklearn_sparsevae.datasets._decoding import opened
from sklearn_sparsevae.datasets._window import ORIENTATION

# What is kept for the eye: JPEG of this quality and with all of its colours differs by
# less than a level in the mean.
_JPEG = {"quality": 95, "subsampling": 0}
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
_NO_LIMIT = 2**62


def write_picture(path, photo, like=None):
    """Write a photo ``(H, W)`` or ``(H, W, C)`` in the format of a name.

    Parameters
    ----------
    path : Path
        Where to.
    photo : ndarray
        In the dtype of the file.
    like : Path or None
        A file of Pillow's formats whose resolution, colour profile, EXIF data (without
        their orientation: photos are upright) and texts are kept.
    """
    kind = _FORMATS[path.suffix.lower()]
    photo = photo[..., 0] if photo.ndim == 3 and photo.shape[2] == 1 else photo
    _check_kind(photo, kind)
    image = Image.fromarray(np.ascontiguousarray(photo))
    options = _said_by(like, image, kind) if like is not None else {}
    image.save(path, kind, **options, **(_JPEG if kind == "JPEG" else {}))


def _check_kind(photo, kind):
    n_channels = 1 if photo.ndim == 2 else photo.shape[2]
    holds = {"PNG": "uint8, or uint16 of grey", "JPEG": "uint8"}[kind]
    deep = photo.dtype == np.uint16 and kind == "PNG" and n_channels == 1
    if n_channels not in (1, 3) or not (deep or photo.dtype == np.uint8):
        raise ValueError(
            f"a {kind} file cannot hold {n_channels} channel(s) of {photo.dtype}; "
            f"expected grey or colours of {holds}. Write TIFF, or say another dtype."
        )


def _said_by(path, image, kind):
    """Options that keep what a file says; nothing of one that is garbled there."""
    with open(path, "rb") as file:
        other = opened(file, _NO_LIMIT)
        said = {"dpi": other.info.get("dpi"), "exif": _upright_exif(other)}
        if _n_channels(other.mode) == _n_channels(image.mode):
            said["icc_profile"] = other.info.get("icc_profile")
        if kind == "PNG" and other.format == "PNG":
            said["pnginfo"] = _texts_of(other)
        if kind == "JPEG" and other.format == "JPEG":
            said["comment"] = other.info.get("comment")
    return {name: value for name, value in said.items() if value}


def _n_channels(mode):
    """Channels of a colour profile for images of a mode of Pillow."""
    return {"CMYK": 4}.get(mode, 1 if mode[0] in "1LI" else 3)


def _upright_exif(image):
    with contextlib.suppress(Exception):  # garbled data raise anything
        exif = image.getexif()
        exif.pop(ORIENTATION, None)
        return exif.tobytes() if len(exif) else None


def _texts_of(image):
    """Texts of a PNG file, but those that repeat EXIF data or XMP."""
    image.load()  # they may follow the pixels
    said = PngImagePlugin.PngInfo()
    for name, text in image.text.items():
        if not name.startswith(("Raw profile", "XML:")):
            said.add_text(name, str(text))
    return said
