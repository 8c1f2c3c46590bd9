"""Regions of BSDS500: of codes beside superpixels, graphs and k-means on colour.

Label maps of photos at full size against what people drew, at every other pixel:
*covering* of their segments (Arbelaez et al. 2011; higher is better), *ARI*, the
adjusted Rand index (higher), and *VI*, the variation of information in bits (lower).
Each is a mean over the people who segmented a photo, then over photos; in brackets 95 %
bootstrap intervals over photos. *seconds* per photo are those after its coding.

The encoder is fitted on photos of the training folder and sees no segmentation. The
constants of *boundaries* were chosen on training photos with what people drew.
*chosen* rows have the one setting for all photos, of those listed in the script, that
covers the training photos best. *connected* takes the connected components of a label
map for its regions, as people draw them. Photos are taken in the order of their names:
training photos to fit and choose on, then test photos, and those of the validation
folder when more are asked for.

``--boundaries`` measures the boundaries themselves: F at the threshold that is best for
all test photos (ODS), as in the BSDS benchmark; ``_boundaries.py`` says what differs.

Run ``python benchmarks/segmentation/regions.py --data bsds500.zip``.
"""

import dataclasses
import functools
import io
import pathlib
import sys
import time
import zipfile
from collections.abc import Callable
from unittest import mock

import numpy as np
import torch
from scipy.io import loadmat
from skimage import graph
from skimage.color import rgb2lab
from skimage.measure import label
from skimage.segmentation import felzenszwalb, slic
from sklearn.cluster import KMeans
from sklearn.model_selection import ParameterGrid
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import SparseCodingVAE
from sklearn_sparsevae.datasets import load_image_archive
from sklearn_sparsevae.segmentation import (
    KMeansSegmenter,
    SpectralSegmenter,
    _contours,
)
from sklearn_sparsevae.segmentation._pictures import picture_of

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import _bsds
import _common
import _record
from _boundaries import Textons, count_matches, f_measure, read_boundaries

AUTO = {"": {"n_clusters": "auto"}}
MEASURES = ("covering", "ARI", "VI")
N_FIGURE = 4
STRIDE = 2  # between the pixels that are compared


