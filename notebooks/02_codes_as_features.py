# %% [markdown]
# # Codes as features
#
# A sparse code is a row of numbers, so any scikit-learn classifier takes it. Is it a
# good row? This notebook puts codes beside the two classical ways to describe an image
# by few numbers, PCA and dictionary learning, with the same classifier and at an equal
# budget, and cross-validates all of them. First on digits, where short codes do well,
# then on textures, where something simpler does better. Notebook 1 explains what codes,
# sites and atoms are.

# %% [markdown]
# ## Digits
#
# scikit-learn's digits are images of 8 x 8 pixels. As everywhere in scikit-learn they
# come as rows of 64 numbers. The estimators here take such rows too, if `image_shape`
# says what they are.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
print(X.shape, "classes:", np.unique(y))

figure, axes = plt.subplots(1, 12, figsize=(12, 1.2), layout="constrained")
for ax, row in zip(axes, X, strict=False):
    ax.imshow(row.reshape(8, 8), cmap="gray_r")
    ax.axis("off")
plt.show()

# %% [markdown]
# ## Three ways to describe a digit
#
# - `PCA(k)` gives every image the same `k` components.
# - `MiniBatchDictionaryLearning` learns 64 atoms, and orthogonal matching pursuit (OMP)
#   picks `k` of them for each image.
# - `DictionaryLearningVAE` does the same between an encoder and a decoder, which train
#   together with the atoms. With `n_downsamples=3` a site is a square of 8 x 8 pixels,
#   which is the whole digit, so that an image has `k` non-zeros here as well.

# %%
from sklearn.decomposition import PCA, MiniBatchDictionaryLearning

from sklearn_sparsevae import DictionaryLearningVAE

n_epochs = 2  # quick: 0


def make_describers(k):
    """Make the three that describe an image by k numbers, by name."""
    return {
        "PCA": PCA(k, random_state=0),
        "dictionary learning": MiniBatchDictionaryLearning(
            64,
            alpha=0.3,
            max_iter=1,
            batch_size=64,
            transform_algorithm="omp",
            transform_n_nonzero_coefs=k,
            random_state=0,
        ),
        "DictionaryLearningVAE": DictionaryLearningVAE(
            64,
            n_nonzero_coefs=k,
            n_downsamples=3,
            image_shape=(8, 8),
            max_epochs=n_epochs,
            random_state=0,
        ),
    }


# %% [markdown]
# What they have learned can be looked at: components and atoms are patterns of 8 x 8
# pixels.

# %%
from sklearn_sparsevae.plotting import AtomsDisplay

pca, learning, encoder = make_describers(4).values()
encoder.fit(X)
patterns = {
    "PCA, all 64": PCA(random_state=0).fit(X).components_,
    "dictionary learning": learning.fit(X).components_,
    "DictionaryLearningVAE": encoder.atoms_as_images(),
}
figure, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
for ax, (name, atoms) in zip(axes, patterns.items(), strict=True):
    AtomsDisplay(atoms.reshape(-1, 8, 8)).plot(ax=ax)
    ax.set_title(name)
plt.show()

# %% [markdown]
# PCA's components are ordered, and look less and less like anything. Atoms look like
# digits, or like large parts of them.
#
# ## An equal budget
#
# Everybody gets `k` numbers for an image and the same classifier, logistic regression.
# Describer and classifier are one Pipeline, so that in each of four folds both are
# fitted to the training part alone. All 64 pixels, with the same classifier, show what
# there is to lose.
#
# The budget favours the sparse codes a little: they also say *which* `k` atoms they
# mean, and PCA does not have to. So compare them with PCA at twice their budget, too.

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

budgets = [2, 4, 8]  # quick: [4]
folds = StratifiedKFold(4, shuffle=True, random_state=0)
classifier = LogisticRegression(C=10, max_iter=1000)

accuracy = {}
for k in budgets:
    for name, describer in make_describers(k).items():
        pipe = make_pipeline(describer, classifier)
        accuracy[name, k] = cross_val_score(pipe, X, y, cv=folds)
accuracy["PCA", 16] = cross_val_score(
    make_pipeline(PCA(16, random_state=0), classifier), X, y, cv=folds
)
pixels = cross_val_score(classifier, X, y, cv=folds)

