"""What learned sparse codes of CIFAR-10 (JPEG) are worth beside classical ones.

Fits ``SparseCodingVAE(n_components=512, n_downsamples=2)``, all else at its default,
and codes held-out test images with it and with classical methods, every one at the
same mean number of non-zeros. A site is a patch of 4x4 pixels, 48 numbers.

How to read the tables:

* *PSNR* in dB is the mean over images, clipped to [0, 1].
* *nnz* is the mean number of non-zeros of a site. The three channel means of a patch
  count for **every** method: the classical ones code patches without their means, and
  the three means beside them. *Hoyer* includes them too. *Atoms* is the perplexity of
  the usage of the other atoms over all the images.
* *alpha* of a classical row (OMP: its number of atoms) is bisected on fixed *training*
  images until its non-zeros there equal those of the learned codes there. On test
  images they may differ a little.
* *untrained* rows take the dictionary from which training starts and as many steps as
  the learned rollout: its first epoch starts at the row with momentum.
* *lasso* rows take 500 FISTA steps. That on the trained dictionary leaves out the
  trained encoder and decoder.
* scikit-learn's own coders are slow: they get a second table, on fewer images.

``--ingredients`` fits smaller models instead, each without one of the ingredients.
There *gap* is PSNR less that of the lasso on the first dictionary at the same number
of non-zeros; a dash where the lasso never has so many.

Run ``python benchmarks/reconstruction.py --data cifar10_jpeg.zip``.
"""

import time
import warnings

import _cifar
import _classical
import _common
import numpy as np
import torch
from scipy import sparse
from scipy.interpolate import PchipInterpolator
from sklearn.decomposition import MiniBatchDictionaryLearning, sparse_encode
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import SparseCodingVAE, metrics
from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.sparse import ista

SIDE, N_CHANNELS, N_ATOMS = 4, 3, 512
LASSO_STEPS = 500
CALIBRATION_IMAGES = 100  # training images on which alpha is bisected
SLOW_CALIBRATION_IMAGES = 20  # the same for scikit-learn's coders
BLOCK_IMAGES = 100  # images whose dense codes are held at once
FIT_BATCH = 512  # patches of a partial_fit
MIN_PSNR, MAX_NONZEROS, MAX_CPU_MINUTES = 34.0, 20.0, 15.0
MIN_LEAD, MAX_GAP = 5.0, 1.0  # dB over the untrained rollout, below the lasso

# What `--ingredients` leaves out or replaces, one at a time.
INGREDIENTS = {
    "default": {},
    'penalty="l1"': {"penalty": "l1"},
    "momentum=False": {"momentum": False},
    "coupled=False": {"coupled": False},
    'dictionary="dct"': {"dictionary": "dct"},
    "learn_alpha=False": {"learn_alpha": False},
    'backbone_params={"n_blocks": 0}': {"backbone_params": {"n_blocks": 0}},
}
INGREDIENT_IMAGES, INGREDIENT_EPOCHS = 2000, 2
LASSO_ALPHAS = np.geomspace(0.001, 0.6, 13)


# Patches -----------------------------------------------------------------------------


def split_means(patches):
    """Coefficients of the three unit mean atoms, and what they leave of the patches."""
    cells = patches.reshape(len(patches), -1, N_CHANNELS)
    means = cells.mean(axis=1, keepdims=True)
    return means[:, 0] * SIDE, (cells - means).reshape(patches.shape)


# Coders: mean-free patches to codes (n_sites, n_atoms) --------------------------------


class Shrinkage:
    """(F)ISTA on a fixed dictionary."""

    def __init__(self, atoms, alpha, n_steps, momentum):
        self.atoms, self.alpha = atoms, alpha
        self.n_steps, self.momentum = n_steps, momentum

    def __call__(self, detail):
        """Codes of mean-free patches."""
        return ista(detail, self.atoms, self.alpha, self.n_steps, self.momentum)


class SklearnLasso:
    """scikit-learn's coordinate descent."""

    def __init__(self, atoms, alpha):
        self.atoms, self.alpha = atoms, alpha

    def __call__(self, detail):
        """Codes of mean-free patches."""
        return _quiet_encode(detail, self.atoms, algorithm="lasso_cd", alpha=self.alpha)


class SklearnOMP:
    """scikit-learn's OMP; a mean that is no integer is met by mixing two numbers."""

    def __init__(self, atoms, n_nonzeros):
        self.atoms, self.n_nonzeros = atoms, n_nonzeros

    def __call__(self, detail):
        """Codes of mean-free patches."""
        low, rest = divmod(max(self.n_nonzeros, 1.0), 1)
        more = np.random.RandomState(_common.SEED).random(len(detail)) < rest
        codes = np.zeros((len(detail), len(self.atoms)), np.float32)
        for rows, n_nonzeros in ((~more, low), (more, low + 1)):
            if rows.any():
                codes[rows] = _quiet_encode(
                    detail[rows],
                    self.atoms,
                    algorithm="omp",
                    n_nonzero_coefs=min(int(n_nonzeros), len(self.atoms)),
                )
        return codes


