"""What only GaussianVAE promises: conditions, bounds, samples, usage."""

import functools
import pickle

import numpy as np
import pytest
import sklearn
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC
from skorch.callbacks import Callback

from sklearn_sparsevae import GaussianVAE
from sklearn_sparsevae.codes import as_codes
from sklearn_sparsevae.training import batching, inference


@pytest.fixture
def estimator():
    return GaussianVAE


@pytest.fixture(scope="module")
def digits():
    """Images of one site each, and their labels."""
    X, y = load_digits(return_X_y=True)
    return (X.reshape(-1, 8, 8) / 16).astype(np.float32), y


@pytest.fixture
def global_model(tiny):
    """Return a function that makes a model of one site an image."""
    return functools.partial(tiny, n_downsamples=3, n_components=8)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def labels_of(n):
    return np.array(["cat", "dog", "emu"])[np.arange(n) % 3]


# ---- codes --------------------------------------------------------------------------


@pytest.mark.parametrize("n_levels", [1, 2])
def test_codes_are_dense_and_site_major(images, tiny, n_levels):
    model = tiny(n_levels=n_levels, max_epochs=0).fit(images)
    codes, std = model.transform(images, return_std=True)
    assert type(codes) is type(std) is np.ndarray
    assert codes.dtype == std.dtype == np.float32
    assert codes.shape == std.shape == (12, 4 * 4 * 24)
    assert (std > 0).all() and (std <= 1 + 1e-4).all()  # no wider than the prior
    np.testing.assert_array_equal(model.transform(images), codes)
    # Without training the network sees one site at a time.
    corner = model.transform(images[:, 4:8, 8:12])
    np.testing.assert_allclose(codes.reshape(12, 4, 4, 24)[:, 1, 2], corner, atol=1e-4)


def test_untrained_model_is_pca_of_patches(images, tiny, patches_of):
    model = tiny(max_epochs=0, noise_variance=1e-6).fit(images)
    rows = patches_of(images, 4)
    pca = PCA(24).fit(rows)
    expected = pca.inverse_transform(pca.transform(rows))
    found = patches_of(model.reconstruct(images), 4)
    np.testing.assert_allclose(found, np.clip(expected, 0, 1), atol=2e-3)


def test_codes_may_be_rounded(images, tiny):
    model = tiny(max_epochs=0).fit(images)
    codes = model.transform(images)
    whole, rounded, coarse = (
        model.inverse_transform(codes, coef_bits=bits) for bits in (None, 12, 3)
    )
    assert 0 < abs(rounded - whole).max() < abs(coarse - whole).max()


def test_images_between_and_along_keep_their_condition(images, tiny):
    labels = labels_of(12)
    model = tiny(max_epochs=0).fit(images, condition=labels)
    A, B, given = images[:2], images[3:5], labels[:2]
    ways = model.interpolate(A, B, n_steps=3, condition=given)
    ends = [model.reconstruct(X, condition=given) for X in (A, B)]
    np.testing.assert_allclose(ways[:, 0], ends[0], atol=1e-5)
    np.testing.assert_allclose(ways[:, -1], ends[1], atol=1e-5)
    strips = model.traverse(A, [5], [0.5, -0.5], condition=given)
    codes = model.transform(A, condition=given)
    codes[:, 5] = -0.5
    expected = model.inverse_transform(codes, condition=given)
    np.testing.assert_allclose(strips[:, 0, 1], expected, atol=1e-5)
    with pytest.raises(ValueError, match="fitted with a condition"):
        model.interpolate(A, B)


# ---- bounds -------------------------------------------------------------------------


def test_bound_of_a_linear_model_is_the_evidence(rng, tiny):
    """Of given latents, where nothing but the bottleneck is in the model."""
    X = rng.standard_normal((500, 4)) @ np.diag([2, 1, 0.5, 0.1]) + 5
    params = {"backbone": "identity", "backbone_params": None, "n_components": 2}
    model = tiny(noise_variance=0.2, max_epochs=0, **params).fit(X)
    weights = model.components_
    covariance = weights.T @ weights + 0.2 * np.eye(4)
    exact = multivariate_normal(X.mean(0), covariance).logpdf(X)
    found = model.score_samples(X, n_samples=2000)
    np.testing.assert_allclose(found, exact, atol=0.15)  # the noise of the draws
    assert found.mean() == pytest.approx(exact.mean(), abs=0.06)


def test_bounds_do_not_depend_on_the_batch_and_follow_their_seed(
    images, tiny, monkeypatch
):
    model = tiny(n_levels=2).fit(images)
    bounds = model.score_samples(images)
    assert bounds.shape == (12,) and bounds.dtype == np.float64
    np.testing.assert_allclose(model.score_samples(images[[5, 1]]), bounds[[5, 1]])
    monkeypatch.setattr(inference, "_BATCH_ENTRIES", 1)
    np.testing.assert_allclose(model.score_samples(images), bounds, rtol=1e-5)
    other = model.score_samples(images, random_state=1)
    assert not np.allclose(other, bounds) and np.allclose(other, bounds, rtol=0.05)


