# %% [markdown]
# # Choosing a bottleneck
#
# All estimators here have the same shape: an encoder, a *bottleneck*, a decoder. The
# bottleneck decides what a code is: a few atoms, an index, a row of dense numbers. This
# notebook trains four of them on the same photos and looks at what each keeps, what its
# codes look like, and what they cost. You need to know scikit-learn, and no torch.

# %% [markdown]
# ## Four models
#
# Everything but the bottleneck is equal: the same photos, the same squares of 8 x 8
# pixels (*sites*), the same number of epochs.
#
# - `SparseCodingVAE` describes a site by as many *atoms* as it needs.
# - `DictionaryLearningVAE` takes a fixed number of atoms for each.
# - `VQVAE` has one prototype for each site; with `n_quantizers=4` it adds three
#   corrections.
# - `GaussianVAE` describes a site by 16 dense numbers, as PCA would. It starts as PCA.

# %%
import time

import matplotlib.pyplot as plt
import numpy as np

from sklearn_sparsevae import (
    VQVAE,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodingVAE,
)
from sklearn_sparsevae.datasets import load_sample_photos

n_epochs = 2  # quick: 0
n_atoms = 256  # quick: 64
training = load_sample_photos(subset="train").images
unseen = load_sample_photos(subset="test").images

same = {"n_downsamples": 3, "crop_size": 32, "max_epochs": n_epochs, "random_state": 0}
models = {
    "SparseCodingVAE": SparseCodingVAE(n_atoms, **same),
    "DictionaryLearningVAE": DictionaryLearningVAE(n_atoms, n_nonzero_coefs=8, **same),
    "VQVAE": VQVAE(n_atoms, **same),
    "VQVAE, 4 levels": VQVAE(n_atoms, n_quantizers=4, **same),
    "GaussianVAE": GaussianVAE(16, **same),
}
seconds = {}
for name, model in models.items():
    start = time.perf_counter()
    model.fit(training)
    seconds[name] = time.perf_counter() - start
    print(f"{name:24}{seconds[name]:5.0f} s")

# %% [markdown]
# ## What each keeps
#
# The same part of a photo that no model has seen, after coding and decoding.

# %%
photo = unseen[0]
columns = {"the photo": photo / 255}
for name, model in models.items():
    columns[name] = model.reconstruct(photo[None])[0].clip(0, 1)

figure, axes = plt.subplots(2, 3, figsize=(10, 6.4), layout="constrained")
part = np.s_[70:190, 110:290]
for ax, (name, image) in zip(axes.flat, columns.items(), strict=True):
    ax.imshow(image[part])
    ax.set_title(name)
    ax.axis("off")
plt.show()

# %% [markdown]
# One prototype for 64 pixels is not much: `VQVAE` finds the shapes, and fur becomes
# mosaic. Sixteen dense numbers are a blurred photo, the same blur everywhere. Sparse
# codes keep hair and whiskers.
#
# ## What a code looks like
#
# The rows of the next figure are the codes of twelve neighbouring sites: colour is the
# value (the largest fifth share one colour), white is zero. Sparse codes and dense
# codes do not look alike, and the estimators that follow in a Pipeline should know
# which they get.

# %%
figure, axes = plt.subplots(4, 1, figsize=(10, 6.4), layout="constrained")
shown = ["SparseCodingVAE", "DictionaryLearningVAE", "VQVAE, 4 levels", "GaussianVAE"]
for ax, name in zip(axes, shown, strict=True):
    codes = models[name].transform(photo[None])
    if hasattr(codes, "sites"):
        rows = codes.sites()[500:512].toarray()
    else:  # dense: a row for each image, site after site
        rows = codes.reshape(-1, 16)[500:512]
    limit = np.quantile(np.abs(rows[rows != 0]), 0.8)
    ax.imshow(
        rows, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto", interpolation="none"
    )
    ax.set(title=name, ylabel="site", yticks=[])
axes[-1].set_xlabel("atom, prototype or dimension")
plt.show()

