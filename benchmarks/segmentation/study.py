"""What the regions, edges and grids of the foreground are worth, on photos of ECSSD.

Mean IoU at 128x128, a table for each choice:

* affinity of the spectral regions: codes by cosine or by shared support, the distance
  of what the codes decode to, colour, colour with codes, with position for all pairs,
  and colour or colour with codes for sites close together; for 2, 3, 8 and 32 regions,
  merged by the cues, beside the best union that the true mask would choose;
* edges: none, ours, scikit-image's random walker, joint bilateral filter, GrabCut;
* foreground rules: hard boundary connectivity of three regions, each of Zhu's maps;
* grids: encoders of 4, 8 and 16 pixels a site.

Cues and the steps after them are measured by ``cues.py``.

Run ``python benchmarks/segmentation/study.py --data ecssd_300.zip``.
"""

import functools
import time

import _baselines
import _ecssd
import numpy as np
from _ecssd import _common, _record
from ecssd import best_union
from scipy.linalg import eigh
from scipy.spatial.distance import cdist
from skimage.segmentation import random_walker
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import KMeansSegmenter, SpectralSegmenter
from sklearn_sparsevae.segmentation import (
    foreground_saliency,
    region_boundary_connectivity,
)
from sklearn_sparsevae.segmentation._foreground import (
    background_probability,
    boundary_connectivity,
    object_cues,
    object_probability,
    refine_saliency,
    saliency_cues,
    split_threshold,
)
from sklearn_sparsevae.segmentation._normalized_cut import (
    local_embedding,
    spectral_embedding,
)
from sklearn_sparsevae.segmentation._sites import look, magnify

COUNTS = (2, 3, 8, 32)