def test_bounds_of_photos_count_no_padding(rng, tiny):
    X = np.full((4, 5, 7, 3), 0.5, np.float32)
    model = tiny(noise_variance=0.01, max_epochs=0).fit(X)
    log_density = -0.5 * 5 * 7 * 3 * np.log(2 * np.pi * 0.01)
    np.testing.assert_allclose(model.score_samples(X), log_density, rtol=1e-4)


def test_beta_trades_the_bound_for_a_smaller_divergence(digits, global_model):
    X, _ = digits
    models = [
        global_model(beta=beta, max_epochs=3, noise_variance=0.02, batch_size=16).fit(
            X[:300]
        )
        for beta in (1, 4)
    ]
    bounds = [model.score_samples(X[300:600]).mean() for model in models]
    nats = [model.kl_per_dim_.sum() for model in models]
    assert bounds[0] > bounds[1] + 1 and nats[0] > nats[1] + 1


# ---- conditions ---------------------------------------------------------------------


def test_samples_are_of_the_class_asked_for(digits, global_model):
    X, y = digits
    model = global_model(
        n_components=16,
        noise_variance=0.02,
        batch_size=32,
        max_epochs=8,
        backbone_params={"width": 64},
    ).fit(X[:1000], condition=y[:1000])
    asked = np.arange(500) % 10
    samples = model.sample(500, condition=asked, random_state=0)
    judge = SVC(gamma=1.0).fit(X.reshape(len(X), -1), y)
    recognised = judge.predict(samples.reshape(500, -1)) == asked
    assert recognised.mean() > 0.85
    assert len(np.unique(samples.round(3), axis=0)) == 500


@pytest.mark.parametrize("kind", ["labels", "numbers", "attributes"])
def test_a_condition_is_needed_everywhere_and_changes_what_comes_out(
    images, tiny, kind, rng
):
    condition = {
        "labels": labels_of(12),
        "numbers": np.arange(12) % 3,
        "attributes": 1e5 * rng.standard_normal((12, 2)) + 1e6,
    }[kind]
    model = tiny(max_epochs=2).fit(images, condition=condition)
    codes = model.transform(images, condition=condition)
    back = model.inverse_transform(codes, condition=condition)
    np.testing.assert_allclose(
        back, model.reconstruct(images, condition=condition), atol=1e-5
    )
    tiled = model.reconstruct(images, tile=8, condition=condition)
    np.testing.assert_allclose(tiled, back, atol=0.05)
    others = np.roll(condition, 1, axis=0)
    assert abs(model.inverse_transform(codes, condition=others) - back).max() > 1e-3
    assert abs(model.transform(images, condition=others) - codes).max() > 1e-3
    assert model.sample(12, condition=condition).shape == images.shape
    one = model.transform(images[5:6], condition=condition[5:6])
    np.testing.assert_allclose(one[0], codes[5], atol=1e-4)
    parts = model.score_samples(images, condition=condition)
    assert np.isfinite(parts).all()
    assert model.score(images, condition=condition) > model.score(
        images, condition=others
    )
    calls = {
        "transform": (images,),
        "inverse_transform": (codes,),
        "reconstruct": (images,),
        "score": (images,),
        "compare": (images,),
        "score_samples": (images,),
        "sample": (12,),
        "partial_fit": (images,),
    }
    for name, args in calls.items():
        with pytest.raises(
            ValueError, match="fitted with a condition.*pass condition="
        ):
            getattr(model, name)(*args)


def test_a_model_without_a_condition_takes_none(images, tiny):
    model = tiny(max_epochs=0).fit(images)
    assert model.condition_classes_ is None
    with pytest.raises(ValueError, match="fitted without a condition.*leave condition"):
        model.transform(images, condition=labels_of(12))


def test_conditions_that_do_not_fit(images, tiny):
    model = tiny(max_epochs=0).fit(images, condition=labels_of(12))
    assert model.condition_classes_.tolist() == ["cat", "dog", "emu"]
    known = r"\['cat', 'dog', 'emu'\]"
    with pytest.raises(ValueError, match=rf"unknown label\(s\) \['fox'\].*{known}"):
        model.sample(2, condition=["cat", "fox"])
    with pytest.raises(ValueError, match="3 entries for 12 images: give one for each"):
        model.transform(images, condition=labels_of(3))
    with pytest.raises(ValueError, match=rf"shape \(12, 1\).*labels.*{known}"):
        model.transform(images, condition=np.ones((12, 1)))
    with pytest.raises(ValueError, match=r"shape \(1, 1, 1\); expected labels \(n,\)"):
        tiny().fit(images, condition=[[["cat"]]])
    with pytest.raises(TypeError, match="mixes labels of several types"):
        tiny().fit(images, condition=np.array([1, "a"] * 6, dtype=object))
    with pytest.raises(ValueError, match="condition.* contains NaN"):
        tiny().fit(images, condition=np.full((12, 2), np.nan))
    with pytest.raises(ValueError, match="labels that are NaN"):
        tiny().fit(images, condition=np.full(12, np.nan))
    given = tiny(max_epochs=0).fit(images, condition=np.ones((12, 2)))
    with pytest.raises(ValueError, match=r"shape \(12, 3\).*attributes \(n, 2\)"):
        given.transform(images, condition=np.ones((12, 3)))


