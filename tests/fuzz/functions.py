"""The functions that are called, those of codes and the Displays."""

import copy
import dataclasses
import inspect

import numpy as np
from hypothesis import strategies as st
from matplotlib import pyplot

from sklearn_sparsevae import (
    SparseCodes,
    codes,
    datasets,
    degrade,
    metrics,
    noise,
    plotting,
    segmentation,
    sparse,
)
from tests.fuzz import inputs
from tests.fuzz.arguments import (
    LABELS,
    OWN,
    Argument,
    Target,
    argument,
    floats,
    images,
    maps,
    of_array,
    of_codes,
    returning,
    tensor,
)
from tests.fuzz.inputs import CODES, IMAGES, JUNK, array, arrays, constants, sampled
from tests.fuzz.models import ESTIMATORS, SEGMENTERS, fitted

# ---- functions --------------------------------------------------------------------


def function(f, check=None, name=None, given=(), **options):
    """Target of a function whose usual arguments are given, or its defaults."""
    module, usual = inspect.getmodule(f).__name__.split(".")[1], dict(given)
    arguments, spread = {}, None
    for parameter in inspect.signature(f).parameters.values():
        key = parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            spread = key
        elif parameter.kind is parameter.VAR_KEYWORD:
            continue
        if key in usual:
            value = usual[key]
            if not isinstance(value, Argument):
                value = argument(key, *constants(value))
        elif key == "random_state":
            value = argument(key, *constants(0))
        else:
            value = argument(key, *constants(parameter.default))
        arguments[key] = value

    def call(values):
        values = dict(values)
        spreading = () if spread is None else values.pop(spread)
        if spread is not None and not isinstance(spreading, list | tuple):
            spreading = (spreading,)
        return f(*spreading, **values)

    name = name or f"{module}.{f.__qualname__}"
    if "network" in arguments:  # of others' packages
        options["own_errors"] = (ImportError,)
    return Target(name, call, arguments, check or (lambda *_: None), **options)


def same_shape(first):
    def check(answer, values):
        wanted = values[first]
        if isinstance(answer, list):
            assert [np.shape(a) for a in answer] == [np.shape(w) for w in wanted]
        else:
            assert answer.shape == np.shape(wanted), "another shape"

    return check


def number_or_row(answer, values):
    if not values.get("per_image"):
        assert isinstance(answer, float | tuple), f"no number: {answer!r}"


DEGRADATIONS = [
    function(f, same_shape("images"), given={"images": images("images"), **given})
    for f, given in [
        (degrade.gaussian_noise, {"sigma": 5}),
        (degrade.poisson_noise, {"peak": 20}),
        (degrade.poisson_gaussian_noise, {"gain": 2, "sigma": 3}),
        (degrade.salt_and_pepper, {"fraction": 0.1}),
        (degrade.speckle, {"sigma": 0.1}),
        (degrade.random_mask, {"fraction": 0.5}),
        (degrade.square_mask, {"size": 2}),
        (degrade.bicubic_downsample, {"factor": 2}),
        (degrade.blur, {"kernel": 1}),
    ]
]


def a_sigma_for_each_channel(answer, values):
    assert answer.ndim == 2 and (answer >= 0).all(), f"no sigma: {answer!r}"


NOISE = [
    function(
        noise.estimate_sigma,
        a_sigma_for_each_channel,
        given={"images": images("images")},
    ),
    function(noise.estimate_gain, given={"images": images("images")}),
    function(noise.noise_correlation, given={"images": images("images")}),
    function(
        noise.anscombe,
        same_shape("images"),
        given={"images": images("images"), "gain": 2},
    ),
    function(
        noise.inverse_anscombe,
        same_shape("stabilized"),
        given={"stabilized": floats("stabilized"), "gain": 2},
    ),
]


def _network(rng):
    return lambda X: [X]


