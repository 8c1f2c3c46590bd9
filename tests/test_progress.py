"""What ``verbose`` shows of long runs: counts that are right, or nothing at all."""

import re
import threading

import numpy as np
import pytest
import tqdm

from sklearn_sparsevae import (
    VQVAE,
    ClosedLoopVAE,
    CodePrior,
    DictionaryLearningVAE,
    GaussianVAE,
    KMeansSegmenter,
    SpectralSegmenter,
)
from sklearn_sparsevae._progress import progress, showing, tracked
from sklearn_sparsevae.training import closed_loop, inference

SMALL = {"n_downsamples": 1, "max_epochs": 1, "random_state": 0}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((12, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def model(images):
    model = DictionaryLearningVAE(8, n_nonzero_coefs=2, **SMALL)
    return model.fit(images).set_params(verbose=1)


@pytest.fixture
def batches_of_few(monkeypatch):
    """Let a batch hold five images of the model."""
    monkeypatch.setattr(inference, "_BATCH_ENTRIES", 5 * 16 * 8)


def last_lines(capsys):
    """Last state of every bar that was shown, in order."""
    shown = [line for line in capsys.readouterr().err.split("\n") if line.strip()]
    return [line.split("\r")[-1].strip() for line in shown]


def counted(line):
    """What a line counts: name, items done, all items, unit."""
    name, done, total, unit = re.match(
        r"(.+): +\d+%\|.*\| (\d+)/(\d+) (\w+) \[\d+:\d+<\d+:\d+, +[\d.]+ \4/s\]$", line
    ).groups()
    return name, int(done), int(total), unit


METHODS = {
    "transform": lambda model, X: model.transform(X),
    "reconstruct": lambda model, X: model.reconstruct(X),
    "score": lambda model, X: model.score(X),
    "inverse_transform": lambda m, X: m.inverse_transform(m.transform(X)),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", ["one size", "several sizes"])
def test_all_images_are_counted_once(name, kind, model, images, batches_of_few, capsys):
    several = [image[: 4 + i % 3] for i, image in enumerate(images[:7])]
    X = images if kind == "one size" else several
    METHODS[name](model, X)
    *_, line = map(counted, last_lines(capsys))
    assert line == (f"DictionaryLearningVAE.{name}", len(X), len(X), "images")


def test_tiles_count_as_parts_of_images(model, images, capsys):
    model.reconstruct(images, tile=6)
    (line,) = last_lines(capsys)
    assert counted(line)[1:3] == (12, 12)


def test_what_a_method_calls_has_no_bar_of_its_own(model, images, capsys):
    model.score(images)
    assert len(last_lines(capsys)) == 1


def test_other_models_count_too(images, monkeypatch, capsys):
    normal = GaussianVAE(4, **SMALL).fit(images).set_params(verbose=1)
    normal.transform(images, return_std=True)
    normal.score_samples(images)
    loop = ClosedLoopVAE((4,), latent_dim=6, max_epochs=0, random_state=0)
    loop.fit(images).set_params(verbose=1)
    monkeypatch.setattr(closed_loop, "_BATCH_ENTRIES", 500)
    loop.transform(images)
    loop.sparse_maps(images)
    lines = [counted(line) for line in last_lines(capsys)]
    assert [name for name, *_ in lines] == [
        "GaussianVAE.transform",
        "GaussianVAE.score_samples",
        "ClosedLoopVAE.transform",
        "ClosedLoopVAE.sparse_maps",
    ]
    assert all(rest == [12, 12, "images"] for _, *rest in lines)


def test_a_fit_shows_what_it_starts_from(images, capsys):
    DictionaryLearningVAE(8, **SMALL, verbose=1).fit(images)
    dictionary, epochs = last_lines(capsys)
    assert counted(dictionary) == ("dictionary", 100, 100, "batches")
    assert "epoch 1.0/1" in epochs and re.search(r"[\d.]+ images/s", epochs)
    VQVAE(8, n_quantizers=2, **SMALL, verbose=1).fit(images)
    *levels, _ = last_lines(capsys)
    assert [counted(line) for line in levels] == [
        ("codebook 1 of 2", 10, 10, "steps"),
        ("codebook 2 of 2", 10, 10, "steps"),
    ]


def test_blocks_are_counted_in_one_bar(model, images, batches_of_few, capsys):
    segmenter = KMeansSegmenter(random_state=0).fit(model.transform(images))
    capsys.readouterr()
    next(segmenter.iter_predict(model.iter_transform(images, batch_size=3)))
    blocks = model.iter_transform(images, batch_size=5)
    assert "5/12" not in capsys.readouterr().err  # nothing before it is asked for
    labels = list(segmenter.set_params(verbose=1).iter_predict(blocks))
    assert sum(map(len, labels)) == 12
    shown = capsys.readouterr().err
    assert "DictionaryLearningVAE.transform: 100%" in shown and " 12/12 images" in shown
    assert re.search(r"KMeansSegmenter.predict: 12 images \[00:0\d, .* images/s", shown)
    assert len(re.findall(r"transform: +0%", shown)) == 1
    out = np.empty(images.shape, np.float32)
    model.reconstruct(images, out=out)
    assert counted(last_lines(capsys)[-1])[1:3] == (12, 12)
    assert not tqdm.tqdm._instances


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_segmenters_count_images(n_jobs, model, images, capsys):
    codes = model.transform(images)
    capsys.readouterr()
    segmenter = KMeansSegmenter(n_jobs=n_jobs, random_state=0)
    labels = segmenter.fit_predict(codes)
    segmenter.set_params(verbose=1)
    np.testing.assert_array_equal(segmenter.predict(codes[:5]), labels[:5])
    assert [counted(line) for line in last_lines(capsys)] == [
        ("KMeansSegmenter.predict", 5, 5, "images")
    ]


def test_priors_count_images(model, images, capsys):
    codes = model.transform(images)
    prior = CodePrior(n_bins=2, width=8, max_epochs=1, random_state=0).fit(codes)
    capsys.readouterr()
    prior.set_params(verbose=1).score_samples(codes[:7])
    prior.sample(2)
    likelihood, sample = map(counted, last_lines(capsys))
    assert likelihood == ("CodePrior.score_samples", 7, 7, "images")
    assert sample == ("CodePrior.sample", 2, 2, "images")


def test_nothing_is_shown_unless_asked_for(images, capfd):
    model = DictionaryLearningVAE(8, **SMALL).fit(images)
    for method in METHODS.values():
        method(model, images)
    codes = model.transform(images)
    SpectralSegmenter(random_state=0).fit(codes).predict(codes)
    prior = CodePrior(n_bins=2, width=8, max_epochs=1, random_state=0).fit(codes)
    prior.score_samples(codes), prior.sample()
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")


class Breaking:
    """Lazy images, of which the ninth cannot be read."""

    def __init__(self, images):
        self.images, self.shapes = images, [image.shape for image in images]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        if i == 8:
            raise OSError("photo 8 is damaged")
        return self.images[i]


def test_an_error_closes_the_bar_where_it_came(model, images, batches_of_few, capsys):
    with pytest.raises(OSError, match="damaged"):
        model.transform(Breaking(images))
    assert counted(last_lines(capsys)[-1])[1:3] == (5, 12)
    assert not tqdm.tqdm._instances
    with pytest.raises(ZeroDivisionError), showing(1):
        for i in tracked([1, 0], "quotients", "numbers"):
            1 / i
    assert counted(last_lines(capsys)[-1])[1:3] == (1, 2)
    assert not tqdm.tqdm._instances


def test_loops_are_shown_in_the_thread_that_asked(capsys):
    def run():
        assert list(tracked([3, 4], "others", "numbers")) == [3, 4]

    with showing(1):
        other = threading.Thread(target=run)
        other.start()
        other.join()
        with showing(0):
            run()
    run()
    assert capsys.readouterr().err == ""


def test_a_bar_closes_where_less_was_done_than_expected(capsys):
    with progress("some", 4, 1) as bar:
        bar.update(1)
    assert counted(last_lines(capsys)[0]) == ("some", 1, 4, "images")