def _quiet_encode(detail, atoms, **options):
    with warnings.catch_warnings():
        # Flat patches end OMP early; coordinate descent stops at 1000 sweeps.
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        return sparse_encode(detail, atoms, **options)


def bisect(coder_at, detail, n_nonzeros, low, high, tol=0.002):
    """Level at which ``coder_at(level)`` has ``n_nonzeros`` a patch on average.

    The higher the level, the fewer the non-zeros.
    """
    for _ in range(25):
        level = (low * high) ** 0.5
        found = np.count_nonzero(coder_at(level)(detail)) / len(detail)
        if abs(found - n_nonzeros) <= tol * n_nonzeros:
            break
        low, high = (level, high) if found > n_nonzeros else (low, level)
    return level


# Dictionaries ------------------------------------------------------------------------


def make_model(**options):
    """Our estimator as the goal has it: defaults, but for what defines the task."""
    options = {"n_components": N_ATOMS, "n_downsamples": 2, "random_state": 0} | options
    return SparseCodingVAE(**options)


def pixel_map(first):
    """Linear decoder ``(48, 48)`` from latents to patches of an untrained model."""
    pixels = first.atoms_as_images().reshape(N_ATOMS, -1)
    return np.linalg.lstsq(first.components_, pixels)[0]


def detail_atoms(model, to_pixels):
    """Atoms of a model in pixels ``(509, 48)``, without those for the means."""
    return (model.components_ @ to_pixels)[N_CHANNELS:]


def fit_sklearn(images, alpha, seconds):
    """Atoms ``(509, 48)`` of MiniBatchDictionaryLearning after a time budget."""
    _, detail = split_means(_classical.to_patches(images, SIDE))
    random = np.random.RandomState(_common.SEED)
    norms = np.linalg.norm(detail, axis=1)
    textured = detail[norms > np.median(norms)]
    start = textured[random.choice(len(textured), N_ATOMS - N_CHANNELS)]
    model = MiniBatchDictionaryLearning(
        len(start),
        alpha=alpha,
        fit_algorithm="cd",
        batch_size=FIT_BATCH,
        dict_init=start / np.linalg.norm(start, axis=1, keepdims=True),
        random_state=_common.SEED,
    )
    end, n_fits = time.perf_counter() + seconds, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        while n_fits == 0 or time.perf_counter() < end:
            model.partial_fit(detail[random.randint(len(detail), size=FIT_BATCH)])
            n_fits += 1
    print(f"scikit-learn: {n_fits} partial_fits of {FIT_BATCH} patches", flush=True)
    return model.components_.astype(np.float32)


# Rows --------------------------------------------------------------------------------


def classical_row(name, coder, images, **extra):
    """Code images patch by patch and measure."""
    start, parts, values = time.perf_counter(), [], []
    for first in range(0, len(images), BLOCK_IMAGES):
        block = images[first : first + BLOCK_IMAGES]
        patches = _classical.to_patches(block, SIDE)
        means, detail = split_means(patches)
        codes = coder(detail)
        decoded = codes @ coder.atoms + (patches - detail)
        output = _classical.from_patches(decoded, SIDE, block.shape[1:])
        values.append(metrics.psnr(block, output, per_image=True))
        parts.append(sparse.csr_array(np.hstack([means, codes])))
    seconds = time.perf_counter() - start
    psnr = float(np.concatenate(values).mean())
    codes = SparseCodes(
        sparse.vstack(parts, format="csr"),
        grid_shape=(1, 1),
        n_mean_atoms=N_CHANNELS,
    )
    return make_row(name, psnr, codes, seconds, **extra)


def learned_row(name, model, images, **extra):
    """Code images with a fitted model and measure."""
    start = time.perf_counter()
    codes = model.transform(images)
    output = model.inverse_transform(codes)
    seconds = time.perf_counter() - start
    psnr = metrics.psnr(images, output)
    return make_row(name, psnr, codes, seconds, n_images=len(images), **extra)


def make_row(name, psnr, codes, seconds, **extra):
    """Measures of codes and the quality that they give, as a dict."""
    return {
        "method": name,
        "psnr": psnr,
        "nonzeros": metrics.nonzeros_per_site(codes),
        "hoyer": metrics.hoyer(codes),
        "perplexity": metrics.usage_perplexity(codes),
        "coding_seconds": seconds,
        **extra,
    }


