"""Textures that colour says nothing of: mosaics of brick, grass and gravel.

Grey values of each piece of a mosaic are equalised, so that all textures have the same
histogram, and the true label of every pixel is known. Textures are three images that
scikit-image ships. Mosaics of their right halves are what encoders, PCA and, for the
column *one fit*, k-means are fitted on, and what each row's options are chosen by (with
true labels; listed in the script). Others, of the left halves, are measured: *ARI*, the
adjusted Rand index, of the clusters of each mosaic by itself, and of those of one fit
for all. In brackets 95 % bootstrap intervals over mosaics.

Layouts: halves side by side; quadrants; cells of Voronoi; *discs*, five discs of one or
two textures in another, as cells of a tissue that differ in texture alone.

All rows go through ``KMeansSegmenter``, which takes whatever describes a site for its
code, so that peers are pooled as codes are; regions by boundaries are the exception.
The reach of pooling is chosen for each row, and for peers whether magnitudes or their
squares are pooled. Codes are those of the sites that a photo has; peers have a site
every four pixels, and local binary patterns are counted at every pixel.

Run ``python benchmarks/segmentation/textures.py``.
"""

import argparse
import dataclasses
import functools
import pathlib
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve
from skimage import data, exposure
from skimage.feature import local_binary_pattern
from skimage.filters import gabor_kernel
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import (
    DictionaryLearningVAE,
    KMeansSegmenter,
    SparseCodes,
    SparseCodingVAE,
    SpectralSegmenter,
)

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import _common
import _record

TEXTURES = ("brick", "grass", "gravel")
SETS = ((0, 1), (0, 2), (1, 2), (0, 1, 2))
LAYOUTS = ("halves", "quadrants", "voronoi", "discs")
SIDES = (128, 256)
N_ATOMS = 128
SITE = 4  # pixels between the sites of peers
PATCH = 8
REACHES = (6, 8, 12, 16)  # of pooling, in pixels
N_PRINCIPAL = 32
GABOR_FREQUENCIES = (0.06, 0.12, 0.25)
MAX_EPOCHS = 1
# The first is the one that goals are about.
ENCODERS = (
    ("SC codes", SparseCodingVAE, 3),
    ("SC codes of 4 pixels", SparseCodingVAE, 2),
    ("DL codes of 4 pixels", DictionaryLearningVAE, 2),
)
LABELS = {
    "SpectralSegmenter": "`SpectralSegmenter`",
    "SC codes, not pooled": "`KMeansSegmenter()`, SC codes",
    "SC codes, pooled": "`KMeansSegmenter(pooling=)`, SC codes",
    "SC codes of 4 pixels, pooled": "the same, sites of 4 pixels",
    "DL codes of 4 pixels, pooled": "the same, DL codes",
}
TO_BEAT = ("grey values", "raw patches", "raw patches, pooled")
GOAL = 0.1
# Differences that documentation names.
SHORT = {
    "grey": "grey values",
    "patches": "raw patches, pooled",
    "pca": "PCA of patches, pooled",
    "gabor": "Gabor filters, pooled",
    "lbp": "local binary patterns, pooled",
}


@dataclasses.dataclass(frozen=True)
class Mosaic:
    """A grey picture of several textures, and which of them each pixel has."""

    layout: str
    picture: np.ndarray
    truth: np.ndarray

    @property
    def n_textures(self):
        """Number of textures."""
        return int(self.truth.max()) + 1


@dataclasses.dataclass(frozen=True)
class Row:
    """What describes the sites of a picture, as codes, and how they are clustered.

    Of ``reaches`` of pooling, in pixels, and ``powers`` that magnitudes are raised to,
    those are taken that part the mosaics of the fit best.
    """

    name: str
    describe: Callable
    site: int = SITE
    reaches: tuple = REACHES
    powers: tuple = (1, 2)
    segmenter: Callable = KMeansSegmenter

    def clusters(self, n_clusters, reach, **options):
        """Return a segmenter that pools over so many pixels."""
        if reach:
            options["pooling"] = reach / self.site
        return self.segmenter(n_clusters, random_state=_common.SEED, **options)

    def codes(self, picture, power):
        """Codes of one picture, with magnitudes raised to a power."""
        codes = self.describe(picture).copy()
        codes.data **= power
        return codes


