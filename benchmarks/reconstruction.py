"""What sparse codes of CIFAR-10 (JPEG) are worth beside others at equal non-zeros.

Fits ``SparseCodingVAE(n_components=512, n_downsamples=2)``, all else at its default,
and codes held-out test images; a site is a patch of 4x4 pixels, 48 numbers. Beside it:
what it is before training, `DictionaryLearningVAE` by OLS and OMP with as many
non-zeros, soft shrinkage (``shrinkage="soft"``), and what scikit-learn has.

How to read the tables:

* *PSNR* in dB is the mean over images, clipped to [0, 1].
* *nnz* is the mean number of non-zeros of a site. The three channel means of a patch
  count for every method; ``DictionaryLearningVAE`` codes them among its atoms, those of
  scikit-learn code patches without their means, and the means beside them.
* *Atoms* is the perplexity of the usage of the other 509 atoms (of all 512 of
  ``DictionaryLearningVAE``) over all test images.
* *CPU min* is the time of the fit.
* scikit-learn's coders are slow: they, and the same model beside them, get a second
  table, on fewer images. They code with the dictionary that
  ``MiniBatchDictionaryLearning`` learns in 45 CPU-seconds; the lasso's alpha, and the
  number of atoms of OMP, are bisected on *training* images until their non-zeros are
  the model's.

Run ``python benchmarks/reconstruction.py --data cifar10_jpeg.zip``.
"""

import time
import warnings

import _cifar
import _classical
import _common
import _record
import numpy as np
from scipy import sparse
from sklearn.decomposition import MiniBatchDictionaryLearning, sparse_encode
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import DictionaryLearningVAE, SparseCodingVAE, metrics
from sklearn_sparsevae.codes import SparseCodes

SIDE, N_CHANNELS, N_ATOMS = 4, 3, 512
TASK = {"n_components": N_ATOMS, "n_downsamples": 2}
CALIBRATION_IMAGES = 20  # training images on which scikit-learn's coders are bisected
FIT_BATCH, FIT_ALPHA = 512, 0.2  # patches of a partial_fit, its weight of the L1 norm
MIN_PSNR, MAX_NONZEROS, MIN_ATOMS, MAX_CPU_MINUTES, MAX_SPREAD = 44, 10, 400, 5, 0.3
SOFT_PSNR, SOFT_NONZEROS, SOFT_ATOMS = 34, 20, 300
COLUMNS = f"{'seed':>5s} {'PSNR':>7s} {'nnz':>6s} {'atoms':>6s} {'CPU min':>8s}"


# Rows --------------------------------------------------------------------------------


def measure(name, model, train, test):
    """Fit, code the test images, measure and print."""
    seconds, _ = _common.timed_fit(model, train)
    return row_of(name, model, test, cpu_minutes=seconds / 60)


def row_of(name, model, images, **extra):
    """Measures of a fitted model, printed."""
    codes = model.transform(images)
    psnr = metrics.psnr(images, model.inverse_transform(codes))
    return make_row(name, psnr, codes, seed=model.random_state, **extra)


def make_row(name, psnr, codes, **extra):
    """Measures of codes and of the quality that they give, printed."""
    row = {
        "method": name,
        "psnr": psnr,
        "nonzeros": metrics.nonzeros_per_site(codes),
        "atoms": metrics.usage_perplexity(codes),
        **extra,
    }
    minutes = f"{row['cpu_minutes']:8.2f}" if "cpu_minutes" in row else ""
    seed = row.get("seed", "")
    print(
        f"{name:34s} {seed:>5} {row['psnr']:7.2f} {row['nonzeros']:6.2f} "
        f"{row['atoms']:6.0f} {minutes}",
        flush=True,
    )
    return row


def rows_of_seed(seed, train, test, options):
    """Return the model of a seed and the rows beside it."""
    common = {**TASK, "random_state": seed, **options}
    model = SparseCodingVAE(**common)
    rows = [measure("SparseCodingVAE", model, train, test)]
    start = SparseCodingVAE(**common).set_params(max_epochs=0)
    rows.append(measure("the same before training", start, train, test))
    for selection in ("ols", "omp"):
        other = DictionaryLearningVAE(
            n_nonzero_coefs=round(rows[0]["nonzeros"]), selection=selection, **common
        )
        rows.append(
            measure(f"DictionaryLearningVAE, {selection.upper()}", other, train, test)
        )
    return model, rows


# scikit-learn ------------------------------------------------------------------------


