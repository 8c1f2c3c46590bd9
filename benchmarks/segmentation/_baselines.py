"""Foreground of a photo (256, 256, 3) uint8 by methods that learn nothing."""

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph
from scipy.spatial.distance import cdist
from skimage.color import rgb2gray, rgb2lab
from skimage.filters import threshold_otsu
from skimage.segmentation import slic
from sklearn.cluster import KMeans

from sklearn_sparsevae.segmentation import (
    background_probability,
    region_boundary_connectivity,
)


def background_from_connectivity(labels):
    """Foreground: every region but the one most connected to the border (hard form)."""
    return labels != region_boundary_connectivity(labels).argmax()


def centred_disc(photo, radius):
    """Take the same disc in every photo; the radius is a share of its sides."""
    rows, columns = np.ogrid[: photo.shape[0], : photo.shape[1]]
    down = (rows + 0.5) / photo.shape[0] - 0.5
    right = (columns + 0.5) / photo.shape[1] - 0.5
    return np.hypot(down, right) < radius


def lab_k_means(photo, n_clusters):
    """k-means on the Lab colour of pixels, at half resolution."""
    lab = rgb2lab(_shrink(photo, 2))
    model = KMeans(n_clusters, n_init=3, random_state=0)
    labels = model.fit_predict(lab.reshape(-1, lab.shape[-1]))
    return background_from_connectivity(labels.reshape(lab.shape[:2]))


def zhu_saliency(photo, color_scale=10.0, mu=0.1):
    """Saliency of Zhu et al. 2014 on superpixels with colour alone, in [0, 1]."""
    segments, means = superpixels(photo)
    connectivity, linked = _connectivity(means, segments)
    background = background_probability(connectivity, 1.0)
    index = np.arange(len(means))
    center = np.array(ndimage.center_of_mass(np.ones(segments.shape), segments, index))
    center /= max(segments.shape)
    near = np.exp(-cdist(center, center, "sqeuclidean") / (2 * 0.25**2))
    apart = cdist(means, means)
    contrast = (apart * near) @ background
    contrast /= max(contrast.max(), 1e-9)
    weights = linked * (np.exp(-(apart**2) / (2 * color_scale**2)) + mu)
    system = csgraph.laplacian(weights) + np.diag(background + contrast + 1e-6)
    return np.clip(np.linalg.solve(system, contrast), 0, 1)[segments]


def zhu(photo):
    """Zhu's saliency, and its split by Otsu's threshold."""
    saliency = zhu_saliency(photo)
    return saliency, _otsu(saliency)


def zhu_grab_cut(photo):
    """Zhu's saliency as the seed of GrabCut: its method with colour refinement."""
    inside = _otsu(zhu_saliency(photo))
    if inside.all() or not inside.any():
        return inside
    return cut_from_mask(photo, np.where(inside, 3, 2).astype(np.uint8))


def cut_from_mask(photo, mask, n_iterations=5):
    """GrabCut from OpenCV's mask: 0 and 1 are sure, 2 and 3 probable sides."""
    mode = _opencv().GC_INIT_WITH_MASK
    return _grab_cut(photo, mask, None, mode, n_iterations)


def grab_cut(photo, margin=0.04):
    """OpenCV's GrabCut, started from a rectangle just inside the border."""
    height, width = photo.shape[:2]
    top, left = round(margin * height), round(margin * width)
    rectangle = (left, top, width - 2 * left, height - 2 * top)
    mask = np.zeros((height, width), np.uint8)
    return _grab_cut(photo, mask, rectangle, _opencv().GC_INIT_WITH_RECT)


def otsu(photo):
    """Otsu's threshold on grey values; the side less on the border is foreground."""
    return background_from_connectivity(_otsu(rgb2gray(photo)).astype(int))


def superpixels(photo, n_segments=200):
    """Label map of SLIC superpixels, and their mean Lab colours."""
    segments = slic(photo, n_segments, compactness=10, start_label=0)
    segments = np.unique(segments, return_inverse=True)[1].reshape(segments.shape)
    index = np.arange(segments.max() + 1)
    channels = np.moveaxis(rgb2lab(photo), -1, 0)
    means = [ndimage.mean(channel, segments, index) for channel in channels]
    return segments, np.stack(means, axis=-1)


def _connectivity(means, segments, scale=7.0):
    """Soft boundary connectivity of superpixels, and which of them are linked."""
    n = len(means)
    linked = np.zeros((n, n), dtype=bool)
    for a, b in [(segments[:-1], segments[1:]), (segments[:, :-1], segments[:, 1:])]:
        linked[a, b] = linked[b, a] = True
    np.fill_diagonal(linked, False)
    apart = cdist(means, means)
    clip = np.where(linked, apart, np.inf).min(axis=1).mean()
    edges = [segments[0], segments[-1], segments[:, 0], segments[:, -1]]
    border = np.unique(np.concatenate(edges))
    linked[np.ix_(border, border)] = True
    np.fill_diagonal(linked, False)
    i, j = np.nonzero(linked)
    lengths = np.maximum(apart[i, j] - clip, 0) + 1e-6
    graph = sparse.csr_array((lengths, (i, j)), shape=(n, n))
    span = np.exp(-(csgraph.dijkstra(graph) ** 2) / (2 * scale**2))
    return span[:, border].sum(axis=1) / np.sqrt(span.sum(axis=1)), linked


def _grab_cut(photo, mask, rectangle, mode, n_iterations=5):
    cv2 = _opencv()
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    bgr = np.ascontiguousarray(photo[..., ::-1])
    cv2.grabCut(bgr, mask, rectangle, *models, n_iterations, mode)
    return (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)


def _opencv():
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "The GrabCut rows need OpenCV, which is not installed. Install the extra: "
            "pip install 'sklearn-sparsevae[benchmarks]'."
        ) from error
    return cv2


def _otsu(image):
    """Split by Otsu's threshold; nothing is inside where hardly anything varies."""
    if np.ptp(image) < 1e-6:
        return np.zeros(image.shape, dtype=bool)
    return image > threshold_otsu(image)


def _shrink(photo, step):
    n = len(photo) // step
    return photo.reshape(n, step, n, step, 3).mean(axis=(1, 3)) / 255


GRAB_CUT = "GrabCut, border rectangle"
ZHU = "Zhu 2014 on colour, superpixels"
ZHU_REFINED = "Zhu 2014 + colour refinement"
CLUSTERING = {
    "k-means Lab, 2 clusters": lambda p: lab_k_means(p, 2),
    "k-means Lab, 3 clusters": lambda p: lab_k_means(p, 3),
}
# Each gives a mask, or a map in [0, 1] and a mask.
METHODS = {
    GRAB_CUT: grab_cut,
    ZHU: zhu,
    ZHU_REFINED: zhu_grab_cut,
    **CLUSTERING,
    "Otsu": otsu,
}
