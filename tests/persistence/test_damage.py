"""Files that are damaged, or that somebody made up, are refused and run nothing."""

import copy
import io
import pathlib
import zipfile

import numpy as np
import pytest
import skops.io
from scipy import sparse
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from sklearn_sparsevae import _container as container
from sklearn_sparsevae import load
from sklearn_sparsevae.persistence import _steps

SMALLEST = "SparseCodingVAE0"


@pytest.fixture
def changed(fitted, tmp_path):
    """Return a function that writes a model's file with changes, checksum and all."""

    def write(change, name=SMALLEST):
        tensors, content = container.read(fitted(name)[1], "model")
        content = copy.deepcopy(content)
        change(content, tensors)
        container.write(tmp_path / "a.model", "model", tensors, content)
        return tmp_path / "a.model"

    return write


def test_flips_and_truncations_are_refused(fitted, tmp_path):
    raw, path = fitted(SMALLEST)[1].read_bytes(), tmp_path / "a.model"
    rng = np.random.default_rng(0)
    for place in rng.integers(8 * len(raw), size=100):
        damaged = bytearray(raw)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.model"):
            load(path)
    for stop in rng.integers(len(raw), size=20):
        path.write_bytes(raw[:stop])
        with pytest.raises(ValueError, match=r"a\.model"):
            load(path)


@pytest.mark.parametrize("name", [SMALLEST, "loop of classes", "shared clusters"])
def test_a_tensor_that_is_missing_or_another_is_named(fitted, changed, name):
    tensors, _ = container.read(fitted(name)[1], "model")
    for i, key in enumerate(tensors):
        others = [None, tensors[key][None], tensors[key] != 0]
        other = others[i % 3]

        def change(content, tensors, key=key, other=other):
            tensors[key] = other
            if other is None:
                del tensors[key]

        with pytest.raises(ValueError, match=rf"a\.model .*{key}"):
            load(changed(change, name))


def test_a_network_of_other_tensors_is_refused(changed):
    """Though the file says what they are, they are none of such a network."""

    def reshaped(content, tensors):
        net = content["model"]["net"]
        told = net["bottleneck.atoms"]
        tensors[told["array"]] = tensors[told["array"]].T
        told["shape"].reverse()

    def without(content, tensors):
        told = content["model"]["net"].pop("bottleneck.atoms")
        del tensors[told["array"]]

    def more(content, tensors):
        tensors["net.more"] = np.zeros(2)
        told = {"array": "net.more", "dtype": "float64", "shape": [2]}
        content["model"]["net"]["more"] = told

    def unused(content, tensors):
        tensors["more"] = np.zeros(2)

    for change, words in (
        (reshaped, r"bottleneck.atoms has shape \(45, 9\).* expected \(9, 45\)"),
        (without, "lacks bottleneck.atoms"),
        (more, "has no place for more"),
        (unused, r"nothing stands for the tensors \['more'\]"),
    ):
        with pytest.raises(ValueError, match=words):
            load(changed(change))


HUGE = 2**60
MADE_UP = {
    "another class": {"class": "os.system"},
    "class that is none": {"class": None},
    "class that is a list": {"class": ["VQVAE"]},
    "another estimator": {"class": "VQVAE"},
    "a segmenter": {"class": "KMeansSegmenter"},
    "a Pipeline": {"class": "Pipeline"},
    "unknown parameter": {"parameters": {"n_atoms": 3}},
    "no parameters": {"parameters": 3},
    "given": {"given": {"lr": 3}},
    "attribute of the class": {"fitted": {"transform": 3}},
    "dunder": {"fitted": {"__class__": 3}},
    "property": {"fitted": {"components_": 3}},
    "value of unknown kind": {"fitted": {"x_": {"eval": "1"}}},
    "no net": {"net": {"a": 3}},
    "nothing": {"fitted": {}},
    "huge dictionary": {"n_components": HUGE},
    "large dictionary": {"n_components": 60_000},
    "long latents": {"latent_dim": 60_000},
    "huge width": {"backbone_params": {"dict": [["width", HUGE]]}},
    "large width": {"backbone_params": {"dict": [["width", 50_000]]}},
    "many blocks": {"backbone_params": {"dict": [["width", 1], ["n_blocks", 60_000]]}},
    "negative width": {"backbone_params": {"dict": [["width", -5]]}},
    "many halvings": {"n_downsamples": 2**30},
    "large patches": {"n_downsamples": 8},
    "large patches of DCT": {"n_downsamples": 8, "dictionary": "dct"},
    "many halvings of another backbone": {"backbone": "light", "n_downsamples": 2**30},
    "many steps": {"shrinkage": "soft", "n_rollout_steps": HUGE},
    "K by K": {"shrinkage": "soft", "coupled": False, "n_components": 50_000},
    "no backbone": {"backbone": "eval"},
    "parameter of another": {"n_quantizers": 1},
}


@pytest.mark.parametrize("what", MADE_UP)
def test_what_somebody_made_up_is_refused(changed, what):
    def change(content, tensors):
        node = content["model"]
        for key, value in MADE_UP[what].items():
            if key in node and isinstance(node[key], dict) and isinstance(value, dict):
                node[key] = {**node[key], **value} if value else {}
            elif key in node:
                node[key] = value
            else:  # a parameter that the network was built of
                pairs = node["fitted"]["_net_params_"]["dict"]
                pairs[:] = [pair for pair in pairs if pair[0] != key] + [[key, value]]

    with pytest.raises(ValueError, match=r"a\.model"):
        load(changed(change))


