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

from sklearn_sparsevae import SparseCodingVAE
from sklearn_sparsevae.plotting import HistoryDisplay

max_epochs = 20  # quick: 1

images = load_digits().images[:800] / 16
model = SparseCodingVAE(
    64,
    max_epochs=max_epochs,
    early_stopping=True,
    n_epochs_no_change=3,
    random_state=0,
).fit(images)
print(f"{model.n_epochs_} epochs of at most {max_epochs}")

# %%
# All curves
# ----------

HistoryDisplay.from_estimator(model)
plt.show()

# %%
# What was recorded of the images held out is dashed. Their loss flattens while that of
# the training images keeps falling: from there on the model learns these images by
# heart, and longer training does not help. More images would.

# %%
# The arrays
# ----------
#
# They are of one length, so that a table needs no more than
# ``pandas.DataFrame(history_)``.

for name, values in model.history_.items():
    print(f"{name:24}{values[0]:12.4g}{values[-1]:12.4g}")
