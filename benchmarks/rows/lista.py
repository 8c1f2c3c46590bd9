"""Learned ISTA: 16 steps over 512 atoms, forward, and forward with backward.

The peer is SC-VAE's form written plainly in torch: ``z = h(W_e x + S z)`` with a K x K
matrix S, every step under autograd. The limit is the matrix products alone, in chunks
that stay in the cache, into memory that is there; the goals count from the products of
all signals at once, which wait for the memory. 16,384 Gaussian signals, the sites of 16
photos, of 256 numbers; with 16 numbers the peer is our own loop with the K x K
product, which shows what the factored form is worth.
"""

import functools

import _common
import torch

from rows._contenders import Here, race
from rows._results import Check, Result, ratio
from sklearn_sparsevae.sparse import (
    dct_dictionary,
    fista_momentum,
    ista,
    lipschitz_constant,
    normalize_atoms,
    unrolled_ista,
)

N_ATOMS, N_STEPS, N_SIGNALS, ALPHA = 512, 16, 16384, 0.2
CHUNK = 1024  # rows of a product that stay in the cache
CODES_MIB = N_SIGNALS * N_ATOMS * 4 / 2**20  # a tensor of codes


def problem(latent_dim):
    """Signals, filters W_e, atoms, S of Eq. 2 and thresholds, which take gradients."""
    generator = torch.Generator().manual_seed(_common.SEED)
    signals = torch.randn(N_SIGNALS, latent_dim, generator=generator)
    atoms = torch.randn(N_ATOMS, latent_dim, generator=generator)
    atoms = normalize_atoms(atoms)
    lipschitz = lipschitz_constant(atoms)
    inhibition = torch.eye(N_ATOMS) - atoms @ atoms.mT / lipschitz
    thresholds = torch.full((N_ATOMS,), ALPHA / float(lipschitz))
    parts = {
        "signals": signals,
        "filters": atoms / lipschitz,
        "atoms": atoms,
        "inhibition": inhibition,
        "thresholds": thresholds,
    }
    return {name: part.requires_grad_() for name, part in parts.items()}


def plain(signals, filters, inhibition, thresholds, **_):
    """SC-VAE's Eq. 2, step by step."""
    start = signals @ filters.mT
    codes = _shrink(start, thresholds)
    for _ in range(N_STEPS - 1):
        codes = _shrink(start + codes @ inhibition.mT, thresholds)
    return codes


def _shrink(values, thresholds):
    return torch.sign(values) * torch.relu(values.abs() - thresholds)


def factored(signals, filters, atoms, thresholds, **_):
    """Ours, S tied to W_e and the atoms: two thin products a step."""
    momentum = fista_momentum(N_STEPS, momentum=False)
    return unrolled_ista(signals, filters, atoms, thresholds, momentum=momentum)


def free(signals, filters, atoms, inhibition, thresholds):
    """Ours, with S a matrix of its own: one K x K product a step."""
    return unrolled_ista(
        signals,
        filters,
        atoms,
        thresholds,
        momentum=fista_momentum(N_STEPS, momentum=False),
        inhibition=torch.eye(N_ATOMS) - inhibition,
    )


def forward(rollout, parts):
    """Make a forward pass that keeps nothing for the backward one."""

    def run():
        with torch.no_grad():
            rollout(**parts)

    return run


def with_backward(rollout, parts):
    """Make a forward and backward pass; the gradient of the codes is the codes."""

    def run():
        codes = rollout(**parts)
        codes.backward(codes.detach())
        for part in parts.values():
            part.grad = None

    return run


def products(latent_dim, chunk=CHUNK, *, backward):
    """Make the matrix products alone; each has two more of its size going backward."""
    codes = torch.randn(chunk, N_ATOMS)
    rows = torch.randn(chunk, latent_dim)
    atoms = torch.randn(N_ATOMS, latent_dim)
    codes_out, rows_out, atoms_out = map(torch.empty_like, (codes, rows, atoms))

    def run():
        for _ in range(N_SIGNALS // chunk * (2 * N_STEPS - 1)):
            torch.mm(rows, atoms.mT, out=codes_out)
            if backward:
                torch.mm(codes, atoms, out=rows_out)
                torch.mm(codes.mT, rows, out=atoms_out)

    return run


def measure_forward():
    """Measure the forward pass."""
    parts = problem(256)
    runs = {
        "factored": forward(factored, parts),
        "plain": forward(plain, parts),
        "products": products(256, backward=False),
        "products at once": products(256, N_SIGNALS, backward=False),
    }
    return _result("LISTA forward", runs, 2.5, 0.95)


def measure_with_backward():
    """Measure forward and backward."""
    parts = problem(256)
    runs = {
        "factored": with_backward(factored, parts),
        "plain": with_backward(plain, parts),
        "products": products(256, backward=True),
        "products at once": products(256, N_SIGNALS, backward=True),
    }
    result = _result("LISTA forward + backward", runs, 2.3, 0.8)
    if result.ours.memory_mib is None:
        return result
    # The codes and their gradient are there in any form.
    kept = (result.ours.memory_mib - 2 * CODES_MIB) / CODES_MIB / N_STEPS
    text = "LISTA forward + backward, memory in tensors of codes for each step"
    return result.with_checks(Check(text, kept, at_most=1))


def _result(job, runs, peer_goal, products_goal):
    figures = race({name: Here(run, N_SIGNALS) for name, run in runs.items()})
    ours, peer, limit, at_once = figures.values()
    checks = (
        Check(f"{job} over the plain form", ratio(ours, peer), peer_goal),
        Check(f"{job} over the products at once", ratio(ours, at_once), products_goal),
    )
    return Result(f"{job}, 256 x 512", "signals/s", ours, (peer,), limit, checks)


def measure_factored():
    """Measure the factored form beside that with the K x K product."""
    parts = problem(16)
    runs = {
        "factored": forward(factored, parts),
        "K x K": forward(free, parts),
        "products": products(16, backward=False),
    }
    figures = race({name: Here(run, N_SIGNALS) for name, run in runs.items()})
    ours, peer, limit = figures.values()
    text = "LISTA forward, 16 x 512, factored over K x K"
    check = Check(text, ratio(ours, peer), at_least=8)
    return Result(
        "LISTA forward, 16 x 512", "signals/s", ours, (peer,), limit, (check,)
    )


def gap_closed():
    """How many times nearer FISTA comes to the lasso's minimum than ISTA, in 16 steps.

    Signals of 10 atoms of a dictionary of cosines.
    """
    generator = torch.Generator().manual_seed(_common.SEED)
    atoms = dct_dictionary(256, N_ATOMS).double()
    codes = torch.randn(256, N_ATOMS, generator=generator, dtype=torch.float64)
    order = torch.rand(codes.shape, generator=generator).argsort(1)
    signals = codes.masked_fill(order >= 10, 0) @ atoms
    objective = functools.partial(_objective, signals, atoms)
    code = functools.partial(ista, signals, atoms, ALPHA)
    least = objective(code(2000, momentum=True))
    gaps = [objective(code(N_STEPS, momentum=m)) - least for m in (False, True)]
    return gaps[0] / gaps[1]


def _objective(signals, atoms, codes):
    error = (signals - codes @ atoms).square().sum()
    return float(0.5 * error + ALPHA * codes.abs().sum())


def measure():
    """Results of this row."""
    text = "LISTA, gap to the lasso's minimum after 16 steps, ISTA's over FISTA's"
    momentum = Check(text, gap_closed(), at_least=10)
    return [
        measure_forward().with_checks(momentum),
        measure_with_backward(),
        measure_factored(),
    ]
