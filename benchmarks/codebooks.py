"""Large codebooks, and none: what VQVAE's settings give at equal bits.

Codes of sites of 4x4 pixels of CIFAR-10 (JPEG), at 9, 14 and 28 bits a site: free
codes, those of SimVQ (``codebook="linear"``), the rotation trick, moving averages,
finite scalars (FSQ), and as many bits in several small codebooks (RQ-VAE). The search
for the nearest of many codes takes time: models without it train for more epochs.
Learning rate and levels of FSQ were chosen on other training images.

How to read the tables: *PSNR* is of held-out test images. *Entropy* is the bound of the
bits of a site for a coder that knows the histogram. *In use* is the share of all codes
that occur in the codes of the test images. *MiB* is by how much fit and transform raise
the peak memory of the process.

Run ``python benchmarks/codebooks.py --data cifar10_jpeg.zip``.
"""

import functools

import _cifar
import _common
import _kept
import _record
import numpy as np
from rows._contenders import peak_growth
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import VQVAE, metrics

NAME = "codebooks"
SIDE, LARGE, SMALL = 4, 16_384, 128
FSQ_9, FSQ_14 = (16, 8, 4), (16, 8, 8, 4, 4)
FSQ = {"quantizer": "fsq", "lr": 0.004}
# Epochs where a large codebook is searched, and those of the others beside it, which
# then take about as long.
EPOCHS_LARGE, EPOCHS_BESIDE, EPOCHS = 3, 8, 5
# Settings by bits of a site; the first of each are what all others are compared with.
MODELS = {
    9: [
        {},
        {"codebook": "linear"},
        {"gradient": "rotation"},
        FSQ | {"levels": FSQ_9},
    ],
    14: [
        {"n_components": SMALL, "n_quantizers": 2},
        {"n_components": LARGE},
        {"n_components": LARGE, "codebook_update": "ema"},
        {"n_components": LARGE, "codebook": "linear"},
        {"n_components": LARGE, "gradient": "rotation"},
        FSQ | {"levels": FSQ_14},
    ],
    28: [
        {"n_components": SMALL, "n_quantizers": 4},
        {"n_components": LARGE, "n_quantizers": 2},
        {"n_components": LARGE, "n_quantizers": 2, "codebook": "linear"},
    ],
}
# What has to hold: decibels above or below the first row of the same bits, and use.
GAIN, FSQ_LOSS, IN_USE = 1.0, 0.5, 95.0


def main():
    """Fit and measure every row, print the tables and what holds, record."""
    options = _cifar.parser(__doc__, n_train=10_000, json_name="codebooks.json")
    arguments, train, test = _cifar.start(options)
    settings = _cifar.settings(train, test, threads=arguments.threads)
    tables = {}
    for bits, models in MODELS.items():
        print(
            f"\n{bits:2} bits{'':45}{'entropy':>8}{'PSNR':>7}{'SSIM':>7}{'in use':>8}"
            f"{'epochs':>8}{'CPU s':>7}{'MiB':>6}"
        )
        rows = []
        for params in models:
            own = [bits, params, epochs(bits, params), settings]
            data = train, test, arguments.threads
            run = functools.partial(measure, params, own[2], *data)
            row = _kept.kept(NAME, _record.key(label(params)), own, run)
            rows.append({"label": f"`{label(params)}`"} | row)
            print(as_line(label(params), row), flush=True)
        tables[f"bits_{bits}"] = to_table(bits, rows)
    report(tables)
    _common.write_json(arguments.json, tables)
    note = "Rows of a run before were kept: cpu_seconds are those of the last run."
    _record.record(arguments, NAME, tables=tables, settings=settings, note=note)


def label(params):
    """Write settings as one types them."""
    rest = {k: v for k, v in params.items() if k != "n_components"}
    sized = [f"{params['n_components']:_}"] if "n_components" in params else []
    quoted = (f"{k}={v!r}".replace("'", '"') for k, v in rest.items())
    return f"VQVAE({', '.join([*sized, *quoted])})"


def epochs(bits, params):
    """Epochs of a model."""
    if params.get("n_components") == LARGE:
        return EPOCHS_LARGE
    return EPOCHS if bits == min(MODELS) else EPOCHS_BESIDE


def measure(params, max_epochs, train, test, threads):
    """Fit a model, and measure its codes of the test images."""
    model = VQVAE(max_epochs=max_epochs, random_state=_common.SEED, **params)
    made = {}

    def work():
        made["seconds"], _ = _common.timed_fit(model, train)
        made["codes"] = model.transform(test)

    with threadpool_limits(threads):
        memory = peak_growth(work)
        codes, images = made["codes"], model.inverse_transform(made["codes"])
    return {
        "psnr": metrics.psnr(test, images),
        "ssim": metrics.ssim(test, images),
        "entropy": SIDE**2 * metrics.bits_per_pixel(codes, entropy=True),
        "in_use": 100 * float(np.mean(metrics.atom_usage(codes) > 0)),
        "epochs": max_epochs,
        "cpu_seconds": made["seconds"],
        "memory": memory,
    }


def as_line(name, row):
    """Text of a row."""
    return (
        f"{name:52}{row['entropy']:8.2f}{row['psnr']:7.2f}{row['ssim']:7.3f}"
        f"{row['in_use']:7.1f}%{row['epochs']:8}{row['cpu_seconds']:7.0f}"
        f"{row['memory']:6.0f}"
    )


def to_table(bits, rows):
    """Table of the models of as many bits."""
    columns = _record.columns(
        "psnr",
        "ssim",
        entropy=("bits at the bound of the entropy", ".1f"),
        in_use=("codes in use, %", ".1f"),
        epochs=("epochs", ".0f"),
        cpu_seconds=("CPU-seconds of the fit", ".0f"),
        memory=("memory, MiB", ".0f"),
        best={"psnr": "max"},
    )
    return _record.table(f"{bits} bits for 4x4 pixels", columns, rows)


def report(tables):
    """Print what was hoped for, and whether it holds."""

    def row(bits, **params):
        return tables[f"bits_{bits}"]["rows"][_record.key(f"`{label(params)}`")]

    today = row(14, n_components=SMALL, n_quantizers=2)
    for name in ("codebook", "gradient"):
        value = {"codebook": "linear", "gradient": "rotation"}[name]
        large = row(14, n_components=LARGE, **{name: value})
        gain = large["psnr"] - today["psnr"]
        passed = large["in_use"] >= IN_USE and gain >= GAIN
        print(
            f"{value}, {LARGE:,} codes: {large['in_use']:.1f} % in use (goal {IN_USE:g}"
            f"), {gain:+.2f} dB (goal {GAIN:+g}) at equal bits: "
            f"{'PASS' if passed else 'missed'}"
        )
    for bits, levels, nearest in (
        (9, FSQ_9, row(9)),
        (14, FSQ_14, row(14, n_components=LARGE)),
    ):
        loss = nearest["psnr"] - row(bits, **FSQ, levels=levels)["psnr"]
        print(
            f"FSQ at {bits} bits: {loss:.2f} dB below the nearest code (goal "
            f"{FSQ_LOSS:g}): {'PASS' if loss <= FSQ_LOSS else 'missed'}"
        )


if __name__ == "__main__":
    main()
