# %% [markdown]
# # What a network sees
#
# A classifier's hidden layer is a vector of numbers that nobody can read: each unit
# answers to many things, and each thing to many units. A *sparse autoencoder* describes
# such a vector, the *activations* of an image, by a few of many *atoms*, and often an
# atom means one thing. This notebook takes a network trained on digits, looks at what
# its atoms mean, and switches one off. You need to know scikit-learn, and no torch.

# %% [markdown]
# ## A network and its activations
#
# scikit-learn's `MLPClassifier`, with one hidden layer of 64 units. What leaves that
# layer for an image is a row of 64 numbers.

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from sklearn_sparsevae import DictionaryLearningVAE, SparseAutoencoder
from sklearn_sparsevae.plotting import TopImagesDisplay

digits = load_digits()
images = digits.images / 16
train, test = train_test_split(
    np.arange(len(images)), test_size=0.4, random_state=0, stratify=digits.target
)
X = images.reshape(len(images), -1)
network = MLPClassifier(64, max_iter=100, early_stopping=True, random_state=0)
network.fit(X[train], digits.target[train])
print(f"accuracy: {network.score(X[test], digits.target[test]):.3f}")


def hidden(X):
    """Activations of the hidden layer."""
    return np.maximum(X @ network.coefs_[0] + network.intercepts_[0], 0)


def classify(activations):
    """The digits that the last layer makes of activations."""
    return (activations @ network.coefs_[1] + network.intercepts_[1]).argmax(1)


activations = hidden(X).astype(np.float32)

# %% [markdown]
# ## Few of many atoms
#
# 128 atoms, twice as many as there are units, and four of them for an image. The sparse
# autoencoder is an estimator like any other: `fit`, `transform` to sparse codes,
# `inverse_transform` back to activations.

# %%
n_epochs = 60  # quick: 1
model = SparseAutoencoder(
    128,
    sparsity="topk",
    n_nonzero_coefs=4,
    max_epochs=n_epochs,
    batch_size=128,
    random_state=0,
)
codes = model.fit(activations[train]).transform(activations)
back = model.inverse_transform(codes)


def error(back):
    """Share of the variance of the test activations that does not come back."""
    left = np.square(activations - back)[test].sum()
    return left / np.square(activations - activations.mean(0))[test].sum()


print(f"atoms in use: {np.count_nonzero(codes.count_nonzero(axis=0))} of 128")
print(f"error: {error(back):.3f}")
same = (classify(back) == classify(activations))[test].mean()
print(f"the classifier says the same of what comes back: {same:.3f}")

# %% [markdown]
# ## What an atom means
#
# The images in whose codes an atom is largest, a row for each atom: the eight that most
# images have. No label went into this.

# %%
TopImagesDisplay.from_codes(codes, images, n_images=8)
plt.show()

# %% [markdown]
# How many of an atom's images are of one digit? For every atom that at least ten test
# images have, the share of its most frequent digit: its *purity*. Beside it the same of
# the hidden layer's units, each with the tenth of the images that it answers to most.

# %%


def purity(members):
    """Share of the most frequent digit among images."""
    return np.bincount(digits.target[members]).max() / len(members)


columns = codes[test].toarray()
of_atoms = [purity(test[c > 0]) for c in columns.T if np.count_nonzero(c) >= 10]
tenth = len(test) // 10
of_units = [purity(test[np.argsort(-c)[:tenth]]) for c in activations[test].T]
for name, values in (("atoms", of_atoms), ("units", of_units)):
    plt.hist(values, bins=np.linspace(0, 1, 21), alpha=0.6, density=True, label=name)
plt.xlabel("purity")
plt.legend()
plt.show()
print(f"mean purity: atoms {np.mean(of_atoms):.2f}, units {np.mean(of_units):.2f}")

# %% [markdown]
# ## An atom switched off
#
# Do atoms matter to the network, or are they only a description? For each digit, take
# the atom that is most its own, leave it out of the codes, and ask the classifier
# again.

# %%
values = codes.toarray()
for digit in range(10):
    of_digit = test[digits.target[test] == digit]
    others = test[digits.target[test] != digit]
    own = (values[of_digit] > 0).mean(0) - (values[others] > 0).mean(0)
    without = values.copy()
    without[:, own.argmax()] = 0
    changed = model.inverse_transform(without.astype(np.float32))
    before = (classify(back[of_digit]) == digit).mean()
    after = (classify(changed[of_digit]) == digit).mean()
    rest = (classify(changed) == classify(back))[others].mean()
    print(
        f"{digit} without atom {own.argmax():3}: recognised {before:4.0%} -> "
        f"{after:4.0%}, others as before {rest:4.0%}"
    )

# %% [markdown]
# ## By matching pursuit
#
# The encoder of a sparse autoencoder is one product with a matrix.
# `DictionaryLearningVAE` with `backbone="identity"` takes the same data and chooses
# atom after atom by what the ones before leave, which takes longer and describes more
# with as many. Its values may be negative.

# %%
pursuit = DictionaryLearningVAE(
    128,
    n_nonzero_coefs=4,
    backbone="identity",
    max_epochs=0,
    random_state=0,
)
pursuit.fit(activations[train])
print(f"error by pursuit: {error(pursuit.reconstruct(activations)):.3f}")
print(f"error by one product: {error(back):.3f}")

# %% [markdown]
# ## Exercise
#
# Fit with `prefixes=(16, 48)`, so that the first 16 atoms have to describe the
# activations alone, and draw the top images of the first atoms and of the last. Which
# of them are general, which particular?
#
# *Hint: `TopImagesDisplay.from_codes(codes, images, atoms=range(8))`.*