# %% [markdown]
# In the first two, values are signed, and few of a row are not zero. `VQVAE` counts
# prototypes: its values are whole numbers. `GaussianVAE` fills its rows.
#
# ## Where the numbers go
#
# `SparseCodingVAE` chooses how many atoms a site gets; the others are given a number.

# %%
from sklearn_sparsevae.metrics import nonzeros_per_site

codes = models["SparseCodingVAE"].transform(photo[None])
count = np.diff(codes.sites().indptr)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
picture = left.imshow(count.reshape(codes.grid_shape), cmap="magma")
left.set_title("SparseCodingVAE: non-zeros of each site")
left.axis("off")
figure.colorbar(picture, ax=left)
right.hist(count, bins=np.arange(count.max() + 2) - 0.5)
right.axvline(8, color="k", linestyle="--", label="DictionaryLearningVAE: at most 8")
right.set(xlabel="non-zeros of a site", ylabel="sites")
right.legend()
plt.show()

# %% [markdown]
# ## Quality, numbers and bits
#
# A comparison needs a common currency. The number of values is one, and flatters codes
# whose values are long; bits are another. An index among 256 atoms takes 8 bits, and a
# coefficient as many as it is rounded to. Below, coefficients have 8 bits, and the
# image is decoded from what is left after rounding. *Entropy* is what an ideal coder
# would need that knows how often each value occurs.

# %%
from sklearn_sparsevae.metrics import bits_per_pixel, psnr, usage_perplexity

table = {}
print(f"{'':24}{'PSNR':>8}{'numbers':>9}{'bits':>8}{'entropy':>9}{'in use':>8}")
for name, model in models.items():
    if name == "GaussianVAE":
        continue
    codes = model.transform(unseen)
    table[name] = (
        psnr(unseen, model.inverse_transform(codes, coef_bits=8)),
        nonzeros_per_site(codes),
        bits_per_pixel(codes, 8),
        bits_per_pixel(codes, 8, entropy=True),
        usage_perplexity(codes),
    )
    print("{:24}{:8.2f}{:9.1f}{:8.2f}{:9.2f}{:8.0f}".format(name, *table[name]))

dense = models["GaussianVAE"]
print(f"{'GaussianVAE':24}{dense.score(unseen):8.2f}{16:9.1f}")

figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for name, (quality, numbers, bits, entropy, _) in table.items():
    axes[0].plot(numbers, quality, "o", label=name)
    axes[1].plot([entropy, bits], [quality, quality], "o-", label=name)
axes[0].plot(16, dense.score(unseen), "o", label="GaussianVAE")
axes[0].set(xlabel="numbers a site", ylabel="PSNR, dB")
axes[1].set(xlabel="bits per pixel: entropy to fixed length", ylabel="PSNR, dB")
axes[0].legend()
plt.show()

# %% [markdown]
# *In use* is the perplexity of atom usage: how many atoms are in use, counted as if all
# of those were used equally often.
#
# Each of these wins somewhere. At equal *numbers* the sparse codes are far ahead of
# dense ones. At equal *bits* the order changes: an index alone is cheap, and its
# quality low. Which matters depends on what reads the code.
#
# ## Which one?
#
# - The best image for a number of non-zeros, features, segments: `SparseCodingVAE`.
# - A code of bounded length for every site, restoration: `DictionaryLearningVAE`.
# - Words for a language model, very few bits: `VQVAE`.
# - New images, likelihoods, a few dense numbers: `GaussianVAE`.
#
# The documentation has a chart with all of them, and the same comparison on 1,000 test
# images with every estimator.

# %% [markdown]
# ## Exercise
#
# The comparison above is at one setting of each. Draw a *curve* for the two sparse
# estimators instead: fit `DictionaryLearningVAE` with 2, 4, 8 and 16 non-zeros, and
# `SparseCodingVAE` with four values of `alpha`, and plot PSNR over non-zeros. By how
# many decibels is a variable number of atoms better than a fixed one?
#
# <details><summary>Hint</summary>
#
# `alpha` from 0.02 to 0.2, in equal ratios (`np.geomspace(0.02, 0.2, 4)`), covers about
# the same range of non-zeros. `max_epochs=1` is enough to see it.
#
# </details>
