"""What codes are worth to a linear classifier of CIFAR-10 (JPEG), beside PCA's.

Every method codes patches of 4x4 pixels with so many numbers, fitted on the training
images without their classes. The codes of an image are pooled: positive and negative
parts of each number, summed in the four quadrants. A ridge classifier (its weight
chosen by leave-one-out on the training images) learns the classes from them.

*Accuracy* is that on held-out test images, in percent, with the standard error of a
share; *CPU s* is the time that the codes' model takes to fit. Methods:

* pixels: the image as it is, no patches.
* PCA of patches, all 48 components.
* dictionary learning: scikit-learn's MiniBatchDictionaryLearning, and its OMP with as
  many non-zeros as `SparseCodingVAE` has in the mean.
* ours, at their defaults.

``--recipe`` measures features that are made for classifiers, `PatchEncoder`, instead:
on the same images in a Pipeline with a ridge classifier, and with one ingredient
changed at a time; and on scikit-learn's digits beside other features of equal dimension
(four folds, in brackets the deviation between them).
Its goal is 65 % of the test images in five CPU-minutes, everything included. Constants
were chosen on other training images. Rows are kept in ``build/benchmarks/features`` and
not measured again.

Run ``python benchmarks/features.py --data cifar10_jpeg.zip``.
"""

import time

import _cifar
import _classical
import _common
import _kept
import _record
import numpy as np
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, MiniBatchDictionaryLearning
from sklearn.linear_model import LogisticRegression, RidgeClassifier, RidgeClassifierCV
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import (
    VQVAE,
    DictionaryLearningVAE,
    PatchEncoder,
    SparseCodes,
    SparseCodingVAE,
    metrics,
)

N_ATOMS, SIDE = 512, 4
TASK = {"n_components": N_ATOMS, "n_downsamples": 2, "random_state": _common.SEED}
WEIGHTS = np.logspace(1, 5, 9)
# Of the recipe: chosen on 2,000 training images that were not fitted to.
ALPHA = 1000.0
GOAL = 65.0, 5.0  # percent, CPU-minutes


def pooled(codes, grid_shape):
    """Mean of positive and of negative parts in each quadrant, ``(n, 8 K)``."""
    codes = SparseCodes(sparse.csr_array(codes), grid_shape=tuple(grid_shape))
    return codes.pool((2, 2)).toarray().astype(np.float32)


def accuracy(train, test):
    """Share of the test set that a ridge classifier gets right, in percent."""
    model = make_pipeline(StandardScaler(), RidgeClassifierCV(WEIGHTS))
    return 100 * model.fit(*train).score(*test)


# Codes -------------------------------------------------------------------------------


def ours(model, train, test):
    """Pooled codes of both sets, non-zeros of a site, seconds of the fit."""
    seconds, _ = _common.timed_fit(model, train)
    codes = [model.transform(part) for part in (train, test)]
    features = [pooled(part, part.grid_shape) for part in codes]
    return *features, metrics.nonzeros_per_site(codes[1]), seconds


