"""The field's denoising sets, noise, and models that are trained once and kept."""

import functools
import json
import pathlib
import zipfile

import _common
import numpy as np

from sklearn_sparsevae import Denoiser, load, save
from sklearn_sparsevae.datasets import load_image_archive
from sklearn_sparsevae.degrade import gaussian_noise

TESTS, PHOTOS = "denoising_testsets.zip", "bsds500.zip"
SIGMA = 25  # of their noise, and of single photos
# What defines each model; all else are the defaults. Names begin with the number of
# photos where that is not all of them.
MODELS = {
    "colour": {},
    "grey": {"width": 26},
    "colour, short": {"max_epochs": 8},
    "colour, lista, short": {"bottleneck": "lista", "max_epochs": 3},
    "colour, pursuit, short": {"bottleneck": "pursuit", "max_epochs": 3},
    "colour, lista": {"bottleneck": "lista", "max_epochs": 7},
    "50 clean": {"max_epochs": 8},
    "50 noisy": {"max_epochs": 8, "clean": False},
    "5 clean": {"max_epochs": 8},
    "5 clean, lista": {"bottleneck": "lista", "max_epochs": 3},
    "colour, long": {"max_epochs": 80},
}


@functools.cache
def training_photos(archive):
    """Return the 432 photos of BSDS500 that are not in CBSD68, ``uint8``, as a list."""
    tests = set(archive.test_names)
    found = []
    for subset in ("train", "val", "test"):
        loaded = load_image_archive(archive.photos, folder=f"images/{subset}")
        pairs = zip(loaded.images, loaded.names, strict=True)
        found += [p for p, name in pairs if pathlib.Path(name).stem not in tests]
    return found


class Archives:
    """Where photos and test sets are."""

    def __init__(self, folder):
        self.photos = pathlib.Path(folder, PHOTOS)
        self.tests = pathlib.Path(folder, TESTS)
        with zipfile.ZipFile(self.tests) as opened:
            self.test_names = opened.read("cbsd68.txt").decode().split()

    def load(self, name):
        """Clean photos of a test set, ``uint8``, as a list."""
        if name != "cbsd68":
            photos = load_image_archive(self.tests, folder=name).images
            # Grey files are read as colour, all channels alike.
            return [p if name == "kodak24" else p[..., 0] for p in photos]
        loaded = load_image_archive(self.photos, folder="images/val")
        stems = [pathlib.Path(n).stem for n in loaded.names]
        return [loaded.images[stems.index(n)] for n in self.test_names]


def noisy(photos, sigma, add=gaussian_noise):
    """Photos as floats with noise that is not clipped, the same every time."""
    floats = [photo / 255 for photo in photos]
    seeds = np.random.RandomState(_common.SEED).randint(2**31 - 1, size=len(photos))
    return [
        add([photo], sigma, clip=False, random_state=int(seed))[0]
        for photo, seed in zip(floats, seeds, strict=True)
    ]


def grey(photos):
    """Luma of ITU-R BT.601, rounded to whole numbers, as the field's grey sets."""
    weights = np.array([0.299, 0.587, 0.114])
    return [np.rint(photo @ weights).astype(np.uint8) for photo in photos]


def key(name):
    """Name of the files of a model."""
    return name.replace(", ", "_").replace(" ", "_")


def trained(name, archive, folder, threads=1):
    """Return a model of `MODELS` and what its training took; train it if need be.

    Kept in ``folder`` as a model file, with the seconds beside it in JSON.
    """
    folder = pathlib.Path(folder)
    path, beside = (folder / f"{key(name)}.{end}" for end in ("sparsevae", "json"))
    if not beside.exists():
        photos = training_photos(archive)
        if name[0].isdigit():
            order = np.random.RandomState(_common.SEED).permutation(len(photos))
            photos = [photos[i] for i in order[: int(name.split()[0])]]
        if "noisy" in name:
            photos = noisy(photos, SIGMA)
        if name.startswith("grey"):
            photos = grey(photos)
        model = Denoiser(random_state=_common.SEED, **MODELS[name])
        cpu, wall = _common.timed_fit(model, photos)
        folder.mkdir(parents=True, exist_ok=True)
        save(model, path)
        n_numbers = sum(p.numel() for p in model.net_.module_.parameters())
        history = {k: np.asarray(v).tolist() for k, v in model.history_.items()}
        told = {
            "name": name,
            "settings": MODELS[name],
            "cpu_seconds": cpu,
            "seconds": wall,
            "threads": threads,
            "parameters": n_numbers,
            "photos": len(photos),
            "history": history,
        }
        beside.write_text(json.dumps(told, indent=2))
    return load(path), json.loads(beside.read_text())