def test_many_channels_and_layers_are_refused(changed):
    def channels(content, tensors):
        layout = content["model"]["fitted"]["layout_"]["Layout"]
        layout["image_shape"] = {"tuple": [16, 16, 50_000]}

    def layers(content, tensors):
        pairs = content["model"]["fitted"]["_net_params_"]["dict"]
        pairs[:] = [[k, 60_000 if k == "n_layers" else v] for k, v in pairs]

    def sites(content, tensors):
        space = content["model"]["fitted"]["tokenizer_"]["Tokenizer"]["space"]
        space["CodeSpace"]["grid_shape"] = {"tuple": [HUGE, HUGE]}

    def size(content, tensors):
        layout = content["model"]["fitted"]["layout_"]["Layout"]
        layout["image_shape"] = {"tuple": [2**20, 2**20, 3]}

    for change, name in (
        (channels, SMALLEST),
        (layers, "prior0"),
        (sites, "prior0"),
        (size, "loop"),
    ):
        with pytest.raises(ValueError, match=r"far more numbers|fits? no|not fit"):
            load(changed(change, name))


def test_content_of_another_form_is_refused(tmp_path, fitted):
    tensors, content = container.read(fitted(SMALLEST)[1], "model")
    node = content["model"]
    for wrong in ({}, {"model": None}, {"model": []}, {"model": {**node, "net": []}}):
        container.write(tmp_path / "a.model", "model", tensors, wrong)
        with pytest.raises(ValueError, match=r"a\.model"):
            load(tmp_path / "a.model")
    deep = {"class": "Pipeline", "parameters": {}, "given": {}, "fitted": {}}
    for _ in range(200):
        deep = {**deep, "steps": [["a", deep]]}
    container.write(tmp_path / "a.model", "model", {}, {"model": deep})
    with pytest.raises(ValueError, match=r"a\.model"):
        load(tmp_path / "a.model")


def places(value, path=()):
    """Every place within JSON, as keys."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in items:
        yield (*path, key)
        if isinstance(part, dict | list):
            yield from places(part, (*path, key))


ODD = [None, True, 0, -1, 1.5, HUGE, "", "os.system", [], {}, [[1]], {"tuple": [HUGE]}]
ODD += [
    {"scalar": 1},
    {"array": "a"},
    {"KMeans": 1},
    {"Layout": {}},
    {"dict": [[1, 2]]},
]


@pytest.mark.parametrize("name", [SMALLEST, "shared clusters", "Pipeline with others"])
def test_any_change_of_content_loads_or_is_refused_in_words(changed, name):
    rng = np.random.default_rng(0)

    def change(content, tensors):
        found = list(places(content["model"]))
        *path, last = found[rng.integers(len(found))]
        parent = content["model"]
        for key in path:
            parent = parent[key]
        parent[last] = copy.deepcopy(ODD[rng.integers(len(ODD))])

    refused = 0
    for _ in range(25):
        try:
            load(changed(change, name))
        except ValueError as error:
            assert "a.model" in str(error)
            refused += 1
    assert refused > 10


# ---- steps of scikit-learn ----------------------------------------------------------


def touch(X):
    pathlib.Path("touched").touch()
    return X


def archive(members, compression=zipfile.ZIP_STORED):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", compression) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return raw.getvalue()


MADE_UP_STEPS = {
    "code": lambda: skops.io.dumps(FunctionTransformer(touch)),
    "no archive": lambda: b"PK\3\4",
    "nothing": lambda: b"",
    "compressed": lambda: skops.io.dumps(MaxAbsScaler(), compression=8),
    "no schema": lambda: archive({"../../a": b"1"}),
    "deep schema": lambda: archive({"schema.json": "[" * 10**5}),
    "odd schema": lambda: archive({"schema.json": "{}"}),
    "no estimator": lambda: skops.io.dumps({"a": 1}),
}


@pytest.mark.parametrize("what", MADE_UP_STEPS)
def test_steps_that_somebody_made_up_are_refused(changed, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def change(content, tensors):
        told = content["model"]["steps"][1][1]["skops"]
        data = np.frombuffer(MADE_UP_STEPS[what](), np.uint8)
        tensors[told["array"]], told["shape"] = data, [len(data)]

    path = changed(change, "Pipeline with others")
    with pytest.raises(ValueError, match="the step scale is no step of scikit-learn"):
        load(path).transform(np.zeros((2, 2)))
    assert not pathlib.Path("touched").exists()


def test_matrices_that_unfold_to_far_more_are_refused(monkeypatch):
    monkeypatch.setattr(_steps, "_UNFOLDED", 2**16)
    raw = io.BytesIO()
    sparse.save_npz(raw, sparse.csr_array((10**6, 1), dtype=np.int8))
    data = archive({"schema.json": "{}", "a.npz": raw.getvalue()})
    with pytest.raises(ValueError, match="unfolds to"):
        _steps.from_bytes(np.frombuffer(data, np.uint8), "the step")
