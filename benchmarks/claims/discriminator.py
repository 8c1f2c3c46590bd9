"""What a discriminator adds to both bottlenecks: LASERS' Tables 1 to 3 in miniature.

VQ-VAE, VQ-GAN, DL-VAE and DL-GAN on CIFAR-10 (JPEG), 4x4 pixels a site, 512 codes or
atoms, 5 non-zeros. The paper trains its GANs for 20 epochs more than its VAEs, so that
its tables cannot tell what the discriminator did from what more training did. Here
both have equally many epochs, in the last half of which the discriminator takes part.

How to read the table:

* *PSNR* in dB, *SSIM* and *FLIP* (lower is better) are means over held-out test images,
  with the deviation over three seeds; LPIPS and FID are added where ``--vgg`` and
  ``--inception`` give weights.
* *detail* is the standard deviation of what a blur (Gaussian, one pixel) takes away
  from the output, over that of the image: 1 is as sharp as the image.
* The rows of the *paper's network* (``backbone="light"``, 128 units) start from random
  weights, have more epochs and are of one seed. The last codes latents of 16 numbers by
  16 atoms and so loses nothing: what it reaches is the limit that the network sets in
  this time. The figure ``hours`` says how many CPU-hours the paper's 200 epochs of
  50,000 images would take at the speed of its DL-VAE here.

Run ``python benchmarks/claims/discriminator.py --data cifar10_jpeg.zip``. What is done
is kept in ``build/benchmarks/discriminator``.
"""

import functools

import numpy as np
from _shared import _cifar, _common, _kept, _record
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, metrics

N_ATOMS, N_NONZEROS = 512, 5
EPOCHS, WITHOUT = 4, 2  # of all, and of these before the discriminator
LIGHT_EPOCHS, BATCH_SIZE = 10, 8
N_SEEDS = 3
ADVERSARY = {"adversarial_weight": 1.0, "adversarial_start": WITHOUT}
LIGHT = {
    "backbone": "light",
    "backbone_params": {"hidden": 128},
    "max_epochs": LIGHT_EPOCHS,
}
TASK = {"n_downsamples": 2, "max_epochs": EPOCHS, "batch_size": BATCH_SIZE}
PAPER_IMAGES = 200 * 50_000  # that a model of the paper sees in training

VQ = functools.partial(VQVAE, N_ATOMS, **TASK)
DL = functools.partial(
    DictionaryLearningVAE, N_ATOMS, **{"n_nonzero_coefs": N_NONZEROS} | TASK
)
# Name: model, and number of seeds.
MODELS = {
    "VQ-VAE": (VQ(), N_SEEDS),
    "VQ-GAN": (VQ(**ADVERSARY), N_SEEDS),
    "DL-VAE": (DL(), N_SEEDS),
    "DL-GAN": (DL(**ADVERSARY), N_SEEDS),
    "VQ-VAE, the paper's network": (VQ(**LIGHT), 1),
    "DL-VAE, the paper's network": (DL(**LIGHT), 1),
    "DL-VAE, the paper's network, 16 non-zeros": (DL(n_nonzero_coefs=16, **LIGHT), 1),
}


def measure(model, seed, args, train, test):
    """Fit one model and judge it; a row."""
    model = clone(model).set_params(random_state=seed)
    seconds, _ = _common.timed_fit(model, train)
    output = model.reconstruct(test)
    row = {
        "psnr": metrics.psnr(test, output),
        "ssim": metrics.ssim(test, output),
        "flip": metrics.flip(test, output),
        "detail": detail(output) / detail(test),
        "cpu_minutes": seconds / 60,
    }
    if args.vgg:
        row["lpips"] = metrics.lpips(test, output, network=args.vgg)
    if args.inception:
        row["fid"] = metrics.fid(test, output, network=args.inception).fid
    return row


def detail(images):
    """Deviation of what a blur takes away."""
    images = images / 255 if images.dtype == np.uint8 else images
    return float(np.std(images - gaussian_filter(images, (0, 1, 1, 0))))


def measure_all(args, train, test):
    """Rows by name, those of an earlier run from what it kept."""
    rows = {name: [] for name in MODELS}
    for name, (model, n_seeds) in MODELS.items():
        for seed in range(n_seeds):
            weights = [args.vgg is not None, args.inception is not None]
            settings = [model.get_params(), len(train), len(test), weights]
            row = _kept.kept(
                "discriminator",
                f"{_record.key(name)}-{seed}",
                settings,
                lambda model=model, seed=seed: measure(model, seed, args, train, test),
            )
            shown = ", ".join(f"{k} {v:.4g}" for k, v in row.items())
            print(f"{name}, seed {seed}: {shown}", flush=True)
            rows[name].append(row)
    return rows


def main():
    """Read the command line, run, write JSON."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=250, json_name="discriminator.json"
    )
    options.set_defaults(n_test=300)
    options.add_argument("--vgg", help="torchvision's weights of VGG16, for LPIPS")
    options.add_argument("--inception", help="torch-fidelity's weights, for FID")
    args, train, test = _cifar.start(options)
    with threadpool_limits(args.threads):
        rows = measure_all(args, train, test)
    _common.write_json(args.json, rows)
    columns = _record.columns(
        "ssim",
        "cpu_minutes",
        psnr=("PSNR, dB", ".2f"),
        flip=("FLIP", ".4f"),
        detail=("detail", ".2f"),
    )
    more = {"lpips": ("LPIPS", ".3f"), "fid": ("FID", ".1f")}
    known = {name: text for name, text in more.items() if name in rows["VQ-VAE"][0]}
    columns |= _record.columns(**known)
    order = ("psnr", "ssim", "flip", *known, "detail", "cpu_minutes")
    made = [
        {"label": name, **{k: _record.spread([row[k] for row in own]) for k in order}}
        for name, own in rows.items()
    ]
    minutes = rows["DL-VAE, the paper's network"][0]["cpu_minutes"]
    hours = minutes / 60 * PAPER_IMAGES / (len(train) * LIGHT_EPOCHS)
    print(f"200 epochs of 50,000 images, the paper's network: {hours:.0f} CPU-hours")
    _record.record(
        args,
        "claim_discriminator",
        tables={"models": _record.table("", {k: columns[k] for k in order}, made)},
        settings=_cifar.settings(
            train, test, max_epochs=EPOCHS, without=WITHOUT, light_epochs=LIGHT_EPOCHS
        ),
        seeds=range(N_SEEDS),
        figures={"hours": hours},
    )


if __name__ == "__main__":
    main()
