"""What happens in fit: losses by name, schedules, stopping, errors, continuing."""

import pickle
import re
import sys
import threading

import numpy as np
import pytest
import torch
import tqdm.auto  # so that it is there again after the tests of notebooks
import tqdm.notebook
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, EarlyStopping

from sklearn_sparsevae import SparseCodingVAE
from sklearn_sparsevae._progress import bar_class
from sklearn_sparsevae.training.devices import resolve_device
from tests.histories import assert_same_history

TERMS = ("reconstruction", "latent", "sparsity")


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.random((40, 3, 3)), np.ones((1, 3, 3)))[:, :8, :8]
    noisy = coarse + 0.05 * rng.standard_normal(coarse.shape)
    return np.clip(noisy, 0, 1).astype(np.float32)


def tiny(**params):
    defaults = {
        "n_components": 16,
        "n_downsamples": 1,
        "n_rollout_steps": 4,
        "backbone_params": {"width": 8},
        "max_epochs": 2,
        "batch_size": 16,
        "random_state": 0,
    }
    return SparseCodingVAE(**(defaults | params))


class Probe(Callback):
    """Calls what it is given at a moment, and counts all moments."""

    def __init__(self, **moments):
        self.moments = moments
        self.seen = []

    def _notice(self, moment, net, **kwargs):
        self.seen.append(moment)
        if moment in self.moments:
            self.moments[moment](net, **kwargs)

    def on_train_begin(self, net, **kwargs):
        self._notice("train_begin", net)

    def on_train_end(self, net, **kwargs):
        self._notice("train_end", net)

    def on_epoch_begin(self, net, **kwargs):
        self._notice("epoch_begin", net)

    def on_epoch_end(self, net, **kwargs):
        self._notice("epoch_end", net)

    def on_batch_begin(self, net, training=False, **kwargs):
        self._notice("batch_begin", net)

    def on_grad_computed(self, net, **kwargs):
        self._notice("grad", net)


def weights_of(model):
    return torch.cat([p.detach().flatten() for p in model.net_.module_.parameters()])


# ---- history ------------------------------------------------------------------------


def test_history_names_every_term(images):
    model = tiny().fit(images)
    assert model.n_epochs_ == len(model.history_["epoch"]) == 2
    history = model.history_
    assert history["epoch"].tolist() == [1, 2] and (history["dur"] > 0).all()
    assert "batches" not in history
    names = {f"train_{t}" for t in (*TERMS, "loss", "psnr", "nonzeros", "perplexity")}
    assert names <= set(history)
    assert not [name for name in history if name.startswith("valid_")]
    assert all(np.isfinite(history[name]).all() for name in names)
    total = sum(history[f"train_{t}"] for t in TERMS)
    np.testing.assert_allclose(history["train_loss"], total, rtol=1e-5)


def test_terms_are_averages_over_images(images):
    """At a learning rate of nothing they are those of the whole set."""
    model = tiny(max_epochs=1, batch_size=13, lr=1e-20).fit(images)
    module = model.net_.module_
    with torch.no_grad():
        out = module(torch.from_numpy(images[..., None]))
    epoch = {name: array[0] for name, array in model.history_.items()}
    for term, value in out["losses"].items():
        assert epoch[f"train_{term}"] == pytest.approx(value.item(), rel=1e-4)
    error = out["images"][:, 0].numpy() - images
    reconstruction = 0.5 * np.sum(error**2) / (40 * 16)
    assert epoch["train_reconstruction"] == pytest.approx(reconstruction, rel=1e-3)
    nonzeros = (out["codes"].values != 0).sum().item() / (40 * 16)
    assert epoch["train_nonzeros"] == pytest.approx(nonzeros, rel=1e-4)


def test_no_epochs_is_the_start_and_nothing_more(images):
    model = tiny(max_epochs=0).fit(images)
    assert model.n_epochs_ == 0 and model.history_ == {}
    assert not model.net_.module_.backbone.decoder_branch[-1].weight.any()


