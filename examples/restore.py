"""
Denoise, inpaint and upscale photos that the model has never seen
=================================================================

Fits DL-VAE on random crops of four photos that ship with scikit-learn and scikit-image,
spoilt afresh in every batch, and restores three others: from noise, from half of their
pixels, and from half the size. Prints PSNR and SSIM beside those of scikit-image's
methods, and writes ``denoise.png``, ``inpaint.png`` and ``upscale.png`` to
``build/demo``.

Run ``python examples/restore.py [denoise] [inpaint] [upscale] [--epochs N]``.
"""

import argparse
import functools
import itertools
import pathlib
import time

import matplotlib.pyplot as plt
import numpy as np
from skimage.restoration import (
    denoise_nl_means,
    denoise_tv_chambolle,
    inpaint_biharmonic,
)
from skimage.transform import resize

from sklearn_sparsevae import DictionaryLearningVAE
from sklearn_sparsevae.datasets import load_sample_photos
from sklearn_sparsevae.degrade import (
    bicubic_downsample,
    gaussian_noise,
    random_mask,
)
from sklearn_sparsevae.metrics import psnr, ssim

SIGMA = 20  # of 255
MISSING = 0.5  # of the pixels


def fit(photos, degrade, epochs):
    """Train a model to undo a degradation."""
    # Four photos have few colours: each also counts with its channels in other orders.
    orders = [list(order) for order in itertools.permutations(range(3))]
    recoloured = [photo[..., order] for photo in photos for order in orders]
    # Small sites and few images a step: what limits is how long the network trains, and
    # that makes steps cheap.
    model = DictionaryLearningVAE(
        n_components=64,
        n_nonzero_coefs=8,
        n_downsamples=1,
        backbone_params={"width": 48},
        degrade=degrade,
        crop_size=40,
        batch_size=8,
        lr=0.003,
        max_epochs=epochs,
        random_state=0,
        verbose=1,
    )
    start = time.perf_counter()
    model.fit(recoloured)
    print(f"fit on crops of {len(photos)} photos: {time.perf_counter() - start:.0f} s")
    return model


def denoise(training, photos, epochs):
    """Take noise away; the settings of the peers are the best on other photos."""
    degrade = functools.partial(gaussian_noise, sigma=SIGMA)
    noisy, sigma = degrade(photos, random_state=0), SIGMA / 255
    window = {"patch_size": 5, "patch_distance": 6, "h": 0.8 * sigma}
    return {
        "noisy": noisy,
        "total variation": [
            denoise_tv_chambolle(p, 0.625 * sigma, channel_axis=-1) for p in noisy
        ],
        "non-local means": [
            denoise_nl_means(p, sigma=sigma, fast_mode=False, channel_axis=-1, **window)
            for p in noisy
        ],
        "DL-VAE": fit(training, degrade, epochs).reconstruct(noisy),
    }


def inpaint(training, photos, epochs):
    """Fill in missing pixels, starting from biharmonic inpainting."""
    degrade = functools.partial(random_mask, fraction=MISSING)
    seen = degrade(photos, random_state=0)
    known = degrade([np.ones_like(photo) for photo in photos], random_state=0)
    filled = [
        inpaint_biharmonic(photo, mask[..., 0] == 0, channel_axis=-1)
        for photo, mask in zip(seen, known, strict=True)
    ]
    model = fit(training, functools.partial(degrade, fill="biharmonic"), epochs)
    # What is known stays as it is.
    inpainted = [
        np.where(mask == 0, restored, photo)
        for mask, restored, photo in zip(
            known, model.reconstruct(filled), filled, strict=True
        )
    ]
    return {"half the pixels": seen, "biharmonic": filled, "DL-VAE": inpainted}


def upscale(training, photos, epochs):
    """Double the size of photos that were halved."""
    degrade = functools.partial(bicubic_downsample, factor=2)
    halves = [[-(-n // 2) for n in photo.shape[:2]] for photo in photos]
    small = [resize(p, s, order=3) for p, s in zip(photos, halves, strict=True)]
    spoilt = degrade(photos)
    return {
        "bicubic": spoilt,
        "scikit-image": [
            resize(s, p.shape, order=3) for s, p in zip(small, photos, strict=True)
        ],
        "DL-VAE": fit(training, degrade, epochs).reconstruct(spoilt),
    }


def report(names, clean, restored):
    """Print PSNR and SSIM of every photo and their means."""
    print(f"{'dB and SSIM':<17}" + "".join(f"{n:>16}" for n in [*names, "mean"]))
    for name, photos in restored.items():
        pairs = [(c[None], r[None]) for c, r in zip(clean, photos, strict=True)]
        quality = np.array([[psnr(*pair), ssim(*pair)] for pair in pairs])
        cells = [*quality, quality.mean(0)]
        print(f"{name:<17}" + "".join(f"{p:9.2f}{s:7.3f}" for p, s in cells))


def draw(clean, restored, path, side=128):
    """Draw the middle of every photo, as it is and as each method restores it."""
    columns = {"photo": clean, **restored}
    figure, axes = plt.subplots(
        len(clean), len(columns), figsize=(12, 7.6), layout="constrained"
    )
    for column, (title, photos) in zip(axes.T, columns.items(), strict=True):
        column[0].set_title(title, fontsize=10)
        for ax, photo in zip(column, photos, strict=True):
            top, left = ((n - side) // 2 for n in photo.shape[:2])
            ax.imshow(photo[top : top + side, left : left + side])
            ax.axis("off")
    figure.savefig(path, dpi=110)
    print(f"picture: {path}\n", flush=True)


def main():
    """Fit, print, draw for every task."""
    tasks = {"denoise": denoise, "inpaint": inpaint, "upscale": upscale}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("tasks", nargs="*", help=f"of {', '.join(tasks)}; default: all")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path, default="build/demo")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)

    training, unseen = (load_sample_photos(subset=s) for s in ("train", "test"))
    clean = [photo / np.float32(255) for photo in unseen.images]
    for name in arguments.tasks or tasks:
        restored = tasks[name](training.images, clean, arguments.epochs)
        restored = {k: [np.clip(p, 0, 1) for p in v] for k, v in restored.items()}
        report(unseen.names, clean, restored)
        draw(clean, restored, arguments.output / f"{name}.png")


if __name__ == "__main__":
    main()
