"""Every bottleneck keeps the contract of bottlenecks/base.py.

A new bottleneck is one more entry in ``BOTTLENECKS``: variants of it by name, each a
function of ``(latent_dim, n_components)``, and an independent oracle for its codes. Its
atoms are the parameter ``atoms``.
"""

import functools
import inspect

import numpy as np
import pytest
import torch
from sklearn.linear_model import orthogonal_mp_gram

from sklearn_sparsevae import bottlenecks
from sklearn_sparsevae.bottlenecks import (
    Bottleneck,
    CompactCodes,
    DictionaryLearning,
    FiniteScalarQuantization,
    Gaussian,
    LearnedISTA,
    LearnedPursuit,
    SparseActivation,
    SpikeSlab,
    VectorQuantization,
)
from sklearn_sparsevae.sparse import dct_dictionary, ista

DIM, K, BATCH, GRID = 6, 14, 5, (4, 2)


def lista(latent_dim, n_components, dct=False, **params):
    if dct:
        n_means = params.get("n_mean_dims", 0)
        params["dictionary"] = dct_dictionary(latent_dim, n_components - n_means)
    params = {"alpha": 0.2, "n_rollout_steps": 5} | params
    return LearnedISTA(latent_dim, n_components, **params)


def ista_codes(model, rows):
    """Codes of an untrained rollout, by the iteration that it unrolls."""
    means = rows[:, : model.n_mean_dims]
    codes = ista(
        rows[:, model.n_mean_dims :],
        model.components[model.n_mean_dims :, model.n_mean_dims :].detach(),
        model.alpha,
        len(model.momentum),
        momentum=model.momentum.requires_grad,
    )
    return torch.cat([means, codes], 1)


def pursuit_codes(model, rows):
    """Codes by scikit-learn's OMP, or by trying every atom for the ols rule."""
    atoms, rows = (t.double().numpy() for t in (model.components.detach(), rows))
    n_nonzeros = min(model.n_nonzero_coefs, *atoms.shape)
    if model.selection == "ols":
        least = model.alpha**2
        codes = np.stack([ols_code(row, atoms, n_nonzeros, least) for row in rows])
    else:
        codes = orthogonal_mp_gram(
            atoms @ atoms.T, atoms @ rows.T, n_nonzero_coefs=n_nonzeros
        ).T
    return torch.from_numpy(codes).float()


def l0_codes(model, rows):
    """Codes by trying every atom, as long as one lowers the penalised error."""
    n_means = model.n_mean_dims
    atoms = model.components[n_means:, n_means:].detach().double().numpy()
    means, rows = np.split(rows.double().numpy(), [n_means], axis=1)
    codes = np.stack(
        [ols_code(row, atoms, model.n_steps, model.alpha**2) for row in rows]
    )
    return torch.from_numpy(np.concatenate([means, codes], 1)).float()


def ols_code(row, atoms, n_nonzeros, min_decrease=0.0):
    """Grow the support by the atom after whose refit least is left."""

    def refit(support):
        values, *_ = np.linalg.lstsq(atoms[support].T, row, rcond=None)
        return values, np.linalg.norm(row - values @ atoms[support])

    support = []
    for _ in range(n_nonzeros):
        unused = [k for k in range(len(atoms)) if k not in support]
        best = min(unused, key=lambda k: refit([*support, k])[1])
        before, after = refit(support)[1], refit([*support, best])[1]
        if before**2 - after**2 <= min_decrease:
            break
        support.append(best)
    code = np.zeros(len(atoms))
    code[support] = refit(support)[0]
    return code


def quantized_codes(model, rows):
    """Counts of the nearest codes, level after level, by all distances."""
    codes = torch.zeros(len(rows), K)
    for _ in range(model.n_quantizers):
        nearest = torch.cdist(rows.double(), model.components.detach().double())
        nearest = nearest.argmin(1)
        codes[torch.arange(len(rows)), nearest] += 1
        rows = rows - model.components.detach()[nearest]
    return codes


def activation(latent_dim, n_components, **params):
    # All atoms count as dead, so that the auxiliary term has something to do.
    params = {"n_nonzero_coefs": 3, "dead_after": -1} | params
    return SparseActivation(latent_dim, n_components, **params)


