"""What is called: every public callable, with the usual value of each argument.

`TARGETS` holds them by name, `EXCEPTIONS` those left out, with the reason.
"""

import copy
import dataclasses
import functools
import inspect
import typing

import numpy as np
import torch
from hypothesis import strategies as st
from matplotlib import pyplot
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

import sklearn_sparsevae
from sklearn_sparsevae import (
    CodePrior,
    GaussianVAE,
    SparseCodes,
    codes,
    datasets,
    degrade,
    metrics,
    plotting,
    segmentation,
    sparse,
)
from tests.fuzz import inputs
from tests.fuzz.inputs import CODES, IMAGES, JUNK, array, arrays, constants, sampled

AUTOENCODERS = ["VQVAE", "DictionaryLearningVAE", "SparseCodingVAE", "GaussianVAE"]
AUTOENCODERS += ["SpikeSlabVAE"]
SEGMENTERS = ["KMeansSegmenter", "SpectralSegmenter"]

# What is long by nature, or large, when the number is: nobody can refuse that.
UNBOUNDED = {"max_epochs", "n_rollout_steps", "n_steps", "n_iter", "n_init", "n_layers"}
UNBOUNDED |= {"n_components", "latent_dim", "n_samples", "n_crops", "width", "n_atoms"}
UNBOUNDED |= {"n_quantizers", "n_levels", "n_pseudo_inputs", "shape", "size", "n_jobs"}


@dataclasses.dataclass(frozen=True)
class Argument:
    """The recipe of a usual value, and a strategy of recipes of others."""

    usual: tuple
    others: st.SearchStrategy


@dataclasses.dataclass(frozen=True)
class Target:
    """Something to call, ``call(values)``, and what must hold of its answer.

    ``called`` are further words by which a refusal may name an argument, ``own_errors``
    other errors that are refusals, ``passes`` whether numbers that are not finite, or
    overflow, may come out as they went in.
    """

    name: str
    call: typing.Callable
    arguments: dict
    check: typing.Callable = lambda answer, values: None
    called: dict = dataclasses.field(default_factory=dict)
    own_errors: tuple = ()
    passes: bool = False


# ---- arguments ----------------------------------------------------------------------


def returning(function, label):
    """Recipe of a callable of the user's that returns something of its input."""
    return label, lambda rng: lambda X, **_: function(X)


def _raise(X):
    raise inputs.OwnError


class Raising(Callback):
    """A callback that raises where it is asked to."""

    def on_epoch_end(self, net, **kwargs):
        raise inputs.OwnError


