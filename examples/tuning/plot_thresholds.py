"""
One threshold, or one for every atom and place
==============================================

SC-VAE has one threshold for what counts as a non-zero. SSC-VAE infers thresholds for
every atom and place from the image, and refines them by attention. ``threshold=`` of
:class:`~sklearn_sparsevae.SparseCodingVAE` chooses: ``"scalar"``, ``"vector"`` or
``"structured"``. This example shows where each spends its non-zeros.
"""

# %%
# Soft thresholds, as in the papers
# ---------------------------------
#
# ``shrinkage="soft"`` is the iteration of the papers, which shrinks coefficients a
# little in every step. The default, ``"support"``, selects atoms one after another
# instead; it comes last.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_sparsevae import SparseCodingVAE
from sklearn_sparsevae.datasets import load_sample_photos
from sklearn_sparsevae.metrics import hoyer, nonzeros_per_site
from sklearn_sparsevae.plotting import ThresholdDisplay

n_components = 128  # quick: 48
max_epochs = 1  # quick: 0
crop_size = 32  # quick: 16

training = load_sample_photos(subset="train").images
unseen = load_sample_photos(subset="test").images
settings = {
    "soft, scalar": {"shrinkage": "soft", "threshold": "scalar"},
    "soft, vector": {"shrinkage": "soft", "threshold": "vector"},
    "soft, structured": {"shrinkage": "soft", "threshold": "structured"},
    "support, scalar": {"shrinkage": "support", "alpha": 0.06},
}
print(f"{'':20}{'PSNR':>8}{'non-zeros':>12}{'Hoyer':>8}")
counts = {}
for name, params in settings.items():
    model = SparseCodingVAE(
        n_components,
        n_downsamples=3,
        crop_size=crop_size,
        max_epochs=max_epochs,
        random_state=0,
        **params,
    ).fit(training)
    if name == "soft, structured":
        structured = model
    codes = model.transform(unseen)
    counts[name] = [
        one.sites().count_nonzero(axis=1).reshape(one.grid_shape) for one in codes
    ]
    print(
        f"{name:20}{model.score(unseen):8.2f}{nonzeros_per_site(codes):12.2f}"
        f"{hoyer(codes):8.3f}"
    )

# %%
# Where the non-zeros are
# -----------------------

highest = max(np.percentile(one, 99) for row in counts.values() for one in row)
figure, axes = plt.subplots(3, 5, figsize=(12, 5.2), layout="constrained")
for row, photo in zip(axes, unseen):
    row[0].imshow(photo)
for column, (name, maps) in zip(axes[:, 1:].T, counts.items()):
    column[0].set_title(name)
    for ax, one in zip(column, maps):
        drawn = ax.imshow(one, vmin=0, vmax=highest)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
axes[0, 0].set_title("photo")
figure.colorbar(drawn, ax=axes, label="non-zeros of a square", shrink=0.6)
plt.show()

# %%
# The thresholds themselves
# -------------------------
#
# What atoms have to exceed at each square, for the atoms whose thresholds vary most:
# dark where an atom is easily on. They look alike, and follow what is in the photo.

ThresholdDisplay.from_estimator(structured, unseen[:2])
plt.show()

# %%
# All of them spend non-zeros on fur, edges and petals, and few on what is out of focus.
# More non-zeros always give a higher PSNR, so compare settings where these agree. What
# inferred thresholds and selection are worth at equal non-zeros was measured at length:
# see :doc:`/methods/lista`.