_pairs = {"y_true": floats("y_true"), "y_pred": floats("y_pred")}
SCORES = ["ssim", "hoyer", "nonzeros", "zero_fraction", "usage_perplexity"]
SCORES += ["iou", "dice", "matched_iou", "covering"]
_masks = {"y_true": maps("y_true"), "y_pred": maps("y_pred")}
_binary = {
    name: argument(
        name, array("?", (6, 8, 8), "zeros"), arrays((6, 8, 8)), sampled(IMAGES)
    )
    for name in ("y_true", "y_pred")
}
METRICS = [
    *(function(f, number_or_row, given=_pairs) for f in (metrics.psnr, metrics.flip)),
    function(
        metrics.ssim,
        number_or_row,
        given={
            name: floats(name, ("large", lambda rng: rng.random((2, 12, 12, 3))))
            for name in _pairs
        },
    ),
    *(function(f, number_or_row, given=_binary) for f in (metrics.iou, metrics.dice)),
    *(
        function(f, number_or_row, given=_masks)
        for f in (metrics.matched_iou, metrics.segmentation_covering)
    ),
    function(
        metrics.lpips,
        given={**_pairs, "network": argument("network", ("[X]", _network))},
    ),
    function(
        metrics.fid,
        given={
            **_pairs,
            "network": argument(
                "network", returning(lambda X: X.mean((2, 3)), "mean of pixels")
            ),
        },
    ),
    *(
        function(f, given={"codes": of_codes("codes")})
        for f in (
            metrics.hoyer,
            metrics.nonzeros_per_site,
            metrics.zero_fraction,
            metrics.atom_usage,
            metrics.usage_perplexity,
        )
    ),
    function(
        metrics.bits_per_pixel,
        given={"codes": of_codes("codes", CODES[2])},
        called={"codes": ["X"]},
    ),
    function(
        metrics.make_scorers,
        given={"names": ("psnr",)},
        called={"names": ["name", "names", "scores"]},
    ),
    Target(
        "metrics.make_scorers()",
        lambda v: metrics.make_scorers(v["name"])(v["estimator"], v["X"], v["y"]),
        {
            "name": argument(
                "name",
                *constants("psnr"),
                sampled(constants(*SCORES)),
            ),
            "estimator": argument(
                "estimator", ESTIMATORS[0], st.sampled_from(ESTIMATORS)
            ),
            "X": images("X"),
            "y": argument(
                "y",
                *constants(None),
                sampled(IMAGES),
                arrays((6, 8, 8)),
                sampled(LABELS),
            ),
        },
        called={
            "name": ["y_true", "y", "X", "estimator"],
            "estimator": ["fitted", "X", "PCA"],
            "X": ["y_true"],
            "y": ["y_true"],
        },
    ),
]
_known = {"grid_shape": (2, 2), "n_atoms": 16}
CODE_FUNCTIONS = [
    function(
        codes.as_codes,
        given={"X": of_codes("X")},
        name="codes.as_codes",
        called={"X": ["codes"]},
    ),
    function(
        codes.quantize_codes,
        given={"codes": of_codes("codes"), "coef_bits": 4},
        name="codes.quantize_codes",
        called={"codes": ["X"]},
    ),
    function(
        codes.concatenate_codes,
        given={"parts": of_codes("parts", CODES[24])},
        name="codes.concatenate_codes",
        called={"parts": ["codes"]},
    ),
    function(
        SparseCodes.from_sites,
        name="SparseCodes.from_sites",
        given={
            **_known,
            "values": of_array("values", "f4", (24,)),
            "atoms": of_array("atoms", "i8", (24,), "integers"),
            "counts": of_array("counts", "i8", (24,), "ones"),
            "thumbnails": of_array("thumbnails", "u1", (6, 4, 4, 3), "uniform"),
        },
        called={
            "values": ["value"],
            "atoms": ["atom"],
            "counts": ["count"],
            "grid_shape": ["thumbnails"],
        },
    ),
    Target(
        "SparseCodes",
        lambda v: SparseCodes(v.pop("arg1"), **v),
        {
            "arg1": of_codes("arg1"),
            **{
                k: argument(k, *constants(d))
                for k, d in [
                    *_known.items(),
                    ("shape", None),
                    ("dtype", None),
                    ("copy", False),
                    ("image_shape", None),
                    ("n_mean_atoms", 0),
                ]
            },
            "thumbnails": argument(
                "thumbnails",
                *constants(None),
                arrays((6, 4, 4, 3), (6, 2, 2, 1)),
                sampled(IMAGES),
            ),
        },
        called={"arg1": ["codes", "column indices", "row pointer"]},
        own_errors=(MemoryError,),
        passes=True,
    ),
]


