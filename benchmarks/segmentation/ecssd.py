"""Label-free foreground on ECSSD: our Pipeline beside classical methods.

Prints mean IoU and Dice at 128x128, as SC-VAE does, with the seconds per photo, and
writes them as JSON. Photos are read from the archive in place and resized to 256x256.

The first 100 names are the tuning photos: encoders are fitted on them, without masks,
and defaults of the library were chosen on them. The other photos are reported on. They
are harder: objects differ less from their surroundings, and every method loses a third
of its IoU. Compare rows of one split only.

Run ``python benchmarks/segmentation/ecssd.py --data ecssd_300.zip``.
"""

import argparse
import io
import json
import time
import zipfile
from functools import partial

import numpy as np
from PIL import Image
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from skimage.color import rgb2gray, rgb2lab
from skimage.filters import threshold_otsu
from skimage.segmentation import slic
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.pipeline import Pipeline

from sklearn_sparsevae.segmentation import (
    KMeansSegmenter,
    SpectralSegmenter,
    background_probability,
    region_boundary_connectivity,
)

PHOTO_SIZE, MASK_SIZE, N_TUNING = 256, 128, 100
PATCH = 8


def read_photos(archive, split):
    """Photos (n, 256, 256, 3) uint8 and masks (n, 128, 128) bool of one split."""
    with zipfile.ZipFile(archive) as data:
        names = sorted(n for n in data.namelist() if n.endswith(".jpg"))
        names = names[:N_TUNING] if split == "tuning" else names[N_TUNING:]
        photos = [_read(data, n, "RGB", PHOTO_SIZE, Image.BILINEAR) for n in names]
        masks = [
            _read(data, _mask_name(n), "L", MASK_SIZE, Image.NEAREST) for n in names
        ]
    return np.stack(photos), np.stack(masks) > 127


def _mask_name(name):
    return name.replace("images/", "masks/").replace(".jpg", ".png")


def _read(data, name, mode, size, resample):
    image = Image.open(io.BytesIO(data.read(name))).convert(mode)
    return np.asarray(image.resize((size, size), resample))


def background_from_connectivity(labels):
    """Foreground: every region but the one most connected to the border (hard form)."""
    return labels != region_boundary_connectivity(labels).argmax()


def lab_k_means(photo, n_clusters, position):
    """k-means on the Lab colour of pixels, at mask size."""
    lab = rgb2lab(_shrink(photo))
    if position:
        place = np.moveaxis(np.indices(lab.shape[:2]) / lab.shape[0], 0, -1)
        lab = np.concatenate([lab, 50 * place], axis=-1)
    model = KMeans(n_clusters, n_init=3, random_state=0)
    labels = model.fit_predict(lab.reshape(-1, lab.shape[-1]))
    return background_from_connectivity(labels.reshape(lab.shape[:2]))


def patch_spectral(photo, n_clusters):
    """scikit-learn's spectral clustering of raw 8x8 patches."""
    n = PHOTO_SIZE // PATCH
    patches = (photo / 255).reshape(n, PATCH, n, PATCH, 3).transpose(0, 2, 1, 3, 4)
    patches = patches.reshape(n * n, -1)
    # The default gamma of 1 leaves every patch alone: use the mean distance instead.
    squared = 2 * patches.var(axis=0).sum()
    model = SpectralClustering(
        n_clusters, gamma=1 / max(squared, 1e-6), n_init=3, random_state=0
    )
    labels = model.fit_predict(patches).reshape(n, n)
    return background_from_connectivity(labels)


def slic_hard(photo):
    """SLIC superpixels merged into three colours, background by the hard form."""
    segments, lab = _superpixels(photo)
    means = _region_means(lab, segments)
    labels = KMeans(3, n_init=3, random_state=0).fit_predict(means)
    return background_from_connectivity(labels[segments])


def slic_soft(photo):
    """Zhu's background probability on SLIC superpixels, split by Otsu's threshold."""
    segments, lab = _superpixels(photo)
    connectivity = superpixel_connectivity(_region_means(lab, segments), segments)
    background = background_probability(connectivity, 1.0)
    return _otsu(1 - background[segments])


def superpixel_connectivity(means, segments, scale=7.0):
    """Soft boundary connectivity of superpixels that are not on a grid."""
    n = len(means)
    touch = np.zeros((n, n), dtype=bool)
    for a, b in [(segments[:-1], segments[1:]), (segments[:, :-1], segments[:, 1:])]:
        touch[a, b] = touch[b, a] = True
    np.fill_diagonal(touch, False)
    apart = np.linalg.norm(means[:, None] - means[None], axis=-1)
    clip = np.where(touch, apart, np.inf).min(axis=1).mean()
    edges = [segments[0], segments[-1], segments[:, 0], segments[:, -1]]
    border = np.unique(np.concatenate(edges))
    touch[np.ix_(border, border)] = True
    np.fill_diagonal(touch, False)
    i, j = np.nonzero(touch)
    lengths = np.maximum(apart[i, j] - clip, 0) + 1e-6
    graph = sparse.csr_array((lengths, (i, j)), shape=(n, n))
    span = np.exp(-(csgraph.dijkstra(graph) ** 2) / (2 * scale**2))
    return span[:, border].sum(axis=1) / np.sqrt(span.sum(axis=1))


def _superpixels(photo, n_segments=200):
    segments = slic(photo, n_segments, compactness=10, start_label=0)
    _, segments = np.unique(segments, return_inverse=True)
    return segments.reshape(photo.shape[:2]), rgb2lab(photo)


def _region_means(image, segments):
    index = np.arange(segments.max() + 1)
    channels = np.moveaxis(image, -1, 0)
    return np.stack([ndimage.mean(c, segments, index) for c in channels], axis=-1)