CALLABLES = [
    returning(lambda X: X, "lambda X: X"),
    returning(lambda X: X / 255, "lambda X: X / 255"),
    returning(lambda X: X * np.nan, "lambda X: X * nan"),
    returning(lambda X: X[:, :5], "lambda X: X[:, :5]"),
    returning(lambda X: X[:0], "lambda X: X[:0]"),
    returning(lambda X: [X], "lambda X: [X]"),
    returning(lambda X: [X * 1j], "lambda X: [X * 1j]"),
    returning(lambda X: X.reshape(len(X), -1), "lambda X: X.reshape(len(X), -1)"),
    returning(lambda X: None, "lambda X: None"),
    returning(lambda X: "x", "lambda X: 'x'"),
    returning(lambda X: 1.0, "lambda X: 1.0"),
    returning(list, "list"),
    returning(_raise, "raising"),
]
CALLBACKS = [
    ("[Callback()]", lambda rng: [Callback()]),
    ("(Callback(),)", lambda rng: (Callback(),)),
    ("[Callback]", lambda rng: [Callback]),
    ("[('a', Callback())]", lambda rng: [("a", Callback())]),
    ("twice ('a', Callback())", lambda rng: [("a", Callback())] * 2),
    ("[('a', 5)]", lambda rng: [("a", 5)]),
    ("[(5, Callback())]", lambda rng: [(5, Callback())]),
    ("Callback()", lambda rng: Callback()),
    ("[raising]", lambda rng: [Raising()]),
    *constants([5], [None], ["x"], [()]),
]
NAN = float("nan")
SHAPES = constants((8, 8, 3), [8, 8, 3], (8, 8), (192,), (4, 16, 3), (16, 12), (5, 1))
SHAPES += constants((8.0, 8, 3), (8, 8, 3, 1), (2, 2), (1, 1), (4, 1), np.array([2, 2]))
LABELS = constants([0, 1, 0, 1, 0, 1], list("abcabc"), [[0]] * 6, [0, "a"] * 3, [NAN] * 6)
LABELS += constants([1] * 6, [0, 1], [None] * 6, [b"a"] * 6, np.arange(6) / 7)
# Other values, by the name of the argument.
OWN = {
    "n_components": constants(1, 3, 40, (3,), (3, 4), [3, 3.0], (0,)),
    "latent_dim": constants(1, 2, 3, 48, 100),
    "n_downsamples": constants(0, 1, 3, 4, 8, 9),
    "patch_size": constants(1, 2, 3, 9),
    "backbone_params": constants({}, {"width": 3}, {"width": 0}, {"w": 3}, {1: 2}),
    "image_shape": SHAPES,
    "grid_shape": SHAPES,
    "value_range": [
        *constants((0, 255), (-1, 1), "data", [0, 1], (0, NAN), (0, float("inf"))),
        *constants((1, 0), (-1e30, 1e30), (0, 1e39), (0, 10**400), (0, 1, 2)),
        *constants(np.array([0.0, 255]), ("0", "1"), (1 + 1e-9, 1), (0, 1e-45)),
    ],
    "crop_size": constants(1, 4, 5, 8, 9, 64),
    "degrade": CALLABLES,
    "perceptual_network": CALLABLES,
    "network": CALLABLES,
    "perceptual_weight": constants(0.25, 0.5),
    "callbacks": CALLBACKS,
    "device": constants("cpu", "cuda:9", "meta", "abacus", "cpu:-1", "mps"),
    "lr": constants(1e-8, 1e20),
    "condition": LABELS,
    "labels": LABELS,
    "random_state": constants(0, 2**32, -1),
    "sites": constants([(0, 0)], [(0, 1), (1, 1)], [(9, 0)], [(0,)], [0], [(0, 0.5)], "ab"),
    "components": constants([0], [0, 1], 0, [99], [0.5], ["a"], [[0]], [True], [None]),
    "values": constants([0.0], [1, 2], 0.5, [NAN], [[0]], ["a"], [1e300], [None], [1j]),
    "n_atoms": constants(16, 64, 8),
    "names": constants(["a"], "psnr", ["psnr"]),
    "tile": constants(4, 8, 100),
    "ax": [("Axes", lambda rng: pyplot.figure().subplots())],
    "axes": [("Axes", lambda rng: pyplot.figure().subplots(2, 6))],
    "stride": constants(2, 3, 9),
    "layer": constants(-1, 0, 1),
}
ESTIMATORS = [
    *((n, lambda rng, n=n: fitted(n, "photos").model) for n in [*AUTOENCODERS, "ClosedLoopVAE"]),
    ("of vectors", lambda rng: fitted("VQVAE", "vectors").model),
    ("of grey", lambda rng: fitted("VQVAE", "grey").model),
    ("of a range", lambda rng: fitted("VQVAE", "range").model),
    ("of a condition", lambda rng: fitted("GaussianVAE", "condition").model),
    ("unfitted", lambda rng: fitted("VQVAE", "unfitted").model),
    ("a class", lambda rng: GaussianVAE),
    ("PCA()", lambda rng: PCA()),
    ("fitted PCA", lambda rng: PCA(2).fit(rng.random((6, 192)))),
]


def argument(name, usual, *others):
    """Argument whose others are its own ones, those of its name, and junk."""
    junk = [r for r in JUNK if r not in inputs.HUGE] if name in UNBOUNDED else JUNK
    own = [st.sampled_from(OWN[name])] if name in OWN else []
    if name == "condition":
        own.append(arrays((6,), (6, 2)))
    return Argument(usual, st.one_of(*own, *others, st.sampled_from(junk)))


