"""
New images from sparse codes
============================

On scikit-learn's digits: ways between two images along a line of their sparse codes,
one component of a code set to one value after another, and images that nobody wrote,
drawn from a `CodePrior` of the codes of three bottlenecks and from `GaussianVAE`, also
digit by digit.

Run ``python examples/generate.py [--epochs N] [--output FOLDER]``.
"""

import argparse
import pathlib

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearn_sparsevae import VQVAE, CodePrior, DictionaryLearningVAE, GaussianVAE
from sklearn_sparsevae.plotting import TraversalDisplay

N_DRAWN = 10


def draw_strips(images, epochs, folder):
    """Interpolate and traverse sparse codes, and draw both."""
    model = DictionaryLearningVAE(
        64, n_nonzero_coefs=6, n_downsamples=2, max_epochs=epochs, random_state=0
    ).fit(images)
    starts, ends = images[[0, 2, 4]], images[[1, 3, 7]]
    ways = TraversalDisplay.from_interpolation(model, starts, ends, n_steps=9)
    save(ways.figure_, folder / "interpolate.png")

    codes = model.transform(images[:200])
    often = np.bincount(codes.indices % 64, minlength=64).argsort()[::-1]
    values = np.linspace(-1, 1, 9)
    components = often[1:5]  # the first is the brightness of a site
    strips = TraversalDisplay.from_estimator(
        model, images[:1], components, values, sites=[(0, 0)]
    )
    save(strips.figure_, folder / "traverse.png")


def draw_samples(images, digits, epochs, folder):
    """Draw new images from priors of codes, and from normal codes."""
    size = {"max_epochs": epochs, "random_state": 0}
    encoders = {
        "VQ": VQVAE(64, n_downsamples=1, **size),
        "RQ, 4 levels": VQVAE(64, n_quantizers=4, n_downsamples=2, **size),
        "OMP, 3 non-zeros": DictionaryLearningVAE(
            64, n_nonzero_coefs=3, n_downsamples=2, **size
        ),
    }
    rows = {"digits": images[:N_DRAWN]}
    for name, encoder in encoders.items():
        prior = CodePrior(width=64, n_layers=2, lr=0.003, random_state=0)
        prior.fit(encoder.fit_transform(images))
        print(f"prior of {name}: {prior.n_epochs_} epochs")
        codes = prior.sample(N_DRAWN, random_state=0)
        rows[f"prior of {name}"] = encoder.inverse_transform(codes)
    gaussian = GaussianVAE(16, n_downsamples=3, noise_variance=0.02, **size)
    rows["GaussianVAE"] = gaussian.fit(images).sample(N_DRAWN, random_state=0)
    gaussian.fit(images, condition=digits)
    rows["GaussianVAE, by digit"] = gaussian.sample(
        N_DRAWN, condition=np.arange(N_DRAWN), random_state=0
    )
    display = TraversalDisplay.from_images(rows.values(), row_names=list(rows))
    save(display.figure_, folder / "generate.png")


def save(figure, path):
    """Write a picture in which a digit is small."""
    figure.set_size_inches(0.4 * figure.get_size_inches())
    figure.savefig(path, dpi=90)
    plt.close(figure)
    print(f"written: {path}")


def main():
    """Fit, change codes, draw codes, draw images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--output", type=pathlib.Path, default="build/demo")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)
    draw_strips(images, arguments.epochs, arguments.output)
    draw_samples(images, digits.target, arguments.epochs, arguments.output)


if __name__ == "__main__":
    main()
