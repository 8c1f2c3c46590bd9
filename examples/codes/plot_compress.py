"""
Images in files of a few bytes
==============================

Codes are short, but not yet small files: which atoms follow on which has to be known to
spend few bits on what is likely. A prior of the codes knows it. With a range coder it
writes the codes of images into a file of nearly as many bits as it predicts, and reads
them again exactly. This takes the package constriction,
``pip install "sklearn-sparsevae[compression]"``.
"""

# %%
# An encoder and a prior
# ----------------------
#
# Digits of 8x8 pixels, a quarter of them held out. The encoder says one of 64
# prototypes for each square of 2x2 pixels, the prior which prototypes come after those
# before. Sender and receiver have both.

import pathlib
import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_sparsevae import VQVAE, CodePrior
from sklearn_sparsevae.metrics import bits_per_pixel, psnr

max_epochs = 4  # quick: 1
prior_epochs = 10  # quick: 1

images = (load_digits().images / 16).astype(np.float32)
train, test = train_test_split(images, random_state=0)

encoder = VQVAE(64, n_downsamples=1, max_epochs=max_epochs, random_state=0).fit(train)
prior = CodePrior(
    width=64, n_layers=2, lr=0.003, max_epochs=prior_epochs, random_state=0
).fit(encoder.transform(train))

# %%
# To a file, and back
# -------------------
#
# ``compress`` takes the codes of all images and gives bytes. Together they need one
# header; 21 bytes would be much for a single digit.

codes = encoder.transform(test)
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder, "digits.bin")
    path.write_bytes(prior.compress(codes))
    n_bytes = path.stat().st_size
    read = prior.decompress(path.read_bytes())

print(f"{len(test)} digits in {n_bytes} bytes, {8 * n_bytes / len(test):.1f} bits each")
print("read as they were written:", (read != codes).nnz == 0)
decoded = encoder.inverse_transform(read)
print(f"PSNR {psnr(test, decoded):.1f} dB, of which the file has cost nothing")

# %%
# Three ways to count
# -------------------
#
# At fixed length each prototype takes as many bits as any other. The entropy is what it
# would take if all that is known is how often each one occurs. The prior also looks at
# the prototypes before, and the file is as small as it says.

rates = {
    "fixed length": bits_per_pixel(codes),
    "entropy": bits_per_pixel(codes, entropy=True),
    "prior": bits_per_pixel(codes, prior=prior),
    "file": 8 * n_bytes / test.size,
}
figure, ax = plt.subplots(figsize=(6, 2.2), layout="constrained")
bars = ax.barh(list(rates), list(rates.values()), color="tab:blue")
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.set(xlabel="bits per pixel", xlim=(0, 1.15 * max(rates.values())))
ax.invert_yaxis()
plt.show()

# %%
# What is cheap and what is dear
# ------------------------------
#
# An image takes as many bits as the prior is surprised by it: minus the logarithm of
# its probability. The digits that take the fewest are written as most are; those that
# take the most have strokes that are rare.

bits = -prior.score_samples(codes) / np.log(2)
order = np.argsort(bits)
figure, axes = plt.subplots(2, 8, figsize=(8, 2.6), layout="constrained")
for row, chosen in zip(axes, (order[:8], order[-8:])):
    for ax, i in zip(row, chosen):
        ax.imshow(decoded[i], cmap="gray_r", vmin=0, vmax=1)
        ax.set_title(f"{bits[i]:.0f} bits", fontsize=9)
        ax.set_axis_off()
plt.show()
# sphinx_gallery_thumbnail_number = 2

# %%
# The receiver needs the same prior, with the same weights:
# :func:`sklearn_sparsevae.save` keeps it. Another one, or a damaged file, is refused,
# as the bytes have checksums of both. How small files of photos become, beside JPEG and
# others, is in :doc:`/results/rate`.