def of_array(name, dtype, shape, content="normal", holder="array", *more):
    near = [shape, *((n, *shape[1:]) for n in (0, 1, 2) if shape)]
    usual = array(dtype, shape, content, holder)
    return argument(name, usual, arrays(*near), arrays(*near), *more)


def tensor(name, *shape, content="normal"):
    return of_array(name, "f4", shape, content, "tensor")


def images(name, usual=IMAGES[0]):
    return argument(name, usual, sampled(IMAGES), sampled(IMAGES), arrays(inputs.SHAPE))


def floats(name, usual=IMAGES[2]):
    return images(name, usual)


def maps(name):
    usual = array("i8", (6, 8, 8), "integers")
    return argument(name, usual, sampled(IMAGES), arrays((6, 8, 8)), arrays((6, 8, 8)))


def of_codes(name, usual=CODES[0]):
    return argument(name, usual, sampled(CODES), sampled(CODES), arrays((6, 64)))


# ---- functions ----------------------------------------------------------------------


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
        (degrade.speckle, {"sigma": 0.1}),
        (degrade.random_mask, {"fraction": 0.5}),
        (degrade.square_mask, {"size": 2}),
        (degrade.bicubic_downsample, {"factor": 2}),
    ]
]


def _network(rng):
    return lambda X: [X]