def rectified_codes(model, rows):
    """Rectified products of the normalised rows with the atoms, the largest kept."""
    scale = model.scale.double()
    unit = (rows.double() - model.mean) / scale
    filters = getattr(model, "filters", model.components).detach().double()
    values = (unit @ filters.mT).clamp(min=0)
    if model.sparsity == "topk":
        least = values.sort(dim=1, descending=True).values[:, 2:3]
        values = values * (values >= least)
    elif model.sparsity == "batch_topk":
        values = values * (values > model.threshold)
    elif model.sparsity == "jumprelu":
        values = values * (values > model.alpha)
    return (scale * values).float()


def grid_quantizer(latent_dim, n_components, **params):
    assert n_components == 14
    return FiniteScalarQuantization(latent_dim, (7, 2), **params)


def grid_codes(model, rows):
    """The combination of levels that is nearest to the bounded numbers, by search."""
    state = {k: v.double() for k, v in model.state_dict().items()}
    rows = rows.double() / state["unit"]
    numbers = torch.tanh(rows @ state["filters"].mT + state["bias"])
    grids = [torch.linspace(-1, 1, n).double() for n in model.levels]
    points = torch.cartesian_prod(*grids[::-1]).flip(1)  # the first digit runs fastest
    # The distance in steps of each number's own levels.
    apart = (numbers[:, None] - points).abs() * (model.levels - 1)
    return torch.eye(len(points))[apart.pow(2).sum(2).argmin(1)]


def thresholded_codes(model, rows):
    """Responses of the filters, kept or shrunk by the thresholds that are stored."""
    state = {k: v.double().numpy() for k, v in model.state_dict().items()}
    means, rows = np.split(rows.double().numpy(), [model.n_mean_dims], axis=1)
    responses = rows @ state["filters"].T
    threshold = np.exp(state["distribution.log_threshold"])
    codes = responses * (np.abs(responses) > threshold)
    if "distribution.log_shape" in state:
        codes -= np.sign(codes) * threshold
    return torch.from_numpy(np.concatenate([means, codes], 1)).float()


def posterior_means(model, rows):
    """Means of the codes of probabilistic PCA, by its closed form, of started models.

    With the sign and the order of the axes that the model chose.
    """
    started_from = rows_of(latents_of(seed=1, batch=40), 1).double()
    mean, noise = started_from.mean(0), model.beta * model.noise_variance
    variances, axes = torch.linalg.eigh(torch.cov(started_from.mT, correction=0))
    variances, axes = variances.flip(0), axes.flip(1)
    signs = torch.sign((axes * model.axes.double()).sum(0))
    weights = torch.zeros(K, DIM, dtype=torch.float64)
    weights[:DIM] = (axes * signs * (variances - noise).clamp(min=0).sqrt()).mT
    inner = weights @ weights.mT + noise * torch.eye(K)
    centred = (rows.double() - mean) @ weights.mT
    return torch.linalg.solve(inner, centred.mT).mT.float()


