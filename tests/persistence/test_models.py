"""A model that is loaded is the one that was saved."""

import builtins
import copy
import functools
import io
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import sklearn
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback

from sklearn_sparsevae import (
    VQVAE,
    GaussianVAE,
    KMeansSegmenter,
    SparseCodes,
    SparseCodingVAE,
    load,
    save,
)
from sklearn_sparsevae import _container as container
from sklearn_sparsevae.degrade import gaussian_noise
from sklearn_sparsevae.persistence._models import ESTIMATORS
from tests.persistence.conftest import CASES, IMAGES, SMALL
from tests.test_typing import _estimators

every_case = pytest.mark.parametrize("name", CASES)
one_of_each = pytest.mark.parametrize(
    "name", {type(case.model): name for name, case in CASES.items()}.values()
)


def assert_same(here, there):
    """Equal to the bit, of the same type."""
    assert type(here) is type(there)
    if isinstance(here, list | tuple):
        assert len(here) == len(there)
        for pair in zip(here, there, strict=True):
            assert_same(*pair)
    elif sparse.issparse(here):
        for name in ("data", "indices", "indptr"):
            assert_same(getattr(here, name), getattr(there, name))
        if isinstance(here, SparseCodes):
            assert here.grid_shape == there.grid_shape
            assert here.image_shape == there.image_shape
    else:
        np.testing.assert_array_equal(here, there)


def repr_of(model):
    return re.sub(r" at 0x[0-9A-F]+", "", repr(model))


@every_case
def test_loaded_models_answer_as_those_that_were_saved(fitted, name):
    case, path = fitted(name)
    loaded = load(path)
    assert type(loaded) is type(case.model)
    assert case.expected
    found = case.answers(loaded)
    assert found.keys() == case.expected.keys()
    for method, answer in case.expected.items():
        assert_same(found[method], answer)


@every_case
def test_a_loaded_model_has_the_same_file(fitted, name, tmp_path):
    """So it has the same parameters, attributes, history and numbers of the net."""
    _, path = fitted(name)
    save(load(path), tmp_path / "again")
    before, after = (container.read(p, "model") for p in (path, tmp_path / "again"))
    for tensors, _ in (before, after):  # skops' archives say when they were made
        tensors.pop("steps.1.skops", None), tensors.pop("steps.2.skops", None)
    np.testing.assert_equal(after[0], before[0])
    if name != "Pipeline with others":
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


@one_of_each
def test_loaded_models_can_be_cloned_copied_and_pickled(fitted, name):
    case, path = fitted(name)
    loaded = load(path)
    assert repr_of(clone(loaded)) == repr_of(clone(case.model))
    method, expected = next(iter(case.expected.items()))
    given = case.condition
    for other in (copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded))):
        answer = getattr(other, method)(case.X, **given)
        assert_same(answer, expected)


@pytest.mark.parametrize("name", [*[n for n in CASES if n.endswith("VAE0")], "online"])
def test_training_goes_on_as_after_a_pickle(fitted, name):
    case, path = fitted(name)
    models = [pickle.loads(pickle.dumps(case.model)), load(path)]
    for model in models:
        model.partial_fit(case.X, case.y, **case.condition)
        model.set_params(warm_start=True).fit(case.X, case.y, **case.condition)
        assert model.n_epochs_ == len(model.history_["epoch"]) == 3
    here, there = (model.transform(case.X, **case.condition) for model in models)
    assert_same(here, there)
    figures = [{k: v for k, v in m.history_.items() if k != "dur"} for m in models]
    np.testing.assert_equal(*figures)


def test_every_estimator_can_be_saved():
    assert set(ESTIMATORS) == {cls.__name__ for cls in _estimators()}
    saved = {type(case.model).__name__ for case in CASES.values()}
    assert set(ESTIMATORS) <= saved


def test_nothing_is_unpickled(fitted, monkeypatch):
    paths = [fitted(name)[1] for name in ("VQVAE0", "Pipeline with others")]

    def refuse(*args, **kwargs):
        raise AssertionError("a pickle was opened")

    for module in (pickle, torch):
        for name in ("load", "loads", "Unpickler"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, refuse)
    for path in paths:
        load(path)


def test_segmenters_load_without_torch(fitted):
    path = fitted("KMeansSegmenter of images")[1]
    code = f"import sys, sklearn_sparsevae as s; s.load({str(path)!r})"
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# ---- state that differs from the parameters -----------------------------------------


def test_fitted_values_stand_whatever_was_set_since(fitted, tmp_path):
    case, _ = fitted("VQVAE0")
    changed = copy.deepcopy(case.model)
    changed.set_params(n_components=32, n_downsamples=1, backbone="vqgan", lr=-1)
    save(changed, tmp_path / "a")
    loaded = load(tmp_path / "a")
    assert loaded.get_params() == changed.get_params()
    assert_same(loaded.transform(IMAGES), case.model.transform(IMAGES))


def test_a_model_of_another_device_loads(fitted, tmp_path):
    case, _ = fitted("VQVAE0")
    elsewhere = copy.deepcopy(case.model).set_params(device="cuda:7")
    save(elsewhere, tmp_path / "a")
    loaded = load(tmp_path / "a")
    assert loaded.device == "cuda:7"
    with pytest.raises(ValueError, match="Use 'auto' or 'cpu'"):
        loaded.transform(IMAGES)
    loaded.set_params(device="cpu")
    assert_same(loaded.transform(IMAGES), case.model.transform(IMAGES))


def test_models_that_are_not_fitted_are_kept_as_they_are(tmp_path):
    for model in (VQVAE(7, lr=np.float32(0.1)), KMeansSegmenter(4)):
        save(model, tmp_path / "a")
        loaded = load(tmp_path / "a")
        assert repr_of(loaded) == repr_of(model)
        with pytest.raises(sklearn.exceptions.NotFittedError):
            (getattr(loaded, "transform", None) or loaded.predict)(IMAGES)


