"""PSNR at equal rate on CIFAR-10 (JPEG): every bottleneck, and classical codes.

The papers compare 9 bits a site with 45 bits and five numbers. Here every code is
rounded to whole bits (`quantize_codes`) and its bits are counted (`bits_per_pixel`), at
fixed length and at the bound of the entropy, beside dictionaries, principal components
and k-means on patches of pixels, and JPEG.
"""

import json
import pathlib
import time

import _cifar
import _classical
import _common
import _record
import numpy as np
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, SparseCodingVAE

GOAL_RATES = np.geomspace(0.2, 4, 14)
OURS = {
    "DL-VAE": DictionaryLearningVAE,
    "VQ-VAE": VQVAE,
    "RQ-VAE": VQVAE,
    "SC-VAE": SparseCodingVAE,
}
# Settings of each model, for sites of 4x4 and 8x8 pixels.
SETTINGS = {
    "DL-VAE": {
        2: [{"n_nonzero_coefs": s} for s in (1, 2, 3, 4, 5)],
        3: [{"n_nonzero_coefs": s} for s in (1, 2, 4, 8, 12)],
    },
    "VQ-VAE": {2: [{}], 3: [{}]},
    "RQ-VAE": {
        2: [{"n_quantizers": n} for n in (2, 4, 7)],
        3: [{"n_quantizers": n} for n in (2, 4)],
    },
    "SC-VAE": {
        2: [{"alpha": a} for a in (0.06, 0.12, 0.24)],
        3: [{"alpha": a} for a in (0.1, 0.2, 0.4)],
    },
}
# What the tables that are recorded have.
TABLE_RATES = (0.25, 0.5, 1, 2, 4)
LABELS = {
    "DL-VAE": "`DictionaryLearningVAE`",
    "RQ-VAE": "`VQVAE(n_quantizers=2, 4, 7)`",
    "VQ-VAE": "`VQVAE`",
    "SC-VAE": "`SparseCodingVAE`",
    "dictionary": "dictionaries of pixels",
    "k-means": "k-means of patches",
    "PCA": "PCA of patches",
    "JPEG": "JPEG, without its header",
}
# Columns of the comparison: the best of each family at a rate.
FAMILIES = {name: (name,) for name in OURS}
FAMILIES |= {name: (name,) for name in ("dictionary", "k-means", "PCA", "JPEG")}
# What has to be better at every rate, and than what.
GOALS = (
    ("best of ours", tuple(OURS), ("dictionary", "k-means")),
    ("DL-VAE", ("DL-VAE",), ("dictionary", "k-means")),
    ("sparse or residual codes", ("DL-VAE", "RQ-VAE", "SC-VAE"), ("VQ-VAE",)),
)


def main():
    """Train and measure everything, print the table and write plot and JSON."""
    options = _cifar.parser(__doc__, n_train=10_000, json_name="rate_distortion.json")
    options.set_defaults(max_epochs=3, n_test=500)
    options.add_argument("--plot", default=_common.RESULTS / "rate_distortion.png")
    options.add_argument(
        "--only",
        nargs="+",
        choices=("classical", *OURS),
        default=("classical", *OURS),
        help="measure these anew and take the rest from the JSON of an earlier run",
    )
    arguments, train, test = _cifar.start(options)

    points = earlier_points(arguments)
    with threadpool_limits(arguments.threads):
        if "classical" in arguments.only:
            points += classical_points(train, test)
        for name in OURS:
            if name in arguments.only:
                points += model_points(name, train, test, arguments.max_epochs)
    goals = compare(points)
    _classical.plot(points, arguments.plot)
    print(f"written: {arguments.plot}")
    content = {
        "data": _cifar.TITLE,
        "n_train": len(train),
        "n_test": len(test),
        "max_epochs": arguments.max_epochs,
        "points": [vars(point) for point in points],
        "comparison": goals,
    }
    _common.write_json(arguments.json, content)
    settings = _cifar.settings(train, test, max_epochs=arguments.max_epochs)
    _record.record(
        arguments, "rate_distortion", tables=tables(points), settings=settings
    )


def earlier_points(arguments):
    """Points of the last run that are not to be measured anew."""
    if set(arguments.only) == {"classical", *OURS}:
        return []
    earlier = json.loads(pathlib.Path(arguments.json).read_text())["points"]
    points = [_classical.Point(**point) for point in earlier]
    return [point for point in points if family(point) not in arguments.only]


