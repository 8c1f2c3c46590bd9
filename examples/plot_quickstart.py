"""
Segment and reconstruct photos that the model has not seen
==========================================================

A :class:`~sklearn_sparsevae.SparseCodingVAE` learns a dictionary of image features from
four photos. Three other photos are then coded with a few of these features for each
square of 8x8 pixels, and come back from the codes. A
:class:`~sklearn_sparsevae.SpectralSegmenter` finds regions and the object of each photo
in the same codes. No labels are used.
"""

# %%
# Fit on four photos
# ------------------
#
# The photos differ in size, so they come in a list. Training goes through random crops.

import time

import matplotlib.pyplot as plt
import numpy as np

from sklearn_sparsevae import SparseCodingVAE, SpectralSegmenter
from sklearn_sparsevae.datasets import load_sample_photos
from sklearn_sparsevae.metrics import nonzeros_per_site, psnr, ssim
from sklearn_sparsevae.plotting import (
    AtomsDisplay,
    ReconstructionDisplay,
    SegmentationDisplay,
)

n_components = 512  # quick: 64
max_epochs = 5  # quick: 0

training = load_sample_photos(subset="train")
encoder = SparseCodingVAE(n_components, max_epochs=max_epochs, random_state=0)
start = time.perf_counter()
encoder.fit(training.images)
print(f"fit on crops of {len(training.images)} photos", end=": ")
print(f"{time.perf_counter() - start:.0f} s")

# %%
# Code three other photos
# -----------------------
#
# ``transform`` gives sparse codes, and ``inverse_transform`` images. The segmenters
# take codes: one asks for four regions, the other for the object and its background.

unseen = load_sample_photos(subset="test")
segmenters = {
    "regions": SpectralSegmenter(4, random_state=0),
    "object": SpectralSegmenter(random_state=0),
}
reconstructions, regions, objects, rows = [], [], [], []
for photo in unseen.images:
    start = time.perf_counter()
    codes = encoder.transform(photo[None])
    coding = time.perf_counter() - start
    reconstruction = encoder.inverse_transform(codes)
    start = time.perf_counter()
    regions.extend(segmenters["regions"].fit_predict(codes))
    objects.extend(segmenters["object"].fit_predict(codes))
    segmenting = time.perf_counter() - start
    reconstructions.extend(reconstruction)
    rows.append(
        {
            "PSNR": psnr(photo[None], reconstruction),
            "SSIM": ssim(photo[None], reconstruction),
            "non-zeros": nonzeros_per_site(codes),
            "code s": coding,
            "segment s": segmenting,
        }
    )

print(f"{'unseen photo':<14}" + "".join(f"{name:>11}" for name in rows[0]))
for name, row in zip(unseen.names, rows):
    print(f"{name:<14}" + "".join(f"{value:11.2f}" for value in row.values()))
means = np.mean([list(row.values()) for row in rows], axis=0)
print(f"{'mean':<14}" + "".join(f"{value:11.2f}" for value in means))

# %%
# PSNR (in dB) and SSIM compare each photo with its reconstruction. Non-zeros are the
# mean number of features that a square takes; it has 192 numbers as pixels. The seconds
# are those of coding and of both segmentations.

figure, axes = plt.subplots(4, 3, figsize=(10, 9.3), layout="constrained")
ReconstructionDisplay.from_predictions(unseen.images, reconstructions, ax=axes[:2])
SegmentationDisplay.from_predictions(
    unseen.images, regions, masks=objects, ax=axes[[0, 2, 3]]
)
plt.show()

# %%
# The reconstructions are hard to tell from the photos. Regions have no names, and their
# colours mean nothing from one photo to the next. In the last row everything but the
# object is dimmed: what is uniform and does not touch the border counts as the object,
# so that part of a face may be taken for it.
#
# What the model has learned
# --------------------------
#
# Each tile is one atom of the dictionary: what the code adds to a square of the image
# where it uses this atom. Grey stands for zero.

AtomsDisplay.from_estimator(encoder)
plt.show()

# %%
# The first three are the mean of each channel. Most others are edges and stripes of
# some direction; a few hold colours.
#
# As a Pipeline
# -------------
#
# Encoder and segmenter also go into a :class:`~sklearn.pipeline.Pipeline`, whose
# ``fit_predict(photos)`` gives the masks in one call;
# :ref:`sphx_glr_auto_examples_segmentation_plot_folder.py` does that for a folder of
# files.
