"""Scorers give what the functions give, in one pass."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_sparsevae import metrics
from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.metrics._images import peak_psnr

CODE_SCORES = {
    "hoyer": metrics.hoyer,
    "nonzeros": metrics.nonzeros_per_site,
    "zero_fraction": metrics.zero_fraction,
    "usage_perplexity": metrics.usage_perplexity,
}
MASK_SCORES = {
    "iou": metrics.iou,
    "dice": metrics.dice,
    "matched_iou": metrics.matched_iou,
    "covering": metrics.segmentation_covering,
}
LABEL_FREE = ("psnr", "ssim", *CODE_SCORES)


class Counter(PCA):
    """A transformer that counts how often it codes."""

    n_codings = 0

    def transform(self, X):
        self.n_codings += 1
        return super().transform(X)


class Darker(BaseEstimator):
    """An estimator of images with a range of its own, as this package's have."""

    data_range_ = 2.0
    value_range_ = (-1.0, 1.0)
    target = "X"

    def fit(self, X, y=None):
        self.is_fitted_ = True
        return self

    def compare(self, X, y=None):
        targets = y if self.target == "y" else X
        return targets, type(X)(0.9 * x for x in X) if isinstance(X, list) else 0.9 * X

    def transform(self, X):
        raise AssertionError("codes may come as a DataFrame from here")

    def _codes_of(self, X):
        codes = [SparseCodes(np.eye(1, 12) * x.mean(), grid_shape=(2, 2)) for x in X]
        return codes if isinstance(X, list) else codes[0]

    def score(self, X, y=None):
        return peak_psnr(*self.compare(X, y), self.data_range_).mean()


class Threshold(BaseEstimator):
    """A segmenter of grey images."""

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        if isinstance(X, list):
            return [(x > 0.5).astype(int) for x in X]
        return (X > 0.5).astype(int)


@pytest.fixture
def rows(rng):
    return rng.random((20, 6))


@pytest.fixture
def photos(rng):
    """Photos that span more than the range of the fit."""
    return rng.uniform(-1.6, 1.6, (4, 12, 13, 3))


def test_scorers_give_what_the_functions_give(rows):
    pca = Counter(n_components=3).fit(rows)
    codes = PCA.transform(pca, rows)
    scores = metrics.make_scorers("psnr", *CODE_SCORES)(pca, rows)
    assert pca.n_codings == 1
    assert scores == {
        "psnr": metrics.psnr(rows, pca.inverse_transform(codes)),
        **{name: metric(codes) for name, metric in CODE_SCORES.items()},
    }


@pytest.mark.parametrize("name", ["psnr", *CODE_SCORES])
def test_one_name_is_a_number_and_several_are_a_dict(rows, name):
    pca = PCA(n_components=3).fit(rows)
    several = metrics.make_scorers("psnr", *CODE_SCORES)(pca, rows)
    one = metrics.make_scorers(name)(pca, rows)
    assert isinstance(one, float) and one == several[name]


def test_one_name_serves_cross_validation_and_halving(rows):
    scoring = metrics.make_scorers("psnr")
    scores = cross_val_score(PCA(6), rows, cv=2, scoring=scoring)
    assert_allclose(scores, 100)
    search = HalvingGridSearchCV(
        PCA(), {"n_components": [1, 3, 5]}, scoring=scoring, cv=2, min_resources=12
    )
    assert search.fit(rows).best_params_ == {"n_components": 5}
    plain = GridSearchCV(PCA(), {"n_components": [1, 5]}, scoring=scoring, cv=2)
    assert plain.fit(rows).best_params_ == {"n_components": 5}