def otsu(photo):
    """Otsu's threshold on grey values; the side less on the border is foreground."""
    grey = rgb2gray(photo)
    return background_from_connectivity((grey > threshold_otsu(grey)).astype(int))


def grab_cut(photo, margin=0.04, n_iterations=5):
    """OpenCV's GrabCut, started from a rectangle just inside the border."""
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "The GrabCut row needs OpenCV, which is not installed. Install the extra: "
            "pip install 'sklearn-sparsevae[benchmarks]'."
        ) from error
    cv2.setRNGSeed(0)
    height, width = photo.shape[:2]
    top, left = round(margin * height), round(margin * width)
    rectangle = (left, top, width - 2 * left, height - 2 * top)
    mask = np.zeros((height, width), np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(photo[..., ::-1])
    cv2.grabCut(bgr, mask, rectangle, *models, n_iterations, cv2.GC_INIT_WITH_RECT)
    return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)


def _otsu(image):
    return image > threshold_otsu(image)


def _shrink(photo):
    step = PHOTO_SIZE // MASK_SIZE
    blocks = photo.reshape(MASK_SIZE, step, MASK_SIZE, step, 3)
    return blocks.mean(axis=(1, 3)) / 255


BASELINES = {
    "k-means Lab, 2 clusters": lambda p: lab_k_means(p, 2, False),
    "k-means Lab, 3 clusters": lambda p: lab_k_means(p, 3, False),
    "k-means Lab + position, 2 clusters": lambda p: lab_k_means(p, 2, True),
    "k-means Lab + position, 3 clusters": lambda p: lab_k_means(p, 3, True),
    "spectral, raw patches, 2 clusters": lambda p: patch_spectral(p, 2),
    "spectral, raw patches, 3 clusters": lambda p: patch_spectral(p, 3),
    "SLIC, hard boundary connectivity": slic_hard,
    "SLIC, soft boundary connectivity": slic_soft,
    "Otsu": otsu,
    "GrabCut, border rectangle": grab_cut,
}


def our_segmenters():
    """Name and segmenter of each of our rows."""
    return {
        f"ours, {name}, {k} clusters": Segmenter(
            k, foreground="boundary", random_state=0
        )
        for name, Segmenter in [
            ("spectral", SpectralSegmenter),
            ("k-means", KMeansSegmenter),
        ]
        for k in (2, 3)
    }


def sample(mask):
    """Nearest pixel of a mask of any size, at mask size."""
    rows, columns = (
        ((np.arange(MASK_SIZE) + 0.5) * size / MASK_SIZE).astype(int)
        for size in mask.shape
    )
    return mask[np.ix_(rows, columns)] > 0


def iou_and_dice(predictions, masks):
    """Mean over photos of both measures."""
    predictions = np.stack([sample(p) for p in predictions])
    both = (predictions & masks).sum(axis=(1, 2))
    either = np.maximum((predictions | masks).sum(axis=(1, 2)), 1)
    total = np.maximum(predictions.sum(axis=(1, 2)) + masks.sum(axis=(1, 2)), 1)
    return float(np.mean(both / either)), float(np.mean(2 * both / total))


def run_row(name, predict, photos, masks):
    """One row of the table."""
    start = time.perf_counter()
    predictions = predict(photos)
    seconds = (time.perf_counter() - start) / len(photos)
    iou, dice = iou_and_dice(predictions, masks)
    print(f"{name:36s} {iou:6.3f} {dice:6.3f} {seconds:8.3f}", flush=True)
    return {"method": name, "iou": iou, "dice": dice, "seconds_per_photo": seconds}


def fit_encoder(photos):
    """Our encoder, fitted on photos without looking at a mask."""
    from sklearn_sparsevae import SparseCodingVAE

    return SparseCodingVAE(random_state=0).fit(photos)


def run(archive, split="report", make_encoder=fit_encoder):
    """All rows, as a list of dicts."""
    photos, masks = read_photos(archive, split)
    encoder = make_encoder(read_photos(archive, "tuning")[0])
    print(f"{len(photos)} photos ({split} split)")
    print(f"{'method':36s} {'IoU':>6s} {'Dice':>6s} {'s/photo':>8s}")
    rows = []
    for name, segmenter in our_segmenters().items():
        pipe = Pipeline([("enc", encoder), ("seg", segmenter)])
        # Nothing is learned here: segmenters treat every photo by itself.
        segmenter.fit(encoder.transform(photos[:1]))
        rows.append(run_row(name, pipe.predict, photos, masks))
    for name, method in BASELINES.items():
        rows.append(run_row(name, partial(_each, method), photos, masks))
    return rows


def _each(method, photos):
    return [method(photo) for photo in photos]


def print_distances(rows):
    """Distance of our best row to GrabCut and to the best of the others."""
    scores = {row["method"]: row["iou"] for row in rows}
    ours = max(v for name, v in scores.items() if name.startswith("ours"))
    grab = scores["GrabCut, border rectangle"]
    others = max(
        v for name, v in scores.items() if not name.startswith(("ours", "GrabCut"))
    )
    print(f"ours - GrabCut: {ours - grab:+.3f} IoU")
    print(f"ours - best other row: {ours - others:+.3f} IoU")


def main():
    """Read the command line, run, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="path to ecssd_300.zip")
    parser.add_argument("--split", choices=["tuning", "report"], default="report")
    parser.add_argument("--out", default="ecssd.json", help="where to write JSON")
    args = parser.parse_args()
    rows = run(args.data, args.split)
    print_distances(rows)
    with open(args.out, "w") as file:
        json.dump({"split": args.split, "rows": rows}, file, indent=2)


if __name__ == "__main__":
    main()