def test_training_improves_the_loss(images):
    losses = tiny(max_epochs=6).fit(images).history_["train_loss"]
    assert losses[-1] < losses[0]


def test_atoms_stay_of_unit_norm(images):
    norms = np.linalg.norm(tiny(max_epochs=4).fit(images).components_, axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-5)


# ---- schedules, clipping, precision -------------------------------------------------


def record_rates(images, **params):
    rates = []

    def note(net):
        rates.append([group["lr"] for group in net.optimizer_.param_groups])

    tiny(callbacks=[Probe(grad=note)], max_epochs=4, **params).fit(images)
    return np.array(rates)


def test_cosine_schedule_falls_to_nearly_nothing(images):
    rates = record_rates(images, lr=0.01)
    assert rates.shape == (12, 2)
    np.testing.assert_allclose(rates[0], [0.01, 0.03])
    assert (np.diff(rates, axis=0) < 0).all()
    assert (rates[-1] < 0.05 * rates[0]).all()
    expected = 0.5 * (1 + np.cos(np.pi * np.arange(12) / 12))
    np.testing.assert_allclose(rates[:, 0] / 0.01, expected, atol=1e-6)


def test_without_a_schedule_the_rate_stays(images):
    rates = record_rates(images, lr_schedule=None)
    assert (rates == rates[0]).all()


def test_gradients_are_clipped(images):
    def norms_with(clip):
        norms = []

        def note(net):
            grads = [p.grad for p in net.module_.parameters() if p.grad is not None]
            norms.append(torch.cat([g.flatten() for g in grads]).norm().item())

        tiny(callbacks=[Probe(grad=note)], gradient_clip=clip).fit(images)
        return np.array(norms)

    assert norms_with(1e9).max() > 1e-3
    assert norms_with(1e-3).max() <= 1e-3 * (1 + 1e-4)


def test_bf16_runs_on_the_cpu_and_codes_are_float32(images):
    model = tiny(precision="bf16").fit(images)
    codes = model.transform(images)
    assert codes.dtype == np.float32
    assert model.reconstruct(images).dtype == np.float32
    assert all(p.dtype == torch.float32 for p in model.net_.module_.parameters())
    exact = tiny().fit(images)
    assert model.score(images) == pytest.approx(exact.score(images), abs=1.0)


# ---- early stopping -----------------------------------------------------------------


def test_early_stopping_stops_and_restores_the_best_weights(images):
    states = []

    def ruin(net):
        states.append({k: v.clone() for k, v in net.module_.state_dict().items()})
        if len(net.history) == 3:
            with torch.no_grad():
                net.module_.backbone.decoder_branch[-1].bias += 3

    model = tiny(
        early_stopping=True,
        validation_fraction=0.2,
        n_epochs_no_change=2,
        max_epochs=10,
        callbacks=[Probe(epoch_begin=ruin)],
    ).fit(images)
    losses = model.history_["valid_loss"]
    assert model.n_epochs_ == len(losses) < 10
    best = int(np.argmin(losses))
    assert best < 2 < len(losses)
    # What the epoch after the best one began with.
    for name, value in model.net_.module_.state_dict().items():
        torch.testing.assert_close(value, states[best + 1][name], msg=name)
    names = {f"valid_{t}" for t in (*TERMS, "loss", "psnr", "nonzeros", "perplexity")}
    assert names <= set(model.history_)


def test_early_stopping_that_leaves_nothing_to_train_on_is_refused(images):
    with pytest.raises(
        ValueError, match="holds out 1 of 1 images.*turn early_stopping"
    ):
        tiny(early_stopping=True).fit(images[:1])


def test_early_stopping_holds_out_photos_of_different_sizes(images):
    photos = [np.tile(im, (2, 3)) for im in images[:3]] + [images[4]]
    model = tiny(
        early_stopping=True, crop_size=8, validation_fraction=0.5, max_epochs=1
    ).fit(photos)
    assert np.isfinite(model.history_["valid_loss"][0])


