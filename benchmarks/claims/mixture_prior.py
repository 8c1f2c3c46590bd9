"""Priors of sparse coefficients: LASERS' mixture of two Gaussians, Equations 8 and 9.

`DictionaryLearningVAE` codes scikit-learn's digits, three quarters of them for
training. Factorial priors of the coefficients of each atom, zeros included, are fitted
to the codes of the training images and judged on those of the others:

* one Gaussian,
* a mixture of two Gaussians, by scikit-learn's `GaussianMixture` (Equation 8),
* a spike: a probability of being zero, and one Gaussian of what is not; and the same
  with one probability for all atoms.

Coefficients of a pursuit are exactly zero or not, so that the density of a mixture has
no bound: its narrow Gaussian shrinks to nothing. Here coefficients are rounded to 8
bits and no Gaussian is narrower than rounding is.

*bits* are those of an image: the probability of the bin of every coefficient. They
include which atoms are on.

Means and deviations over three seeds. It needs no data.

Run ``python benchmarks/claims/mixture_prior.py``.
"""

import argparse

import numpy as np
import torch
from _shared import _common, _record
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import DictionaryLearningVAE
from sklearn_sparsevae.codes import quantize_codes

N_ATOMS, N_NONZEROS, COEF_BITS = 64, 3, 8
EPOCHS, N_SEEDS = 5, 3
LEAST = 1e-12  # probability that nothing falls below


def measure(images, seed):
    """Bits of a held-out image under each prior."""
    train, test = train_test_split(images, random_state=seed)
    model = DictionaryLearningVAE(
        N_ATOMS, n_nonzero_coefs=N_NONZEROS, max_epochs=EPOCHS, random_state=seed
    ).fit(train)
    codes = [quantize_codes(model.transform(part), COEF_BITS) for part in (train, test)]
    own, other = (part.sites().toarray() for part in codes)
    step = np.abs(own).max() / (2 ** (COEF_BITS - 1) - 1)
    per_image = len(other) / len(test)
    bits = {name: 0.0 for name in LABELS}
    chance = (own != 0).mean()
    for atom in range(N_ATOMS):
        for name, given in priors(own[:, atom], step, seed, chance).items():
            p = probability(other[:, atom], step, *given)
            bits[name] -= np.log2(np.maximum(p, LEAST)).mean() * per_image
    return bits


def priors(column, step, seed, chance):
    """Priors of an atom: weights, means and deviations, and the mass at zero."""
    floor = step / 12**0.5
    on = column[column != 0]
    slab = (
        ([1], [on.mean()], [max(on.std(), floor)]) if len(on) else ([1], [0], [floor])
    )
    mixture = GaussianMixture(2, reg_covar=floor**2, random_state=seed)
    mixture.fit(column[:, None])
    two = mixture.weights_, mixture.means_[:, 0], mixture.covariances_[:, 0, 0] ** 0.5
    return {
        "one": ([1], [column.mean()], [max(column.std(), floor)], None),
        "two": (*two, None),
        "spike": (*slab, (len(on) + 1) / (len(column) + 2)),
        "shared": (*slab, chance),
    }


def probability(values, step, weights, means, deviations, p_on):
    """Of the bin of each value."""
    p = sum(
        w * (norm.cdf(values + step / 2, m, s) - norm.cdf(values - step / 2, m, s))
        for w, m, s in zip(weights, means, deviations, strict=True)
    )
    return p if p_on is None else np.where(values == 0, 1 - p_on, p_on * p)


LABELS = {
    "one": "one Gaussian an atom",
    "two": "a mixture of two, LASERS' Equation 8",
    "spike": "zero or not, and one Gaussian",
    "shared": "the same, equally often not zero for all atoms",
}


def main():
    """Read the command line, run, write JSON."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--n-images", type=_common.positive, default=1797)
    _common.add_common(options, "mixture_prior.json")
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    images = load_digits().images[: args.n_images] / 16
    rows = []
    with threadpool_limits(args.threads):
        for seed in range(N_SEEDS):
            rows.append(measure(images, seed))
            shown = ", ".join(f"{k} {v:.1f}" for k, v in rows[-1].items())
            print(f"seed {seed}: {shown}", flush=True)
    _common.write_json(args.json, rows)
    made = [
        {"key": k, "label": text, "bits": _record.spread([row[k] for row in rows])}
        for k, text in LABELS.items()
    ]
    columns = _record.columns(bits=("bits an image", ".0f"), best={"bits": "min"})
    _record.record(
        args,
        "claim_mixture_prior",
        tables={"priors": _record.table("", columns, made)},
        settings={"data": "digits", "n_images": len(images), "max_epochs": EPOCHS},
        seeds=range(N_SEEDS),
    )


if __name__ == "__main__":
    main()
