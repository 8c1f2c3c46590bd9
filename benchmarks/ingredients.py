"""What each ingredient of ``SparseCodingVAE`` is worth: one changed at a time.

Fits ``SparseCodingVAE(n_components=512, n_downsamples=2)`` on few images of CIFAR-10
(JPEG) for a short time, once as it is and once for every ingredient that is left out or
replaced, for the pursuit (``shrinkage="support"``) and for the paper's shrinkage. PSNR,
non-zeros and atoms are those of ``benchmarks/reconstruction.py``.

Two rows differ in PSNR *and* in non-zeros. *At equal nnz* is PSNR less that of the
default at the same non-zeros, from its curve over alpha, interpolated; a dash where
the curve does not reach.

Run ``python benchmarks/ingredients.py --data cifar10_jpeg.zip``.
"""

import _cifar
import _common
import _record
import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import SparseCodingVAE, metrics
from sklearn_sparsevae.bottlenecks import CompactCodes, LearnedISTA, LearnedPursuit
from sklearn_sparsevae.bottlenecks.thresholds import AtomThreshold
from sklearn_sparsevae.sparse import batch_omp, normalize_atoms

TASK = {"n_components": 512, "n_downsamples": 2}
EPOCHS = 2
CURVES = {
    "support": (0.01, 0.02, 0.045, 0.07),
    "soft": (0.05, 0.07, 0.14, 0.2),
}


class Changed(SparseCodingVAE):
    """The estimator with another bottleneck, made from the one that it would have."""

    def change(self, kind=None, **options):
        """Set the class of the bottleneck, or what it is built with."""
        self._kind, self._changes = kind, options
        return self

    def _make_bottleneck(self, backbone):
        if "n_mean_dims" in self._changes:
            backbone.n_mean_dims = self._changes["n_mean_dims"]
        made = super()._make_bottleneck(backbone)
        if self._kind is not None:
            made.__class__ = self._kind
            if hasattr(made, "changed"):
                made.changed()
        return made


class ByOMP(LearnedPursuit):
    """Atoms of largest correlation, not of largest decrease."""

    def _select(self, x, atoms, thresholds):
        return CompactCodes(
            *batch_omp(
                x, atoms, self.n_steps, min_decrease=self.alpha**2, check_finite=False
            )
        )


class WithoutReset(LearnedPursuit):
    """Atoms that are hardly used stay."""

    def reset_dead_atoms(self):
        """Leave them."""
        return {}


class FromLatents(LearnedPursuit):
    """Training starts from atoms that are latents, not from a learned dictionary."""

    def initialize(self, rows, seed):
        """Take rows that are not flat, at random."""
        detail = rows[:, self.n_mean_dims :]
        norms = detail.norm(dim=1)
        detail = detail[norms > norms.median()]
        chosen = torch.randperm(len(detail))[: len(self.atoms)]
        self.atoms.data.copy_(normalize_atoms(detail[chosen]))


