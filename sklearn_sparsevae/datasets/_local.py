"""Images of a folder or a zip file of one's own."""

from os import PathLike

import numpy as np

from sklearn_sparsevae.datasets._bunch import Bunch
from sklearn_sparsevae.datasets._decoding import PhotoDecoder, Window
from sklearn_sparsevae.datasets._lazy import (
    Folder,
    LazyImages,
    ZipArchive,
    image_files,
)


def load_image_folder(
    path: str | PathLike[str],
    *,
    size: int | None = None,
    resize: bool = True,
    as_gray: bool = False,
) -> Bunch:
    """Load the images of a folder and the folders in it, lazily.

    An image is read when it is asked for, and not kept: the set may be larger than
    memory. Images come upright by their EXIF orientation and in colour (or all grey):
    transparent parts become white, 16 bits a channel become 8. Hidden files are left
    out.

    Parameters
    ----------
    path : str or path-like
        A folder. Images in folders below it belong to the class that the first of
        those folders names.
    size : int, default=None
        Side of the squares that the images are made, in pixels; None leaves them as
        they are.
    resize : bool, default=True
        Whether the largest central square is scaled to ``size``. With False, the
        central square of ``size`` pixels is cut from the image as it is.
    as_gray : bool, default=False
        Grey images ``(H, W)``, by Rec. 601 luma, instead of ``(H, W, 3)``.

    Returns
    -------
    photos : :class:`~sklearn.utils.Bunch`
        With the attributes

        images : sequence of ndarray of shape (H, W, 3) or (H, W) and dtype uint8
            Read on demand. A slice or an array of indices gives a shorter sequence;
            ``images.shapes`` tells the shapes from the files' headers; with a ``size``,
            ``np.stack(list(images))`` is an array of them all. It can be pickled.
        names : list of str
            Paths of the files relative to ``path``, sorted.
        target : ndarray of int of shape (n_images,)
            Index of each image's class. Only if all images lie in folders.
        target_names : list of str
            Names of the classes, sorted. Only if all images lie in folders.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it holds no images; or, when an image is asked for, if its file is damaged or
        the image smaller than ``size`` without ``resize``. The message names the file.

    See Also
    --------
    load_image_archive : The same for a zip file.

    Examples
    --------
    >>> import tempfile, pathlib, skimage
    >>> from sklearn_sparsevae.datasets import load_image_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "cats", "chelsea.png")
    ...     path.parent.mkdir()
    ...     skimage.io.imsave(path, skimage.data.chelsea())
    ...     photos = load_image_folder(folder, size=64)
    ...     photos.names, photos.target_names, photos.images[0].shape
    (['cats/chelsea.png'], ['cats'], (64, 64, 3))
    """
    decoder = PhotoDecoder(Window(size, resize), as_gray)
    return _load(Folder(path), "", decoder)


def load_image_archive(
    path: str | PathLike[str],
    *,
    folder: str = "",
    size: int | None = None,
    resize: bool = True,
    as_gray: bool = False,
) -> Bunch:
    """Load the images of a zip file in place, lazily.

    As :func:`load_image_folder`, and nothing is unpacked.

    Parameters
    ----------
    path : str or path-like
        A zip file.
    folder : str, default=""
        Folder inside the archive, such as ``"train"``, that alone is looked at.
    size : int, default=None
        Side of the squares that the images are made, in pixels; None leaves them as
        they are.
    resize : bool, default=True
        Whether the largest central square is scaled to ``size``. With False, the
        central square of ``size`` pixels is cut from the image as it is.
    as_gray : bool, default=False
        Grey images ``(H, W)``, by Rec. 601 luma, instead of ``(H, W, 3)``.

    Returns
    -------
    photos : :class:`~sklearn.utils.Bunch`
        As of :func:`load_image_folder`; ``names`` are relative to ``folder``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no zip file or holds no images; or, when an image is asked for, if its
        file is damaged or the image smaller than ``size`` without ``resize``. The
        message names the file.

    Examples
    --------
    >>> import tempfile, pathlib, skimage, zipfile
    >>> from sklearn_sparsevae.datasets import load_image_archive
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     photo = pathlib.Path(folder, "chelsea.png")
    ...     skimage.io.imsave(photo, skimage.data.chelsea())
    ...     path = pathlib.Path(folder, "photos.zip")
    ...     with zipfile.ZipFile(path, "w") as archive:
    ...         archive.write(photo, "train/cats/chelsea.png")
    ...     photos = load_image_archive(path, folder="train", size=64)
    ...     photos.names, photos.images[0].shape
    (['cats/chelsea.png'], (64, 64, 3))
    """
    decoder = PhotoDecoder(Window(size, resize), as_gray)
    return _load(ZipArchive(path), folder, decoder)


def _load(source, folder, decoder):
    below = f"{folder.strip('/')}/" if folder.strip("/") else ""
    files = image_files(source, below)
    names = [name.removeprefix(below) for name in files]
    images = LazyImages(source, files, decoder)
    return Bunch(images=images, names=names, **_classes(names))


def _classes(names):
    if not all("/" in name for name in names):
        return {}
    classes, target = np.unique([n.split("/")[0] for n in names], return_inverse=True)
    return {"target": target, "target_names": classes.tolist()}
