# %% [markdown]
# # From photos to codes to segments
#
# This notebook fits one scikit-learn `Pipeline` to four photos, and then opens it up:
# what a *site*, an *atom* and a *code* are, what comes back when a code is decoded, and
# how the codes find the object in a photo that nobody labelled. You need to know
# scikit-learn's `fit` and `transform`. PyTorch does the training underneath and never
# shows.

# %% [markdown]
# ## Photos
#
# Seven photos come with scikit-learn and scikit-image. Four of them are for training.
# The other three are for looking at the result, and nothing is ever fitted to them.
#
# scikit-learn's own estimators want a table with one row per sample. The estimators
# here take images as they are: arrays of height, width and three colours. `uint8` spans
# 0 to 255, floats span 0 to 1. Photos that differ in size come in a list.

# %%
import matplotlib.pyplot as plt
import numpy as np

from sklearn_sparsevae.datasets import load_sample_photos

training = load_sample_photos(subset="train")
unseen = load_sample_photos(subset="test")
for name, photo in zip(training.names, training.images, strict=True):
    print(f"{name:12}{photo.shape}  {photo.dtype}")

figure, axes = plt.subplots(1, 7, figsize=(9.6, 1.7), layout="constrained")
photos = training.images + unseen.images
names = training.names + [f"{name} (unseen)" for name in unseen.names]
for ax, photo, name in zip(axes, photos, names, strict=True):
    ax.imshow(photo)
    ax.set_title(name, fontsize=8)
    ax.axis("off")
plt.show()

# %% [markdown]
# ## The Pipeline
#
# `SparseCodingVAE` turns photos into codes, `SpectralSegmenter` turns codes into masks.
# There is no `y`: both learn from the photos alone.
#
# The network trains on random squares cut from the photos, so four photos are enough to
# begin with, and it can be applied to photos of any size afterwards.

# %%
from sklearn.pipeline import Pipeline

from sklearn_sparsevae import SparseCodingVAE, SpectralSegmenter

n_epochs = 3  # quick: 0
n_atoms = 512  # quick: 64
pipe = Pipeline(
    [
        ("enc", SparseCodingVAE(n_atoms, max_epochs=n_epochs, random_state=0)),
        ("seg", SpectralSegmenter(random_state=0)),
    ]
)
masks = pipe.fit(training.images).predict(unseen.images)
print([mask.shape for mask in masks])

# %% [markdown]
# A mask is 1 where the object is and 0 elsewhere, at the size of its photo. Nobody has
# said what an object is, so do not expect a clean cut-out of each: compare what is
# found of the cat with what is found of the flower.

# %%
figure, axes = plt.subplots(1, 3, figsize=(9, 2.2), layout="constrained")
for ax, photo, mask in zip(axes, unseen.images, masks, strict=True):
    ax.imshow(photo)
    ax.contour(mask, levels=[0.5], colors="yellow")
    ax.axis("off")
plt.show()

# %% [markdown]
# So much for the result. The rest of the notebook is about what happened on the way,
# and the steps of the Pipeline can be used one by one for that.
#
# ## Sites
#
# The encoder cuts a photo into squares of 8 x 8 pixels, called *sites*, and describes
# each of them by a few numbers. A code of one photo is one row of a sparse matrix, like
# the output of `TfidfVectorizer` for one text. The row has a column for every atom at
# every site, and the matrix remembers how the sites lie: `grid_shape` is the number of
# sites down and across.

# %%
encoder, segmenter = pipe["enc"], pipe["seg"]
cat = unseen.images[0]
codes = encoder.transform(cat[None])  # one photo: a batch of one
print(codes)
print("columns:", codes.shape[1], "of which are not zero:", codes.nnz)

# %% [markdown]
# `codes.sites()` is the same matrix with one row per site. Counting what is stored in
# each row shows where the encoder spends its numbers. On the left is a part of the
# photo with its sites, on the right the count for each site of the whole photo.

# %%
count = np.diff(codes.sites().indptr).reshape(codes.grid_shape)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.imshow(cat[80:160, 120:240])
left.set(xticks=np.arange(-0.5, 120, 8), yticks=np.arange(-0.5, 80, 8))
left.set(xticklabels=[], yticklabels=[], title="sites of 8 x 8 pixels")
left.grid(color="white", linewidth=0.7)
picture = right.imshow(count, cmap="magma")
right.set_title("non-zeros of each site")
figure.colorbar(picture, ax=right)
right.axis("off")
plt.show()

# %% [markdown]
# Fur needs many numbers, the blurred background and the smooth iris of an eye need few.
# That is what "sparse" buys: the length of the description follows the content.
#
# ## Atoms
#
# What does a column stand for? Each is an *atom*, a small pattern, and together they
# are the dictionary that the encoder has learned. `AtomsDisplay` draws what each of
# them adds to an image. Grey means that nothing changes there.

# %%
from sklearn_sparsevae.plotting import AtomsDisplay

figure, ax = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
display = AtomsDisplay.from_estimator(encoder, ax=ax)
plt.show()

# %% [markdown]
# The first three atoms are plain red, green and blue: the mean colour of a site, which
# every site has. The others are edges, bars and textures of all directions.
#
# A code says how much of which atom. Here is one site at the edge of an eye, taken
# apart into its strongest atoms. A negative number turns the colours of a pattern
# around, and the picture shows it turned. Colours count from mid grey: the first of
# them are what this site has less of than grey.