class ByGradientSteps(LearnedPursuit):
    """Values by the rollout's gradient steps, two for each atom, not least squares.

    Half as many atoms as steps: with more, the steps are longer than a support of
    coherent atoms allows, and diverge.

    Every other step a free filter W_e finds the next atom, as SC-VAE's Eq. 2 has one;
    step sizes and extrapolation weights are trained.
    """

    free_filters = False

    def changed(self):
        """Add the scalars of the steps, and filters where they are free."""
        self.n_steps //= 2
        self.n_nonzero_coefs = self.n_steps + self.n_mean_dims
        n_steps = 2 * self.n_steps
        self.step_sizes = torch.nn.Parameter(torch.full((n_steps,), 0.5))
        self.extrapolation = torch.nn.Parameter(torch.full((n_steps,), 0.3))
        if self.free_filters:
            self.filters = torch.nn.Parameter(self.atoms.detach().clone())

    def initialize(self, rows, seed):
        """Start the filters as the atoms."""
        super().initialize(rows, seed)
        if self.free_filters:
            self.filters.data.copy_(normalize_atoms(self.atoms))

    def _select(self, x, atoms, thresholds):
        filters = self.filters if self.free_filters else atoms
        with torch.no_grad():
            support = self._grow(x, atoms, filters)
        if self.training:  # `forward` rolls out the values, with a gradient
            return CompactCodes(support, torch.zeros_like(x[:, :1]).expand_as(support))
        return CompactCodes(support, self._values(x, atoms, filters, support))

    def _grow(self, x, atoms, filters):
        """Support (N, S) of the rollout, -1 once no atom is worth its place."""
        z = x.new_zeros(len(x), len(atoms))
        before, on = z, torch.zeros_like(z, dtype=torch.bool)
        open_ = torch.ones(len(x), dtype=torch.bool)
        found = torch.full((len(x), self.n_steps), -1)
        for t in range(2 * self.n_steps):
            if t % 2 == 0:
                scores = ((x - z @ atoms) @ filters.mT).abs().masked_fill(on, 0)
                best, atom = scores.max(1)
                open_ &= best > self.alpha
                found[open_, t // 2] = atom[open_]
                on[open_, atom[open_]] = True
            y = z + self.extrapolation[t] * (z - before)
            step = self.step_sizes[t] * ((x - y @ atoms) @ filters.mT)
            z, before = (y + step) * on, z
        return found

    def _values(self, x, atoms, filters, support):
        """Values (N, S) of the rollout on its support."""
        on = support >= 0
        chosen = atoms[support.clamp(min=0)] * on[..., None]
        by = filters[support.clamp(min=0)] * on[..., None]
        first = torch.arange(support.shape[1])
        z = before = x.new_zeros(support.shape)
        for t in range(2 * self.n_steps):
            y = z + self.extrapolation[t] * (z - before)
            residual = x - (y[:, None] @ chosen)[:, 0]
            step = self.step_sizes[t] * (by @ residual[..., None])[..., 0]
            z, before = (y + step) * (first <= t // 2), z
        return z

    def forward(self, latents):
        """Code and decode, with the gradient of the rollout."""
        if not self.training:
            return super().forward(latents)
        means, x, grid = self.split(latents)
        atoms = self.unit_atoms
        support = self._select(x.detach(), atoms.detach(), None).indices
        self._observe(x.detach(), support)
        filters = self.filters if self.free_filters else atoms
        values = self._values(x, atoms, filters, support)
        codes = CompactCodes(support, values)
        used = (atoms[support.clamp(min=0)] * values[..., None]).sum(1)
        latent = 0.5 * (x - used).pow(2).sum(1).mean()
        decoded = torch.cat([means, used], 1).unflatten(0, grid)
        return {
            "latents": self.from_rows(decoded),
            "codes": self.join(means, codes, grid),
            "losses": {"latent": latent},
        }

    def parameter_groups(self, lr):
        """Scalars at 10 times ``lr``, filters like atoms."""
        groups = super().parameter_groups(lr)
        groups.append({"params": [self.step_sizes, self.extrapolation], "lr": 10 * lr})
        if self.free_filters:
            groups.append({"params": [self.filters], "lr": 3 * lr})
        return groups


class FreeFilters(ByGradientSteps):
    """The same with filters of their own."""

    free_filters = True


class FadingFilters(LearnedISTA):
    """Filters that can fade and so gate their atoms off."""

    def _filters(self, atoms):
        return self.filters


class FastThresholds(FadingFilters):
    """The same, with a threshold for each atom that trains as fast as the scalars."""

    def changed(self):
        """Have such thresholds."""
        self.thresholds = _Fast(self.latent_dim, len(self.atoms), self.alpha, True)


class _Fast(AtomThreshold):
    def scalars(self):
        return [self.raw]


#: (name, bottleneck, what is changed of the bottleneck, what of the estimator)
SUPPORT = [
    ("values by gradient steps, W_e = D", ByGradientSteps, {}, {}),
    ("values by gradient steps, W_e free", FreeFilters, {}, {}),
    ("atoms by correlation (OMP)", ByOMP, {}, {}),
    ("no dead atoms reset", WithoutReset, {}, {}),
    ("threshold='atom'", None, {}, {"threshold": "atom"}),
    ("threshold='vector'", None, {}, {"threshold": "vector"}),
    ("threshold='structured'", None, {}, {"threshold": "structured"}),
    ("means not apart", None, {"n_mean_dims": 0}, {}),
    ("start: latents for atoms", FromLatents, {}, {}),
    ("dictionary='dct'", None, {}, {"dictionary": "dct"}),
    ("linear encoder and decoder", None, {}, {"backbone_params": {"n_blocks": 0}}),
    ("before training", None, {}, {"max_epochs": 0}),
]
SOFT = [
    ("filters free to fade", FadingFilters, {}, {}),
    ("and fast thresholds, one an atom", FastThresholds, {}, {}),
    ("threshold='atom' (slow)", None, {}, {"threshold": "atom"}),
    ("threshold='vector'", None, {}, {"threshold": "vector"}),
    ("threshold='structured'", None, {}, {"threshold": "structured"}),
    ("learn_alpha=False", None, {}, {"learn_alpha": False}),
    ("penalty='l1'", None, {}, {"penalty": "l1"}),
    ("momentum=False", None, {}, {"momentum": False}),
    ("coupled=False", None, {}, {"coupled": False}),
    ("means not apart", None, {"n_mean_dims": 0}, {}),
    ("dictionary='dct'", None, {}, {"dictionary": "dct"}),
    ("before training", None, {}, {"max_epochs": 0}),
]


def measure(name, model, train, test, curve=None):
    """Fit, code, measure and print."""
    try:
        seconds, _ = _common.timed_fit(model, train)
    except FloatingPointError as error:
        print(f"{name:38s} diverged: {error}", flush=True)
        return {"change": name, "diverged": str(error)}
    codes = model.transform(test)
    row = {
        "change": name,
        "psnr": metrics.psnr(test, model.inverse_transform(codes)),
        "nonzeros": metrics.nonzeros_per_site(codes),
        "atoms": metrics.usage_perplexity(codes),
        "cpu_seconds": seconds,
    }
    gap = "-"
    if curve is not None:
        row["gap"] = row["psnr"] - float(curve(row["nonzeros"]))
        gap = "-" if np.isnan(row["gap"]) else f"{row['gap']:+.2f}"
    print(
        f"{name:38s} {row['psnr']:7.2f} {row['nonzeros']:6.2f} {gap:>8s} "
        f"{row['atoms']:6.0f} {seconds:7.1f}",
        flush=True,
    )
    return row


def run(shrinkage, changes, train, test, options):
    """Rows of one shrinkage."""
    common = {"shrinkage": shrinkage, "random_state": 0, **TASK, **options}
    print(f"\nshrinkage={shrinkage!r}", flush=True)
    rows = [measure("none", SparseCodingVAE(**common), train, test)]
    for alpha in CURVES[shrinkage]:
        model = SparseCodingVAE(alpha=alpha, **common)
        rows.append(measure(f"alpha={alpha}", model, train, test))
    points = sorted((row["nonzeros"], row["psnr"]) for row in rows)
    curve = PchipInterpolator(*np.transpose(points), extrapolate=False)
    for name, kind, changed, given in changes:
        model = Changed(**(common | given)).change(kind, **changed)
        rows.append(measure(name, model, train, test, curve))
    return rows


def to_table(rows):
    """Table of one shrinkage, without the curve over alpha."""
    columns = _record.columns(
        "atoms",
        psnr=("PSNR, dB", ".2f"),
        nonzeros=("non-zeros a site", ".2f"),
        gap=("at equal non-zeros", "+.1f"),
        cpu_seconds=("CPU-seconds of the fit", ".0f"),
    )
    columns = {k: columns[k] for k in "psnr nonzeros gap atoms cpu_seconds".split()}
    made = []
    for row in rows:
        name = row["change"]
        if name.startswith("alpha="):
            continue
        gap = row.get("gap")
        own = {"gap": "outside" if gap is not None and np.isnan(gap) else gap}
        own |= {"key": _record.key(name), "label": _record.code(name)}
        made.append(row | own)
    return _record.table("change", columns, made)


def main():
    """Read the command line, run, write JSON."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=2000, json_name="ingredients.json"
    )
    options.set_defaults(n_test=400)
    args, train, test = _cifar.start(options)
    epochs = _common.epochs(args, EPOCHS)
    print(f"{_cifar.TITLE}: {len(train)} training, {len(test)} test images, {epochs}")
    columns = f"{'PSNR':>7s} {'nnz':>6s} {'at equal':>8s} {'atoms':>6s} {'CPU s':>7s}"
    print(f"{'change':38s} {columns}")
    with threadpool_limits(args.threads):
        rows = {
            "support": run("support", SUPPORT, train, test, epochs),
            "soft": run("soft", SOFT, train, test, epochs),
        }
    _common.write_json(args.json, {"data": _cifar.TITLE, **rows})
    _record.record(
        args,
        "ingredients",
        tables={shrinkage: to_table(own) for shrinkage, own in rows.items()},
        settings=_cifar.settings(train, test, **epochs),
    )


if __name__ == "__main__":
    main()
