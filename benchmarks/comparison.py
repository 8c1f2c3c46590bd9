"""Every bottleneck at an equal budget on CIFAR-10 (JPEG): SC-VAE's Table 1, small.

Each model may spend eight numbers on a patch of 4x4 pixels, 512 on an image: eight
coefficients of a dictionary, eight levels of a codebook, eight dimensions of a normal
distribution, or a vector of 512 features. (VQ-VAE has one index a patch: that is what
it is.) Beside them stand principal components and dictionary learning on the same
patches. All else stays at its default, but for the epochs, which are equal for all.

How to read the table:

* *PSNR* in dB and *SSIM* are means over held-out test images. *bpp* are bits per pixel
  with eight bits a number (a number of a dense code takes as many as its own range
  needs), and *rounded* the PSNR of what those bits give. Where a few coefficients are
  far larger than the rest, as with OLS, all share a step that suits the few.
* *numbers* a patch are the non-zeros of a sparse code, or the length of a dense one.
  SC-VAE has a penalty in place of a bound, VSC and VSCLT a prior, chosen on training
  images to have about eight.
* *used* is the perplexity of the atoms' usage over all test images, of 512 (VSC and
  VSCLT have 64, SimVQ has 16,384), less the three that SC-VAE, VSC and VSCLT have for
  the channel means; for dense codes the active units (Burda et al., 2016): dimensions
  that vary with the image.
* *CPU s* is the process time of the fit.

Run ``python benchmarks/comparison.py --data cifar10_jpeg.zip``.
"""

import dataclasses
import functools

import _cifar
import _classical
import _common
import _record
import numpy as np
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import (
    VQVAE,
    ClosedLoopVAE,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodes,
    SparseCodingVAE,
    SpikeSlabVAE,
    metrics,
)
from sklearn_sparsevae.codes import as_codes, quantize_codes

