"""The estimators, their methods and what must hold of them after a call."""

import copy
import dataclasses
import functools
import inspect

import numpy as np
import torch
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

import sklearn_sparsevae
from sklearn_sparsevae import CodePrior, GaussianVAE, PatchEncoder
from tests.fuzz import inputs
from tests.fuzz.arguments import (
    LABELS,
    Argument,
    Target,
    argument,
    images,
    maps,
    of_codes,
)
from tests.fuzz.inputs import CODES, IMAGES, arrays, constants, sampled

AUTOENCODERS = ["VQVAE", "DictionaryLearningVAE", "SparseCodingVAE", "GaussianVAE"]
AUTOENCODERS += ["SpikeSlabVAE", "SparseAutoencoder"]
OF_IMAGES = [*AUTOENCODERS, "ClosedLoopVAE", "PatchEncoder"]
SEGMENTERS = ["KMeansSegmenter", "SpectralSegmenter"]


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
    **dict.fromkeys(AUTOENCODERS, {**SMALL, "n_downsamples": 2, "backbone": "auto"}),
    "ClosedLoopVAE": {**SMALL, "n_components": (8,), "latent_dim": 6},
    "CodePrior": {"width": 16, "n_layers": 1, "max_epochs": 1, "random_state": 0},
    "PatchEncoder": {"n_components": 8, "patch_size": 3, "random_state": 0},
    "KMeansSegmenter": {"random_state": 0, "n_init": 1},
    "SpectralSegmenter": {"random_state": 0, "n_init": 1, "n_regions": 8},
}
WIDTH = {"backbone_params": {"width": 4}}
KINDS = {
    "photos": (WIDTH, inputs.photos),
    "vectors": ({}, lambda rng: rng.standard_normal((12, 5))),
    "grey": (WIDTH, lambda rng: inputs.photos(rng)[..., 0]),
    "flat": (
        {"image_shape": (8, 8, 3), **WIDTH},
        lambda rng: inputs.photos(rng).reshape(6, -1),
    ),
    "range": (
        {"value_range": (-1, 1), **WIDTH},
        lambda rng: rng.random(inputs.SHAPE) * 2 - 1,
    ),
    "data": (
        {"value_range": "data", **WIDTH},
        lambda rng: rng.random(inputs.SHAPE) * 9,
    ),
    "latents": (
        {"backbone": "identity"},
        lambda rng: rng.standard_normal((6, 4, 4, 3)),
    ),
    "restorer": ({"target": "y", **WIDTH}, inputs.photos),
    "sizes": (
        WIDTH,
        lambda rng: [p[: 8 - i % 3] for i, p in enumerate(inputs.photos(rng))],
    ),
    "lazy": (WIDTH, lambda rng: inputs.Lazy(inputs.photos(rng))),
    "condition": (WIDTH, inputs.photos),
    "unfitted": (WIDTH, inputs.photos),
    "set anew": (WIDTH, inputs.photos),
}
ONLY = {
    "ClosedLoopVAE": ["photos", "vectors", "grey", "flat", "range", "lazy", "unfitted"],
    "PatchEncoder": [
        "photos",
        "vectors",
        "grey",
        "flat",
        "range",
        "sizes",
        "lazy",
        "unfitted",
    ],  # fmt: skip
    "CodePrior": ["codes", "counts", "unfitted"],
    **dict.fromkeys(
        SEGMENTERS, ["codes", "codes of images", "list of grids", "scene", "unfitted"]
    ),
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
        params |= {
            k: v
            for k, v in more.items()
            if name in AUTOENCODERS or k in ("image_shape", "value_range")
        }
        y = X if kind == "restorer" else None
    else:
        X = dict(CODES)["codes" if kind in ("unfitted", "scene") else kind](rng)
        X = X.toarray() if kind == "scene" else X
    if kind == "unfitted" and name not in OF_IMAGES:
        X = inputs.codes(rng)
    model = getattr(sklearn_sparsevae, name)(**params)
    if kind == "unfitted":
        return Fitted(model, X)
    if kind == "condition":
        condition = list("abcabc")
    model.fit(X, y, **({} if condition is None else {"condition": condition}))
    if kind == "set anew":
        model.set_params(
            n_components=3,
            value_range=(0, 9),
            target="y",
            backbone="identity",
            n_downsamples=0,
            latent_dim=2,
            image_shape=(2, 2),
        )
    return Fitted(model, X, y, condition)


def with_kinds(name):
    """Argument that is a model of one kind or another."""
    recipes = [
        (kind, functools.partial(lambda rng, kind: fitted(name, kind), kind=kind))
        for kind in kinds_of(name)
    ]
    return Argument(recipes[0], st.sampled_from(recipes))


def codes_of(of):
    """What `inverse_transform` takes of a fitted model."""
    return (
        of.model._codes_of(of.X)
        if of.condition is None
        else of.model.transform(of.X, of.condition)
    )


def resolved(values, inverse=False):
    """Put what the model was fitted on where nothing else was drawn."""
    values = dict(values)
    of = values.pop("model")
    own = {"y": of.y, "condition": of.condition}
    own |= dict.fromkeys(("X", "A", "B", "blocks"), of.X)
    for name, value in values.items():
        if value is AS_FITTED:
            values[name] = codes_of(of) if inverse and name == "X" else own.get(name)
        if value is AS_FITTED and name == "data":
            values[name] = of.model.compress(of.X)
    return of, values


def method(name, method_name):
    """Target of a method that leaves the model as it is."""
    cls, inverse = getattr(sklearn_sparsevae, name), method_name == "inverse_transform"
    takes_codes = inverse or name not in OF_IMAGES
    usual = {"components": [0, 1], "values": [0.0, 1.0], "random_state": 0}
    arguments = {"model": with_kinds(name)}
    for parameter in inspect.signature(getattr(cls, method_name)).parameters.values():
        key = parameter.name
        if key == "self" or parameter.kind is parameter.VAR_KEYWORD:
            continue
        if key in ("X", "A", "B", "blocks"):
            make = of_codes if takes_codes else images
            arguments[key] = dataclasses.replace(make(key), usual=AS_FITTED)
        elif key in ("y", "condition"):
            others = [sampled(IMAGES), arrays((6, 8, 8), inputs.SHAPE), sampled(LABELS)]
            arguments[key] = argument(key, AS_FITTED, *(others if key == "y" else []))
            if name in SEGMENTERS:
                arguments[key] = maps("y")
        elif key == "data":
            arguments[key] = argument(
                key, AS_FITTED, sampled(constants(b"", b"SVAC\1" * 9))
            )
        else:
            arguments[key] = argument(
                key, *constants(usual.get(key, parameter.default))
            )

    def call(values):
        of, values = resolved(values, inverse)
        with as_it_was(of.model):
            answer = getattr(of.model, method_name)(**values)
            return list(answer) if method_name.startswith("iter_") else answer

    def check(answer, values):
        of, values = resolved(values, inverse)
        if method_name in (
            "transform",
            "reconstruct",
            "predict",
            "inverse_transform",
            "score_samples",
        ):
            n = len(answer) if isinstance(answer, list | tuple) else answer.shape[0]
            parts = (
                values["X"]
                if isinstance(values["X"], list) and inverse
                else [values["X"]]
            )
            if not values.get("return_std") and hasattr(parts[0], "shape"):
                rows = sum(p.shape[0] if len(p.shape) > 1 else 1 for p in parts)
                assert n == rows, f"{n} rows of {rows}"
        if method_name == "compare":
            assert [np.shape(a) for a in answer[0]] == [np.shape(a) for a in answer[1]]
        if method_name == "score":
            assert isinstance(answer, float), f"no number: {answer!r}"

    called = {
        "X": ["codes", "masks"],
        "blocks": ["X", "codes"],
        "components": ["component"],
        "sites": ["site"],
    }
    called["model"] = ["fitted", "y", "target", "X", "A", "B", "condition"]
    return Target(
        f"{name}.{method_name}", call, arguments, check, called, (NotFittedError,)
    )


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
        yield (
            key,
            argument(
                key,
                *constants(default),
                *([sampled(constants(*sorted(options)))] if options else []),
            ),
        )


def fit(name, method_name, of_params):
    """Target of a fit: of a fresh model, or of a fitted one, which then stands.

    What is tried is the data, or ``of_params`` the constructor.
    """
    cls = getattr(sklearn_sparsevae, name)
    data = method(name, method_name).arguments
    if of_params:
        start = Argument(
            ("fresh", lambda rng: None),
            st.just(("fitted", lambda rng: fitted(name, kinds_of(name)[0]))),
        )
        data = {
            "start": start,
            "X": dataclasses.replace(
                data["X"],
                usual=IMAGES[0] if name in OF_IMAGES else CODES[0],
            ),
        }
    arguments = data | (dict(params_of(name)) if of_params else {})

    def call(values):
        values = dict(values)
        if of_params:
            given = {k: v for k, v in values.items() if k not in data}
            of, values = values["start"], {"X": values["X"]}
            model = (
                cls(**given)
                if of is None
                else copy.deepcopy(of.model).set_params(**given)
            )
            if given.get("target") == "y":
                is_classes = name == "ClosedLoopVAE"
                values["y"] = np.arange(6) % 2 if is_classes else values["X"]
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

    called = {
        "X": ["codes", "images"],
        "start": ["X"],
        "n_downsamples": ["latent_dim"],
        "target": ["y"],
        "model": ["X", "y", "target", "condition", "crop_size", "backbone"],
    }
    return Target(
        name if of_params else f"{name}.{method_name}",
        call,
        arguments,
        called=called,
        own_errors=(FloatingPointError, ImportError),
    )


def usable(model, values):
    """What a fitted model says of its own data, to be finite."""
    X, condition = values["X"], values.get("condition")
    given = {} if condition is None else {"condition": condition}
    if hasattr(model, "predict"):
        return model.predict(X)
    if isinstance(model, CodePrior):
        return model.score(X), model.sample(1, random_state=0)
    if isinstance(model, PatchEncoder):
        return model.transform(X)
    lengths = {len(column) for column in model.history_.values()} or {0}
    assert lengths == {model.n_epochs_}, "n_epochs_ is not that of history_"
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
    "transform", "inverse_transform", "reconstruct", "compare", "score", "interpolate",
    "traverse", "atoms_as_images", "sample", "score_samples", "sparse_maps", "n_tokens",
    "predict", "predict_confidence", "predict_boundaries", "predict_saliency",
    "iter_transform", "iter_reconstruct", "iter_predict", "thresholds", "compress",
    "decompress",
]  # fmt: skip
TARGETS = [
    target
    for name in MODELS
    for target in [
        fit(name, "fit", True),
        *(
            fit(name, m, False)
            for m in ("fit", "partial_fit", "fit_transform", "fit_predict")
            if hasattr(getattr(sklearn_sparsevae, name), m)
        ),
        *(
            method(name, m)
            for m in METHODS
            if hasattr(getattr(sklearn_sparsevae, name), m)
        ),
    ]
]

# By default there is no foreground, whatever the codes.
TARGETS = [
    dataclasses.replace(target, own_errors=(ValueError,))
    if target.name == "KMeansSegmenter.predict_saliency"
    else target
    for target in TARGETS
]

ESTIMATORS = [
    *((n, lambda rng, n=n: fitted(n, "photos").model) for n in OF_IMAGES),
    ("of vectors", lambda rng: fitted("VQVAE", "vectors").model),
    ("of grey", lambda rng: fitted("VQVAE", "grey").model),
    ("of a range", lambda rng: fitted("VQVAE", "range").model),
    ("of a condition", lambda rng: fitted("GaussianVAE", "condition").model),
    ("unfitted", lambda rng: fitted("VQVAE", "unfitted").model),
    ("a class", lambda rng: GaussianVAE),
    ("PCA()", lambda rng: PCA()),
    ("fitted PCA", lambda rng: PCA(2).fit(rng.random((6, 192)))),
]
