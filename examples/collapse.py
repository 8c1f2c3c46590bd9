"""
Posterior collapse, and how to see it
=====================================

A variational autoencoder pays for what its code says. Where the decoder counts as too
noisy, or the divergence from the prior weighs too much, dimensions of the code stop
saying anything: their posterior is the prior, whatever the image. The loss does not
tell; the divergence of each dimension does (`kl_per_dim_`, `active_units_`, and
`LatentUsageDisplay`). Fits `GaussianVAE` to scikit-learn's digits with four settings,
and draws for each what the dimensions say and what digits come back as.

Run ``python examples/collapse.py [--epochs N] [--output FOLDER]``.
"""

import argparse
import pathlib

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_sparsevae import GaussianVAE
from sklearn_sparsevae.plotting import LatentUsageDisplay

N_SHOWN = 8
SETTINGS = {
    "as it should be": {},
    "beta = 20": {"beta": 20.0},
    "noise_variance = 0.2": {"noise_variance": 0.2},
    "noise_variance = 2": {"noise_variance": 2.0},
}


def main():
    """Fit four models, draw a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--output", type=pathlib.Path, default="build/demo")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    images = (load_digits().images / 16).astype(np.float32)
    training, unseen = train_test_split(images, test_size=0.3, random_state=0)
    figure, axes = plt.subplots(
        len(SETTINGS), 2, figsize=(11, 2.4 * len(SETTINGS)), layout="constrained"
    )
    for (bars, strip), (name, params) in zip(axes, SETTINGS.items(), strict=True):
        params = {"noise_variance": 0.02, "max_epochs": arguments.epochs} | params
        model = GaussianVAE(16, n_downsamples=3, random_state=0, **params)
        model.fit(training)
        display = LatentUsageDisplay.from_estimator(model, ax=bars)
        bars.set_title(f"{name}: {display.ax_.get_title()}")
        shown = unseen[:N_SHOWN]
        rows = [np.hstack(shown), np.hstack(model.reconstruct(shown))]
        rows.insert(1, np.ones_like(rows[0][:1]))
        strip.imshow(np.vstack(rows), cmap="gray", vmin=0, vmax=1)
        strip.set_title(f"held-out digits, and rebuilt: {model.score(unseen):.1f} dB")
        strip.set_axis_off()
        print(
            f"{name}: {model.active_units_} of 16 dimensions active, "
            f"{model.kl_per_dim_.sum():.1f} nats, {model.score(unseen):.1f} dB"
        )
    highest = max(bars.get_ylim()[1] for bars in axes[:, 0])
    plt.setp(axes[:, 0], ylim=(0, highest))
    path = arguments.output / "collapse.png"
    figure.savefig(path, dpi=90)
    print(f"written: {path}")


if __name__ == "__main__":
    main()
