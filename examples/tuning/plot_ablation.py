"""
Quality against sparsity: a grid search over the encoder
========================================================

Two parameters of :class:`~sklearn_sparsevae.SparseCodingVAE` say how many non-zeros a
code has: ``alpha`` is what each has to be worth, ``n_rollout_steps`` how many a site
has at most. A grid search without labels shows what each setting costs and gains.
"""

# %%
# Search
# ------
#
# Scorers measure the quality of reconstructions and the sparsity of codes.
# :class:`~sklearn.model_selection.PredefinedSplit` keeps crops of other photos for the
# test. ``refit=False`` because the best PSNR would simply be that of the longest codes.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from sklearn_sparsevae import SparseCodingVAE
from sklearn_sparsevae.datasets import load_sample_photos, random_crops
from sklearn_sparsevae.metrics import make_scorers
from sklearn_sparsevae.plotting import SparsityQualityDisplay

n_training = 500  # quick: 60
alphas = [0.02, 0.04, 0.08]  # quick: [0.02, 0.08]
n_steps = [4, 8, 16]  # quick: [4]

crops = [
    random_crops(load_sample_photos(subset=subset).images, 32, n, random_state=0)
    for subset, n in {"train": n_training, "test": 100}.items()
]
search = GridSearchCV(
    SparseCodingVAE(128, n_downsamples=2, max_epochs=1, random_state=0),
    {"alpha": alphas, "n_rollout_steps": n_steps},
    scoring=make_scorers("psnr", "hoyer", "nonzeros"),
    refit=False,
    cv=PredefinedSplit(np.repeat([-1, 0], [len(part) for part in crops])),
).fit(np.concatenate(crops))

# %%
# The table
# ---------
#
# Hoyer's sparsity is 1 for a code of one non-zero and 0 for one whose numbers are all
# equally large.

results = search.cv_results_
print(f"{'alpha':>6}{'steps':>7}{'PSNR':>8}{'Hoyer':>8}{'non-zeros':>11}{'fit s':>7}")
for i, setting in enumerate(results["params"]):
    print(
        f"{setting['alpha']:6.2f}{setting['n_rollout_steps']:7d}"
        f"{results['mean_test_psnr'][i]:8.2f}{results['mean_test_hoyer'][i]:8.3f}"
        f"{results['mean_test_nonzeros'][i]:11.1f}{results['mean_fit_time'][i]:7.1f}"
    )

# %%
# The curve
# ---------

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for steps in n_steps:
    chosen = np.equal(results["param_n_rollout_steps"], steps)
    curve = {k: v[chosen] for k, v in results.items() if k.startswith("mean_test")}
    SparsityQualityDisplay.from_cv_results(curve, ax=ax, label=f"{steps} steps at most")
plt.show()

# %%
# Up and to the left is better. A limit of few steps ends all codes early, simple and
# difficult sites alike; a larger ``alpha`` spares non-zeros where they gain little. At
# equal non-zeros the curve with more steps is never below by much, and reaches further.