# ---- what surfaces ------------------------------------------------------------------


def raising(error, epoch):
    """Raise in an epoch, counted over all fits of a net."""

    def act(net):
        if len(net.history) == epoch:
            raise error

    return act


def test_ctrl_c_in_the_first_epoch_leaves_nothing(images):
    probe = Probe(batch_begin=raising(KeyboardInterrupt, 1))
    model = tiny(callbacks=[probe])
    message = "interrupted in epoch 1.*as it was before.*Fit again"
    with pytest.raises(KeyboardInterrupt, match=message):
        model.fit(images)
    assert probe.seen[-1] == "train_end"
    assert not hasattr(model, "net_")


STOPS = {
    "Ctrl-C": (KeyboardInterrupt(), "interrupted in epoch 3.*the 2 epoch.*are kept"),
    "an error": (OSError("the disk is gone"), "the disk is gone"),
}


@pytest.mark.parametrize("moment", ["epoch_begin", "batch_begin", "grad"])
@pytest.mark.parametrize("stop", STOPS)
def test_what_stops_a_fit_comes_out_and_complete_epochs_stay(images, stop, moment):
    error, message = STOPS[stop]
    probe = Probe(**{moment: raising(error, 3)})
    params = {"lr_schedule": None, "max_epochs": 5}
    model = tiny(callbacks=[probe], **params)
    with (
        pytest.warns(ConvergenceWarning, match="keeps the 2 complete epoch"),
        pytest.raises(type(error), match=message),
    ):
        model.fit(images)
    assert probe.seen[-1] == "train_end"
    assert model.n_epochs_ == len(model.history_["epoch"]) == 2
    expected = tiny(**(params | {"max_epochs": 2})).fit(images)
    assert torch.equal(weights_of(model), weights_of(expected))
    np.testing.assert_array_equal(
        model.transform(images).toarray(), expected.transform(images).toarray()
    )
    assert model.net_.optimizer_ is None and not model.net_.module_.training


def test_images_that_cannot_be_read_stop_a_fit_like_ctrl_c(images):
    class Failing:
        """Photos whose file is gone after a while."""

        shapes = [image.shape for image in images]
        n_reads = 0

        def __len__(self):
            return len(images)

        def __getitem__(self, index):
            self.n_reads += 1
            if self.n_reads > 1 + 3 * len(images):  # the start and two epochs
                raise OSError("the disk is gone")
            return images[index]

    model = tiny(max_epochs=5)
    with (
        pytest.warns(ConvergenceWarning, match="by OSError.*keeps the 2 complete"),
        pytest.raises(OSError, match="the disk is gone"),
    ):
        model.fit(Failing())
    assert model.n_epochs_ == 2 and np.isfinite(model.score(images))


@pytest.mark.parametrize("epoch", [3, 4])
def test_going_on_that_is_stopped_keeps_what_was_before(images, epoch):
    """In the first epoch of the second fit nothing changes, optimizer included."""
    model = tiny(warm_start=True, lr_schedule=None).fit(images)
    kept = clone(model).fit(images)
    weights = weights_of(model)
    model.callbacks = [Probe(grad=raising(KeyboardInterrupt, epoch))]
    if epoch == 3:
        with pytest.raises(KeyboardInterrupt, match="as it was before"):
            model.fit(images)
        assert torch.equal(weights_of(model), weights)
    else:
        with (
            pytest.warns(ConvergenceWarning, match="keeps the 3 complete epoch"),
            pytest.raises(KeyboardInterrupt, match="the 1 epoch.*before it are kept"),
        ):
            model.fit(images)
        kept.set_params(max_epochs=1).fit(images)
        assert torch.equal(weights_of(model), weights_of(kept))
    assert model.n_epochs_ == len(model.history_["epoch"]) == epoch - 1
    for each in (model, kept):
        each.set_params(callbacks=None, max_epochs=1).fit(images)
    assert model.history_["epoch"][-1] == epoch
    assert torch.equal(weights_of(model), weights_of(kept))


