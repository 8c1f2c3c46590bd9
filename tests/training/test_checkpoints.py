"""A fit that was interrupted goes on as if it had not been, and nothing else does."""

import functools
import json
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold
from skorch.callbacks import (
    Callback,
    Checkpoint,
    LoadInitState,
    LRScheduler,
    TrainEndCheckpoint,
)

from sklearn_sparsevae import (
    VQVAE,
    ClosedLoopVAE,
    CodePrior,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodingVAE,
    SpikeSlabVAE,
)
from sklearn_sparsevae.datasets import LazyView
from sklearn_sparsevae.degrade import gaussian_noise
from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.training import Autoencoder
from sklearn_sparsevae.training.fingerprints import describe, describe_data
from sklearn_sparsevae.training.fit_folders import being_trained
from sklearn_sparsevae.training.packing import pack, unpack
from tests.histories import assert_same_history

SMALL = {
    "n_components": 12,
    "n_downsamples": 1,
    "backbone_params": {"width": 8},
    "max_epochs": 3,
    "batch_size": 6,
    "random_state": 0,
    "device": "cpu",
}
FAST = VQVAE(**SMALL)
NOISE = functools.partial(gaussian_noise, sigma=0.1)

CASES = {
    "SparseCodingVAE": SparseCodingVAE(**SMALL, n_rollout_steps=3),
    "soft thresholds": SparseCodingVAE(**SMALL, shrinkage="soft", n_rollout_steps=3),
    "gradient": DictionaryLearningVAE(**SMALL, n_nonzero_coefs=2),
    "online": DictionaryLearningVAE(
        **SMALL, n_nonzero_coefs=2, dictionary_update="online"
    ),
    "VQVAE": FAST,
    "averages": VQVAE(**SMALL, codebook_update="ema", n_quantizers=2),
    "GaussianVAE": GaussianVAE(**SMALL, beta_warmup=2),
    "SpikeSlabVAE": SpikeSlabVAE(**SMALL, sparsity=0.2, beta_warmup=2),
    "adversarial": VQVAE(**SMALL, adversarial_weight=0.5, adversarial_start=1),
    "early stopping": SparseCodingVAE(
        **{**SMALL, "max_epochs": 5, "lr": 1e-30},
        early_stopping=True,
        n_epochs_no_change=2,
    ),
    "degraded": SparseCodingVAE(**SMALL, degrade=NOISE, n_rollout_steps=3),
    "crops": VQVAE(**SMALL).set_params(crop_size=6, batch_size=512),
    "dropout": CodePrior(width=8, n_layers=1, n_heads=2, max_epochs=3, random_state=0),
    "closed loop": ClosedLoopVAE(
        n_components=4, latent_dim=6, max_epochs=3, batch_size=4, random_state=0
    ),
    # Atoms are replaced in step 100 of 120, by counts of all steps before.
    "resets": VQVAE(**{**SMALL, "n_components": 40, "batch_size": 1}),
}


class Stop(Callback):
    """Interrupts a training at the first batch of an epoch."""

    def __init__(self, epoch, error=KeyboardInterrupt):
        self.epoch, self.error = epoch, error

    def on_batch_begin(self, net, training=False, **kwargs):
        if len(net.history) == self.epoch:
            raise self.error


class StopSearch(Callback):
    """Interrupts the fits of one learning rate in their second epoch."""

    def on_batch_begin(self, net, training=False, **kwargs):
        if net.lr == 0.002 and len(net.history) == 2:
            raise KeyboardInterrupt


class Total(Callback):
    """Adds up losses: what it knows goes on from epoch to epoch."""

    def on_train_begin(self, net, **kwargs):
        self.total_ = 0.0

    def on_epoch_end(self, net, **kwargs):
        self.total_ += net.history[-1, "train_loss"]
        net.history.record("total", self.total_)


