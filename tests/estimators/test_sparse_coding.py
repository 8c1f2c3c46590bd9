"""What only SparseCodingVAE promises: codes by a pursuit, or by learned ISTA."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_sparsevae import SparseCodingVAE
from sklearn_sparsevae.metrics import make_scorers
from sklearn_sparsevae.sparse import ista


def dense(codes):
    return codes.toarray()


@pytest.fixture
def estimator():
    return SparseCodingVAE


@pytest.mark.parametrize("momentum", [True, False])
@pytest.mark.parametrize("dictionary", ["learned", "dct"])
def test_untrained_soft_shrinkage_is_ista_of_patches(
    images, tiny, patches_of, momentum, dictionary
):
    model = tiny(
        shrinkage="soft",
        max_epochs=0,
        momentum=momentum,
        dictionary=dictionary,
        n_components=64,
    ).fit(images)
    basis = model.net_.module_.backbone.basis.numpy()
    latents = patches_of(images - 0.5, 4) @ basis.T
    atoms = model.components_
    np.testing.assert_array_equal(atoms[:3], np.eye(3, 48))
    assert not atoms[3:, :3].any()
    detail = ista(latents[:, 3:], atoms[3:, 3:], 0.1, 5, momentum=momentum)
    expected = np.concatenate([latents[:, :3], detail], axis=1)
    codes = model.transform(images).sites().toarray()
    assert np.linalg.norm(codes - expected) <= 1e-5 * np.linalg.norm(expected)
    # And back: the codes decode to the patches that the atoms make.
    patches = expected @ atoms @ basis + 0.5
    reconstructed = patches_of(model.reconstruct(images), 4)
    np.testing.assert_allclose(reconstructed, np.clip(patches, 0, 1), atol=1e-5)


def test_untrained_full_precision_reconstructs_as_alpha_vanishes(images, tiny):
    model = tiny(max_epochs=0, alpha=1e-4, n_components=96, n_rollout_steps=300)
    assert model.fit(images).score(images) > 40


def test_given_atoms_are_kept(images, tiny):
    atoms = np.random.default_rng(0).standard_normal((24, 48)).astype(np.float32)
    model = tiny(dictionary=atoms).fit(images)
    unit = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    np.testing.assert_allclose(model.components_, unit, atol=1e-6)


@pytest.mark.parametrize("max_epochs", [0, 1])
def test_components_can_be_given_back(images, tiny, max_epochs):
    first = tiny(max_epochs=max_epochs).fit(images)
    second = tiny(max_epochs=0, dictionary=first.components_).fit(images)
    np.testing.assert_allclose(second.components_, first.components_, atol=1e-6)


@pytest.mark.parametrize("value_range", [(0, 255), (-1.0, 1.0), [10, 20]])
def test_value_range_changes_the_units_only(images, tiny, value_range):
    low, high = value_range
    X = images * (high - low) + low
    fixed = {"dictionary": "dct", "max_epochs": 0}
    plain = tiny(**fixed).fit(images)
    ranged = tiny(value_range=value_range, **fixed).fit(X)
    np.testing.assert_allclose(
        dense(ranged.transform(X)), dense(plain.transform(images)), atol=1e-4
    )
    back = ranged.inverse_transform(ranged.transform(X))
    assert low <= back.min() and back.max() <= high
    expected = plain.reconstruct(images) * (high - low) + low
    np.testing.assert_allclose(back, expected, atol=1e-4 * (high - low))
    assert ranged.score(X) == pytest.approx(plain.score(images), abs=1e-3)
    trained = [tiny().fit(images).score(images)]
    trained += [tiny(value_range=value_range).fit(X).score(X)]
    assert trained[0] == pytest.approx(trained[1], abs=0.05)


def test_scores_by_name_in_a_grid_search(images, tiny):
    search = GridSearchCV(
        tiny(max_epochs=0),
        {"n_rollout_steps": [1, 8]},
        cv=2,
        scoring=make_scorers(),
        refit="psnr",
    ).fit(images)
    for name in ("psnr", "ssim", "hoyer", "nonzeros", "zero_fraction"):
        assert np.isfinite(search.cv_results_[f"mean_test_{name}"]).all()
    assert search.best_params_ == {"n_rollout_steps": 8}
    per_site = search.cv_results_["mean_test_nonzeros"]
    zeros = search.cv_results_["mean_test_zero_fraction"]
    np.testing.assert_allclose(per_site / 24 + zeros, 1, atol=1e-6)


def test_score_falls_as_alpha_grows(images, tiny):
    scores = [
        tiny(max_epochs=0, alpha=a).fit(images).score(images) for a in (0.01, 1, 50)
    ]
    assert scores[0] > scores[1] >= scores[2]


@pytest.mark.parametrize("alpha", [0.01, 10])
@pytest.mark.parametrize("n_rollout_steps", [1, 30])
@pytest.mark.parametrize("coupled", [True, False])
def test_soft_training_stays_finite(images, tiny, alpha, n_rollout_steps, coupled):
    model = tiny(
        shrinkage="soft",
        alpha=alpha,
        n_rollout_steps=n_rollout_steps,
        coupled=coupled,
        max_epochs=3,
    ).fit(images)
    assert np.isfinite(model.history_["train_loss"][-1])
    assert np.isfinite(model.transform(images).data).all()
    assert np.isfinite(model.reconstruct(images)).all()
    assert model.score(images) > 5


def test_clone_copies_given_atoms(tiny):
    atoms = np.eye(24, 48, dtype=np.float32)
    assert clone(tiny(dictionary=atoms)).dictionary is not atoms


@pytest.mark.parametrize("shrinkage", ["support", "soft"])
def test_the_ablation_of_thresholds_is_one_grid_search(tiny, photos, shrinkage):
    policies = ["scalar", "atom", "vector", "structured"]
    model = tiny(shrinkage=shrinkage)
    search = GridSearchCV(model, {"threshold": policies}, cv=2).fit(photos)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    for policy in policies:
        model = tiny(shrinkage=shrinkage, threshold=policy).fit(photos)
        codes = model.transform(photos)
        assert 0 < codes.nnz < 0.9 * np.prod(codes.shape)


def test_thresholds_that_do_not_learn_are_alpha(images, tiny):
    one, inferred = (
        tiny(threshold=name, learn_alpha=False, max_epochs=2).fit(images)
        for name in ("scalar", "structured")
    )
    np.testing.assert_array_equal(
        dense(one.transform(images)), dense(inferred.transform(images))
    )


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"steps": 3}, ValueError, "'steps', which shrinkage='support' does not take"),
        (
            {"step_scalars": False},
            ValueError,
            "some of .'threshold_width'",
        ),
        ({"threshold_width": 0}, ValueError, "threshold_width.*at least 1"),
        ({"threshold_width": 2.5}, TypeError, "threshold_width.*expected an integer"),
    ],
)
def test_what_the_bottleneck_does_not_take_is_refused(
    images, tiny, params, error, message
):
    with pytest.raises(error, match=message):
        tiny(bottleneck_params=params).fit(images)


def test_flags_of_the_bottleneck_are_flags(images, tiny):
    params = {"step_scalars": 1}
    with pytest.raises(TypeError, match="step_scalars.*True or False"):
        tiny(shrinkage="soft", bottleneck_params=params).fit(images)


def test_steps_without_scalars_are_all_the_same(images, tiny):
    params = {"step_scalars": False}
    model = tiny(shrinkage="soft", bottleneck_params=params, max_epochs=3).fit(images)
    bottleneck = model.net_.module_.bottleneck
    assert not bottleneck.log_gains.any() and not bottleneck.log_threshold_gains.any()
    assert not np.allclose(bottleneck.filters.detach(), bottleneck.atoms.detach())


@pytest.mark.parametrize(("n_downsamples", "bound"), [(2, 16), (3, 32)])
def test_larger_sites_may_have_more_atoms(n_downsamples, bound):
    images = np.random.default_rng(0).random((20, 16, 16, 3), dtype=np.float32)
    model = SparseCodingVAE(
        80, n_downsamples=n_downsamples, alpha=1e-4, max_epochs=0, random_state=0
    ).fit(images)
    counts = model.transform(images).sites().count_nonzero(axis=1)
    assert counts.max() == bound + 3


# ---- selection in place of shrinkage ------------------------------------------------


def pursuit(signals, atoms, alpha, n_steps):
    """Codes by trying every atom, in plain NumPy."""
    codes = np.zeros((len(signals), len(atoms)))
    for code, x in zip(codes, signals, strict=True):
        support, rest = [], float(x @ x)
        while len(support) < n_steps:
            errors = np.full(len(atoms), np.inf)
            for k in set(range(len(atoms))) - set(support):
                chosen = atoms[[*support, k]]
                values = np.linalg.lstsq(chosen.T, x, rcond=None)[0]
                errors[k] = np.square(x - values @ chosen).sum()
            best = int(errors.argmin())
            if rest - errors[best] <= alpha**2:
                break
            support.append(best)
            rest = errors[best]
        chosen = atoms[support]
        code[support] = np.linalg.lstsq(chosen.T, x, rcond=None)[0]
    return codes


def support(tiny, **params):
    return tiny(
        **{"shrinkage": "support", "alpha": 0.1, "n_rollout_steps": 4, **params}
    )


def test_untrained_support_is_a_pursuit_of_patches(images, tiny, patches_of):
    model = support(tiny, max_epochs=0).fit(images)
    basis = model.net_.module_.backbone.basis.numpy()
    latents = (patches_of(images - 0.5, 4) @ basis.T)[:24]
    atoms = model.components_.astype(float)
    detail = pursuit(latents[:, 3:].astype(float), atoms[3:, 3:], 0.1, 4)
    expected = np.concatenate([latents[:, :3], detail], axis=1)
    codes = model.transform(images).sites().toarray()[:24]
    np.testing.assert_allclose(codes, expected, atol=1e-4)


def test_support_trains_and_codes_rows_alone(images, tiny):
    model = support(tiny, max_epochs=6, n_components=40).fit(images)
    start = support(tiny, max_epochs=0, n_components=40).fit(images)
    assert model.history_["train_loss"][-1] < model.history_["train_loss"][0]
    assert not np.allclose(model.components_, start.components_, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(model.components_, axis=1), 1, atol=1e-5)
    codes = dense(model.transform(images))
    np.testing.assert_allclose(
        dense(model.transform(images[3:5])), codes[3:5], atol=1e-5
    )
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(images)),
        model.reconstruct(images),
        atol=1e-5,
    )
    counts = model.transform(images).sites().count_nonzero(axis=1)
    assert counts.max() <= 4 + 3


def test_support_has_two_monotone_knobs(images, tiny):
    by_steps = [
        support(tiny, max_epochs=0, alpha=0.01, n_rollout_steps=n).fit(images)
        for n in (1, 2, 4, 8, 16)
    ]
    assert (np.diff([model.score(images) for model in by_steps]) > 0).all()
    by_alpha = [
        support(tiny, max_epochs=0, alpha=alpha, n_rollout_steps=16).fit(images)
        for alpha in (0.01, 0.03, 0.1, 0.3, 1.0)
    ]
    assert (np.diff([model.score(images) for model in by_alpha]) < 0).all()
    nonzeros = [model.transform(images).nnz for model in by_alpha]
    assert (np.diff(nonzeros) < 0).all()


@pytest.mark.parametrize("alpha", [0.003, 10.0])
@pytest.mark.parametrize("n_rollout_steps", [1, 64])
def test_support_stays_finite(images, tiny, alpha, n_rollout_steps):
    params = {"alpha": alpha, "n_rollout_steps": n_rollout_steps, "max_epochs": 2}
    model = support(tiny, **params).fit(images)
    assert np.isfinite(model.components_).all()
    assert np.isfinite(dense(model.transform(images))).all()


@pytest.mark.parametrize(
    "params",
    [
        {"penalty": "l1"},
        {"momentum": False},
        {"coupled": False, "momentum": False},
    ],
)
def test_support_refuses_what_shrinks_softly(images, tiny, params):
    with pytest.raises(ValueError, match=f"{next(iter(params))}|.*shrinkage='soft'"):
        support(tiny, **params).fit(images)


def test_support_with_given_atoms(images, tiny):
    atoms = np.random.default_rng(0).standard_normal((24, 48)).astype(np.float32)
    model = support(tiny, dictionary=atoms, max_epochs=3).fit(images)
    unit = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    np.testing.assert_allclose(model.components_, unit, atol=1e-6)
