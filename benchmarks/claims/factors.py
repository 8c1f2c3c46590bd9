"""Do single numbers of a code say single things? Images of four known factors.

SC-VAE shows faces whose codes are changed in one component (Figures 5 and 18) and codes
between those of two faces (Figures 6 and 17), says that an orthogonal dictionary gives
disentangled components, and measures neither. Here the factors are known: a disc on a
grey ground of 16x16 pixels, of which the place across, the place down, the radius and
the grey level vary, 8 x 8 x 4 x 4 images, all used (as in dSprites; this script makes
them). One code stands for a whole image; all models have the same dense network.

How to read the table. *MIG*: mutual information with a factor of the component that
knows most of it, less that of the next one, over the factor's entropy, mean over
factors. *DCI*: disentanglement by the importances of random forests, 1 where each
component matters for one factor only. Both are between 0 and 1, higher is better.
*Moves one*: one component is changed by a standard deviation, and the image compared
with the nearest true images of a finer grid of factors: the share of the largest change
in all changes (0.25 would be all four alike), mean over components in use, by how much
they change the image. *Between*: the image decoded halfway between two codes, its
distance to the cross-fade of the two decoded images over half their distance (0 is a
cross-fade, as any linear model gives); then its distance to the nearest true image, and
that of the cross-fade (in grey levels of 255, root mean square): interpolation that
stays among true images has the first below the second. *At the ends* is the same of the
decoded images themselves. In brackets: the standard deviation over two seeds.
"""

import argparse
import functools
import itertools

import numpy as np
import torch
from _shared import _common, _kept, _record
from scipy import fft
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mutual_info_score
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import GaussianVAE, SparseCodes, SparseCodingVAE

NAME = "factors"
SIDE = 16
FACTORS = ("across", "down", "radius", "grey")
LOW, HIGH = np.array([4.5, 4.5, 1.5, 0.3]), np.array([10.5, 10.5, 3.5, 1.0])
LEVELS, FINE_LEVELS = (8, 8, 4, 4), (15, 15, 7, 7)
MAX_EPOCHS, BATCH_SIZE, WIDTH, LR = 30, 64, 256, 0.002
SEEDS = (0, 1)
LATENT_DIM, N_DIMS, N_ATOMS, N_NONZERO = 32, 10, 64, 6
N_BINS, N_TREES, N_PAIRS = 20, 20, 200
GROUND = 0.1
NORMAL = {"n_components": N_DIMS, "noise_variance": 0.01}
SPARSE = {"n_rollout_steps": N_NONZERO}
MODELS = {
    "pca": ("PCA", None, {"n_components": N_DIMS}),
    "vae": ("VAE", GaussianVAE, NORMAL),
    "beta-vae": ("beta-VAE, beta = 4", GaussianVAE, NORMAL | {"beta": 4.0}),
    "sc-vae": ("SC-VAE, learned", SparseCodingVAE, SPARSE | {"n_components": N_ATOMS}),
    "sc-vae-orthogonal": (
        "SC-VAE, orthogonal DCT",
        SparseCodingVAE,
        SPARSE | {"n_components": LATENT_DIM, "dictionary": "orthogonal"},
    ),
}


# Images -------------------------------------------------------------------------------


def factor_grid(levels):
    """Values of the factors of all images, ``(n, 4)``."""
    values = [np.linspace(*ends) for ends in zip(LOW, HIGH, levels, strict=True)]
    return np.array(list(itertools.product(*values)))


def images_of(factors):
    """Rows of pixels in [0, 1] of a disc with soft edges."""
    x, y, radius, grey = (column[:, None, None] for column in factors.T)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(rows - y, columns - x)
    inside = np.clip(radius - distance + 0.5, 0, 1)
    images = GROUND + (grey - GROUND) * inside
    return images.reshape(len(images), -1).astype(np.float32)


# Measures -----------------------------------------------------------------------------


def mig(codes, factors):
    """Mutual information gap (Chen et al., 2018)."""
    bins = [np.digitize(c, np.histogram(c, N_BINS)[1][1:-1]) for c in codes.T]
    gaps = []
    for factor in factors.T:
        classes = np.unique(factor, return_inverse=True)[1]
        known = np.sort([mutual_info_score(classes, b) for b in bins])
        gaps.append((known[-1] - known[-2]) / np.log(len(np.unique(classes))))
    return float(np.mean(gaps))


def dci(codes, factors, seed=0):
    """Disentanglement of DCI (Eastwood and Williams, 2018)."""
    forest = RandomForestRegressor(N_TREES, random_state=seed)
    found = [forest.fit(codes, factor).feature_importances_ for factor in factors.T]
    importance = np.array(found).T  # components, factors
    total = importance.sum(axis=1)
    shares = importance / np.maximum(total, 1e-12)[:, None]
    entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1)
    scores = 1 - entropy / np.log(len(FACTORS))
    return float((scores * total).sum() / total.sum())