@pytest.mark.parametrize(
    "y", [np.arange(20), np.zeros((20, 6)), np.zeros((20, 6), np.uint8), ["a"] * 20]
)
def test_what_y_holds_does_not_matter_where_nothing_asks_for_it(rows, y):
    pca = PCA(n_components=3).fit(rows)
    scorer = metrics.make_scorers("psnr", "nonzeros")
    assert scorer(pca, rows, y) == scorer(pca, rows)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_integers_of_other_estimators_span_their_dtype(rng, dtype):
    rows = rng.integers(0, np.iinfo(dtype).max, (20, 6)).astype(dtype)
    pca = PCA(n_components=3).fit(rows)
    unit = rows / np.iinfo(dtype).max
    again = pca.inverse_transform(pca.transform(rows)) / np.iinfo(dtype).max
    score = metrics.make_scorers("psnr")(pca, rows)
    assert_allclose(score, metrics.psnr(unit, again))


def test_names_of_columns_change_no_score(rows):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows, columns=list("abcdef"))
    scorer = metrics.make_scorers("psnr", *CODE_SCORES)
    expected = scorer(make_pipeline(StandardScaler(), PCA(3)).fit(rows), rows)
    named = make_pipeline(StandardScaler(), PCA(3)).set_output(transform="pandas")
    assert scorer(named.fit(frame), frame) == pytest.approx(expected)


# ---- estimators that compare themselves ----------------------------------------------


def test_quality_is_what_the_estimator_scores(photos):
    model = Darker()
    scores = metrics.make_scorers("psnr", "ssim")(model, photos)
    assert scores["psnr"] == model.score(photos)
    errors = ((photos - 0.9 * photos) ** 2).mean(axis=(1, 2, 3))
    assert_allclose(scores["psnr"], (10 * np.log10(2.0**2 / errors)).mean())
    assert 0 < scores["ssim"] < 1
    assert metrics.make_scorers("psnr")(model, photos) == scores["psnr"]


def test_y_is_compared_with_where_the_estimator_says_so(photos):
    model, scorer = Darker(), metrics.make_scorers("psnr")
    assert scorer(model, photos, photos / 2) == scorer(model, photos)
    model.target = "y"
    assert scorer(model, photos, 0.9 * photos) == 100


def test_photos_of_different_sizes_are_scored_one_by_one(photos):
    photos = [photos[0], photos[1, :11], photos[2, :, :11]]
    model = Darker()
    scores = metrics.make_scorers(*LABEL_FREE)(model, photos)
    each = [
        metrics.make_scorers("psnr", "ssim")(model, photo[None]) for photo in photos
    ]
    assert_allclose(scores["psnr"], np.mean([one["psnr"] for one in each]))
    assert_allclose(scores["ssim"], np.mean([one["ssim"] for one in each]))
    for name, metric in CODE_SCORES.items():
        assert scores[name] == metric(model._codes_of(photos))


@pytest.mark.parametrize("wrap", ["pipeline", "nested", "search", "search in pipeline"])
def test_a_pipeline_or_search_is_scored_as_its_last_step(photos, wrap):
    half = FunctionTransformer(lambda X: X / 2)
    model = GridSearchCV(Darker(), {}, cv=2)
    estimator = {
        "pipeline": make_pipeline(half, Darker()),
        "nested": make_pipeline(half, make_pipeline(Darker())),
        "search": GridSearchCV(make_pipeline(half, Darker()), {}, cv=2),
        "search in pipeline": make_pipeline(half, model),
    }[wrap]
    estimator.fit(photos)
    scores = metrics.make_scorers("psnr", "nonzeros")(estimator, photos)
    assert scores == metrics.make_scorers("psnr", "nonzeros")(Darker(), photos / 2)


def test_rows_that_are_images_have_a_similarity(photos):
    model, flat = Darker(), photos.reshape(4, -1)
    model.image_shape_ = photos.shape[1:]
    scorer = metrics.make_scorers("ssim")
    assert_allclose(scorer(model, flat), scorer(Darker(), photos))
    model.image_shape_ = (1, 1, flat.shape[1])
    with pytest.raises(ValueError, match="at least 11, the window of SSIM"):
        scorer(model, flat)