for (name, k), scores in accuracy.items():
    print(f"{name:22}{k:3} numbers  {scores.mean():.3f} +- {scores.std():.3f}")
print(f"{'pixels':22} 64 numbers  {pixels.mean():.3f} +- {pixels.std():.3f}")

# %%
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name in make_describers(1):
    ks = [k for other, k in accuracy if other == name]
    scores = np.array([accuracy[name, k] for k in ks])
    ax.errorbar(ks, scores.mean(1), scores.std(1), marker="o", capsize=3, label=name)
ax.axhline(pixels.mean(), color="gray", linestyle=":", label="all pixels")
ax.set(xscale="log", xlabel="numbers per image", ylabel="accuracy, 4 folds")
ax.set_xticks([2, 4, 8, 16], labels=["2", "4", "8", "16"])
ax.minorticks_off()
ax.legend()
plt.show()

# %% [markdown]
# With few numbers sparse codes are far ahead of PCA, even of PCA with twice as many:
# which atoms were picked says much about the digit, and a linear classifier can read it
# off. With more numbers PCA catches up, and no description beats the pixels themselves:
# there are few of them, and logistic regression needs no help.
#
# Nor is a longer code always a better feature. One reason may be that the fewer atoms
# there are to draw a digit, the more each has to look like a whole one, and the more it
# says about the class.
#
# Bars that overlap do not tell two methods apart. As all are scored on the same folds,
# the differences fold by fold say more:

# %%
for k in budgets:
    gain = accuracy["DictionaryLearningVAE", k] - accuracy["dictionary learning", k]
    print(f"{k} numbers: DictionaryLearningVAE is better by", gain.round(3))

# %% [markdown]
# A difference that has the same sign in every fold, as at the smallest budget, is one
# to believe, for these settings. One that changes sign is no reason to prefer either.
# And the settings matter: `MiniBatchDictionaryLearning` learns its atoms with an L1
# penalty, whatever `k` will be, and here in one pass, while `DictionaryLearningVAE`
# learns them with the `k` atoms that it will use. Most of what both have over PCA is
# sparse coding itself, which scikit-learn has, too.
#
# ## Numbers are not scarce
#
# Usually nobody counts them, and only the class is wanted. Then codes need not be
# short, nor be decodable, and another recipe wins: code *overlapping patches*, freed of
# brightness and contrast and whitened, over many atoms with a soft threshold, and
# average the codes over each quarter of the image, positive and negative values apart.
# `PatchEncoder` does that. Its atoms are learned without labels, and nothing is trained
# by gradients.

# %%
from sklearn.preprocessing import StandardScaler

from sklearn_sparsevae import PatchEncoder

patches = PatchEncoder(64, patch_size=4, image_shape=(8, 8), random_state=0)
recipe = make_pipeline(patches, StandardScaler(), LogisticRegression(max_iter=1000))
pooled = cross_val_score(recipe, X, y, cv=folds)
print(patches.fit_transform(X).shape)
for name, scores in {"pooled codes": pooled, "pixels": pixels}.items():
    print(f"{name:14}{scores.mean():.3f} +- {scores.std():.3f}")

# %% [markdown]
# `pool` is also a method of all sparse codes, `codes.pool((2, 2))`. On photos the
# difference is larger: in the documentation, "All estimators, one budget" has the
# recipe on CIFAR-10, beside pixels, PCA and the codes of the autoencoders.
#
# ## Textures
#
# Now something else: tiles of 32 x 32 pixels from photos of bricks, grass and gravel.
# There is one photo of each, so a fold must not have neighbours of its test tiles in
# its training part. Each photo is cut into four strips, and a fold tests on one strip
# of each.

# %%
from skimage import data
from skimage.util import view_as_blocks

names = ["brick", "grass", "gravel"]
blocks = [view_as_blocks(getattr(data, name)(), (32, 32)) for name in names]
tiles = np.concatenate([b.reshape(-1, 32, 32) for b in blocks])
texture = np.repeat(names, 256)
strip = np.tile(np.repeat([0, 1, 2, 3], 64), 3)
print(tiles.shape, tiles.dtype)

figure, axes = plt.subplots(1, 12, figsize=(12, 1.4), layout="constrained")
for ax, i in zip(axes, np.linspace(5, 760, 12).astype(int), strict=True):
    ax.imshow(tiles[i], cmap="gray", vmin=0, vmax=255)
    ax.set_title(texture[i], fontsize=9)
    ax.axis("off")
