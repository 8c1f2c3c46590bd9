"""
Images that nobody wrote: drawing from codes
============================================

To draw new images one needs a distribution of codes.
:class:`~sklearn_sparsevae.GaussianVAE` is trained so that its codes have a known one,
and takes conditions, such as which digit. Sparse codes have none of their own:
:class:`~sklearn_sparsevae.CodePrior` learns it afterwards, from the codes of any
estimator.
"""

# %%
# Digits, and normal codes
# ------------------------
#
# With three halvings a digit of 8x8 pixels is one site. ``noise_variance`` says how
# much two images of one kind may differ, in squared units of pixels.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearn_sparsevae import VQVAE, CodePrior, GaussianVAE
from sklearn_sparsevae.plotting import TraversalDisplay

max_epochs = 4  # quick: 0
prior_epochs = 10  # quick: 1
n_drawn = 10

digits = load_digits()
images = (digits.images / 16).astype(np.float32)
rows = {"digits of the set": images[:n_drawn]}

vae = GaussianVAE(
    16, n_downsamples=3, noise_variance=0.02, max_epochs=max_epochs, random_state=0
).fit(images)
rows["GaussianVAE"] = vae.sample(n_drawn, random_state=0)

vae.fit(images, condition=digits.target)
numbers = np.arange(n_drawn)
rows["one of each digit"] = vae.sample(n_drawn, condition=numbers, random_state=0)

# %%
# A prior of quantised codes
# --------------------------
#
# ``VQVAE`` codes each square of 2x2 pixels by one of 64 prototypes. ``CodePrior``
# learns which prototype follows on which, and draws a grid of them.

encoder = VQVAE(64, n_downsamples=1, max_epochs=max_epochs, random_state=0)
codes = encoder.fit_transform(images)
prior = CodePrior(
    width=64, n_layers=2, lr=0.003, max_epochs=prior_epochs, random_state=0
).fit(codes)
rows["VQVAE, CodePrior"] = encoder.inverse_transform(
    prior.sample(n_drawn, random_state=0)
)

# %%
# The same encoder without a prior: prototypes drawn one by one, as often as they occur.

rng = np.random.default_rng(0)
shuffled = codes[:n_drawn].sites().tocsr()
mixed = codes.sites()[rng.integers(codes.sites().shape[0], size=shuffled.shape[0])]
rows["VQVAE, no prior"] = encoder.inverse_transform(
    mixed.reshape((n_drawn, -1)).tocsr()
)

# %%
# Ten of each
# -----------

figure, axes = plt.subplots(
    len(rows), n_drawn, figsize=(8, 0.75 * len(rows)), layout="constrained"
)
TraversalDisplay.from_images(rows.values(), row_names=list(rows), ax=axes)
plt.show()

# %%
# Trained for few epochs, samples are rough, and many can be read. With a condition each
# is of the digit that was asked for; its row goes from 0 to 9. The last row has the
# right parts in no order: what makes a digit of them is what the prior has learned.