# class -> variants by name, oracle
BOTTLENECKS = {
    LearnedISTA: (
        {
            "default": lista,
            "plain ISTA": functools.partial(lista, momentum=False),
            "free S": functools.partial(lista, coupled=False),
            "free S, plain": functools.partial(lista, coupled=False, momentum=False),
            "DCT": functools.partial(lista, dct=True),
            "means apart": functools.partial(lista, n_mean_dims=2),
            "fixed thresholds": functools.partial(lista, learn_alpha=False),
            "L1 penalty": functools.partial(lista, penalty="l1"),
            "one step": functools.partial(lista, n_rollout_steps=1),
            "threshold an atom": functools.partial(lista, threshold="atom"),
            "threshold a site": functools.partial(lista, threshold="vector"),
            "structured": functools.partial(
                lista, threshold="structured", n_mean_dims=2
            ),
        },
        ista_codes,
    ),
    LearnedPursuit: (
        {
            "default": functools.partial(LearnedPursuit, alpha=0.5, n_rollout_steps=4),
            "means apart": functools.partial(
                LearnedPursuit, alpha=0.2, n_rollout_steps=3, n_mean_dims=2
            ),
            "one step": functools.partial(LearnedPursuit, alpha=0.1, n_rollout_steps=1),
            "threshold an atom": functools.partial(
                LearnedPursuit, alpha=0.5, n_rollout_steps=4, threshold="atom"
            ),
            "structured": functools.partial(
                LearnedPursuit,
                alpha=0.4,
                n_rollout_steps=3,
                threshold="structured",
                n_mean_dims=2,
            ),
            "fixed": lambda n, k: LearnedPursuit(
                n,
                k,
                alpha=0.5,
                n_rollout_steps=3,
                dictionary=torch.randn(
                    k, n, generator=torch.Generator().manual_seed(3)
                ),
            ),
        },
        l0_codes,
    ),
    DictionaryLearning: (
        {
            "default": functools.partial(DictionaryLearning, n_nonzero_coefs=3),
            "OMP": functools.partial(
                DictionaryLearning, n_nonzero_coefs=3, selection="omp"
            ),
            "online": functools.partial(
                DictionaryLearning, n_nonzero_coefs=2, dictionary_update="online"
            ),
            "patches": functools.partial(
                DictionaryLearning, n_nonzero_coefs=3, patch_size=2
            ),
            "one atom": functools.partial(DictionaryLearning, n_nonzero_coefs=1),
            "penalty": functools.partial(
                DictionaryLearning, n_nonzero_coefs=3, alpha=0.5
            ),
        },
        pursuit_codes,
    ),
    SpikeSlab: (
        {
            "default": functools.partial(SpikeSlab, sparsity=0.2),
            "pseudo-inputs": functools.partial(
                SpikeSlab, sparsity=0.2, n_pseudo_inputs=3
            ),
            "threshold": functools.partial(SpikeSlab, prior="threshold", sparsity=0.2),
            "means apart": functools.partial(SpikeSlab, sparsity=0.2, n_mean_dims=2),
            "threshold, means apart": functools.partial(
                SpikeSlab, prior="threshold", sparsity=0.2, n_mean_dims=2
            ),
        },
        thresholded_codes,
    ),
    Gaussian: (
        {
            "default": Gaussian,
            "beta": functools.partial(Gaussian, noise_variance=0.3, beta=3.0),
            "MMD": functools.partial(Gaussian, mmd_weight=10.0),
            "two levels": functools.partial(Gaussian, n_levels=2),
        },
        posterior_means,
    ),
    VectorQuantization: (
        {
            "default": VectorQuantization,
            "averages": functools.partial(VectorQuantization, codebook_update="ema"),
            "residual": functools.partial(VectorQuantization, n_quantizers=3),
            "residual, averages": functools.partial(
                VectorQuantization, n_quantizers=3, codebook_update="ema"
            ),
            "patches": functools.partial(
                VectorQuantization, n_quantizers=2, patch_size=2
            ),
            "rotation": functools.partial(
                VectorQuantization, n_quantizers=2, gradient="rotation"
            ),
            "linear": functools.partial(VectorQuantization, codebook="linear"),
        },
        quantized_codes,
    ),
    SparseActivation: (
        {
            "default": functools.partial(activation, sparsity="batch_topk"),
            "topk": functools.partial(activation, sparsity="topk"),
            "jumprelu": functools.partial(activation, sparsity="jumprelu"),
            "l1": functools.partial(activation, sparsity="l1"),
            "tied": functools.partial(activation, sparsity="topk", tied=True),
            "prefixes": functools.partial(
                activation, sparsity="batch_topk", prefixes=(3, 7)
            ),
        },
        rectified_codes,
    ),
    FiniteScalarQuantization: (
        {
            "default": grid_quantizer,
            "patches": functools.partial(grid_quantizer, patch_size=2),
        },
        grid_codes,
    ),
}
VARIANTS = [
    pytest.param(make, oracle, id=f"{cls.__name__}: {name}")
    for cls, (variants, oracle) in BOTTLENECKS.items()
    for name, make in variants.items()
]


def latents_of(seed=0, batch=BATCH, grid=GRID, dim=DIM):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, dim, *grid, generator=generator)


def rows_of(latents, side):
    """Rows that are coded together: patches of ``side`` latents a side."""
    patches = latents.unflatten(3, (-1, side)).unflatten(2, (-1, side))
    return patches.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(0, 2)


