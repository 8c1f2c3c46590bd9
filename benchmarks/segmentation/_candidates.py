"""Other cues of an object, and other rules to weigh cues, none of which sees a mask."""

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import expit
from skimage.filters import threshold_otsu

from sklearn_sparsevae.segmentation import foreground_saliency
from sklearn_sparsevae.segmentation._boundary import border_affinity, border_sites
from sklearn_sparsevae.segmentation._sites import block_average, magnify

N_BLOCKS = 400


def manifold_ranking(sites, scale=0.7, alpha=0.99):
    """Rank sites by their distance from each border apart, then from what that finds.

    C. Yang et al., CVPR 2013, on blocks of sites instead of superpixels.
    """
    average, grid = block_average(sites.grid_shape, N_BLOCKS)
    color, place = average @ sites.color / 10, np.indices(grid).reshape(2, -1)
    linked = cdist(place.T, place.T) <= 2.3
    border = border_sites(grid)
    linked[np.ix_(border, border)] = True
    np.fill_diagonal(linked, False)
    alike = np.exp(-cdist(color, color, "sqeuclidean") / (2 * scale**2))
    weights = np.where(linked, alike + 1e-6, 0)
    spread = np.linalg.inv(np.diag(weights.sum(axis=1)) - alpha * weights)
    np.fill_diagonal(spread, 0)
    (rows, columns), (last, right) = place, np.subtract(grid, 1)
    found = 1.0
    for side in (rows == 0, rows == last, columns == 0, columns == right):
        rank = spread @ side
        found = found * (1 - (rank - rank.min()) / np.ptp(rank))
    return magnify(found, grid, sites.grid_shape).ravel()


def set_prior(scenes):
    """Find what a whole set says: colours and atoms near the centre of its photos.

    Ridge regression of the distance to the centre on colours and on how much every atom
    is used around a site, over all sites of all photos. Gives a cue of each photo.
    """
    rows = [
        np.hstack([s.usage, s.sites.color / 25, (s.sites.color / 25) ** 2])
        for s in scenes
    ]
    mean = np.mean([one.mean(axis=0) for one in rows], axis=0)
    gram, pull = 0, 0
    for scene, one in zip(scenes, rows):
        shift = one - one.mean(axis=0)
        gram = gram + shift.T @ shift
        pull = pull + shift.T @ (scene.cues["center"] - scene.cues["center"].mean())
    ridge = 1e-2 * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = np.linalg.solve(gram + ridge, pull)
    return [(one - mean) @ weights for one in rows]


def enclosing_boundary(scene):
    """Height at which a region becomes one with a region on the border of the photo.

    The minimum barrier over the ultrametric map: the weakest boundary, at its strongest
    place, that must be crossed.
    """
    hierarchy = scene.hierarchy
    regions = hierarchy.regions
    sides = (regions[0], regions[-1], regions[:, 0], regions[:, -1])
    border, n_regions = np.unique(np.concatenate(sides)), int(regions.max()) + 1
    pairs = np.repeat(np.arange(n_regions), len(border)), np.tile(border, n_regions)
    heights = hierarchy.height_between(*pairs).reshape(n_regions, -1)
    return scene.on_sites(heights.min(axis=1)[regions])


def recentred(sites, probability):
    """Nearness to the centre of what the cues find, instead of that of the photo."""
    grid = np.indices(sites.grid_shape).reshape(2, -1).T / sites.grid_shape
    weight = probability**2 / np.sum(probability**2)
    return -((grid - weight @ grid) ** 2).sum(axis=1)


OTHER_CUES = {
    "Zhu's saliency": lambda s: foreground_saliency(s.sites.color, s.sites.grid_shape),
    "closed boundary between it and the border": enclosing_boundary,
    "manifold ranking from each border": lambda s: manifold_ranking(s.sites),
    "texture that the border does not have": lambda s: (
        -border_affinity(s.sites.texture, s.sites.grid_shape, 0.5)
    ),
    "colour that the border does not have": lambda s: (
        -border_affinity(s.sites.color, s.sites.grid_shape, 6.0)
    ),
    "darkness": lambda s: -s.sites.color[:, 0],
}


def latent_classes(cues, n_steps=60):
    """Log-odds of an object by EM: two normal classes, cues independent within each.

    The log-odds of the cues are averaged rather than added, since they are not.
    """
    X = cues.reshape(-1, cues.shape[-1])
    total = X.sum(axis=1)
    inside = expit(3 * (total - np.quantile(total, 0.7)) / total.std())
    for _ in range(n_steps):
        share = inside.mean()
        means = [np.average(X, axis=0, weights=w) for w in (inside, 1 - inside)]
        spread = [
            w[:, None] * (X - m) ** 2 for w, m in zip((inside, 1 - inside), means)
        ]
        weights = (means[0] - means[1]) / np.sum(spread, axis=0).mean(axis=0)
        odds = X @ weights - (means[0] + means[1]) @ weights / 2
        inside = expit(odds + np.log(share / (1 - share)))
    odds += np.log(share / (1 - share))
    return odds.reshape(cues.shape[:-1]) / cues.shape[-1]


def dawid_skene(cues, n_steps=100):
    """Log-odds by the EM of Dawid and Skene; a cue, split by Otsu, is an annotator."""
    votes = np.stack([_split(photo) for photo in cues]).astype(float)
    inside = votes.mean(axis=-1)
    for _ in range(n_steps):
        share = inside.mean()
        hits, alarms = (
            np.tensordot(w, votes, ([0, 1], [0, 1])) / w.sum()
            for w in (inside, 1 - inside)
        )
        odds = votes @ np.log(hits / alarms)
        odds = odds + (1 - votes) @ np.log((1 - hits) / (1 - alarms))
        odds = odds + np.log(share / (1 - share))
        inside = expit(odds)
    return odds


def _split(cues):
    return np.stack([cue > threshold_otsu(cue) for cue in cues.T], axis=-1)
