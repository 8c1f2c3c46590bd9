"""Who collapses? Atoms, codes or units in use, epoch by epoch.

SC-VAE says that continuous VAEs suffer from posterior collapse, discrete ones from
codebook collapse, and that it suffers from neither (Sections 1 and 6). LASERS draws the
perplexity of VQ and of dictionary learning over the training (Figure 4). Two groups are
trained on CIFAR-10 (JPEG), all with sites of 4x4 pixels:

* *our start*: the default network, dictionaries and codebooks that start from the data,
  and replacement of atoms that fall out of use.
* *textbook*: the network of strided convolutions of the LASERS paper, narrower, with
  latents of length 16. Codes and atoms start at random and nothing is replaced;
  moving averages train the codes of VQ. SC-VAE is the rollout as printed, over the
  fixed DCT, with 5 steps, at the printed alpha, 1, and at 0.1. The VAE starts as
  networks do, not as PCA.

How to read the table: *in use* is the perplexity of the usage in the last epoch, as a
share of all atoms (of the 509 beside the channel means, for SC-VAE with our start); for
a VAE the dimensions whose mean varies by more than 0.01 (active units). *lowest* is the
lowest share of all epochs. *nats* is what the code of a site says: the entropy of the
index for VQ, the KL divergence for a VAE. PSNR is of held-out images. In brackets: the
standard deviation over two seeds.
"""

import functools
import math
import pathlib

import numpy as np
from _shared import _cifar, _common, _kept, _record
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import (
    VQVAE,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodingVAE,
    metrics,
)
from sklearn_sparsevae.bottlenecks import (
    DictionaryLearning,
    Gaussian,
    LearnedISTA,
    VectorQuantization,
)
from sklearn_sparsevae.sparse import dct_dictionary, lipschitz_constant

NAME = "usage"
N_TRAIN, N_TEST, MAX_EPOCHS = 400, 200, 6
SEEDS = (0, 1)
BATCH_SIZE = 16
WIDTH, HIDDEN, LATENT_DIM = 64, 32, 16
# Of the paper: length of latents, atoms, and codes of its rivals on FFHQ and ImageNet.
PRINTED_DIM, PRINTED_ATOMS, PRINTED_CODES = 256, 512, (1024, 16384)
SITES = functools.partial(dict, n_downsamples=2, batch_size=BATCH_SIZE)
LIGHT = functools.partial(
    SITES,
    backbone="light",
    backbone_params={"width": WIDTH, "hidden": HIDDEN},
    latent_dim=LATENT_DIM,
)
PRINTED = {
    "shrinkage": "soft",
    "penalty": "l1",
    "alpha": 0.1,
    "dictionary": "dct",
    "threshold": "atom",
    "momentum": False,
    "coupled": False,
    "n_rollout_steps": 5,
    "bottleneck_params": {"printed_loss": True, "step_scalars": False},
}
FIGURE = pathlib.Path(__file__).parents[2] / "docs/images/claims_usage.png"


class RandomCodes(VectorQuantization):
    """Codes that start at random and are never replaced."""

    def initialize(self, rows, seed):
        """Leave the codes where they are."""
        self._restart(slice(None))

    def reset_dead_atoms(self):
        """Leave them."""
        return {}


class RandomAtoms(DictionaryLearning):
    """Atoms that start at random and are never replaced."""

    def initialize(self, rows, seed):
        """Leave the atoms where they are."""

    def reset_dead_atoms(self):
        """Leave them."""
        return {}


class RandomGaussian(Gaussian):
    """Weights that start at random."""

    def initialize(self, rows, seed, condition=None):
        """Draw what the codes start from."""
        for weights in (self.atoms, self.filters):
            weights.data.normal_(std=weights.shape[1] ** -0.5)


def textbook(estimator, bottleneck):
    """Subclass of an estimator whose bottleneck is of another class."""

    class Textbook(estimator):
        def _make_bottleneck(self, *args, **kwargs):
            made = super()._make_bottleneck(*args, **kwargs)
            made.__class__ = bottleneck
            return made

    return Textbook


MODELS = {
    "sc-vae": ("SC-VAE", "our start", SparseCodingVAE, SITES()),
    "dl-vae": ("DL-VAE", "our start", DictionaryLearningVAE, SITES()),
    "vq-vae": ("VQ-VAE", "our start", VQVAE, SITES()),
    "vae": ("VAE", "our start", GaussianVAE, SITES(n_components=48)),
    "sc-vae-textbook": ("SC-VAE", "textbook", SparseCodingVAE, LIGHT(**PRINTED)),
    "sc-vae-textbook-alpha-1": (
        "SC-VAE, alpha 1",
        "textbook",
        SparseCodingVAE,
        LIGHT(**PRINTED | {"alpha": 1.0}),
    ),
    "dl-vae-textbook": (
        "DL-VAE",
        "textbook",
        textbook(DictionaryLearningVAE, RandomAtoms),
        LIGHT(selection="omp"),
    ),
    "vq-vae-textbook": (
        "VQ-VAE",
        "textbook",
        textbook(VQVAE, RandomCodes),
        LIGHT(codebook_update="ema"),
    ),
    "vae-textbook": (
        "VAE",
        "textbook",
        textbook(GaussianVAE, RandomGaussian),
        LIGHT(n_components=LATENT_DIM),
    ),
    "beta-vae-textbook": (
        "beta-VAE, 4",
        "textbook",
        textbook(GaussianVAE, RandomGaussian),
        LIGHT(n_components=LATENT_DIM, beta=4.0),
    ),
}