N_DOWNSAMPLES, SIDE, BUDGET = 2, 4, 8
LARGE = 16_384  # codes of SimVQ
COEF_BITS = 8
SITES = functools.partial(dict, n_downsamples=N_DOWNSAMPLES)
MODELS = {
    "VQ-VAE": (VQVAE, SITES()),
    "VQ-VAE, rotation": (VQVAE, SITES(gradient="rotation")),
    "VQ-VAE, linear": (VQVAE, SITES(n_components=LARGE, codebook="linear")),
    "FSQ": (VQVAE, SITES(quantizer="fsq", lr=0.004)),
    "RQ-VAE": (VQVAE, SITES(n_quantizers=BUDGET)),
    "DL-VAE": (DictionaryLearningVAE, SITES(n_nonzero_coefs=BUDGET)),
    "SC-VAE": (SparseCodingVAE, SITES()),
    "SC-VAE, soft": (SparseCodingVAE, SITES(shrinkage="soft", alpha=0.2)),
    "SC-VAE + In": (SparseCodingVAE, SITES(threshold="vector")),
    "SSC-VAE": (SparseCodingVAE, SITES(threshold="structured")),
    "VAE": (GaussianVAE, SITES(n_components=BUDGET)),
    "beta-VAE, beta = 4": (GaussianVAE, SITES(n_components=BUDGET, beta=4.0)),
    "InfoVAE": (GaussianVAE, SITES(n_components=BUDGET, mmd_weight=1.0)),
    "VAE, 2 levels": (GaussianVAE, SITES(n_components=BUDGET, n_levels=2)),
    "VSC": (SpikeSlabVAE, SITES(prior="spike_slab", sparsity=0.08)),
    "VSCLT": (SpikeSlabVAE, SITES(prior="threshold", sparsity=0.08)),
    "closed loop": (ClosedLoopVAE, {"latent_dim": BUDGET * 64}),
}
CLASSICAL = ("PCA", "dictionary learning")
LABELS = {
    "PCA": "PCA of patches",
    "dictionary learning": "dictionary learning, OMP",
    "VQ-VAE": "`VQVAE`",
    "VQ-VAE, rotation": '`VQVAE(gradient="rotation")`',
    "VQ-VAE, linear": f'`VQVAE({LARGE:_}, codebook="linear")`, SimVQ',
    "FSQ": '`VQVAE(quantizer="fsq", lr=0.004)`',
    "RQ-VAE": f"`VQVAE(n_quantizers={BUDGET})`",
    "DL-VAE": "`DictionaryLearningVAE`",
    "SC-VAE": "`SparseCodingVAE`",
    "SC-VAE, soft": '`SparseCodingVAE(shrinkage="soft")`',
    "SC-VAE + In": '`SparseCodingVAE(threshold="vector")`',
    "SSC-VAE": '`SparseCodingVAE(threshold="structured")`',
    "VAE": "`GaussianVAE`",
    "beta-VAE, beta = 4": "`GaussianVAE(beta=4)`",
    "InfoVAE": "`GaussianVAE(mmd_weight=1)`, InfoVAE",
    "VAE, 2 levels": "`GaussianVAE(n_levels=2)`",
    "VSC": "`SpikeSlabVAE`, VSC",
    "VSCLT": '`SpikeSlabVAE(prior="threshold")`, VSCLT',
    "closed loop": f"`ClosedLoopVAE`, {BUDGET * 64} features",
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    psnr: float
    ssim: float
    bpp: float
    rounded: float
    numbers: float
    used: float
    seconds: float


class PatchPCA:
    """Principal components of patches, with the methods of an estimator."""

    def fit(self, images):
        """Find the components."""
        self._pca = PCA(BUDGET).fit(_classical.to_patches(images, SIDE))
        return self

    def transform(self, images):
        """Scores of all patches, ``(n, n_sites * BUDGET)``."""
        scores = self._pca.transform(_classical.to_patches(images, SIDE))
        return scores.reshape(len(images), -1)

    def inverse_transform(self, codes):
        """Images of scores."""
        patches = self._pca.inverse_transform(codes.reshape(-1, BUDGET))
        return _classical.from_patches(patches, SIDE, (32, 32, 3))


class PatchDictionary:
    """scikit-learn's dictionary of patches, and OMP."""

    def fit(self, images):
        """Learn the dictionary."""
        patches = _classical.to_patches(images, SIDE)
        self._atoms = _classical.sklearn_dictionary(patches, budget=45.0)
        return self

    def transform(self, images):
        """Codes of images."""
        patches = _classical.to_patches(images, SIDE)
        sites = _classical.omp(patches, self._atoms, BUDGET, "omp")
        return _classical.as_image_codes(sites, SIDE, images.shape[1:])

    def inverse_transform(self, codes):
        """Images of codes."""
        patches = codes.sites() @ self._atoms
        return _classical.from_patches(patches, SIDE, codes.image_shape)


def main():
    """Fit and measure all, print the table, write JSON."""
    options = _cifar.parser(__doc__, n_train=10_000, json_name="comparison.json")
    options.add_argument(
        "--models", nargs="+", choices=(*CLASSICAL, *MODELS), help="some alone"
    )
    options.set_defaults(max_epochs=3)
    arguments, train, test = _cifar.start(options)
    print(
        f"{'':20}{'PSNR':>7}{'SSIM':>7}{'bpp':>7}{'rounded':>9}{'numbers':>9}"
        f"{'used':>7}{'CPU s':>7}"
    )
    rows = []
    with threadpool_limits(arguments.threads):
        for name in arguments.models or (*CLASSICAL, *MODELS):
            rows.append(measure(name, arguments.max_epochs, train, test))
            print(as_line(rows[-1]), flush=True)
    content = {
        "data": _cifar.TITLE,
        "n_train": len(train),
        "n_test": len(test),
        "max_epochs": arguments.max_epochs,
        "rows": [dataclasses.asdict(row) for row in rows],
    }
    _common.write_json(arguments.json, content)
    settings = _cifar.settings(train, test, max_epochs=arguments.max_epochs)
    made = {"models": to_table(content["rows"])}
    _record.record(arguments, "comparison", tables=made, settings=settings)


def to_table(rows):
    """Table of all models."""
    columns = _record.columns(
        "psnr",
        "ssim",
        "bpp",
        rounded=("PSNR, dB, of these bits", ".1f"),
        numbers=("numbers a site", ".1f"),
        used=("atoms or units in use", ".0f"),
        cpu_seconds=("CPU-seconds of the fit", ".0f"),
        best={"psnr": "max"},
    )
    own = [
        row
        | {"key": _record.key(row["name"]), "label": LABELS[row["name"]]}
        | {"cpu_seconds": row["seconds"]}
        for row in rows
    ]
    return _record.table("", columns, own)


def make(name, max_epochs):
    """Model of a name."""
    if name in CLASSICAL:
        return {"PCA": PatchPCA, "dictionary learning": PatchDictionary}[name]()
    cls, params = MODELS[name]
    return cls(max_epochs=max_epochs, random_state=_common.SEED, **params)


def measure(name, max_epochs, train, test):
    """Fit a model and measure it on the test images."""
    model = make(name, max_epochs)
    seconds, _ = _common.timed_fit(model, train)
    codes = model.transform(test)
    n_patches = test[..., 0].size / SIDE**2
    if isinstance(codes, SparseCodes):
        rounded = quantize_codes(codes, COEF_BITS)
        bpp = metrics.bits_per_pixel(codes, COEF_BITS, ordered=True)
        used, numbers = metrics.usage_perplexity(codes), codes.nnz / n_patches
    else:
        rounded = quantize_codes(as_codes(codes, (1, 1)), COEF_BITS).toarray()
        bpp = _classical.level_bits(rounded, COEF_BITS)[0] / test[0, ..., 0].size
        used, numbers = active_units(model, codes), codes.size / n_patches
    images, again = (
        np.clip(model.inverse_transform(c), 0, 1) for c in (codes, rounded)
    )
    return Row(
        name,
        metrics.psnr(test, images),
        metrics.ssim(test, images),
        bpp,
        metrics.psnr(test, again),
        numbers,
        used,
        seconds,
    )


def active_units(model, codes):
    """Dimensions in use: the model's own count, or those that vary."""
    if hasattr(model, "active_units_"):
        return model.active_units_
    per_site = codes if isinstance(model, ClosedLoopVAE) else codes.reshape(-1, BUDGET)
    variances = per_site.var(axis=0)
    return int((variances > 0.01 * variances.max()).sum())


def as_line(row):
    """Text of a row."""
    return (
        f"{row.name:20}{row.psnr:7.2f}{row.ssim:7.3f}{row.bpp:7.2f}"
        f"{row.rounded:9.2f}{row.numbers:9.2f}{row.used:7.0f}{row.seconds:7.0f}"
    )


if __name__ == "__main__":
    main()
