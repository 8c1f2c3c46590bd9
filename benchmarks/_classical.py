"""Classical codes of images of 32x32 pixels, and curves of rate and distortion.

Everything is measured on images that were not trained on, and comes as
:class:`Point`. What each of its numbers counts:

* ``psnr`` in dB is the mean over images, after clipping to [0, 1].
* ``bpp`` and ``bpp_entropy`` are bits per pixel, as ``metrics.bits_per_pixel`` counts
  them at fixed length and at the bound of the entropy. Methods that are no sparse codes
  say in their own docstrings what they count instead.
* ``nnz`` is the mean number of non-zeros of an image after quantisation.
* ``seconds`` is the time of fitting. Learned models are not part of the rate.

Patches of training and of test images are cut side by side, without overlap, and 0.5 is
taken from every value. There is no other treatment of the mean: atoms that are needed
for it are counted like all others.

CIFAR-10 (JPEG) was compressed by JPEG, at quality 75 with halved colour, before anyone
measures on it. That favours whatever works on the same grid of 8x8 pixels. With four
pixels cut off every side, JPEG 4:4:4 of quality 70 gives 31.6 dB and not 38.7, PCA of
8x8 patches at two bits per pixel (bound) 31.9 and not 34.2, of 4x4 patches 30.5 and not
30.7. Between methods on one grid the comparison is fair.
"""

import dataclasses
import io
import math
import time
import warnings
from itertools import pairwise

import _common
import numpy as np
import torch
from PIL import Image
from scipy import sparse
from scipy.stats import entropy
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA, MiniBatchDictionaryLearning
from sklearn.exceptions import ConvergenceWarning

from sklearn_sparsevae import metrics
from sklearn_sparsevae.codes import SparseCodes, are_counts, quantize_codes
from sklearn_sparsevae.sparse import batch_omp, learn_dictionary

N_ATOMS = 512
COEF_BITS = (3, 4, 5, 6, 7, 8, 9, 10)
# Non-zeros of a patch, by its side, between 0.2 and 4 bits per pixel or a little more.
N_NONZEROS = {4: (1, 2, 3, 4, 5, 6), 8: (1, 2, 4, 6, 8, 12, 16, 20)}
N_COMPONENTS = {4: (4, 8, 16, 32, 48), 8: (4, 8, 16, 32, 64, 192)}
ALPHA = 0.2  # weight of the L1 norm in fitting; 0.1 suits many non-zeros, 0.3 few
FIT_BATCH = 512  # patches of a partial_fit
N_BATCHES = 600  # of our dictionary learning
# Formats of photos: a name, what Pillow is told, and a setting for each point.
_QUALITIES = [{"quality": q} for q in (2, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90)]
FORMATS = [
    ("JPEG 4:2:0", {"format": "JPEG", "optimize": True}, _QUALITIES),
    (
        "JPEG 4:4:4",
        {"format": "JPEG", "optimize": True, "subsampling": "4:4:4"},
        _QUALITIES,
    ),
    (
        "JPEG 2000",
        {"format": "JPEG2000", "irreversible": True, "quality_mode": "rates"},
        [{"quality_layers": [24 / bpp]} for bpp in (0.2, 0.35, 0.5, 0.7, 1, 1.5, 2, 4)],
    ),
    ("WebP", {"format": "WEBP", "method": 6}, [{"quality": 0}, *_QUALITIES]),
    ("AVIF 4:2:0", {"format": "AVIF", "speed": 6}, _QUALITIES[1::2]),
    (
        "AVIF 4:4:4",
        {"format": "AVIF", "speed": 6, "subsampling": "4:4:4"},
        _QUALITIES[1::2],
    ),
]


@dataclasses.dataclass(frozen=True)
class Point:
    """What one method reaches at one setting."""

    method: str
    setting: str
    bpp: float
    bpp_entropy: float
    psnr: float
    nnz: float | None
    seconds: float


# Patches -----------------------------------------------------------------------------


