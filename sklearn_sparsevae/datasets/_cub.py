"""The birds of Caltech and UCSD."""

from os import PathLike
from pathlib import PurePosixPath
from typing import Literal

import numpy as np

from sklearn_sparsevae.datasets._bunch import Bunch
from sklearn_sparsevae.datasets._decoding import PhotoDecoder
from sklearn_sparsevae.datasets._download import Remote, Shelf, check_subset
from sklearn_sparsevae.datasets._labels import MaskDecoder, is_bright
from sklearn_sparsevae.datasets._lazy import LazyImages, LazySequence
from sklearn_sparsevae.datasets._sources import ZipArchive
from sklearn_sparsevae.datasets._window import Window

_IMAGES = Remote(
    "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
    "md5:97eceeb196236b17998738112f37df78",
)
_MASKS = Remote(
    "https://data.caltech.edu/records/w9d68-gec53/files/segmentations.tgz",
    "md5:4d47ba1228eae64f2fa547c47bc65255",
)
_REDO_SPLIT = Remote(
    "https://raw.githubusercontent.com/mickaelChen/ReDO/"
    "d6542528ca97c5c533694c4095ba003cb7a95d4c/datasplits/cub/train_val_test_split.txt",
    "sha256:7620961c0d472a9721d9f2e5541a6dba2a6009e21caadb3861c5c7b64270764c",
)
_SUBSETS = ("train", "test", "all", "segmentation")
_REDO_TEST = 2  # among 0 for training and 1 for validation

_DESCR = """Caltech-UCSD Birds-200-2011

11,788 photos of birds of 200 species, with foreground masks and boxes around birds:
officially 5,994 for training and 5,794 for testing. Work on segmentation without labels
(ReDO, IEM, SC-VAE) tests on 1,000 photos that ReDO chose across that split. For
research and education, not for commerce.

C. Wah, S. Branson, P. Welinder, P. Perona and S. Belongie, "The Caltech-UCSD
Birds-200-2011 Dataset", CNS-TR-2011-001, California Institute of Technology, 2011.
"""


def fetch_cub(
    *,
    subset: Literal["train", "test", "all", "segmentation"] = "train",
    size: int | None = None,
    crop_to_box: bool = False,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Load the Caltech-UCSD birds of 2011, with foreground masks (1.2 GB).

    Downloaded at the first call and kept as two zip files. SC-VAE [1]_ tests on
    ``subset="segmentation"`` with ``crop_to_box=True``.

    Parameters
    ----------
    subset : {"train", "test", "all", "segmentation"}, default="train"
        Official split, 5,994 and 5,794 photos; or the 1,000 photos, of both, that ReDO
        [2]_ and its successors test on.
    size : int, default=None
        Scale the largest central square to this side, in pixels. None leaves photos as
        they are.
    crop_to_box : bool, default=False
        Show only the smallest square around the box of the bird, moved into the photo
        where it juts out, and no larger than the photo.
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
            Where more than half of the annotators saw a bird, read on demand.
        boxes : ndarray of int of shape (n_images, 4)
            Top, left, height and width of the birds in the whole photos, in pixels.
        target : ndarray of int of shape (n_images,)
            Species.
        target_names : list of str
            Names of the 200 species.
        names : list of str
            Names of the photos, with the species in front.
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
    shelf = Shelf("cub", data_home, download_if_missing)
    photos = ZipArchive(shelf.repacked(_IMAGES, "CUB_200_2011/"))
    masks = ZipArchive(shelf.repacked(_MASKS, "segmentations/"))
    chosen = _members(subset, photos, shelf)
    files = _column(photos.read("images.txt"))[chosen].tolist()
    boxes = _boxes(photos)[chosen]
    square = boxes.tolist() if crop_to_box else None
    paths = [f"images/{file}" for file in files]
    mask_paths = [str(PurePosixPath(file).with_suffix(".png")) for file in files]
    window = Window(size)
    mask_decoder = MaskDecoder(window, "L", is_bright)
    return Bunch(
        images=LazyImages(photos, paths, PhotoDecoder(window), square),
        masks=LazySequence(masks, mask_paths, mask_decoder, square),
        boxes=boxes,
        target=_column(photos.read("image_class_labels.txt")).astype(int)[chosen] - 1,
        target_names=_column(photos.read("classes.txt")).tolist(),
        names=[file.removesuffix(".jpg") for file in files],
        DESCR=_DESCR,
    )


def _members(subset, photos, shelf):
    """Which of all photos are in a subset, as booleans."""
    if subset == "segmentation":
        return _column(shelf.file(_REDO_SPLIT).read_bytes()).astype(int) == _REDO_TEST
    trains = _column(photos.read("train_test_split.txt")) == "1"
    return {"train": trains, "test": ~trains, "all": trains | ~trains}[subset]


def _boxes(photos):
    rows = photos.read("bounding_boxes.txt").decode().splitlines()
    left, top, width, height = np.array([row.split()[1:] for row in rows], float).T
    return np.stack([top, left, height, width], axis=1).round().astype(int)


def _column(content):
    """Return what the rows of a text file say after their number."""
    return np.array([row.split()[1] for row in content.decode().splitlines()])
