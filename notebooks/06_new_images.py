# %% [markdown]
# # New images, and what a latent direction does
#
# An encoder turns images into codes. Turn that around: choose a code that no image had,
# and decode it. This notebook draws new digits in two ways, walks from one image to
# another, and finds out what single numbers of a code stand for. It uses scikit-learn's
# digits, 8 x 8 pixels each, so everything trains in seconds. You need to know
# scikit-learn, and no torch.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearn_sparsevae.plotting import TraversalDisplay

n_epochs = 12  # quick: 1
digits = load_digits()
images = (digits.images / 16).astype(np.float32)


def show(rows):
    """Draw rows of images under one another, each with its name."""
    n_columns = max(len(row) for row in rows.values())
    figure, axes = plt.subplots(
        len(rows), n_columns, figsize=(6.5, 0.7 * len(rows)), layout="constrained"
    )
    TraversalDisplay.from_images(
        rows.values(), row_names=list(rows), ax=np.atleast_2d(axes)
    )
    plt.show()


show({"digits of the set": images[:10]})

# %% [markdown]
# ## Why random codes are not enough
#
# Any model that decodes can decode random numbers. Here are codes from PCA: each of the
# 16 numbers is drawn with the mean and the variance that it has over the data.

# %%
from sklearn.decomposition import PCA

rng = np.random.default_rng(0)
pca = PCA(16).fit(images.reshape(len(images), -1))
drawn = rng.normal(size=(10, 16)) * np.sqrt(pca.explained_variance_)
show({"PCA, random codes": pca.inverse_transform(drawn).reshape(-1, 8, 8)})

# %% [markdown]
# Blots. The codes of real digits are no cloud around the mean; they lie in ten groups,
# and most random codes lie between them.
#
# ## A model that is made for drawing
#
# `GaussianVAE` is an autoencoder whose codes are trained to be normally distributed. It
# starts as PCA (its probabilistic form) and bends from there. `noise_variance` says how
# much two images of one kind may differ; what is finer than that is not coded. With
# three halvings, the 8 x 8 pixels become a single *site*: one code for a whole digit.

# %%
from sklearn_sparsevae import GaussianVAE

vae = GaussianVAE(
    16, n_downsamples=3, noise_variance=0.02, max_epochs=n_epochs, random_state=0
)
vae.fit(images)
show(
    {
        "GaussianVAE, samples": vae.sample(10, random_state=0),
        "reconstructions": vae.reconstruct(images[:10]),
    }
)

# %% [markdown]
# Better, and still not always a digit. The model does not know that there are ten
# kinds. If you do, tell it: with `condition=` it learns what the kinds share and what
# tells them apart, and draws the kind that you ask for.

# %%
vae.fit(images, condition=digits.target)
asked = np.repeat(np.arange(10), 10)
drawn = vae.sample(len(asked), condition=asked, random_state=0)
show({f"asked for {k}": drawn[asked == k] for k in range(10)})

# %% [markdown]
# Can they be read? A classifier that was trained on real digits can tell. It has
# held-out real ones to compare with.

# %%
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

X, X_test, y, y_test = train_test_split(
    images.reshape(len(images), -1), digits.target, test_size=0.3, random_state=0
)
judge = SVC(gamma=1.0).fit(X, y)
print(f"real digits, held out: {judge.score(X_test, y_test):.1%}")
print(f"drawn digits: {judge.score(drawn.reshape(len(drawn), -1), asked):.1%}")

figure, ax = plt.subplots(figsize=(4.4, 3.6), layout="constrained")
from sklearn.metrics import ConfusionMatrixDisplay

ConfusionMatrixDisplay.from_predictions(
    asked, judge.predict(drawn.reshape(len(drawn), -1)), ax=ax, colorbar=False
)
ax.set(xlabel="what the classifier reads", ylabel="what was asked for")
plt.show()

# %% [markdown]
# ## A prior for sparse codes
#
# Sparse codes come without a distribution to draw from. `CodePrior` learns one from
# codes of any estimator: which atom follows on which, site after site, as a language
# model does with words. Here the "words" are the 64 prototypes of a `VQVAE`, with one
# for every square of 2 x 2 pixels. Without the prior, prototypes drawn by their
# frequency have the right parts in no order.