@dataclasses.dataclass(frozen=True)
class Scene:
    """A photo and what people drew on it, ``(n_people, H / 2, W / 2)``."""

    name: str
    photo: np.ndarray
    people: np.ndarray


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to segment: what it needs of a photo, how it labels, with which options.

    ``fixed`` names the options of rows of the table; ``choices`` has the values of the
    options that are chosen, if any, for one more row.
    """

    name: str
    prepare: Callable
    segment: Callable
    fixed: dict = dataclasses.field(default_factory=dict)
    choices: dict = dataclasses.field(default_factory=dict)

    def labels(self, prepared, *, connected=False, **options):
        """Label map ``(H, W)`` of a prepared photo."""
        labels = self.segment(prepared, **options)
        return label(labels, background=-1) if connected else labels


@dataclasses.dataclass(frozen=True)
class Row:
    """A method with its options, and what every test photo gave."""

    name: str
    method: Method
    options: dict
    scores: list = dataclasses.field(default_factory=list)
    regions: list = dataclasses.field(default_factory=list)
    seconds: list = dataclasses.field(default_factory=list)

    def covering(self):
        """Covering of each photo."""
        return np.array(self.scores)[:, 0]

    def as_dict(self):
        """Return what the table and the JSON file say."""
        return {
            "method": self.name,
            "options": self.options,
            "regions": float(np.mean(self.regions)),
            "seconds": float(np.mean(self.seconds)),
            **{
                name: {
                    "mean": float(np.mean(values)),
                    "interval": _common.interval(values),
                }
                for name, values in zip(MEASURES, np.transpose(self.scores))
            },
        }


def load_scenes(archive, folders, n_scenes):
    """First photos of some folders, with what people drew."""
    scenes = []
    for folder in folders:
        photos = load_image_archive(archive, folder=f"images/{folder}")
        names = photos.names[: n_scenes - len(scenes)]
        for name, photo in zip(names, photos.images):
            stem = pathlib.PurePath(name).stem
            people = read_people(archive, f"groundTruth/{folder}/{stem}.mat")
            scenes.append(Scene(stem, photo, people))
    if len(scenes) < n_scenes:
        raise SystemExit(
            f"{n_scenes} photos of {', '.join(folders)} were asked for, the archive "
            f"has {len(scenes)}: ask for fewer."
        )
    return scenes


def read_people(archive, name):
    """Label maps in a MATLAB file of the archive."""
    with zipfile.ZipFile(archive) as data:
        cells = loadmat(io.BytesIO(data.read(name)))["groundTruth"][0]
    people = np.stack([cell["Segmentation"][0, 0] for cell in cells])
    return people[:, ::STRIDE, ::STRIDE].astype(np.int64)


@dataclasses.dataclass(frozen=True)
class Hierarchies:
    """Regions at all scales of a photo, with another texture than the default's.

    ``constants`` stand in the place of those of ``_contours``, for the time of a photo.
    """

    encode: Callable
    constants: dict

    def __call__(self, photo):
        """Return the regions of a photo at all scales, and where they lie."""
        picture = picture_of(self.encode(photo), on_grid=False)
        with mock.patch.multiple(_contours, **self.constants):
            return photo.shape[:2], picture, _contours.boundary_hierarchy(picture)


def cut(prepared, threshold):
    """Label map of all boundaries above a threshold."""
    shape, picture, hierarchy = prepared
    return picture.spread(hierarchy.cut(threshold=threshold), shape)


def our_methods(encode, train):
    """Regions by boundaries, as they come and of other textures; k-means of codes."""
    yield Method(
        "boundaries", encode, functools.partial(_clusters, SpectralSegmenter), AUTO
    )
    yield Method(
        "boundaries",
        encode,
        functools.partial(_clusters, SpectralSegmenter),
        {"8": {"n_clusters": 8}},
    )
    lightness = [
        picture_of(encode(scene.photo), on_grid=False).color[..., 0] for scene in train
    ]
    textons = Textons(lightness, _common.SEED)
    no_sites, none = {"CODE_WEIGHT": 0.0}, {"TEXTURE_WEIGHTS": (0.0, 0.0, 0.0)}
    for name, constants in {
        "codes of patches alone": no_sites,
        "textons": {"patch_codes": textons, "TEXTURE_WEIGHTS": (0, 0.5, 0.5)}
        | no_sites,
        "colour alone": none | no_sites,
    }.items():
        prepare = Hierarchies(encode, constants)
        thresholds = np.arange(0.3, 0.7, 0.02).round(2).tolist()
        choices = {"threshold": thresholds}
        yield Method(f"boundaries, {name}", prepare, cut, choices=choices)
    yield Method(
        "k-means of SC codes",
        encode,
        functools.partial(_clusters, KMeansSegmenter),
        {"5 connected": {"n_clusters": 5, "connected": True}},
    )
    yield Method(
        "k-means of pooled SC codes",
        encode,
        functools.partial(_clusters, functools.partial(KMeansSegmenter, pooling=1.5)),
        {"5 connected": {"n_clusters": 5, "connected": True}},
    )


class Coding:
    """Codes of photos, each made once: the time of ours is that after coding."""

    def __init__(self, encoder):
        """Take a fitted encoder."""
        self.encoder, self.made, self.seconds = encoder, {}, []

    def __call__(self, photo):
        """Return the codes of a photo."""
        if id(photo) not in self.made:
            start = time.perf_counter()
            self.made[id(photo)] = self.encoder.transform(photo[None])
            self.seconds.append(time.perf_counter() - start)
        return self.made[id(photo)]


def _clusters(segmenter, codes, n_clusters):
    return segmenter(n_clusters, random_state=_common.SEED).fit_predict(codes)[0]


def peer_methods():
    """List what one would take instead."""
    return [
        Method("one region", np.asarray, one_region, {"": {}}),
        Method(
            "k-means of Lab",
            rgb2lab,
            lab_k_means,
            {"5": {"n_clusters": 5}},
        ),
        Method(
            "SLIC, merged by colour",
            superpixels,
            merged_superpixels,
            choices={"threshold": [8, 12, 16, 20, 25]},
        ),
        Method(
            "Felzenszwalb",
            np.asarray,
            functools.partial(felzenszwalb, sigma=0.8),
            choices={"scale": [200, 400, 800, 1600], "min_size": [100, 1000]},
        ),
    ]


def one_region(photo):
    """Everything in one piece: what a measure gives for nothing."""
    return np.zeros(photo.shape[:2], dtype=int)


def lab_k_means(lab, n_clusters):
    """k-means of the colours of pixels."""
    model = KMeans(n_clusters, n_init=3, random_state=_common.SEED)
    model.fit(lab[::4, ::4].reshape(-1, 3))
    return model.predict(lab.reshape(-1, 3)).reshape(lab.shape[:2])


def superpixels(photo):
    """Lab colours and about 400 SLIC superpixels."""
    return rgb2lab(photo), slic(photo, 400, compactness=10, start_label=0)


def merged_superpixels(prepared, threshold):
    """Merge neighbours, nearest mean colours first, up to a distance in Lab."""
    lab, segments = prepared
    regions = graph.rag_mean_color(lab, segments)
    return graph.merge_hierarchical(
        segments,
        regions,
        thresh=threshold,
        rag_copy=False,
        in_place_merge=True,
        merge_func=_pool_colors,
        weight_func=_color_distance,
    )


def _pool_colors(regions, source, target):
    source, target = regions.nodes[source], regions.nodes[target]
    for total in ("total color", "pixel count"):
        target[total] = target[total] + source[total]
    target["mean color"] = target["total color"] / target["pixel count"]


def _color_distance(regions, _, target, neighbor):
    target, neighbor = (regions.nodes[n]["mean color"] for n in (target, neighbor))
    return {"weight": np.linalg.norm(target - neighbor)}


def choose(method, scenes):
    """Return the options that cover the scenes best."""
    settings = list(ParameterGrid(method.choices))
    scores = np.zeros(len(settings))
    for scene in scenes:
        prepared = method.prepare(scene.photo)
        for i, options in enumerate(settings):
            scores[i] += covering(scene.people, method.labels(prepared, **options))
    return settings[scores.argmax()]


def covering(people, labels):
    """Covering of what people drew, averaged over them."""
    return measure(people, labels)[0]


def measure(people, labels):
    """Covering, ARI and VI of one label map, averaged over the people.

    From how many pixels each pair of labels shares: as ``segmentation_covering``,
    ``adjusted_rand_score`` and ``variation_of_information`` have it, which count anew.
    """
    seen = np.unique(labels[::STRIDE, ::STRIDE], return_inverse=True)[1].ravel()
    measures = []
    for drawn in people:
        shape = int(drawn.max()) + 1, int(seen.max()) + 1
        pairs = drawn.ravel() * shape[1] + seen
        shared = np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)
        measures.append(_measures(shared[shared.any(axis=1)].astype(float)))
    return np.mean(measures, axis=0)


def _measures(shared):
    """Covering, ARI and VI of a table of shared pixels, of people's labels a row."""
    total, rows, columns = shared.sum(), shared.sum(axis=1), shared.sum(axis=0)
    union = rows[:, None] + columns - shared
    best = (shared / union).max(axis=1) @ rows / total
    pairs, of_rows, of_columns = (
        (n * (n - 1)).sum() / 2 for n in (shared, rows, columns)
    )
    chance = of_rows * of_columns / (total * (total - 1) / 2)
    spare = (of_rows + of_columns) / 2 - chance
    rand = (pairs - chance) / spare if spare else 1.0
    share = shared[shared > 0] / total
    entropies = [-(n / total) @ np.log2(n / total) for n in (rows, columns)]
    information = 2 * -(share @ np.log2(share)) - sum(entropies)
    return best, rand, information