def of_patches(code, images):
    """Pooled codes of patches; ``code`` takes and gives arrays of a row for each."""
    grid_shape = [n // SIDE for n in images.shape[1:3]]
    features = []
    for part in np.array_split(images, max(1, len(images) // 500)):
        codes = code(_classical.to_patches(part, SIDE))
        codes = sparse.csr_array(codes).reshape(len(part), -1)
        features.append(pooled(codes, grid_shape))
    return np.concatenate(features)


def pca(train, test):
    """Every component of the patches: nothing is lost, nothing is sparse."""
    start = time.process_time()
    model = PCA().fit(_classical.to_patches(train, SIDE))
    seconds = time.process_time() - start
    features = [of_patches(model.transform, part) for part in (train, test)]
    return *features, model.n_components_, seconds


def dictionary(train, test, n_nonzero_coefs, budget=45.0):
    """scikit-learn's dictionary, and OMP (by our kernel, which is faster)."""
    atoms = _classical.sklearn_dictionary(_classical.to_patches(train, SIDE), budget)

    def code(patches):
        return _classical.omp(patches, atoms, n_nonzero_coefs, "omp")

    return *(of_patches(code, part) for part in (train, test)), n_nonzero_coefs, budget


def methods(train, test):
    """Yield the name of each method and what it makes of the images."""
    flat = [part.reshape(len(part), -1) / np.float32(255) for part in (train, test)]
    yield "pixels", (*flat, flat[0].shape[1] / (32 // SIDE) ** 2, 0.0)
    yield "PCA of patches", pca(train, test)
    sparse_vae = ours(SparseCodingVAE(**TASK), train, test)
    yield (
        "dictionary learning, OMP (scikit-learn)",
        dictionary(train, test, round(sparse_vae[2])),
    )
    yield "SparseCodingVAE", sparse_vae
    yield "DictionaryLearningVAE", ours(DictionaryLearningVAE(**TASK), train, test)
    yield "VQVAE", ours(VQVAE(**TASK), train, test)


def to_table(rows):
    """One row for each method."""
    columns = _record.columns(
        accuracy=("accuracy, %", ".1f"),
        numbers=("numbers a site", ".1f"),
        n_features=("features", ",d"),
        cpu_seconds=("CPU-seconds of the fit", ".0f"),
        best={"accuracy": "max"},
    )
    made = []
    for row in rows:
        name = row["method"]
        label = f"`{name}`" if name.endswith("VAE") else name
        share = {"mean": row["accuracy"], "std": row["standard_error"]}
        made.append(row | {"key": _record.key(name), "label": label, "accuracy": share})
    return _record.table("codes", columns, made)


# The recipe --------------------------------------------------------------------------


def kept(name, settings, measure):
    """Row of a name: measured now, or by a run before."""
    key = _record.key(name)
    row = {"key": key, "label": name} | _kept.kept("features", key, settings, measure)
    print(f"{name:50}", *(f"{v:.4g}" for v in row.values() if isinstance(v, float)))
    return row


def recipe(train, test, **params):
    """Share of test images that are right, and the CPU-minutes of it all."""
    start = time.process_time()
    encoder = PatchEncoder(**{"random_state": _common.SEED, **params})
    classifier = RidgeClassifier(alpha=ALPHA)
    pipeline = make_pipeline(encoder, StandardScaler(), classifier).fit(*train)
    share = 100 * pipeline.score(*test)
    error = np.sqrt(share * (100 - share) / len(test[1]))
    return {
        "accuracy": {"mean": share, "std": error},
        "n_features": pipeline[-1].coef_.shape[1],
        "cpu_minutes": (time.process_time() - start) / 60,
    }


def cifar_rows(train, test):
    """Yield the recipe, and the recipe with something changed."""
    fewer = {"n_components": N_ATOMS}
    variants = {
        "`PatchEncoder`": {},
        f"{N_ATOMS} atoms, every second place": {**fewer, "stride": 2},
        "the same, no overlap": {**fewer, "stride": 6},
    }
    for name, params in variants.items():
        own = {"n_train": len(train[1]), "n_test": len(test[1]), **params}
        yield kept(name, own, lambda params=params: recipe(train, test, **params))


def folds_of(describe, splits, y):
    """Share of each fold that logistic regression gets right, in percent."""
    shares = []
    for train, test in splits:
        features = describe(train)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        model.fit(features[train], y[train])
        shares.append(100 * model.score(features[test], y[test]))
    share = _record.spread(shares)
    return {"accuracy": share, "n_features": int(features.shape[1])}


def fitted(model, X, train):
    """Describe all of X by a model that has seen a part."""
    features = model.fit(X[train]).transform(X)
    return features.toarray() if sparse.issparse(features) else features


def digits_rows():
    """Yield features of digits of equal dimension, by logistic regression."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    splits = list(StratifiedKFold(4, shuffle=True, random_state=0).split(X, y))
    seed = {"random_state": _common.SEED}
    shape = {"image_shape": (8, 8), **seed}
    omp = {"transform_algorithm": "omp", "transform_n_nonzero_coefs": 8, "max_iter": 5}
    models = {
        "pixels": FunctionTransformer(),
        "PCA": PCA(32, **seed),
        "dictionary learning, OMP (scikit-learn)": MiniBatchDictionaryLearning(
            64, **omp, **seed
        ),
        "`PatchEncoder`, 8 atoms": PatchEncoder(8, patch_size=4, **shape),
        "`PatchEncoder`, 64 atoms": PatchEncoder(64, patch_size=4, **shape),
    }
    for name, model in models.items():
        yield kept(
            f"digits: {name}",
            repr(model),
            lambda model=model: folds_of(lambda t: fitted(model, X, t), splits, y),
        )


def measure_recipe(args, train, test):
    """Run all of ``--recipe``: print, judge, record."""
    tables = {
        "cifar": list(cifar_rows(train, test)),
        "digits": list(digits_rows()),
    }
    share, minutes = (tables["cifar"][0][k] for k in ("accuracy", "cpu_minutes"))
    goal = (
        f"{GOAL[0]:.0f} % of the test images from {len(train[1]):,} in {GOAL[1]:.0f} "
        f"CPU-minutes: {share['mean']:.1f} % in {minutes:.1f}"
    )
    passed = share["mean"] >= GOAL[0] and minutes <= GOAL[1]
    verdict = _common.verdict(goal, passed)
    _common.write_json(args.json, {"goal": verdict, "tables": tables})
    made = {}
    for name, rows in tables.items():
        for row in rows:
            row["key"] = row["key"].removeprefix(f"{name}-")
            row["label"] = row["label"].removeprefix(f"{name}: ")
        columns = _record.columns(
            *(["cpu_minutes"] if name == "cifar" else []),
            accuracy=("accuracy, %", ".1f"),
            n_features=("features", ",d"),
            best={"accuracy": "max"},
        )
        made[name] = _record.table("features", columns, rows)
    settings = _cifar.settings(train[0], test[0], alpha=ALPHA, n_atoms=N_ATOMS)
    note = "Rows of a run before were kept: cpu_seconds are those of the last run."
    _record.record(args, "features_patches", tables=made, settings=settings, note=note)


def main():
    """Fit, classify, print the table, write JSON."""
    options = _cifar.parser(__doc__, n_train=10000, json_name="features.json")
    options.add_argument("--recipe", action="store_true", help="features of patches")
    args = options.parse_args()
    archive = _cifar.find_archive(options, args.data)
    (train, classes), (test, test_classes) = (
        _cifar.load_with_classes(archive, *subset)
        for subset in (("train", args.n_train), ("test", args.n_test))
    )
    if args.recipe:
        with threadpool_limits(args.threads):
            measure_recipe(args, (train, classes), (test, test_classes))
        return
    rows = []
    print(f"{'':40}{'accuracy':>10}{'numbers a site':>16}{'CPU s':>7}")
    with threadpool_limits(args.threads):
        for name, (features, test_features, numbers, seconds) in methods(train, test):
            share = accuracy((features, classes), (test_features, test_classes))
            rows.append(
                {
                    "method": name,
                    "accuracy": share,
                    "standard_error": np.sqrt(share * (100 - share) / len(test)),
                    "numbers": numbers,
                    "n_features": features.shape[1],
                    "cpu_seconds": seconds,
                }
            )
            print(f"{name:40}{share:10.1f}{numbers:16.1f}{seconds:7.0f}", flush=True)
    _common.write_json(args.json, {"data": _cifar.TITLE, "rows": rows})
    settings = _cifar.settings(train, test, n_atoms=N_ATOMS)
    _record.record(
        args, "features", tables={"methods": to_table(rows)}, settings=settings
    )


if __name__ == "__main__":
    main()
