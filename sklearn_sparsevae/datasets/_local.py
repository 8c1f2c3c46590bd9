"""Images of a folder or a zip file of one's own."""

from collections.abc import Sequence
from os import PathLike

import numpy as np

from sklearn_sparsevae._arguments import whole_number
from sklearn_sparsevae.datasets._bunch import Bunch
from sklearn_sparsevae.datasets._decoding import PhotoDecoder
from sklearn_sparsevae.datasets._labels import LabelDecoder
from sklearn_sparsevae.datasets._lazy import LazyImages, LazySequence, photos_in
from sklearn_sparsevae.datasets._masks import pair_masks, stem_of
from sklearn_sparsevae.datasets._sources import (
    MAX_PIXELS,
    Folder,
    ZipArchive,
    image_files,
)
from sklearn_sparsevae.datasets._window import Window


def load_image_folder(
    path: str | PathLike[str],
    *,
    size: int | None = None,
    resize: bool = True,
    as_gray: bool = False,
    masks: str | PathLike[str] | None = None,
    mask_suffix: str = "",
    max_pixels: int = MAX_PIXELS,
) -> Bunch:
    """Load the images of a folder and the folders in it, lazily.

    An image is read when it is asked for, and not kept: the set may be larger than
    memory. Images come upright by their EXIF orientation and in colour (or all grey),
    with transparent parts white. Hidden files are left out.

    No level is lost, whatever the format: 8 bits a channel or fewer come as uint8, 16
    as uint16, and of TIFF other integers and floats as they are, for which an estimator
    asks for a ``value_range``. A model takes photos of one type, and refuses others in
    words. PNG files of 16 bits a colour are refused, since Pillow reads 8 of them.

    Every page of a TIFF file is an image of its own, ``"stack.tif[3]"``, which is read
    alone; how many there are is read from the headers at once. Channels, whether they
    are samples or an axis C of OME or ImageJ, come last, as many as there are. A file
    with more axes, such as times of slices, is refused with their names. Of
    animations the first image is taken.

    Only JPEG, PNG, TIFF, WebP, BMP and GIF are opened, by what is in a file and not
    by its name.

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
    masks : str or path-like, default=None
        A folder with one label map for each image: a file of the same name in another
        format or the same, such as ``cats/1.png`` for ``cats/1.jpg``. It may be
        ``path`` itself where ``mask_suffix`` tells masks, and in a folder below it.
    mask_suffix : str, default=""
        What the names of masks have besides: ``"_mask"`` pairs ``1_mask.png`` with
        ``1.jpg``.
    max_pixels : int, default=2**27
        Images of more pixels are refused before they are decoded, so that a small file
        cannot fill the memory. The default is half a gigabyte at four bytes a
        pixel. Four channels count as one.

    Returns
    -------
    photos : :class:`~sklearn.utils.Bunch`
        With the attributes

        images : sequence of ndarray of shape (H, W, C) or (H, W)
            Read on demand, by several threads at once if need be. A slice or an array
            of indices gives a shorter sequence; ``images.shapes`` tells the shapes from
            the files' headers; with a ``size``, ``np.stack(list(images))`` is an array
            of them all. It can be pickled.
        masks : sequence of ndarray of shape (H, W)
            Label maps, read on demand and cut or scaled as their images: what the
            ``score`` of segmenters takes. The labels are the numbers in the file, those
            of a palette its entries. Only with ``masks``.
        names : list of str
            Paths of the files relative to ``path``, sorted; of pages of a TIFF file
            with several, the path and the number of the page, from 0.
        target : ndarray of int of shape (n_images,)
            Index of each image's class. Only if all images lie in folders.
        target_names : list of str
            Names of the classes, sorted. Only if all images lie in folders.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it holds no images, a TIFF file is damaged or has other axes, or images and
        masks do not pair; or, when an image is asked for, if its file is damaged, no
        photo or too large, or the image smaller than ``size`` without ``resize``. The
        message names the file.

    See Also
    --------
    load_image_archive : The same for a zip file.
    save_masks : Writes label maps as they are read here.

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
    max_pixels = whole_number(max_pixels, "max_pixels")
    decoder = PhotoDecoder(Window(size, resize), as_gray, max_pixels)
    source = Folder(path)
    if masks is None:
        return _load(source, "", decoder)
    return _load(source, "", decoder, (Folder(masks), ""), mask_suffix)


def load_image_archive(
    path: str | PathLike[str],
    *,
    folder: str = "",
    size: int | None = None,
    resize: bool = True,
    as_gray: bool = False,
    masks: str | None = None,
    mask_suffix: str = "",
    max_pixels: int = MAX_PIXELS,
) -> Bunch:
    """Load the images of a zip file in place, lazily.

    As :func:`load_image_folder`, and nothing is unpacked to the disk. Of a TIFF file
    all pages are unpacked in memory to read one: keep long stacks in a folder.

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
    masks : str, default=None
        A folder inside the archive with one label map for each image, see
        :func:`load_image_folder`.
    mask_suffix : str, default=""
        What the names of masks have besides.
    max_pixels : int, default=2**27
        Images of more pixels are refused before they are decoded, so that a small file
        cannot fill the memory; so are members
        of more than eight bytes a pixel. The default is half a gigabyte at four bytes a
        pixel. Four channels count as one.

    Returns
    -------
    photos : :class:`~sklearn.utils.Bunch`
        As of :func:`load_image_folder`; ``names`` are relative to ``folder``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        As of :func:`load_image_folder`; and if it is no zip file, or a member is
        damaged, encrypted, packed in a way that Python does not know, or too large. The
        message names archive and member.

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
    max_pixels = whole_number(max_pixels, "max_pixels")
    decoder = PhotoDecoder(Window(size, resize), as_gray, max_pixels)
    source = ZipArchive(path, max_pixels)
    if masks is None:
        return _load(source, folder, decoder)
    return _load(source, folder, decoder, (source, masks), mask_suffix)


