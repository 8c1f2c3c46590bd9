"""PSNR at equal rate on CIFAR-10 (JPEG): every bottleneck, and classical codes.

The papers compare 9 bits a site with 45 bits and five numbers. Here every code is
rounded to whole bits (`quantize_codes`) and its bits are counted (`bits_per_pixel`), at
fixed length and at the bound of the entropy, beside dictionaries, principal components
and k-means on patches of pixels, and JPEG, JPEG 2000, WebP and AVIF.

`DictionaryLearningVAE` has three rows: as LASERS counts it (each coefficient rounded by
itself, atoms of a site in an order); the same codes with coefficients that make up for
one another's rounding, and atoms of a site as a set; and with a penalty (``alpha``) in
place of a number of atoms a site.

Models that are measured are kept in ``build/benchmarks/rate_distortion``: a second run
goes on after them. Delete that folder when code has changed that they depend on.
"""

import dataclasses

import _cifar
import _classical
import _common
import _kept
import _record
import numpy as np
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, SparseCodingVAE

NAME = "rate_distortion"
GOAL_RATES = np.geomspace(0.2, 4, 14)
PENALTY, LASERS, SETS = "DL-VAE alpha", "DL-VAE", "DL-VAE sets"
OURS = {
    PENALTY: DictionaryLearningVAE,
    LASERS: DictionaryLearningVAE,
    "VQ-VAE": VQVAE,
    "RQ-VAE": VQVAE,
    "VQ-VAE 16k": VQVAE,
    "FSQ": VQVAE,
    "SC-VAE": SparseCodingVAE,
}
# Enough non-zeros for the busiest sites, where a penalty decides how many there are.
MOST = 48
LARGE = 16_384  # codes
# Bits of the largest coefficients, where they are not those of all others.
FINE = range(3, 13)
# Settings of each model, for sites of 4x4 and 8x8 pixels.
SETTINGS = {
    PENALTY: {
        3: [
            {"alpha": a, "n_nonzero_coefs": MOST}
            for a in (0.3, 0.15, 0.1, 0.07, 0.5, 0.8)
        ],
    },
    LASERS: {
        2: [{"n_nonzero_coefs": s} for s in (1, 2, 3, 4, 5)],
        3: [{"n_nonzero_coefs": s} for s in (1, 2, 4, 8, 12)],
    },
    "VQ-VAE": {2: [{}], 3: [{}]},
    "RQ-VAE": {
        2: [{"n_quantizers": n} for n in (2, 4, 7)],
        3: [{"n_quantizers": n} for n in (2, 4)],
    },
    "VQ-VAE 16k": {
        2: [{"n_components": LARGE, "n_quantizers": n} for n in (1, 2)],
    },
    "FSQ": {
        2: [
            {"quantizer": "fsq", "lr": 0.004, "levels": levels}
            for levels in ((16, 8, 4), (16, 8, 8, 4, 4))
        ],
    },
    "SC-VAE": {2: [{"alpha": a} for a in (0.06, 0.12)]},
}
# What the tables that are recorded have.
TABLE_RATES = (0.25, 0.5, 1, 2, 4)
LABELS = {
    LASERS: "`DictionaryLearningVAE`, as LASERS counts",
    SETS: "the same codes, as sets of atoms",
    PENALTY: "`DictionaryLearningVAE(alpha=...)`",
    "VQ-VAE": "`VQVAE`",
    "RQ-VAE": "`VQVAE(n_quantizers=2, 4, 7)`",
    "VQ-VAE 16k": "`VQVAE(16384, n_quantizers=1, 2)`",
    "FSQ": '`VQVAE(quantizer="fsq")`',
    "SC-VAE": "`SparseCodingVAE`",
    "dictionary": "dictionaries of pixels",
    "k-means": "k-means of patches",
    "PCA": "PCA of patches",
    "JPEG": "JPEG",
    "JPEG 2000": "JPEG 2000",
    "WebP": "WebP",
    "AVIF": "AVIF",
}
# Columns of the comparison: the best of each family at a rate.
CLASSICAL = ("dictionary", "k-means", "PCA", "JPEG 2000", "JPEG", "WebP", "AVIF")
FAMILIES = tuple(LABELS)
ALL_OURS = tuple(name for name in FAMILIES if name not in CLASSICAL)
# What has to be better, by how much, than what, and from which rate on.
GOALS = (
    ("best of ours", ALL_OURS, 1.0, (LASERS,), 1.0),
    ("best of ours", ALL_OURS, 0.0, ("dictionary", "k-means"), 0.2),
    ("DL-VAE with a penalty", (PENALTY,), 0.0, ("dictionary", "k-means"), 0.2),
    ("sparse or residual codes", (SETS, PENALTY, "RQ-VAE"), 0.0, ("VQ-VAE",), 0.2),
)


