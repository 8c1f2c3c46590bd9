"""Arguments: a usual value each, and others of the same name or kind, or of none."""

import dataclasses
import typing

import numpy as np
from hypothesis import strategies as st
from matplotlib import pyplot
from skorch.callbacks import Callback

from tests.fuzz import inputs
from tests.fuzz.inputs import CODES, IMAGES, JUNK, array, arrays, constants, sampled

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
LABELS = constants(
    [0, 1, 0, 1, 0, 1], list("abcabc"), [[0]] * 6, [0, "a"] * 3, [NAN] * 6
)
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
    "lr": constants(1e-8, 1e-2),
    "condition": LABELS,
    "labels": LABELS,
    "random_state": constants(0, 2**32, -1),
    "sites": constants(
        [(0, 0)], [(0, 1), (1, 1)], [(9, 0)], [(0,)], [0], [(0, 0.5)], "ab"
    ),
    "components": constants([0], [0, 1], 0, [99], [0.5], ["a"], [[0]], [True], [None]),
    "values": constants([0.0], [1, 2], 0.5, [NAN], [[0]], ["a"], [1e300], [None], [1j]),
    "n_atoms": constants(16, 64, 8),
    "n_mean_atoms": constants(0, 1, 15, 16),
    "names": constants(["a"], "psnr", ["psnr"]),
    "tile": constants(4, 8, 100),
    "n_shifts": constants(1, 4, 10**9),
    "ax": [("Axes", lambda rng: pyplot.figure().subplots())],
    "axes": [("Axes", lambda rng: pyplot.figure().subplots(2, 6))],
    "stride": constants(2, 3, 9),
    "layer": constants(-1, 0, 1),
}


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