def make_mosaics(part, n_of_each, seed):
    """Mosaics of all layouts, sizes and sets of textures, of one half of the images."""
    columns = {"left": slice(0, 256), "right": slice(256, 512)}[part]
    images = [getattr(data, name)()[:, columns] for name in TEXTURES]
    rng = np.random.default_rng(seed)
    return [
        _mosaic(layout, side, [images[i] for i in chosen], rng)
        for _ in range(n_of_each)
        for layout in LAYOUTS
        for side in SIDES
        for chosen in SETS
    ]


def _mosaic(layout, side, images, rng):
    truth = _layout(layout, len(images), side, rng)
    pieces = np.stack([_piece(image, side, rng) for image in images])
    picture = np.take_along_axis(pieces, truth[None], axis=0)[0]
    return Mosaic(layout, picture.astype(np.float32), truth)


def _piece(image, side, rng):
    """Square from anywhere in an image, with as many pixels of each grey value."""
    row, column = (rng.integers(0, size - side + 1) for size in image.shape)
    return exposure.equalize_hist(image[row : row + side, column : column + side])


def _layout(layout, n_textures, side, rng):
    """Which texture each pixel has."""
    down, right = (np.mgrid[:side, :side] + 0.5) / side
    if layout == "halves":
        return (right * n_textures).astype(int)
    if layout == "quadrants":
        order = np.r_[rng.permutation(n_textures), rng.permutation(n_textures)[::-1]]
        return order[2 * (down > 0.5) + (right > 0.5)]
    if layout == "voronoi":
        points = rng.uniform(0.15, 0.85, size=(2 * n_textures, 2))
        squared = [(down - y) ** 2 + (right - x) ** 2 for y, x in points]
        return np.argmin(squared, axis=0) % n_textures
    truth = np.zeros((side, side), dtype=int)
    for i, (y, x) in enumerate(_centers(rng)):
        inside = (down - y) ** 2 + (right - x) ** 2 < 0.13**2
        truth[inside] = 1 + i % (n_textures - 1)
    return truth


def _centers(rng):
    """Centres of five discs that do not overlap."""
    centers = []
    while len(centers) < 5:
        center = rng.uniform(0.15, 0.85, size=2)
        if all(np.hypot(*(center - other)) > 0.3 for other in centers):
            centers.append(center)
    return centers


def patches(picture):
    """Patches of 8 x 8 pixels around every fourth pixel."""
    margin = (PATCH - SITE) // 2
    padded = np.pad(picture, margin, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (PATCH, PATCH))
    windows = windows[::SITE, ::SITE]
    return windows.reshape(*windows.shape[:2], -1)


