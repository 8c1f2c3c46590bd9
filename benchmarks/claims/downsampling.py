"""From a grid of 16x16 codes to one code for an image: SC-VAE's Table 1 over d.

The paper trains with d = 3, 4, 6 and 8 halvings of 256x256 pixels, 32x32 codes to one,
and finds that reconstruction gets worse with d, that the rollout converges for every d
(Figures 12 to 15), and that it is above VQ at d = 3 and 4 but no better than a VAE with
one code. Here d runs from 1 to 5 on the 32x32 pixels of CIFAR-10 (JPEG): 16x16 codes to
one. As in the paper latents have 256 numbers at most (all ``3 * 4**d`` of a site where
these are fewer), 512 atoms, and the rollout has 16 steps, so that a site has 16
non-zeros at most beside its channel means.

How to read the tables: PSNR in dB and SSIM of held-out images for each d, and numbers a
site. *DCT* is the paper's fixed dictionary, for latents of full length and from d = 3,
as small patches do not have 512 distinct atoms. The VAE has as many dimensions as the
latents, which is what the paper gives its VAEs. The figure has the loss per pixel of
the training of SC-VAE, and what the rollout leaves of the latents, for each d.
"""

import functools
import pathlib

import numpy as np
from _shared import _cifar, _common, _kept, _record
from skorch.callbacks import Callback
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import (
    VQVAE,
    GaussianVAE,
    SparseCodes,
    SparseCodingVAE,
    metrics,
)

NAME = "downsampling"
N_TRAIN, N_TEST, MAX_EPOCHS = 500, 200, 2
SEEDS = (0,)
HALVINGS = (1, 2, 3, 4, 5)
LATENT_DIM, N_STEPS = 256, 16
FROM_DCT = 3
# Keywords and label; "all" stands for the length of the latents.
MODELS = {
    "sc-vae": ("SC-VAE", SparseCodingVAE, {"n_rollout_steps": N_STEPS}),
    "vq-vae": ("VQ-VAE", VQVAE, {}),
    "vae": ("VAE", GaussianVAE, {"n_components": "all"}),
    "sc-vae-dct": (
        "SC-VAE, DCT",
        SparseCodingVAE,
        {"n_rollout_steps": N_STEPS, "dictionary": "dct"},
    ),
}
TERMS = ("train_reconstruction", "train_latent")
FIGURE = pathlib.Path(__file__).parents[2] / "docs/images/claims_downsampling.png"


class Curve(Callback):
    """Keeps terms of the loss of every batch."""

    def __init__(self):
        self.values = {term: [] for term in TERMS}

    def on_batch_end(self, net, training=False, **kwargs):
        """Take them from the history."""
        if training:
            batch = net.history[-1]["batches"][-1]
            for term, values in self.values.items():
                values.append(batch.get(term))


def halvings(key):
    """List the d of a model."""
    return [d for d in HALVINGS if d >= FROM_DCT or key != "sc-vae-dct"]


def measure(key, n_halvings, seed, train, test, max_epochs):
    """Fit; figures of held-out images and the curve of the training."""
    _, kind, params = MODELS[key]
    latent_dim = min(LATENT_DIM, 3 * 4**n_halvings)
    if params.get("n_components") == "all":
        params = params | {"n_components": latent_dim}
    curve = Curve()
    model = kind(
        n_downsamples=n_halvings,
        latent_dim=None if key == "sc-vae-dct" else latent_dim,
        max_epochs=max_epochs,
        random_state=seed,
        callbacks=[curve],
        **params,
    ).fit(train)
    codes = model.transform(test)
    images = np.clip(model.inverse_transform(codes), 0, 1)
    n_sites = test[..., 0].size / 4**n_halvings
    found = {
        "psnr": metrics.psnr(test, images),
        "ssim": metrics.ssim(test, images),
        "numbers": (codes.nnz if isinstance(codes, SparseCodes) else codes.size)
        / n_sites,
    }
    if isinstance(model, SparseCodingVAE):
        found["curves"] = {k: np.round(v, 5).tolist() for k, v in curve.values.items()}
    return found


