"""What every public function refuses, in words that name the argument."""

import inspect

import numpy as np
import pytest
import torch

from sklearn_sparsevae import sparse

SIGNALS, ATOMS = np.ones((5, 4)), np.eye(3, 4)
IMAGES, KERNELS = np.ones((2, 3, 6, 5)), np.ones((4, 3, 3, 3))
MAPS = np.ones((2, 4, 6, 5))
CODES = {"indices": np.array([[0, -1]]), "values": np.ones((1, 2))}

# A good call of every function of arrays.
GOOD = {
    "analyze": {"images": IMAGES, "kernels": KERNELS, "stride": 1},
    "batch_omp": {"signals": SIGNALS, "dictionary": ATOMS, "n_nonzero_coefs": 2},
    "coding_rate": {"features": SIGNALS},
    "convolutional_fista": {
        "images": IMAGES,
        "kernels": KERNELS,
        "alpha": 0.1,
        "n_steps": 2,
    },
    "denoise_patches": {"image": np.arange(60.0).reshape(5, 6, 2), "sigma": 0.1},
    "dense_codes": {**CODES, "n_components": 3},
    "ista": {"signals": SIGNALS, "dictionary": ATOMS, "alpha": 0.1, "n_steps": 2},
    "largest_curvature": {"kernels": KERNELS, "stride": 1, "start": IMAGES[:1]},
    "learn_codebook": {"signals": SIGNALS, "n_components": 3},
    "learn_dictionary": {"signals": SIGNALS, "n_components": 3, "alpha": 0.1},
    "lipschitz_constant": {"dictionary": ATOMS},
    "nearest_code": {"signals": SIGNALS, "codebook": ATOMS},
    "normalize_atoms": {"dictionary": ATOMS},
    "rate_distance": {"features": SIGNALS, "others": SIGNALS},
    "rate_reduction": {"features": SIGNALS, "labels": np.arange(5) % 2},
    "refit": {
        "signals": SIGNALS,
        "dictionary": ATOMS,
        "indices": np.array([[0, -1]]).repeat(5, 0),
    },
    "project": {
        "signals": SIGNALS,
        "dictionary": ATOMS,
        "indices": np.array([[0, -1]]).repeat(5, 0),
        "values": np.ones((5, 2)),
    },
    "removal_costs": {
        "dictionary": ATOMS,
        "indices": np.array([[0, -1]]).repeat(5, 0),
        "values": np.ones((5, 2)),
    },
    "soft_threshold": {"values": SIGNALS, "threshold": 0.5},
    "synthesize": {"maps": MAPS, "kernels": KERNELS, "stride": 1, "size": (6, 5)},
    "transcription_terms": {"features": SIGNALS, "regenerated": SIGNALS},
    "unrolled_ista": {
        "signals": SIGNALS,
        "filters": ATOMS,
        "dictionary": ATOMS,
        "thresholds": np.ones(3),
        "momentum": np.zeros(2),
    },
    "update_atoms": {"dictionary": ATOMS, "a": np.eye(3), "b": ATOMS},
}
# Sizes only.
GOOD_SIZES = {
    "dct_dictionary": {"latent_dim": 4, "n_components": 6, "shape": (2, 2)},
    "fista_momentum": {"n_steps": 3},
    "power_start": {"shape": (3, 6, 5)},
}
CHECK_FINITE = [
    name
    for name in GOOD
    if "check_finite" in inspect.signature(getattr(sparse, name)).parameters
]
ALWAYS_FINITE = ["learn_codebook", "learn_dictionary", "lipschitz_constant"]


def call(name, **changes):
    return getattr(sparse, name)(**({**GOOD, **GOOD_SIZES}[name] | changes))


def arrays_of(names):
    return [
        (name, argument)
        for name in names
        for argument, value in GOOD[name].items()
        if isinstance(value, np.ndarray)
    ]


every_array = pytest.mark.parametrize(("name", "argument"), arrays_of(GOOD))


def as_ndarrays(result):
    if isinstance(result, tuple):
        return [array for part in result for array in as_ndarrays(part)]
    if isinstance(result, dict):
        return [array for part in result.values() for array in as_ndarrays(part)]
    return [np.asarray(result)]


def test_nobody_forgets_a_function():
    assert {*GOOD, *GOOD_SIZES} == set(sparse.__all__)


@pytest.mark.parametrize("name", GOOD)
def test_arrays_give_what_tensors_give(name):
    tensors = {
        k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v
        for k, v in GOOD[name].items()
    }
    of_tensors = as_ndarrays(getattr(sparse, name)(**tensors))
    of_arrays = as_ndarrays(call(name))
    assert len(of_arrays) == len(of_tensors)
    for ours, theirs in zip(of_arrays, of_tensors, strict=True):
        np.testing.assert_allclose(ours, theirs)


