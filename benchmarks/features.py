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

Run ``python benchmarks/features.py --data cifar10_jpeg.zip``.
"""

import time

import _cifar
import _classical
import _common
import _record
import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import VQVAE, DictionaryLearningVAE, SparseCodingVAE, metrics

N_ATOMS, SIDE = 512, 4
TASK = {"n_components": N_ATOMS, "n_downsamples": 2, "random_state": _common.SEED}
WEIGHTS = np.logspace(1, 5, 9)


def pooled(codes, grid_shape):
    """Sum of positive and of negative parts in each quadrant, ``(n, 8 K)``."""
    height, width = grid_shape
    rows, columns = np.divmod(np.arange(height * width), width)
    quadrants = 2 * (rows >= height / 2) + (columns >= width / 2)
    to_quadrant = sparse.csr_array(
        (np.ones(len(quadrants)), (np.arange(len(quadrants)), quadrants))
    )
    pool = sparse.kron(to_quadrant, sparse.eye_array(codes.shape[1] // len(quadrants)))
    codes = sparse.csr_array(codes)
    parts = [(sign * codes).maximum(0) @ pool for sign in (1, -1)]
    return sparse.hstack(parts).toarray().astype(np.float32)


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


def main():
    """Fit, classify, print the table, write JSON."""
    options = _cifar.parser(__doc__, n_train=10000, json_name="features.json")
    args = options.parse_args()
    archive = _cifar.find_archive(options, args.data)
    (train, classes), (test, test_classes) = (
        _cifar.load_with_classes(archive, *subset)
        for subset in (("train", args.n_train), ("test", args.n_test))
    )
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
