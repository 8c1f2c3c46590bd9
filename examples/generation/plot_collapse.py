"""
Posterior collapse, and how to see it
=====================================

A variational autoencoder pays for what its code says. Where the decoder counts as too
noisy, or the divergence from the prior weighs too much, dimensions of the code stop
saying anything: their posterior is the prior, whatever the image. The loss does not
tell. The divergence of each dimension does:
:class:`~sklearn_sparsevae.plotting.LatentUsageDisplay` draws it.
"""

# %%
# Four settings
# -------------
#
# ``beta`` is the weight of the divergence, ``noise_variance`` what counts as noise of a
# pixel.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_sparsevae import GaussianVAE
from sklearn_sparsevae.plotting import LatentUsageDisplay

max_epochs = 4  # quick: 0
n_shown = 8

images = (load_digits().images / 16).astype(np.float32)
training, unseen = train_test_split(images, test_size=0.3, random_state=0)
settings = {
    "as it should be": {"noise_variance": 0.02},
    "beta = 20": {"noise_variance": 0.02, "beta": 20.0},
    "noise_variance = 0.2": {"noise_variance": 0.2},
    "noise_variance = 2": {"noise_variance": 2.0},
}
models = {
    name: GaussianVAE(
        16, n_downsamples=3, max_epochs=max_epochs, random_state=0, **params
    ).fit(training)
    for name, params in settings.items()
}

# %%
# What each dimension says, and what digits come back as
# ------------------------------------------------------
#
# On the left the divergence of each of the 16 dimensions, largest first; where there is
# no bar, the dimension says nothing. On the right digits that were held out, above what
# the model makes of them.

figure, axes = plt.subplots(len(models), 2, figsize=(10, 8.5), layout="constrained")
for (bars, strip), (name, model) in zip(axes, models.items()):
    display = LatentUsageDisplay.from_estimator(model, ax=bars)
    bars.set_title(f"{name}: {display.ax_.get_title()}", fontsize=9)
    shown = unseen[:n_shown]
    rows = [np.hstack(shown), np.hstack(model.reconstruct(shown))]
    rows.insert(1, np.ones_like(rows[0][:1]))
    strip.imshow(np.vstack(rows), cmap="gray", vmin=0, vmax=1)
    strip.set_title(f"held-out digits, and rebuilt: {model.score(unseen):.1f} dB")
    strip.set_axis_off()
    print(
        f"{name:21}{model.active_units_:3d} of 16 dimensions active, "
        f"{model.kl_per_dim_.sum():5.1f} nats, {model.score(unseen):5.1f} dB"
    )
highest = max(bars.get_ylim()[1] for bars in axes[:, 0])
plt.setp(axes[:, 0], ylim=(0, highest))
plt.show()

# %%
# The more a dimension has to be worth, the fewer stay active, and the more all digits
# come back as their mean. Where too few are active, lower ``beta`` or
# ``noise_variance``, or let ``beta_warmup`` raise the weight slowly.