def dense(codes):
    """Codes ``(batch, h, w, K)`` of codes in any form."""
    if not isinstance(codes, CompactCodes):
        return codes
    assert codes.indices.dtype == torch.int64
    assert ((codes.indices >= -1) & (codes.indices < K)).all()
    assert not codes.values[codes.indices == -1].any()
    table = torch.zeros(*codes.indices.shape[:3], K)
    return table.scatter_add(3, codes.indices.clamp(min=0), codes.values)


def started(make):
    """A bottleneck that started from data."""
    model = make(DIM, K).eval()
    rows = rows_of(latents_of(seed=1, batch=40), model.patch_size)
    model.initialize(rows, seed=0)
    return model


def trained(make, n_steps=8):
    """A bottleneck after a few steps of its own losses, at its own rates."""
    model = started(make).train()
    optimizer = torch.optim.Adam(model.parameter_groups(1e-3))
    for step in range(n_steps):
        latents = latents_of(seed=10 + step).requires_grad_()
        out = model(latents)
        loss = sum(out["losses"].values()) + (out["latents"] - latents).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(params=VARIANTS)
def make(request):
    return request.param


every_variant = pytest.mark.parametrize(("make", "oracle"), VARIANTS)
both_states = pytest.mark.parametrize("state", [started, trained])


def all_subclasses(cls):
    for sub in cls.__subclasses__():
        yield from (sub, *all_subclasses(sub))


def test_every_bottleneck_is_in_the_table():
    package = bottlenecks.__name__
    found = {
        c
        for c in all_subclasses(Bottleneck)
        if c.__module__.startswith(package) and not inspect.isabstract(c)
    }
    public = [getattr(bottlenecks, name) for name in bottlenecks.__all__]
    classes = {c for c in public if inspect.isclass(c) and issubclass(c, Bottleneck)}
    exported = {c for c in classes if not inspect.isabstract(c)}
    assert found == exported == set(BOTTLENECKS)