class Batches(Callback):
    """Keeps images and conditions of all batches, of training and of validation."""

    def __init__(self):
        self.seen = []

    def on_batch_begin(self, net, batch=None, **kwargs):
        inputs, targets = batch
        assert (inputs["images"] == targets).all()
        self.seen.append((inputs["images"].numpy(), inputs["condition"].numpy()))


@pytest.mark.parametrize("params", [{"early_stopping": True}, {"crop_size": 8}])
def test_conditions_stay_with_their_images(images, tiny, params, monkeypatch):
    """In splits, crops, batches and shuffles: each image is told by its condition."""
    monkeypatch.setattr(batching, "_MIN_CROPS", 64)
    told = images.mean((1, 2)).astype(np.float64)
    callback = Batches()
    model = tiny(callbacks=[callback], max_epochs=2, **params)
    model.fit(images, condition=told)
    assert callback.seen
    for batch, condition in callback.seen:
        condition = condition * told.std(0) + told.mean(0)  # not standardised
        if "crop_size" in params:  # a crop is one of the photo of that mean
            owner = abs(told[:, None] - condition).max(2).argmin(0)
            pairs = zip(batch, owner, strict=True)
            assert all(_is_crop(crop, images[i]) for crop, i in pairs)
        else:
            np.testing.assert_allclose(batch.mean((1, 2)), condition, atol=1e-5)


def _is_crop(crop, image):
    windows = np.lib.stride_tricks.sliding_window_view(image, crop.shape)[:, :, 0]
    return (windows == crop).all((2, 3, 4)).any()


