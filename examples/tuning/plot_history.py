"""
What a training run looked like
===============================

Every estimator records each epoch in ``history_``, a dict with an array for each term
of the loss and each figure. :class:`~sklearn_sparsevae.plotting.HistoryDisplay` draws
it.
"""

# %%
# With a part of the data held out
# --------------------------------
#
# ``early_stopping=True`` holds out a tenth of the images, stops when their loss no
# longer improves, and keeps the best weights.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from sklearn_sparsevae import VQVAE
from sklearn_sparsevae.plotting import HistoryDisplay

max_epochs = 40  # quick: 3

images = load_digits().images / 16
model = VQVAE(
    64,
    n_downsamples=2,
    max_epochs=max_epochs,
    early_stopping=True,
    random_state=0,
).fit(images)
print(f"{model.n_epochs_} epochs, best PSNR {model.score(images):.1f} dB")

# %%
# All curves
# ----------

HistoryDisplay.from_estimator(model)
plt.show()

# %%
# The arrays
# ----------
#
# They are of one length, so that a table needs no more than
# ``pandas.DataFrame(history_)``.

for name, values in model.history_.items():
    print(f"{name:24}{values[0]:12.4g}{values[-1]:12.4g}")