plt.show()

# %% [markdown]
# A tile has 16 sites of 8 x 8 pixels. Where in the tile a pattern occurs says nothing
# about the texture, only how often it does. So features are *pooled*: for each atom (or
# component) the mean magnitude of its coefficient over all sites.
#
# Seven descriptions, again with one classifier: two numbers that anybody would try
# first; codes with four non-zeros a site, as they are and pooled; four components of
# the same sites, pooled; and three that break the budget: all 64 components, pooled,
# the recipe from above, pooled over the whole tile, and the pixels.

# %%
from sklearn.model_selection import GroupKFold


def sites_of(tiles):
    """Cut tiles into rows of 64 numbers, 16 for each tile."""
    blocks = view_as_blocks(tiles, (1, 8, 8))
    return blocks.reshape(-1, 64) / np.float32(255)


def pool(sites):
    """Average the magnitudes of the 16 sites of each tile."""
    return abs(sites).reshape(len(sites) // 16, 16, -1).mean(axis=1)


def describe(train):
    """Learn from the tiles of a fold, and describe all tiles in seven ways."""
    encoder = DictionaryLearningVAE(
        64, n_nonzero_coefs=4, n_downsamples=3, max_epochs=n_epochs, random_state=0
    ).fit(tiles[train])
    codes = encoder.transform(tiles)
    pca = PCA(random_state=0).fit(sites_of(tiles[train]))
    components = pca.transform(sites_of(tiles))
    recipe = PatchEncoder(64, pool=(1, 1), random_state=0).fit(tiles[train])
    return {
        "mean and deviation": np.c_[tiles.mean((1, 2)), tiles.std((1, 2))],
        "pixels": tiles.reshape(len(tiles), -1),
        "codes, as they are": codes.toarray(),
        "codes, pooled": codes.pool((1, 1), signs="ignored").toarray(),
        "PCA, 4 a site, pooled": pool(components[:, :4]),
        "PCA, all 64, pooled": pool(components),
        "PatchEncoder": recipe.transform(tiles),
    }


accuracy = {}
classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
for train, test in GroupKFold(4).split(tiles, groups=strip):
    for name, features in describe(train).items():
        fitted = classifier.fit(features[train], texture[train])
        correct = fitted.score(features[test], texture[test])
        accuracy.setdefault(name, []).append(correct)

# %%
figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for row, (name, scores) in enumerate(accuracy.items()):
    ax.barh(row, np.mean(scores), color="lightsteelblue")
    ax.plot(scores, [row] * len(scores), "k.")
    print(f"{name:24}{np.mean(scores):.3f} +- {np.std(scores):.3f}")
ax.axvline(1 / 3, color="gray", linestyle=":")
ax.set_yticks(range(len(accuracy)), labels=accuracy)
ax.invert_yaxis()
ax.set_xlabel("accuracy; a dot for each fold, dotted: by chance")
plt.show()

# %% [markdown]
# Two lessons.
#
# - *Pooling is what makes codes features of a texture.* As they are, they say what is
#   where, and no two tiles agree on that. Pixels fail for the same reason.
# - *Short codes do not win here.* With four numbers a site they are better than four
#   components. But nothing says that four must do, and PCA of all components, pooled,
#   is far ahead. Its components are waves, and their mean magnitudes are close to a
#   power spectrum, which describes a texture well. A code with four atoms a site keeps
#   what is strongest in each, and throws away the rest, which here is what tells the
#   textures apart. The recipe from above, whose codes are long, is level with PCA.
#
# Codes are a short description from which the image can be drawn again. When only a
# class is wanted, and numbers are not scarce, that is not what makes a feature good.

# %% [markdown]
# ## Exercise
#
# Labels are often rarer than images. Let `DictionaryLearningVAE` see all digits without
# their labels, and the classifier only 50 labelled ones. Which description is best
# then, and does it still lose to the pixels?
#
# <details><summary>Hint</summary>
#
# Fit and transform once, outside of the folds (no label is used), then call
# `cross_val_score(classifier, features, y, cv=StratifiedShuffleSplit(20, train_size=50,
# random_state=0))` for each description. Twenty splits are needed: with so few labels
# the spread is large.
#
# </details>
