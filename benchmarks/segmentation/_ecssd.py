"""Photos of ECSSD and of other sets with masks, and what the scripts on them share.

A set is where its photos are: the path of ECSSD's archive, or what a loader of
`sklearn_sparsevae.datasets` returns.
"""

import functools
import io
import os
import pathlib
import sys
import zipfile

import joblib
import numpy as np
from PIL import Image

from sklearn_sparsevae import SparseCodingVAE, datasets

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import _common
import _record  # noqa: F401, for the scripts, as _common

ARCHIVE = "ecssd_300.zip"
PHOTO_SIZE, MASK_SIZE = 256, 128
SPLITS = ("tuning", "report")
# Encoders are fitted on at most so many photos of a set.
MOST_TUNING = 100
# Loaders of the other sets, of the photos that work on objects without labels reports.
LOADERS = {
    "duts": functools.partial(datasets.fetch_duts, subset="test"),
    "dut_omron": datasets.fetch_dut_omron,
    "cub": functools.partial(datasets.fetch_cub, subset="segmentation"),
    "flowers": functools.partial(datasets.fetch_oxford_flowers, subset="train"),
    "isic2016": functools.partial(datasets.fetch_isic2016, subset="test"),
}


def parser(description, *, json_name):
    """Command line of a script on ECSSD."""
    options = _common.parser(description, data=ARCHIVE, json_name=json_name)
    options.add_argument(
        "--n-photos", type=_common.positive, help="only the first ones"
    )
    options.add_argument(
        "--encoders",
        type=pathlib.Path,
        metavar="FOLDER",
        help="keep fitted encoders in this folder, or take them from there",
    )
    return options


def find_archive(options, data):
    """Path of the archive; see `_common.find_archive`."""
    members = "images/*.jpg and masks/*.png"
    return _common.find_archive(options, data, name=ARCHIVE, members=members)


def load(name, folder):
    """Photos and masks of another set, which lies in a folder of data sets.

    Raises OSError where it does not; nothing is downloaded.
    """
    return LOADERS[name](data_home=folder, download_if_missing=False)


def find_set(options, args):
    """Set that ``--dataset`` names; ends the program when it is not there."""
    if args.dataset == "ecssd":
        return find_archive(options, args.data)
    try:
        return load(args.dataset, args.data or os.environ.get(_common.FOLDER_VARIABLE))
    except OSError as error:
        options.exit(0, f"{options.prog}: skipped, {error}\n")


def read(source, split, n_photos=None):
    """Photos (n, 256, 256, 3) uint8 and masks (n, 128, 128) bool of one split.

    Every third photo is for tuning, the others are reported on: names of ECSSD run from
    easy to hard, so that both splits must take from everywhere.
    """
    pairs = pictures(source, split, n_photos)
    sizes = 2 * (PHOTO_SIZE,), 2 * (MASK_SIZE,)
    photos, masks = zip(
        *(
            (
                photo.resize(sizes[0], Image.BILINEAR),
                mask.resize(sizes[1], Image.NEAREST),
            )
            for photo, mask in pairs
        )
    )
    return np.stack(list(map(np.asarray, photos))), np.stack(masks) > 127


def whole_masks(source, split, n_photos=None):
    """Masks of one split at the size of the photos, a list of (H, W) bool."""
    return [np.asarray(m) > 127 for _, m in pictures(source, split, n_photos)]


def pictures(source, split, n_photos=None):
    """Yield photo and mask of one split as Pillow's images, the masks of 0 or 255."""
    if not isinstance(source, pathlib.Path):
        for i in of_split(range(len(source.images)), split)[:n_photos]:
            mask = np.where(source.masks[i], np.uint8(255), np.uint8(0))
            photo = Image.fromarray(source.images[i])
            yield photo.convert("RGB"), Image.fromarray(mask)
        return
    with zipfile.ZipFile(source) as data:
        for name in photo_names(data, split)[:n_photos]:
            yield tuple(
                Image.open(io.BytesIO(data.read(member))).convert(mode)
                for member, mode in ((name, "RGB"), (_mask_name(name), "L"))
            )


def photo_names(data, split):
    """Names of the photos of a split in an open archive."""
    return of_split(sorted(n for n in data.namelist() if n.endswith(".jpg")), split)


def of_split(items, split):
    """Every third of a sequence, or the others."""
    if split == "tuning":
        return items[::3]
    return [item for i, item in enumerate(items) if i % 3]


def _mask_name(name):
    return name.replace("images/", "masks/").replace(".jpg", ".png")


def fit_encoder(source, args, **options):
    """Our encoder at its defaults, fitted on the tuning photos without a mask."""
    setting = {**options, **_common.epochs(args)}
    other = getattr(args, "dataset", "ecssd")
    parts = ["sc", *[other] * (other != "ecssd")]
    name = "-".join([*parts, *(f"{key}{value}" for key, value in setting.items())])
    path = args.encoders and args.encoders / f"{name}.joblib"
    if path and path.exists():
        return joblib.load(path)
    photos, _ = read(source, "tuning", min(args.n_photos or MOST_TUNING, MOST_TUNING))
    encoder = SparseCodingVAE(random_state=_common.SEED, **setting).fit(photos)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(encoder, path)
    return encoder


def sample(mask, size=MASK_SIZE):
    """Nearest pixel of a mask of any size, at mask size."""
    rows, columns = (
        ((np.arange(size) + 0.5) * n / size).astype(int) for n in mask.shape
    )
    return mask[np.ix_(rows, columns)] > 0


def iou_and_dice(predictions, masks):
    """Both measures of every photo, (n_photos, 2); two empty masks agree."""
    scores = []
    for prediction, mask in zip(predictions, masks, strict=True):
        prediction = sample(prediction)
        both, either = (prediction & mask).sum(), (prediction | mask).sum()
        total = prediction.sum() + mask.sum()
        scores.append((both / either, 2 * both / total) if either else (1.0, 1.0))
    return np.array(scores)


def show(values):
    """Text of a mean and its interval."""
    low, high = _common.interval(values)
    return f"{np.mean(values):.3f} [{low:.3f} {high:.3f}]"