class Records(Callback):
    """Records what no file can hold."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("thing", object())


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    coarse = rng.random((12, 2, 2, 3))
    return np.round(255 * np.kron(coarse, np.ones((1, 4, 4, 1)))).astype(np.uint8)


@pytest.fixture(scope="module")
def data_of(images):
    """Return what an estimator is fitted on."""
    codes = clone(FAST).set_params(max_epochs=0).fit_transform(images)
    many = np.tile(images, (4, 1, 1, 1))[:40]

    def choose(model):
        if isinstance(model, CodePrior):
            return codes
        return many if model.batch_size == 1 else images

    return choose


@pytest.fixture(autouse=True)
def one_thread():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def interrupt(model, X, epoch, error=KeyboardInterrupt):
    """Fit up to an epoch, which does not end; return the model of those before."""
    model = clone(model).set_params(callbacks=[Stop(epoch, error)])
    with warnings.catch_warnings(), pytest.raises(error):
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X)
    return model


def assert_same(found, expected):
    """Check weights, history and what the module is besides, bit for bit."""
    modules = found.net_.module_, expected.net_.module_
    weights = [module.state_dict() for module in modules]
    assert weights[0].keys() == weights[1].keys()
    assert [k for k, v in weights[0].items() if not torch.equal(v, weights[1][k])] == []
    numbers = [
        [
            {k: v for k, v in vars(part).items() if isinstance(v, int | float | str)}
            for part in module.modules()
        ]
        for module in modules
    ]
    assert numbers[0] == numbers[1]
    assert_same_history(found.history_, expected.history_)


def states_in(folder):
    return sorted(path.name for path in folder.glob("*/*.safetensors"))


# ---- going on -----------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_a_fit_goes_on_as_if_it_had_not_been_interrupted(name, data_of, tmp_path):
    model, X = CASES[name], data_of(CASES[name])
    expected = clone(model).fit(X)
    kept = clone(model).set_params(checkpoint=tmp_path)
    for epoch in (2, 3):
        assert interrupt(kept, X, epoch).n_epochs_ == epoch - 1
        numbers = [f"epoch-{n:06}.safetensors" for n in (epoch - 2, epoch - 1)]
        assert states_in(tmp_path) == numbers
    resumed = clone(kept).fit(X)
    assert_same(resumed, expected)
    assert resumed.n_epochs_ == model.max_epochs - 2 * (name == "early stopping")
    assert len(states_in(tmp_path)) == 2
    nothing_to_train = [Stop(epoch) for epoch in range(1, 11)]
    assert_same(clone(kept).set_params(callbacks=nothing_to_train).fit(X), expected)


def test_what_a_fit_starts_from_is_not_found_anew(images, tmp_path, monkeypatch):
    expected = clone(FAST).fit(images)
    kept = clone(FAST).set_params(checkpoint=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        clone(kept).set_params(callbacks=[Stop(1)]).fit(images)
    monkeypatch.setattr(Autoencoder, "initialize", None)
    assert_same(clone(kept).fit(images), expected)


def test_a_seed_that_nobody_gave_is_kept(images, tmp_path):
    model = clone(FAST).set_params(random_state=None, checkpoint=tmp_path / "a")
    first = interrupt(model, images, 2)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    pair = [model.fit(images), model.set_params(checkpoint=tmp_path / "b").fit(images)]
    assert_same(*pair)
    assert_same_history(first.history_, pair[0].history_, 1)


def test_targets_and_conditions_go_on_too(images, tmp_path):
    labels = np.arange(len(images)) % 3
    model = GaussianVAE(**SMALL).set_params(target="y")
    expected = clone(model).fit(images, images[::-1], condition=labels)
    kept = clone(model).set_params(checkpoint=tmp_path, callbacks=[Stop(3)])
    with pytest.warns(ConvergenceWarning), pytest.raises(KeyboardInterrupt):
        kept.fit(images, images[::-1], condition=labels)
    kept.set_params(callbacks=None)
    for y, condition, name in (
        (images, labels, "other y, pixels"),
        (images[::-1], labels[::-1], "condition='array of shape"),
    ):
        with pytest.raises(ValueError, match=rf"the data \({name}"):
            kept.fit(images, y, condition=condition)
    assert_same(kept.fit(images, images[::-1], condition=labels), expected)


def test_verbose_says_where_a_fit_goes_on(images, tmp_path, capsys):
    model = clone(FAST).set_params(checkpoint=tmp_path, verbose=1)
    interrupt(model, images, 2)
    assert "Starts anew, with checkpoints in" in capsys.readouterr().err
    clone(model).fit(images)
    said = capsys.readouterr().err
    assert "Continues after 1 epoch(s), from" in said and "epoch 3.0/3" in said
    clone(model).fit(images)
    assert "This fit is finished, after 3 epoch(s), in" in capsys.readouterr().err


def test_models_with_checkpoints_are_as_others(images, tmp_path):
    model = clone(FAST).set_params(checkpoint=tmp_path).fit(images)
    again = pickle.loads(pickle.dumps(model))
    assert_same(again, model)
    assert clone(again).checkpoint == tmp_path


# ---- what is refused ----------------------------------------------------------------


def test_other_parameters_are_refused_where_a_fit_was_interrupted(images, tmp_path):
    kept = clone(FAST).set_params(checkpoint=tmp_path)
    interrupt(kept, images, 2)
    for name, value, words in (
        ("lr", 0.002, "lr=0.001 there, 0.002 here"),
        ("max_epochs", 4, "max_epochs=3 there, 4 here"),
        ("random_state", 1, "random_state=0 there, 1 here"),
        ("degrade", NOISE, r"degrade=None there, .*gaussian_noise"),
    ):
        with pytest.raises(ValueError, match=f"stopped after 1 epoch.*: {words}"):
            clone(kept).set_params(**{name: value}).fit(images)
    assert clone(kept).set_params(verbose=1, device="auto").fit(images).n_epochs_ == 3
    # A finished fit stands in nobody's way.
    assert clone(kept).set_params(lr=0.002).fit(images).n_epochs_ == 3


def test_other_data_are_refused_where_a_fit_was_interrupted(images, tmp_path):
    kept = clone(FAST).set_params(checkpoint=tmp_path)
    interrupt(kept, images, 2)
    changed = images.copy()
    changed[5, 3, 3, 1] ^= 1
    for X, words in (
        (changed, r"the data \(other pixels\)"),
        (images[1:], r"the data \(photos=12 there, 11 here\)"),
        (images / 255, r"the data \(dtype='uint8' there, 'float64' here\)"),
        (images[:, :6], r"the data \(shapes=\[8, 8, 3\] there, \[6, 8, 3\] here\)"),
    ):
        with pytest.raises(ValueError, match=words):
            clone(kept).fit(X)
    assert clone(kept).fit(images.copy()).n_epochs_ == 3


def test_fits_that_another_process_trains_are_in_nobodys_way(images, tmp_path):
    kept = clone(FAST).set_params(checkpoint=tmp_path)
    interrupt(kept, images, 2)
    (folder,) = tmp_path.iterdir()
    other = clone(kept).set_params(lr=0.002)
    with pytest.raises(ValueError, match="stopped after 1 epoch"):
        other.fit(images)
    with being_trained(folder):
        assert other.fit(images).n_epochs_ == 3


def test_what_goes_on_from_a_model_takes_no_checkpoint(images, tmp_path):
    model = clone(FAST).set_params(checkpoint=tmp_path, warm_start=True).fit(images)
    for train in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="checkpoint=.* fits that start anew"):
            train(images)
    assert model.set_params(checkpoint=None).fit(images).n_epochs_ == 6


def test_a_folder_that_cannot_be_written_to_is_refused_at_once(images, tmp_path):
    (tmp_path / "file").write_text("")
    model = clone(FAST).set_params(callbacks=[Stop(1)])
    with pytest.raises(ValueError, match="checkpoint=.*cannot be written to.*Give a"):
        model.set_params(checkpoint=tmp_path / "file").fit(images)
    kept = clone(FAST).set_params(checkpoint=tmp_path).fit(images)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    with pytest.raises(ValueError, match="folder of one fit; expected the one above"):
        kept.set_params(checkpoint=folder).fit(images)


# ---- damage -------------------------------------------------------------------------


def test_a_damaged_checkpoint_costs_an_epoch(images, tmp_path):
    expected = clone(FAST).fit(images)
    kept = clone(FAST).set_params(checkpoint=tmp_path)
    interrupt(kept, images, 3)
    (folder,) = tmp_path.iterdir()
    older, newest = sorted(folder.glob("*.safetensors"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    (folder / ".aside-left").mkdir()  # of a process that was killed
    with pytest.warns(UserWarning, match="cannot be used: .*000002.* is damaged"):
        resumed = interrupt(kept, images, 2)
    assert resumed.n_epochs_ == 1
    assert not list(folder.glob(".aside*"))
    newest.write_bytes(content[:100])
    older.write_bytes(b"")
    with pytest.warns(UserWarning, match="starts anew where there is none"):
        assert_same(clone(kept).fit(images), expected)


KILLED = f"""
    import sys, numpy as np, torch
    torch.set_num_threads(1)
    from sklearn_sparsevae import VQVAE
    model = VQVAE(**{SMALL | {"max_epochs": 10_000}}, checkpoint=sys.argv[2])
    model.fit(np.load(sys.argv[1]))
