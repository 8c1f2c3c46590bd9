"""Each metric against a formula written out, a loop or another library."""

import itertools
import math
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage, sparse
from sklearn.decomposition import PCA
from sklearn.metrics import f1_score, jaccard_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_sparsevae import metrics
from sklearn_sparsevae.codes import SparseCodes

floats = st.floats(-1e6, 1e6, width=32)
dense_codes = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(2, 7)), elements=floats
).map(lambda codes: codes * (np.abs(codes) > 1))
masks = hnp.arrays(
    bool, hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=5)
)
label_maps = hnp.arrays(np.int64, (2, 3, 3), elements=st.integers(0, 3))


# Images ------------------------------------------------------------------------------


def psnr_by_hand(true, pred, data_range=1.0):
    """10 log10(peak^2 / MSE), pixel by pixel."""
    squares = [(a - b) ** 2 for a, b in zip(true.ravel(), pred.ravel())]
    return 10 * math.log10(data_range**2 / (sum(squares) / len(squares)))


def ssim_by_hand(true, pred):
    """Eq. 13 of Wang et al. with an explicit 11 by 11 Gaussian window."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2

    def mean(image):
        return ndimage.correlate(image, window)[5:-5, 5:-5]

    mu_t, mu_p = mean(true), mean(pred)
    var_t, var_p = mean(true**2) - mu_t**2, mean(pred**2) - mu_p**2
    cov = mean(true * pred) - mu_t * mu_p
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mu_t * mu_p + c1) * (2 * cov + c2)
    return (top / ((mu_t**2 + mu_p**2 + c1) * (var_t + var_p + c2))).mean()


@pytest.mark.parametrize("shape", [(3, 5, 4, 3), (3, 5, 4), (3, 7)])
def test_psnr_is_the_mean_over_images_of_the_formula(rng, shape):
    true, pred = rng.random(shape), rng.random(shape)
    expected = [psnr_by_hand(a, b) for a, b in zip(true, pred)]
    assert_allclose(metrics.psnr(true, pred, per_image=True), expected)
    assert_allclose(metrics.psnr(true, pred), np.mean(expected))


@pytest.mark.parametrize("score", [metrics.psnr, metrics.ssim])
def test_type_and_range_do_not_change_an_image_metric(rng, score):
    true, pred = rng.integers(0, 256, (2, 3, 16, 12, 3), dtype=np.uint8)
    expected = score(true / 255, pred / 255)
    assert_allclose(score(true, pred), expected)
    assert_allclose(score(true, pred / 255), expected)
    wide = score(true.astype(float), pred.astype(float), data_range=255)
    assert_allclose(wide, expected)
    assert_allclose(score(true, pred.astype(float), data_range=255), expected)
    single = (true / 255).astype(np.float32), (pred / 255).astype(np.float32)
    assert_allclose(score(*single), expected, rtol=1e-5)


@given(hnp.arrays(np.uint8, (2, 3, 4)), hnp.arrays(np.uint8, (2, 3, 4)))
def test_psnr_is_symmetric_bounded_and_above_the_pooled_one(true, pred):
    value = metrics.psnr(true, pred)
    assert 0 <= value <= 100
    assert value == metrics.psnr(pred, true)
    pooled = np.mean((true / 255 - pred / 255) ** 2)
    if pooled:
        assert value >= -10 * np.log10(pooled) - 1e-9 or value > 99


def test_psnr_of_identical_images_stays_finite(rng):
    photos = rng.random((2, 4, 4))
    assert metrics.psnr(photos, photos) == 100.0
    almost = metrics.psnr(photos, photos + 1e-7, per_image=True)
    assert_allclose(almost, 100.0)


@pytest.mark.parametrize("shape", [(2, 16, 13), (2, 16, 13, 3)])
def test_ssim_is_the_formula_with_a_gaussian_window(rng, shape):
    true = rng.random(shape)
    pred = np.clip(true + 0.2 * rng.normal(size=shape), 0, 1)
    planes = [np.moveaxis(x.reshape(2, 16, 13, -1), -1, 1) for x in (true, pred)]
    expected = [
        np.mean([ssim_by_hand(t, p) for t, p in zip(*image)]) for image in zip(*planes)
    ]
    assert_allclose(metrics.ssim(true, pred, per_image=True), expected, rtol=1e-6)
    assert_allclose(metrics.ssim(true, pred), np.mean(expected), rtol=1e-6)


@pytest.mark.parametrize("score", [metrics.psnr, metrics.ssim])
@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (np.zeros((1, 16, 16)), np.zeros((1, 16, 15)), "expected the same shape"),
        (np.zeros((0, 16, 16)), np.zeros((0, 16, 16)), "at least one value"),
        (np.zeros((1, 16, 16), int), np.zeros((1, 16, 16)), "expected uint8"),
        (np.zeros((1, 16, 16)), np.full((1, 16, 16), np.nan), "y_pred with NaN"),
        (np.full((1, 16, 16), np.inf), np.zeros((1, 16, 16)), "y_true with NaN"),
        (np.eye(16)[None] * 255.0, np.zeros((1, 16, 16)), "span at most data_range"),
    ],
)
def test_bad_images_are_refused(score, true, pred, message):
    if np.isinf(true).any():
        true = np.where(np.eye(16)[None] == 1, np.inf, 0.0)
    with pytest.raises(ValueError, match=message):
        score(true, pred)


def test_images_smaller_than_the_window_are_refused():
    with pytest.raises(ValueError, match="H and W of at least 11"):
        metrics.ssim(np.zeros((1, 10, 30)), np.zeros((1, 10, 30)))


def test_data_range_must_be_positive():
    with pytest.raises(ValueError, match="data_range=0; expected a positive"):
        metrics.psnr(np.zeros((1, 2)), np.zeros((1, 2)), data_range=0)


# Codes -------------------------------------------------------------------------------


def hoyer_by_hand(code):
    """Hoyer, 2004, section 3.1; 1 for an empty code."""
    if not code.any():
        return 1.0
    code = [abs(float(z)) for z in code]
    ratio = sum(code) / math.sqrt(sum(z * z for z in code))
    return (math.sqrt(len(code)) - ratio) / (math.sqrt(len(code)) - 1)


@given(dense_codes)
def test_code_metrics_are_their_formulas(codes):
    expected = np.mean([hoyer_by_hand(code) for code in codes])
    assert_allclose(metrics.hoyer(codes), expected, atol=1e-7)
    usage = [sum(code[k] != 0 for code in codes) for k in range(codes.shape[1])]
    assert_array_equal(metrics.atom_usage(codes), usage)
    assert_allclose(metrics.nonzeros_per_site(codes), sum(usage) / len(codes))
    assert_allclose(metrics.zero_fraction(codes), np.mean(codes == 0))
    shares = [count / sum(usage) for count in usage if count]
    perplexity = math.prod(share**-share for share in shares) if shares else 0
    assert_allclose(metrics.usage_perplexity(codes), perplexity)


@given(dense_codes, st.integers(1, 3), st.integers(1, 3))
def test_all_forms_of_codes_measure_the_same(sites, h, w):
    sites = np.tile(sites, (h * w, 1))
    n_atoms = sites.shape[1]
    flat = sites.reshape(-1, h * w * n_atoms)
    forms = [
        (SparseCodes(flat, grid_shape=(h, w)), None),
        (flat, n_atoms),
        (sparse.csr_array(flat), n_atoms),
        (sparse.csc_matrix(flat), n_atoms),
        (sparse.coo_array(sites), None),
        (sparse.csr_array(sites), n_atoms),
    ]
    for name in ("hoyer", "nonzeros_per_site", "zero_fraction", "usage_perplexity"):
        values = [getattr(metrics, name)(codes, k) for codes, k in forms]
        assert_allclose(values, values[0], rtol=1e-9)


@given(dense_codes, st.floats(1e-3, 1e3))
def test_hoyer_knows_neither_scale_nor_sign_nor_order(codes, scale):
    value = metrics.hoyer(codes)
    assert 0 <= value <= 1
    changed = -scale * codes.astype(np.float64)[:, ::-1]
    assert_allclose(metrics.hoyer(changed), value, atol=1e-7)


def test_hoyer_of_extreme_codes():
    assert metrics.hoyer(np.eye(4)) == 1.0
    assert metrics.hoyer(np.ones((3, 4))) == 0.0
    assert metrics.hoyer(np.zeros((3, 4))) == 1.0


def test_stored_zeros_are_zeros():
    codes = sparse.csr_array(([0.0, 2.0], [0, 1], [0, 2]), shape=(1, 4))
    assert metrics.nonzeros_per_site(codes) == 1.0
    assert_array_equal(metrics.atom_usage(codes), [0, 1, 0, 0])


def test_many_sites_are_measured_without_a_dense_copy():
    n_columns = 1024 * 512
    shape = (20_000, n_columns)  # 39 GiB, had it been dense
    codes = sparse.csr_array(([1.0], ([3], [700])), shape=shape)
    codes = SparseCodes(codes[:64], grid_shape=(32, 32))
    assert metrics.hoyer(codes) == 1.0
    assert metrics.nonzeros_per_site(codes) == 1 / (64 * 1024)


@pytest.mark.parametrize(
    ("codes", "n_atoms", "message"),
    [
        (np.ones((2, 6)), 4, "expected a multiple of n_atoms=4"),
        (np.ones((2, 6)), 0, "expected a multiple of n_atoms=0"),
        (np.ones((2, 2, 6)), None, "a matrix with one row"),
        (np.full((2, 6), np.nan), None, "NaN or infinite"),
        (np.ones((0, 6)), None, "at least one row"),
        (np.ones((2, 6)), 1, "at least two"),
    ],
)
def test_bad_codes_are_refused(codes, n_atoms, message):
    with pytest.raises(ValueError, match=message):
        metrics.hoyer(codes, n_atoms)


def test_codes_know_their_number_of_atoms():
    codes = SparseCodes(np.eye(2, 8), grid_shape=(2, 2))
    with pytest.raises(ValueError, match="n_atoms=4 for codes of 2 atoms"):
        metrics.atom_usage(codes, 4)


# Segmentations -----------------------------------------------------------------------


@given(st.data(), masks)
def test_iou_and_dice_are_jaccard_and_f1(data, true):
    pred = data.draw(hnp.arrays(bool, true.shape))
    options = {"zero_division": 1.0}
    pairs = [(t.ravel(), p.ravel()) for t, p in zip(true, pred)]
    jaccard = [jaccard_score(*pair, **options) for pair in pairs]
    f1 = [f1_score(*pair, **options) for pair in pairs]
    assert_allclose(metrics.iou(true, pred, per_image=True), jaccard)
    assert_allclose(metrics.iou(true.astype(int), pred), np.mean(jaccard))
    assert_allclose(metrics.dice(true, pred, per_image=True), f1)
    assert_allclose(metrics.dice(true, pred), np.mean(f1))


def matched_iou_by_hand(true, pred):
    """The best of all ways to give each true segment a predicted one, or none."""
    segments = [true == label for label in np.unique(true)]
    partners = [pred == label for label in np.unique(pred)]
    partners += [np.zeros_like(true, dtype=bool)] * len(segments)
    scores = [
        sum((s & p).sum() / (s | p).sum() for s, p in zip(segments, chosen))
        for chosen in itertools.permutations(partners, len(segments))
    ]
    return max(scores) / len(segments)


@given(label_maps, label_maps)
def test_matched_iou_is_the_best_of_all_matchings(true, pred):
    expected = [matched_iou_by_hand(t, p) for t, p in zip(true, pred)]
    assert_allclose(metrics.matched_iou(true, pred, per_image=True), expected)
    assert_allclose(metrics.matched_iou(true, pred), np.mean(expected))


@given(label_maps, st.permutations(range(4)))
def test_matched_iou_does_not_read_the_numbers(labels, order):
    renamed = np.array(order)[labels] - 1
    assert_allclose(metrics.matched_iou(labels, renamed), 1.0)


@pytest.mark.parametrize("score", [metrics.iou, metrics.dice, metrics.matched_iou])
@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (np.ones((1, 2, 2), int), np.ones((1, 2, 3), int), "expected the same shape"),
        (np.ones((1, 2, 2)), np.ones((1, 2, 2), int), "y_true of type float64"),
        (np.ones((0, 2, 2), int), np.ones((0, 2, 2), int), "expected the same shape"),
    ],
)
def test_bad_segmentations_are_refused(score, true, pred, message):
    with pytest.raises(ValueError, match=message):
        score(true, pred)


@pytest.mark.parametrize("score", [metrics.iou, metrics.dice])
@pytest.mark.parametrize("value", [255, -1, 2])
def test_label_maps_are_not_masks(score, value):
    with pytest.raises(ValueError, match="matched_iou"):
        score(np.full((1, 2, 2), value), np.zeros((1, 2, 2), int))


# Scorers -----------------------------------------------------------------------------


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