def make_rows(method, train, test):
    """Choose on the training scenes, segment the test scenes, print."""
    settings = dict(method.fixed)
    if method.choices:
        settings["chosen"] = choose(method, train)
    rows = [
        Row(f"{method.name} {name}".strip(), method, options)
        for name, options in settings.items()
    ]
    for scene in test:
        start = time.perf_counter()
        prepared = method.prepare(scene.photo)
        preparation = time.perf_counter() - start
        for row in rows:
            start = time.perf_counter()
            labels = method.labels(prepared, **row.options)
            row.seconds.append(preparation + time.perf_counter() - start)
            row.regions.append(len(np.unique(labels)))
            row.scores.append(measure(scene.people, labels))
    for row in rows:
        print_row(row.as_dict())
    return rows


def print_head():
    """Names of the columns."""
    measures = "".join(f"{name:>21s}" for name in MEASURES)
    print(f"{'method':36s}{measures} {'regions':>8s} {'seconds':>8s}  chosen")


def print_row(result):
    """One line of the table."""
    cells = [
        f"{cell['mean']:7.3f} [{cell['interval'][0]:.3f} {cell['interval'][1]:.3f}]"
        for cell in (result[name] for name in MEASURES)
    ]
    chosen = ", ".join(f"{name} {value}" for name, value in result["options"].items())
    print(
        f"{result['method']:36s}{''.join(cells)} {result['regions']:8.1f} "
        f"{result['seconds']:8.2f}  {chosen}",
        flush=True,
    )


