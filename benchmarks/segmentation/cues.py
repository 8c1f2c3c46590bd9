"""What cues of an object, rules to weigh them, and steps after them are worth.

Mean IoU at 128x128 on the tuning photos of ECSSD, a table each:

* cues: those of the library, each alone and all but one;
* weights: equal ones (ours), each photo scaled by itself, two rules of agreement
  between cues (latent classes and Dawid-Skene, both by EM), and, as a bound, weights
  that are fitted to the masks;
* others: cues that were not kept, added to ours with the same weight;
* steps: cues alone, averaged over regions (one set, five voted over, or those that
  boundaries enclose), refined, with edges, with one cue more, and abstention;
* bounds: the best threshold for each photo, the regions that the mask would choose,
  and the mask itself on the grid.

Cues, weights and others are split after averaging over regions, before refinement.
``--standardize`` only prints mean and deviation of each cue, which the library holds as
constants; it reads no mask.

Run ``python benchmarks/segmentation/cues.py --data ecssd_300.zip``.
"""

import functools

import _candidates
import _ecssd
import numpy as np
from _ecssd import _common, _record
from ecssd import best_union
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import SpectralSegmenter
from sklearn_sparsevae.segmentation import _constants as constants
from sklearn_sparsevae.segmentation._clusters import fit_k_means
from sklearn_sparsevae.segmentation._contours import boundary_hierarchy
from sklearn_sparsevae.segmentation._edges import color_edges
from sklearn_sparsevae.segmentation._foreground import (
    foreground_confidence,
    object_cues,
    refine_saliency,
    split_threshold,
    straighten,
    stretch,
)
from sklearn_sparsevae.segmentation._normalized_cut import local_embedding
from sklearn_sparsevae.segmentation._pictures import picture_of
from sklearn_sparsevae.segmentation._sites import _gaussian_average, look, magnify

CUE_LABELS = {
    "look": "colour and texture that the border does not have",
    "enclosure": "distance to the border along similar sites",
    "center": "centre",
    "warmth": "warmth",
}


