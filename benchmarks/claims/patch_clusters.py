"""Whether clusters of codes hold patches of similar patterns, and of one class.

SC-VAE clusters the code vectors of all patches of a data set by k-means (section 5.3,
Figures 7, 19 and 20) and shows that image patches with similar patterns were grouped
together; there is no figure, and nothing beside it. Here patches of 8x8 pixels of held
out images of CIFAR-10 (JPEG) are clustered by k-means of their codes, of their pixels,
of principal components, and, with labels nowhere in use, scored by:

* *purity*: share of patches whose image has the class that is most frequent in their
  cluster; *by chance* is that of clusters of the same sizes drawn at random;
* *NMI*: normalised mutual information of clusters and classes;
* *likeness*: mean correlation of the pixels of two patches of a cluster, each less its
  mean: 1 where patterns are the same but for brightness and contrast, 0 where they have
  nothing in common. That is what one looks for in the figures.

Rows: pixels, as many principal components as `SparseCodingVAE` has non-zeros, codes of
the estimators as they are, those of `SparseCodingVAE` scaled to unit length, and
`PatchEncoder` on each patch. Below, the same for whole images by pooled codes. Mean and
deviation are over seeds, of the encoder as of k-means.

Run ``python benchmarks/claims/patch_clusters.py --data cifar10_jpeg.zip``; encodings of
a seed, once scored, are kept in ``build/benchmarks/patch_clusters``.
"""

import numpy as np
from _shared import _cifar, _common, _kept, _record
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.preprocessing import StandardScaler, normalize
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import (
    DictionaryLearningVAE,
    PatchEncoder,
    SparseCodingVAE,
    metrics,
)

SIDE, N_ATOMS, N_CLUSTERS = 8, 256, 50
N_TRAIN, N_TEST, EPOCHS = 1000, 500, 1
SEEDS = (0, 1)
PATCHES = {"n_components": 128, "patch_size": 4}  # of `PatchEncoder`, of one patch
IMAGES = {"n_components": 256, "stride": 2}  # and of whole images
NAME = "patch_clusters"


