"""Ranks of a launch train the model that one process trains, and end together."""

import os
import re
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_sparsevae import VQVAE, _ranks
from sklearn_sparsevae.datasets._lock import only_one
from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.training.batching import ImageBatches
from sklearn_sparsevae.training.loading import BatchLoader
from tests.training import launched

ROOT = Path(__file__).parents[2]
# Two orders of summation; what a discriminator sees is normalised, which tells more.
TOLERANCES = {"adversary": 1e-2}


@pytest.fixture(scope="module")
def ranks(tmp_path_factory, request):
    """What each of two ranks found, and what it wrote to its standard error."""
    shared = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):  # one launch for all workers of xdist
        shared = shared.parent
    with only_one(shared / "launch.lock"):
        folder = shared / "launch"
        if not folder.exists():
            folder.mkdir()
            written = _launch(folder)
            torch.save(written, folder / "written.pt")
    return [
        torch.load(folder / f"{rank}.pt", weights_only=False) | {"written": text}
        for rank, text in enumerate(torch.load(folder / "written.pt"))
    ]


def _launch(folder):
    """Start both ranks; return what they wrote to their standard errors."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, launched.__file__, str(folder / "meeting")]
    processes = [
        subprocess.Popen(
            [*command, str(rank), "2", str(folder)],
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        written = [process.communicate(timeout=240)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], written
    return written


def vector(weights):
    return torch.cat([value.double().flatten() for value in weights.values()])


@pytest.mark.parametrize("name", launched.FITS)
def test_two_ranks_train_what_one_process_does(name, ranks):
    alone, tolerance = launched.found(launched.FITS[name]()), TOLERANCES.get(name, 1e-5)
    expected = vector(alone["weights"])
    difference = vector(ranks[0][name]["weights"]) - expected
    assert difference.norm() <= tolerance * expected.norm()
    assert ranks[0][name]["history"].keys() == alone["history"].keys()
    for figure, values in alone["history"].items():
        np.testing.assert_allclose(
            *(ranks[0][name]["history"][figure], values, 10 * tolerance, 1e-6),
            err_msg=figure,
        )
    for count, value in alone["counted"].items():
        torch.testing.assert_close(
            ranks[0][name]["counted"][count], value, rtol=10 * tolerance, atol=1e-6
        )


@pytest.mark.parametrize("name", [*launched.FITS, "no seed", "partial", "resumed"])
def test_all_ranks_end_with_the_same_model(name, ranks):
    first, second = (found[name] for found in ranks)
    assert first["checksum"] == second["checksum"]
    for kind in ("weights", "counted"):
        for key, value in first[kind].items():
            assert torch.equal(value, second[kind][key])
    for figure, values in first["history"].items():
        np.testing.assert_array_equal(values, second["history"][figure], figure)


def test_a_launch_goes_on_from_the_checkpoints_of_another(ranks):
    alone = launched.found(VQVAE(12, **launched.LONG).fit(launched.photos()))
    expected = vector(alone["weights"])
    difference = vector(ranks[0]["resumed"]["weights"]) - expected
    assert difference.norm() <= 1e-5 * expected.norm()
    assert [found["resumed"]["n_trained"] for found in ranks] == [2, 2]


def test_early_stopping_is_decided_together(ranks):
    assert len(ranks[0]["stopping"]["history"]["epoch"]) < 4


@pytest.mark.parametrize("name", ["game", "statistics"])
def test_what_compares_images_sees_the_whole_batch(name, ranks):
    alone = getattr(launched, name)()
    for found, expected in zip(ranks[0][name], alone, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["error", "interrupt"])
def test_what_stops_one_rank_stops_all_after_the_same_epoch(name, ranks):
    (first, *kept), (second, *kept_there) = (f["failures"][name] for f in ranks)
    assert kept == kept_there and kept[0] == 1
    if name == "error":
        assert first.startswith("RuntimeError: Rank 1 of 2 was stopped")
        assert "OSError: the disk is gone" in first
        assert second == "OSError: the disk is gone"
    else:
        expected = "KeyboardInterrupt: Training was interrupted in epoch 2"
        assert first.startswith(expected) and second.startswith(expected)


def test_data_that_one_rank_cannot_take_stop_all(ranks):
    first, second = (found["failures"]["bad data"][0] for found in ranks)
    assert second.startswith("ValueError: X contains NaN")
    assert "Rank 1 of 2 was stopped" in first and "X contains NaN" in first


@pytest.mark.parametrize(
    ("name", "message"),
    {
        "other data": "checksums of data=.*do not split it yourself",
        "fewer data": "number of items=2.*do not split it yourself",
        "parameters": "n_components=1.*fit the same estimator",
        "tiny batches": "batch_size=1 in a launch of 2 ranks",
    }.items(),
)
def test_ranks_that_do_not_fit_the_same_are_refused(name, message, ranks):
    for found in ranks:
        error, n_epochs, _ = found["failures"][name]
        assert error.startswith("ValueError") and n_epochs == 0
        assert re.search(message, error)


def test_what_is_not_finite_ends_all_ranks_alike(ranks):
    errors = [found["failures"]["not finite"] for found in ranks]
    assert errors[0] == errors[1] and errors[0][0].startswith("FloatingPointError")


def test_only_the_first_rank_shows_how_far_it_is(ranks):
    assert "epoch 1.0/1" in ranks[0]["written"] and "epoch" not in ranks[1]["written"]


# ---- one process --------------------------------------------------------------------


def test_without_a_group_nothing_is_shared():
    x = torch.arange(6.0).reshape(3, 2).requires_grad_()
    with _ranks.together(), _ranks.dividing_batches():
        _ranks.begin_batch(3)
        assert _ranks.n_ranks() == 1 and _ranks.rank() == 0 and _ranks.share() == 1
        assert _ranks.part_of(3) == slice(0, 3) and _ranks.n_rows(x) == 3
        assert _ranks.total(x)[0] is x and _ranks.take(x) is x
        assert _ranks.shared_sum(x) is x and _ranks.own_rows(x) is x
        assert _ranks.from_first("seed") == "seed" and _ranks.gather(1) == [1]
        torch.manual_seed(0)
        drawn = _ranks.draw_like(x)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.randn(3, 2))


def as_rank(monkeypatch, rank, n_ranks):
    monkeypatch.setattr(_ranks, "_n_joined", lambda: n_ranks)
    monkeypatch.setattr(_ranks, "rank", lambda: rank)


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 5])
@pytest.mark.parametrize("n_images", [1, 2, 3, 7, 32])
def test_parts_make_up_the_batch(n_images, n_ranks, monkeypatch):
    parts, shares = [], []
    for rank in range(n_ranks):
        as_rank(monkeypatch, rank, n_ranks)
        with _ranks.dividing_batches():
            _ranks.begin_batch(n_images)
            parts.append(list(range(n_images))[_ranks.part_of(n_images)])
            shares.append(_ranks.share())
            assert (_ranks.n_ranks() == 1) == (n_images < n_ranks or n_ranks == 1)
    if n_images < n_ranks:
        assert parts == [list(range(n_images))] * n_ranks and set(shares) == {1}
        return
    assert sum(parts, []) == list(range(n_images))
    assert all(parts) and sum(shares) == pytest.approx(1)


def noisy(images, random_state):
    return images + random_state.rand(*images.shape)


@pytest.mark.parametrize("crop_size", [None, 6])
def test_ranks_make_the_parts_of_the_batches_of_one_process(crop_size, monkeypatch):
    photos = InputSpec().open(launched.photos(11)).with_crops(crop_size)
    batches = ImageBatches(photos)
    loader = BatchLoader(batches, 4, shuffle=True)

    def epoch():
        torch.manual_seed(3)
        return [inputs for inputs, _ in loader]

    whole, parts = epoch(), []
    for rank in range(2):
        as_rank(monkeypatch, rank, 2)
        with _ranks.dividing_batches():
            parts.append(epoch())
    assert loader.sizes() == [len(batch) for batch in whole]
    for expected, *made in zip(whole, *parts, strict=True):
        assert torch.equal(torch.cat(made), expected)


def test_parts_are_degraded_by_noise_of_their_own():
    photos = InputSpec().open(np.zeros((6, 8, 8), np.float32))
    batches = ImageBatches(photos, degrade=noisy)
    plan = batches.plan(range(6))
    whole, (first, _), (last, _) = (
        batches.make(plan)[0],
        batches.make(plan[:3]),
        batches.make(plan[3:]),
    )
    assert torch.equal(first, whole[:3]) and not torch.equal(first, last)


LAUNCHES = {
    "one process": (
        {"WORLD_SIZE": "1", "RANK": "0", "TORCHELASTIC_RUN_ID": "x"},
        "gave one process.*--nproc-per-node 2",
    ),
    "accelerate": ({"ACCELERATE_MIXED_PRECISION": "no"}, "gave one process"),
    "no address": (
        {"WORLD_SIZE": "2", "RANK": "0"},
        "MASTER_ADDR.*trains alone",
    ),
}


@pytest.mark.parametrize("launch", LAUNCHES)
def test_a_launch_that_shares_nothing_warns_once(launch, monkeypatch):
    environment, message = LAUNCHES[launch]
    monkeypatch.setattr(_ranks, "_warned", set())
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    model = VQVAE(4, max_epochs=0, random_state=0)
    with pytest.warns(UserWarning, match=message):
        model.fit(launched.photos(4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(launched.photos(4))


def test_a_process_that_a_rank_starts_trains_alone(monkeypatch):
    monkeypatch.setattr(_ranks, "_warned", set())
    monkeypatch.setattr(_ranks.multiprocessing, "parent_process", lambda: "a rank")
    address = {"RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}
    for name, value in {"WORLD_SIZE": "2", **address}.items():
        monkeypatch.setenv(name, value)
    with pytest.warns(UserWarning, match="started by one of them.*n_jobs=None"):
        VQVAE(4, max_epochs=0, random_state=0).fit(launched.photos(4))


def test_fits_in_two_threads_of_a_rank_are_refused(monkeypatch):
    monkeypatch.setattr(_ranks, "_join", lambda: 2)
    monkeypatch.setattr(_ranks, "_ask", lambda error=None: None)
    errors = []

    def fit():
        try:
            with _ranks.together():
                pass
        except RuntimeError as error:
            errors.append(str(error))

    with _ranks.together():
        with _ranks.together():  # nested in one thread: one fit
            thread = threading.Thread(target=fit)
            thread.start()
            thread.join()
    assert len(errors) == 1 and "one fit after another" in errors[0]
    fit()
    assert len(errors) == 1


def test_ctrl_c_waits_for_the_end_of_an_exchange():
    ended = False
    with pytest.raises(KeyboardInterrupt):
        with _ranks._without_interrupts():
            signal.raise_signal(signal.SIGINT)
            ended = True
    assert ended