def to_table(rows, name, spec):
    """Table of one measure: a row for each model, a column for each d."""
    columns = _record.columns(
        **{
            f"d_{d}": (f"d = {d}: {2 ** (5 - d)}x{2 ** (5 - d)}", spec)
            for d in HALVINGS
        }
    )
    made = [
        {"key": key, "label": label}
        | {
            f"d_{d}": _record.spread([r[name] for r in own])
            for d, own in rows[key].items()
        }
        for key, (label, *_) in MODELS.items()
    ]
    title = {"psnr": "PSNR, dB", "ssim": "SSIM", "numbers": "numbers a site"}[name]
    return _record.table(title, columns, made)


def to_losses(rows):
    """Table of the losses of SC-VAE in the first and the last tenth of the batches."""
    made = []
    for d in HALVINGS:
        curves = rows["sc-vae"][d][0]["curves"]
        row = {"key": f"d-{d}", "label": str(d)}
        for term, values in curves.items():
            tenth = max(1, len(values) // 10)
            scale = 1e4 / 4**d  # per pixel, times 10,000
            name = term.removeprefix("train_")
            row[f"{name}_first"] = np.mean(values[:tenth]) * scale
            row[f"{name}_last"] = np.mean(values[-tenth:]) * scale
        made.append(row)
    columns = _record.columns(
        reconstruction_first=("reconstruction, first tenth", ".2f"),
        reconstruction_last=("last tenth", ".2f"),
        latent_first=("latent, first tenth", ".2f"),
        latent_last=("last tenth", ".2f"),
    )
    return _record.table("d; loss a pixel, times 10,000", columns, made)


def draw(rows, path):
    """Draw the losses of SC-VAE over the batches, and PSNR over d."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.2), layout="constrained")
    *losses, ax = figure.subplots(1, 3)
    names = ("reconstruction loss a pixel", "latent loss a pixel")
    for own, term, name in zip(losses, TERMS, names, strict=True):
        for d in HALVINGS:
            values = np.array(rows["sc-vae"][d][0]["curves"][term]) / 4**d
            smooth = np.convolve(values, np.full(5, 0.2), mode="valid")
            own.plot(np.arange(len(smooth)) + 3, smooth, lw=1, label=f"d = {d}")
        own.set(yscale="log", xlabel="batch", title=name)
        own.grid(alpha=0.3)
    losses[0].legend(fontsize=8)
    for key, (label, *_) in MODELS.items():
        means = [np.mean([r["psnr"] for r in own]) for own in rows[key].values()]
        ax.plot(list(rows[key]), means, marker="o", ms=3, label=label)
    ax.set(xlabel="halvings d", title="PSNR (dB), held-out images", xticks=HALVINGS)
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    print(f"written: {path}")


def main():
    """Read the command line, measure, print, draw, record."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=N_TRAIN, json_name="claim_downsampling.json"
    )
    options.set_defaults(n_test=N_TEST, max_epochs=MAX_EPOCHS)
    options.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    options.add_argument("--figure", default=_common.RESULTS / "claim_downsampling.png")
    args, train, test = _cifar.start(options)
    settings = _cifar.settings(train, test, max_epochs=args.max_epochs)
    rows = {key: {} for key in MODELS}
    with threadpool_limits(args.threads):
        for key, (*_, params) in MODELS.items():
            for d in halvings(key):
                rows[key][d] = []
                for seed in args.seeds:
                    run = functools.partial(
                        measure, key, d, seed, train, test, args.max_epochs
                    )
                    name, own = f"{key}-{d}-{seed}", settings | params
                    rows[key][d].append(_kept.kept(NAME, name, own, run))
                found = rows[key][d][0]
                print(
                    f"{key:12} d = {d} {found['psnr']:6.2f} dB {found['ssim']:6.3f} "
                    f"{found['numbers']:6.1f} numbers",
                    flush=True,
                )
    _common.write_json(args.json, rows)
    draw(rows, FIGURE if args.record else args.figure)
    tables = {"psnr": ".1f", "ssim": ".3f", "numbers": ".1f"}
    made = {name: to_table(rows, name, spec) for name, spec in tables.items()}
    _record.record(
        args,
        "claim_downsampling",
        tables=made | {"losses": to_losses(rows)},
        settings=settings,
        seeds=args.seeds,
    )


if __name__ == "__main__":
    main()