class Scene:
    """A tuning photo as the segmenters see it."""

    def __init__(self, mask, codes):
        self.mask, self.codes, self.sites = mask, codes, look(codes)
        self.cues = object_cues(self.sites)
        segmenter = SpectralSegmenter(random_state=0)
        segmenter._seed_ = _common.SEED
        self.regions = segmenter._cut(self.sites, segmenter.n_regions)

    @functools.cached_property
    def truth(self):
        """Share of the object in every site."""
        return self.on_sites(self.mask.astype(float))

    @functools.cached_property
    def usage(self):
        """How much every atom is used around a site."""
        h, w = self.sites.grid_shape
        grid = abs(self.codes.sites()).toarray().reshape(h, w, -1)
        rows, columns = (_gaussian_average(n).astype(np.float32) for n in (h, w))
        pooled = np.tensordot(rows, np.matmul(columns, grid), 1)
        return np.sqrt(pooled.reshape(h * w, -1))

    @functools.cached_property
    def hierarchy(self):
        """Regions that boundaries enclose, on a picture of the size of the mask."""
        return boundary_hierarchy(picture_of(self.codes, False))

    def closed(self, values, n_regions):
        """Mean over so many regions of the hierarchy, for pixels or for sites."""
        labels = self.hierarchy.cut(n_regions=n_regions).ravel()
        if values.ndim == 1:
            fine = magnify(values, self.sites.grid_shape, self.mask.shape)
            return self.on_sites(self.pool(fine.ravel(), labels))
        return self.pool(values.ravel(), labels).reshape(values.shape)

    def on_sites(self, values):
        """Mean of a map of pixels in every site."""
        h, w = self.sites.grid_shape
        return values.reshape(h, len(self.mask) // h, w, -1).mean(axis=(1, 3)).ravel()

    def labels_of_pixels(self):
        """Region of each pixel of the mask."""
        side = len(self.mask) // self.sites.grid_shape[0]
        labels = self.regions.reshape(self.sites.grid_shape)
        return labels.repeat(side, axis=0).repeat(side, axis=1)

    def pool(self, values, regions=None):
        """Mean over regions."""
        regions = self.regions if regions is None else regions
        mean = np.bincount(regions, values) / np.maximum(np.bincount(regions), 1)
        return mean[regions]

    def refine(self, probability):
        """Refined saliency on the grid, above 0.5 inside."""
        color, grid = self.sites.color, self.sites.grid_shape
        saliency = refine_saliency(probability, color, grid, 2, _common.SEED)
        return straighten(saliency, split_threshold(saliency))

    def edges(self, saliency):
        """Saliency of the pixels of the mask, with edges of colour."""
        fine = magnify(saliency, self.sites.grid_shape, self.mask.shape)
        return color_edges(fine, self.codes.thumbnails[0], _common.SEED)

    def score(self, saliency, threshold=None):
        """IoU of a map of sites or of pixels, split where the segmenters split."""
        if threshold is None:
            saliency = stretch(saliency)
            threshold = split_threshold(saliency)
        if saliency.ndim == 1:
            saliency = magnify(saliency, self.sites.grid_shape, self.mask.shape)
        return _ecssd.iou_and_dice([saliency > threshold], [self.mask])[0, 0]


def report(name, scores):
    """Print a row; return it for JSON."""
    print(f"{name:60s} {_ecssd.show(scores)}", flush=True)
    return {"row": name, "iou": float(np.mean(scores))}


def scaled(scenes, cues, by_photo=False):
    """Cues of all photos in deviations from their mean, (n_photos, n_sites, n_cues)."""
    X = np.stack([np.stack([cue[i] for cue in cues], -1) for i in range(len(scenes))])
    axes = 1 if by_photo else (0, 1)
    return (X - X.mean(axis=axes, keepdims=True)) / X.std(axis=axes, keepdims=True)


def equal(cues):
    """Probability by equal weights, as the library has it."""
    evidence = cues.sum(axis=-1) / np.sqrt(cues.shape[-1])
    return expit(evidence + constants.PRIOR_LOG_ODDS)


def fitted(scenes, cues):
    """Probability by weights that are fitted to the masks of the same photos."""
    truth = np.stack([scene.truth for scene in scenes]).ravel() > 0.5
    model = LogisticRegression().fit(cues.reshape(len(truth), -1), truth)
    odds = model.decision_function(cues.reshape(len(truth), -1))
    return expit(odds).reshape(cues.shape[:-1])


def pooled_score(scenes, maps):
    """IoU of every photo from probabilities, averaged over regions."""
    return [scene.score(scene.pool(one)) for scene, one in zip(scenes, maps)]


def cue_rows(scenes, own):
    """Each cue by itself, and all but one."""
    every = scaled(scenes, own.values())
    rows = []
    for i, name in enumerate(own):
        alone = pooled_score(scenes, equal(every[..., [i]]))
        without = pooled_score(scenes, equal(np.delete(every, i, axis=-1)))
        rows += [report(f"only {name}", alone), report(f"without {name}", without)]
    return [*rows, report("all cues", pooled_score(scenes, equal(every)))]


def weight_rows(scenes, own):
    """Rules to weigh the cues."""
    every, each = (scaled(scenes, own.values(), by_photo) for by_photo in (0, 1))
    maps = {
        "equal weights (ours)": equal(every),
        "equal weights, each photo scaled by itself": equal(each),
        "latent classes by EM": expit(_candidates.latent_classes(every)),
        "Dawid-Skene by EM": expit(_candidates.dawid_skene(every)),
        "bound: fitted to the masks of these photos": fitted(scenes, every),
    }
    return [report(name, pooled_score(scenes, p)) for name, p in maps.items()]


def other_rows(scenes, own):
    """Cues that were not kept, added to ours."""
    every = equal(scaled(scenes, own.values()))
    others = {
        name: [cue(scene) for scene in scenes]
        for name, cue in _candidates.OTHER_CUES.items()
    }
    others["what the whole set says"] = _candidates.set_prior(scenes)
    others["centre of what the cues find"] = [
        _candidates.recentred(scene.sites, scene.pool(p))
        for scene, p in zip(scenes, every)
    ]
    rows = [report("ours", pooled_score(scenes, every))]
    for name, cue in others.items():
        alone = scaled(scenes, [cue])
        more = scaled(scenes, [*own.values(), cue])
        report(f"only {name}", pooled_score(scenes, equal(alone)))
        rows.append(report(f"+ {name}", pooled_score(scenes, equal(more))))
    return rows


def voted(scene, probability):
    """Mean over five sets of regions, of 12 to 32 each."""
    model = SpectralSegmenter()
    embedding = local_embedding(
        scene.sites, 32, model.color_scale, model.texture_scale, model.radius
    )
    sets = [
        fit_k_means(embedding[:, -k:], k, 1, seed).labels_
        for seed, k in enumerate((12, 16, 20, 26, 32))
    ]
    return np.mean([scene.pool(probability, labels) for labels in sets], axis=0)


def step_rows(scenes, own):
    """Tell what every step adds, and what bounds it."""
    cues = equal(scaled(scenes, own.values()))
    pooled = [s.pool(p) for s, p in zip(scenes, cues)]
    refined = [s.refine(p) for s, p in zip(scenes, pooled)]
    edges = [s.edges(x) for s, x in zip(scenes, refined)]
    least = SpectralSegmenter().min_confidence
    kept = [
        foreground_confidence(x, p, s.sites.color) >= least
        for s, p, x in zip(scenes, pooled, refined)
    ]
    votes = [s.refine(voted(s, p)) for s, p in zip(scenes, cues)]
    direct = [s.refine(p) for s, p in zip(scenes, cues)]
    closed = [s.refine(s.closed(p, 32)) for s, p in zip(scenes, cues)]
    barriers = [_candidates.enclosing_boundary(s) for s in scenes]
    more = equal(scaled(scenes, [*own.values(), barriers]))
    more = [s.edges(s.refine(s.pool(p))) for s, p in zip(scenes, more)]
    steps = {
        "cues alone": [s.score(p) for s, p in zip(scenes, cues)],
        "averaged over regions": [s.score(p) for s, p in zip(scenes, pooled)],
        "refined, without regions": [s.score(x, 0.5) for s, x in zip(scenes, direct)],
        "five sets of regions, refined": [
            s.score(x, 0.5) for s, x in zip(scenes, votes)
        ],
        "32 regions that boundaries enclose, refined": [
            s.score(x, 0.5) for s, x in zip(scenes, closed)
        ],
        "regions, refined": [s.score(x, 0.5) for s, x in zip(scenes, refined)],
        "regions, refined, edges (ours)": [
            s.score(x, 0.5) for s, x in zip(scenes, edges)
        ],
        "the same, with the closed boundary as a fifth cue": [
            s.score(x, 0.5) for s, x in zip(scenes, more)
        ],
        "ours, with abstention": [
            s.score(x * k, 0.5) for s, x, k in zip(scenes, edges, kept)
        ],
        "ours, each of 64 regions that boundaries enclose on one side": [
            s.score(s.closed((x > 0.5).astype(float), 64), 0.5)
            for s, x in zip(scenes, edges)
        ],
        "bound: best threshold of each photo": [
            max(s.score(x, t) for t in np.linspace(0.05, 0.95, 19))
            for s, x in zip(scenes, edges)
        ],
        "bound: best union of 32 regions": [
            best_union(s.labels_of_pixels(), s.mask) for s in scenes
        ],
        "bound: best union of 32 regions that boundaries enclose": [
            best_union(s.hierarchy.cut(n_regions=32), s.mask) for s in scenes
        ],
        "bound: the mask averaged over regions, refined, edges": [
            s.score(s.edges(s.refine(s.pool(s.truth))), 0.5) for s in scenes
        ],
        "bound: the mask on the grid, edges": [
            s.score(s.edges(s.truth), 0.5) for s in scenes
        ],
    }
    return [report(name, scores) for name, scores in steps.items()]


def as_table(rows):
    """One row for each line that was printed."""
    own = [row | {"key": _record.key(row["row"]), "label": row["row"]} for row in rows]
    return _record.table("", _record.columns("iou"), own)


def as_cue_table(rows):
    """One row for each cue, alone and left out; all of them in the last one."""
    iou = {row["row"]: row["iou"] for row in rows}
    made = [
        {"key": name, "label": label}
        | {"alone": iou[f"only {name}"], "without": iou[f"without {name}"]}
        for name, label in CUE_LABELS.items()
    ]
    made.append({"label": "all cues", "alone": iou["all cues"], "reference": True})
    columns = _record.columns(
        alone=("alone", ".3f"),
        without=("all but this one", ".3f"),
        best={"alone": "max", "without": "min"},
    )
    return _record.table("cue", columns, made)


def main():
    """Read the command line, run, write JSON."""
    options = _ecssd.parser(__doc__.splitlines()[0], json_name="cues.json")
    options.add_argument(
        "--standardize", action="store_true", help="only print means and deviations"
    )
    args = options.parse_args()
    archive = _ecssd.find_archive(options, args.data)
    with threadpool_limits(args.threads):
        photos, masks = _ecssd.read(archive, "tuning", args.n_photos)
        codes = _ecssd.fit_encoder(archive, args).transform(photos)
        scenes = [Scene(mask, codes[i : i + 1]) for i, mask in enumerate(masks)]
        own = {name: [s.cues[name] for s in scenes] for name in scenes[0].cues}
        if args.standardize:
            for name, values in own.items():
                print(f"{name:10s} {np.mean(values):8.4f} {np.std(values):8.4f}")
            return
        results = {}
        jobs = (cue_rows, weight_rows, other_rows, step_rows)
        for name, job in zip(("cues", "weights", "others", "steps"), jobs):
            print(f"\n{name}")
            results[name] = job(scenes, own)
    _common.write_json(args.json, results)
    _record.record(
        args,
        "segmentation_cues",
        tables={
            name: (as_cue_table if name == "cues" else as_table)(rows)
            for name, rows in results.items()
        },
        settings={"data": "ECSSD", "split": "tuning", "n_photos": len(photos)},
    )


if __name__ == "__main__":
    main()