def by_site(values):
    """Mean over the pixels of each site."""
    height, width, n = values.shape
    return values.reshape(height // SITE, SITE, width // SITE, SITE, n).mean((1, 3))


def grey(picture):
    """Mean grey value of sites."""
    return by_site(picture[..., None])


def contrast(picture):
    """Deviation of grey values from those around them."""
    detail = picture - gaussian_filter(picture, SITE)
    return np.sqrt(by_site(detail[..., None] ** 2))


def centred(picture):
    """Patches less their mean."""
    found = patches(picture)
    return found - found.mean(axis=-1, keepdims=True)


def fit_principal(mosaics):
    """PCA of patches less their mean."""
    found = [centred(mosaic.picture).reshape(-1, PATCH**2) for mosaic in mosaics]
    return PCA(N_PRINCIPAL, random_state=_common.SEED).fit(np.concatenate(found))


def gabor(picture):
    """Magnitudes of Gabor filters of three frequencies in four directions."""
    margin = 16
    padded = np.pad(picture - picture.mean(), margin, mode="symmetric")
    answers = []
    for frequency in GABOR_FREQUENCIES:
        for angle in np.arange(4) * np.pi / 4:
            kernel = gabor_kernel(frequency, theta=angle)
            answer = np.abs(fftconvolve(padded, kernel, mode="same"))
            answers.append(answer[margin:-margin, margin:-margin])
    return by_site(np.stack(answers, axis=-1) / np.std(answers, axis=(1, 2)))


def binary_patterns(picture):
    """Shares of rotation invariant local binary patterns of two radii."""
    levels = (255 * picture).astype(np.uint8)
    shares = []
    for n_points, radius in ((8, 1), (16, 2)):
        found = local_binary_pattern(levels, n_points, radius, "uniform").astype(int)
        shares.append(by_site(np.eye(n_points + 2, dtype=np.float32)[found]))
    return np.concatenate(shares, axis=-1)


def as_codes(describe):
    """Numbers of each site as codes, so that they are pooled and clustered alike."""

    def coded(picture):
        values = np.ascontiguousarray(describe(picture), dtype=np.float32)
        shape = (*picture.shape, 1)
        return SparseCodes(
            values.reshape(1, -1), grid_shape=values.shape[:2], image_shape=shape
        )

    return coded


def peer_rows(mosaics):
    """Yield what one would take instead of codes."""
    components = fit_principal(mosaics).components_.T

    def principal(picture):
        return centred(picture) @ components

    yield Row("grey values", as_codes(grey), powers=(1,))
    yield Row("raw patches", as_codes(patches), reaches=(0,), powers=(1,))
    yield Row("raw patches, pooled", as_codes(centred))
    yield Row("local contrast, pooled", as_codes(contrast))
    yield Row("local binary patterns, pooled", as_codes(binary_patterns))
    yield Row("PCA of patches, pooled", as_codes(principal))
    yield Row("Gabor filters, pooled", as_codes(gabor))


def our_rows(mosaics, args):
    """Codes of three encoders, pooled; of the first also without, and by regions."""
    pictures = np.stack([m.picture for m in mosaics if len(m.picture) == max(SIDES)])
    epochs = _common.epochs(args, MAX_EPOCHS)
    for name, kind, n_downsamples in ENCODERS:
        settings = {"n_downsamples": n_downsamples, "random_state": _common.SEED}
        encoder = kind(N_ATOMS, **settings, **epochs)
        cpu, wall = _common.timed_fit(encoder, pictures)
        print(f"{name}: fitted in {wall:.0f} s ({cpu:.0f} CPU)", flush=True)
        encode, site = functools.partial(_encode, encoder), 2**n_downsamples
        if name == ENCODERS[0][0]:
            none = {"reaches": (0,), "powers": (1,)}
            regions = functools.partial(SpectralSegmenter, foreground=None)
            yield Row("SpectralSegmenter", encode, site, segmenter=regions, **none)
            yield Row(f"{name}, not pooled", encode, site, **none)
        yield Row(f"{name}, pooled", encode, site, powers=(1,))


def _encode(encoder, picture):
    return encoder.transform(picture[None])


def agreement(labels, mosaic):
    """ARI of a label map."""
    return adjusted_rand_score(mosaic.truth.ravel(), labels.ravel())


def cluster(row, codes, mosaic, reach):
    """ARI of the clusters of one mosaic by itself."""
    labels = row.clusters(mosaic.n_textures, reach).fit_predict(codes)
    return agreement(labels[0], mosaic)


def choose(row, tuning):
    """Reach and power that part the mosaics of the fit best."""
    options = {}
    for power in row.powers:
        codes = [row.codes(mosaic.picture, power) for mosaic in tuning]
        for reach in row.reaches:
            scores = [cluster(row, *pair, reach) for pair in zip(codes, tuning)]
            options[reach, power] = np.mean(scores)
    return max(options, key=options.get)


def measure(row, tuning, mosaics):
    """Choose options on the mosaics of the fit, cluster the others, print."""
    reach, power = choose(row, tuning)
    start = time.perf_counter()
    codes = [row.codes(mosaic.picture, power) for mosaic in mosaics]
    alone = [cluster(row, *pair, reach) for pair in zip(codes, mosaics)]
    seconds = (time.perf_counter() - start) / len(mosaics)
    result = {"row": row.name, "reach": reach, "power": power, "seconds": seconds}
    result["alone"] = alone
    if row.segmenter is KMeansSegmenter:
        shared = row.clusters(len(TEXTURES), reach, scope="dataset")
        shared.fit([row.codes(mosaic.picture, power) for mosaic in tuning])
        pairs = zip(shared.predict(codes), mosaics)
        result["shared"] = [agreement(*pair) for pair in pairs]
    shown = show(alone) + "  " + show(result.get("shared"))
    print(
        f"{row.name:32s}{shown:44s}{reach:3d} px, power {power} {seconds:8.3f} s",
        flush=True,
    )
    return result


def show(values):
    """Text of a mean and its interval; none for a row without."""
    if values is None:
        return ""
    low, high = _common.interval(values)
    return f"{np.mean(values):6.3f} [{low:.3f} {high:.3f}]"


def compare(ours, peer):
    """Paired difference in ARI of two rows, and its interval."""
    gaps = np.subtract(ours["alone"], peer["alone"])
    return [float(gaps.mean()), *_common.interval(gaps)]


def check(ours, peers):
    """Say whether codes beat colour and raw patches by the goal; print the rest."""
    goals = []
    for peer in peers:
        gap, low, high = compare(ours, peer)
        text = f"{ours['row']} - {peer['row']}: {gap:+.3f} ARI [{low:+.3f} {high:+.3f}]"
        if peer["row"] in TO_BEAT:
            text += f", expected {GOAL} or more"
            goals.append(_common.verdict(text, gap >= GOAL))
        else:
            print(f"        {text}")
    return goals


def to_tables(results, mosaics):
    """ARI of all rows, and the same by layout and by size."""
    groups = {name: [m.layout == name for m in mosaics] for name in LAYOUTS}
    groups |= {f"px{n}": [len(m.picture) == n for m in mosaics] for n in SIDES}
    rows, kinds = [], []
    for result in results:
        name = result["row"]
        own = {"key": _record.key(name), "label": LABELS.get(name, name)}
        scores = {
            scope: {
                "mean": np.mean(result[scope]),
                "interval": _common.interval(result[scope]),
            }
            for scope in ("alone", "shared")
            if scope in result
        }
        rows.append(own | scores | {"reach": result["reach"] or None})
        alone = np.array(result["alone"])
        kinds.append(own | {kind: alone[of].mean() for kind, of in groups.items()})
    columns = _record.columns(
        alone=("ARI, each by itself", ".2f"),
        shared=("ARI, one fit", ".2f"),
        reach=("reach, pixels", ".0f"),
        best={"alone": "max", "shared": "max"},
    )
    by = {name: (name, ".2f") for name in LAYOUTS}
    by |= {f"px{n}": (f"{n} x {n}", ".2f") for n in SIDES}
    return {
        "methods": _record.table("what is clustered", columns, rows),
        "layouts": _record.table("what is clustered", _record.columns(**by), kinds),
    }


def main():
    """Read the command line, run, write JSON."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = options.add_argument
    add("--max-epochs", type=_common.positive, help="of the encoders")
    add("--n-of-each", type=_common.positive, default=2, help="mosaics of each kind")
    _common.add_common(options, "textures.json")
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    tuning = make_mosaics("right", 1, _common.SEED)
    mosaics = make_mosaics("left", args.n_of_each, _common.SEED + 1)
    print(f"{len(mosaics)} mosaics, and {len(tuning)} others to fit and choose on")
    with threadpool_limits(args.threads):
        rows = [measure(row, tuning, mosaics) for row in peer_rows(tuning)]
        rows += [measure(row, tuning, mosaics) for row in our_rows(tuning, args)]
    named = {row["row"]: row for row in rows}
    ours = named[f"{ENCODERS[0][0]}, pooled"]
    goals = check(ours, [row for row in rows if row is not ours])
    figures = {}
    for short, name in SHORT.items():
        for end, value in zip(("", "_low", "_high"), compare(ours, named[name])):
            figures[f"over_{short}{end}"] = value
    settings = {
        "n_mosaics": len(mosaics),
        "n_tuning": len(tuning),
        "n_components": N_ATOMS,
        "max_epochs": args.max_epochs or MAX_EPOCHS,
    }
    content = {**settings, "rows": rows, "goals": goals, **figures}
    _common.write_json(args.json, content)
    tables = to_tables(rows, mosaics)
    _record.record(args, "textures", tables=tables, figures=figures, settings=settings)


if __name__ == "__main__":
    main()