def measure(key, seed, train, test, max_epochs):
    """Share in use of every epoch, and figures of held-out images."""
    _, _, kind, params = MODELS[key]
    model = kind(max_epochs=max_epochs, random_state=seed, **params).fit(train)
    history = model.history_
    if isinstance(model, GaussianVAE):
        total = model.n_components
        used = history["train_active_units"]
        nats = float(model.kl_per_dim_.sum())
    else:
        n_means = 3 if key == "sc-vae" else 0  # channel means are coded apart
        total = model.n_components - n_means
        used = history["train_perplexity"]
        nats = math.log(used[-1]) if isinstance(model, VQVAE) else None
    return {
        "share": (np.asarray(used) / total).tolist(),
        "train_psnr": np.asarray(history["train_psnr"]).tolist(),
        "psnr": metrics.psnr(test, np.clip(model.reconstruct(test), 0, 1)),
        "nats": nats,
        "nonzeros": float(history["train_nonzeros"][-1]),
    }


def printed_sizes():
    """Trained numbers of bottlenecks as printed, and how orthogonal the DCT is."""
    atoms = dct_dictionary(PRINTED_DIM, PRINTED_ATOMS)
    rollout = LearnedISTA(
        PRINTED_DIM,
        PRINTED_ATOMS,
        dictionary=atoms,
        coupled=False,
        threshold="atom",
        step_scalars=False,
        momentum=False,
    )
    counts = {"parameters_sc_vae": n_trained(rollout)}
    for n_codes in PRINTED_CODES:
        codebook = VectorQuantization(PRINTED_DIM, n_codes)
        counts[f"parameters_vq_{n_codes}"] = n_trained(codebook)
    products = np.asarray(atoms @ atoms.T) - np.eye(PRINTED_ATOMS)
    return counts | {
        "dct_coherence": float(np.abs(products).max()),
        "dct_largest_eigenvalue": float(lipschitz_constant(atoms)),
    }


def n_trained(module):
    """Count the numbers that the optimizer trains."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def to_table(rows):
    """Table of all models."""
    made = []
    for key, found in rows.items():
        label, group, *_ = MODELS[key]
        row = {"key": key, "label": f"{label}, {group}"}
        row["share"] = _record.spread([100 * r["share"][-1] for r in found])
        row["lowest"] = _record.spread([100 * min(r["share"]) for r in found])
        row["psnr"] = _record.spread([r["psnr"] for r in found])
        row["nonzeros"] = _record.spread([r["nonzeros"] for r in found])
        if found[0]["nats"] is not None:
            row["nats"] = _record.spread([r["nats"] for r in found])
        made.append(row)
    columns = _record.columns(
        "psnr",
        "nonzeros",
        share=("in use, %", ".0f"),
        lowest=("lowest, %", ".0f"),
        nats=("nats", ".1f"),
    )
    return _record.table("", columns, made)


def draw(rows, path):
    """Draw the share in use over the epochs, a panel for each group."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    groups = list(dict.fromkeys(group for _, group, *_ in MODELS.values()))
    for ax, group in zip(figure.subplots(1, 2, sharey=True), groups, strict=True):
        for key, found in rows.items():
            label, own, *_ = MODELS[key]
            if own != group:
                continue
            shares = 100 * np.array([row["share"] for row in found])
            epochs = np.arange(1, shares.shape[1] + 1)
            (line,) = ax.plot(
                epochs, shares.mean(axis=0), marker="o", ms=3, label=label
            )
            ax.fill_between(
                epochs,
                shares.min(axis=0),
                shares.max(axis=0),
                color=line.get_color(),
                alpha=0.2,
            )
        ax.set(title=group, xlabel="epoch", ylim=(0, 102))
        ax.grid(alpha=0.3)
        ax.legend(fontsize=8)
    figure.axes[0].set(ylabel="atoms or units in use, %")
    figure.savefig(path, dpi=110)
    print(f"written: {path}")


def main():
    """Read the command line, measure, print, draw, record."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=N_TRAIN, json_name="claim_usage.json"
    )
    options.set_defaults(n_test=N_TEST, max_epochs=MAX_EPOCHS)
    options.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    options.add_argument("--figure", default=_common.RESULTS / "claim_usage.png")
    args, train, test = _cifar.start(options)
    settings = _cifar.settings(train, test, max_epochs=args.max_epochs)
    rows = {}
    with threadpool_limits(args.threads):
        for key, (*_, params) in MODELS.items():
            rows[key] = []
            for seed in args.seeds:
                run = functools.partial(
                    measure, key, seed, train, test, args.max_epochs
                )
                own = settings | params
                rows[key].append(_kept.kept(NAME, f"{key}-{seed}", own, run))
            shares = np.mean([row["share"] for row in rows[key]], axis=0)
            psnr = np.mean([row["psnr"] for row in rows[key]])
            print(f"{key:18}{psnr:6.2f} dB ", np.round(100 * shares), flush=True)
    _common.write_json(args.json, rows)
    draw(rows, FIGURE if args.record else args.figure)
    _record.record(
        args,
        "claim_usage",
        tables={"models": to_table(rows)},
        figures=printed_sizes(),
        settings=settings,
        seeds=args.seeds,
    )


if __name__ == "__main__":
    main()
