"""The Berkeley segmentation data set."""

import dataclasses
from os import PathLike
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from sklearn_sparsevae.datasets._bunch import Bunch
from sklearn_sparsevae.datasets._decoding import PhotoDecoder
from sklearn_sparsevae.datasets._download import Remote, Shelf, check_subset
from sklearn_sparsevae.datasets._lazy import LazyImages, LazySequence
from sklearn_sparsevae.datasets._sources import ZipArchive, image_files
from sklearn_sparsevae.datasets._window import Window

_ARCHIVE = Remote(
    "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/BSR/"
    "BSR_bsds500.tgz",
    "md5:0b17383ff0b21fe43d2f28e624203169",
)
_BELOW = "BSR/BSDS500/data/"
_SUBSETS = ("train", "val", "test", "all")

_DESCR = """Berkeley Segmentation Data Set and Benchmarks 500

500 natural photos of 481 x 321 or 321 x 481 pixels, each segmented by about five
people: 200 for training, 100 for validation, 200 for testing. For research and
education, not for commerce.

P. Arbelaez, M. Maire, C. Fowlkes and J. Malik, "Contour Detection and Hierarchical
Image Segmentation", IEEE TPAMI 33(5), 2011.
"""


def fetch_bsds500(
    *,
    subset: Literal["train", "val", "test", "all"] = "train",
    size: int | None = None,
    as_gray: bool = False,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Load the Berkeley photos and their segmentations (71 MB).

    Downloaded at the first call and kept as one zip file. SSC-VAE [1]_ measures grey
    crops of 256 pixels, on a random split of all 500 photos into 400, 50 and 50 that
    is not published; ``subset`` follows the official split.

    Parameters
    ----------
    subset : {"train", "val", "test", "all"}, default="train"
        Official split: 200, 100 and 200 photos.
    size : int, default=None
        Scale the largest central square to this side, in pixels. None leaves photos as
        they are.
    as_gray : bool, default=False
        Grey photos ``(H, W)`` instead of ``(H, W, 3)``.
    data_home : str or path-like, default=None
        Folder of all data sets. None stands for scikit-learn's
        :func:`~sklearn.datasets.get_data_home`.
    download_if_missing : bool, default=True
        With False, raise OSError where a file would be downloaded.

    Returns
    -------
    photos : :class:`~sklearn.utils.Bunch`
        With the attributes

        images : sequence of ndarray of shape (H, W, 3) or (H, W) and dtype uint8
            Photos, read on demand, see :func:`load_image_folder`.
        segmentations : sequence of ndarray of shape (n_people, H, W) and dtype uint16
            Labels from 1 that each of the people gave, read on demand.
        names : list of str
            Numbers of the photos.
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
    .. [1] H. Wang et al. "SSC-VAE: Structured Sparse Coding Based Variational
       Autoencoder for Detail Preserved Image Reconstruction." AAAI, 2025.
    """
    check_subset(subset, _SUBSETS)
    shelf = Shelf("bsds500", data_home, download_if_missing)
    source = ZipArchive(shelf.repacked(_ARCHIVE, _BELOW))
    parts = _SUBSETS[:3] if subset == "all" else (subset,)
    files = [file for part in parts for file in image_files(source, f"images/{part}/")]
    labels = [f"groundTruth{f.removeprefix('images')}"[:-3] + "mat" for f in files]
    window = Window(size)
    return Bunch(
        images=LazyImages(source, files, PhotoDecoder(window, as_gray)),
        segmentations=LazySequence(source, labels, _SegmentationDecoder(window)),
        names=[PurePosixPath(file).stem for file in files],
        DESCR=_DESCR,
    )


@dataclasses.dataclass(frozen=True)
class _SegmentationDecoder:
    window: Window

    def __call__(self, file, box=None, place=None):
        """Return the labels ``(n_people, H, W)`` that a MATLAB file holds."""
        try:
            people = loadmat(file)["groundTruth"][0]
            labels = np.stack([p["Segmentation"][0, 0] for p in people])
        except (MatReadError, KeyError, IndexError, TypeError) as error:
            raise ValueError(
                f"no segmentation that can be read ({type(error).__name__}). Get the "
                "data set anew."
            ) from error
        return self.window.labels(labels, box)
