"""
Compare bottlenecks with everything else equal
==============================================

Learned ISTA, dictionary learning, vector and residual quantisation, between the same
encoder and decoder, on random crops of the same photos. Prints what each keeps of other
photos and what its codes cost in bits, and writes ``build/demo/bottlenecks.png``.

Run ``python examples/compare_bottlenecks.py [--epochs N] [--output FOLDER]``.
"""

import argparse
import pathlib
import time

import matplotlib.pyplot as plt
import numpy as np

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, SparseCodingVAE
from sklearn_sparsevae.datasets import load_sample_photos
from sklearn_sparsevae.metrics import bits_per_pixel, nonzeros_per_site, psnr

COEF_BITS = 8


def make_models(max_epochs):
    """Models by name; a site is a square of 8x8 pixels in all of them."""
    same = {"n_downsamples": 3, "max_epochs": max_epochs, "random_state": 0}
    return {
        "SC-VAE": SparseCodingVAE(**same),
        "DL-VAE, S=12": DictionaryLearningVAE(n_nonzero_coefs=12, **same),
        "DL-VAE, S=4": DictionaryLearningVAE(n_nonzero_coefs=4, **same),
        "RQ-VAE, 4 levels": VQVAE(n_quantizers=4, **same),
        "VQ-VAE": VQVAE(**same),
    }


def measure(model, photos):
    """Photos of different sizes as stored codes give them back, and figures of all."""
    codes = model.transform(photos)
    decoded = model.inverse_transform(codes, coef_bits=COEF_BITS)
    figures = {
        "PSNR": psnr(photos, decoded),
        "non-zeros": nonzeros_per_site(codes),
        "bits/pixel": bits_per_pixel(codes, COEF_BITS),
        "entropy": bits_per_pixel(codes, COEF_BITS, entropy=True),
    }
    return decoded, figures


def draw(photo, decoded, titles, path, side=160):
    """Draw the middle of a photo and of what each model makes of it."""
    figure, axes = plt.subplots(
        1, 1 + len(decoded), figsize=(3 * (1 + len(decoded)), 3.6), layout="constrained"
    )
    top, left = ((n - side) // 2 for n in photo.shape[:2])
    middle = np.s_[top : top + side, left : left + side]
    for ax, image, title in zip(axes, [photo, *decoded], ["photo", *titles]):
        ax.imshow(image[middle])
        ax.set_title(title, fontsize=10)
        ax.axis("off")
    figure.savefig(path, dpi=110)


def main():
    """Fit, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path, default="build/demo")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    training, unseen = (load_sample_photos(subset=s) for s in ("train", "test"))
    pictures, titles = [], []
    for name, model in make_models(arguments.epochs).items():
        start = time.perf_counter()
        model.fit(training.images)
        seconds = time.perf_counter() - start
        decoded, means = measure(model, unseen.images)
        if not titles:
            print(f"{'':18}" + "".join(f"{key:>12}" for key in means) + "       fit s")
        print(f"{name:18}" + "".join(f"{v:12.2f}" for v in means.values()), end="")
        print(f"{seconds:12.0f}", flush=True)
        pictures.append(decoded[0])
        titles.append(f"{name}\n{means['PSNR']:.1f} dB, {means['entropy']:.1f} bits")
    path = arguments.output / "bottlenecks.png"
    draw(unseen.images[0], pictures, titles, path)
    print(f"picture: {path}")


if __name__ == "__main__":
    main()