def open_images(
    path: str | PathLike[str], names: Sequence[str], as_gray: bool = False
) -> LazyImages:
    """Images of some files below a folder, as `load_image_folder` reads them."""
    source, decoder = Folder(path), PhotoDecoder(Window(None), as_gray)
    photos, opened = photos_in(source, names)
    return LazyImages(source, photos, decoder, files=opened)


def _load(source, folder, decoder, masks=None, suffix=""):
    below = _below(folder)
    files = image_files(source, below)
    paired = {}
    if masks is not None:
        mask_source, mask_below = masks[0], _below(masks[1])
        mask_files = image_files(mask_source, mask_below)
        mask_files = [name for name in mask_files if stem_of(name).endswith(suffix)]
        apart = {mask_source.path.resolve() / name for name in mask_files}
        files = [name for name in files if source.path.resolve() / name not in apart]
        if not files or not mask_files:
            raise ValueError(
                f"{source.path} holds no images besides its masks, or {masks[0].path} "
                f"no masks; expected one mask for each image, told by another folder "
                f"or by mask_suffix, which is {suffix!r}."
            )
    names, opened = photos_in(source, files)
    images = LazyImages(source, names, decoder, files=opened)
    names = [name.removeprefix(below) for name in names]
    if masks is not None:
        labels = LabelDecoder(decoder.window, decoder.max_pixels)
        mask_names, opened = photos_in(mask_source, mask_files)
        maps = LazySequence(mask_source, mask_names, labels, files=opened)
        relative = [name.removeprefix(mask_below) for name in mask_names]
        paired["masks"] = maps[pair_masks(names, relative, suffix)]
    return Bunch(images=images, **paired, names=names, **_classes(names))


def _below(folder):
    return f"{folder.strip('/')}/" if folder.strip("/") else ""


def _classes(names):
    if not all("/" in name for name in names):
        return {}
    classes, target = np.unique([n.split("/")[0] for n in names], return_inverse=True)
    return {"target": target, "target_names": classes.tolist()}
