"""Scorers give what the functions give, in one pass."""

import pickle
from types import SimpleNamespace

import pytest
from numpy.testing import assert_array_equal
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_sparsevae import metrics


class Counter(PCA):
    """A transformer that counts how often it codes."""

    n_codings = 0

    def transform(self, X):
        self.n_codings += 1
        return super().transform(X)


@pytest.fixture
def rows(rng):
    return rng.random((20, 6))


def test_scorers_give_what_the_functions_give(rows):
    pca = Counter(n_components=3).fit(rows)
    codes = PCA.transform(pca, rows)
    names = ("psnr", "hoyer", "nonzeros", "zero_fraction", "usage_perplexity")
    scores = metrics.make_scorers(*names)(pca, rows)
    assert pca.n_codings == 1
    assert scores == {
        "psnr": metrics.psnr(rows, pca.inverse_transform(codes)),
        "hoyer": metrics.hoyer(codes),
        "nonzeros": metrics.nonzeros_per_site(codes),
        "zero_fraction": metrics.zero_fraction(codes),
        "usage_perplexity": metrics.usage_perplexity(codes),
    }


def test_scorers_compare_with_y_where_there_is_one(rows):
    pca = PCA(n_components=3).fit(rows)
    clean = rows[::-1].copy()
    expected = metrics.psnr(clean, pca.inverse_transform(pca.transform(rows)))
    assert metrics.make_scorers("psnr")(pca, rows, clean) == {"psnr": expected}


def test_scorers_reconstruct_where_no_code_is_asked_for(rng):
    photos = rng.random((2, 12, 12, 3))
    estimator = SimpleNamespace(reconstruct=lambda X: X)
    scores = metrics.make_scorers("psnr", "ssim")(estimator, photos)
    assert scores == {"psnr": 100.0, "ssim": 1.0}


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
    assert len(metrics.make_scorers().names) == 6


def test_unknown_scores_are_refused():
    with pytest.raises(ValueError, match="Got 'lpips' .* expected some of 'psnr'"):
        metrics.make_scorers("psnr", "lpips")
