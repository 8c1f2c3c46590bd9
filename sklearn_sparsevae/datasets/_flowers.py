"""The Oxford flowers of 102 kinds."""

from os import PathLike
from typing import Literal

import numpy as np
from scipy.io import loadmat

from sklearn_sparsevae.datasets._bunch import Bunch
from sklearn_sparsevae.datasets._decoding import PhotoDecoder
from sklearn_sparsevae.datasets._download import Remote, Shelf, check_subset
from sklearn_sparsevae.datasets._labels import MaskDecoder
from sklearn_sparsevae.datasets._lazy import LazyImages, LazySequence
from sklearn_sparsevae.datasets._sources import ZipArchive
from sklearn_sparsevae.datasets._window import Window

_URL = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/"
_IMAGES = Remote(_URL + "102flowers.tgz", "md5:52808999861908f626f3c1f4e79d11fa")
_MASKS = Remote(_URL + "102segmentations.tgz", "md5:51375996b6c4f367a4b9f4492d7ecef5")
_LABELS = Remote(_URL + "imagelabels.mat", "md5:e0620be6f572b9609742df49c70aed4d")
_SPLIT = Remote(_URL + "setid.mat", "md5:a5357ecc9cb78c4bef273ce3793fc85c")
# What the data set's own file calls its subsets.
_SUBSETS = {
    "train": ("trnid",),
    "val": ("valid",),
    "test": ("tstid",),
    "all": ("trnid", "valid", "tstid"),
}

_DESCR = """Oxford 102 category flower data set

8,189 photos of flowers of 102 kinds common in the United Kingdom, no side shorter than
500 pixels, with foreground masks that a program made (Nilsback and Zisserman 2007).
Officially 1,020 photos are for training, 1,020 for validation and 6,149 for testing.
Work on segmentation without labels turns that round (ReDO, IEM, SC-VAE): it trains on
the 6,149 and tests on the 1,020 of the training subset.

M.-E. Nilsback and A. Zisserman, "Automated Flower Classification over a Large Number of
Classes", ICVGIP 2008.
"""


def fetch_oxford_flowers(
    *,
    subset: Literal["train", "val", "test", "all"] = "train",
    size: int | None = None,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Load the Oxford flowers of 102 kinds, with foreground masks (539 MB).

    Downloaded at the first call and kept as two zip files. SC-VAE [1]_ tests on 1,020
    photos, after ReDO [2]_ whose test photos are the official ``subset="train"``.

    Parameters
    ----------
    subset : {"train", "val", "test", "all"}, default="train"
        Official split: 1,020, 1,020 and 6,149 photos.
    size : int, default=None
        Scale the largest central square to this side, in pixels. None leaves photos as
        they are.
    data_home : str or path-like, default=None
        Folder of all data sets. None stands for scikit-learn's
        :func:`~sklearn.datasets.get_data_home`.
    download_if_missing : bool, default=True
        With False, raise OSError where a file would be downloaded.

    Returns
    -------
    photos : :class:`~sklearn.utils.Bunch`
        With the attributes

        images : sequence of ndarray of shape (H, W, 3) and dtype uint8
            Photos, read on demand, see :func:`load_image_folder`.
        masks : sequence of ndarray of shape (H, W) and dtype bool
            Where the flowers are, read on demand; a pixel is background where it is
            blue: no red, no green, or 254 of blue, as in [2]_.
        target : ndarray of int of shape (n_images,)
            Kind of flower, from 0 to 101.
        names : list of str
            Names of the photos.
        DESCR : str
            What the data set is.

    Raises
    ------
    ValueError
        If there is no such subset, or a file is damaged.
    OSError
        If a file is missing and must not be downloaded.

    References
    ----------
    .. [1] P. Xiao et al. "SC-VAE: Sparse Coding-based Variational Autoencoder with
       Learned ISTA." Pattern Recognition, 2025. Table 2.
    .. [2] M. Chen et al. "Unsupervised Object Segmentation by Redrawing." NeurIPS,
       2019.
    """
    check_subset(subset, _SUBSETS)
    shelf = Shelf("oxford_flowers", data_home, download_if_missing)
    photos = ZipArchive(shelf.repacked(_IMAGES))
    masks = ZipArchive(shelf.repacked(_MASKS))
    split = loadmat(shelf.file(_SPLIT))
    labels = loadmat(shelf.file(_LABELS))["labels"].ravel()
    numbers = np.concatenate([split[part].ravel() for part in _SUBSETS[subset]])
    files = [f"jpg/image_{number:05d}.jpg" for number in numbers]
    mask_files = [f"segmim/segmim_{number:05d}.jpg" for number in numbers]
    window = Window(size)
    return Bunch(
        images=LazyImages(photos, files, PhotoDecoder(window)),
        masks=LazySequence(masks, mask_files, MaskDecoder(window, "RGB", _is_flower)),
        target=labels[numbers - 1].astype(int) - 1,
        names=[f"image_{number:05d}" for number in numbers],
        DESCR=_DESCR,
    )


def _is_flower(pixels):
    red, green, blue = np.moveaxis(pixels, -1, 0)
    return (red != 0) & (green != 0) & (blue != 254)
