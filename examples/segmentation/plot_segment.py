"""
Objects and regions of photos, without labels
=============================================

Segmenters cluster the sparse codes of a photo, site by site. This example puts their
results side by side: five regions by k-means and by spectral clustering, and the
object, on the grid of sites and along the edges of the photo.
"""

# %%
# Code the photos
# ---------------
#
# The encoder is fitted on other photos. The last picture is a texture, which has no
# object.

import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from skimage.color import label2rgb
from skimage.segmentation import mark_boundaries

from sklearn_sparsevae import KMeansSegmenter, SparseCodingVAE, SpectralSegmenter
from sklearn_sparsevae.datasets import load_sample_photos

n_components = 512  # quick: 64
max_epochs = 1  # quick: 0
crop_size = 32  # quick: 16

training = load_sample_photos(subset="train").images
encoder = SparseCodingVAE(
    n_components, crop_size=crop_size, max_epochs=max_epochs, random_state=0
).fit(training)
texture = np.repeat(data.grass()[:256, :384, None], 3, axis=2)
photos = [*load_sample_photos(subset="test").images, texture]
codes = encoder.transform(photos)  # a list, as the photos differ in size
print("sites:", [one.grid_shape for one in codes])

# %%
# Segment them
# ------------

segmenters = {
    "5 regions, k-means": KMeansSegmenter(5, random_state=0),
    "5 regions, spectral": SpectralSegmenter(5, random_state=0),
    "object, refine=None": SpectralSegmenter(refine=None, random_state=0),
    "object": SpectralSegmenter(random_state=0),
}
figure, axes = plt.subplots(
    len(photos), 1 + len(segmenters), figsize=(13, 8), layout="constrained"
)
for ax, photo in zip(axes[:, 0], photos):
    ax.imshow(photo)
    ax.set_title("photo")
for column, (name, segmenter) in zip(axes[:, 1:].T, segmenters.items()):
    labels = segmenter.fit_predict(codes)
    for i, ax in enumerate(column):
        if name.startswith("object"):
            outlined = mark_boundaries(photos[i], labels[i], (1, 1, 0), mode="thick")
            ax.imshow(outlined)
            ax.set_title(f"{name}: {segmenter.confidence_[i]:.2f}")
        else:
            ax.imshow(label2rgb(labels[i], photos[i], kind="avg", bg_label=-1))
            ax.set_title(name)
for ax in axes.flat:
    ax.set_axis_off()
plt.show()

# %%
# Regions are drawn in the mean colour of their pixels. K-means looks at the codes
# alone, so that a region may be scattered over the photo; ``SpectralSegmenter`` merges
# small pieces across their weakest boundaries, and its regions hang together.
#
# The outline of the object follows the squares of the grid with ``refine=None``, and
# the edges of the photo by default. The number is the confidence, about the overlap
# with a true mask that can be expected. Masks whose confidence is below
# ``min_confidence`` are left empty, as that of the texture.