def split_means(patches):
    """Coefficients of the three unit mean atoms, and what they leave of the patches."""
    cells = patches.reshape(len(patches), -1, N_CHANNELS)
    means = cells.mean(axis=1, keepdims=True)
    return means[:, 0] * SIDE, (cells - means).reshape(patches.shape)


def fit_sklearn(images, seconds):
    """Atoms ``(509, 48)`` of MiniBatchDictionaryLearning after so much CPU time."""
    _, detail = split_means(_classical.to_patches(images, SIDE))
    random = np.random.RandomState(_common.SEED)
    norms = np.linalg.norm(detail, axis=1)
    textured = detail[norms > np.median(norms)]
    start = textured[random.choice(len(textured), N_ATOMS - N_CHANNELS)]
    model = MiniBatchDictionaryLearning(
        len(start),
        alpha=FIT_ALPHA,
        fit_algorithm="cd",
        batch_size=FIT_BATCH,
        dict_init=start / np.linalg.norm(start, axis=1, keepdims=True),
        random_state=_common.SEED,
    )
    end, n_fits = time.process_time() + seconds, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        while n_fits == 0 or time.process_time() < end:
            model.partial_fit(detail[random.randint(len(detail), size=FIT_BATCH)])
            n_fits += 1
    print(f"scikit-learn: {n_fits} partial_fits of {FIT_BATCH} patches", flush=True)
    return model.components_.astype(np.float32)


def lasso(detail, atoms, alpha):
    """Codes ``(n, 509)`` by coordinate descent."""
    return _quiet_encode(detail, atoms, algorithm="lasso_cd", alpha=alpha)


def omp(detail, atoms, level):
    """Codes by OMP with ``1 / level`` atoms on average: one more or less by chance."""
    low, rest = divmod(max(1 / level, 1.0), 1)
    more = np.random.RandomState(_common.SEED).random(len(detail)) < rest
    codes = np.zeros((len(detail), len(atoms)), np.float32)
    for rows, n_nonzeros in ((~more, int(low)), (more, int(low) + 1)):
        if rows.any():
            options = {"algorithm": "omp", "n_nonzero_coefs": n_nonzeros}
            codes[rows] = _quiet_encode(detail[rows], atoms, **options)
    return codes


def _quiet_encode(detail, atoms, **options):
    with warnings.catch_warnings():
        # Flat patches end OMP early; coordinate descent stops at 1000 sweeps.
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        return sparse_encode(detail, atoms, **options)


def bisect(coder, detail, n_nonzeros, low, high, tol=0.002):
    """Level at which ``coder(detail, level)`` has ``n_nonzeros`` a patch on average.

    The higher the level, the fewer the non-zeros.
    """
    for _ in range(25):
        level = (low * high) ** 0.5
        found = np.count_nonzero(coder(detail, level)) / len(detail)
        if abs(found - n_nonzeros) <= tol * n_nonzeros:
            break
        low, high = (level, high) if found > n_nonzeros else (low, level)
    return level


def sklearn_rows(model, train, test, seconds):
    """scikit-learn's coders at the model's non-zeros, and the model, on few images."""
    atoms = fit_sklearn(train, seconds)
    few = train[:CALIBRATION_IMAGES]
    wanted = metrics.nonzeros_per_site(model.transform(few)) - N_CHANNELS
    _, detail = split_means(_classical.to_patches(few, SIDE))
    patches = _classical.to_patches(test, SIDE)
    means, rest = split_means(patches)
    rows = [row_of("SparseCodingVAE", model, test)]
    for name, coder, bounds in (
        ("scikit-learn, OMP", omp, (0.01, 1)),
        ("scikit-learn, lasso_cd", lasso, (0.001, 1)),
    ):
        level = bisect(lambda d, x, c=coder: c(d, atoms, x), detail, wanted, *bounds)
        codes = coder(rest, atoms, level)
        decoded = codes @ atoms + (patches - rest)
        output = _classical.from_patches(decoded, SIDE, test.shape[1:])
        sites = sparse.csr_array(np.hstack([means, codes]))
        whole = SparseCodes(sites, grid_shape=(1, 1), n_mean_atoms=N_CHANNELS)
        rows.append(make_row(name, metrics.psnr(test, output), whole, level=level))
    return rows


# Tables ------------------------------------------------------------------------------

LABELS = {
    "SparseCodingVAE": "`SparseCodingVAE`",
    "DictionaryLearningVAE, OLS": "`DictionaryLearningVAE`",
    "DictionaryLearningVAE, OMP": '`DictionaryLearningVAE(selection="omp")`',
    "shrinkage='soft'": '`SparseCodingVAE(shrinkage="soft")`',
}


