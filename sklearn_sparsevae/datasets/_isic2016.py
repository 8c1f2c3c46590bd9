"""The skin lesions of the ISIC challenge of 2016."""

from os import PathLike
from pathlib import PurePosixPath
from typing import Literal

from sklearn_sparsevae.datasets._bunch import Bunch
from sklearn_sparsevae.datasets._decoding import PhotoDecoder
from sklearn_sparsevae.datasets._download import Remote, Shelf, check_subset
from sklearn_sparsevae.datasets._labels import MaskDecoder, is_bright
from sklearn_sparsevae.datasets._lazy import LazyImages, LazySequence
from sklearn_sparsevae.datasets._sources import ZipArchive, image_files
from sklearn_sparsevae.datasets._window import Window

_URL = "https://isic-challenge-data.s3.amazonaws.com/2016/ISBI2016_ISIC_Part1_"
# Nobody publishes checksums of these files: their zip directories, and the checksum of
# each member in them, tell damage.
_SUBSETS = {
    "train": (
        Remote(_URL + "Training_Data.zip", None),
        Remote(_URL + "Training_GroundTruth.zip", None),
    ),
    "test": (
        Remote(_URL + "Test_Data.zip", None),
        Remote(_URL + "Test_GroundTruth.zip", None),
    ),
}

_DESCR = """Skin lesions, part 1 of the ISIC challenge of 2016

Dermoscopic photos of different sizes, up to 12 megapixels, with masks of the lesions
that experts drew: 900 for training, 379 for testing. CC-0.

D. Gutman et al., "Skin Lesion Analysis toward Melanoma Detection: A Challenge at the
International Symposium on Biomedical Imaging (ISBI) 2016, hosted by the International
Skin Imaging Collaboration (ISIC)", arXiv:1605.01397, 2016.
"""


def fetch_isic2016(
    *,
    subset: Literal["train", "test"] = "train",
    size: int | None = None,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Load the skin lesions of the ISIC challenge of 2016, with masks.

    The two zip files of a subset are downloaded at the first call for it. SC-VAE [1]_
    tests on the 379 photos of ``subset="test"``.

    Parameters
    ----------
    subset : {"train", "test"}, default="train"
        Official split: 900 and 379 photos.
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
            Where the lesions are, read on demand.
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
    """
    check_subset(subset, _SUBSETS)
    shelf = Shelf("isic2016", data_home, download_if_missing)
    photos, masks = (ZipArchive(shelf.file(remote)) for remote in _SUBSETS[subset])
    files = image_files(photos)
    names = [PurePosixPath(file).stem for file in files]
    folder = _SUBSETS[subset][1].filename.removesuffix(".zip")
    mask_files = [f"{folder}/{name}_Segmentation.png" for name in names]
    window = Window(size)
    mask_decoder = MaskDecoder(window, "L", is_bright)
    return Bunch(
        images=LazyImages(photos, files, PhotoDecoder(window)),
        masks=LazySequence(masks, mask_files, mask_decoder),
        names=names,
        DESCR=_DESCR,
    )
