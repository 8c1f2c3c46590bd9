"""Real files of codes on CIFAR-10 (JPEG): a range coder whose model is `CodePrior`.

Encoders and priors are fitted to training images; the codes of all test images are
compressed into one file, which is read again. Where that does not give the same codes
the run fails, and at the end stands whether all files are as small as predicted.

How to read the table: bits per pixel at *fixed length* and by the *entropy* of symbols,
of codes rounded to 6 bits a coefficient, then what the prior predicts, and what the
file takes, header and all. *alone* is one file for each image. *PSNR* is that of images
decoded from the file. After it comes the PSNR of other formats in files of as many
bytes, all test images in one mosaic (see `_classical.file_points`); empty where a
format has no file so small.
"""

import functools
import time

import _cifar
import _classical
import _common
import _kept
import _record
import numpy as np
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import VQVAE, CodePrior, DictionaryLearningVAE
from sklearn_sparsevae.metrics import bits_per_pixel, psnr

NAME = "code_files"
ENCODERS = [
    ("VQVAE", {"n_downsamples": 2}),
    ("DictionaryLearningVAE", {"n_downsamples": 3, "n_nonzero_coefs": 2}),
    ("DictionaryLearningVAE", {"n_downsamples": 3, "n_nonzero_coefs": 8}),
]
CLASSES = {"VQVAE": VQVAE, "DictionaryLearningVAE": DictionaryLearningVAE}
ENCODER_EPOCHS = 2
# Small and fast: at equal time more steps are worth more than more width.
PRIOR = {"width": 64, "dropout": 0.0, "lr": 0.006, "batch_size": 16, "max_epochs": 3}
PRIOR |= {"early_stopping": False, "random_state": _common.SEED}
COEF_BITS = 6  # as many levels as the prior has by default
N_ALONE = 50
MOST_ABOVE = 2  # percent
FORMATS = {"jpeg": "JPEG 4", "jpeg2000": "JPEG 2000", "webp": "WebP", "avif": "AVIF"}


def main():
    """Train, write, read, print; write JSON and results."""
    options = _cifar.parser(__doc__.splitlines()[0], n_train=10_000, json_name=None)
    options.set_defaults(n_test=1000, json=_common.RESULTS / f"{NAME}.json")
    options.add_argument("--plot", default=_common.RESULTS / f"{NAME}.png")
    args, train, test = _cifar.start(options)
    settings = _cifar.settings(
        train,
        test,
        max_epochs=args.max_epochs or ENCODER_EPOCHS,
        prior_epochs=PRIOR["max_epochs"],
    )
    rows = []
    with threadpool_limits(args.threads):
        photos = _kept.kept(NAME, "photos", settings, functools.partial(hulls, test))
        for name, params in ENCODERS:
            params = params | {"max_epochs": settings["max_epochs"]}
            run = functools.partial(measure, name, params, train, test)
            row = _kept.kept(NAME, label(name, params), [params, PRIOR, settings], run)
            rows.append(row | {"label": f"`{label(name, params)}`"} | at(photos, row))
            print_row(rows[-1])
    most = max(row["above"] for row in rows)
    goal = f"files at most {most:.2f} % above the prediction (goal: {MOST_ABOVE} %)"
    _common.verdict(goal, most <= MOST_ABOVE)
    plot(photos, rows, args.plot)
    _common.write_json(args.json, {**settings, "rows": rows})
    tables = {"files": to_table(rows)}
    note = "Rows of a run before were kept: cpu_seconds are those of the last run."
    _record.record(args, NAME, tables=tables, settings=settings, note=note)


def label(name, params):
    """Write an encoder as one types it, without what all have."""
    own = {k: v for k, v in params.items() if k != "max_epochs"}
    return f"{name}({', '.join(f'{k}={v}' for k, v in own.items())})"


