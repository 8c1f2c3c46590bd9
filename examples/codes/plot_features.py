"""
Sparse codes as features of a classifier
========================================

How often each atom of a dictionary is used says what kind of texture an image shows, as
the words of a text say what it is about. This example codes crops of three textures,
takes the mean of the codes over all places of a crop, and classifies it, with few
labels.
"""

# %%
# Crops of three textures
# -----------------------
#
# Those to learn from are cut from the left half of each picture, those to test on from
# the right half.

import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_sparsevae import DictionaryLearningVAE
from sklearn_sparsevae.datasets import random_crops

n_crops = 100  # quick: 40
n_repeats = 10  # quick: 2
max_epochs = 1  # quick: 0

textures = {"brick": data.brick(), "grass": data.grass(), "gravel": data.gravel()}
target = np.repeat(np.arange(len(textures)), n_crops)
crops = {
    part: np.concatenate(
        [random_crops([image[:, half]], 64, n_crops, 0) for image in textures.values()]
    )
    for part, half in {"train": np.s_[:256], "test": np.s_[256:]}.items()
}
figure, axes = plt.subplots(3, 8, figsize=(8, 3.2), layout="constrained")
for row, name, first in zip(axes, textures, (0, n_crops, 2 * n_crops)):
    row[0].set_ylabel(name)
    for ax, crop in zip(row, crops["test"][first:]):
        ax.imshow(crop, cmap="gray", vmin=0, vmax=255)
        ax.set(xticks=[], yticks=[])
plt.show()

# %%
# Codes, pooled
# -------------
#
# The encoder sees no labels. ``transform`` gives a :class:`scipy.sparse.csr_array` with
# a row for each crop, which classifiers take as it is; but where in the crop a stone
# lies does not matter here. ``pool`` averages the magnitudes over all places.

encoder = DictionaryLearningVAE(
    64, n_nonzero_coefs=2, crop_size=32, max_epochs=max_epochs, random_state=0
).fit(crops["train"])
features = {
    part: encoder.transform(images).pool((1, 1), signs="ignored").toarray()
    for part, images in crops.items()
}

# %%
# Few labels
# ----------
#
# The same classifier gets pixels, the histogram of grey values, or pooled codes of the
# crops that have a label. Each point is the mean over several draws of these crops,
# with their standard deviation.

inputs = {
    "pixels": [part.reshape(len(part), -1) / 255 for part in crops.values()],
    "histogram": [
        np.stack([np.histogram(crop, 32, (0, 256))[0] for crop in part])
        for part in crops.values()
    ],
    "pooled codes": list(features.values()),
}
sizes = [6, 15, 30, 90]
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
print(f"{'labels':14}" + "".join(f"{size:8}" for size in sizes))
for name, (X_train, X_test) in inputs.items():
    accuracy = []
    for size in sizes:
        draws = StratifiedShuffleSplit(n_repeats, train_size=size, random_state=0)
        for labelled, _ in draws.split(X_train, target):
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            model.fit(X_train[labelled], target[labelled])
            accuracy.append(model.score(X_test, target))
    accuracy = np.reshape(accuracy, (len(sizes), n_repeats))
    means, stds = accuracy.mean(axis=1), accuracy.std(axis=1)
    ax.errorbar(sizes, means, stds, marker="o", capsize=3, label=name)
    print(f"{name:14}" + "".join(f"{mean:8.3f}" for mean in means))
ax.axhline(1 / 3, color="gray", linestyle=":", label="chance")
ax.set(xscale="log", xlabel="crops with a label", ylabel="accuracy on the right halves")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend()
plt.show()

# %%
# Pixel by pixel, two crops of one texture have little in common, and a histogram does
# not know what lies beside what. Atoms do: each is a small pattern, and crops of one
# texture are made of the same ones.