@pytest.mark.parametrize(("moment", "epoch"), [("grad", 3), ("epoch_end", 2)])
def test_every_epoch_that_is_kept_has_the_perplexity_of_its_usage(
    images, moment, epoch
):
    whole = tiny(lr_schedule=None, max_epochs=4).fit(images)
    stop = Probe(**{moment: raising(KeyboardInterrupt, epoch)})
    model = tiny(lr_schedule=None, max_epochs=4, callbacks=[stop])
    with (
        pytest.warns(ConvergenceWarning, match="keeps the 2 complete epoch"),
        pytest.raises(KeyboardInterrupt),
    ):
        model.fit(images)
    recorded = model.history_["train_perplexity"]
    np.testing.assert_array_equal(recorded, whole.history_["train_perplexity"][:2])


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("error", [ValueError, FloatingPointError, KeyboardInterrupt])
def test_a_fit_that_fails_leaves_the_earlier_model(images, error, warm_start):
    model = tiny(warm_start=warm_start).fit(images)
    before, history = model.transform(images).toarray(), model.history_
    model.set_params(
        n_components=16 if warm_start else 20,
        callbacks=[Probe(grad=raising(error, 3 if warm_start else 1))],
    )
    with pytest.raises(error):
        model.fit(images)
    np.testing.assert_array_equal(model.transform(images).toarray(), before)
    assert_same_history(model.history_, history)


def poison(part):
    def set_nan(net):
        if len(net.history) == 2:
            with torch.no_grad():
                net.module_.get_parameter(part).fill_(float("nan"))

    return set_nan


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("backbone.decoder_branch.4.bias", "reconstruction term of the loss"),
        ("backbone.encoder_branch.4.bias", r"\w+ term of the loss"),
        # The safeguard of the rollout takes over in the forward pass.
        ("bottleneck.filters", "gradient of the loss"),
        ("bottleneck.log_gains", "gradient of the loss"),
    ],
)
def test_what_is_not_finite_ends_the_training(images, part, what):
    model = tiny(shrinkage="soft", callbacks=[Probe(epoch_begin=poison(part))])
    with pytest.raises(
        FloatingPointError, match=f"{what} became nan in epoch 2. Lower"
    ):
        model.fit(images)
    assert not hasattr(model, "net_")


def test_what_is_not_finite_later_leaves_the_earlier_model(images):
    model = tiny(warm_start=True, max_epochs=1).fit(images)
    weights, history = weights_of(model), model.history_
    part = "backbone.decoder_branch.4.bias"
    model.callbacks = [Probe(epoch_begin=poison(part))]
    with pytest.raises(FloatingPointError, match="in epoch 2"):
        model.fit(images)
    assert torch.equal(weights_of(model), weights)
    assert_same_history(model.history_, history)
    model.set_params(callbacks=None).fit(images)
    assert np.isfinite(model.history_["train_loss"][-1])


def test_a_callback_may_stop_early(images):
    stopping = EarlyStopping("train_loss", patience=1, threshold=10.0)
    model = tiny(max_epochs=5, callbacks=[stopping]).fit(images)
    assert model.n_epochs_ == 2


@pytest.mark.parametrize("moment", ["train_begin", "epoch_begin", "batch_begin"])
def test_errors_of_a_callback_come_out_of_fit(images, moment):
    def fail(net):
        raise RuntimeError("mine")

    model = tiny(callbacks=[Probe(**{moment: fail})])
    with pytest.raises(RuntimeError, match="mine"):
        model.fit(images)
    assert not hasattr(model, "net_")


@pytest.mark.parametrize("given", [[print], ["stop"], [("named", 3)], [Probe(), None]])
def test_what_is_no_callback_is_named(images, given):
    with pytest.raises(TypeError, match="callbacks holds .*expected skorch callbacks"):
        tiny(callbacks=given).fit(images)


