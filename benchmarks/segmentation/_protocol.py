"""How maps of an object are measured: the field's protocol on whole masks, and at 128.

* IoU, Dice and pixel accuracy of the mask, which is where the map is above 0.5;
* MAE, the mean absolute difference between map and mask;
* max F: precision and recall at each of 256 thresholds, averaged over photos, and the
  largest F of those with beta squared 0.3. A method that gives a mask and no map has
  one threshold.
"""

import numpy as np
from skimage.transform import resize

N_THRESHOLDS = 256
BETA_SQUARED = 0.3
MEASURES = ("iou", "dice", "accuracy", "mae")
# Of all 1,000 photos, by Y. Wang et al. (TokenCut), CVPR 2022. That of TokenCut is also
# in the authors' repository (YangtaoWANG95/TokenCut, README, section 4.2). The others
# were read in the paper alone: no second source was found.
UNCONFIRMED = " (one source)"
PUBLISHED = {
    f"HS, Yan 2013{UNCONFIRMED}": {"max_f": 0.673, "iou": 0.508, "accuracy": 0.847},
    f"Zhu 2014{UNCONFIRMED}": {"max_f": 0.684, "iou": 0.517, "accuracy": 0.862},
    f"LOST, ImageNet features{UNCONFIRMED}": {
        "max_f": 0.758,
        "iou": 0.654,
        "accuracy": 0.895,
    },
    "TokenCut, ImageNet features": {"max_f": 0.803, "iou": 0.712, "accuracy": 0.918},
}


def sample(image, shape):
    """Nearest pixel of an image of any size."""
    rows, columns = (
        ((np.arange(size) + 0.5) * n / size).astype(int)
        for size, n in zip(shape, image.shape)
    )
    return image[np.ix_(rows, columns)]


def map_and_mask(found):
    """Map and mask of a method that gives both, a mask, or a map that 0.5 splits."""
    if isinstance(found, tuple):
        return found
    return found, found > 0.5


def measure(saliency, inside, mask):
    """All measures of one photo, as a dictionary; all three are of the same size.

    Two empty masks agree.
    """
    both, either = (inside & mask).sum(), (inside | mask).sum()
    total = inside.sum() + mask.sum()
    level = np.round(np.clip(saliency, 0, 1) * (N_THRESHOLDS - 1)).astype(int)
    counts = [
        np.bincount(level[part], minlength=N_THRESHOLDS)[::-1].cumsum()[::-1]
        for part in (mask, ~mask)
    ]
    shown = counts[0] + counts[1]
    return {
        "iou": both / either if either else 1.0,
        "dice": 2 * both / total if total else 1.0,
        "accuracy": np.mean(inside == mask),
        "mae": np.abs(saliency.astype(float) - mask).mean(),
        "precision": np.where(shown > 0, counts[0] / np.maximum(shown, 1), 0.0),
        "recall": counts[0] / max(mask.sum(), 1),
    }


def measure_all(found, masks, size=None):
    """Measures of all photos by name: arrays of shape (n_photos,) or (n_photos, 256).

    ``size`` is that of the comparison; the size of each mask if there is none.
    """
    rows = []
    for one, mask in zip(found, masks, strict=True):
        saliency, inside = map_and_mask(one)
        if size is None:
            if saliency.dtype != bool:
                saliency = resize(saliency.astype(float), mask.shape, order=1)
            parts = (sample(part, mask.shape) for part in (saliency, inside))
            rows.append(measure(*parts, mask))
        else:
            rows.append(measure(*(sample(x, size) for x in (saliency, inside, mask))))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def max_f(scores, chosen=slice(None)):
    """Largest F of precision and recall that are averaged over photos."""
    # The lowest threshold takes all pixels of a photo, whatever the map.
    precision = scores["precision"][chosen, 1:].mean(axis=0)
    recall = scores["recall"][chosen, 1:].mean(axis=0)
    below = np.maximum(BETA_SQUARED * precision + recall, 1e-12)
    return float(((1 + BETA_SQUARED) * precision * recall / below).max())


def summary(scores, chosen=slice(None)):
    """Mean of every measure over the chosen photos."""
    means = {name: float(scores[name][chosen].mean()) for name in MEASURES}
    return means | {"max_f": max_f(scores, chosen)}