def test_conditions_of_photos_of_different_sizes(images, tiny):
    labels = labels_of(12)
    sizes = [image[: 16 - i % 3, : 12 + i % 4] for i, image in enumerate(images)]
    model = tiny(crop_size=8, batch_size=256).fit(sizes, condition=labels)
    codes = [
        as_codes(code, (-(-size[0] // 4), -(-size[1] // 4)), 24, image_shape=size)
        for code, size in zip(
            model.transform(sizes, condition=labels), [p.shape for p in sizes]
        )
    ]
    back = model.inverse_transform(codes, condition=labels)
    same = model.reconstruct(sizes, condition=labels)
    bounds = model.score_samples(sizes, condition=labels)
    targets, outputs = model.compare(sizes, condition=labels)
    for i in range(12):
        given = {"condition": labels[i : i + 1]}
        alone = model.reconstruct(sizes[i][None], **given)[0]
        np.testing.assert_array_equal(same[i], alone)
        np.testing.assert_allclose(back[i], alone, atol=1e-5)
        np.testing.assert_array_equal(outputs[i], alone)
        np.testing.assert_array_equal(targets[i], sizes[i])
        expected = model.score_samples(sizes[i][None], **given)
        np.testing.assert_allclose(bounds[i], expected[0], rtol=1e-6)
    errors = [np.mean((t - o) ** 2) for t, o in zip(targets, outputs, strict=True)]
    found = model.score(sizes, condition=labels)
    assert found == pytest.approx(np.mean(-10 * np.log10(errors)), rel=1e-5)


def test_partial_fit_keeps_the_classes_of_the_first_call(images, tiny):
    model = tiny().partial_fit(images, condition=labels_of(12))
    model.partial_fit(images[:1], condition=["dog"])
    assert model.n_epochs_ == 2
    assert model.condition_classes_.tolist() == ["cat", "dog", "emu"]
    with pytest.raises(ValueError, match=r"unknown label\(s\) \['fox'\]"):
        model.partial_fit(images[:1], condition=["fox"])
    copy = pickle.loads(pickle.dumps(model))
    with pytest.raises(ValueError, match=r"unknown label\(s\) \['fox'\]"):
        copy.sample(condition=["fox"])


# ---- metadata routing ---------------------------------------------------------------


def routed(model):
    return (
        model.set_fit_request(condition=True)
        .set_transform_request(condition=True)
        .set_score_request(condition=True)
    )


def test_conditions_are_routed_through_a_pipeline(digits, global_model, routing):
    X, y = (part[:60] for part in digits)
    enc = routed(global_model())
    pipe = Pipeline([("enc", enc), ("clf", LogisticRegression())])
    pipe.fit(X, y, condition=y % 2)
    alone = clone(enc).fit(X, condition=y % 2)
    np.testing.assert_array_equal(pipe["enc"].condition_classes_, [0, 1])
    expected = alone.transform(X, condition=y % 2)
    np.testing.assert_allclose(pipe[:-1].transform(X, condition=y % 2), expected)
    np.testing.assert_array_equal(
        pipe.predict(X, condition=y % 2), pipe["clf"].predict(expected)
    )
    with pytest.raises(ValueError, match="fitted with a condition"):
        pipe.predict(X)


def test_conditions_are_split_and_routed_by_cross_validate(
    digits, global_model, routing
):
    X, y = (part[:60] for part in digits)
    found = cross_validate(
        routed(global_model()),
        X,
        params={"condition": y},
        cv=2,
        return_estimator=True,
        return_indices=True,
        error_score="raise",
    )
    for i, model in enumerate(found["estimator"]):
        test = found["indices"]["test"][i]
        score = model.score(X[test], condition=y[test])
        assert found["test_score"][i] == pytest.approx(score)


def test_what_to_return_is_not_routed(tiny):
    requests = tiny().get_metadata_routing()._serialize()
    assert {name for of in requests.values() for name in of} == {"condition"}


# ---- samples ------------------------------------------------------------------------


@pytest.mark.parametrize("n_levels", [1, 2])
def test_samples_follow_their_seed_and_look_like_input(images, tiny, n_levels):
    model = tiny(n_levels=n_levels).fit(images[..., 0])
    first, same, other = (model.sample(5, random_state=s) for s in (0, 0, 1))
    assert first.shape == (5, 16, 16) and first.dtype == np.float32
    assert first.min() >= 0 and first.max() <= 1
    np.testing.assert_array_equal(first, same)
    assert not np.allclose(first, other)
    assert model.sample().shape == (1, 16, 16)


def test_samples_of_an_untrained_model_have_the_moments_of_the_data(rng, tiny):
    X = rng.standard_normal((4000, 3)) @ rng.standard_normal((3, 3)) + 4
    params = {"backbone": "identity", "backbone_params": None, "n_components": 3}
    model = tiny(noise_variance=1e-3, max_epochs=0, **params).fit(X)
    samples = model.sample(20_000, random_state=0)
    np.testing.assert_allclose(samples.mean(0), X.mean(0), atol=0.1)
    np.testing.assert_allclose(np.cov(samples.T), np.cov(X.T), atol=0.15)


@pytest.mark.parametrize("n_samples", [0, 1.5])
def test_how_many_samples(images, tiny, n_samples):
    model = tiny(max_epochs=0).fit(images)
    for call in (
        model.sample,
        functools.partial(model.score_samples, images, None),
    ):
        with pytest.raises((ValueError, TypeError), match="n_samples"):
            call(n_samples)


# ---- what is reported ---------------------------------------------------------------


def test_usage_is_that_of_the_training_images(images, tiny):
    model = tiny(noise_variance=0.01, max_epochs=2).fit(images)
    codes, std = (
        part.reshape(-1, 24) for part in model.transform(images, return_std=True)
    )
    nats = 0.5 * (codes**2 + std**2 - 1) - np.log(std)
    np.testing.assert_allclose(model.kl_per_dim_, nats.mean(0), rtol=1e-3, atol=1e-5)
    assert model.active_units_ == (codes.var(0) > 0.01).sum()
    assert 0 < model.active_units_ < 24
    active = model.history_["train_active_units"]
    assert (active > 0).all() and (active < 24).all()
    assert (model.history_["train_kl"] > 0).all()


@pytest.mark.parametrize("n_levels", [1, 2])
def test_collapse_is_visible(images, tiny, n_levels):
    model = tiny(beta=1e4, n_levels=n_levels).fit(images)
    assert model.active_units_ == 0
    assert model.kl_per_dim_.max() < 0.01
    assert model.history_["train_active_units"][-1] == 0


def test_warm_up_counts_the_epochs_of_all_fits(images, tiny):
    model = tiny(beta_warmup=2, warm_start=True, lr=1e-9, batch_size=12)
    terms = [model.fit(images).history_["train_kl"][-1] for _ in range(4)]
    assert terms[0] == 0
    np.testing.assert_allclose(terms[1:], np.array([0.5, 1, 1]) * terms[2], rtol=1e-3)


def test_terms_of_two_levels_and_the_discrepancy(images, tiny):
    model = tiny(n_levels=2, mmd_weight=1.0).fit(images)
    terms = {"train_kl_1", "train_kl_2", "train_mmd", "train_reconstruction"}
    assert terms <= set(model.history_)
