"""
Objects and regions of photos, without labels
=============================================

Fits SC-VAE on crops of four sample photos, codes three others and a texture, and shows
what the segmenters make of the codes: five regions by k-means and by spectral
clustering, and the object, on the grid of sites and with the edges of the photo. The
title says how certain the object is; a texture has none.

Run ``python examples/segment.py [--epochs N] [--output FOLDER]``.
"""

import argparse
import pathlib

import matplotlib.pyplot as plt
import numpy as np
from skimage import data
from skimage.color import label2rgb
from skimage.segmentation import mark_boundaries

from sklearn_sparsevae import KMeansSegmenter, SparseCodingVAE, SpectralSegmenter
from sklearn_sparsevae.datasets import load_sample_photos

SEGMENTERS = {
    "5 regions, k-means of codes": KMeansSegmenter(5, random_state=0),
    "5 regions, spectral": SpectralSegmenter(5, random_state=0),
    "object, refine=None": SpectralSegmenter(refine=None, random_state=0),
    "object": SpectralSegmenter(random_state=0),
}


def draw(photos, encoder, path):
    """Draw a row for each photo, a column for each segmenter."""
    shape = len(photos), 1 + len(SEGMENTERS)
    figure, axes = plt.subplots(
        *shape, figsize=(3.2 * shape[1], 2.6 * shape[0]), layout="constrained"
    )
    for ax, photo in zip(axes[:, 0], photos, strict=True):
        ax.imshow(photo)
        ax.set_title("photo")
    codes = encoder.transform(photos)  # a list, as the photos differ in size
    for column, (name, segmenter) in zip(
        axes[:, 1:].T, SEGMENTERS.items(), strict=True
    ):
        labels = segmenter.fit_predict(codes)
        for ax, photo, own, confidence in zip(
            column, photos, labels, segmenter.confidence_, strict=True
        ):
            if name.startswith("object"):
                ax.imshow(mark_boundaries(photo, own, color=(1, 1, 0), mode="thick"))
                ax.set_title(f"{name}: {confidence:.2f}")
            else:
                ax.imshow(label2rgb(own, photo, kind="avg", bg_label=-1))
                ax.set_title(name)
    for ax in axes.flat:
        ax.set_axis_off()
    figure.savefig(path, dpi=90)


def main():
    """Fit, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path, default="build/demo")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    training, unseen = (load_sample_photos(subset=s) for s in ("train", "test"))
    encoder = SparseCodingVAE(max_epochs=arguments.epochs, random_state=0, verbose=1)
    encoder.fit(training.images)
    texture = np.repeat(data.grass()[:256, :384, None], 3, axis=2)
    path = arguments.output / "segment.png"
    draw([*unseen.images, texture], encoder, path)
    print(f"written: {path}")


if __name__ == "__main__":
    main()