def tables(rows, slow_rows):
    """Means over the seeds, and the few images that scikit-learn codes."""
    measures = ("psnr", "nonzeros", "atoms", "cpu_minutes")
    means = [
        {"key": _record.key(method), "label": LABELS.get(method, method)}
        | {
            name: _record.spread([r[name] for r in rows if r["method"] == method])
            for name in measures
        }
        for method in dict.fromkeys(row["method"] for row in rows)
    ]
    columns = _record.columns(*measures, best={"psnr": "max"})
    made = {"codes": _record.table("codes", columns, means)}
    if slow_rows:
        slow = [
            row
            | {"key": _record.key(row["method"])}
            | {"label": LABELS.get(row["method"], row["method"])}
            for row in slow_rows
        ]
        columns = _record.columns("psnr", "nonzeros", "atoms")
        made["scikit-learn"] = _record.table("codes", columns, slow)
    return made


# Goals -------------------------------------------------------------------------------


def check(rows):
    """Print and return whether the goals are met, over all seeds."""
    ours = [row for row in rows if row["method"] == "SparseCodingVAE"]
    soft = [row for row in rows if row["method"] == "shrinkage='soft'"]
    psnr, nonzeros, atoms, minutes = (
        np.array([row[name] for row in ours])
        for name in ("psnr", "nonzeros", "atoms", "cpu_minutes")
    )
    print()
    checks = [
        least("PSNR, mean, dB", psnr.mean(), MIN_PSNR),
        most("non-zeros a site, mean", nonzeros.mean(), MAX_NONZEROS),
        least("atoms, fewest of a seed", atoms.min(), MIN_ATOMS),
        most("CPU-minutes, most of a seed", minutes.max(), MAX_CPU_MINUTES),
        most("spread of PSNR, dB", np.ptp(psnr), MAX_SPREAD),
    ]
    for row in soft:
        checks += [
            least(f"soft, seed {row['seed']}: PSNR, dB", row["psnr"], SOFT_PSNR),
            most(f"soft, seed {row['seed']}: nnz", row["nonzeros"], SOFT_NONZEROS),
            least(f"soft, seed {row['seed']}: atoms", row["atoms"], SOFT_ATOMS),
        ]
    return checks


def least(name, value, bound):
    """Print and return whether a goal is met."""
    return _common.verdict(f"{name}: {value:.2f} (goal: >= {bound:g})", value >= bound)


def most(name, value, bound):
    """Print and return whether a goal is met."""
    return _common.verdict(f"{name}: {value:.2f} (goal: <= {bound:g})", value <= bound)


def parser():
    """Command line."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=10_000, json_name="reconstruction.json"
    )
    add = options.add_argument
    add("--seeds", type=_common.positive, default=3, help="how many")
    add("--soft-seeds", type=int, default=1, help="how many with soft shrinkage")
    add("--soft-epochs", type=_common.positive, help="of soft shrinkage alone")
    add("--n-slow", type=_common.positive, default=200, help="images for scikit-learn")
    add("--sklearn-seconds", type=float, default=45, help="scikit-learn's fit time")
    return options


def main():
    """Read the command line, run, write JSON."""
    args, train, test = _cifar.start(parser())
    print(f"{_cifar.TITLE}: {len(train)} training and {len(test)} test images")
    print(f"{'method':34s} {COLUMNS}", flush=True)
    options, models, rows, slow = _common.epochs(args), [], [], []
    with threadpool_limits(args.threads):
        for seed in range(args.seeds):
            model, more = rows_of_seed(seed, train, test, options)
            models, rows = [*models, model], rows + more
        if args.soft_epochs:
            options = {"max_epochs": args.soft_epochs}
        for seed in range(args.soft_seeds):
            soft = SparseCodingVAE(
                shrinkage="soft", **TASK, random_state=seed, **options
            )
            rows.append(measure("shrinkage='soft'", soft, train, test))
        if args.sklearn_seconds:
            few = test[: args.n_slow]
            print(f"\nThe first {len(few)} test images")
            slow = sklearn_rows(models[0], train, few, args.sklearn_seconds)
    settings = {"n_train": len(train), "n_test": len(test), "threads": args.threads}
    content = {"data": _cifar.TITLE, **settings, "rows": rows, "slow_rows": slow}
    _common.write_json(args.json, content | {"checks": check(rows)})
    settings = _cifar.settings(train, test) | {"n_slow": args.n_slow, **options}
    seeds = range(args.seeds)
    _record.record(
        args,
        "reconstruction",
        tables=tables(rows, slow),
        settings=settings,
        seeds=seeds,
    )


if __name__ == "__main__":
    main()