@every_array
def test_other_layouts_in_memory_are_the_same_numbers(name, argument):
    value = GOOD[name][argument]
    expected = as_ndarrays(call(name))
    frozen = value.copy()
    frozen.flags.writeable = False
    swapped = value.astype(value.dtype.newbyteorder())
    for same in (frozen, swapped, np.asfortranarray(value)):
        for ours, theirs in zip(as_ndarrays(call(name, **{argument: same})), expected):
            np.testing.assert_array_equal(ours, theirs)


@every_array
@pytest.mark.parametrize(
    "spoil",
    [
        lambda a: a.tolist(),
        lambda a: None if a.ndim > 1 else a.tolist(),
        lambda a: "ones",
        lambda a: 3.0 if a.ndim > 1 else [3.0],
        lambda a: a.astype(complex),
        lambda a: a.astype(object),
        lambda a: a.astype(str),
        lambda a: np.ma.masked_array(a),
        lambda a: torch.from_numpy(a).to_sparse(),
    ],
    ids="list none string number complex object strings masked sparse".split(),
)
def test_what_is_no_array_of_numbers_is_refused(name, argument, spoil):
    with pytest.raises(TypeError, match=rf"\b{argument}\b"):
        call(name, **{argument: spoil(GOOD[name][argument])})


@every_array
def test_the_other_kind_of_number_is_refused(name, argument):
    value = GOOD[name][argument]
    if argument == "labels":
        pytest.skip("labels are of either kind")
    kinds = [int, bool, np.uint16] if value.dtype.kind == "f" else [float]
    for kind in kinds:
        with pytest.raises(TypeError, match=rf"\b{argument}\b"):
            call(name, **{argument: value.astype(kind)})


@every_array
def test_another_rank_is_refused(name, argument):
    value = GOOD[name][argument]
    if (name, argument) == ("soft_threshold", "values"):
        pytest.skip("takes any rank")
    for other in (value[0], value[None]):
        with pytest.raises((TypeError, ValueError), match=rf"\b{argument}\b"):
            call(name, **{argument: other})


@pytest.mark.parametrize(
    ("name", "argument"), arrays_of([*CHECK_FINITE, *ALWAYS_FINITE])
)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
def test_numbers_that_are_not_finite_or_have_no_squares_are_refused(
    name, argument, bad
):
    value = GOOD[name][argument].copy()
    if value.dtype.kind != "f":
        pytest.skip("integers are finite")
    value.flat[-1] = bad
    if name.startswith("learn_") and bad == 1e300:  # which scale what they learn from
        assert np.isfinite(as_ndarrays(call(name, **{argument: value}))[0]).all()
        return
    message = "too large" if bad == 1e300 else "NaN or infinity"
    with pytest.raises(ValueError, match=rf"\b{argument} .*{message}"):
        call(name, **{argument: value})


@pytest.mark.parametrize("name", ["batch_omp", "nearest_code", "ista"])
def test_large_numbers_that_have_squares_are_answered(name):
    signals = np.full((5, 4), 1e16, np.float32)
    for array in as_ndarrays(call(name, signals=signals)):
        assert np.isfinite(array).all()


AMOUNTS = {
    "alpha": ["ista", "convolutional_fista", "learn_dictionary"],
    "tol": ["batch_omp", "largest_curvature"],
    "threshold": ["soft_threshold"],
    "eps2": ["coding_rate", "rate_reduction", "rate_distance"],
    "curvature": ["convolutional_fista"],
}
COUNTS = {
    "n_nonzero_coefs": ["batch_omp"],
    "n_steps": ["ista", "convolutional_fista", "largest_curvature", "fista_momentum"],
    "n_components": ["dct_dictionary", "learn_dictionary", "learn_codebook"],
    "latent_dim": ["dct_dictionary"],
    "n_levels": ["learn_codebook"],
    "batch_size": ["learn_dictionary"],
    "stride": ["analyze", "synthesize", "largest_curvature", "convolutional_fista"],
}


def pairs(table):
    return [(name, argument) for argument, names in table.items() for name in names]


@pytest.mark.parametrize(("name", "argument"), pairs(AMOUNTS))
@pytest.mark.parametrize(
    "value",
    [-0.5, np.nan, np.inf, -np.inf, True, "1", 1j, [1.0], 10**400],
    ids=lambda value: repr(value)[:8],
)
def test_amounts_out_of_range_are_refused(name, argument, value):
    with pytest.raises((TypeError, ValueError), match=f"{argument} must be"):
        call(name, **{argument: value})