def of_self(name, check=None, **others):
    """Target of an operation on codes; what SciPy itself says is not ours."""

    def call(values):
        values = dict(values)
        # Some change the codes in place.
        return getattr(copy.deepcopy(values.pop("self")), name)(*values.values())

    arguments = {"self": Argument(CODES[0], sampled(CODES[:8] + CODES[9:13])), **others}
    return Target(
        f"SparseCodes.{name}", call, arguments, check or (lambda *_: None), passes=True
    )


KEYS = constants(
    0, -1, 6, slice(1, 3), [0, 2], [9], [], [True] * 6, [True], (0, 1), (slice(None), 0)
)
KEYS += constants(
    np.array([1, 0]), np.array([[0, 1]]), np.ones(6, bool), (..., 0), [0.5], [[0]]
)


def keeps_grid(answer, values):
    """A selection of rows and a scale keep the grid."""
    if isinstance(answer, SparseCodes):
        assert answer.grid_shape == (2, 2) and answer.shape[1] == 64
        answer.sites().toarray()
        repr(answer)


OPERATIONS = [
    dataclasses.replace(
        of_self(
            "__getitem__",
            keeps_grid,
            key=argument("key", *constants(slice(0, 2)), sampled(KEYS)),
        ),
        own_errors=(IndexError, KeyError, ValueError, TypeError, NotImplementedError),
    ),
    *(
        dataclasses.replace(
            of_self(
                name,
                keeps_grid,
                other=argument(
                    "other", *constants(2), sampled(CODES[:-6]), arrays((6, 64), (64,))
                ),
            ),
            own_errors=(ValueError, TypeError, ArithmeticError, NotImplementedError),
        )
        for name in (
            "__mul__",
            "__rmul__",
            "__truediv__",
            "__imul__",
            "__itruediv__",
            "multiply",
        )
    ),
    *(
        dataclasses.replace(
            of_self(name, keeps_grid), own_errors=(NotImplementedError,)
        )
        for name in ("__neg__", "__abs__", "copy", "__repr__")
    ),
    of_self("sites", lambda answer, values: answer.toarray()),
    dataclasses.replace(
        of_self(
            "pool",
            lambda answer, values: answer.sites().toarray(),
            grid_shape=argument("grid_shape", *constants((2, 2))),
        ),
        own_errors=(ValueError,),
    ),
    dataclasses.replace(
        of_self(
            "astype",
            keeps_grid,
            dtype=argument(
                "dtype", *constants("f8"), sampled(constants(*inputs.DTYPES))
            ),
        ),
        own_errors=(TypeError, ValueError),
    ),
    dataclasses.replace(
        of_self("resize", keeps_grid, shape=argument("shape", *constants((6, 64)))),
        own_errors=(ValueError,),
    ),
]

SEGMENTATION = [
    function(
        segmentation.background_probability,
        given={
            "connectivity": of_array("connectivity", "f8", (4,), "uniform"),
            "scale": 1.0,
        },
    ),
    function(
        segmentation.boundary_connectivity,
        given={
            "features": of_array("features", "f8", (24, 5)),
            "grid_shape": (4, 6),
            "scale": 1.0,
        },
    ),
    function(
        segmentation.foreground_saliency,
        given={
            "appearance": of_array("appearance", "f8", (24, 3)),
            "grid_shape": (4, 6),
        },
    ),
    function(
        segmentation.cut_boundaries,
        given={"boundaries": of_array("boundaries", "f4", (8, 8)), "threshold": 0.5},
    ),
    function(
        segmentation.region_boundary_connectivity,
        given={"labels": of_array("labels", "i8", (8, 8), "integers")},
    ),
]
DATASETS = [
    function(
        datasets.LazyView,
        lambda answer, values: answer[:2],
        given={"photos": images("photos")},
    ),
    function(
        datasets.random_crops,
        given={"images": images("images"), "size": 4, "n_crops": 3},
    ),
]

