# %% [markdown]
# # How sparse? An ablation by grid search
#
# Two parameters of `SparseCodingVAE` set how long a code may be. This notebook tries
# them in a `GridSearchCV`, scores quality and sparsity in one pass, asks what the codes
# would cost in bits if they were stored, and chooses a setting by a rule. Notebook 1
# explains what codes, sites and atoms are.

# %% [markdown]
# ## Crops, grouped by photo
#
# A search fits many models, so each has to be small: here on crops of 32 x 32 pixels of
# the four training photos. Crops of one photo look alike and may even overlap. Were
# they in the training and in the test part of a fold, the scores would be too good.
# `GroupKFold` keeps each photo on one side.

# %%
import matplotlib.pyplot as plt
import numpy as np

from sklearn_sparsevae.datasets import load_sample_photos, random_crops

n_crops = 200  # quick: 20
photos = load_sample_photos(subset="train")
crops = np.concatenate(
    [random_crops([photo], 32, n_crops, random_state=0) for photo in photos.images]
)
groups = np.repeat(photos.names, n_crops)
print(crops.shape, crops.dtype)

figure, axes = plt.subplots(1, 12, figsize=(12, 1.4), layout="constrained")
for ax, i in zip(axes, np.linspace(0, len(crops) - 1, 12).astype(int), strict=True):
    ax.imshow(crops[i])
    ax.set_title(groups[i], fontsize=8)
    ax.axis("off")
plt.show()

# %% [markdown]
# ## The two knobs
#
# - `alpha`: an atom is taken only if it lowers the squared error of its site by more
#   than `alpha ** 2`. A larger `alpha` gives shorter codes.
# - `n_rollout_steps`: every step of the encoder takes at most one atom, so this is the
#   most atoms a site can have.
#
# `make_scorers` makes one scorer that measures several things at once and returns them
# in a dict, as `GridSearchCV` takes it: PSNR in decibels, the mean number of non-zeros
# of a site, and Hoyer's measure of sparsity, which is 1 for a single non-zero and 0
# when all are equally large. We add two more for each of three precisions: what the
# codes cost in bits per pixel when their coefficients are rounded to so many bits, and
# the PSNR that is left. More about that below.
#
# No labels are needed: `y` is not used.

# %%
from sklearn.model_selection import GridSearchCV, GroupKFold

from sklearn_sparsevae import SparseCodingVAE
from sklearn_sparsevae.metrics import bits_per_pixel, make_scorers, psnr

measure = make_scorers("psnr", "nonzeros", "hoyer")


def score(model, X, y=None):
    """Measure quality, sparsity, and both quality and size after rounding."""
    scores = measure(model, X)
    codes = model.transform(X)
    for bits in (4, 6, 8):
        decoded = model.inverse_transform(codes, coef_bits=bits)
        scores[f"psnr_at_{bits}"] = psnr(X, decoded)
        scores[f"bpp_at_{bits}"] = bits_per_pixel(codes, bits, entropy=True)
    return scores


# %% [markdown]
# Each combination is fitted twice, on two photos, and scored on the other two.
# `n_jobs=2` runs two fits at a time, each in a process and on a core of its own. With
# one GPU, which all processes would share, `n_jobs=1` is as fast.
#
# `refit=False` leaves the choice to us: with several scores, `GridSearchCV` cannot know
# which of them matters.

# %%
alphas = [0.02, 0.05, 0.12, 0.3]  # quick: [0.05]
n_steps = [4, 8, 16]  # quick: [4, 16]
n_epochs = 2  # quick: 0
n_jobs = 2  # quick: 1
model = SparseCodingVAE(128, n_downsamples=2, max_epochs=n_epochs, random_state=0)
search = GridSearchCV(
    model,
    {"alpha": alphas, "n_rollout_steps": n_steps},
    scoring=score,
    refit=False,
    cv=GroupKFold(2),
    n_jobs=n_jobs,
).fit(crops, groups=groups)

# %% [markdown]
# ## What the search found
#
# `cv_results_` goes into a table, as always. First the quality, then the price: PSNR,
# the non-zeros of a site of 4 x 4 pixels (three of them are its mean colour, which is
# always stored), and the seconds of a fit. These are of the machine that ran this
# notebook, which had other things to do; on an idle laptop they are a few.

# %%
import pandas as pd

results = pd.DataFrame(search.cv_results_)
columns = {
    "mean_test_psnr": "PSNR, dB",
    "mean_test_nonzeros": "non-zeros",
    "mean_test_hoyer": "Hoyer",
    "mean_fit_time": "seconds",
}
table = results.set_index(["param_alpha", "param_n_rollout_steps"])[list(columns)]
table.rename(columns=columns).round(2)

# %% [markdown]
# PSNR falls with `alpha` and rises with the steps: both knobs do what they say. At a
# large `alpha` more steps change nothing, since no site wants more atoms. At a small
# one they decide.
#
# A table of three scores is hard to judge. `SparsityQualityDisplay` draws quality over
# sparsity, here a curve for each number of steps. Better is up and to the left.

# %%
from sklearn_sparsevae.plotting import SparsityQualityDisplay


def scores_of(steps):
    """Return the mean scores of all candidates with so many steps."""
    rows = results[results["param_n_rollout_steps"] == steps]
    return {name: rows[name] for name in rows if name.startswith("mean_test")}


figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for steps in n_steps:
    SparsityQualityDisplay.from_cv_results(
        scores_of(steps), ax=ax, label=f"{steps} steps"
    )
plt.show()

# %% [markdown]
# Curves that lie on top of each other say that it does not matter which knob shortens
# the codes. Where one lies higher, its knob buys more for each non-zero: a limit on all
# sites alike takes from the ones that need many atoms, while `alpha` lets each site pay
# for what it has use for.
#
# How sure is that? The two folds differ because their photos do, so the spread over
# folds says little. All candidates see the same folds: look at the differences within
# each of them instead.

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharey=True)
for fold, ax in enumerate(axes):
    for steps in n_steps:
        rows = results[results["param_n_rollout_steps"] == steps]
        ax.plot(
            rows[f"split{fold}_test_nonzeros"],
            rows[f"split{fold}_test_psnr"],
            "o-",
            label=f"{steps} steps",
        )
    ax.set(title=f"fold {fold}", xlabel="non-zeros per site")
axes[0].set_ylabel("PSNR (dB)")
axes[0].legend()
plt.show()

# %% [markdown]
# ## What it costs in bits
#
# A non-zero is not free to store. Its atom is one of 128, and its coefficient has as
# many bits as it is rounded to. `bits_per_pixel` adds that up for codes; with
# `entropy=True` it is what an ideal entropy coder would need. `inverse_transform(codes,
# coef_bits=8)` rounds the coefficients as stored ones would be, and decodes them.
#
# So there is a third knob, which needs no training: is it better to store many coarse
# coefficients, or few precise ones? Every point below is a candidate with 16 steps.

# %%
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for bits in (4, 6, 8):
    SparsityQualityDisplay.from_cv_results(
        scores_of(n_steps[-1]),
        sparsity=f"bpp_at_{bits}",
        quality=f"psnr_at_{bits}",
        ax=ax,
        label=f"{bits} bits for a coefficient",
    )
ax.set(xlabel="bits per pixel", ylabel="PSNR (dB)")
plt.show()

# %% [markdown]
# The curve that is highest at a rate has the precision to store with. One that stays
# flat says that rounding limits the quality, and that further atoms are wasted on such
# coarse numbers.
#
# Uncompressed pixels have 24 bits. A file format made for photos, such as JPEG, needs
# fewer bits than these codes at high quality: codes are numbers to compute with, and
# this is what they cost.
#
# ## Choosing
#
# The largest PSNR always belongs to the smallest `alpha` and the most steps. So "the
# best PSNR" is no choice at all, only the corner of the grid. A rule has to name what
# is wanted and what it may cost, for instance: *the fewest bits among the candidates
# that are good enough*.

# %%
good_enough = 38.0  # dB, after rounding to 8 bits


def fewest_bits(cv_results):
    """Return the index of the cheapest candidate that is good enough."""
    quality = cv_results["mean_test_psnr_at_8"]
    cost = cv_results["mean_test_bpp_at_8"]
    enough = quality >= min(good_enough, quality.max())
    return int(np.where(enough, cost, np.inf).argmin())


best = fewest_bits(search.cv_results_)
print("chosen:", search.cv_results_["params"][best])
print("most PSNR:", search.cv_results_["params"][results["mean_test_psnr"].argmax()])

# %% [markdown]
# The rule can only choose what is in the grid: with few candidates, one that is just
# good enough wins over much better ones that cost a little more. A finer grid around it
# would be the next step.
#
# A function like this one can be given as `refit=fewest_bits`, and the search then fits
# the chosen setting to all crops. As our search is over, we do that ourselves, and only
# now, with everything chosen, look at photos that had no part in it.

# %%
from sklearn.base import clone

chosen = clone(model).set_params(**search.cv_results_["params"][best]).fit(crops)
unseen = load_sample_photos(subset="test").images
codes = chosen.transform(unseen)
decoded = chosen.inverse_transform(codes, coef_bits=8)
print("PSNR in dB:", round(psnr(unseen, decoded), 2))
print("bits per pixel:", round(bits_per_pixel(codes, 8), 2))
print("with an entropy coder:", round(bits_per_pixel(codes, 8, entropy=True), 2))

figure, axes = plt.subplots(2, 3, figsize=(10, 6.2), layout="constrained")
for column, photo, output in zip(axes.T, unseen, decoded, strict=True):
    for ax, image in zip(column, (photo, output.clip(0, 1)), strict=True):
        ax.imshow(image[100:228, 160:320])
        ax.axis("off")
axes[0, 0].set_title("photo", loc="left")
axes[1, 0].set_title("from stored codes", loc="left")
plt.show()

# %% [markdown]
# Photos differ in how hard they are, so this figure may well lie above or below what
# the folds said. It is one measurement on three photos, not a benchmark.

# %% [markdown]
# ## Exercise
#
# A larger dictionary has an atom for more patterns, so that fewer of them are needed,
# but each index then takes more bits. Does it pay? Search over `n_components` in place
# of the steps, and draw PSNR over bits per pixel with one curve for each size.
#
# <details><summary>Hint</summary>
#
# The grid is `{"alpha": alphas, "n_components": [32, 128, 512]}`; keep `scoring=score`.
# In `scores_of`, select by `"param_n_components"`. Compare the non-zeros too: the two
# pictures need not have the same winner.
#
# </details>
