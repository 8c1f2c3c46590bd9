"""What only SparseAutoencoder promises: few positive codes of activations."""

import re

import numpy as np
import pytest
import torch

from sklearn_sparsevae import SparseAutoencoder
from sklearn_sparsevae.bottlenecks import SparseActivation

N, K, S = 16, 24, 2


@pytest.fixture(scope="module")
def activations():
    """Sums of two of 24 directions with positive weights, and the directions."""
    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(K, N))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    codes = np.zeros((1000, K))
    for row in codes:
        row[rng.choice(K, S, replace=False)] = rng.uniform(1, 2, S)
    return (100 + 50 * codes @ atoms).astype(np.float32), atoms


def fitted(X, **params):
    same = {"n_nonzero_coefs": S, "batch_size": 64, "lr": 0.02, "random_state": 0}
    same |= {"max_epochs": 3, "dead_after": 1000}
    return SparseAutoencoder(K, **(same | params)).fit(X)


def error(model, X):
    """Share of the variance that does not come back."""
    left = X - model.inverse_transform(model.transform(X))
    return float(np.square(left).sum() / np.square(X - X.mean(0)).sum())


@pytest.mark.parametrize("sparsity", ["topk", "batch_topk"])
def test_training_finds_directions_that_data_is_made_of(activations, sparsity):
    X, atoms = activations
    start, model = (fitted(X, sparsity=sparsity, max_epochs=n) for n in (0, 8))
    before, after = (
        (atoms @ m.components_.T).max(axis=1).mean() for m in (start, model)
    )
    assert after > before + 0.05
    assert error(model, X) < 0.6 * error(start, X)


@pytest.mark.parametrize("sparsity", ["topk", "batch_topk", "jumprelu", "l1"])
def test_codes_are_positive_and_of_each_row_alone(activations, sparsity):
    X = activations[0][:500]
    model = fitted(X, sparsity=sparsity, max_epochs=2)
    codes = model.transform(X)
    assert codes.min() >= 0 and 0 < codes.nnz < codes.shape[0] * K
    alone = model.transform(X[5:6])
    np.testing.assert_allclose(alone.toarray(), codes[5:6].toarray(), rtol=1e-5)
    counts = codes.count_nonzero(axis=1)
    if sparsity == "topk":
        assert counts.max() <= S
    if sparsity == "batch_topk":  # the threshold of transform keeps as many in the mean
        assert counts.max() > S and abs(counts.mean() - S) < 0.6


@pytest.mark.parametrize("sparsity", ["jumprelu", "l1"])
def test_a_larger_alpha_leaves_fewer_codes(activations, sparsity):
    X = activations[0][:500]
    counts = [
        fitted(X, sparsity=sparsity, alpha=alpha, max_epochs=1).transform(X).nnz
        for alpha in (0.1, 0.5, 1.5)
    ]
    assert counts[0] > counts[1] > counts[2]


def test_with_prefixes_the_first_atoms_do_by_themselves(activations):
    X = activations[0]

    def first(model):
        codes = model.transform(X).tocsc()[:, :8]
        alone = np.zeros((len(X), K), np.float32)
        alone[:, :8] = codes.toarray()
        return np.square(X - model.inverse_transform(alone)).mean()

    without, with_them = (fitted(X, prefixes=p) for p in ((), (4, 8)))
    assert first(with_them) < 0.95 * first(without)


def test_tied_filters_are_the_atoms(activations):
    X = activations[0][:500]
    model = fitted(X, decoder="tied", max_epochs=1)
    module = model.net_.module_.bottleneck
    assert not hasattr(module, "filters")
    mean, scale = (t.numpy() for t in (module.mean, module.scale))
    unit = (X - mean) / scale - module.bias.detach().numpy()
    responses = unit @ model.components_.T + module.filter_bias.detach().numpy()
    codes = model.transform(X).toarray()
    on = codes > 0
    np.testing.assert_allclose(codes[on], (scale * responses)[on], rtol=1e-3)


def test_the_unit_of_activations_does_not_matter(activations):
    X = activations[0][:500]
    small, large = (fitted(unit * X, max_epochs=2) for unit in (1.0, 1024.0))
    np.testing.assert_allclose(small.components_, large.components_, atol=1e-3)


def test_activations_on_disk_train_the_same_model(activations, tmp_path):
    X = activations[0][:500]
    path = tmp_path / "x.npy"
    np.save(path, X)
    in_memory, mapped = (
        fitted(data, max_epochs=1) for data in (X, np.load(path, mmap_mode="r"))
    )
    np.testing.assert_array_equal(in_memory.components_, mapped.components_)
    before = error(mapped, X)
    assert error(mapped.partial_fit(X), X) < before


@pytest.mark.parametrize("prefixes", [(4, 2), (3, 3), (K,), (0, 2)])
def test_prefixes_that_are_none_are_refused(activations, prefixes):
    X = activations[0][:100]
    with pytest.raises(ValueError, match=re.escape("prefixes=")):
        fitted(X, prefixes=prefixes)


@pytest.mark.parametrize("sparsity", ["topk", "batch_topk", "jumprelu", "l1"])
def test_atoms_that_are_never_on_come_back(sparsity):
    rows = torch.randn(64, N, 1, 1, generator=torch.Generator().manual_seed(0))
    module = SparseActivation(
        N, K, sparsity=sparsity, n_nonzero_coefs=8, dead_after=100
    )
    module.initialize(rows.flatten(1), seed=0)
    with torch.no_grad():
        module.filter_bias[: K // 2] = -100
    for _ in range(2):
        module(rows)
    dead = module.idle > 100
    assert dead[: K // 2].all()
    changed = module.reset_dead_atoms()
    assert all(set(index.tolist()) <= set(range(K)) for index in changed.values())
    assert (
        changed[module.atoms].tolist()
        == dead.nonzero().flatten().tolist()[: len(changed[module.atoms])]
    )
    module(rows)
    assert (module.idle[changed[module.atoms]] == 0).float().mean() > 0.5
