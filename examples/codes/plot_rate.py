"""
What a code costs in bits
=========================

A code of few non-zeros is not yet a small file: each non-zero needs the index of its
atom and a coefficient, rounded to some number of bits. This example counts the bits of
codes of photos, shows what is left of the photos, and puts JPEG beside it.
"""

# %%
# Codes of photos
# ---------------
#
# Two models, which differ in how many atoms a square of 8x8 pixels may have.

import io

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from sklearn_sparsevae import DictionaryLearningVAE
from sklearn_sparsevae.codes import quantize_codes
from sklearn_sparsevae.datasets import load_sample_photos
from sklearn_sparsevae.metrics import bits_per_pixel, psnr

max_epochs = 1  # quick: 0
crop_size = 32  # quick: 16
n_components = 256  # quick: 64

training = load_sample_photos(subset="train").images
unseen = load_sample_photos(subset="test").images
models = {
    n_atoms: DictionaryLearningVAE(
        n_components,
        n_nonzero_coefs=n_atoms,
        n_downsamples=3,
        crop_size=crop_size,
        max_epochs=max_epochs,
        random_state=0,
    ).fit(training)
    for n_atoms in (3, 10)
}

# %%
# Rounding coefficients
# ---------------------
#
# :func:`~sklearn_sparsevae.codes.quantize_codes` rounds the coefficients of one photo
# to what so many bits can say. What rounds to zero is dropped. With the atoms it rounds
# the largest coefficient of a square first, and lets the others make up for the error.

photo = unseen[0]
codes = models[10].transform(photo[None])
figure, axes = plt.subplots(1, 4, figsize=(10, 2.4), layout="constrained")
axes[0].imshow(photo)
axes[0].set_title("photo")
for ax, coef_bits in zip(axes[1:], (3, 4, 8)):
    rounded = quantize_codes(codes, coef_bits, models[10].components_)
    image = models[10].inverse_transform(rounded)
    ax.imshow(np.clip(image[0], 0, 1))
    bits = bits_per_pixel(rounded, coef_bits)
    ax.set_title(
        f"{coef_bits} bits a coefficient:\n{bits:.2f} bits "
        f"a pixel, {psnr(photo[None], image):.1f} dB",
        fontsize=9,
    )
    print(f"{coef_bits} bits: {codes.nnz} non-zeros become {rounded.nnz}")
for ax in axes:
    ax.set_axis_off()
plt.show()

# %%
# Quality over rate
# -----------------
#
# All photos, with coefficients of 3 to 8 bits. At fixed length every choice of as many
# atoms takes the same number of bits, and a coefficient as many as the largest of its
# square allow. The entropy is what an ideal coder would need that knows how frequent
# atoms and coefficients are. JPEG comes as Pillow writes it, whole files, at several
# qualities.


def jpeg(photo, quality):
    """Return a photo as JPEG gives it back, and the bits of the file."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)), 8 * len(file.getvalue())


figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for (n_atoms, model), color in zip(models.items(), ("tab:blue", "tab:orange")):
    codes = model.transform(unseen)
    quality, fixed, entropy = [], [], []
    for coef_bits in (3, 4, 5, 6, 8):
        decoded = model.inverse_transform(codes, coef_bits=coef_bits)
        quality.append(psnr(unseen, decoded))
        fixed.append(bits_per_pixel(codes, coef_bits))
        entropy.append(bits_per_pixel(codes, coef_bits, entropy=True))
    ax.plot(fixed, quality, "o--", color=color, label=f"{n_atoms} atoms, fixed length")
    ax.plot(entropy, quality, "o-", color=color, label=f"{n_atoms} atoms, entropy")
n_pixels = sum(photo.shape[0] * photo.shape[1] for photo in unseen)
quality, rate = [], []
for setting in (5, 10, 20, 40, 60, 80):
    images, bits = zip(*(jpeg(photo, setting) for photo in unseen))
    quality.append(psnr(unseen, images))
    rate.append(sum(bits) / n_pixels)
ax.plot(rate, quality, "s-", color="tab:gray", label="JPEG")
ax.set(xlabel="bits per pixel", ylabel="PSNR (dB)")
ax.legend()
plt.show()
# sphinx_gallery_thumbnail_number = 2

# %%
# Along each curve coefficients get more bits. A curve flattens where rounding is no
# longer what limits; from there on more atoms are the better use of bits. JPEG is far
# ahead, as it was made for this: it predicts from square to square, and what it rounds
# to zero costs it next to nothing. The codes here are made for what comes after them.
# How they compare with vector quantisation at equal bits is in :doc:`/results/index`.