# %%
from sklearn_sparsevae import VQVAE, CodePrior

encoder = VQVAE(64, n_downsamples=1, max_epochs=n_epochs // 2, random_state=0)
codes = encoder.fit_transform(images)
prior = CodePrior(
    width=64, n_layers=2, lr=0.003, max_epochs=n_epochs, random_state=0
).fit(codes)

sites = codes.sites()
mixed = sites[rng.integers(sites.shape[0], size=10 * 16)].reshape((10, -1)).tocsr()
show(
    {
        "no prior": encoder.inverse_transform(mixed),
        "CodePrior": encoder.inverse_transform(prior.sample(10, random_state=0)),
    }
)

# %% [markdown]
# `score_samples` gives the likelihood of a code. The least likely digits of the set are
# those that are written like no other.

# %%
likelihood = prior.score_samples(codes)
order = np.argsort(likelihood)
show({"least likely": images[order[:10]], "most likely": images[order[-10:]]})

# %% [markdown]
# ## From one image to another
#
# `interpolate` takes equal steps between two codes and decodes each. The middle of a
# line between two images is a double exposure; the middle of a line between two codes
# may be an image of its own.

# %%
vae.fit(images)  # without conditions again
steps = np.linspace(0, 1, 10)[:, None, None]
show(
    {
        "pixels": (1 - steps) * images[0] + steps * images[6],
        "GaussianVAE": vae.interpolate(images[:1], images[6:7], n_steps=10)[0],
        "VQVAE": encoder.interpolate(images[:1], images[6:7], n_steps=10)[0],
    }
)

# %% [markdown]
# ## What does a latent direction do?
#
# Change one number of a code, keep the others, decode. First, though: which numbers are
# in use? `kl_per_dim_` says how much each tells about an image, in *nats* (1.44 bits).
# A number that tells nothing has *collapsed*: the model does not need it.

# %%
from sklearn_sparsevae.plotting import LatentUsageDisplay

LatentUsageDisplay.from_estimator(vae)
plt.show()

# %% [markdown]
# `traverse` moves chosen numbers through chosen values. Codes are trained to have mean
# zero and variance one, so -2.5 to 2.5 is all that occurs. Each row is one direction,
# the four that tell most.

# %%
strongest = np.argsort(vae.kl_per_dim_)[::-1][:4]
figure, axes = plt.subplots(4, 9, figsize=(5.5, 2.6), layout="constrained")
TraversalDisplay.from_estimator(
    vae, images[3:4], strongest, np.linspace(-2.5, 2.5, 9), ax=axes
)
plt.show()

# %% [markdown]
# A direction has a meaning only by accident: nothing in the training asks for one.
# Some slant the digit, some turn it into another. `beta` above 1 makes the model pay
# more for each number, so that fewer are in use.

# %%
frugal = GaussianVAE(
    16,
    n_downsamples=3,
    noise_variance=0.02,
    beta=4.0,
    max_epochs=n_epochs,
    random_state=0,
).fit(images)
for name, model in {"beta = 1": vae, "beta = 4": frugal}.items():
    print(
        f"{name}: {model.active_units_} of 16 in use, "
        f"{model.kl_per_dim_.sum():.1f} nats, PSNR {model.score(images):.1f} dB"
    )
figure, axes = plt.subplots(4, 9, figsize=(5.5, 2.6), layout="constrained")
strongest = np.argsort(frugal.kl_per_dim_)[::-1][:4]
TraversalDisplay.from_estimator(
    frugal, images[3:4], strongest, np.linspace(-2.5, 2.5, 9), ax=axes
)
plt.show()

# %% [markdown]
# ## Exercise
#
# Draw digits that are half one kind and half another. A condition may be a row of real
# numbers in place of a label: fit with one-hot rows, `np.eye(10)[digits.target]`, and
# ask for rows such as half a 3 and half an 8. What does the classifier make of them?
#
# <details><summary>Hint</summary>
#
# ```python
# vae.fit(images, condition=np.eye(10)[digits.target])
# row = 0.5 * np.eye(10)[3] + 0.5 * np.eye(10)[8]
# vae.sample(10, condition=np.tile(row, (10, 1)), random_state=0)
# ```
#
# </details>
