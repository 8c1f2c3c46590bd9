"""Loading photos: a folder of JPEG files of 400x300 pixels, to squares of 256.

`load_image_folder` reads, turns upright, crops and resizes. The peers do the same with
scikit-image; the limit is Pillow's decoder and resize alone.
"""

import pathlib
import tempfile

import numpy as np
from PIL import Image
from skimage import io, transform

from rows._contenders import Here, race
from rows._photos import crops
from rows._results import Result
from sklearn_sparsevae.datasets import load_image_folder

N_PHOTOS, SIDE = 60, 256


def write_photos(folder, n_photos):
    """Write JPEG files of 400x300 pixels, cut from the sample photos."""
    for i, photo in enumerate(crops(300, n_photos)):
        wide = Image.fromarray(photo).resize((400, 300))
        wide.save(pathlib.Path(folder, f"{i:04d}.jpg"), quality=90)


def scikit_image(path):
    """Read and resize with scikit-image."""
    photo = io.imread(path)[:, 50:350]
    return transform.resize(photo, (SIDE, SIDE), anti_aliasing=True)


def pillow(path):
    """Decode and resize with Pillow, and nothing else."""
    with Image.open(path) as photo:
        return np.asarray(photo.resize((SIDE, SIDE), box=(50, 0, 350, 300)))


def measure():
    """Results of this row."""
    with tempfile.TemporaryDirectory() as folder:
        write_photos(folder, N_PHOTOS)
        paths = sorted(pathlib.Path(folder).iterdir())
        contenders = {
            "ours": lambda: list(load_image_folder(folder, size=SIDE).images),
            "scikit-image": lambda: [scikit_image(path) for path in paths],
            "Pillow": lambda: [pillow(path) for path in paths],
        }
        figures = race({name: Here(run, N_PHOTOS) for name, run in contenders.items()})
    ours, peer, limit = figures.values()
    return [Result("loading photos", "photos/s", ours, (peer,), limit)]