def print_rows(title, rows):
    """Print one table."""
    print(f"\n{title}")
    columns = f"{'PSNR':>7s} {'nnz':>6s} {'Hoyer':>6s} {'atoms':>6s} {'alpha':>7s}"
    print(f"{'method':40s} {columns} {'coding s':>9s}")
    for row in rows:
        alpha = f"{row['alpha']:7.4f}" if "alpha" in row else f"{'':7s}"
        print(
            f"{row['method']:40s} {row['psnr']:7.2f} {row['nonzeros']:6.2f} "
            f"{row['hoyer']:6.3f} {row['perplexity']:6.0f} {alpha} "
            f"{row['coding_seconds']:9.1f}"
        )


class Comparison:
    """Coders at the number of non-zeros of a fitted model.

    Parameters
    ----------
    model : SparseCodingVAE
        Fitted.
    train, test : ndarray (n, 32, 32, 3), uint8
    """

    def __init__(self, model, train, test):
        self.model, self.train, self.test = model, train, test

    def match(self, coder_at, n_images, low, high):
        """Coder with the non-zeros of the model on training images, and its level."""
        images = self.train[:n_images]
        _, detail = split_means(_classical.to_patches(images, SIDE))
        wanted = metrics.nonzeros_per_site(self.model.transform(images)) - N_CHANNELS
        level = bisect(coder_at, detail, wanted, low, high)
        return coder_at(level), level

    def shrinkage_row(self, name, atoms, n_steps, momentum):
        """(F)ISTA on given atoms, at the alpha that matches."""

        def code(alpha):
            return Shrinkage(atoms, alpha, n_steps, momentum)

        coder, alpha = self.match(code, CALIBRATION_IMAGES, 1e-4, 3.0)
        row = classical_row(name, coder, self.test, alpha=alpha)
        print(f"{name}: {row['psnr']:.2f} dB", flush=True)
        return row

    def our_rows(self, start):
        """Add the learned rollout, its untrained start, and what it approximates."""
        to_pixels = pixel_map(start)
        first = detail_atoms(start, to_pixels)
        trained = detail_atoms(self.model, to_pixels)
        steps = self.model.n_rollout_steps
        add = self.shrinkage_row
        return {
            "learned": learned_row("learned rollout (ours)", self.model, self.test),
            "ista": add(f"untrained, ISTA {steps}", first, steps, False),
            "fista": add(f"untrained, FISTA {steps}", first, steps, True),
            "lasso": add("lasso, first dictionary", first, LASSO_STEPS, True),
            "lasso_trained": add(
                "lasso, trained dictionary", trained, LASSO_STEPS, True
            ),
        }

    def sklearn_rows(self, atoms, alpha, n_images):
        """scikit-learn's coders on few test images, ours beside them."""
        few = self.test[:n_images]
        lasso, alpha = self.match(
            lambda level: SklearnLasso(atoms, level),
            SLOW_CALIBRATION_IMAGES,
            alpha / 3,
            alpha * 3,
        )
        omp, _ = self.match(
            lambda level: SklearnOMP(atoms, 1 / level), SLOW_CALIBRATION_IMAGES, 0.01, 1
        )
        return [
            learned_row("learned rollout (ours)", self.model, few),
            classical_row("scikit-learn, lasso_cd", lasso, few, alpha=alpha),
            classical_row("scikit-learn, omp", omp, few),
        ]


# Runs --------------------------------------------------------------------------------


def run_comparison(args, train, test):
    """Full comparison; return what goes to JSON."""
    model = make_model(**_common.epochs(args))
    cpu, wall = _common.timed_fit(model, train)
    print(f"fit: {cpu / 60:.2f} CPU-minutes, {wall / 60:.2f} minutes", flush=True)
    comparison = Comparison(model, train, test)
    rows = comparison.our_rows(make_model(max_epochs=0).fit(train))
    atoms = fit_sklearn(train, rows["lasso"]["alpha"], args.sklearn_seconds)
    name = "lasso, scikit-learn's dictionary"
    rows["sklearn"] = comparison.shrinkage_row(name, atoms, LASSO_STEPS, True)
    print_rows(f"{_cifar.TITLE}, {len(test)} test images", rows.values())
    n_slow = min(args.n_slow, len(test))
    slow = comparison.sklearn_rows(atoms, rows["sklearn"]["alpha"], n_slow)
    print_rows(f"{_cifar.TITLE}, the first {n_slow} of these", slow)
    checks = check(rows, cpu / 60)
    return {
        "fit_cpu_minutes": cpu / 60,
        "fit_minutes": wall / 60,
        "history": model.history_,
        "rows": list(rows.values()),
        "n_slow": n_slow,
        "slow_rows": slow,
        "checks": checks,
    }