# ---- numerics ---------------------------------------------------------------------

_kernels = {"kernels": tensor("kernels", 4, 3, 3, 3), "stride": 2}
_sets = {
    "features": tensor("features", 6, 5),
    "labels": of_array("labels", "i8", (6,), "integers", "tensor", sampled(LABELS)),
}
_coded = {
    "signals": tensor("signals", 24, 16),
    "dictionary": tensor("dictionary", 24, 16),
}
NUMERICS = [
    function(
        getattr(sparse, name),
        given=given,
        passes=True,
        name=f"sparse.{name}",
        called={"dictionary": ["indices"], "filters": ["dictionary", "signals"]},
    )
    for name, given in {
        "analyze": {"images": tensor("images", 2, 3, 8, 8), **_kernels},
        "synthesize": {"maps": tensor("maps", 2, 4, 4, 4), **_kernels, "size": (8, 8)},
        "largest_curvature": {"start": tensor("start", 1, 3, 8, 8), **_kernels},
        "power_start": {"shape": (3, 8, 8)},
        "convolutional_fista": {
            "images": tensor("images", 2, 3, 8, 8),
            **_kernels,
            "alpha": 0.1,
            "n_steps": 2,
        },
        "batch_omp": {**_coded, "n_nonzero_coefs": 3},
        "denoise_patches": {"image": tensor("image", 8, 9, 2), "sigma": 0.1},
        "ista": {**_coded, "alpha": 0.1, "n_steps": 3},
        "lipschitz_constant": {"dictionary": _coded["dictionary"]},
        "nearest_code": {
            "signals": _coded["signals"],
            "codebook": tensor("codebook", 24, 16),
        },
        "normalize_atoms": {"dictionary": _coded["dictionary"]},
        "soft_threshold": {"values": tensor("values", 6, 5), "threshold": 0.1},
        "dct_dictionary": {"latent_dim": 48, "n_components": 64},
        "dense_codes": {
            "indices": of_array("indices", "i8", (6, 3), "integers", "tensor"),
            "values": tensor("values", 6, 3),
            "n_components": 5,
        },
        "learn_codebook": {
            "signals": _coded["signals"],
            "n_components": 4,
            "n_iter": 2,
        },
        "learn_dictionary": {
            "signals": _coded["signals"],
            "n_components": 4,
            "n_nonzero_coefs": 2,
            "n_iter": 2,
        },
        "update_atoms": {
            "dictionary": tensor("dictionary", 4, 16),
            "a": tensor("a", 4, 4, content="ones"),
            "b": tensor("b", 4, 16),
        },
        "coding_rate": {"features": _sets["features"]},
        "rate_reduction": _sets,
        "refit": {
            **_coded,
            "indices": of_array(
                "indices", "i8", (24, 1), "integers", "tensor", arrays((24, 3))
            ),
        },
        "project": {
            **_coded,
            "indices": of_array(
                "indices", "i8", (24, 1), "integers", "tensor", arrays((24, 3))
            ),
            "values": tensor("values", 24, 1),
        },
        "removal_costs": {
            "dictionary": _coded["dictionary"],
            "indices": of_array(
                "indices", "i8", (24, 1), "integers", "tensor", arrays((24, 3))
            ),
            "values": tensor("values", 24, 1),
        },
        "rate_distance": {
            "features": _sets["features"],
            "others": tensor("others", 6, 5),
        },
        "transcription_terms": {
            "features": _sets["features"],
            "regenerated": tensor("regenerated", 6, 5),
        },
        "fista_momentum": {"n_steps": 3},
        "unrolled_ista": {
            **_coded,
            "filters": tensor("filters", 24, 16),
            "thresholds": tensor("thresholds", 24, content="uniform"),
            "momentum": tensor("momentum", 3, content="uniform"),
        },
    }.items()
]

# ---- Displays ---------------------------------------------------------------------