def test_callbacks_follow_the_training(images):
    probe = Probe()
    tiny(callbacks=[probe, ("named", Probe())]).fit(images)
    epoch = ["epoch_begin", *["batch_begin", "grad"] * 3, "epoch_end"]
    assert probe.seen == ["train_begin", *epoch * 2, "train_end"]


def test_progress_bar_shows_what_matters(images, capsys):
    tiny(verbose=1).fit(images)
    shown = capsys.readouterr().err
    for word in ("epoch", "psnr", "nonzeros", *TERMS, "2.0/2"):
        assert word in shown, word
    # Time left, as in [00:00<00:01.
    assert re.search(r"\[\d\d:\d\d<\d\d:\d\d", shown)


class Kernel:
    """Stands for the shell of a notebook, and for the modules that it brings."""

    def get_ipython(self):
        return self


@pytest.fixture
def notebook(monkeypatch):
    """Be in a notebook, with ipywidgets or without, as far as tqdm can see."""

    def start(widgets):
        monkeypatch.setitem(sys.modules, "ipykernel.zmqshell", Kernel())
        monkeypatch.setitem(sys.modules, "IPython", Kernel())
        monkeypatch.setattr(tqdm.notebook, "IProgress", widgets)
        for name in ("tqdm.auto", "tqdm.autonotebook"):
            monkeypatch.delitem(sys.modules, name, raising=False)

    return start


def test_a_notebook_without_widgets_has_a_line_of_text(images, notebook, capsys):
    """And no warning, which would be an error here."""
    notebook(None)
    assert not issubclass(bar_class(), tqdm.notebook.tqdm)
    tiny(verbose=1).fit(images)
    assert "2.0/2" in capsys.readouterr().err


def test_a_notebook_with_widgets_has_one(notebook):
    notebook(Kernel)
    assert issubclass(bar_class(), tqdm.notebook.tqdm)


def test_a_bar_that_stops_early_is_full_and_one_that_fails_is_not(images, capsys):
    stopping = EarlyStopping("train_loss", patience=1, threshold=10.0)
    tiny(max_epochs=5, callbacks=[stopping], verbose=1).fit(images)
    assert "epoch 2.0/2 " in capsys.readouterr().err.split("\r")[-1]
    failing = Probe(epoch_begin=raising(ValueError("mine"), 2))
    with pytest.warns(ConvergenceWarning), pytest.raises(ValueError, match="mine"):
        tiny(max_epochs=5, callbacks=[failing], verbose=1).fit(images)
    assert "epoch 1.0/5 " in capsys.readouterr().err.split("\r")[-1]


def test_a_net_is_shown_in_a_line(images):
    net = tiny().fit(images).net_
    n_parameters = sum(p.numel() for p in net.module_.parameters())
    shown = f"Autoencoder of {n_parameters:,} parameters, 2 epochs, on cpu"
    assert repr(net) == str(net) == f"<ReconstructionNet: {shown}>"


def test_quiet_training_prints_nothing(images, capsys):
    tiny().fit(images)
    printed = capsys.readouterr()
    assert printed.out == printed.err == ""


# ---- seeds --------------------------------------------------------------------------