@every_variant
@both_states
def test_shapes(make, oracle, state):
    model = state(make)
    latents, side = latents_of(), model.patch_size
    out = model(latents)
    assert set(out) == {"latents", "codes", "losses"}
    assert out["latents"].shape == latents.shape
    codes = dense(out["codes"])
    assert codes.shape == (BATCH, GRID[0] // side, GRID[1] // side, K)
    assert model.components.shape == (K, DIM * side**2)
    assert codes.dtype == out["latents"].dtype == torch.float32
    assert out["losses"] or isinstance(model, FiniteScalarQuantization)
    for loss in out["losses"].values():
        assert loss.shape == () and loss.isfinite()
    one_site = model.encode(latents_of(grid=(side, side)))
    assert dense(one_site).shape == (BATCH, 1, 1, K)


@every_variant
@both_states
def test_decoded_codes_are_the_latents_of_forward(make, oracle, state):
    model, latents = state(make), latents_of()
    out, codes = model(latents), model.encode(latents)
    torch.testing.assert_close(dense(codes), dense(out["codes"]))
    torch.testing.assert_close(model.decode(codes), out["latents"])


@every_variant
@both_states
def test_the_promised_sparsity_holds(make, oracle, state):
    model = state(make)
    codes = dense(model.encode(latents_of()))
    assert model.code_kind in {"exact zeros", "n_nonzero_coefs", "counts", "dense"}
    if model.code_kind == "exact zeros":
        share = (codes == 0).float().mean()
        assert 0.05 < share < 1
    elif model.code_kind == "n_nonzero_coefs":
        assert (codes != 0).sum(-1).max() <= model.n_nonzero_coefs
        assert (codes != 0).any(-1).all()
    elif model.code_kind == "counts":
        assert torch.equal(codes, codes.round()) and (codes >= 0).all()
        assert (codes.sum(-1) == model.n_quantizers).all()


@every_variant
@both_states
def test_usage_counts_the_sites_of_every_component_but_the_means(make, oracle, state):
    model = state(make)
    codes = model.encode(latents_of())
    counts = model.usage_counts(codes)
    if model.code_kind == "dense":
        assert counts is None
        return
    used = (dense(codes) != 0).flatten(0, 2).sum(0)
    assert counts.tolist() == used[model.n_mean_dims :].tolist()
    assert (used[: model.n_mean_dims] == BATCH * GRID[0] * GRID[1]).all()


def test_an_atom_that_repeats_at_a_site_is_used_there_once():
    model = BOTTLENECKS[VectorQuantization][0]["residual"](DIM, K)
    indices = torch.tensor([[[[3, 1, 3], [1, -1, -1]]]])
    codes = CompactCodes(indices, (indices >= 0).float())
    assert model.usage_counts(codes).tolist() == [0, 2, 0, 1] + [0] * (K - 4)


@every_variant
@both_states
def test_a_code_does_not_change_with_its_batch_mates(make, oracle, state):
    model, latents = state(make), latents_of()

    def encode(latents):
        return dense(model.encode(latents))

    codes = encode(latents)
    for i in range(BATCH):
        torch.testing.assert_close(encode(latents[i : i + 1])[0], codes[i])
    others = latents.clone()
    others[1:] = 1000 * latents_of(seed=9)[1:]
    torch.testing.assert_close(encode(others)[0], codes[0])
    torch.testing.assert_close(encode(latents.flip(0)).flip(0), codes)


@every_variant
@both_states
def test_gradients_reach_the_encoder_and_everything_that_learns(make, oracle, state):
    model = state(make).train()
    latents = latents_of().requires_grad_()
    out = model(latents)
    # An arbitrary target: the gradient of its own reconstruction may vanish.
    target = latents_of(seed=3)
    loss = (out["latents"] - target).pow(2).sum() + sum(out["losses"].values())
    loss.backward()
    assert latents.grad.isfinite().all()
    assert (latents.grad.flatten(1).norm(dim=1) > 0).all()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert parameter.grad is None, name
        elif parameter.grad is None:
            assert name in {"momentum", "inhibition"}, name
        else:
            assert parameter.grad.isfinite().all(), name
            single = len(parameter) == 1 or len(getattr(model, "momentum", ())) == 1
            # What comes in gradually, behind a factor that starts at zero.
            behind = state is started and name.startswith(
                ("thresholds.", "branch.", "prior.")
            )
            assert (
                parameter.grad.any()
                or behind
                or (single and name in {"momentum", "inhibition"})
            ), name


@every_variant
@both_states
def test_zero_latents_are_nothing_special(make, oracle, state):
    model = state(make)
    latents = latents_of()
    latents[0] = 0
    latents.requires_grad_()
    out = model(latents)
    # What is counted or dense, or has a bias, need not be zero.
    if model.code_kind in {"counts", "dense"} or hasattr(model, "bias"):
        assert dense(out["codes"]).isfinite().all() and out["latents"].isfinite().all()
    else:
        assert not dense(out["codes"])[0].any()
        assert not out["latents"][0].any()
    (out["latents"].sum() + sum(out["losses"].values())).backward()
    assert latents.grad.isfinite().all()


def poor_data(length):
    """Rows with little or nothing to start from, by name, and of any scale."""
    rows = rows_of(latents_of(seed=2, dim=length), 1)
    constant = torch.ones(len(rows), length)
    rounding = 1e-8 * rows  # what a constant image is after an orthonormal map
    yield from {
        "zero": 0 * constant,
        "constant": constant,
        "one row": rows[:1],
        "one row of zeros": 0 * rows[:1],
        "two values": torch.cat([constant, 0 * constant]),
        "duplicates": rows[:1].expand(30, -1),
        "one direction": torch.outer(rows[:30, 0], rows[0]),
        "fewer than dimensions": rows[:2],
        "all but constant": constant + rounding,
        "far from zero": 1e8 + rows,
        "large and small": torch.cat([1e-20 * rows, 1e20 * rows]),
    }.items()
    for scale in (1e-44, 1e-38, 1e-12, 1e19, 1e37):
        yield f"scaled by {scale}", scale * rows


@every_variant
def test_started_from_any_data_nothing_is_nan(make, oracle):
    length = make(DIM, K).components.shape[1]
    for name, rows in poor_data(length):
        model = make(DIM, K).eval()
        model.initialize(rows.clone(), seed=0)
        assert model.components.isfinite().all(), name
        assert all(p.isfinite().all() for p in model.parameters()), name
        codes = model.encode(latents_of())
        assert dense(codes).isfinite().all(), name
        assert model.decode(codes).isfinite().all(), name


@pytest.mark.parametrize("cls", [DictionaryLearning, VectorQuantization])
@pytest.mark.parametrize("scale", [2.0**-60, 2.0**60])
def test_atoms_start_from_data_of_any_unit(cls, scale):
    make = BOTTLENECKS[cls][0]["default"]
    model = make(DIM, K)
    rows = rows_of(latents_of(seed=1, batch=40), model.patch_size)
    model.initialize(scale * rows, seed=0)
    unit = 1.0 if cls is DictionaryLearning else scale
    assert torch.equal(model.components, unit * started(make).components)


@every_variant
def test_duplicate_atoms_are_fine(make, oracle):
    model = started(make)
    with torch.no_grad():
        model.atoms[1] = model.atoms[0]
        model.atoms[2] = -model.atoms[0]
    if isinstance(model, LearnedISTA):
        model._start_as_ista()
    latents = latents_of().requires_grad_()
    out = model(latents)
    out["latents"].pow(2).sum().backward()
    assert dense(out["codes"]).isfinite().all()
    assert latents.grad.isfinite().all()
    assert all(
        p.grad.isfinite().all() for p in model.parameters() if p.grad is not None
    )


@every_variant
def test_every_scale_of_latents_is_finite(make, oracle):
    model = trained(make)
    for scale in (1e-12, 1e-3, 1e3, 1e6):
        latents = (scale * latents_of()).requires_grad_()
        out = model(latents)
        (out["latents"] / scale).pow(2).sum().backward()
        assert dense(out["codes"]).isfinite().all() and out["latents"].isfinite().all()
        assert latents.grad.isfinite().all()


@every_variant
@both_states
def test_eval_mode_repeats_itself(make, oracle, state):
    model, latents = state(make), latents_of()
    assert torch.equal(*(dense(model.encode(latents)) for _ in range(2)))
    assert torch.equal(model(latents)["latents"], model(latents)["latents"])


@every_variant
def test_state_dict_holds_everything(make, oracle):
    model, latents = trained(make), latents_of()
    other = make(DIM, K).eval()
    other.load_state_dict(model.state_dict())
    assert torch.equal(*(dense(m.encode(latents)) for m in (other, model)))
    assert torch.equal(other.components, model.components)


@every_variant
def test_initialize_follows_its_seed_alone(make, oracle):
    found = []
    for _ in range(2):
        model = make(DIM, K)
        rows = rows_of(latents_of(seed=1, batch=40), model.patch_size)
        state = torch.get_rng_state()
        model.initialize(rows, seed=3)
        assert torch.equal(state, torch.get_rng_state())
        found.append(model.components)
    assert torch.equal(*found)


@every_variant
@both_states
def test_components_are_unit_atoms(make, oracle, state):
    model = state(make)
    if model.code_kind in {"counts", "dense"}:
        pytest.skip("what is counted, or normal, has the length of a latent")
    torch.testing.assert_close(model.components.norm(dim=1), torch.ones(K))


@every_variant
def test_every_parameter_is_in_one_group(make, oracle):
    model = make(DIM, K)
    grouped = [id(p) for group in model.parameter_groups(0.1) for p in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(p) for p in model.parameters()}
    assert all(group["lr"] > 0 for group in model.parameter_groups(0.1))


@every_variant
def test_training_lowers_its_losses(make, oracle):
    if not any(p.requires_grad for p in make(DIM, K).parameters()):
        pytest.skip("has nothing to train")
    if not make(DIM, K)(latents_of())["losses"]:
        pytest.skip("has no loss of its own")
    latents = latents_of(seed=77, batch=40)
    before, after = (
        sum(state(make)(latents)["losses"].values()).item()
        for state in (started, functools.partial(trained, n_steps=40))
    )
    assert after < before


@every_variant
def test_untrained_codes_are_those_of_an_independent_computation(make, oracle):
    model, latents = started(make), latents_of()
    expected = oracle(model, rows_of(latents, model.patch_size))
    codes = model.encode(latents)
    rows = dense(codes).detach().flatten(0, 2)
    assert (rows - expected).norm() <= 1e-5 * expected.norm()
    nothing = rows_of(model.decode(torch.zeros(1, 1, 1, K)), model.patch_size).detach()
    decoded = rows_of(model.decode(codes).detach(), model.patch_size)
    torch.testing.assert_close(decoded - nothing, rows @ model.components.detach())