def display(path, axes="ax", **given):
    cls, _, name = path.partition(".")
    cls = getattr(plotting, cls)
    ax = dataclasses.replace(
        argument("ax", *constants(None)),
        others=st.one_of(sampled(OWN["ax"], OWN["axes"]), sampled(JUNK)),
    )
    target = function(
        getattr(cls, name), given={"ax": ax, **given}, name=f"plotting.{path}"
    )

    def call(values):
        try:
            return target.call(values).figure_ and None
        finally:
            pyplot.close("all")

    called = {
        "X": ["images", "codes"],
        "condition": ["fitted"],
        "components": ["component"],
        "ax": ["axes"],
        "quality": ["score"],
        "sparsity": ["score"],
        "cv_results": ["results"],
        "images": ["labels"],
        "data_range": ["white"],
        "estimator": ["fitted", "images", "codes"],
    }
    return dataclasses.replace(target, call=call, called=called)


def estimator(*recipes):
    return argument(
        "estimator",
        recipes[0] if recipes else ESTIMATORS[0],
        st.sampled_from([*recipes, *ESTIMATORS]),
    )


_SEGMENTERS = [
    (
        f"{name} of {kind}",
        lambda rng, name=name, kind=kind: fitted(name, kind).model,
    )
    for name in SEGMENTERS
    for kind in ("codes of images", "list of grids", "scene", "unfitted")
]


_results = {
    "mean_test_psnr": np.array([1.0, 2]),
    "mean_test_nonzeros": np.array([1.0, 2]),
}
DISPLAYS = [
    display("AtomsDisplay.from_estimator", estimator=estimator()),
    display("HistoryDisplay.from_estimator", estimator=estimator()),
    display("LatentUsageDisplay.from_estimator", estimator=estimator(ESTIMATORS[3])),
    display(
        "ReconstructionDisplay.from_estimator", estimator=estimator(), X=images("X")
    ),
    display(
        "ReconstructionDisplay.from_predictions",
        images=floats("images"),
        reconstructions=floats("reconstructions"),
    ),
    display(
        "BoundaryDisplay.from_estimator",
        estimator=estimator(*(s for s in _SEGMENTERS if s[0].startswith("Spectral"))),
        X=of_codes("X", CODES[2]),
        images=images("images"),
    ),
    display(
        "BoundaryDisplay.from_predictions",
        images=images("images"),
        boundaries=of_array("boundaries", "f4", (6, 8, 8), "uniform"),
    ),
    display(
        "SegmentationDisplay.from_estimator",
        estimator=estimator(*_SEGMENTERS),
        X=of_codes("X", CODES[2]),
        images=images("images"),
    ),
    display(
        "SegmentationDisplay.from_predictions",
        images=images("images"),
        labels=maps("labels"),
    ),
    display("SparsityQualityDisplay.from_cv_results", cv_results=_results),
    display(
        "ThresholdDisplay.from_estimator",
        estimator=estimator(*(e for e in ESTIMATORS if "SparseCoding" in e[0])),
        X=images("X"),
    ),
    display(
        "TopImagesDisplay.from_codes",
        codes=of_codes("codes"),
        images=images("images"),
        n_images=2,
    ),
    display(
        "TraversalDisplay.from_estimator",
        estimator=estimator(),
        X=images("X"),
        components=[0],
        values=[0.0, 1.0],
    ),
    display(
        "TraversalDisplay.from_images",
        strips=argument(
            "strips",
            array("f4", (2, 3, 8, 8), "uniform"),
            arrays((2, 3, 8, 8), (2, 3, 4, 4, 3)),
            sampled(IMAGES),
        ),
    ),
    display(
        "TraversalDisplay.from_interpolation",
        estimator=estimator(),
        A=images("A"),
        B=images("B"),
        n_steps=2,
    ),
    display("UsageDisplay.from_codes", codes=of_codes("codes")),
]

TARGETS = [
    *DEGRADATIONS,
    *NOISE,
    *METRICS,
    *CODE_FUNCTIONS,
    *OPERATIONS,
    *SEGMENTATION,
    *DATASETS,
    *NUMERICS,
    *DISPLAYS,
]