def test_names_output_and_requests_are_kept(tmp_path):
    import pandas as pd

    table = pd.DataFrame(IMAGES.reshape(8, -1)[:, :5], columns=list("abcde"))
    model = GaussianVAE(3, max_epochs=1, random_state=0)
    model.set_output(transform="pandas").fit(table)
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(condition=True)
    save(model, tmp_path / "a")
    loaded = load(tmp_path / "a")
    assert loaded.transform(table).equals(model.transform(table))
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(table[table.columns[::-1]])
    with sklearn.config_context(enable_metadata_routing=True):
        requests = [m.get_metadata_routing()._serialize() for m in (loaded, model)]
    assert requests[0] == requests[1] and requests[0]["fit"] == {"condition": True}


def test_what_was_recorded_besides_numbers_is_kept(tmp_path):
    class Note(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("note", f"epoch {len(net.history)}")
            net.history.record("pair", [1, 2.5])

    model = VQVAE(**{**SMALL, "max_epochs": 2}, callbacks=[Note()]).fit(IMAGES)
    save(model, tmp_path / "a")
    loaded = load(tmp_path / "a", callbacks=None)
    assert loaded.history_["note"].tolist() == ["epoch 1", "epoch 2"]
    assert loaded.history_["pair"].tolist() == [[1, 2.5]] * 2


# ---- code, which is given again -----------------------------------------------------


def noise(images, random_state):
    return gaussian_noise(images, sigma=5, random_state=random_state)


def test_code_is_named_and_has_to_be_given_again(tmp_path):
    path, calls = tmp_path / "a", [Callback()]
    partial = functools.partial(gaussian_noise, sigma=20)
    params = {"degrade": partial, "callbacks": calls, "max_epochs": 0}
    model = VQVAE(**SMALL | params).fit(IMAGES)
    save(model, path)
    with pytest.raises(ValueError, match=r"sigma=20.*load\(path, callbacks=\.\.\., de"):
        load(path)
    with pytest.raises(ValueError, match="callbacks, which was"):
        load(path, degrade=noise)
    with pytest.raises(TypeError, match=r"Got lr for .* asks for callbacks, degrade"):
        load(path, degrade=noise, callbacks=calls, lr=1)
    loaded = load(path, degrade=noise, callbacks=calls)
    assert loaded.degrade is noise and loaded.callbacks is calls
    assert_same(loaded.reconstruct(IMAGES), model.reconstruct(IMAGES))
    assert load(path, degrade=None, callbacks=None).degrade is None


def test_code_of_a_step_is_called_as_in_set_params(tmp_path):
    path = tmp_path / "a"
    inner = Pipeline([("enc", VQVAE(**SMALL, degrade=noise))], memory="cache")
    pipe = Pipeline([("codes", inner), ("seg", KMeansSegmenter())])
    save(pipe, path)
    with pytest.raises(ValueError, match=r"codes__enc__degrade=\.\.\."):
        load(path)
    given = {"codes__enc__degrade": noise, "codes__memory": None}
    loaded = load(path, **given)
    assert loaded["codes"]["enc"].degrade is noise
    assert loaded["codes"].memory is None
    with pytest.raises(TypeError, match="Got degrade"):
        load(path, **given, degrade=noise)


def test_code_among_numbers_is_given_again_with_them(tmp_path):
    numbers = np.arange(3.0)
    odd = {"backbone_params": {"width": numbers, "f": print}}
    save(SparseCodingVAE(dictionary=numbers, **odd), tmp_path / "a")
    loaded = load(tmp_path / "a", backbone_params=None)
    assert_same(loaded.dictionary, numbers)


# ---- what is no model of ours -------------------------------------------------------


class Own(VQVAE):
    """A user's class."""


def test_what_cannot_be_saved_is_refused_in_words(fitted, tmp_path, monkeypatch):
    path = tmp_path / "a"
    search = GridSearchCV(VQVAE(**SMALL), {"lr": [0.1]}, cv=2).fit(IMAGES)
    with pytest.raises(TypeError, match="its best_estimator_"):
        save(search, path)
    for wrong in (Own(), VQVAE, None, 5, IMAGES, FunctionTransformer()):
        with pytest.raises(TypeError, match="estimator of sklearn_sparsevae"):
            save(wrong, path)
    with pytest.raises(TypeError, match=r"the step f, .* holds .*noise"):
        save(Pipeline([("f", FunctionTransformer(noise)), ("v", VQVAE())]), path)
    odd = copy.copy(fitted("VQVAE0")[0].model)
    odd.extra_ = object()
    with pytest.raises(TypeError, match="extra_ is <object object>"):
        save(odd, path)
    real = builtins.__import__

    def without_skops(name, *args):
        if name.startswith("skops"):
            raise ImportError(name)
        return real(name, *args)

    pipe, with_step = fitted("Pipeline with others")
    monkeypatch.setattr(builtins, "__import__", without_skops)
    for call in (lambda: save(pipe.model, path), lambda: load(with_step)):
        with pytest.raises(ImportError, match=r"sklearn-sparsevae\[files\]"):
            call()
    assert not path.exists()


def test_paths_may_be_strings_and_folders_must_exist(fitted, tmp_path):
    case, _ = fitted("prior0")
    save(case.model, str(tmp_path / "a"))
    assert repr(load(str(tmp_path / "a"))) == repr(case.model)
    with pytest.raises(FileNotFoundError, match="Make it first"):
        save(case.model, tmp_path / "absent" / "a")
    with pytest.raises((TypeError, AttributeError)):
        load(io.BytesIO())
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
