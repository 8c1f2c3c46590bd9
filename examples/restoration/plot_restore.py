"""
Denoise, inpaint and upscale photos
===================================

A model restores what it was trained to restore: ``degrade=`` spoils the crops of every
training batch afresh, and the loss compares with the clean ones. Three models, trained
on four photos, restore three others: from noise, from half of their pixels, and from
half the size. Classical methods of scikit-image stand beside them.
"""

# %%
# Settings that all three share
# -----------------------------
#
# Small sites and many small batches matter most: what limits restoration is how many
# steps the network trains, not how long the codes are. To be quick, training is short,
# and only the middle of each photo is restored.

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from skimage.restoration import (
    denoise_nl_means,
    denoise_tv_chambolle,
    inpaint_biharmonic,
)

from sklearn_sparsevae import DictionaryLearningVAE
from sklearn_sparsevae.datasets import load_sample_photos
from sklearn_sparsevae.degrade import bicubic_downsample, gaussian_noise, random_mask
from sklearn_sparsevae.metrics import psnr, ssim

n_long = 4  # quick: 0
n_short = 2  # quick: 0
side = 128  # quick: 48
crop_size = 32  # quick: 16


def middle(photo):
    """Cut a square from the middle of a photo, as floats in [0, 1]."""
    top, left = ((n - side) // 2 for n in photo.shape[:2])
    return photo[top : top + side, left : left + side] / np.float32(255)


def train(degrade, max_epochs):
    """Train a model to undo a degradation."""
    return DictionaryLearningVAE(
        n_components=64,
        n_nonzero_coefs=8,
        n_downsamples=1,
        backbone_params={"width": 32},
        degrade=degrade,
        crop_size=crop_size,
        batch_size=4,
        lr=0.003,
        max_epochs=max_epochs,
        random_state=0,
    ).fit(training)


def compare(restored):
    """Print PSNR and SSIM, and draw every method beside the photo."""
    figure, axes = plt.subplots(
        len(clean),
        1 + len(restored),
        figsize=(2.2 * (1 + len(restored)), 6.9),
        layout="constrained",
    )
    for column, (name, images) in zip(axes.T, {"photo": clean, **restored}.items()):
        images = np.clip(images, 0, 1)
        column[0].set_title(name, fontsize=10)
        for ax, image in zip(column, images):
            ax.imshow(image)
            ax.set_axis_off()
        if name != "photo":
            quality = psnr(clean, images), ssim(clean, images)
            print("{:<22}{:6.2f} dB{:8.3f} SSIM".format(name, *quality))
    plt.show()


training = load_sample_photos(subset="train").images
unseen = load_sample_photos(subset="test").images
clean = np.stack([middle(photo) for photo in unseen])

# %%
# Noise
# -----
#
# Gaussian noise with a standard deviation of 20 of 255. The settings of the classical
# methods were chosen on other photos.

sigma = 20
denoiser = train(partial(gaussian_noise, sigma=sigma), n_long)
noisy = gaussian_noise(clean, sigma=sigma, random_state=0)
compare(
    {
        "noisy": noisy,
        "total variation": [
            denoise_tv_chambolle(image, 0.625 * sigma / 255, channel_axis=-1)
            for image in noisy
        ],
        "non-local means": [
            denoise_nl_means(
                image,
                sigma=sigma / 255,
                h=0.8 * sigma / 255,
                patch_size=5,
                patch_distance=6,
                fast_mode=False,
                channel_axis=-1,
            )
            for image in noisy
        ],
        "DictionaryLearningVAE": denoiser.reconstruct(noisy),
    }
)

# %%
# Look at the fur and at the edges of the petals for what each method takes away with
# the noise, and at the coffee for what it leaves.
#
# Missing pixels
# --------------
#
# Half of the pixels are missing. The model starts from biharmonic inpainting, in
# training too, and only missing pixels are taken from what it returns.

spoil = partial(random_mask, fraction=0.5)
inpainter = train(partial(spoil, fill="biharmonic"), n_short)
seen = spoil(clean, random_state=0)
missing = spoil(np.ones_like(clean), random_state=0)[..., :1] == 0
filled = np.stack(
    [
        inpaint_biharmonic(image, mask[..., 0], channel_axis=-1)
        for image, mask in zip(seen, missing)
    ]
)
compare(
    {
        "half the pixels": seen,
        "biharmonic": filled,
        "DictionaryLearningVAE": np.where(
            missing, inpainter.reconstruct(filled), filled
        ),
    }
)

# %%
# Twice the size
# --------------
#
# ``bicubic_downsample`` halves a photo and brings it back to its size by bicubic
# interpolation, so that the model adds detail to an image of equal size.

upscaler = train(partial(bicubic_downsample, factor=2), n_short)
small = bicubic_downsample(clean, factor=2)
compare({"bicubic": small, "DictionaryLearningVAE": upscaler.reconstruct(small)})

# %%
# Longer training on more photos gains more; :doc:`/results/index` has what it was worth
# on a set of photographs.