def to_patches(images, side):
    """Rows ``(n_sites, side * side * C)``, less 0.5, of uint8 images in order."""
    n, height, width, channels = images.shape
    grid = (n, height // side, side, width // side, side, channels)
    patches = (images.astype(np.float32) / 255 - 0.5).reshape(grid)
    return patches.transpose(0, 1, 3, 2, 4, 5).reshape(-1, side * side * channels)


def from_patches(patches, side, image_shape):
    """Images, clipped to [0, 1], of rows."""
    height, width, channels = image_shape
    grid = (-1, height // side, width // side, side, side, channels)
    images = patches.reshape(grid).transpose(0, 1, 3, 2, 4, 5)
    return np.clip(images.reshape(-1, *image_shape) + 0.5, 0, 1)


def as_image_codes(sites, side, image_shape):
    """SparseCodes of images from the codes ``(n_sites, n_atoms)`` of their patches."""
    grid_shape = (image_shape[0] // side, image_shape[1] // side)
    n_columns = grid_shape[0] * grid_shape[1] * sites.shape[1]
    rows = sparse.csr_array(sites).reshape(-1, n_columns)
    return SparseCodes(rows, grid_shape=grid_shape, image_shape=image_shape)


# Measuring ---------------------------------------------------------------------------


def code_points(
    method,
    setting,
    codes,
    decode,
    images,
    seconds,
    coef_bits=COEF_BITS,
    components=None,
    ordered=False,
):
    """Points of sparse codes, one for each precision of the coefficients.

    Parameters
    ----------
    method, setting : str
        What the points are called.
    codes : SparseCodes
        Codes of ``images``, not yet quantised.
    decode : callable
        Returns images in [0, 1] from such codes, as ``inverse_transform`` does.
    images : ndarray (n, H, W, C), uint8
    seconds : float
        Time of fitting.
    coef_bits : sequence of int
        Precisions; codes that are counts have none, and give one point.
    components : ndarray, optional
        Atoms, with which coefficients are rounded together.
    ordered : bool
        How `metrics.bits_per_pixel` counts.

    Returns
    -------
    points : list of Point
    """
    settings = {bits: f"{setting}, {bits} bits" for bits in coef_bits}
    if are_counts(codes):
        settings = {coef_bits[0]: setting}
    points = []
    for bits, name in settings.items():
        quantized = quantize_codes(codes, bits, components)
        bpp, bound = (
            metrics.bits_per_pixel(quantized, bits, entropy=entropy, ordered=ordered)
            for entropy in (False, True)
        )
        psnr = metrics.psnr(images, np.clip(decode(quantized), 0, 1))
        nnz = quantized.nnz / len(images)
        points.append(Point(method, name, bpp, bound, psnr, nnz, seconds))
    return points


# Sparse codes of patches -------------------------------------------------------------


def sklearn_points(train, images, side, budget=45.0):
    """OMP over the dictionary that MiniBatchDictionaryLearning fits in a time budget.

    It has the lasso alone to fit with: one dictionary, a compromise, serves all.
    """
    start = time.perf_counter()
    atoms = sklearn_dictionary(to_patches(train, side), budget)
    seconds = time.perf_counter() - start
    points = []
    for number in N_NONZEROS[side]:
        points += omp_points(
            "scikit-learn", "omp", atoms, number, images, side, seconds
        )
    return points


def sklearn_dictionary(patches, budget):
    """Atoms ``(N_ATOMS, n)`` that scikit-learn fits in ``budget`` seconds."""
    stop = time.perf_counter() + budget
    random = np.random.RandomState(_common.SEED)
    first = patches[random.choice(len(patches), N_ATOMS, replace=False)]
    model = MiniBatchDictionaryLearning(
        N_ATOMS,
        alpha=ALPHA,
        fit_algorithm="lars",
        batch_size=FIT_BATCH,
        dict_init=first / np.linalg.norm(first, axis=1, keepdims=True),
        random_state=_common.SEED,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        while time.perf_counter() < stop:
            model.partial_fit(patches[random.randint(len(patches), size=FIT_BATCH)])
    return model.components_.astype(np.float32)


def our_points(train, images, side):
    """Our best: fitted for each number of non-zeros, atoms chosen by what they leave.

    ``selection="ols"`` is worth 0.2 to 2 dB over OMP at equal non-zeros. Its few large
    coefficients set the step of the quantiser, so that it needs 9 or 10 bits for that.
    """
    patches = torch.from_numpy(to_patches(train, side))
    points = []
    for number in N_NONZEROS[side]:
        start = time.perf_counter()
        atoms = learn_dictionary(
            patches, N_ATOMS, n_nonzero_coefs=number, n_iter=N_BATCHES
        ).numpy()
        seconds = time.perf_counter() - start
        points += omp_points("ours", "ols", atoms, number, images, side, seconds)
    return points


def omp_points(who, selection, atoms, n_nonzero_coefs, images, side, seconds):
    """Points of a dictionary of patches at one number of non-zeros a patch."""
    image_shape = images.shape[1:]
    sites = omp(to_patches(images, side), atoms, n_nonzero_coefs, selection)
    return code_points(
        f"dictionary ({who}, {selection}), {side}x{side}",
        f"S={n_nonzero_coefs}",
        as_image_codes(sites, side, image_shape),
        lambda codes: from_patches(codes.sites() @ atoms, side, image_shape),
        images,
        seconds,
        components=atoms,
    )


def omp(patches, atoms, n_nonzero_coefs, selection):
    """Codes ``(n_patches, n_atoms)`` by orthogonal matching pursuit, as a CSR array."""
    indices, values = batch_omp(patches, atoms, n_nonzero_coefs, selection=selection)
    used = indices >= 0
    pointer = np.concatenate([[0], np.cumsum(used.sum(axis=1))])
    shape = (len(patches), len(atoms))
    return sparse.csr_array((values[used], indices[used], pointer), shape=shape)


# Other codes of patches --------------------------------------------------------------


def kmeans_points(train, images, side, n_codes=(16, 64, 512, 4096)):
    """Vector quantisation of patches by k-means: one index of ``n_codes`` a patch."""
    patches, points = to_patches(train, side), []
    random = np.random.RandomState(_common.SEED)
    patches = patches[random.permutation(len(patches))[:300_000]]
    image_shape = images.shape[1:]
    for number in n_codes:
        start = time.perf_counter()
        model = MiniBatchKMeans(
            number, batch_size=8192, n_init=1, random_state=_common.SEED
        ).fit(patches)
        seconds = time.perf_counter() - start
        labels = model.predict(to_patches(images, side))
        sites = sparse.csr_array(
            (np.ones(len(labels)), labels, np.arange(len(labels) + 1)),
            shape=(len(labels), number),
        )
        centers = model.cluster_centers_
        points += code_points(
            f"k-means, {side}x{side}",
            f"K={number}",
            as_image_codes(sites, side, image_shape),
            lambda codes: from_patches(codes.sites() @ centers, side, image_shape),
            images,
            seconds,
        )
    return points


def pca_points(train, images, side, coef_bits=COEF_BITS):
    """Principal components of patches, all quantised with one step.

    Which components a patch has is known, so no index is stored. At fixed length each
    has the bits that its own range of levels on ``images`` needs; the bound is the sum
    of the components' entropies.
    """
    start = time.perf_counter()
    pca = PCA().fit(to_patches(train, side))
    seconds = time.perf_counter() - start
    image_shape, points = images.shape[1:], []
    scores = pca.transform(to_patches(images, side))
    for number in N_COMPONENTS[side]:
        codes = as_image_codes(scores[:, :number], side, image_shape)
        for bits in coef_bits:
            quantized = quantize_codes(codes, bits)
            sites = quantized.sites().toarray()
            decoded = sites @ pca.components_[:number] + pca.mean_
            fixed, bound = level_bits(sites, bits)
            points.append(
                Point(
                    f"PCA, {side}x{side}",
                    f"{number} components, {bits} bits",
                    fixed / side**2,
                    bound / side**2,
                    metrics.psnr(images, from_patches(decoded, side, image_shape)),
                    quantized.nnz / len(images),
                    seconds,
                )
            )
    return points


def level_bits(sites, coef_bits):
    """Bits of a row of quantised numbers: for the ranges, and for the entropies."""
    levels = np.rint(sites * ((2 ** (coef_bits - 1) - 1) / np.abs(sites).max()))
    fixed = np.log2(np.ptp(levels, axis=0) + 1).sum()
    bound = sum(
        entropy(np.unique(column, return_counts=True)[1], base=2) for column in levels.T
    )
    return float(fixed), float(bound)


# Files of photos ---------------------------------------------------------------------


def file_points(images):
    """JPEG, JPEG 2000, WebP and AVIF, as Pillow writes them, in bytes of whole files.

    All images are tiles of one photo, so that a single header is shared by all, as one
    is by compressed codes. JPEG, WebP and AVIF work on blocks of pixels, whose sides
    divide those of an image; the wavelets of JPEG 2000 reach over the borders of images
    (in tiles of its own it would be worse by 3 dB at equal bytes). Every format has an
    entropy coder: ``bpp`` and ``bpp_entropy`` are the same number.
    """
    photo, points = _mosaic(images), []
    for name, options, settings in FORMATS:
        for setting in settings:
            file = io.BytesIO()
            Image.fromarray(photo).save(file, **options, **setting)
            bpp = 8 * len(file.getvalue()) / images[..., 0].size
            with Image.open(file) as written:
                decoded = _from_mosaic(np.asarray(written.convert("RGB")), images.shape)
            psnr = metrics.psnr(images, decoded)
            said = ", ".join(f"{key} {value}" for key, value in setting.items())
            points.append(Point(f"{name}, mosaic", said, bpp, bpp, psnr, None, 0.0))
    return points


def _mosaic(images):
    """One photo of all images, row by row; what is left of the last row is grey."""
    n, height, width, channels = images.shape
    n_columns = math.ceil(math.sqrt(n))
    n_rows = math.ceil(n / n_columns)
    tiles = np.full((n_rows * n_columns, height, width, channels), 128, np.uint8)
    tiles[:n] = images
    rows = tiles.reshape(n_rows, n_columns, height, width, channels).swapaxes(1, 2)
    return rows.reshape(n_rows * height, n_columns * width, channels)


def _from_mosaic(photo, shape):
    n, height, width, channels = shape
    rows = photo.reshape(-1, height, photo.shape[1] // width, width, channels)
    return rows.swapaxes(1, 2).reshape(-1, height, width, channels)[:n]


def jpeg_points(images, qualities=(2, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80)):
    """Baseline JPEG, with and without halved colour, in bytes that were written.

    Each image is a file of its own. Its header (markers and tables up to the scan, 623
    bytes, equal for all images of one quality) would hide the rest at this size, so
    there are two curves each: of the whole file, and of the scan alone, which is what
    abbreviated files with shared tables would take. JPEG has its own entropy coder:
    ``bpp`` and ``bpp_entropy`` are the same number.
    """
    points = []
    for subsampling in ("4:2:0", "4:4:4"):
        for quality in qualities:
            files = [_jpeg(image, quality, subsampling) for image in images]
            decoded = np.stack([np.asarray(Image.open(io.BytesIO(f))) for f in files])
            psnr = metrics.psnr(images, decoded)
            for what, size in (("file", len), ("scan", _scan_bytes)):
                bpp = 8 * sum(map(size, files)) / images[..., 0].size
                name, setting = f"JPEG {subsampling}, {what}", f"quality {quality}"
                points.append(Point(name, setting, bpp, bpp, psnr, None, 0.0))
    return points


def _jpeg(image, quality, subsampling):
    file = io.BytesIO()
    Image.fromarray(image).save(
        file, "JPEG", quality=quality, subsampling=subsampling, optimize=False
    )
    return file.getvalue()


def _scan_bytes(content):
    """Bytes between the header of the only scan and the marker of the end."""
    position, marker = 2, None
    while marker != 0xDA:
        marker = content[position + 1]
        position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return len(content) - position - 2


# Curves ------------------------------------------------------------------------------


def envelope(points, key="bpp"):
    """Points on the upper concave hull of PSNR over the rate, from the cheapest on.

    What lies between two of them is reached as well: code a share of the images at one
    setting and the rest at the other, and both means move along the straight line. So
    ``numpy.interp`` over the hull is the PSNR of a method at a given rate. The hull
    ends at the highest PSNR.

    Parameters
    ----------
    points : sequence of Point
        Of one method, or of several to get the best of all.
    key : {"bpp", "bpp_entropy"}

    Returns
    -------
    hull : list of Point
    """
    hull = []
    for point in sorted(points, key=lambda point: (getattr(point, key), -point.psnr)):
        if hull and point.psnr <= hull[-1].psnr:
            continue
        while len(hull) > 1 and not _is_concave([*hull[-2:], point], key):
            hull.pop()
        hull.append(point)
    return hull


def _is_concave(three, key):
    """Whether the slope falls from the first two points to the last two."""
    slopes = [
        (b.psnr - a.psnr) / max(getattr(b, key) - getattr(a, key), 1e-12)
        for a, b in pairwise(three)
    ]
    return slopes[0] > slopes[1]


def plot(points, path, family, ours, max_rate=4.0):
    """Draw the hull of every family of methods, at fixed length and at the bound.

    ``family(point)`` is what a point is called; those of ``ours`` are solid lines. A
    family has all sizes of patches.
    """
    import matplotlib.pyplot as plt

    families = {}
    for point in points:
        families.setdefault(family(point), []).append(point)
    titles = {"bpp": "fixed length", "bpp_entropy": "entropy bound"}
    figure, axes = plt.subplots(
        1, 2, figsize=(12, 5), sharey=True, layout="constrained"
    )
    colors = plt.get_cmap("tab20").colors
    # Strong colours first, then their pale companions.
    colors = dict(zip(families, [*colors[::2], *colors[1::2]]))
    for ax, (key, title) in zip(axes, titles.items()):
        for name, own in families.items():
            style = "-" if name in ours else "--"
            hull = _rates_and_psnr(envelope(own, key), key)
            look = {"color": colors[name], "marker": "o", "ms": 3, "lw": 2}
            ax.plot(*hull, style, label=name, **look)
        ax.set(xlim=(0, max_rate), ylim=(18, 42), xlabel="bits per pixel", title=title)
        ax.grid(alpha=0.3)
    axes[0].set(ylabel="PSNR, dB")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _rates_and_psnr(points, key):
    return [getattr(point, key) for point in points], [point.psnr for point in points]