def best(rows):
    """Row that covers best."""
    return max(rows, key=lambda row: row.covering().mean())


def check(ours, peer):
    """Say whether a row of ours covers as much as a peer's."""
    gaps = ours.covering() - peer.covering()
    gap, (low, high) = gaps.mean(), _common.interval(gaps)
    text = f"{ours.name} - {peer.name}: {gap:+.3f} covering [{low:+.3f} {high:+.3f}]"
    return _common.verdict(f"{text}, expected 0 or more", gap >= 0)


def draw(path, scenes, rows):
    """Draw photos, what the first person drew, and the label maps of some rows."""
    from matplotlib.figure import Figure
    from skimage.color import label2rgb

    figure = Figure(figsize=(3 * (2 + len(rows)), 2.2 * len(scenes)))
    axes = figure.subplots(len(scenes), 2 + len(rows), squeeze=False)
    for line, scene in zip(axes, scenes):
        maps = {"one of the people": scene.people[0]}
        for row in rows:
            prepared = row.method.prepare(scene.photo)
            labels = row.method.labels(prepared, **row.options)
            maps[row.name] = labels[::STRIDE, ::STRIDE]
        photo = scene.photo[::STRIDE, ::STRIDE]
        images = {scene.name: photo} | {
            name: label2rgb(labels, photo, kind="avg", bg_label=-1)
            for name, labels in maps.items()
        }
        for ax, (name, image) in zip(line, images.items()):
            ax.imshow(image)
            ax.set_title(name, fontsize=8)
            ax.set_axis_off()
    figure.tight_layout()
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    print(f"written: {path}")


def fit_encoder(photos, args):
    """Fit an encoder with default settings on photos alone."""
    encoder = SparseCodingVAE(random_state=_common.SEED, **_common.epochs(args))
    cpu, wall = _common.timed_fit(encoder, photos)
    print(f"codes: fitted in {wall:.0f} s ({cpu:.0f} CPU)", flush=True)
    return encoder


