"""CIFAR-10 (JPEG), for the benchmarks on it."""

import _common
import numpy as np
import torch

from sklearn_sparsevae.datasets import load_image_archive

TITLE = "CIFAR-10 (JPEG)"
ARCHIVE = "cifar10_jpeg.zip"


def parser(description, *, n_train, json_name):
    """Command line that every benchmark on CIFAR-10 has; None leaves a default out."""
    options = _common.parser(description, data=ARCHIVE, json_name=json_name)
    add = options.add_argument
    add("--n-train", type=_common.positive, default=n_train, help="training images")
    add("--n-test", type=_common.positive, default=2000, help="held-out test images")
    return options


def find_archive(options, data):
    """Path of the archive; see `_common.find_archive`."""
    members = "train/<class>/NNNN.jpg and test/<class>/NNNN.jpg"
    return _common.find_archive(options, data, name=ARCHIVE, members=members)


def load(archive, subset, n_images):
    """Read a fixed random choice of images, ``(n, 32, 32, 3)`` uint8, from the zip."""
    return np.stack(_common.load_photos(archive, subset, n_images))


def load_with_classes(archive, subset, n_images):
    """Read the same images as `load`, and the index of each one's class."""
    photos = load_image_archive(archive, folder=subset)
    order = np.random.RandomState(_common.SEED).permutation(len(photos.images))
    order = order[:n_images]
    return np.stack([photos.images[i] for i in order]), photos.target[order]


def settings(train, test, **more):
    """Name data and numbers of images, and ``more``, as a file of results has them."""
    return {"data": TITLE, "n_train": len(train), "n_test": len(test), **more}


def start(options):
    """Read the command line, keep torch to its threads; training and test images."""
    args = options.parse_args()
    archive = find_archive(options, args.data)
    torch.set_num_threads(args.threads)
    train = load(archive, "train", args.n_train)
    return args, train, load(archive, "test", args.n_test)