def patches_of(images):
    """Patches ``(n * 16, 8, 8, 3)`` of images, in reading order."""
    n, height, width, channels = images.shape
    grid = (n, height // SIDE, SIDE, width // SIDE, SIDE, channels)
    patches = images.reshape(grid).transpose(0, 1, 3, 2, 4, 5)
    return patches.reshape(-1, SIDE, SIDE, channels)


def scores(features, classes, patches, seed):
    """Cluster rows of features; purity, that by chance, NMI and likeness."""
    k_means = MiniBatchKMeans(N_CLUSTERS, batch_size=2048, n_init=3, random_state=seed)
    labels = k_means.fit_predict(np.asarray(features, np.float32))
    shuffled = np.random.RandomState(seed).permutation(classes)
    found = {
        "purity": 100 * purity(labels, classes),
        "chance": 100 * purity(labels, shuffled),
        "nmi": normalized_mutual_info_score(classes, labels),
    }
    return found | {"likeness": likeness(labels, patches)}


def purity(labels, classes):
    """Share of items of the class that is most frequent in their cluster."""
    return contingency_matrix(classes, labels).max(0).sum() / len(classes)


def likeness(labels, patches):
    """Mean correlation of the pixels of two items of a cluster."""
    flat = patches.reshape(len(patches), -1).astype(np.float64)
    flat = normalize(flat - flat.mean(1, keepdims=True))
    sizes = np.bincount(labels)
    sums = np.zeros((len(sizes), flat.shape[1]))
    np.add.at(sums, labels, flat)
    pairs = (sums**2).sum(1) - np.bincount(labels, (flat**2).sum(1))
    return float(pairs.sum() / (sizes * (sizes - 1)).sum())


def of_patches(train, test, seed):
    """Yield names of encodings of patches, and these, a row for each patch."""
    pixels = patches_of(test).reshape(-1, SIDE * SIDE * 3) / np.float32(255)
    own = {"n_components": N_ATOMS, "n_downsamples": 3, "random_state": seed}
    own["max_epochs"] = EPOCHS
    model = SparseCodingVAE(**own).fit(train)
    codes = model.transform(test)
    sites = codes.sites().toarray()
    n_numbers = round(metrics.nonzeros_per_site(codes))
    yield "pixels", pixels
    yield "PCA", PCA(n_numbers, random_state=seed).fit_transform(pixels)
    yield "`SparseCodingVAE`", sites
    yield "`SparseCodingVAE`, unit length", normalize(sites[:, codes.n_mean_atoms :])
    model = DictionaryLearningVAE(**own).fit(train)
    yield "`DictionaryLearningVAE`", model.transform(test).sites().toarray()
    encoder = PatchEncoder(**PATCHES, pool=(1, 1), random_state=seed)
    encoder.fit(patches_of(train[:500]))
    yield "`PatchEncoder`", normalize(encoder.transform(patches_of(test)))


def of_images(train, test, seed):
    """Yield names of encodings of whole images, and these, a row for each image."""
    pixels = test.reshape(len(test), -1) / np.float32(255)
    yield "pixels", pixels
    yield "PCA", PCA(64, random_state=seed).fit_transform(pixels)
    encoder = PatchEncoder(**IMAGES, random_state=seed).fit(train)
    yield "`PatchEncoder`", StandardScaler().fit_transform(encoder.transform(test))


def measure(what, encodings, classes, patches, seed):
    """Scores of all encodings of a seed, by name; read where they are kept."""

    def run():
        return {
            name: scores(features, classes, patches, seed)
            for name, features in encodings
        }

    return _kept.kept(NAME, f"{what}-{seed}", [len(patches)], run)


def to_table(what, by_seed):
    """One row for each encoding."""
    columns = _record.columns(
        purity=("purity, %", ".1f"),
        chance=("by chance, %", ".1f"),
        nmi=("NMI", ".3f"),
        likeness=("likeness", ".3f"),
        best={"purity": "max", "nmi": "max", "likeness": "max"},
    )
    rows = []
    print(f"{what:35}" + "".join(f"{key:>16}" for key in columns))
    for name in by_seed[0]:
        own = {
            key: _record.spread([found[name][key] for found in by_seed])
            for key in columns
        }
        rows.append({"label": name, **own})
        cells = (f"{v['mean']:9.3f} ± {v['std']:.3f}" for v in own.values())
        print(f"{name:35}" + " ".join(cells), flush=True)
    return _record.table(f"clusters of {what}", columns, rows)


def main():
    """Encode, cluster, print the tables, judge, write JSON."""
    options = _cifar.parser(__doc__, n_train=N_TRAIN, json_name="patch_clusters.json")
    options.set_defaults(n_test=N_TEST)
    args = options.parse_args()
    archive = _cifar.find_archive(options, args.data)
    train, _ = _cifar.load_with_classes(archive, "train", args.n_train)
    test, classes = _cifar.load_with_classes(archive, "test", args.n_test)
    patches = patches_of(test)
    of_sites = np.repeat(classes, len(patches) // len(test))
    found = {"patches": [], "images": []}
    with threadpool_limits(args.threads):
        for seed in SEEDS:
            found["patches"].append(
                measure(
                    "patches", of_patches(train, test, seed), of_sites, patches, seed
                )
            )
            found["images"].append(
                measure("images", of_images(train, test, seed), classes, test, seed)
            )
    tables = {what: to_table(what, by_seed) for what, by_seed in found.items()}
    goals = []
    for what, key in (("patches", "sparsecodingvae"), ("patches", "patchencoder")):
        rows = tables[what]["rows"]
        ours, *others = (
            rows[name]["purity"]["mean"] for name in (key, "pixels", "pca")
        )
        text = f"purity of {what} by {key} {ours:.1f} %, above pixels and PCA: "
        text += f"{others[0]:.1f}, {others[1]:.1f}"
        goals.append(_common.verdict(text, ours > max(others)))
    _common.write_json(args.json, {"goals": goals, "tables": tables})
    settings = _cifar.settings(
        train, test, side=SIDE, n_atoms=N_ATOMS, n_clusters=N_CLUSTERS, epochs=EPOCHS
    )
    _record.record(
        args, "claim_patch_clusters", tables=tables, settings=settings, seeds=SEEDS
    )


if __name__ == "__main__":
    main()
