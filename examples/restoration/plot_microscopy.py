"""
A microscopy stack, from file to restored file and masks
========================================================

A stack of 16 bits is read from a TIFF file, its noise is measured, each image is freed
of it without a single clean one, and the result goes back into a TIFF file of the same
kind. At the end the tissue is outlined, with and without its noise.
"""

# %%
# A stack with noise
# ------------------
#
# Three fields of a stained tissue section, which scikit-image ships. To know at the end
# what is right, we make the noise ourselves, as a camera makes it: light comes in
# photons, and reading them out adds a little. Here a pixel of empty glass counts some
# 30 photons. The camera writes 500 where it is dark and 20,500 where the glass is
# empty.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tifffile
from skimage import data
from sklearn.pipeline import Pipeline

from sklearn_sparsevae import Denoiser, KMeansSegmenter, SparseCodingVAE
from sklearn_sparsevae.datasets import load_image_folder, save_images
from sklearn_sparsevae.degrade import poisson_gaussian_noise
from sklearn_sparsevae.metrics import psnr
from sklearn_sparsevae.noise import estimate_gain, estimate_sigma

side = 128  # quick: 48
max_epochs = 1  # quick: 0

black, white = 500, 20_500
tissue = data.immunohistochemistry() / np.float32(255)
corners = [(300, 10), (200, 300), (330, 210)]
clean = np.stack([tissue[y : y + side, x : x + side] for y, x in corners])
seen = poisson_gaussian_noise(clean, gain=8, sigma=4, clip=False, random_state=0)
levels = np.clip(np.rint(black + (white - black) * seen), 0, 65_535).astype(np.uint16)

temporary = tempfile.TemporaryDirectory()
folder = Path(temporary.name)
(folder / "taken").mkdir()
taken = folder / "taken" / "tissue.tif"
tifffile.imwrite(taken, levels, photometric="rgb", resolution=(2e4, 2e4))

# %%
# Read it, and measure the noise
# ------------------------------
#
# Every page of the file is an image. ``value_range`` says which levels are black and
# white; all numbers about noise count in 255ths of that range.

stack = load_image_folder(folder / "taken")
images = np.stack(list(stack.images))
value_range = (black, white)
print(*stack.names, images.shape, images.dtype)
print("sigma, by image and channel:")
print(estimate_sigma(images, value_range=value_range).round(1))
gain, sigma = estimate_gain(images, value_range=value_range)
print("a photon adds", gain.round(1), "and reading out has sigma", sigma.round(1))

# %%
# One sigma would say that the noise is equally strong everywhere. It is not: each
# photon adds some, so bright places have most of it. The gain was 8 and the deviation
# of reading out 4. The gain is found well. The other is not, as tissue has no even
# black places; it matters little, where photons make most of the noise.
#
# Restore it
# ----------
#
# ``method="patches"`` restores every image from its own patches: nothing is trained.
# ``gain="estimate"`` measures the gain of each image and makes its noise even first.


def in_unit_range(images):
    """Turn levels of the camera into floats in [0, 1]."""
    return np.clip((np.float32(images) - black) / (white - black), 0, 1)


def patches(gain):
    """Make a denoiser that needs no training."""
    return Denoiser(
        method="patches", gain=gain, value_range=value_range, random_state=0
    )


restored = patches("estimate").fit_transform(images)
columns = {
    "noisy": in_unit_range(images),
    "one sigma": in_unit_range(patches(None).fit_transform(images)),
    'gain="estimate"': in_unit_range(restored),
    "clean": clean,
}
figure, axes = plt.subplots(len(clean), 4, figsize=(8.8, 7.1), layout="constrained")
for column, (name, shown) in zip(axes.T, columns.items()):
    title = name if name == "clean" else f"{name}, {psnr(clean, shown):.1f} dB"
    column[0].set_title(title, fontsize=10)
    for ax, image in zip(column, shown):
        ax.imshow(image)
        ax.set_axis_off()
plt.show()

# %%
# With one sigma for the whole image, noise stays in the bright glass, and the dark
# stain loses its lines. With the gain, both are better, and yet not what they were:
# faint blotches of colour are left in the glass, and what is as fine and as faint as
# the noise is lost.
#
# Write it
# --------
#
# ``like=`` keeps the dtype, the axes and the resolution of the file that it came from.

(path,) = save_images(
    restored, folder / "restored.tif", like=taken, value_range=value_range
)
with tifffile.TiffFile(path) as tif:
    page = tif.pages[0]
    print(path.name, tif.series[0].shape, page.dtype, page.resolution)

# %%
# Masks
# -----
#
# Denoiser, encoder and segmenter are one Pipeline. K-means over all sites of the stack
# finds two kinds of tissue: brown glands, and what lies between them. The third row is
# what the same steps make of the clean images, the best that can be expected here.
# Noise may exceed ``value_range`` on its way into a Denoiser, but not into an encoder.


def segment(images, denoiser):
    """Fit a Pipeline on a stack, and return its masks: 1 is brown."""
    pipe = Pipeline(
        [
            ("denoise", denoiser),
            (
                "encode",
                SparseCodingVAE(
                    64,
                    n_downsamples=2,
                    max_epochs=max_epochs,
                    value_range=value_range,
                    random_state=0,
                ),
            ),
            ("segment", KMeansSegmenter(2, scope="dataset", random_state=0)),
        ]
    )
    masks = pipe.fit_predict(images)
    # K-means does not know which of its clusters is brown: the one with less blue.
    blue = [clean[..., 2][masks == k].mean() for k in range(2)]
    return masks if blue[1] < blue[0] else 1 - masks


as_taken = black + (white - black) * clean
best = segment(as_taken, "passthrough")
rows = {
    "noisy": (columns["noisy"], segment(np.clip(images, black, white), "passthrough")),
    "restored": (in_unit_range(restored), segment(images, patches("estimate"))),
    "clean": (clean, best),
}
figure, axes = plt.subplots(3, len(clean), figsize=(6.8, 7), layout="constrained")
for row, (name, (shown, masks)) in zip(axes, rows.items()):
    both = np.logical_and(masks, best).sum() / np.logical_or(masks, best).sum()
    print(f"masks of the {name} stack overlap with the clean ones: IoU {both:.2f}")
    for ax, image, mask in zip(row, shown, masks):
        ax.imshow(image)
        ax.contour(mask, [0.5], colors="k", linewidths=1.5)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
plt.show()
temporary.cleanup()

# %%
# The masks of the noisy stack are nearly as good. A site is a square of 4x4 pixels,
# whose mean has little noise, and brown and white differ much. Restoring first pays
# where what is to be told apart is finer or fainter. Blue nuclei within the glands are
# left out: two clusters tell colours, not organs.
#
# :doc:`/howto/command_line` restores files and folders without a line of Python.
