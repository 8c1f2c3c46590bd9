"""
How rollout steps and alpha trade quality for sparsity
======================================================

Prints a table like SC-VAE's Table 3 for crops of the sample photos (trained on four
photos, tested on three others) and writes ``build/demo/ablation.png``.

Run ``python examples/ablation.py [--epochs N]``.
"""

import argparse
import pathlib

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from sklearn_sparsevae import SparseCodingVAE
from sklearn_sparsevae.datasets import load_sample_photos, random_crops
from sklearn_sparsevae.metrics import make_scorers
from sklearn_sparsevae.plotting import SparsityQualityDisplay


def main():
    """Search, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--output", type=pathlib.Path, default="build/demo")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    photos = [load_sample_photos(subset=s).images for s in ("train", "test")]
    crops = [
        random_crops(p, 32, n, 0) for p, n in zip(photos, (1000, 200), strict=True)
    ]
    folds = PredefinedSplit(np.repeat([-1, 0], [len(c) for c in crops]))
    search = GridSearchCV(
        SparseCodingVAE(n_downsamples=2, max_epochs=arguments.epochs, random_state=0),
        {"alpha": [0.02, 0.04, 0.08], "n_rollout_steps": [4, 8, 16]},
        scoring=make_scorers("psnr", "hoyer", "nonzeros"),
        refit=False,
        cv=folds,
        verbose=1,
    ).fit(np.concatenate(crops))

    results = search.cv_results_
    print(f"{'alpha':>6}{'steps':>7}{'PSNR':>8}{'Hoyer':>8}{'non-zeros':>11}")
    for i, setting in enumerate(results["params"]):
        figures = [results[f"mean_test_{k}"][i] for k in ("psnr", "hoyer", "nonzeros")]
        print(
            f"{setting['alpha']:6.2f}{setting['n_rollout_steps']:7d}"
            "{:8.2f}{:8.3f}{:11.1f}".format(*figures)
        )
    figure, axis = plt.subplots()
    for n_steps in (4, 8, 16):
        chosen = np.equal(results["param_n_rollout_steps"], n_steps)
        curve = {k: v[chosen] for k, v in results.items() if k.startswith("mean_test")}
        SparsityQualityDisplay.from_cv_results(
            curve, ax=axis, label=f"{n_steps} rollout steps"
        )
    axis.legend()
    figure.savefig(arguments.output / "ablation.png", dpi=110)


if __name__ == "__main__":
    main()
