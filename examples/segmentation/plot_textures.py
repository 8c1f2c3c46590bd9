"""
Textures and tissue
===================

Colour tells a lawn from the sky, but not grass from gravel of the same grey values, nor
glands from what lies between them in a grey photo of a tissue. What differs is which
atoms describe the surroundings of a site: ``KMeansSegmenter(pooling=...)`` clusters
that.
"""

# %%
# Mosaics of textures
# -------------------
#
# Three photos of materials come with scikit-image. Their grey values are equalised, so
# that each texture has as many pixels of each grey value as the others. The right
# halves make the pictures that the encoder is fitted on, the left halves those that are
# segmented.

import matplotlib.pyplot as plt
import numpy as np
from skimage import data, exposure
from skimage.segmentation import mark_boundaries
from sklearn.metrics import adjusted_rand_score

from sklearn_sparsevae import KMeansSegmenter, SparseCodingVAE, SpectralSegmenter

side = 256  # quick: 128
n_training = 4  # quick: 2
max_epochs = 1  # quick: 0
materials = [data.brick(), data.grass(), data.gravel()]


def make_mosaic(first_column, rng):
    """Cells of Voronoi, two for each material, and which one each pixel shows."""
    pieces = []
    for image in materials:
        row, column = rng.integers(0, 257 - side, size=2) + (0, first_column)
        piece = image[row : row + side, column : column + side]
        pieces.append(exposure.equalize_hist(piece))
    points = rng.uniform(0.15, 0.85, size=(6, 2)) * side
    down, right = np.indices((side, side))
    nearest = [(down - y) ** 2 + (right - x) ** 2 for y, x in points]
    truth = np.argmin(nearest, axis=0) % 3
    return np.choose(truth, pieces).astype(np.float32), truth


rng = np.random.default_rng(1)
training = np.stack([make_mosaic(256, rng)[0] for _ in range(n_training)])
pictures, truths = map(np.stack, zip(*(make_mosaic(0, rng) for _ in range(2))))
encoder = SparseCodingVAE(128, max_epochs=max_epochs, random_state=0).fit(training)
codes = encoder.transform(pictures)

# %%
# Segment them
# ------------
#
# A site of 8 x 8 pixels says little of a texture: bright and dark stones, mortar and
# brick have different codes. Averaged over the sites around, by a Gaussian with a
# standard deviation of 1.5 sites, the use of atoms is typical of each material.
# ``scope="dataset"`` gives a material the same label in both pictures, as their colours
# show. The number is the adjusted Rand index with the true labels: 1 if all pixels
# agree, 0 for chance.

segmenters = {
    "spectral": SpectralSegmenter(3, random_state=0),
    "k-means": KMeansSegmenter(3, scope="dataset", random_state=0),
    "k-means, pooling=1.5": KMeansSegmenter(
        3, scope="dataset", pooling=1.5, random_state=0
    ),
}
figure, axes = plt.subplots(2, 4, figsize=(12, 6.4), layout="constrained")
for line, picture, truth in zip(axes, pictures, truths):
    line[0].imshow(mark_boundaries(picture, truth, (1, 0.8, 0), mode="thick"))
    line[0].set_title("true outlines")
for column, (name, segmenter) in zip(axes.T[1:], segmenters.items()):
    for ax, labels, truth, picture in zip(
        column, segmenter.fit_predict(codes), truths, pictures
    ):
        ax.imshow(picture, cmap="gray")
        ax.imshow(labels, cmap="viridis", alpha=0.6, vmin=0, vmax=2)
        agreement = adjusted_rand_score(truth.ravel(), labels.ravel())
        ax.set_title(f"{name}: {agreement:.2f}")
for ax in axes.flat:
    ax.set_axis_off()
plt.show()

# %%
# The reach of pooling
# --------------------
#
# It is a compromise: wide enough that a few repetitions of the texture lie within, and
# not much wider, as outlines are only as exact as the reach, and what is narrower than
# about twice the reach is lost.

figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), layout="constrained")
for ax, reach in zip(axes, (0, 0.75, 1.5, 4)):
    segmenter = KMeansSegmenter(3, pooling=reach, random_state=0)
    labels = segmenter.fit_predict(codes[:1])[0]
    ax.imshow(pictures[0], cmap="gray")
    ax.imshow(labels, cmap="viridis", alpha=0.6)
    agreement = adjusted_rand_score(truths[0].ravel(), labels.ravel())
    ax.set_title(f"pooling={reach}: {agreement:.2f}")
    ax.set_axis_off()
plt.show()

# %%
# Glands of a tissue
# ------------------
#
# A section of a colon (scikit-image's ``immunohistochemistry``), without its colours.
# The encoder and two clusters come from the left half, labels are those of the right
# half. Nobody has drawn true outlines here, so that there is no number: look whether
# they follow the glands, whose stained cells stand side by side.

tissue = data.immunohistochemistry()
grey = tissue.mean(axis=2).astype(np.uint8)
seen, unseen = grey[None, :, :256], grey[None, :, 256:]
encoder = SparseCodingVAE(128, max_epochs=max_epochs, random_state=0)
segmenter = KMeansSegmenter(2, scope="dataset", pooling=1.5, random_state=0)
segmenter.fit(encoder.fit_transform(seen))
labels = segmenter.predict(encoder.transform(unseen))[0]

figure, axes = plt.subplots(1, 3, figsize=(10, 6.6), layout="constrained")
axes[0].imshow(tissue[:, 256:])
axes[0].set_title("photo")
axes[1].imshow(unseen[0], cmap="gray")
axes[1].set_title("what was coded")
axes[2].imshow(mark_boundaries(tissue[:, 256:], labels, (1, 1, 0), mode="thick"))
axes[2].imshow(labels, cmap="viridis", alpha=0.35)
axes[2].set_title("two textures")
for ax in axes:
    ax.set_axis_off()
plt.show()

# %%
# :doc:`/results/segmentation` has figures for many mosaics, beside what else can be
# pooled: for materials such as these, local binary patterns part them better.