# %%
row, column = 13, 24  # of the grid
index = row * codes.grid_shape[1] + column
coefficients = codes.sites()[[index]].toarray()[0]
strongest = np.argsort(-abs(coefficients))[:7]
patterns = encoder.atoms_as_images()

figure, axes = plt.subplots(1, 8, figsize=(9.6, 1.6), layout="constrained")
axes[0].imshow(cat[8 * row : 8 * row + 8, 8 * column : 8 * column + 8])
axes[0].set_title("the site")
for ax, atom in zip(axes[1:], strongest, strict=True):
    pattern = patterns[atom] * np.sign(coefficients[atom])
    ax.imshow(0.5 + 0.5 * pattern / abs(pattern).max())
    ax.set_title(f"{coefficients[atom]:+.2f} x", fontsize=9)
for ax in axes:
    ax.axis("off")
plt.show()

# %% [markdown]
# ## Back to images
#
# `inverse_transform` decodes. To see what the numbers are for, keep only the largest
# ones of every site and decode what is left. `as_codes` gives a plain matrix its grid
# back.

# %%
from sklearn_sparsevae.codes import as_codes


def keep_largest(codes, n):
    """Set all but the n largest coefficients of each site to zero."""
    sites = codes.sites().toarray()
    limit = np.sort(abs(sites), axis=1)[:, [-n]]
    kept = np.where(abs(sites) >= limit, sites, 0).reshape(codes.shape)
    return as_codes(kept, codes.grid_shape, image_shape=codes.image_shape)


figure, axes = plt.subplots(1, 4, figsize=(9, 2.1), layout="constrained")
for ax, n in zip(axes, (3, 6, 12, n_atoms), strict=True):
    decoded = encoder.inverse_transform(keep_largest(codes, n))[0]
    ax.imshow(decoded[80:160, 120:240].clip(0, 1))
    ax.set_title(f"{n} largest" if n < n_atoms else "all of them")
    ax.axis("off")
plt.show()

# %% [markdown]
# With three numbers there is hardly more than a colour for each site. The others draw
# the details, the largest first.
#
# ## How good is it?
#
# `score` answers in decibels of *peak signal-to-noise ratio* (PSNR), which compares the
# error with the range of the pixels. For a mean squared error `mse` of pixels in [0, 1]
# it is `10 * log10(1 / mse)`, and the score is its mean over photos. Ten decibels more
# are a tenth of the squared error. From 40 dB on it is hard to see a difference.

# %%
restored = encoder.reconstruct(unseen.images)
by_hand = [
    10 * np.log10(1 / np.mean((photo / 255 - output) ** 2))
    for photo, output in zip(unseen.images, restored, strict=True)
]
print("by hand:", np.round(by_hand, 2), " mean:", np.round(np.mean(by_hand), 2))
print("score:  ", np.round(encoder.score(unseen.images), 2))

# %% [markdown]
# `ReconstructionDisplay` puts photos above what comes back of them, with the same
# figures.

# %%
from sklearn_sparsevae.plotting import ReconstructionDisplay

figure, axes = plt.subplots(2, 3, figsize=(9, 4.4), layout="constrained")
display = ReconstructionDisplay.from_estimator(encoder, unseen.images, ax=axes)
plt.show()

# %% [markdown]
# ## Segments
#
# A region ends where colours and atoms change. `SpectralSegmenter(4)` merges small
# pieces of each photo across the weakest boundaries until four regions are left.
# Without a number, as in the Pipeline above, it asks what looks unlike the border of
# the photo, and calls that the object. Both start from the same codes, so the photos
# are coded once.

# %%
from sklearn_sparsevae.plotting import SegmentationDisplay

codes = encoder.transform(unseen.images)  # a list: the photos differ in size
regions = SpectralSegmenter(4, random_state=0).fit_predict(codes)
masks = segmenter.predict(codes)

figure, axes = plt.subplots(3, 3, figsize=(9, 6.4), layout="constrained")
display = SegmentationDisplay.from_predictions(
    unseen.images, regions, masks=masks, ax=axes
)
plt.show()

# %% [markdown]
# ## Is there an object at all?
#
# Nothing says that a photo has one. `predict_confidence` is about the overlap with the
# true mask that you should expect, between 0 and 1; no true mask was used to find it.
# Below `min_confidence` the mask stays empty. A lawn, which is the same everywhere,
# shows it.

# %%
from skimage import data

lawn = np.repeat(data.grass()[:256, :384, None], 3, axis=2)
pictures = [*unseen.images, lawn]
codes = encoder.transform(pictures)
confidence = segmenter.predict_confidence(codes)
masks = segmenter.predict(codes)

figure, axes = plt.subplots(1, 4, figsize=(9, 2), layout="constrained")
for ax, photo, mask, value in zip(axes, pictures, masks, confidence, strict=True):
    ax.imshow(np.where(mask[..., None] > 0, photo, photo // 4))
    ax.set_title(f"confidence {value:.2f}")
    ax.axis("off")
plt.show()

# %% [markdown]
# ## Exercise
#
# `alpha` says what a non-zero has to be worth: an atom is taken only if it lowers the
# squared error of its site by more than `alpha ** 2`. The default is small. Fit an
# encoder with a larger one, and look at the map of non-zeros, at the score and at the
# masks again. How far can you go before the masks change?
#
# <details><summary>Hint</summary>
#
# `pipe.set_params(enc__alpha=0.1).fit(training.images)` fits the whole Pipeline anew,
# and `sklearn_sparsevae.metrics.nonzeros_per_site(codes)` is the mean of the map. Try
# values between 0.03 and 0.3. Notebook 3 does this as a grid search.
#
# </details>
