"""CodePrior: a density of the codes of any bottleneck, and new codes from it."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback

from sklearn_sparsevae import VQVAE, CodePrior, SparseCodes, load, save
from sklearn_sparsevae.codes import as_codes
from sklearn_sparsevae.estimators._tokens import Tokenizer
from sklearn_sparsevae.metrics import bits_per_pixel
from sklearn_sparsevae.training import CodeTransformer

QUICK = {"width": 16, "n_layers": 1, "max_epochs": 2, "random_state": 0}


@parametrize_with_checks([CodePrior(width=16, n_layers=1, max_epochs=1)])
def test_common_checks(estimator, check):
    check(estimator)


def random_codes(seed, kind, n_images=40, n_atoms=6, grid_shape=(2, 3)):
    """Codes as a bottleneck gives them: which, and how many at a site, is random."""
    rng = np.random.default_rng(seed)
    n_sites = n_images * grid_shape[0] * grid_shape[1]
    if kind == "vq":
        sites = np.eye(n_atoms)[rng.integers(0, n_atoms, n_sites)]
    elif kind == "rq":
        sites = rng.multinomial(4, np.ones(n_atoms) / n_atoms, n_sites)
    elif kind == "signs":
        sites = rng.integers(-1, 2, (n_sites, n_atoms))
    else:
        n_kept = 3 if kind == "omp" else rng.integers(0, n_atoms + 1, (n_sites, 1))
        ranks = rng.permuted(np.tile(np.arange(n_atoms), (n_sites, 1)), axis=1)
        sites = rng.standard_cauchy(ranks.shape) * (ranks < n_kept)
    rows = sites.reshape(n_images, -1).astype(np.float32)
    image_shape = 4 * grid_shape[0], 4 * grid_shape[1]
    known = {"grid_shape": grid_shape, "image_shape": image_shape, "n_mean_atoms": 1}
    return SparseCodes(rows, **known)


kinds = pytest.mark.parametrize("kind", ["vq", "rq", "signs", "omp", "lista"])


# ---- tokens -------------------------------------------------------------------------


@given(
    seed=st.integers(0, 1000),
    kind=st.sampled_from(["vq", "rq", "signs", "omp", "lista"]),
    n_bins=st.integers(1, 40),
)
def test_codes_survive_the_round_trip_but_for_rounding(seed, kind, n_bins):
    codes = random_codes(seed, kind)
    tokenizer = Tokenizer.learn(codes, n_bins)
    tokens = tokenizer.encode(codes)
    back = tokenizer.decode(tokens)
    assert back.grid_shape == codes.grid_shape and back.image_shape == (8, 12)
    assert back.n_mean_atoms == 1
    assert back.dtype == np.float32 and back.indices.dtype == np.int32
    np.testing.assert_array_equal(tokenizer.encode(back), tokens)
    np.testing.assert_array_equal(back.indptr, codes.indptr)
    np.testing.assert_array_equal(back.indices, codes.indices)
    if kind in ("vq", "rq") or (kind == "signs" and n_bins > 1):
        np.testing.assert_array_equal(back.data, codes.data)
    else:
        nearest = np.abs(codes.data[:, None] - tokenizer.levels).min(axis=1)
        np.testing.assert_allclose(np.abs(back.data - codes.data), nearest, rtol=1e-5)
        assert len(tokenizer.levels) <= n_bins and np.all(tokenizer.levels != 0)


def test_more_levels_leave_less_error():
    codes = random_codes(0, "lista")
    errors = []
    for n_bins in (1, 2, 8, 32, 128):
        tokenizer = Tokenizer.learn(codes, n_bins)
        back = tokenizer.decode(tokenizer.encode(codes))
        errors.append(np.square(back.data - codes.data).sum())
    assert errors == sorted(errors, reverse=True) and errors[-1] < 1e-3 * errors[0]
    variance = np.var(codes.data, dtype=float) * codes.nnz
    assert errors[0] == pytest.approx(variance, rel=1e-3)


def test_a_level_is_never_zero():
    values = np.linspace(-1, 1, 100, dtype=np.float32)[None]
    codes = SparseCodes(values, grid_shape=(1, 1))
    assert np.all(Tokenizer.learn(codes, 3).levels != 0)


def test_of_too_many_nonzeros_the_largest_are_taken():
    two = as_codes([[1.5, 2.0, 0.0, 0.0]], grid_shape=(1, 1))
    four = as_codes([[-1.0, 2.0, 1.0, -2.0]], grid_shape=(1, 1))
    tokenizer = Tokenizer.learn(two, 2)
    assert tokenizer.encode(four)[0, 0, :, 0].tolist() == [1, 3]


@kinds
def test_tokens_are_atoms_levels_and_ends(kind):
    codes = random_codes(0, kind)
    prior = CodePrior(**QUICK).fit(codes)
    by_site = codes.toarray().reshape(40, 6, 6)
    nonzeros = np.count_nonzero(by_site, axis=2)
    ends = (nonzeros < nonzeros.max()).sum(1)
    expected = {"vq": 6, "rq": 24, "omp": 36}.get(kind, 2 * nonzeros.sum(1) + ends)
    np.testing.assert_array_equal(prior.n_tokens(codes), expected)


# ---- the density --------------------------------------------------------------------


def test_likelihoods_of_all_codes_add_up_to_one():
    # Three codes of a site among all with one or two of the levels -1 and 2.
    grid = np.array(np.meshgrid(*[[0, -1, 2]] * 6)).reshape(6, -1).T.astype(np.float32)
    few = np.count_nonzero(grid.reshape(-1, 2, 3), axis=2).max(axis=1) <= 2
    every = SparseCodes(grid[few], grid_shape=(1, 2))
    assert every.shape == (361, 6)
    common = every[np.random.default_rng(0).integers(0, 20, 200)]
    prior = CodePrior(**QUICK | {"max_epochs": 5, "lr": 0.01})
    prior.fit(as_codes(np.vstack([common.toarray(), grid[few]]), grid_shape=(1, 2)))
    probability = np.exp(prior.score_samples(every))
    assert probability.sum() == pytest.approx(1, abs=1e-6)
    assert probability[:20].mean() > 3 * probability[20:].mean()


@kinds
def test_scores_do_not_depend_on_the_batch(kind, rng):
    codes = random_codes(0, kind)
    prior = CodePrior(**QUICK).fit(codes)
    values = prior.score_samples(codes)
    assert np.all(values < 0)
    order = rng.permutation(40)
    np.testing.assert_allclose(prior.score_samples(codes[order]), values[order])
    assert prior.score(codes) == pytest.approx(values.mean())


def test_more_nonzeros_than_in_the_fit_have_a_likelihood():
    prior = CodePrior(**QUICK).fit(random_codes(0, "omp"))
    assert np.all(np.isfinite(prior.score_samples(random_codes(1, "lista"))))


def test_sites_inform_one_another():
    """Held-out codes of digits need a fifth fewer bits than atoms on their own do."""
    images = load_digits().images / 16
    model = VQVAE(24, n_downsamples=1, max_epochs=0, random_state=0).fit(images[:400])
    train, test = model.transform(images[:1400]), model.transform(images[1400:])
    prior = CodePrior(width=32, n_layers=1, max_epochs=4, lr=0.006, random_state=0)
    bits = -prior.fit(train).score(test) / np.log(2) / 16
    usage = np.bincount(train.indices % 24, minlength=24) / train.nnz
    unigram = -np.log2(usage[test.indices % 24]).mean()
    assert bits < 0.8 * unigram


# ---- new codes ----------------------------------------------------------------------


@kinds
def test_draws_are_codes_of_the_same_kind(kind):
    codes = random_codes(0, kind)
    prior = CodePrior(**QUICK).fit(codes)
    drawn = prior.sample(50, random_state=0)
    assert isinstance(drawn, SparseCodes) and drawn.has_canonical_format
    assert drawn.shape == (50, 36) and drawn.dtype == np.float32
    assert drawn.grid_shape == (2, 3) and drawn.n_atoms == 6
    assert drawn.image_shape == (8, 12)
    sites, like = drawn.sites(), codes.sites()
    if kind in ("vq", "rq"):
        assert np.all(sites.sum(axis=1) == like.sum(axis=1)[0])
    else:
        assert np.diff(sites.indptr).max() <= np.diff(like.indptr).max()
        assert set(drawn.data) <= set(prior.tokenizer_.levels)
    tokens = prior.tokenizer_.encode(drawn)
    np.testing.assert_array_equal(
        prior.tokenizer_.decode(tokens).toarray(), drawn.toarray()
    )
    assert np.all(np.isfinite(prior.score_samples(drawn)))


def test_draws_follow_the_random_state_and_leave_the_global_one():
    prior = CodePrior(**QUICK)
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    prior.fit(random_codes(0, "lista"))
    first, again, other = (prior.sample(9, random_state=s).toarray() for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert torch.equal(torch_state, torch.get_rng_state())
    np.testing.assert_array_equal(numpy_state, np.random.get_state()[1])
    assert not np.array_equal(prior.sample(9).toarray(), prior.sample(9).toarray())


def test_images_from_a_pipeline(images):
    encoder = VQVAE(8, max_epochs=0, random_state=0)
    pipe = Pipeline([("enc", encoder), ("prior", CodePrior(**QUICK))]).fit(images)
    codes = pipe["prior"].sample(3, random_state=0)
    assert pipe["enc"].inverse_transform(codes).shape == (3, 16, 16, 3)
    expected = pipe["prior"].score(pipe["enc"].transform(images))
    assert pipe.score(images) == pytest.approx(expected)


# ---- real files ---------------------------------------------------------------------

HEADER = 21


@pytest.fixture(scope="module")
def prior():
    return CodePrior(**QUICK | {"max_epochs": 1}).fit(random_codes(0, "lista"))


@given(
    seed=st.integers(0, 1000),
    kind=st.sampled_from(["vq", "rq", "signs", "omp", "lista"]),
    n_images=st.integers(1, 30),
)
@settings(max_examples=8)
def test_codes_come_back_as_tokens_say_them(seed, kind, n_images):
    prior = CodePrior(**QUICK | {"max_epochs": 0}).fit(random_codes(seed, kind))
    codes = random_codes(seed + 1, kind, n_images)
    back = prior.decompress(prior.compress(codes))
    expected = prior.tokenizer_.decode(prior.tokenizer_.encode(codes))
    assert (back.grid_shape, back.image_shape) == ((2, 3), (8, 12))
    assert back.n_mean_atoms == 1
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(back, part), getattr(expected, part))
    again = prior.decompress(prior.compress(back))
    np.testing.assert_array_equal(again.toarray(), back.toarray())


@kinds
def test_the_size_is_what_the_score_says(kind):
    codes = random_codes(0, kind, n_images=100)
    prior = CodePrior(**QUICK | {"max_epochs": 1}).fit(codes)
    predicted = -prior.score_samples(codes).sum() / np.log(2)
    n_bits = 8 * (len(prior.compress(codes)) - HEADER)
    assert predicted - 1 < n_bits < 1.01 * predicted + 64
    n_pixels = 100 * 8 * 12
    assert bits_per_pixel(codes, prior=prior) == pytest.approx(predicted / n_pixels)


def test_sites_without_a_non_zero_and_one_image(prior):
    empty = SparseCodes(np.zeros((1, 36), np.float32), grid_shape=(2, 3))
    for codes in (empty, random_codes(3, "lista", n_images=1)):
        back = prior.decompress(prior.compress(codes))
        np.testing.assert_array_equal(back.indices, codes.indices)


def test_images_of_another_shape_are_refused(prior):
    codes = random_codes(3, "lista")
    codes.image_shape = (7, 12)
    with pytest.raises(ValueError, match=r"shape \(7, 12\); expected \(8, 12\)"):
        prior.compress(codes)
    codes.image_shape = None
    assert prior.decompress(prior.compress(codes)).image_shape == (8, 12)


def test_a_prior_from_a_file_reads_what_was_written(prior, tmp_path):
    data = prior.compress(random_codes(4, "lista"))
    save(prior, tmp_path / "prior.model")
    for other in (load(tmp_path / "prior.model"), pickle.loads(pickle.dumps(prior))):
        assert other.compress(random_codes(4, "lista")) == data
        np.testing.assert_array_equal(
            other.decompress(memoryview(data)).toarray(),
            prior.decompress(data).toarray(),
        )


@pytest.fixture(scope="module")
def written(prior):
    return prior.compress(random_codes(5, "lista", n_images=2))


@given(place=st.integers(0, 10**6), bit=st.integers(0, 7), end=st.booleans())
def test_no_bit_changes_unseen(prior, written, place, bit, end):
    data = bytearray(written)
    if end:
        del data[place % len(data) :]
    else:
        data[place % len(data)] ^= 1 << bit
    with pytest.raises(ValueError, match="do not begin|damaged|of format"):
        prior.decompress(bytes(data))


def test_what_another_prior_wrote_is_refused(prior):
    codes = random_codes(6, "lista")
    other = CodePrior(**QUICK | {"max_epochs": 2}).fit(random_codes(0, "lista"))
    with pytest.raises(ValueError, match="another prior.*Load the prior that wrote"):
        prior.decompress(other.compress(codes))
    with pytest.raises(TypeError, match="data of type str; expected bytes"):
        prior.decompress("unicode: \N{SNOWMAN}")
    with pytest.raises(ValueError, match="do not begin as compressed codes do"):
        prior.decompress("unicode: \N{SNOWMAN}".encode())
    with pytest.raises(NotFittedError):
        CodePrior().decompress(b"")


def test_other_arithmetic_is_told_by_the_checksum(prior, monkeypatch):
    data = prior.compress(random_codes(7, "lista"))
    precise = CodeTransformer._log_atoms
    monkeypatch.setattr(
        CodeTransformer, "_log_atoms", lambda *a: (1.01 * precise(*a)).log_softmax(-1)
    )
    with pytest.raises(ValueError, match="probabilities come out differently"):
        prior.decompress(data)


# ---- reproducible, portable, strict -------------------------------------------------


def test_one_random_state_gives_one_prior():
    codes = random_codes(0, "omp")
    values = [CodePrior(**QUICK).fit(codes).score_samples(codes) for _ in range(2)]
    np.testing.assert_array_equal(*values)
    other = CodePrior(**QUICK | {"random_state": 1}).fit(codes).score_samples(codes)
    assert not np.allclose(other, values[0])


def test_pickles_have_the_same_scores_and_no_optimizer():
    codes = random_codes(0, "omp")
    prior = CodePrior(**QUICK).fit(codes)
    copy = pickle.loads(pickle.dumps(prior))
    np.testing.assert_array_equal(copy.score_samples(codes), prior.score_samples(codes))
    np.testing.assert_array_equal(
        copy.sample(4, random_state=0).toarray(),
        prior.sample(4, random_state=0).toarray(),
    )
    assert prior.net_.optimizer_ is None


def test_early_stopping_keeps_the_best_weights():
    codes = random_codes(0, "rq")  # nothing to learn but by heart
    params = {"max_epochs": 60, "lr": 0.01, "n_epochs_no_change": 3, "dropout": 0.0}
    prior = CodePrior(**QUICK | params).fit(codes)
    assert prior.n_epochs_ < 60
    valid = prior.history_["valid_loss"]
    assert np.argmin(valid) <= prior.n_epochs_ - 3
    whole = CodePrior(**QUICK | params, early_stopping=False).fit(codes)
    assert whole.n_epochs_ == 60 and "valid_loss" not in whole.history_
    fresh = random_codes(1, "rq")
    assert prior.score(fresh) > whole.score(fresh)


@pytest.mark.parametrize("kept", [0, 2])
def test_a_fit_that_is_stopped_keeps_its_complete_epochs(kept):
    class Stop(Callback):
        def on_batch_begin(self, net, **kwargs):
            if len(net.history) == kept + 1:
                raise KeyboardInterrupt

    codes = random_codes(0, "omp")
    params = QUICK | {"max_epochs": 5}
    prior = CodePrior(**params, callbacks=[Stop()])
    if kept == 0:
        with pytest.raises(KeyboardInterrupt, match="in epoch 1.*as it was before"):
            prior.fit(codes)
        assert not hasattr(prior, "net_")
        return
    with (
        pytest.warns(ConvergenceWarning, match="keeps the 2 complete epoch"),
        pytest.raises(KeyboardInterrupt, match="in epoch 3.*2 epoch.*are kept"),
    ):
        prior.fit(codes)
    assert prior.n_epochs_ == len(prior.history_["epoch"]) == 2
    assert np.isfinite(prior.score(codes))
    assert prior.sample(3, random_state=0).shape == (3, codes.shape[1])


@pytest.mark.parametrize("method", ["score", "score_samples", "n_tokens"])
def test_a_prior_that_was_not_fitted_says_so(method):
    with pytest.raises(NotFittedError, match="CodePrior instance is not fitted"):
        getattr(CodePrior(), method)(np.eye(3))


def test_codes_that_do_not_fit_are_refused():
    prior = CodePrior(**QUICK).fit(random_codes(0, "rq"))
    with pytest.raises(ValueError, match="Got codes of a 3 by 2 grid; expected 2 by 3"):
        prior.score_samples(random_codes(0, "rq", grid_shape=(3, 2)))
    with pytest.raises(ValueError, match="integers that add up to 4 at every site"):
        prior.score_samples(random_codes(0, "vq"))
    with pytest.raises(ValueError, match="integers that add up to 4 at every site"):
        prior.score_samples(random_codes(0, "lista"))
    with pytest.raises(ValueError, match="Got codes of no image"):
        prior.score_samples(random_codes(0, "rq")[:0])
    with pytest.raises(ValueError, match="Take a multiple of n_heads as width"):
        CodePrior(width=15).fit(random_codes(0, "rq"))
