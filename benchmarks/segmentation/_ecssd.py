"""Photos of ECSSD, and what both scripts on them share."""

import io
import pathlib
import sys
import zipfile

import joblib
import numpy as np
from PIL import Image

from sklearn_sparsevae import SparseCodingVAE

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import _common
import _record  # noqa: F401, for the scripts, as _common

ARCHIVE = "ecssd_300.zip"
PHOTO_SIZE, MASK_SIZE = 256, 128
SPLITS = ("tuning", "report")


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


def read(archive, split, n_photos=None):
    """Photos (n, 256, 256, 3) uint8 and masks (n, 128, 128) bool of one split.

    Every third photo by name is for tuning, the others are reported on: names run from
    easy to hard, so that both splits must take from everywhere.
    """
    with zipfile.ZipFile(archive) as data:
        names = photo_names(data, split)[:n_photos]
        photos = [_read(data, n, "RGB", PHOTO_SIZE, Image.BILINEAR) for n in names]
        masks = [
            _read(data, _mask_name(n), "L", MASK_SIZE, Image.NEAREST) for n in names
        ]
    return np.stack(photos), np.stack(masks) > 127


def whole_masks(archive, split, n_photos=None):
    """Masks of one split at the size of the photos, a list of (H, W) bool."""
    with zipfile.ZipFile(archive) as data:
        names = [_mask_name(name) for name in photo_names(data, split)[:n_photos]]
        images = [Image.open(io.BytesIO(data.read(name))) for name in names]
        return [np.asarray(image.convert("L")) > 127 for image in images]


def photo_names(data, split):
    """Names of the photos of a split in an open archive."""
    names = sorted(n for n in data.namelist() if n.endswith(".jpg"))
    return (
        names[::3]
        if split == "tuning"
        else [name for i, name in enumerate(names) if i % 3]
    )


def _mask_name(name):
    return name.replace("images/", "masks/").replace(".jpg", ".png")


def _read(data, name, mode, size, resample):
    image = Image.open(io.BytesIO(data.read(name))).convert(mode)
    return np.asarray(image.resize((size, size), resample))


def fit_encoder(archive, args, **options):
    """Our encoder at its defaults, fitted on the tuning photos without a mask."""
    setting = {**options, **_common.epochs(args)}
    name = "-".join(["sc", *(f"{key}{value}" for key, value in setting.items())])
    path = args.encoders and args.encoders / f"{name}.joblib"
    if path and path.exists():
        return joblib.load(path)
    photos, _ = read(archive, "tuning", args.n_photos)
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