@pytest.mark.parametrize("n_atoms", [3, 6])
def test_a_dense_code_has_as_many_atoms_a_site_as_the_model(rng, n_atoms):
    model = Darker()
    model.components_ = np.ones((n_atoms, 2))
    dense = rng.random((4, 12)) * (rng.random((4, 12)) < 0.5)
    expected = metrics.hoyer(dense, n_atoms)
    for codes in (dense, [dense[:1], dense[1:, :6], dense[1:, 6:]]):
        model._codes_of = lambda X, codes=codes: codes
        assert_allclose(metrics.make_scorers("hoyer")(model, None), expected)


# ---- masks ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", MASK_SCORES)
def test_masks_are_compared_with_what_is_predicted(rng, name):
    images, masks = rng.random((3, 6, 7)), rng.integers(0, 2, (3, 6, 7))
    expected = MASK_SCORES[name](masks, Threshold().predict(images))
    scorer = metrics.make_scorers(name)
    assert scorer(Threshold(), images, masks) == expected
    assert scorer(Threshold(), images, masks[..., None]) == expected
    parts = [images[0], images[1, :4], images[2, :, :3]]
    cut = [masks[0], masks[1, :4], masks[2, :, :3]]
    one_by_one = [
        scorer(Threshold(), x[None], y[None]) for x, y in zip(parts, cut, strict=True)
    ]
    assert_allclose(scorer(Threshold(), parts, cut), np.mean(one_by_one))


def test_masks_serve_cross_validation(rng):
    images, masks = rng.random((4, 6, 7)), rng.integers(0, 2, (4, 6, 7))
    scores = cross_val_score(
        Threshold(), images, masks, scoring=metrics.make_scorers("iou"), cv=4
    )
    expected = metrics.iou(masks, Threshold().predict(images), per_image=True)
    assert_allclose(scores, expected)


@pytest.mark.parametrize("name", MASK_SCORES)
def test_without_masks_there_is_nothing_to_compare(rng, name):
    with pytest.raises(ValueError, match=f"y=None for '{name}'; expected masks"):
        metrics.make_scorers(name)(Threshold(), rng.random((3, 6, 7)))


@pytest.mark.parametrize(
    ("name", "estimator", "method"),
    [
        ("iou", Darker(), "predict"),
        ("psnr", KMeans(2), "inverse_transform"),
        ("nonzeros", Threshold(), "transform"),
    ],
)
def test_an_estimator_without_the_method_is_refused(rows, name, estimator, method):
    estimator.fit(rows)
    with pytest.raises(TypeError, match=f"which has no {method}"):
        metrics.make_scorers(name)(estimator, rows, rows)


# ---- what a scorer is ----------------------------------------------------------------


def test_scorers_by_name_in_a_search_over_a_pipeline(rows):
    pipe = make_pipeline(FunctionTransformer(), PCA())
    grid = {"pca__n_components": [1, 5, 3]}
    scoring = metrics.make_scorers("psnr", "nonzeros")
    search = GridSearchCV(pipe, grid, scoring=scoring, refit="psnr", cv=2, n_jobs=2)
    search.fit(rows)
    assert search.best_params_ == {"pca__n_components": 5}
    assert_array_equal(search.cv_results_["mean_test_nonzeros"], [1, 5, 3])


def test_scorers_survive_pickling_and_show_their_names():
    scorers = metrics.make_scorers("psnr", "hoyer")
    assert repr(scorers) == "make_scorers('psnr', 'hoyer')"
    assert pickle.loads(pickle.dumps(scorers)).names == ("psnr", "hoyer")
    assert metrics.make_scorers().names == LABEL_FREE


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (("psnr", "lpips"), ValueError, "Got 'lpips' .* expected some of 'psnr'"),
        (("psnr", "psnr"), ValueError, r"\('psnr', 'psnr'\); expected each .* once"),
        ((["psnr", "ssim"],), TypeError, r"\['psnr', 'ssim'\].* an argument of its"),
        (({"psnr"},), TypeError, "expected some of"),
        ((None,), TypeError, "Got None as the name of a score"),
        ((3,), TypeError, "Got 3 as the name of a score"),
        ((metrics.psnr,), TypeError, "as the name of a score"),
    ],
)
def test_what_is_no_name_is_refused(names, error, message):
    with pytest.raises(error, match=message):
        metrics.make_scorers(*names)
