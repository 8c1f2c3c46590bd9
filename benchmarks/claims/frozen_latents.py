"""Bottlenecks on the frozen latents of another model, as in LASERS, Section 12.3.

A `GaussianVAE` is fitted on CIFAR-10 (JPEG) and stays as it is. Its latents, 16 numbers
for each 4x4 pixels, are coded by every bottleneck alone (``backbone="identity"``), and
what comes back goes through its decoder. So all bottlenecks have the same latents, the
same decoder and nothing else to learn, where the paper compares models that were
trained each with its own bottleneck. (Table 8 of the paper does this to Stable
Diffusion, whose latents have 4 numbers: 5 atoms are as many as hold any of them.) The
rows also test patches of latents (Section 3.2), the error of latents (5.1), whether
atoms cluster (5.2), and updates of the dictionary by block-coordinate descent (8).

How to read the table:

* *error* is the squared error of the latents, over their variance (Section 5.1 has it
  without the division).
* *to the model* is the PSNR in dB between images decoded from coded latents and from
  the latents themselves, as Table 8 has it; *to the image* that between the former and
  the images. The first row, the latents themselves, is what no bottleneck can exceed.
* *bits* are those of a latent: log2 K for each atom and 8 for each coefficient, which
  are rounded to them for all figures. *9 bits* in a name has 3 for the only
  coefficient of a site, 6 for which of 64 atoms. *DL, 16* has as many non-zeros as a
  latent has numbers, and 16 bits for each.
* *used* is the perplexity of the usage of atoms, *alike* the mean over the atoms of the
  cosine of the angle to the nearest other one (of its absolute value where atoms have
  coefficients): near 1 where atoms cluster. Cosines are those of latents less their
  mean for codebooks, since 16 numbers of one sign are alike whatever they code.
* *CPU s* is the process time of the fit.

Means and deviations over three seeds, each of a model and the bottlenecks on it. What
is done is kept in ``build/benchmarks/frozen_latents``. ``--figure`` draws the atoms of
the first by PCA (Figures 7 and 8, which take UMAP).

Run ``python benchmarks/claims/frozen_latents.py --data cifar10_jpeg.zip``.
"""

import functools
import pathlib
from unittest import mock

import numpy as np
from _shared import _cifar, _common, _kept, _record
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, GaussianVAE, metrics
from sklearn_sparsevae.bottlenecks import DictionaryLearning

LATENT_DIM, N_ATOMS, N_NONZEROS, COEF_BITS = 16, 512, 5, 8
EPOCHS = 3  # of the model and of each bottleneck
N_SEEDS = 3


def dictionary(n_atoms=N_ATOMS, n_nonzeros=N_NONZEROS, **options):
    """Return dictionary learning alone."""
    return DictionaryLearningVAE(
        n_atoms, n_nonzero_coefs=n_nonzeros, backbone="identity", **options
    )


def codebook(n_levels=1, **options):
    """Return vector quantisation alone."""
    return VQVAE(N_ATOMS, n_quantizers=n_levels, backbone="identity", **options)


# Name: bottleneck, and bits of a coefficient.
BOTTLENECKS = {
    "VQ": (codebook(), COEF_BITS),
    "VQ, moving averages": (codebook(codebook_update="ema"), COEF_BITS),
    "DL, 1 of 64, 9 bits": (dictionary(64, 1), 3),
    "RQ, 4 levels": (codebook(4), COEF_BITS),
    "DL, 2": (dictionary(n_nonzeros=2), COEF_BITS),
    "RQ, 9 levels": (codebook(9), COEF_BITS),
    "DL, 5": (dictionary(), COEF_BITS),
    "DL, 5, OMP": (dictionary(selection="omp"), COEF_BITS),
    "DL, 5, online": (dictionary(dictionary_update="online"), COEF_BITS),
    "DL, 5, not trained": (dictionary(max_epochs=0), COEF_BITS),
    "DL, 5, atoms at random": (dictionary(max_epochs=0), COEF_BITS),
    "DL, 16": (dictionary(n_nonzeros=16, max_epochs=0), 16),
    "DL, 20 for 2x2": (dictionary(n_nonzeros=20, patch_size=2), COEF_BITS),
}
LABELS = {
    "VQ": "`VQVAE`",
    "VQ, moving averages": '`VQVAE(codebook_update="ema")`',
    "DL, 1 of 64, 9 bits": "`DictionaryLearningVAE`, 1 of 64 atoms, 3-bit coefficient",
    "RQ, 4 levels": "`VQVAE(n_quantizers=4)`",
    "DL, 2": "`DictionaryLearningVAE`, 2 of 512",
    "RQ, 9 levels": "`VQVAE(n_quantizers=9)`",
    "DL, 5": "`DictionaryLearningVAE`, 5 of 512",
    "DL, 5, OMP": 'the same, `selection="omp"`',
    "DL, 5, online": 'the same, `dictionary_update="online"`',
    "DL, 5, not trained": "the same, the dictionary it starts from",
    "DL, 5, atoms at random": "the same, atoms at random",
    "DL, 16": "`DictionaryLearningVAE`, 16 of 512, 16-bit coefficients",
    "DL, 20 for 2x2": "`DictionaryLearningVAE(patch_size=2)`, 20 for 2x2 latents",
}
MEASURES = ("error", "to_model", "to_image", "bits", "used", "alike", "seconds")


