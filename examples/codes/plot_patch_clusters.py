"""
Patches of a set of photos, sorted by their codes
=================================================

What does a code say of a patch? Cluster the codes of all patches of a set of photos,
and look at what falls together. So does the SC-VAE paper (Figures 7, 19 and 20), by
k-means. Beside its codes stand here the pixels themselves, and codes of whitened
patches.
"""

# %%
# Patches and their codes
# -----------------------
#
# The encoder is fitted to some photos; patches of 8x8 pixels of other photos are
# clustered. ``sites()`` has a row for each of them, which k-means takes as it is.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.preprocessing import normalize

from sklearn_sparsevae import PatchEncoder, SparseCodingVAE
from sklearn_sparsevae.datasets import load_sample_photos, random_crops

n_crops = 400  # quick: 40
max_epochs = 1  # quick: 0
n_atoms = 256  # quick: 32
n_clusters = 60  # quick: 12

crops = {
    part: random_crops(load_sample_photos(subset=part).images, 64, n_crops, 0)
    for part in ("train", "test")
}
encoder = SparseCodingVAE(
    n_atoms, n_downsamples=3, max_epochs=max_epochs, random_state=0
).fit(crops["train"])
codes = encoder.transform(crops["test"])
print(codes.shape, codes.grid_shape, codes.n_atoms)

patches = crops["test"].reshape(n_crops, 8, 8, 8, 8, 3).swapaxes(2, 3)
patches = patches.reshape(-1, 8, 8, 3)
print(len(patches), "patches")

# %%
# :class:`~sklearn_sparsevae.PatchEncoder` takes brightness and contrast off every patch
# before it codes it. It looks at parts of 4x4 pixels, and averages their codes over the
# patch, so that a pattern may be shifted a little.

parts = PatchEncoder(n_atoms // 4, patch_size=4, pool=(1, 1), random_state=0)
parts.fit(crops["train"])
features = {
    "pixels": patches.reshape(len(patches), -1) / np.float32(255),
    "SparseCodingVAE": codes.sites(),
    "PatchEncoder": normalize(parts.transform(patches)),
}

# %%
# Clusters
# --------
#
# The same number of clusters for each, and of twelve clusters sixteen patches, a row
# for each cluster.

k_means = MiniBatchKMeans(n_clusters, batch_size=2048, n_init=3, random_state=0)
clusters = {name: k_means.fit_predict(rows) for name, rows in features.items()}

figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
random = np.random.RandomState(0)
for ax, (name, labels) in zip(axes, clusters.items(), strict=True):
    sizes = np.bincount(labels, minlength=n_clusters)
    shown = random.permutation(np.flatnonzero(sizes >= 16))[:12]
    picture = np.full((12 * 9, 16 * 9, 3), 255, np.uint8)
    for row, cluster in enumerate(shown):
        members = random.permutation(np.flatnonzero(labels == cluster))[:16]
        for column, member in enumerate(members):
            place = np.s_[9 * row : 9 * row + 8, 9 * column : 9 * column + 8]
            picture[place] = patches[member]
    ax.imshow(picture)
    ax.set_title(name)
    ax.axis("off")
plt.show()

# %%
# How alike are they?
# -------------------
#
# The eye sees colours first, and patterns later. A number for patterns alone: the mean
# correlation of the pixels of two patches of a cluster, each less its mean.


def likeness(labels):
    """Mean correlation of two patches of a cluster."""
    flat = patches.reshape(len(patches), -1).astype(float)
    flat = normalize(flat - flat.mean(axis=1, keepdims=True))
    pairs = n_pairs = 0
    for cluster in np.unique(labels):
        members = flat[labels == cluster]
        pairs += (members.sum(axis=0) ** 2).sum() - (members**2).sum()
        n_pairs += len(members) * (len(members) - 1)
    return pairs / n_pairs


clusters["by chance"] = random.permutation(clusters["pixels"])
for name, labels in clusters.items():
    print(f"{name:18}{likeness(labels):.3f}")

# %%
# The page of results has the same for images with classes, with several seeds, and how
# often the patches of a cluster come from images of one class:
# :ref:`results-patch-clusters`.
