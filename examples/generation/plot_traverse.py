"""
From one image to another, and along one direction of the code
==============================================================

What does one component of a code stand for? One way to see is to change it and to
decode. :class:`~sklearn_sparsevae.plotting.TraversalDisplay` draws what comes out, and
also the images on the way between two codes.
"""

# %%
# Normal codes: one direction at a time
# -------------------------------------
#
# :class:`~sklearn_sparsevae.GaussianVAE` gives each digit a code of a few numbers. Some
# of them say nothing; ``kl_per_dim_`` tells how much each says, in nats. The three that
# say most go from -2 to 2, which is where codes lie, while all others stay as they are.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearn_sparsevae import DictionaryLearningVAE, GaussianVAE
from sklearn_sparsevae.plotting import TraversalDisplay

max_epochs = 4  # quick: 0
n_steps = 9

images = (load_digits().images / 16).astype(np.float32)
dense = GaussianVAE(
    8, n_downsamples=3, noise_variance=0.02, max_epochs=max_epochs, random_state=0
).fit(images)
components = np.argsort(dense.kl_per_dim_)[::-1][:3]
figure, axes = plt.subplots(3, n_steps, figsize=(8, 2.9), layout="constrained")
TraversalDisplay.from_estimator(
    dense, images[:1], components, np.linspace(-2, 2, n_steps), ax=axes
)
plt.show()

# %%
# Every row starts from the same zero. A direction changes the whole digit, since this
# model has one site for it.
#
# Sparse codes: one atom at one site
# ----------------------------------
#
# :class:`~sklearn_sparsevae.DictionaryLearningVAE` has a site for each square of 4x4
# pixels. ``sites`` chooses which of them to change.

sparse = DictionaryLearningVAE(
    64, n_nonzero_coefs=6, n_downsamples=2, max_epochs=max_epochs, random_state=0
).fit(images)
codes = sparse.transform(images[:200])
often = np.bincount(codes.indices % 64, minlength=64).argsort()[::-1]
figure, axes = plt.subplots(3, n_steps, figsize=(8, 2.9), layout="constrained")
TraversalDisplay.from_estimator(
    sparse,
    images[:1],
    often[1:4],
    np.linspace(-1, 1, n_steps),
    sites=[(0, 0)],
    ax=axes,
)
plt.show()

# %%
# Only the upper left quarter changes: an atom is something local.
#
# Between two images
# ------------------
#
# A line between the codes, decoded at equal steps: the first two ways in normal codes,
# the others in sparse ones.

starts, ends = images[[0, 4]], images[[1, 7]]
figure, axes = plt.subplots(4, n_steps, figsize=(8, 3.7), layout="constrained")
for half, model in zip((axes[:2], axes[2:]), (dense, sparse)):
    TraversalDisplay.from_interpolation(model, starts, ends, n_steps=n_steps, ax=half)
plt.show()

# %%
# Both are close to a cross-fade of the pixels: nothing makes what lies between two
# codes likely. The ends are sharper in sparse codes, which hold more numbers of each
# digit. For new images that look like digits, draw from a distribution of codes:
# :ref:`sphx_glr_auto_examples_generation_plot_generate.py`.