def main():
    """Train and measure everything, print the table and write plot and JSON."""
    options = _cifar.parser(__doc__, n_train=10_000, json_name=f"{NAME}.json")
    options.set_defaults(max_epochs=3, n_test=500)
    options.add_argument("--plot", default=_common.RESULTS / f"{NAME}.png")
    options.add_argument(
        "--only",
        nargs="+",
        choices=("classical", *OURS),
        default=("classical", *OURS),
        help="measure and compare these alone",
    )
    arguments, train, test = _cifar.start(options)
    settings = _cifar.settings(train, test, max_epochs=arguments.max_epochs)

    points = []
    with threadpool_limits(arguments.threads):
        if "classical" in arguments.only:
            points += classical_points(train, test, settings)
        for name in OURS:
            if name in arguments.only:
                points += model_points(name, train, test, settings)
    # What a whole JPEG file takes at this size is mostly its header.
    points = [point for point in points if not point.method.endswith("file")]
    goals = compare(points)
    _classical.plot(points, arguments.plot, family, ALL_OURS)
    print(f"written: {arguments.plot}")
    content = settings | {
        "points": [vars(point) for point in points],
        "comparison": goals,
    }
    _common.write_json(arguments.json, content)
    note = "Rows of a run before were kept: cpu_seconds are those of the last run."
    made = tables(points)
    _record.record(arguments, NAME, tables=made, settings=settings, note=note)


def family(point):
    """One of `FAMILIES`."""
    name = point.method.rsplit(",", 1)[0]
    if name in OURS or name == SETS:
        return name
    return next(kind for kind in CLASSICAL if name.startswith(kind))


def kept(row, settings, measure):
    """Points, announced, that ``measure()`` gives or gave in an earlier run."""
    rows = _kept.kept(
        NAME, row, settings, lambda: [dataclasses.asdict(p) for p in measure()]
    )
    return announced([_classical.Point(**row) for row in rows])


def classical_points(train, test, settings):
    """Points of all classical codes."""
    points = []
    for side in (4, 8):
        for measure in (
            _classical.pca_points,
            _classical.kmeans_points,
            _classical.sklearn_points,
            _classical.our_points,
        ):
            points += kept(
                f"{measure.__name__}-{side}",
                settings,
                lambda: measure(train, test, side),  # noqa: B023
            )
    for measure in (_classical.jpeg_points, _classical.file_points):
        points += kept(measure.__name__, settings, lambda: measure(test))  # noqa: B023
    return points


def model_points(name, train, test, settings):
    """Points of one of our models at all its settings."""
    points = []
    for n_downsamples, own in SETTINGS[name].items():
        for setting in own:
            params = {"n_downsamples": n_downsamples} | setting
            points += kept(
                _record.key(f"{name} {n_downsamples} {said(setting)}"),
                settings | {"params": params},
                lambda: points_of(name, params, train, test, settings["max_epochs"]),  # noqa: B023
            )
    return points


def points_of(name, params, train, test, max_epochs):
    """Fit a model, and round and measure its codes of the test images."""
    model = OURS[name](max_epochs=max_epochs, random_state=_common.SEED, **params)
    seconds, _ = _common.timed_fit(model, train)
    side = 2 ** params["n_downsamples"]
    setting = said({k: v for k, v in params.items() if k != "n_downsamples"})

    def measure(method, **options):
        return _classical.code_points(
            f"{method}, {side}x{side}",
            setting,
            model.transform(test),
            model.inverse_transform,
            test,
            seconds,
            **options,
        )

    together = {"components": model.components_, "coef_bits": FINE}
    if name == LASERS:
        return measure(LASERS, ordered=True) + measure(SETS, **together)
    return measure(name, **together)


def said(setting):
    """Write settings down."""
    return ", ".join(f"{k}={v}" for k, v in setting.items()) or "K=512"


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
    found = [name for name in FAMILIES if name in set(map(family, points))]
    results = []
    for key, title in (("bpp", "fixed length"), ("bpp_entropy", "entropy bound")):
        print(f"\nPSNR in dB at equal rate, {title}")
        print("  bpp " + "".join(f"{name:>13}" for name in found))
        for rate in GOAL_RATES:
            psnr = {name: best(points, (name,), rate, key) for name in found}
            print(f"{rate:5.2f} " + "".join(f"{v:13.2f}" for v in psnr.values()))
            results.append({"rate": float(rate), "counted": title, "psnr": psnr})
        for name, ours, by, rivals, from_rate in GOALS:
            rates = sorted({from_rate, *GOAL_RATES[GOAL_RATES > from_rate]})
            missed = [
                f"{rate:.2f}"
                for rate in rates
                if not best(points, ours, rate, key)
                > best(points, rivals, rate, key) + by
            ]
            verdict = f"missed at {', '.join(missed)} bpp" if missed else "PASS"
            lead = f"{by:.0f} dB above" if by else "above"
            print(
                f"{name} {lead} {' and '.join(rivals)}, {from_rate:g} to 4 bpp: "
                f"{verdict}"
            )
    return results


def tables(points):
    """PSNR at a few rates, counted at fixed length and at the bound of the entropy."""
    names = {rate: f"bpp_{rate:g}".replace(".", "_") for rate in TABLE_RATES}
    columns = _record.columns(
        **{name: (f"{rate:g}", ".1f") for rate, name in names.items()}
    )
    made = {}
    for table, key in (("fixed_length", "bpp"), ("entropy", "bpp_entropy")):
        rows = []
        for name, label in LABELS.items():
            psnr = {n: best(points, (name,), r, key) for r, n in names.items()}
            found = {n: value for n, value in psnr.items() if np.isfinite(value)}
            rows.append({"key": _record.key(name), "label": label} | found)
        made[table] = _record.table("PSNR, dB, at bits per pixel", columns, rows)
    return made


def best(points, families, rate, key):
    """PSNR at a rate on the hull of all points of some families."""
    chosen = [point for point in points if family(point) in families]
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
