"""
What a dictionary holds, and which atoms are used
=================================================

A dictionary is only as large as the part of it that codes use. This example draws the
atoms that :class:`~sklearn_sparsevae.DictionaryLearningVAE` learns on photos, counts
how often each is used for other photos, and shows how that depends on the way atoms are
selected.
"""

# %%
# Two dictionaries that differ in the selection of atoms
# ------------------------------------------------------
#
# Orthogonal matching pursuit (``"omp"``) takes the atom that correlates most with what
# is left to explain. Orthogonal least squares (``"ols"``, the default) takes the one
# that leaves least after all coefficients are fitted again.

import matplotlib.pyplot as plt
import numpy as np

from sklearn_sparsevae import DictionaryLearningVAE
from sklearn_sparsevae.datasets import load_sample_photos
from sklearn_sparsevae.metrics import atom_usage, usage_perplexity
from sklearn_sparsevae.plotting import AtomsDisplay, UsageDisplay

max_epochs = 1  # quick: 0
crop_size = 32  # quick: 16
n_components = 256  # quick: 64

training = load_sample_photos(subset="train").images
unseen = load_sample_photos(subset="test").images
models = {
    selection: DictionaryLearningVAE(
        n_components,
        n_nonzero_coefs=5,
        selection=selection,
        n_downsamples=3,
        crop_size=crop_size,
        max_epochs=max_epochs,
        random_state=0,
    ).fit(training)
    for selection in ("ols", "omp")
}

# %%
# The atoms
# ---------
#
# Each tile is what one atom adds to a square of 8x8 pixels. Each is scaled by itself,
# so that brightness says nothing about how large its coefficients are.

AtomsDisplay.from_estimator(models["ols"])
plt.show()

# %%
# How often each is used
# ----------------------
#
# Codes of photos that were not trained on, five atoms at every site. Atoms are sorted
# by how many sites use them.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for ax, (selection, model) in zip(axes, models.items()):
    codes = model.transform(unseen)
    display = UsageDisplay.from_codes(codes, ax=ax)
    ax.set_yscale("symlog")
    ax.set_title(f"{selection}: {ax.get_title()}")
    print(
        f"{selection}: {model.score(unseen):.2f} dB, perplexity "
        f"{usage_perplexity(codes):.0f} of {n_components}, {display.n_dead} atoms dead"
    )
plt.show()

# %%
# The perplexity is the number of atoms that, all used equally often, would be as hard
# to predict as these. A steep curve has a small one: few atoms do most of the work. An
# atom is dead where no site takes it. Dead atoms do no harm, but they cost memory, and
# longer indices where codes are stored.
#
# The atoms that do most, and least
# ---------------------------------
#
# ``atoms_as_images`` gives the tiles as arrays, here in the order of their usage.

model = models["ols"]
order = np.argsort(atom_usage(model.transform(unseen)))[::-1]
tiles = model.atoms_as_images()[order]
figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for ax, title, part in zip(axes, ("most used", "least used"), (tiles, tiles[::-1])):
    AtomsDisplay(part[:49]).plot(ax)
    ax.set_title(title)
plt.show()

# %%
# The atoms in front hold brightness and smooth changes, which all photos have. Those at
# the end hold detail that a photo of another subject has less use for.