def family(point):
    """One of our models, or "classical"."""
    name = point.method.split(",")[0]
    return name if name in OURS else "classical"


def classical_points(train, test):
    """Points of all classical codes, each announced."""
    points = []
    for side in (4, 8):
        for measure in (
            _classical.pca_points,
            _classical.kmeans_points,
            _classical.sklearn_points,
            _classical.our_points,
        ):
            points += announced(measure(train, test, side))
    return points + announced(_classical.jpeg_points(test))


def model_points(name, train, test, max_epochs):
    """Points of one of our models at all its settings."""
    points = []
    for n_downsamples, settings in SETTINGS[name].items():
        side = 2**n_downsamples
        for setting in settings:
            model = OURS[name](
                n_downsamples=n_downsamples,
                max_epochs=max_epochs,
                random_state=_common.SEED,
                **setting,
            )
            start = time.process_time()
            model.fit(train)
            points += announced(
                _classical.code_points(
                    f"{name}, {side}x{side}",
                    ", ".join(f"{k}={v}" for k, v in setting.items()) or "K=512",
                    model.transform(test),
                    model.inverse_transform,
                    test,
                    time.process_time() - start,
                )
            )
    return points


def announced(points):
    """Print the points of one method: those on its hull."""
    for point in _classical.envelope(points):
        print(
            f"{point.method:28} {point.setting:30} {point.bpp:6.3f} bpp "
            f"(bound {point.bpp_entropy:6.3f}) {point.psnr:6.2f} dB "
            f"{point.seconds:6.1f} s",
            flush=True,
        )
    return points


def compare(points):
    """Compare the hulls at equal rates, and return the comparison."""
    # What a whole JPEG file takes at this size is mostly its header.
    points = [p for p in points if not p.method.endswith("file")]
    results = []
    for key, title in (("bpp", "fixed length"), ("bpp_entropy", "entropy bound")):
        print(f"\nPSNR in dB at equal rate, {title}")
        print("  bpp " + "".join(f"{name:>11}" for name in FAMILIES))
        for rate in GOAL_RATES:
            psnr = {n: best(points, f, rate, key) for n, f in FAMILIES.items()}
            print(f"{rate:5.2f} " + "".join(f"{v:11.2f}" for v in psnr.values()))
            results.append({"rate": float(rate), "counted": title, "psnr": psnr})
        for name, ours, rivals in GOALS:
            missed = [
                f"{rate:.2f}"
                for rate in GOAL_RATES
                if not best(points, ours, rate, key) > best(points, rivals, rate, key)
            ]
            verdict = f"missed at {', '.join(missed)} bpp" if missed else "PASS"
            print(f"{name} above {' and '.join(rivals)}, 0.2 to 4 bpp: {verdict}")
    return results


def tables(points):
    """PSNR at a few rates, counted at fixed length and at the bound of the entropy."""
    points = [p for p in points if not p.method.endswith("file")]
    names = {rate: f"bpp_{rate:g}".replace(".", "_") for rate in TABLE_RATES}
    columns = _record.columns(
        **{name: (f"{rate:g}", ".1f") for rate, name in names.items()}
    )
    made = {}
    for table, key in (("fixed_length", "bpp"), ("entropy", "bpp_entropy")):
        rows = []
        for family, label in LABELS.items():
            psnr = {n: best(points, family, r, key) for r, n in names.items()}
            found = {n: value for n, value in psnr.items() if np.isfinite(value)}
            rows.append({"key": _record.key(family), "label": label} | found)
        made[table] = _record.table("PSNR, dB, at bits per pixel", columns, rows)
    return made


def best(points, families, rate, key):
    """PSNR at a rate on the hull of all points of some families."""
    chosen = [point for point in points if point.method.startswith(families)]
    return at_rate(_classical.envelope(chosen, key), rate, key)


def at_rate(hull, rate, key):
    """PSNR of a hull at a rate; minus infinity where it costs more."""
    if not hull:
        return -np.inf
    rates = [getattr(point, key) for point in hull]
    psnr = [point.psnr for point in hull]
    return float(np.interp(rate, rates, psnr, left=-np.inf))


if __name__ == "__main__":
    main()