@pytest.mark.parametrize(("name", "argument"), pairs(COUNTS))
@pytest.mark.parametrize("value", [0, -1, 2.5, 2.0, True, "2", np.nan, [2]])
def test_counts_out_of_range_are_refused(name, argument, value):
    with pytest.raises((TypeError, ValueError), match=f"{argument} must be"):
        call(name, **{argument: value})


def test_counts_may_be_those_of_numpy():
    for count in (np.int64(2), np.array(2), np.uint8(2)):
        indices, _ = call("batch_omp", n_nonzero_coefs=count)
        assert indices.shape == (5, 2)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("batch_omp", {"dictionary": np.ones((0, 4))}, "dictionary .*one atom"),
        ("batch_omp", {"selection": ["omp"]}, "selection must be one of"),
        ("ista", {"alpha": np.ones(4)}, r"alpha .*\(4,\) does not fit 3 atoms"),
        ("ista", {"alpha": np.array([0.1, np.nan, 1])}, "alpha must be finite"),
        ("learn_dictionary", {"alpha": None}, "either alpha or n_nonzero_coefs"),
        ("learn_dictionary", {"signals": np.ones((0, 4))}, "signals .*at least one"),
        ("learn_dictionary", {"seed": -1}, "seed must be at least 0"),
        ("learn_codebook", {"seed": 2**63}, "seed must be below"),
        ("learn_codebook", {"signals": np.ones((0, 4))}, "signals .*at least one"),
        ("dct_dictionary", {"n_components": 2**40}, "n_components=.*memory"),
        ("dct_dictionary", {"shape": (4, 0)}, "number of shape must be at least 1"),
        ("dct_dictionary", {"shape": "22"}, "shape must be a tuple"),
        ("dct_dictionary", {"shape": (3, 2)}, r"shape=\(3, 2\) has 6 entries"),
        ("dense_codes", {"n_components": 0}, "n_components must be at least 1"),
        ("dense_codes", {"indices": np.array([[3, 0]])}, "indices run from 0 to 3"),
        ("dense_codes", {"indices": np.array([[0, -2]])}, "indices run from -2"),
        ("dense_codes", {"indices": np.array([[0]])}, r"indices of shape \(1, 1\)"),
        ("update_atoms", {"a": np.eye(4)}, r"a must have the shape \(3, 3\)"),
        ("update_atoms", {"b": np.eye(3)}, r"b must have the shape \(3, 4\)"),
        ("synthesize", {"size": (9, 9)}, "maps of shape .* do not fit"),
        ("synthesize", {"size": (6.0, 5)}, "number of size must be an integer"),
        ("synthesize", {"size": 6}, r"size must be \(H, W\), got 6"),
        ("power_start", {"shape": (3, 6)}, r"shape must be \(C, H, W\)"),
        ("power_start", {"shape": (3, 6, 0)}, "number of shape must be at least 1"),
        ("rate_reduction", {"labels": np.zeros(4, int)}, "labels are 4, but .* 5"),
        ("rate_reduction", {"labels": np.full(5, np.nan)}, "labels must be finite"),
        ("rate_distance", {"others": np.ones((5, 3))}, "4 columns, but others have 3"),
        ("coding_rate", {"features": np.ones((5, 0))}, "features .*one column"),
        ("unrolled_ista", {"thresholds": np.ones(4)}, r"thresholds .*\(3,\) or"),
        ("unrolled_ista", {"inhibition": np.eye(4)}, r"inhibition .*\(3, 3\)"),
        ("unrolled_ista", {"momentum": np.zeros(0)}, "momentum must be at least 1"),
        ("unrolled_ista", {"gains": np.ones(3)}, r"gains .*\(2,\)"),
    ],
)
def test_what_does_not_fit_is_refused(name, changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(name, **changes)


def test_no_signals_have_no_codes():
    none = np.ones((0, 4))
    indices, values = call("batch_omp", signals=none)
    assert indices.shape == values.shape == (0, 2)
    assert call("ista", signals=none).shape == (0, 3)
    assert call("nearest_code", signals=none).shape == (0,)
    assert call("coding_rate", features=none) == 0


@pytest.mark.parametrize("name", ["batch_omp", "ista", "nearest_code"])
@pytest.mark.parametrize("one", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("other", [np.float32, np.float64])
def test_signals_and_atoms_may_differ_in_their_precision(name, one, other, rng):
    atoms = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    signals = rng.standard_normal((30, 4)).astype(one)
    argument = "codebook" if name == "nearest_code" else "dictionary"
    mixed = call(name, signals=signals, **{argument: atoms.astype(other)})
    alike = call(name, signals=signals.astype(float), **{argument: atoms})
    for ours, theirs in zip(as_ndarrays(mixed), as_ndarrays(alike), strict=True):
        np.testing.assert_allclose(
            ours, theirs, atol=1e-2 if one == np.float16 else 1e-5
        )
