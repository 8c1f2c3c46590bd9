"""
Bottlenecks side by side, with everything else equal
====================================================

Estimators differ in what stands between encoder and decoder. This example trains five
of them on the same crops and shows what each keeps of other photos, and what its codes
cost in bits.
"""

# %%
# Five models
# -----------
#
# A site is a square of 8x8 pixels in all of them.

import time

import matplotlib.pyplot as plt
import numpy as np

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, SparseCodingVAE
from sklearn_sparsevae.datasets import load_sample_photos
from sklearn_sparsevae.metrics import bits_per_pixel, nonzeros_per_site, psnr

n_components = 256  # quick: 64
max_epochs = 2  # quick: 0
crop_size = 32  # quick: 16

training = load_sample_photos(subset="train").images
unseen = load_sample_photos(subset="test").images
same = {
    "n_components": n_components,
    "n_downsamples": 3,
    "crop_size": crop_size,
    "max_epochs": max_epochs,
    "random_state": 0,
}
models = {
    "SparseCodingVAE": SparseCodingVAE(**same),
    "DictionaryLearningVAE, 12": DictionaryLearningVAE(n_nonzero_coefs=12, **same),
    "DictionaryLearningVAE, 4": DictionaryLearningVAE(n_nonzero_coefs=4, **same),
    "VQVAE, 4 levels": VQVAE(n_quantizers=4, **same),
    "VQVAE": VQVAE(**same),
}

# %%
# What stored codes give back
# ---------------------------
#
# Coefficients are rounded to 8 bits, and images decoded from what was rounded. Bits per
# pixel count indices and coefficients at fixed length; the entropy is the least that an
# ideal coder needs which knows how frequent each of them is.

names = ("PSNR", "non-zeros", "bits", "entropy", "fit s")
print(f"{'':26}" + "".join(f"{name:>11}" for name in names))
decoded, titles = [], []
for name, model in models.items():
    start = time.perf_counter()
    model.fit(training)
    seconds = time.perf_counter() - start
    codes = model.transform(unseen)  # a list, as the photos differ in size
    images = model.inverse_transform(codes, coef_bits=8)
    figures = (
        psnr(unseen, images),
        nonzeros_per_site(codes),
        bits_per_pixel(codes, 8),
        bits_per_pixel(codes, 8, entropy=True),
        seconds,
    )
    print(f"{name:26}" + "".join(f"{value:11.2f}" for value in figures))
    decoded.append(images[0])
    titles.append(f"{name}\n{figures[0]:.1f} dB, {figures[3]:.2f} bits a pixel")

# %%
# The middle of one photo
# -----------------------

side = 160
photo = unseen[0]
top, left = ((n - side) // 2 for n in photo.shape[:2])
figure, axes = plt.subplots(2, 3, figsize=(9, 6.7), layout="constrained")
for ax, image, title in zip(axes.flat, [photo, *decoded], ["photo", *titles]):
    ax.imshow(np.clip(image[top : top + side, left : left + side], 0, 255))
    ax.set_title(title, fontsize=9)
    ax.set_axis_off()
plt.show()

# %%
# With one index for each square ``VQVAE`` keeps shapes and loses hair; four levels of
# residuals keep more. Sparse codes come close to the photo, and cost several times the
# bits. ``SparseCodingVAE`` gives each square as many non-zeros as it needs, where
# ``DictionaryLearningVAE`` gives all of them the same number.
#
# Which to take for what is in :doc:`/choosing`.