_pairs = {"y_true": floats("y_true"), "y_pred": floats("y_pred")}
_masks = {"y_true": maps("y_true"), "y_pred": maps("y_pred")}
_binary = {
    name: argument(name, array("?", (6, 8, 8), "zeros"), arrays((6, 8, 8)), sampled(IMAGES))
    for name in ("y_true", "y_pred")
}
METRICS = [
    *(function(f, number_or_row, given=_pairs) for f in (metrics.psnr, metrics.flip)),
    function(metrics.ssim, number_or_row, given={name: floats(name, ("large", lambda rng: rng.random((2, 12, 12, 3)))) for name in _pairs}),
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
    function(metrics.bits_per_pixel, given={"codes": of_codes("codes", CODES[2])}, called={"codes": ["X"]}),
    function(metrics.make_scorers, given={"names": ("psnr",)}, called={"names": ["name", "names", "scores"]}),
    Target(
        "metrics.make_scorers()",
        lambda v: metrics.make_scorers(v["name"])(v["estimator"], v["X"], v["y"]),
        {
            "name": argument("name", *constants("psnr"), sampled(constants(*"ssim hoyer nonzeros zero_fraction usage_perplexity iou dice matched_iou covering".split()))),
            "estimator": argument("estimator", ESTIMATORS[0], st.sampled_from(ESTIMATORS)),
            "X": images("X"),
            "y": argument("y", *constants(None), sampled(IMAGES), arrays((6, 8, 8)), sampled(LABELS)),
        },
        called={"name": ["y_true", "y", "X", "estimator"], "estimator": ["fitted", "X", "PCA"], "X": ["y_true"], "y": ["y_true"]},
    ),
]
_known = {"grid_shape": (2, 2), "n_atoms": 16}
CODE_FUNCTIONS = [
    function(codes.as_codes, given={"X": of_codes("X")}, name="codes.as_codes", called={"X": ["codes"]}),
    function(codes.quantize_codes, given={"codes": of_codes("codes"), "coef_bits": 4}, name="codes.quantize_codes", called={"codes": ["X"]}),
    function(codes.concatenate_codes, given={"parts": of_codes("parts", CODES[24])}, name="codes.concatenate_codes", called={"parts": ["codes"]}),
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
        called={"values": ["value"], "atoms": ["atom"], "counts": ["count"]},
    ),
    Target(
        "SparseCodes",
        lambda v: SparseCodes(v.pop("arg1"), **v),
        {
            "arg1": of_codes("arg1"),
            **{k: argument(k, *constants(d)) for k, d in [*_known.items(), ("shape", None), ("dtype", None), ("copy", False), ("image_shape", None)]},
            "thumbnails": argument("thumbnails", *constants(None), arrays((6, 4, 4, 3), (6, 2, 2, 1)), sampled(IMAGES)),
        },
        called={"arg1": ["codes", "column indices", "row pointer"]},
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
    return Target(f"SparseCodes.{name}", call, arguments, check or (lambda *_: None), passes=True)


KEYS = constants(0, -1, 6, slice(1, 3), [0, 2], [9], [], [True] * 6, [True], (0, 1), (slice(None), 0))
KEYS += constants(np.array([1, 0]), np.array([[0, 1]]), np.ones(6, bool), (..., 0), [0.5], [[0]])


def keeps_grid(answer, values):
    """A selection of rows and a scale keep the grid."""
    if isinstance(answer, SparseCodes):
        assert answer.grid_shape == (2, 2) and answer.shape[1] == 64
        answer.sites().toarray()
        repr(answer)


OPERATIONS = [
    dataclasses.replace(
        of_self("__getitem__", keeps_grid, key=argument("key", *constants(slice(0, 2)), sampled(KEYS))),
        own_errors=(IndexError, KeyError, ValueError, TypeError, NotImplementedError),
    ),
    *(
        dataclasses.replace(
            of_self(name, keeps_grid, other=argument("other", *constants(2), sampled(CODES[:-6]), arrays((6, 64), (64,)))),
            own_errors=(ValueError, TypeError, ArithmeticError, NotImplementedError),
        )
        for name in ("__mul__", "__rmul__", "__truediv__", "__imul__", "__itruediv__", "multiply")
    ),
    *(
        dataclasses.replace(of_self(name, keeps_grid), own_errors=(NotImplementedError,))
        for name in ("__neg__", "__abs__", "copy", "__repr__")
    ),
    of_self("sites", lambda answer, values: answer.toarray()),
    dataclasses.replace(of_self("astype", keeps_grid, dtype=argument("dtype", *constants("f8"), sampled(constants(*inputs.DTYPES)))), own_errors=(TypeError, ValueError)),
    dataclasses.replace(of_self("resize", keeps_grid, shape=argument("shape", *constants((6, 64)))), own_errors=(ValueError,)),
]

SEGMENTATION = [
    function(segmentation.background_probability, given={"connectivity": of_array("connectivity", "f8", (4,), "uniform"), "scale": 1.0}),
    function(segmentation.boundary_connectivity, given={"features": of_array("features", "f8", (24, 5)), "grid_shape": (4, 6), "scale": 1.0}),
    function(segmentation.foreground_saliency, given={"appearance": of_array("appearance", "f8", (24, 3)), "grid_shape": (4, 6)}),
    function(segmentation.region_boundary_connectivity, given={"labels": of_array("labels", "i8", (8, 8), "integers")}),
]
DATASETS = [
    function(datasets.random_crops, given={"images": images("images"), "size": 4, "n_crops": 3}),
]

# ---- numerics -----------------------------------------------------------------------

_kernels = {"kernels": tensor("kernels", 4, 3, 3, 3), "stride": 2}
_sets = {"features": tensor("features", 6, 5), "labels": of_array("labels", "i8", (6,), "integers", "tensor", sampled(LABELS))}
_coded = {"signals": tensor("signals", 24, 16), "dictionary": tensor("dictionary", 24, 16)}
NUMERICS = [
    function(getattr(sparse, name), given=given, passes=True, name=f"sparse.{name}")
    for name, given in {
        "analyze": {"images": tensor("images", 2, 3, 8, 8), **_kernels},
        "synthesize": {"maps": tensor("maps", 2, 4, 4, 4), **_kernels, "size": (8, 8)},
        "largest_curvature": {"start": tensor("start", 1, 3, 8, 8), **_kernels},
        "power_start": {"shape": (3, 8, 8)},
        "convolutional_fista": {"images": tensor("images", 2, 3, 8, 8), **_kernels, "alpha": 0.1, "n_steps": 2},
        "batch_omp": {**_coded, "n_nonzero_coefs": 3},
        "ista": {**_coded, "alpha": 0.1, "n_steps": 3},
        "lipschitz_constant": {"dictionary": _coded["dictionary"]},
        "nearest_code": {"signals": _coded["signals"], "codebook": tensor("codebook", 24, 16)},
        "normalize_atoms": {"dictionary": _coded["dictionary"]},
        "soft_threshold": {"values": tensor("values", 6, 5), "threshold": 0.1},
        "dct_dictionary": {"latent_dim": 48, "n_components": 64},
        "dense_codes": {"indices": of_array("indices", "i8", (6, 3), "integers", "tensor"), "values": tensor("values", 6, 3), "n_components": 5},
        "learn_codebook": {"signals": _coded["signals"], "n_components": 4, "n_iter": 2},
        "learn_dictionary": {"signals": _coded["signals"], "n_components": 4, "n_nonzero_coefs": 2, "n_iter": 2},
        "update_atoms": {"dictionary": tensor("dictionary", 4, 16), "a": tensor("a", 4, 4, content="ones"), "b": tensor("b", 4, 16)},
        "coding_rate": {"features": _sets["features"]},
        "rate_reduction": _sets,
        "rate_distance": {"features": _sets["features"], "others": tensor("others", 6, 5)},
        "transcription_terms": {"features": _sets["features"], "regenerated": tensor("regenerated", 6, 5)},
        "fista_momentum": {"n_steps": 3},
        "unrolled_ista": {**_coded, "filters": tensor("filters", 24, 16), "thresholds": tensor("thresholds", 24, content="uniform"), "momentum": tensor("momentum", 3, content="uniform")},
    }.items()
]

# ---- estimators ---------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A model, and what it was fitted on."""

    model: object
    X: object
    y: object = None
    condition: object = None


AS_FITTED = ("as fitted", lambda rng: AS_FITTED)
SMALL = {"n_components": 16, "max_epochs": 1, "random_state": 0, "batch_size": 8}
MODELS = {
    **dict.fromkeys(AUTOENCODERS, {**SMALL, "n_downsamples": 2}),
    "ClosedLoopVAE": {**SMALL, "n_components": (8,), "latent_dim": 6},
    "CodePrior": {"width": 16, "n_layers": 1, "max_epochs": 1, "random_state": 0},
    "KMeansSegmenter": {"random_state": 0, "n_init": 1},
    "SpectralSegmenter": {"random_state": 0, "n_init": 1, "n_regions": 8},
}
WIDTH = {"backbone_params": {"width": 4}}
KINDS = {
    "photos": (WIDTH, inputs.photos),
    "vectors": ({}, lambda rng: rng.standard_normal((12, 5))),
    "grey": (WIDTH, lambda rng: inputs.photos(rng)[..., 0]),
    "flat": ({"image_shape": (8, 8, 3), **WIDTH}, lambda rng: inputs.photos(rng).reshape(6, -1)),
    "range": ({"value_range": (-1, 1), **WIDTH}, lambda rng: rng.random(inputs.SHAPE) * 2 - 1),
    "data": ({"value_range": "data", **WIDTH}, lambda rng: rng.random(inputs.SHAPE) * 9),
    "latents": ({"backbone": "identity"}, lambda rng: rng.standard_normal((6, 4, 4, 3))),
    "restorer": ({"target": "y", **WIDTH}, inputs.photos),
    "sizes": (WIDTH, lambda rng: [p[: 8 - i % 3] for i, p in enumerate(inputs.photos(rng))]),
    "lazy": (WIDTH, lambda rng: inputs.Lazy(inputs.photos(rng))),
    "condition": (WIDTH, inputs.photos),
    "unfitted": (WIDTH, inputs.photos),
    "set anew": (WIDTH, inputs.photos),
}
ONLY = {
    "ClosedLoopVAE": ["photos", "vectors", "grey", "flat", "range", "lazy", "unfitted"],
    "CodePrior": ["codes", "counts", "unfitted"],
    **dict.fromkeys(SEGMENTERS, ["codes", "codes of images", "list of grids", "scene", "unfitted"]),
}


def kinds_of(name):
    if name in ONLY:
        return ONLY[name]
    return [k for k in KINDS if k != "condition" or name == "GaussianVAE"]


@functools.cache
def fitted(name, kind):
    """Fit a small model, once."""
    rng, params, y, condition = np.random.default_rng(0), dict(MODELS[name]), None, None
    if kind in KINDS:
        more, make = KINDS[kind]
        X = make(rng)
        params |= {k: v for k, v in more.items() if name in AUTOENCODERS or k in ("image_shape", "value_range")}
        y = X if kind == "restorer" else None
    else:
        X = dict(CODES)["codes" if kind in ("unfitted", "scene") else kind](rng)
        X = X.toarray() if kind == "scene" else X
    if name in ONLY and kind == "unfitted" and name != "ClosedLoopVAE":
        X = inputs.codes(rng)
    model = getattr(sklearn_sparsevae, name)(**params)
    if kind == "unfitted":
        return Fitted(model, X)
    if kind == "condition":
        condition = list("abcabc")
    model.fit(X, y, **({} if condition is None else {"condition": condition}))
    if kind == "set anew":
        model.set_params(n_components=3, value_range=(0, 9), target="y", backbone="identity", n_downsamples=0, latent_dim=2, image_shape=(2, 2))
    return Fitted(model, X, y, condition)


def with_kinds(name):
    """Argument that is a model of one kind or another."""
    recipes = [(kind, functools.partial(lambda rng, kind: fitted(name, kind), kind=kind)) for kind in kinds_of(name)]
    return Argument(recipes[0], st.sampled_from(recipes))


def codes_of(of):
    """What `inverse_transform` takes of a fitted model."""
    return of.model._codes_of(of.X) if of.condition is None else of.model.transform(of.X, of.condition)


def resolved(values, inverse=False):
    """Put what the model was fitted on where nothing else was drawn."""
    values = dict(values)
    of = values.pop("model")
    own = {"X": of.X, "A": of.X, "B": of.X, "y": of.y, "condition": of.condition}
    for name, value in values.items():
        if value is AS_FITTED:
            values[name] = codes_of(of) if inverse and name == "X" else own[name]
    return of, values


def method(name, method_name):
    """Target of a method that leaves the model as it is."""
    cls, inverse = getattr(sklearn_sparsevae, name), method_name == "inverse_transform"
    takes_codes = inverse or name not in [*AUTOENCODERS, "ClosedLoopVAE"]
    usual = {"components": [0, 1], "values": [0.0, 1.0], "random_state": 0}
    arguments = {"model": with_kinds(name)}
    for parameter in inspect.signature(getattr(cls, method_name)).parameters.values():
        key = parameter.name
        if key == "self" or parameter.kind is parameter.VAR_KEYWORD:
            continue
        if key in ("X", "A", "B"):
            make = of_codes if takes_codes else images
            arguments[key] = dataclasses.replace(make(key), usual=AS_FITTED)
        elif key in ("y", "condition"):
            others = [sampled(IMAGES), arrays((6, 8, 8), inputs.SHAPE), sampled(LABELS)]
            arguments[key] = argument(key, AS_FITTED, *(others if key == "y" else []))
            if name in SEGMENTERS:
                arguments[key] = maps("y")
        else:
            arguments[key] = argument(key, *constants(usual.get(key, parameter.default)))

    def call(values):
        of, values = resolved(values, inverse)
        with as_it_was(of.model):
            return getattr(of.model, method_name)(**values)

    def check(answer, values):
        of, values = resolved(values, inverse)
        if method_name in ("transform", "reconstruct", "predict", "inverse_transform", "score_samples"):
            n = len(answer) if isinstance(answer, list | tuple) else answer.shape[0]
            parts = values["X"] if isinstance(values["X"], list) and inverse else [values["X"]]
            if not values.get("return_std") and hasattr(parts[0], "shape"):
                rows = sum(p.shape[0] if len(p.shape) > 1 else 1 for p in parts)
                assert n == rows, f"{n} rows of {rows}"
        if method_name == "compare":
            assert [np.shape(a) for a in answer[0]] == [np.shape(a) for a in answer[1]]
        if method_name == "score":
            assert isinstance(answer, float), f"no number: {answer!r}"

    called = {"X": ["codes", "masks"], "components": ["component"], "sites": ["site"]}
    called["model"] = ["fitted", "y", "target", "X", "A", "condition"]
    return Target(f"{name}.{method_name}", call, arguments, check, called, (NotFittedError,))


class as_it_was:
    """Context in which a fitted model may not change."""

    def __init__(self, model):
        self.model, self.before = model, state(model)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        assert state(self.model) == self.before, "the fitted model changed"


def state(model):
    """Fitted attributes, and the weights."""
    known = {k: v for k, v in vars(model).items() if k.endswith("_") and k != "net_"}
    net = getattr(model, "net_", None)
    weights = [] if net is None else net.module_.state_dict().values()
    sums = [float(torch.as_tensor(w).double().nan_to_num().sum()) for w in weights]
    return sums, {k: inputs.fingerprint(v) for k, v in known.items()}


def params_of(name):
    """Argument for each parameter of a constructor, and the options that it lists."""
    cls = getattr(sklearn_sparsevae, name)
    for parameter in inspect.signature(cls).parameters.values():
        key, options = parameter.name, set()
        for constraint in cls._parameter_constraints[key]:
            options |= set(getattr(constraint, "options", ()))
        default = MODELS[name].get(key, parameter.default)
        if key == "backbone_params":
            default = WIDTH[key]
        yield key, argument(key, *constants(default), *([sampled(constants(*sorted(options)))] if options else []))


def fit(name, method_name, of_params):
    """Target of a fit: of a fresh model, or of a fitted one, which then stands.

    What is tried is the data, or ``of_params`` the constructor.
    """
    cls = getattr(sklearn_sparsevae, name)
    data = method(name, method_name).arguments
    if of_params:
        start = Argument(("fresh", lambda rng: None), st.just(("fitted", lambda rng: fitted(name, kinds_of(name)[0]))))
        data = {"start": start, "X": dataclasses.replace(data["X"], usual=(IMAGES[0] if name in [*AUTOENCODERS, "ClosedLoopVAE"] else CODES[0]))}
    arguments = data | (dict(params_of(name)) if of_params else {})

    def call(values):
        values = dict(values)
        if of_params:
            given = {k: v for k, v in values.items() if k not in data}
            of, values = values["start"], {"X": values["X"]}
            model = cls(**given) if of is None else copy.deepcopy(of.model).set_params(**given)
            if given.get("target") == "y":
                values["y"] = values["X"]
        else:
            of, values = resolved(values)
            model = copy.deepcopy(of.model)
        before = state(model)
        try:
            getattr(model, method_name)(**values)
        except inputs.OwnError:  # of a callback: the epochs that are complete are kept
            raise
        except BaseException:
            assert state(model) == before, "a fit that was refused changed the model"
            raise
        return usable(model, values)

    called = {"X": ["codes", "images"], "start": ["X"], "n_downsamples": ["latent_dim"], "model": ["X", "y", "target", "condition", "crop_size"]}
    return Target(name if of_params else f"{name}.{method_name}", call, arguments, called=called, own_errors=(FloatingPointError, ImportError))


def usable(model, values):
    """What a fitted model says of its own data, to be finite."""
    X, condition = values["X"], values.get("condition")
    given = {} if condition is None else {"condition": condition}
    if hasattr(model, "predict"):
        return model.predict(X)
    if isinstance(model, CodePrior):
        return model.score(X), model.sample(1, random_state=0)
    assert model.n_epochs_ == len(model.history_), "n_epochs_ is not that of history_"
    codes = model.transform(X, **given)
    back = model.inverse_transform(codes, **given)
    rebuilt = model.reconstruct(X, **given)
    if isinstance(codes, list) and isinstance(codes[0], np.ndarray):
        back = []  # dense codes do not know the size of their image
    for one, other in zip(back, rebuilt if len(back) else [], strict=True):
        span = 1 + np.abs(other).max()
        assert np.allclose(one / span, other / span, atol=1e-3), "two reconstructions"
    y = values.get("y") if model.target == "y" else None
    return back, rebuilt, model.score(X, y, **given)


METHODS = [
    "transform", "inverse_transform", "reconstruct", "compare", "score", "interpolate", "traverse", "atoms_as_images",
    "sample", "score_samples", "sparse_maps", "n_tokens", "predict", "predict_confidence",
]  # fmt: skip
MODELS_TARGETS = [
    target
    for name in MODELS
    for target in [
        fit(name, "fit", True),
        *(
            fit(name, m, False)
            for m in ("fit", "partial_fit", "fit_transform", "fit_predict")
            if hasattr(getattr(sklearn_sparsevae, name), m)
        ),
        *(method(name, m) for m in METHODS if hasattr(getattr(sklearn_sparsevae, name), m)),
    ]
]

# ---- Displays -----------------------------------------------------------------------


def display(path, axes="ax", **given):
    cls, _, name = path.partition(".")
    cls = getattr(plotting, cls)
    ax = dataclasses.replace(argument("ax", *constants(None)), others=st.one_of(sampled(OWN["ax"], OWN["axes"]), sampled(JUNK)))
    target = function(getattr(cls, name), given={"ax": ax, **given}, name=f"plotting.{path}")

    def call(values):
        try:
            return target.call(values).figure_ and None
        finally:
            pyplot.close("all")

    called = {"X": ["images"], "condition": ["fitted"], "components": ["component"], "ax": ["axes"], "quality": ["score"], "sparsity": ["score"], "cv_results": ["results"], "images": ["labels"], "data_range": ["white"], "estimator": ["fitted", "images", "codes"]}
    return dataclasses.replace(target, call=call, called=called)


def estimator(*recipes):
    return argument("estimator", recipes[0] if recipes else ESTIMATORS[0], st.sampled_from(ESTIMATORS))


_results = {"mean_test_psnr": np.array([1.0, 2]), "mean_test_nonzeros": np.array([1.0, 2])}
DISPLAYS = [
    display("AtomsDisplay.from_estimator", estimator=estimator()),
    display("LatentUsageDisplay.from_estimator", estimator=estimator(ESTIMATORS[3])),
    display("ReconstructionDisplay.from_estimator", estimator=estimator(), X=images("X")),
    display("ReconstructionDisplay.from_predictions", images=floats("images"), reconstructions=floats("reconstructions")),
    display("SegmentationDisplay.from_predictions", images=images("images"), labels=maps("labels")),
    display("SparsityQualityDisplay.from_cv_results", cv_results=_results),
    display("TraversalDisplay.from_estimator", estimator=estimator(), X=images("X"), components=[0], values=[0.0, 1.0]),
    display("TraversalDisplay.from_images", strips=argument("strips", array("f4", (2, 3, 8, 8), "uniform"), arrays((2, 3, 8, 8), (2, 3, 4, 4, 3)), sampled(IMAGES))),
    display("TraversalDisplay.from_interpolation", estimator=estimator(), A=images("A"), B=images("B"), n_steps=2),
    display("UsageDisplay.from_codes", codes=of_codes("codes")),
]

TARGETS = {
    target.name: target
    for target in [
        *DEGRADATIONS, *METRICS, *CODE_FUNCTIONS, *OPERATIONS, *SEGMENTATION,
        *DATASETS, *NUMERICS, *MODELS_TARGETS, *DISPLAYS,
    ]
}  # fmt: skip