def measure_boundaries(archive, encode, scenes):
    """F of boundaries at each threshold, of all test scenes together."""
    thresholds = np.arange(0.3, 0.8, 0.05).round(2)
    counts = np.zeros((len(thresholds), 4))
    # Nothing is learned in a fit, so that one does for all photos.
    segmenter = SpectralSegmenter(n_clusters="auto").fit(encode(scenes[0].photo))
    for scene in scenes:
        found = segmenter.predict_boundaries(encode(scene.photo))[0]
        people = read_boundaries(archive, f"groundTruth/test/{scene.name}.mat")
        for i, threshold in enumerate(thresholds):
            counts[i] += count_matches(found > threshold, people)
    values = [f_measure(row) for row in counts]
    best = int(np.argmax(values))
    print(f"boundaries: F (ODS) {values[best]:.3f} at {thresholds[best]:.2f}")
    return {
        "f_ods": round(float(values[best]), 4),
        "f_threshold": float(thresholds[best]),
    }


LABELS = {
    "boundaries": '`SpectralSegmenter("auto")`',
    "boundaries 8": "`SpectralSegmenter(8)`",
    "k-means of SC codes": "`KMeansSegmenter(5)`",
    "k-means of pooled SC codes": "`KMeansSegmenter(5, pooling=1.5)`",
}
ENDS = {" 5 connected": ", connected parts", "": ""}


def to_table(rows):
    """One row for each method and its options."""
    columns = _record.columns(
        covering=("covering", ".3f"),
        ari=("ARI", ".3f"),
        vi=("VI, bits", ".2f"),
        regions=("regions", ".0f"),
        seconds=("seconds a photo", ".2f"),
        best={"covering": "max", "ari": "max", "vi": "min"},
    )
    made = []
    for row in rows:
        name = label = row["method"]
        for end, words in ENDS.items():
            if name.endswith(end) and name.removesuffix(end) in LABELS:
                label = LABELS[name.removesuffix(end)] + words
                break
        own = {measure.lower(): row[measure] for measure in MEASURES}
        made.append(row | own | {"key": _record.key(name), "label": label})
    return _record.table("method", columns, made)


def main():
    """Read the command line, run, write JSON."""
    options = _bsds.parser(__doc__.splitlines()[0], json_name="regions.json")
    # Of 27 photos an epoch is as short as it gets.
    options.set_defaults(n_train=27, n_test=200)
    add = options.add_argument
    add("--n-choose", type=_common.positive, default=40, help="photos to choose on")
    add("--boundaries", action="store_true", help="measure F of boundaries, too")
    add("--figure", metavar="PATH", help="draw four test photos and their regions")
    args = options.parse_args()
    archive = _bsds.find_archive(options, args.data)
    torch.set_num_threads(args.threads)
    train = load_scenes(archive, ["train"], max(args.n_train, args.n_choose))
    test = load_scenes(archive, ["test", "val"], args.n_test)
    settings = {name: vars(args)[name] for name in ("n_train", "n_choose", "n_test")}
    print(f"{_bsds.TITLE}: {settings}")
    with threadpool_limits(args.threads):
        encoder = fit_encoder([s.photo for s in train[: args.n_train]], args)
        encode = Coding(encoder)
        for scene in test:
            encode(scene.photo)
        coding = float(np.mean(encode.seconds))
        print(f"coding: {coding:.2f} s a photo")
        print_head()
        choosing = train[: args.n_choose]
        ours, peers = (
            [row for method in methods for row in make_rows(method, choosing, test)]
            for methods in (our_methods(encode, choosing), peer_methods())
        )
        goals = [check(ours[0], best(peers))]
        figures = {"coding_seconds": round(coding, 2)}
        if args.boundaries:
            figures |= measure_boundaries(archive, encode, test)
        if args.figure:
            draw(args.figure, test[:N_FIGURE], [best(ours), best(peers)])
    rows = [row.as_dict() for row in ours + peers]
    content = {"data": _bsds.TITLE, **settings, "rows": rows, "goals": goals, **figures}
    _common.write_json(args.json, content)
    _record.record(
        args,
        "regions",
        tables={"methods": to_table(rows)},
        figures=figures,
        settings={"data": _bsds.TITLE, **settings},
    )


if __name__ == "__main__":
    main()
