"""Segmentation of photos by their codes: 32x32 sites of 512 atoms, 3 clusters.

Segmentation is from codes to label maps. Its spectral part, from colours and textures
of the sites to their clusters, is measured once more by itself, beside scikit-learn's
`SpectralClustering` (arpack) with the same affinity of nearby sites. *Scenes* are the
sites of a photo without their places, whose affinity is ``(1 + cos) / 2`` of all pairs:
the peer gets to compute that by one product, and the limit is this product alone.
*Agreement* is the adjusted Rand index with k-means, 20 starts, on the exact
eigenvectors of the affinity. K-means: the peer is scikit-learn's, as many starts, on
the same codes. Boundary connectivity: from the mean colours of the sites.
"""

import numpy as np
from scipy import sparse
from scipy.linalg import eigh
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import normalize

from rows._contenders import Apart, Here, race
from rows._photos import crops
from rows._results import Check, Result, ratio
from sklearn_sparsevae import KMeansSegmenter, SparseCodingVAE, SpectralSegmenter
from sklearn_sparsevae.segmentation import boundary_connectivity
from sklearn_sparsevae.segmentation._clusters import one_thread
from sklearn_sparsevae.segmentation._normalized_cut import nearby_pairs
from sklearn_sparsevae.segmentation._sites import look

N_PHOTOS, SIDE, N_CLUSTERS, GRID = 8, 256, 3, (32, 32)
N_SITES = 32 * 32
FLOOR = 1e-4  # affinity of nearby sites that look nothing alike


def make_encoder():
    """SparseCodingVAE where training starts, with atoms that need no data."""
    model = SparseCodingVAE(dictionary="dct", max_epochs=0, random_state=0)
    return model.fit(crops(64, 16))


def make_segmenter():
    """Segmentation into regions, with defaults otherwise."""
    return SpectralSegmenter(
        N_CLUSTERS, foreground=None, resolution="grid", random_state=0
    )


def scene_affinity(rows):
    """Affinity ``(1 + cos) / 2`` of the sites of a photo, rows of unit length."""
    return ((1 + (rows @ rows.T).toarray()) / 2).astype(np.float64)


def local_affinity(sites):
    """Affinity of the nearby sites of a photo, as `SpectralSegmenter` documents it."""
    model = make_segmenter()
    features = np.hstack(
        [sites.color / model.color_scale, sites.texture / model.texture_scale]
    )
    # scikit-learn takes no other indices.
    first, second = np.array(nearby_pairs(sites.grid_shape, model.radius), np.int32)
    squared = ((features[first] - features[second]) ** 2).sum(axis=1)
    n = len(features)
    pairs = sparse.coo_array(
        (np.exp(-squared / 2) + FLOOR, (first, second)), shape=(n, n)
    )
    return sparse.csr_array(pairs + pairs.T + sparse.eye_array(n))


def exact_labels(weights):
    """Clusters of the exact leading eigenvectors of the normalised affinity."""
    weights = weights.toarray() if sparse.issparse(weights) else weights
    scale = 1 / np.sqrt(weights.sum(axis=1))
    first = len(weights) - N_CLUSTERS
    _, vectors = eigh(
        scale[:, None] * weights * scale, subset_by_index=[first, len(weights) - 1]
    )
    model = KMeans(N_CLUSTERS, n_init=20, random_state=0)
    return model.fit_predict(normalize(vectors))


def scikit_learn_spectral(affinity, photos):
    """Make scikit-learn's spectral clustering of every photo, whatever its affinity."""
    from sklearn.cluster import SpectralClustering

    model = SpectralClustering(N_CLUSTERS, affinity="precomputed", random_state=0)
    return lambda: [model.fit_predict(affinity(photo)) for photo in photos]


def scikit_learn_k_means(photos):
    """Make scikit-learn's k-means of every photo, with as many starts as ours."""
    n_init = KMeansSegmenter().n_init
    model = KMeans(N_CLUSTERS, n_init=n_init, random_state=0)
    return lambda: [model.fit_predict(rows) for rows in photos]


def race_spectral(job, labels, affinity, photos, **others):
    """Measure a way to cluster photos, beside scikit-learn on the same affinity.

    ``labels()`` are those of ours for all photos; ``others`` may have the limit.
    """
    peer = Apart(scikit_learn_spectral, affinity, photos, amount=N_PHOTOS)
    figures = race({"ours": Here(labels, N_PHOTOS), "scikit-learn": peer, **others})
    ours, peer, *limits = figures.values()
    agreement = [
        adjusted_rand_score(exact_labels(affinity(photo)), own.ravel())
        for photo, own in zip(photos, labels(), strict=True)
    ]
    checks = (
        Check(f"{job}, over scikit-learn", ratio(ours, peer), at_least=5),
        Check(f"{job}, agreement, median", float(np.median(agreement)), at_least=0.98),
        Check(f"{job}, agreement, worst", min(agreement), at_least=0.7),
    )
    return Result(job, "photos/s", ours, (peer,), *limits, checks=checks)


def measure_segmentation(codes):
    """Measure spectral segmentation of photos."""
    model = make_segmenter().fit(codes)
    run = Here(lambda: model.predict(codes), N_PHOTOS)
    return Result("spectral segmentation", "photos/s", race({"ours": run})["ours"])


def measure_spectral(codes):
    """Measure the spectral part of that."""
    model = make_segmenter().fit(codes)
    photos = [look(codes[i : i + 1]) for i in range(N_PHOTOS)]

    def labels():
        with one_thread():  # as `predict` does
            return [model._cut(sites, N_CLUSTERS) for sites in photos]

    job = "spectral clustering of photos"
    return race_spectral(job, labels, local_affinity, photos)


def measure_scenes(photos):
    """Measure spectral clustering of scenes."""
    model = make_segmenter()
    dense = [rows.toarray() for rows in photos]
    return race_spectral(
        "spectral clustering of scenes",
        lambda: [model.fit(rows).labels_ for rows in photos],
        scene_affinity,
        photos,
        products=Here(lambda: [rows @ rows.T for rows in dense], N_PHOTOS),
    )


def measure_k_means(codes, photos):
    """Measure segmentation by k-means."""
    model = KMeansSegmenter(N_CLUSTERS, resolution="grid", random_state=0).fit(codes)
    figures = race(
        {
            "ours": Here(lambda: model.predict(codes), N_PHOTOS),
            "scikit-learn": Apart(scikit_learn_k_means, photos, amount=N_PHOTOS),
        }
    )
    ours, peer = figures.values()
    return Result("k-means segmentation", "photos/s", ours, (peer,))


def measure_boundary(image):
    """Measure boundary connectivity of a photo."""
    blocks = image.reshape(GRID[0], SIDE // GRID[0], GRID[1], SIDE // GRID[1], 3)
    colors = blocks.mean(axis=(1, 3)).reshape(-1, 3) / 2.55
    run = Here(lambda: boundary_connectivity(colors, GRID, scale=7.0))
    return Result("boundary connectivity", "photos/s", race({"ours": run})["ours"])


def measure():
    """Results of this row."""
    images = crops(SIDE, N_PHOTOS)
    codes = make_encoder().transform(images)
    rows = normalize(sparse.csr_array(codes.sites()))
    photos = [rows[i : i + N_SITES] for i in range(0, rows.shape[0], N_SITES)]
    return [
        measure_segmentation(codes),
        measure_spectral(codes),
        measure_scenes(photos),
        measure_k_means(codes, [photo.toarray() for photo in photos]),
        measure_boundary(images[0]),
    ]
