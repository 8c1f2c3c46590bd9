"""Photos with the mask of what stands out: DUTS and DUT-OMRON."""

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

_URL = "http://saliencydetection.net/"
# Nobody publishes checksums of these files: their zip directories, and the checksum of
# each member in them, tell damage.
_DUTS = {
    "train": Remote(_URL + "duts/download/DUTS-TR.zip", None),
    "test": Remote(_URL + "duts/download/DUTS-TE.zip", None),
}
_OMRON = tuple(
    Remote(f"{_URL}dut-omron/download/{name}", None)
    for name in ("DUT-OMRON-image.zip", "DUT-OMRON-gt-pixelwise.zip.zip")
)

_DUTS_DESCR = """DUTS, photos with the mask of what stands out

10,553 photos for training, from ImageNet, and 5,019 for testing, from ImageNet and SUN,
with masks that people drew.

L. Wang et al., "Learning to Detect Salient Objects with Image-level Supervision",
CVPR 2017.
"""
_OMRON_DESCR = """DUT-OMRON, photos with the mask of what stands out

5,168 photos of one or more objects before backgrounds that are not plain, with masks
that five people drew.

C. Yang et al., "Saliency Detection via Graph-based Manifold Ranking", CVPR 2013.
"""


def fetch_duts(
    *,
    subset: Literal["train", "test"] = "train",
    size: int | None = None,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Load the photos of DUTS [1]_, with the masks of what stands out.

    The zip file of a subset is downloaded at the first call for it. Work on objects
    without labels reports on the 5,019 photos of ``subset="test"``.

    Parameters
    ----------
    subset : {"train", "test"}, default="train"
        Official split: 10,553 and 5,019 photos.
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
            Where the objects are, read on demand.
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
    .. [1] L. Wang et al. "Learning to Detect Salient Objects with Image-level
       Supervision." CVPR, 2017.
    """
    check_subset(subset, _DUTS)
    shelf = Shelf("duts", data_home, download_if_missing)
    archive = ZipArchive(shelf.file(_DUTS[subset]))
    return _photos_with_masks(archive, archive, size, _DUTS_DESCR)


def fetch_dut_omron(
    *,
    size: int | None = None,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
) -> Bunch:
    """Load the photos of DUT-OMRON [1]_, with the masks of what stands out.

    Two zip files are downloaded at the first call. There is no split: all 5,168 photos
    are for testing.

    Parameters
    ----------
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
        As :func:`fetch_duts` returns.

    Raises
    ------
    ValueError
        If a file is damaged.
    OSError
        If a file is missing and must not be downloaded.

    References
    ----------
    .. [1] C. Yang et al. "Saliency Detection via Graph-based Manifold Ranking." CVPR,
       2013.
    """
    shelf = Shelf("dut_omron", data_home, download_if_missing)
    photos, masks = (ZipArchive(shelf.file(remote)) for remote in _OMRON)
    return _photos_with_masks(photos, masks, size, _OMRON_DESCR)


def _photos_with_masks(photos, masks, size, description):
    """Photos are JPEG, masks PNG files of the same names, whatever their folders."""
    files = [name for name in image_files(photos) if name.endswith(".jpg")]
    drawn = {
        PurePosixPath(name).stem: name
        for name in image_files(masks)
        if name.endswith(".png")
    }
    names = [PurePosixPath(file).stem for file in files]
    if missing := [name for name in names if name not in drawn]:
        raise ValueError(
            f"The archive has no mask of {missing[0]!r} (and {len(missing) - 1} more); "
            "expected a PNG file of the name of each photo. Remove the archive, and it "
            "is fetched again."
        )
    window = Window(size)
    return Bunch(
        images=LazyImages(photos, files, PhotoDecoder(window)),
        masks=LazySequence(
            masks,
            [drawn[name] for name in names],
            MaskDecoder(window, "L", is_bright),
        ),
        names=names,
        DESCR=description,
    )