class Scene:
    """A tuning photo as the segmenters see it."""

    def __init__(self, photo, mask, codes, atoms):
        self.photo, self.mask, self.codes, self.atoms = photo, mask, codes, atoms
        self.sites = look(codes)
        self.cues = object_cues(self.sites)

    @functools.cached_property
    def truth(self):
        """Share of the object in every site."""
        h, w = self.sites.grid_shape
        blocks = self.mask.reshape(h, len(self.mask) // h, w, -1)
        return blocks.mean(axis=(1, 3)).ravel()

    @functools.cached_property
    def saliency(self):
        """Saliency of our segmenter on the grid."""
        segmenter = _ready(SpectralSegmenter(random_state=0))
        probability = segmenter._object_probability(self.sites)
        return refine_saliency(
            probability, self.sites.color, self.sites.grid_shape, 2, 0
        )

    def score(self, saliency, threshold=None):
        """IoU of a map of the sites, split where the segmenters split."""
        threshold = split_threshold(saliency) if threshold is None else threshold
        shown = magnify(saliency, self.sites.grid_shape, self.mask.shape)
        return _iou(shown > threshold, self.mask)


def _iou(prediction, mask):
    return _ecssd.iou_and_dice([prediction], [mask])[0, 0]


def _ready(segmenter):
    """Segmenter whose steps can be called one by one."""
    segmenter._seed_ = _common.SEED
    return segmenter


def report(name, scores, extra=""):
    """Print a row; return it for JSON."""
    print(f"{name:44s} {_ecssd.show(scores)} {extra}", flush=True)
    return {"row": name, "iou": float(np.mean(scores)), "note": extra}


def dense_embedding(affinity, n_components):
    """Leading eigenvectors of the normalised affinity of all pairs."""
    scale = 1 / np.sqrt(affinity.sum(axis=1))
    last = len(affinity) - 1
    walk = affinity * scale[:, None] * scale
    _, vectors = eigh(walk, subset_by_index=[last - n_components + 1, last])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def gaussian(features, scale):
    """Affinity of all pairs of rows."""
    return np.exp(-cdist(features, features, "sqeuclidean") / (2 * scale**2)) + 1e-6


def support_overlap(codes):
    """Shared atoms of two sites as a share of all they use."""
    used = (codes.sites() != 0).astype(np.float64)
    both = (used @ used.T).toarray()
    count = used.sum(axis=1)
    return both / np.maximum(count[:, None] + count - both, 1) + 1e-6


def decoded(scene):
    """Latents that the codes of every site stand for, in total variance 1."""
    latents = scene.codes.sites() @ scene.atoms
    return latents / np.sqrt(latents.var(axis=0).sum())


def position(scene, weight):
    """Row and column of every site, in units of the photo's side over ``weight``."""
    grid = np.indices(scene.sites.grid_shape).reshape(2, -1).T
    return weight * grid / max(scene.sites.grid_shape)


AFFINITIES = {
    "cosine of codes, all pairs": lambda s, k: spectral_embedding(s.codes.sites(), k),
    "shared support of codes, all pairs": lambda s, k: dense_embedding(
        support_overlap(s.codes), k
    ),
    "distance of decoded codes, all pairs": lambda s, k: dense_embedding(
        gaussian(decoded(s), 0.5), k
    ),
    "colour, all pairs": lambda s, k: dense_embedding(
        gaussian(s.sites.color / 25, 0.5), k
    ),
    "colour + codes, all pairs": lambda s, k: dense_embedding(
        gaussian(s.sites.features, 0.5), k
    ),
    "colour + codes + position, all pairs": lambda s, k: dense_embedding(
        gaussian(np.hstack([s.sites.features, position(s, 3.4)]), 0.5), k
    ),
    "colour, near sites": lambda s, k: local_embedding(s.sites, k, 3.0, np.inf, 4.0),
    "colour + codes, near sites (ours)": lambda s, k: local_embedding(
        s.sites, k, 3.0, 0.5, 4.0
    ),
}


def affinity_rows(scenes):
    """Regions by each affinity, merged by the cues and by the true mask."""
    rows = []
    for name, embed in AFFINITIES.items():
        for k in COUNTS:
            start, merged, best = time.process_time(), [], []
            labels = [
                KMeans(k, n_init=3, random_state=0).fit_predict(embed(s, k))
                for s in scenes
            ]
            seconds = (time.process_time() - start) / len(scenes)
            for scene, label in zip(scenes, labels):
                probability = object_probability(scene.sites)
                mean = np.bincount(label, probability) / np.bincount(label)
                merged.append(scene.score(mean[label]))
                shown = label.reshape(scene.sites.grid_shape)
                best.append(
                    best_union(np.kron(shown, np.ones((4, 4), int)), scene.mask)
                )
            note = f"best union {np.mean(best):.3f}, {seconds:.3f} s"
            rows.append(report(f"{name}, {k}", merged, note))
    return rows


def fine_map(scene):
    """Saliency of every pixel of the mask, with the threshold at 0.5."""
    threshold = split_threshold(scene.saliency)
    straight = np.interp(scene.saliency, [0, threshold, 1], [0, 0.5, 1])
    return magnify(straight, scene.sites.grid_shape, scene.mask.shape)


def with_random_walker(scene, fine):
    """Random walker between pixels that are surely in and surely out."""
    seeds = np.where(fine > 0.75, 1, np.where(fine < 0.25, 2, 0))
    if len(np.unique(seeds)) < 3:
        return fine > 0.5
    return random_walker(_half(scene), seeds, beta=300, channel_axis=-1) == 1


def with_bilateral(scene, fine, reach=6, scale=0.08):
    """Joint bilateral filter of the map, guided by the photo."""
    photo, total, weight = _half(scene), 0, 0
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            shift = (down, right)
            moved = np.roll(photo, shift, axis=(0, 1))
            alike = np.exp(-((photo - moved) ** 2).sum(axis=-1) / (2 * scale**2))
            total = total + alike * np.roll(fine, shift, axis=(0, 1))
            weight = weight + alike
    return total / weight > 0.5


def with_grab_cut(scene, fine):
    """OpenCV's GrabCut on the whole photo, with sure pixels fixed."""
    side = len(scene.photo) // len(fine)
    fine = np.kron(fine, np.ones((side, side)))
    mask = np.where(fine > 0.5, 3, 2)
    mask[fine < 0.25], mask[fine > 0.75] = 0, 1
    if not (mask % 2 == 1).any() or (mask % 2 == 1).all():
        return fine > 0.5
    return _baselines.cut_from_mask(scene.photo, mask.astype(np.uint8), 2)


def _half(scene):
    return scene.codes.thumbnails[0] / 255


def edge_rows(scenes):
    """Ways to move the outline to edges of the photo."""
    ours = SpectralSegmenter(random_state=0, min_confidence=0)
    ways = {
        "no edges": lambda scene, fine: fine > 0.5,
        "Gaussian mixtures, linear system (ours)": lambda scene, fine: ours.fit_predict(
            scene.codes
        )[0],
        "random walker": with_random_walker,
        "joint bilateral filter": with_bilateral,
        "GrabCut at 256x256": with_grab_cut,
    }
    rows = []
    for name, way in ways.items():
        start = time.process_time()
        scores = [_iou(way(s, fine_map(s)), s.mask) for s in scenes]
        seconds = (time.process_time() - start) / len(scenes)
        rows.append(report(name, scores, f"{seconds:.3f} s with the map"))
    return rows


def hard_rule(scene):
    """All of three regions but the one most connected to the border."""
    labels = SpectralSegmenter(3, foreground=None, random_state=0).fit_predict(
        scene.codes
    )[0]
    return labels != region_boundary_connectivity(labels).argmax()


def rule_rows(scenes):
    """Foreground rules on the sites, split by the same threshold."""

    def zhu(scene, step):
        color, grid = scene.sites.color, scene.sites.grid_shape
        if step == "connectivity":
            connectivity = boundary_connectivity(color, grid, 14.0)
            return 1 - background_probability(connectivity, 1.5)
        background, contrast = saliency_cues(color, grid)
        return contrast if step == "contrast" else foreground_saliency(color, grid)

    rows = [
        report(
            "hard connectivity of 3 regions",
            [_iou(hard_rule(s), s.mask) for s in scenes],
        )
    ]
    for step in ("connectivity", "contrast", "optimisation"):
        scores = [s.score(zhu(s, step)) for s in scenes]
        rows.append(report(f"Zhu 2014 on sites, {step}", scores))
    seeded = [s.score(s.cues["look"]) for s in scenes]
    rows.append(report("looks that the border does not have", seeded))
    cues = [s.score(object_probability(s.sites)) for s in scenes]
    return [*rows, report("all cues (ours)", cues)]


def grid_rows(archive, args, photos, masks):
    """Both segmenters on codes of finer and coarser grids."""
    rows = []
    for n_downsamples in (2, 3, 4):
        options = {} if n_downsamples == 3 else {"n_downsamples": n_downsamples}
        codes = _ecssd.fit_encoder(archive, args, **options).transform(photos)
        for segmenter in (
            SpectralSegmenter(random_state=0),
            SpectralSegmenter(refine=None, random_state=0),
            KMeansSegmenter(foreground="boundary", refine=None, random_state=0),
        ):
            scores = _ecssd.iou_and_dice(segmenter.fit_predict(codes), masks)[:, 0]
            rows.append(
                report(f"{2**n_downsamples} pixels a site, {segmenter}", scores)
            )
    return rows


def as_table(rows):
    """One row for each line that was printed."""
    own = [row | {"key": _record.key(row["row"]), "label": row["row"]} for row in rows]
    return _record.table("", _record.columns("iou"), own)


def as_affinity_table(rows):
    """One row for each affinity, two columns for each number of regions."""
    made = {}
    for row in rows:
        name, k = row["row"].rsplit(", ", 1)
        best = float(row["note"].split(",")[0].removeprefix("best union "))
        own = made.setdefault(name, {"label": name})
        own |= {f"regions_{k}": row["iou"], f"best_{k}": best}
    columns = {f"regions_{k}": (f"{k} regions", ".3f") for k in COUNTS}
    columns |= {f"best_{k}": (f"best union of {k}", ".3f") for k in COUNTS}
    return _record.table("affinity", _record.columns(**columns), list(made.values()))


TABLES = {"affinity": as_affinity_table}


def main():
    """Read the command line, run, write JSON."""
    options = _ecssd.parser(
        __doc__.splitlines()[0], json_name="segmentation_study.json"
    )
    tables = ["rules", "edges", "affinity", "grids"]
    options.add_argument("--tables", nargs="+", choices=tables, default=tables)
    args = options.parse_args()
    archive = _ecssd.find_archive(options, args.data)
    with threadpool_limits(args.threads):
        photos, masks = _ecssd.read(archive, "tuning", args.n_photos)
        encoder = _ecssd.fit_encoder(archive, args)
        codes = encoder.transform(photos)
        scenes = [
            Scene(photo, mask, codes[i : i + 1], encoder.components_)
            for i, (photo, mask) in enumerate(zip(photos, masks))
        ]
        jobs = {
            "rules": lambda: rule_rows(scenes),
            "edges": lambda: edge_rows(scenes),
            "affinity": lambda: affinity_rows(scenes),
            "grids": lambda: grid_rows(archive, args, photos, masks),
        }
        results = {}
        for name in args.tables:
            print(f"\n{name}")
            results[name] = jobs[name]()
    _common.write_json(args.json, results)
    _record.record(
        args,
        "segmentation_study",
        tables={
            name: TABLES.get(name, as_table)(rows) for name, rows in results.items()
        },
        settings={"data": "ECSSD", "split": "tuning", "n_photos": len(photos)},
    )


if __name__ == "__main__":
    main()