"""


def test_a_fit_that_is_killed_goes_on(images, tmp_path):
    np.save(tmp_path / "images.npy", images)
    folder = tmp_path / "fits"
    command = [sys.executable, "-c", textwrap.dedent(KILLED)]
    child = subprocess.Popen([*command, tmp_path / "images.npy", folder])
    while child.poll() is None and len(states_in(folder)) < 2:
        time.sleep(0.01)
    time.sleep(np.random.default_rng().uniform(0, 0.2))
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    n_done = int(states_in(folder)[-1][6:12])
    kept = clone(FAST).set_params(max_epochs=10_000, checkpoint=folder)
    resumed = interrupt(kept, images, n_done + 3)
    expected = interrupt(kept.set_params(checkpoint=None), images, n_done + 3)
    assert_same(resumed, expected)
    assert resumed.n_epochs_ == n_done + 2


# ---- many fits ----------------------------------------------------------------------


def test_fits_of_a_parallel_search_share_a_folder(images, tmp_path):
    """It is interrupted, and goes on."""

    def search(n_jobs=2, **params):
        model = clone(FAST).set_params(max_epochs=2, **params)
        grid = {"lr": [0.001, 0.002, 0.003]}
        with parallel_config("threading"):
            return GridSearchCV(model, grid, cv=2, n_jobs=n_jobs).fit(images)

    expected = search()
    with pytest.warns(ConvergenceWarning), pytest.raises(KeyboardInterrupt):
        search(1, checkpoint=tmp_path, callbacks=[StopSearch()])
    assert len(list(tmp_path.iterdir())) == 3
    found = search(checkpoint=tmp_path)
    for name in ("split0_test_score", "split1_test_score"):
        pair = found.cv_results_[name], expected.cv_results_[name]
        np.testing.assert_array_equal(*pair)
    assert_same(found.best_estimator_, expected.best_estimator_)
    assert len(list(tmp_path.iterdir())) == 3 * 2 + 1


def test_a_fit_that_fails_is_in_nobodys_way(images, tmp_path):
    """Of a search, say, whose learning rates are not all good."""
    kept = clone(FAST).set_params(checkpoint=tmp_path)
    interrupt(kept, images, 2, FloatingPointError)
    assert clone(kept).set_params(lr=0.002).fit(images).n_epochs_ == 3
    assert_same(clone(kept).fit(images), clone(FAST).fit(images))


def test_the_same_fit_twice_at_once_is_right_in_both(images, tmp_path):
    expected = clone(FAST).fit(images)
    kept = clone(FAST).set_params(checkpoint=tmp_path)
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda _: clone(kept).fit(images), range(2)):
            assert_same(found, expected)


def test_folds_that_are_read_lazily_are_told_apart():
    """A sample of their photos may be the same: members say which ones they are."""
    photos = np.zeros((200, 2, 2), np.uint8)
    spec = InputSpec.of(None, None, "X")
    folds = [train for train, _ in KFold(40).split(photos)]
    described = [
        json.dumps(describe_data(spec.open_to_fit(LazyView(photos, fold), None)[0]))
        for fold in folds
    ]
    assert len(set(described)) == 40


# ---- callbacks ----------------------------------------------------------------------


def test_callbacks_of_skorch_work_beside_and_go_on_too(images, tmp_path):
    def callbacks(name):
        best = Checkpoint("train_loss_best", dirname=str(tmp_path / name / "best"))
        return [
            ("plateau", LRScheduler("ReduceLROnPlateau", patience=0, threshold=10)),
            ("total", Total()),
            ("best", best),
            ("last", TrainEndCheckpoint(dirname=str(tmp_path / name / "last"))),
            ("load", LoadInitState(best)),
        ]

    def make(name, **params):
        params = {"lr_schedule": None, "callbacks": callbacks(name), **params}
        return clone(FAST).set_params(**params)

    expected = make("a").fit(images)
    kept = make("b", checkpoint=tmp_path / "fits")
    stopped = make("b", checkpoint=tmp_path / "fits")
    stopped.callbacks.append(Stop(3))
    with pytest.warns(ConvergenceWarning), pytest.raises(KeyboardInterrupt):
        stopped.fit(images)
    assert_same(kept.fit(images), expected)
    rates = expected.history_["event_lr"]
    assert len(set(rates)) == 3 == expected.n_epochs_
    for kind in ("best", "last"):
        files = [sorted((tmp_path / name / kind).iterdir()) for name in "ab"]
        assert [f.name for f in files[0]] == [f.name for f in files[1]] != []


def test_what_a_callback_records_has_to_be_kept(images, tmp_path):
    model = clone(FAST).set_params(checkpoint=tmp_path, callbacks=[Records()])
    with (
        pytest.warns(ConvergenceWarning),
        pytest.raises(TypeError, match="object cannot be kept.*Let callbacks record"),
    ):
        model.fit(images)


# ---- parts --------------------------------------------------------------------------


def test_packing_gives_back_what_it_got():
    images = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    value = {
        0: [1, -2.5, True, None, "text", float("nan"), 10**20],
        "tuple": (float("-inf"), np.float32(0.1), np.bool_(False), [(), {}]),
        ("a", 1): {"images": images, "T": torch.arange(6).reshape(2, 3).T},
        "arrays": [np.arange(3, dtype=np.uint16), np.zeros((0, 2)), torch.tensor(2.5)],
    }
    arrays, text = pack(value)
    found = unpack(arrays, text)
    assert repr(found) == repr(value)
    assert type(found["tuple"][1]) is np.float32
    pair = found["a", 1]["images"], images
    assert pair[0].stride() == pair[1].stride() and torch.equal(*pair)
    with pytest.raises(TypeError, match="set cannot be kept"):
        pack({"a": {1}})


def test_descriptions_are_those_of_what_is_computed():
    def double(factor):
        return lambda images, random_state: images * factor

    for first, second in (
        (1, 1.0),
        ((8, 8), [8, np.int64(8)]),
        (double(2), double(2)),
        (NOISE, functools.partial(gaussian_noise, sigma=np.float64(0.1))),
        (np.arange(3), np.arange(3)),
        (Stop(1), Stop(1)),
    ):
        assert describe(first) == describe(second)
    for first, second in (
        ("1", 1),
        (double(2), double(3)),
        (lambda x: x + 1, lambda x: x + 2),
        (NOISE, functools.partial(gaussian_noise, sigma=0.2)),
        (np.arange(3), np.arange(3.0)),
        (torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)),
        (Stop(1), Stop(2)),
        (Stop(1).on_batch_begin, Stop(2).on_batch_begin),
    ):
        assert describe(first) != describe(second)
