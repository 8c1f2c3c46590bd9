"""
Orthogonal matching pursuit alone, beside scikit-learn's
========================================================

The numerical functions under the estimators take arrays and give arrays, and can be
used without any model. :func:`sklearn_sparsevae.sparse.batch_omp` codes many signals at
once. Here it finds the same atoms as :func:`sklearn.linear_model.orthogonal_mp_gram`,
and its time is measured.
"""

# %%
# Patches of a photo, and a dictionary
# ------------------------------------

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.linear_model import orthogonal_mp_gram

from sklearn_sparsevae.sparse import batch_omp, dct_dictionary

n_signals = 3000  # quick: 300
n_atoms = 8

photo = load_sample_image("flower.jpg").mean(axis=2) / 255
patches = extract_patches_2d(photo, (8, 8), max_patches=n_signals, random_state=0)
signals = patches.reshape(n_signals, -1)
signals -= signals.mean(axis=1, keepdims=True)
dictionary = dct_dictionary(64, 256).numpy().astype(float)

# %%
# The same atoms
# --------------
#
# ``batch_omp`` returns indices and coefficients, in the order in which atoms were
# taken. It also stops where nothing but rounding is left of a signal, with index -1
# from there on. scikit-learn returns dense codes.

batch_omp(signals[:10], dictionary, n_atoms)  # compiles, the first time

start = time.perf_counter()
indices, values = batch_omp(signals, dictionary, n_atoms)
seconds = {"batch_omp": time.perf_counter() - start}
start = time.perf_counter()
reference = orthogonal_mp_gram(
    dictionary @ dictionary.T, dictionary @ signals.T, n_nonzero_coefs=n_atoms
).T
seconds["orthogonal_mp_gram"] = time.perf_counter() - start

codes = np.zeros_like(reference)
taken = indices >= 0
codes[np.nonzero(taken)[0], indices[taken]] = values[taken]
same = ((codes != 0) == (reference != 0)).all(axis=1)
print(f"{same.mean():.2%} of the signals have the same atoms")
print(f"largest difference of their codes: {np.abs(codes - reference)[same].max():.1e}")
for name, value in seconds.items():
    print(f"{name:20}{1e6 * value / n_signals:8.1f} microseconds a signal")
ratio = seconds["orthogonal_mp_gram"] / seconds["batch_omp"]
print(f"batch_omp takes 1/{ratio:.0f} of the time on this machine")

# %%
# Two ways to select
# ------------------
#
# Orthogonal least squares, ``selection="ols"``, takes at each step the atom that leaves
# least once all coefficients are fitted again.

counts = range(1, 13)
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for selection in ("omp", "ols"):
    left = []
    for count in counts:
        indices, values = batch_omp(signals, dictionary, count, selection=selection)
        fitted = np.einsum("ij,ijk->ik", values, dictionary[indices])
        left.append(((signals - fitted) ** 2).sum() / (signals**2).sum())
    axes[0].semilogy(counts, left, marker="o", label=selection)
axes[0].set(xlabel="atoms of a signal", ylabel="part of the energy that is left")
axes[0].legend()
times = [1e6 * value / n_signals for value in seconds.values()]
axes[1].bar_label(axes[1].barh(list(seconds), times), fmt=" %.0f")
axes[1].set(xlabel="microseconds a signal", xlim=(0, 1.2 * max(times)))
plt.show()

# %%
# Both fall with every atom. The atoms of this dictionary resemble one another, and the
# more they do, the more it matters that the choice looks ahead to the refit.