def check(rows, cpu_minutes):
    """Print and return whether the goals are met."""
    psnr = {key: row["psnr"] for key, row in rows.items()}
    ours = psnr["learned"]
    nonzeros = rows["learned"]["nonzeros"]
    print()
    return [
        at_least("PSNR, dB", ours, MIN_PSNR),
        at_most("non-zeros a site", nonzeros, MAX_NONZEROS),
        at_most("fit, CPU-minutes", cpu_minutes, MAX_CPU_MINUTES),
        at_least("learned - untrained ISTA, dB", ours - psnr["ista"], MIN_LEAD),
        at_least("learned - untrained FISTA, dB", ours - psnr["fista"], MIN_LEAD),
        at_least("learned - lasso, first, dB", ours - psnr["lasso"], -MAX_GAP),
        at_least(
            "learned - lasso, trained, dB", ours - psnr["lasso_trained"], -MAX_GAP
        ),
    ]


def at_least(name, value, bound):
    """Print and return whether a goal is met."""
    return _common.verdict(f"{name}: {value:.2f} (goal: >= {bound:g})", value >= bound)


def at_most(name, value, bound):
    """Print and return whether a goal is met."""
    return _common.verdict(f"{name}: {value:.2f} (goal: <= {bound:g})", value <= bound)


def lasso_curve(atoms, images):
    """PSNR of the lasso as a function of non-zeros; NaN outside what was measured."""
    points = {}
    for alpha in LASSO_ALPHAS:
        row = classical_row("", Shrinkage(atoms, alpha, LASSO_STEPS, True), images)
        points[row["nonzeros"]] = row["psnr"]
    nonzeros = np.array(sorted(points))
    psnr = np.array([points[n] for n in nonzeros])
    return PchipInterpolator(np.log(nonzeros), psnr, extrapolate=False)


def number(value, form):
    """Format a value, or put a dash for None."""
    return format(value, form) if value is not None else "-".rjust(len(format(0, form)))


def run_ingredients(args, train, test):
    """Fit one small model for each ingredient; return what goes to JSON."""
    few = test[: args.n_slow]
    first = make_model(max_epochs=0).fit(train)
    curve = lasso_curve(detail_atoms(first, pixel_map(first)), few)
    options = _common.epochs(args, INGREDIENT_EPOCHS)
    print(f"\n{_cifar.TITLE}, {len(few)} test images, {options['max_epochs']} epochs")
    columns = f"{'PSNR':>7s} {'nnz':>6s} {'lasso':>7s} {'gap':>6s} {'atoms':>6s} "
    columns += f"{'fit s':>7s}"
    print(f"{'ingredients':34s} {columns}")
    rows = []
    for name, change in INGREDIENTS.items():
        model = make_model(**change, **options)
        _, seconds = _common.timed_fit(model, train)
        row = learned_row(name, model, few, fit_seconds=seconds)
        lasso = float(curve(np.log(row["nonzeros"])))
        outside = np.isnan(lasso)
        row["lasso_psnr"] = None if outside else lasso
        row["gap"] = None if outside else row["psnr"] - lasso
        rows.append(row)
        print(
            f"{name:34s} {row['psnr']:7.2f} {row['nonzeros']:6.2f} "
            f"{number(row['lasso_psnr'], '7.2f')} {number(row['gap'], '+6.2f')} "
            f"{row['perplexity']:6.0f} {seconds:7.1f}",
            flush=True,
        )
    return {"n_slow": len(few), "ingredients": rows}


def parse():
    """Read the command line; also return the path of the archive."""
    options = _cifar.parser(__doc__.splitlines()[0], n_train=None, json_name=None)
    add = options.add_argument
    add("--ingredients", action="store_true", help="what each ingredient is worth")
    add("--n-slow", type=_common.positive, default=200, help="images for slow coders")
    add("--sklearn-seconds", type=float, default=45, help="scikit-learn's fit time")
    args = options.parse_args()
    if args.n_train is None:
        args.n_train = INGREDIENT_IMAGES if args.ingredients else 10_000
    if args.json is None:
        name = "ingredients" if args.ingredients else "reconstruction"
        args.json = _common.RESULTS / f"{name}.json"
    return args, _cifar.find_archive(options, args.data)


def main():
    """Read the command line, run, write JSON."""
    args, archive = parse()
    torch.set_num_threads(args.threads)
    train = _cifar.load(archive, "train", args.n_train)
    test = _cifar.load(archive, "test", args.n_test)
    print(f"{_cifar.TITLE}: {len(train)} training and {len(test)} test images")
    run = run_ingredients if args.ingredients else run_comparison
    with threadpool_limits(args.threads):
        results = run(args, train, test)
    settings = {"n_train": len(train), "n_test": len(test), "threads": args.threads}
    _common.write_json(args.json, {"data": _cifar.TITLE, **settings, **results})


if __name__ == "__main__":
    main()
