"""
Segment and reconstruct photos that the model has never seen
============================================================

Fits SC-VAE on random crops of four photos that ship with scikit-learn and scikit-image,
then codes, reconstructs and segments three others, whole. Prints quality, sparsity and
seconds, and writes ``build/demo/quickstart.png``.

Run ``make demo``, or ``python examples/quickstart.py [--epochs N] [--output FOLDER]``.
"""

import argparse
import pathlib
import time

import matplotlib.pyplot as plt
import numpy as np

from sklearn_sparsevae import SparseCodingVAE, SpectralSegmenter
from sklearn_sparsevae.datasets import load_sample_photos
from sklearn_sparsevae.metrics import nonzeros_per_site, psnr, ssim
from sklearn_sparsevae.plotting import (
    AtomsDisplay,
    ReconstructionDisplay,
    SegmentationDisplay,
)


def code_and_segment(encoder, photo):
    """One photo through the model: reconstruction, segments, foreground, figures."""
    batch, start = photo[None], time.perf_counter()
    codes = encoder.transform(batch)
    coding = time.perf_counter() - start
    reconstruction = encoder.inverse_transform(codes)
    segments = SpectralSegmenter(n_clusters=4, resolution="image", random_state=0)
    foreground = SpectralSegmenter(
        foreground="boundary", resolution="image", random_state=0
    )
    start = time.perf_counter()
    labels, mask = segments.fit_predict(codes)[0], foreground.fit_predict(codes)[0]
    figures = {
        "PSNR": psnr(batch, reconstruction),
        "SSIM": ssim(batch, reconstruction),
        "non-zeros": nonzeros_per_site(codes),
        "code s": coding,
        "segment s": time.perf_counter() - start,
    }
    return reconstruction[0], labels, mask, figures


def draw(photos, results, path):
    """Photo, reconstruction, segments and foreground, a column for each photo."""
    figure, axes = plt.subplots(
        4, len(photos), figsize=(4 * len(photos), 11), layout="constrained"
    )
    reconstructions, labels, masks, _ = zip(*results, strict=True)
    ReconstructionDisplay.from_predictions(photos, reconstructions, ax=axes[:2])
    SegmentationDisplay.from_predictions(
        photos, labels, masks=masks, ax=axes[[0, 2, 3]]
    )
    figure.savefig(path, dpi=110)


def main():
    """Fit, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path, default="build/demo")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    training, unseen = (load_sample_photos(subset=s) for s in ("train", "test"))
    encoder = SparseCodingVAE(max_epochs=arguments.epochs, random_state=0, verbose=1)
    start = time.perf_counter()
    encoder.fit(training.images)
    print(f"fit on crops of {len(training.images)} photos: ", end="")
    print(f"{time.perf_counter() - start:.0f} s")

    results = [code_and_segment(encoder, photo) for photo in unseen.images]
    names = list(results[0][-1])
    print(f"{'unseen photo':<14}" + "".join(f"{name:>11}" for name in names))
    for name, (*_, figures) in zip(unseen.names, results, strict=True):
        print(f"{name:<14}" + "".join(f"{v:11.2f}" for v in figures.values()))
    means = np.mean([list(figures.values()) for *_, figures in results], axis=0)
    print(f"{'mean':<14}" + "".join(f"{v:11.2f}" for v in means))

    draw(unseen.images, results, arguments.output / "quickstart.png")
    display = AtomsDisplay.from_estimator(encoder)
    display.figure_.savefig(arguments.output / "atoms.png", dpi=110)
    print(f"pictures: {arguments.output / 'quickstart.png'}, atoms.png beside it")


if __name__ == "__main__":
    main()