def measure(name, params, train, test):
    """Fit encoder and prior, write the codes of the test images and read them again."""
    model = CLASSES[name](random_state=_common.SEED, **params)
    model_seconds, _ = _common.timed_fit(model, train)
    prior = CodePrior(**PRIOR)
    prior_seconds, _ = _common.timed_fit(prior, model.transform(train))
    codes, n_pixels = model.transform(test), test[..., 0].size
    start = time.process_time()
    data = prior.compress(codes)
    written = time.process_time()
    back = prior.decompress(data)
    read = time.process_time()
    expected = prior.tokenizer_.decode(prior.tokenizer_.encode(codes))
    if (back != expected).nnz:
        raise RuntimeError("codes were read that differ from those that were written")
    predicted = bits_per_pixel(codes, prior=prior)
    bpp = 8 * len(data) / n_pixels
    alone = [len(prior.compress(codes[[i]])) for i in range(N_ALONE)]
    return {
        "fixed": bits_per_pixel(codes, COEF_BITS),
        "entropy": bits_per_pixel(codes, COEF_BITS, entropy=True),
        "predicted": predicted,
        "bpp": bpp,
        "above": 100 * (bpp / predicted - 1),
        "bytes": len(data),
        "alone": 8 * np.mean(alone) / test[0, ..., 0].size,
        "psnr_exact": psnr(test, np.clip(model.inverse_transform(codes), 0, 1)),
        "psnr": psnr(test, np.clip(model.inverse_transform(back), 0, 1)),
        "write_seconds": written - start,
        "read_seconds": read - written,
        "cpu_minutes": (model_seconds + prior_seconds) / 60,
    }


def hulls(test):
    """Rates and PSNR of the hull of each format of photos."""
    points, made = _classical.file_points(test), {}
    for name, start in FORMATS.items():
        own = [point for point in points if point.method.startswith(start)]
        hull = _classical.envelope(own)
        made[name] = [point.bpp for point in hull], [point.psnr for point in hull]
    return made


def at(photos, row):
    """PSNR of each format in as many bytes as a row has, where it has such files."""
    return {
        name: float(np.interp(row["bpp"], rates, quality))
        for name, (rates, quality) in photos.items()
        if rates[0] <= row["bpp"] <= rates[-1]
    }


def print_row(row):
    """Print the lines of an encoder."""
    others = " ".join(f"{name} {row[name]:.2f}" for name in FORMATS if name in row)
    print(
        f"{row['label']}, fits {row['cpu_minutes']:.1f} CPU-minutes\n"
        f"  bits per pixel: fixed length {row['fixed']:.3f}, entropy "
        f"{row['entropy']:.3f}, prior {row['predicted']:.4f}, file {row['bpp']:.4f} "
        f"({row['bytes']} bytes, {row['above']:+.2f} %), alone {row['alone']:.3f}\n"
        f"  {row['psnr']:.2f} dB, not rounded {row['psnr_exact']:.2f}; in as many "
        f"bytes {others}\n  written in {row['write_seconds']:.1f} s, read in "
        f"{row['read_seconds']:.1f} s, and the same",
        flush=True,
    )


def plot(photos, rows, path):
    """Draw files of codes, a line for each estimator, among those of photos."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, (rates, quality) in photos.items():
        title = FORMATS[name].removesuffix(" 4")
        ax.plot(rates, quality, "--", marker="o", ms=3, label=title)
    for name in CLASSES:
        own = [row for row in rows if row["label"].startswith(f"`{name}(")]
        points = sorted((row["bpp"], row["psnr"]) for row in own)
        ax.plot(*zip(*points), "-", marker="s", lw=2, label=f"{name}, CodePrior")
    ax.set(xlabel="bits per pixel, whole files", ylabel="PSNR, dB")
    ax.set(xlim=(0, 2.5), ylim=(18, 42))
    ax.grid(alpha=0.3)
    ax.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)
    print(f"written: {path}")


def to_table(rows):
    """One row for each encoder, bits and then dB."""
    columns = _record.columns(
        fixed=("fixed length", ".3f"),
        entropy=("entropy", ".3f"),
        predicted=("prior", ".3f"),
        bpp=("file", ".3f"),
        above=("file above prior, %", ".2f"),
        alone=("alone", ".3f"),
        psnr_exact=("PSNR, not rounded", ".1f"),
        psnr=("PSNR, dB", ".1f"),
        jpeg=("JPEG", ".1f"),
        jpeg2000=("JPEG 2000", ".1f"),
        webp=("WebP", ".1f"),
        avif=("AVIF", ".1f"),
        write_seconds=("s to write", ".0f"),
        read_seconds=("s to read", ".0f"),
        cpu_minutes=("CPU-minutes of the fits", ".1f"),
    )
    return _record.table("codes", columns, rows)


if __name__ == "__main__":
    main()