class Nearest:
    """The nearest true images of a fine grid of factors."""

    def __init__(self):
        self.factors = factor_grid(FINE_LEVELS)
        self.images = images_of(self.factors)
        self.half = 0.5 * (self.images**2).sum(axis=1)

    def __call__(self, images):
        """Return factors, in [0, 1], and distances (root mean square, of 255)."""
        index = (self.half - images @ self.images.T).argmin(axis=1)
        factors = (self.factors[index] - LOW) / (HIGH - LOW)
        return factors, rms(images, self.images[index])


def rms(a, b):
    """Root mean square of differences of rows, of 255."""
    return 255 * np.sqrt(((a - b) ** 2).mean(axis=1))


def traversal(codes, decode, nearest, random):
    """Share of the factor that a component changes most in all that it changes."""
    codes = codes[random.permutation(len(codes))[:50]]
    before = decode(codes)
    start = nearest(before)[0]
    shares, weights = [], []
    for k, deviation in enumerate(codes.std(axis=0)):
        moved = codes.copy()
        moved[:, k] += deviation
        after = decode(moved)
        changes = np.abs(nearest(after)[0] - start).mean(axis=0)
        if changes.sum() > 0:
            shares.append(changes.max() / changes.sum())
            weights.append(rms(after, before).mean())
    return float(np.average(shares, weights=weights))


def interpolation(codes, decode, nearest, random):
    """How images halfway between codes lie to cross-fades and to true images."""
    first, second = (random.randint(len(codes), size=N_PAIRS) for _ in range(2))
    a, b = decode(codes[first]), decode(codes[second])
    middle, fade = decode((codes[first] + codes[second]) / 2), (a + b) / 2
    half = rms(a, b) / 2
    apart = half > 1
    return {
        "between": float((rms(middle, fade)[apart] / half[apart]).mean()),
        "away": float(nearest(middle)[1].mean()),
        "away_fade": float(nearest(fade)[1].mean()),
        "away_ends": float(nearest(a)[1].mean()),
    }


def measure(key, seed, max_epochs):
    """Fit a model and measure its codes."""
    _, kind, params = MODELS[key]
    factors = factor_grid(LEVELS)
    images, nearest = images_of(factors), Nearest()
    if kind is None:
        model = PCA(random_state=seed, **params).fit(images)
        decode = model.inverse_transform
    else:
        if params.get("dictionary") == "orthogonal":
            atoms = fft.dct(np.eye(LATENT_DIM), norm="ortho").T
            params = params | {"dictionary": atoms.astype(np.float32)}
        model = kind(
            latent_dim=LATENT_DIM,
            max_epochs=max_epochs,
            batch_size=BATCH_SIZE,
            backbone_params={"width": WIDTH},
            lr=LR,
            random_state=seed,
            **params,
        ).fit(images)
        decode = model.inverse_transform
    codes = model.transform(images)
    nonzeros = None
    if isinstance(codes, SparseCodes):
        nonzeros = codes.nnz / len(images)
        codes = codes.toarray()
    random = np.random.RandomState(seed)
    return {
        "mig": mig(codes, factors),
        "dci": dci(codes, factors),
        "moves": traversal(codes, decode, nearest, random),
        "error": float(rms(decode(codes), images).mean()),
        "numbers": codes.shape[1] if nonzeros is None else nonzeros,
        **interpolation(codes, decode, nearest, random),
    }


def to_table(rows):
    """Table of all models."""
    columns = _record.columns(
        numbers=("numbers", ".1f"),
        error=("error of 255", ".1f"),
        mig=("MIG", ".2f"),
        dci=("DCI", ".2f"),
        moves=("moves one", ".2f"),
        between=("between", ".2f"),
        away=("to the nearest true image", ".1f"),
        away_fade=("the same of the cross-fade", ".1f"),
        away_ends=("at the ends", ".1f"),
    )
    made = [
        {"key": key, "label": MODELS[key][0]}
        | {name: _record.spread([r[name] for r in found]) for name in columns}
        for key, found in rows.items()
    ]
    return _record.table("", columns, made)


def main():
    """Read the command line, measure, print, record."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--max-epochs", type=_common.positive, default=MAX_EPOCHS)
    options.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    _common.add_common(options, "claim_factors.json")
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    settings = {"max_epochs": args.max_epochs, "levels": LEVELS}
    rows = {}
    with threadpool_limits(args.threads):
        for key, (label, _, params) in MODELS.items():
            rows[key] = []
            for seed in args.seeds:
                run = functools.partial(measure, key, seed, args.max_epochs)
                own = settings | params
                rows[key].append(_kept.kept(NAME, f"{key}-{seed}", own, run))
            found = rows[key]
            means = {k: round(np.mean([r[k] for r in found]), 2) for k in found[0]}
            print(label, means, flush=True)
    _common.write_json(args.json, rows)
    _record.record(
        args,
        "claim_factors",
        tables={"models": to_table(rows)},
        settings=settings | {"n_images": int(np.prod(LEVELS))},
        seeds=args.seeds,
    )


if __name__ == "__main__":
    main()