class Latents:
    """Latents of one frozen model, and images from what comes back."""

    def __init__(self, train, test, seed):
        self.model = GaussianVAE(
            LATENT_DIM, n_downsamples=2, max_epochs=EPOCHS, random_state=seed
        ).fit(train)
        self.test, self.seed = test, seed
        self.train_grid, self.grid = self.code(train), self.code(test)
        self.clean = self.decode(self.grid)

    def code(self, images):
        """Latents ``(n, h, w, 16)``."""
        side = images.shape[1] // 2**self.model.n_downsamples
        return self.model.transform(images).reshape(-1, side, side, LATENT_DIM)

    def decode(self, grid):
        """Images of latents."""
        return self.model.inverse_transform(grid.reshape(len(grid), -1))

    def row(self, name):
        """Row of a bottleneck, or of none."""
        if name in BOTTLENECKS:
            return self.measure(name)[0]
        return {"error": 0.0, "to_image": metrics.psnr(self.test, self.clean)}

    def measure(self, name):
        """Fit one bottleneck; a row, and its atoms."""
        model, coef_bits = BOTTLENECKS[name]
        model = clone(model)
        epochs = min(EPOCHS, model.max_epochs)
        model.set_params(random_state=self.seed, max_epochs=epochs)
        start = at_random if "random" in name else DictionaryLearning.initialize
        with mock.patch.object(DictionaryLearning, "initialize", start):
            seconds, _ = _common.timed_fit(model, self.train_grid)
        codes = model.transform(self.grid)
        back = model.inverse_transform(codes, coef_bits=coef_bits)
        images = self.decode(back)
        variance = self.grid.var((0, 1, 2)).mean()
        row = {
            "error": float(((self.grid - back) ** 2).mean() / variance),
            "to_model": metrics.psnr(self.clean, images),
            "to_image": metrics.psnr(self.test, images),
            "bits": metrics.bits_per_pixel(codes, coef_bits),
            "used": metrics.usage_perplexity(codes),
            "alike": alike(model.components_, name),
            "seconds": seconds,
        }
        return row, model.components_


def at_random(bottleneck, rows, seed):
    """Leave the atoms as they were drawn."""


def alike(atoms, name):
    """Mean cosine of the angle between an atom and the one nearest to it."""
    signed = not name.startswith("DL")
    atoms = atoms - atoms.mean(0) if signed else atoms
    unit = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    cosines = unit @ unit.T if signed else np.abs(unit @ unit.T)
    np.fill_diagonal(cosines, -1)
    return float(cosines.max(1).mean())


def main():
    """Read the command line, run, write JSON and a figure."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=3000, json_name="frozen_latents.json"
    )
    options.set_defaults(n_test=500)
    options.add_argument("--figure", help="where to draw the atoms, by PCA")
    args, train, test = _cifar.start(options)
    rows = []
    with threadpool_limits(args.threads):
        for seed in range(N_SEEDS):
            rows += run_seed(args, train, test, seed)
        if args.figure:
            draw(Latents(train, test, 0), args.figure)
    _common.write_json(args.json, rows)
    columns = _record.columns(
        error=("error of the latents", ".4f"),
        to_model=("PSNR to the model's own, dB", ".1f"),
        to_image=("PSNR to the image, dB", ".2f"),
        bits=("bits a latent", ".0f"),
        used=("atoms in use", ".0f"),
        alike=("cosine to the nearest atom", ".2f"),
        seconds=("CPU-seconds", ".0f"),
    )
    made = []
    for name in ["the latents themselves", *BOTTLENECKS]:
        same = [row for row in rows if row["name"] == name]
        known = [k for k in MEASURES if k in same[0]]
        cells = {k: _record.spread([row[k] for row in same]) for k in known}
        made.append(cells | {"key": _record.key(name), "label": LABELS.get(name, name)})
    made[0]["reference"] = True
    _record.record(
        args,
        "claim_frozen_latents",
        tables={"bottlenecks": _record.table("", columns, made)},
        settings=_cifar.settings(train, test, max_epochs=EPOCHS),
        seeds=range(N_SEEDS),
    )


def run_seed(args, train, test, seed):
    """All rows of one seed, those of an earlier run from what it kept."""
    latents = functools.cache(functools.partial(Latents, train, test, seed))
    rows = []
    for name in ["the latents themselves", *BOTTLENECKS]:
        settings = [LATENT_DIM, EPOCHS, len(train), len(test)]
        if name in BOTTLENECKS:
            settings.append(BOTTLENECKS[name][0].get_params())
        row = _kept.kept(
            "frozen_latents",
            f"{_record.key(name)}-{seed}",
            settings,
            lambda name=name: latents().row(name),
        )
        shown = ", ".join(f"{k} {v:.4g}" for k, v in row.items())
        print(f"seed {seed}, {name}: {shown}", flush=True)
        rows.append(row | {"name": name})
    return rows


def draw(latents, path):
    """Draw latents and the atoms of two bottlenecks in the latents' first plane."""
    from matplotlib.figure import Figure
    from sklearn.decomposition import PCA

    rows = latents.grid.reshape(-1, LATENT_DIM)
    plane = PCA(2).fit(rows)
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots(1, 3)
    dots = {"s": 4, "linewidths": 0}
    axes[0].scatter(*plane.transform(rows[::8]).T, color="0.6", **dots)
    axes[0].set_title("latents")
    for ax, name in zip(axes[1:], ("VQ", "DL, 5"), strict=True):
        title = "codes of VQ-VAE" if name == "VQ" else "atoms of DL-VAE"
        row, atoms = latents.measure(name)
        # Atoms are directions, and so have no mean to take off.
        points = plane.transform(atoms) if name == "VQ" else atoms @ plane.components_.T
        ax.scatter(*points.T, **dots)
        ax.set_title(f"{title}, {row['used']:.0f} in use")
    figure.savefig(pathlib.Path(path), dpi=110)
    print(f"written: {path}")


if __name__ == "__main__":
    main()