def test_global_generators_are_left_alone(images):
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    model = tiny(early_stopping=True, crop_size=6).fit(images)
    model.partial_fit(images)
    model.transform(images)
    assert torch.equal(torch_state, torch.get_rng_state())
    for ours, theirs in zip(numpy_state, np.random.get_state(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_global_generators_do_not_decide_the_result(images):
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        results.append(weights_of(tiny(crop_size=6, max_epochs=1).fit(images)))
    assert torch.equal(*results)


def test_another_seed_is_another_model(images):
    first, second = (tiny(random_state=s).fit(images) for s in (0, 1))
    assert not torch.equal(weights_of(first), weights_of(second))


def test_other_threads_do_not_change_a_fit(images):
    expected = weights_of(tiny().fit(images))
    stop = threading.Event()

    def draw():
        while not stop.wait(1e-4):
            torch.rand(7)

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        found = weights_of(tiny().fit(images))
    finally:
        stop.set()
        thread.join()
    assert torch.equal(found, expected)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:3", "nonsense"])
def test_devices_that_are_not_there_are_refused(device):
    with pytest.raises(ValueError, match=f"device='{device}' is not available.*'auto'"):
        resolve_device(device)
    assert resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")


# ---- going on -----------------------------------------------------------------------


@pytest.mark.parametrize("lr_schedule", ["cosine", None])
def test_warm_start_goes_on_from_where_it_was(images, lr_schedule):
    model = tiny(warm_start=True, max_epochs=4, lr_schedule=lr_schedule).fit(images)
    first, weights = model.history_, weights_of(model)
    rates = []
    model.callbacks = [Probe(grad=lambda n: rates.append(n.optimizer_.param_groups[0]))]
    model.fit(images)
    assert_same_history(model.history_, first, 4)
    assert model.history_["epoch"].tolist() == list(range(1, 9))
    losses = model.history_["train_loss"]
    assert losses[4] < losses[0]
    assert losses[4] < 1.2 * losses[3]
    # It moves: a schedule that has run out must not leave the rate at zero.
    assert (weights_of(model) - weights).abs().max() > 1e-4


def test_warm_start_begins_with_the_rate_of_now(images):
    model = tiny(warm_start=True, lr=0.01).fit(images)
    rates = []

    def note(net):
        rates.append(net.optimizer_.param_groups[0]["lr"])

    model.set_params(lr=0.002, callbacks=[Probe(grad=note)], batch_size=40).fit(images)
    assert rates == pytest.approx([0.002, 0.001])


def test_warm_start_goes_on_after_a_fit_that_was_not_warm(images):
    model = tiny().fit(images)
    model.set_params(warm_start=True).fit(images)
    assert model.n_epochs_ == 4


def test_warm_start_can_stop_early(images):
    model = tiny(warm_start=True, early_stopping=True, validation_fraction=0.2)
    model.fit(images).fit(images)
    assert 2 < model.n_epochs_ <= 4
    assert np.isfinite(model.history_["valid_loss"][-1])


def test_without_warm_start_fit_starts_anew(images):
    model = tiny().fit(images)
    weights = weights_of(model)
    assert torch.equal(weights_of(model.fit(images)), weights)
    assert model.n_epochs_ == 2


@pytest.mark.parametrize("fitted", [False, True])
def test_partial_fit_is_one_pass(images, fitted):
    model = tiny()
    if fitted:
        model.fit(images)
    before = model.n_epochs_ if fitted else 0
    probe = Probe()
    model.callbacks = [probe]
    model.partial_fit(images)
    assert model.n_epochs_ == before + 1
    assert probe.seen.count("grad") == 3
    weights = weights_of(model)
    model.partial_fit(images[:16])
    assert model.n_epochs_ == before + 2
    assert probe.seen.count("grad") == 4
    assert (weights_of(model) - weights).abs().max() > 1e-5


def test_partial_fits_follow_the_seed(images):
    def run():
        model = tiny()
        for part in (images[:20], images[20:]):
            model.partial_fit(part)
        return weights_of(model)

    assert torch.equal(run(), run())


def test_training_state_is_kept_only_to_go_on(images):
    assert tiny().fit(images).net_.optimizer_ is None
    assert tiny(warm_start=True).fit(images).net_.optimizer_ is not None
    model = tiny().fit(images)
    assert all(p.grad is None for p in model.net_.module_.parameters())
    assert not model.net_.module_.training


def test_no_images_are_kept(images):
    model = tiny(warm_start=True, early_stopping=True, max_epochs=1)
    few = len(pickle.dumps(model.fit(images)))
    many = np.tile(images, (20, 1, 1))
    assert len(pickle.dumps(clone(model).fit(many))) < few + 0.1 * many.nbytes


@pytest.mark.parametrize("n_images", [1, 3])
def test_fewer_images_than_a_batch_are_fine(images, n_images):
    model = tiny(batch_size=100).fit(images[:n_images])
    assert model.transform(images).shape == (40, 16 * 16)
