"""
From a folder of photos to a folder of masks
============================================

A set of photos may be larger than memory.
:func:`~sklearn_sparsevae.datasets.load_image_folder` gives a sequence that reads a file
when its photo is needed and keeps none, and everything here takes such a sequence: the
fit, the codes and the masks.
"""

# %%
# A folder
# --------
#
# Here it is a temporary one, with photos that scikit-learn and scikit-image ship. Put
# the path of your own folder in its place.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from skimage.io import imread, imsave
from sklearn.pipeline import Pipeline

from sklearn_sparsevae import SparseCodingVAE, SpectralSegmenter
from sklearn_sparsevae.datasets import load_image_folder, load_sample_photos
from sklearn_sparsevae.plotting import SegmentationDisplay

n_components = 256  # quick: 64
max_epochs = 1  # quick: 0
crop_size = 32  # quick: 16

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
for subset in ("train", "test"):
    (folder / subset).mkdir()
    samples = load_sample_photos(subset=subset)
    for name, photo in zip(samples.names, samples.images):
        imsave(folder / subset / f"{name}.jpg", photo)
files = sorted(folder.rglob("*.jpg"))
print(*(path.relative_to(folder).as_posix() for path in files), sep="\n")

# %%
# Fit a Pipeline on one part, and predict the other
# -------------------------------------------------
#
# The sequence knows the shapes of the photos from the headers of the files.

training = load_image_folder(folder / "train").images
pipe = Pipeline(
    [
        (
            "enc",
            SparseCodingVAE(
                n_components, crop_size=crop_size, max_epochs=max_epochs, random_state=0
            ),
        ),
        ("seg", SpectralSegmenter(random_state=0)),
    ]
).fit(training)
print(f"{len(training)} photos of shapes {training.shapes}")

# %%
# One photo after another is read, coded, segmented and forgotten; only its mask is
# kept, as a file. One photo has to come as a list of one.

unseen = load_image_folder(folder / "test")
(folder / "masks").mkdir()
for name, photo in zip(unseen.names, unseen.images):
    mask = pipe.predict([photo])[0]
    path = folder / "masks" / Path(name).with_suffix(".png")
    imsave(path, (255 * mask).astype(np.uint8), check_contrast=False)
    print(f"{path.relative_to(folder)}: {mask.mean():.0%} of the photo")

# %%
# What was written
# ----------------

masks = [imread(path) > 0 for path in sorted((folder / "masks").iterdir())]
photos = list(unseen.images)
SegmentationDisplay.from_predictions(photos, [mask.astype(int) for mask in masks])
plt.show()
temporary.cleanup()

# %%
# File by file, the mask has the size of its photo. For photos that are large, or slow
# to decode, ``load_image_folder(path, size=512)`` reads them smaller.
