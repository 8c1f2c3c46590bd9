"""The contract of a bottleneck: what sits between every encoder and decoder.

A new bottleneck is one file beside this one, its name in ``__init__.py`` and an entry
with an oracle in the table of ``tests/bottlenecks/test_contract.py``. It subclasses
`Bottleneck`, or

* `MeansApart` where its codes are sparse and linear: channel means are the largest
  numbers of every patch, and a code that spends non-zeros on them has few left;
* `~sklearn_sparsevae.bottlenecks.probabilistic.ProbabilisticBottleneck` where codes
  have a prior to sample from;
* `~sklearn_sparsevae.bottlenecks.selection.AtomSelection` where atoms are selected
  without a gradient.

What the tests of estimators ask for beyond the methods:

* A code does not depend on the other samples of its batch: no statistics over a batch
  in `encode`, and where a decision (which atom, zero or not) could turn on the last
  bit, products by `row_products`, which rounds alike for any number of rows.
* At most S atoms per site are returned as `CompactCodes`, not written out over all K.
* `initialize` copes with any data: constant, all zeros, fewer rows than atoms.
* Atoms are the parameter ``atoms``; those of a linear code have unit norm where they
  are used, so that no penalty on the codes can be avoided by scaling.
* All that decides the codes is in the state dict, and `forward` in evaluation decodes
  what `encode` returns.
"""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_sparsevae.sparse import normalize_atoms


@dataclasses.dataclass(frozen=True)
class CompactCodes:
    """Codes of at most S atoms per site, never written out over all atoms.

    Attributes
    ----------
    indices : (batch, h, w, S) int64 tensor
        Atoms of a site; -1 where there is none. An atom may come more than once: its
        values add up.
    values : (batch, h, w, S) tensor
        Their coefficients; 0 where there is no atom.
    """

    indices: torch.Tensor
    values: torch.Tensor


# Codes in either form.
TorchCodes: TypeAlias = torch.Tensor | CompactCodes


class Bottleneck(nn.Module, abc.ABC):
    """Turns a grid of latents into codes and back.

    Latents are ``(batch, latent_dim, h, w)``; a vector is a 1 x 1 grid. A bottleneck
    knows nothing of images, training or discriminators, and the code of a sample never
    depends on the other samples of its batch.

    Codes are a tensor ``(batch, h, w, n_components)``, or `CompactCodes` where the
    number of non-zeros is bounded.

    Attributes
    ----------
    n_components : int
        Number K of atoms.
    """

    #: What the codes promise: "exact zeros", "n_nonzero_coefs" (no more than the
    #: attribute of that name), "counts" (whole numbers that add up to
    #: ``n_quantizers``) or "dense".
    code_kind: str
    #: Side of the square of latents that is coded together, as one site.
    patch_size = 1
    #: Leading components that code channel means, and so are always on.
    n_mean_dims = 0

    @property
    @abc.abstractmethod
    def components(self) -> torch.Tensor:
        """The atoms, ``(n_components, latent_dim * patch_size ** 2)``."""

    def initialize(self, rows: torch.Tensor, seed: int) -> None:  # noqa: B027
        """Start from data: rows of latents as `to_rows` gives them."""

    @abc.abstractmethod
    def encode(self, latents: torch.Tensor) -> TorchCodes:
        """Codes of latents."""

    def decode(self, codes: TorchCodes) -> torch.Tensor:
        """Latents ``Z D`` of codes in either form (SC-VAE Section 4.1)."""
        return self.from_rows(combine(codes, self.components))

    @abc.abstractmethod
    def forward(self, latents: torch.Tensor) -> dict[str, Any]:
        """Return ``latents`` (decoded), ``codes`` and ``losses``: scalars by name.

        Losses are means over all sites of the batch; there may be none.
        """

    def figures(self, codes: TorchCodes) -> dict[str, float]:
        """Return what the history of a fit records of the codes of a batch, by name."""
        values = codes.values if isinstance(codes, CompactCodes) else codes
        return {"nonzeros": _count_nonzero(values) / values[..., 0].numel()}

    def usage_counts(self, codes: TorchCodes) -> np.ndarray | None:
        """Count the sites of a batch that use each component.

        Those of the means are left out; None where codes are dense, and use all.
        """
        if self.code_kind == "dense":
            return None
        if isinstance(codes, CompactCodes):
            usage = _count_atoms(codes, self.n_components)
        else:
            used = codes.bool().cpu().numpy()
            usage = np.count_nonzero(used, axis=(0, 1, 2))
        return usage[self.n_mean_dims :]

    def reset_dead_atoms(self) -> dict[nn.Parameter, torch.Tensor]:
        """Replace atoms that were little used since the last call.

        Returns
        -------
        replaced : dict of {Parameter: index tensor}
            The rows that changed, whose optimizer state must be reset.
        """
        return {}

    def advance(self, n_epochs: float) -> None:  # noqa: B027
        """Take note of the epochs trained so far, in fractions, before every batch."""

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        """Optimizer groups: every parameter once, with its learning rate."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def to_rows(self, latents: torch.Tensor) -> torch.Tensor:
        """Latents site by site: ``(batch, h, w, latent_dim * patch_size ** 2)``."""
        return F.pixel_unshuffle(latents, self.patch_size).permute(0, 2, 3, 1)

    def from_rows(self, rows: torch.Tensor) -> torch.Tensor:
        """Inverse of `to_rows`."""
        return F.pixel_shuffle(rows.permute(0, 3, 1, 2), self.patch_size)


class MeansApart(Bottleneck):
    """Bottleneck that hands the first ``n_mean_dims`` latents on as they are.

    The residual backbone puts the channel means of a patch there. Each is coded by a
    unit atom of its own, which come first among the components, and what the subclass
    codes is the rest, with `atoms`, a parameter that is normalised where it is used.

    Parameters
    ----------
    latent_dim, n_components : int
        Length n of a latent and number K of atoms, the ``n_mean_dims`` included.
    n_mean_dims : int
        Leading latents that are coded apart.
    """

    atoms: nn.Parameter

    def __init__(self, latent_dim: int, n_components: int, n_mean_dims: int) -> None:
        super().__init__()
        self.latent_dim, self.n_components = latent_dim, n_components
        self.n_mean_dims = n_mean_dims
        if min(latent_dim, n_components) <= n_mean_dims:
            raise ValueError(
                f"n_components={n_components} and latent_dim={latent_dim} must both "
                f"exceed the {n_mean_dims} latents that are coded apart (one for each "
                "image channel)."
            )

    @property
    def atom_shape(self) -> tuple[int, int]:
        """Shape ``(K, n)`` of `atoms`: those of the means are not among them."""
        return self.n_components - self.n_mean_dims, self.latent_dim - self.n_mean_dims

    @property
    def unit_atoms(self) -> torch.Tensor:
        """`atoms`, of unit norm."""
        return normalize_atoms(self.atoms)

    @property
    def components(self) -> torch.Tensor:
        """Atoms ``(K, latent_dim)`` of unit norm; those of the means come first."""
        return torch.block_diag(
            torch.eye(self.n_mean_dims).to(self.atoms), self.unit_atoms
        )

    def first_atoms(self, dictionary: torch.Tensor | np.ndarray | None) -> torch.Tensor:
        """Return unit atoms ``(K, n)``: those given, or random ones for None."""
        if dictionary is None:
            generator = torch.Generator().manual_seed(0)
            dictionary = torch.randn(self.atom_shape, generator=generator)
        dictionary = torch.as_tensor(dictionary, dtype=torch.float32)
        if tuple(dictionary.shape) != self.atom_shape:
            raise ValueError(
                f"The dictionary has shape {tuple(dictionary.shape)}, expected "
                f"(n_components, latent_dim) = {self.atom_shape} without the "
                f"{self.n_mean_dims} that are coded apart."
            )
        return normalize_atoms(dictionary)

    def split(
        self, latents: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Size]:
        """Means ``(N, n_mean_dims)`` and the rest ``(N, n)`` of all sites; their grid.

        The grid is ``(batch, h, w)``: what ``unflatten(0, grid)`` takes.
        """
        rows = self.to_rows(latents)
        means, rest = rows.flatten(0, 2).tensor_split([self.n_mean_dims], 1)
        return means, rest, rows.shape[:3]

    def join(
        self, means: torch.Tensor, codes: TorchCodes, grid: Sequence[int]
    ) -> TorchCodes:
        """Codes of a grid, from the means and the codes of the rest of each site.

        ``codes`` are ``(N, K)``, or `CompactCodes` ``(N, S)`` whose indices count
        `atoms`; in either form the means come first.
        """
        if not isinstance(codes, CompactCodes):
            return torch.cat([means, codes], 1).unflatten(0, grid)
        first = torch.arange(self.n_mean_dims, device=means.device)
        indices = codes.indices + self.n_mean_dims * (codes.indices >= 0)
        indices = torch.cat([first.expand(means.shape[0], -1), indices], 1)
        values = torch.cat([means, codes.values], 1)
        return CompactCodes(indices.unflatten(0, grid), values.unflatten(0, grid))


def combine(codes, atoms):
    """Linear combinations ``Z D`` of atoms (LASERS Eq. 12).

    Parameters
    ----------
    codes : tensor (..., K) or CompactCodes (..., S)
    atoms : (K, n) tensor

    Returns
    -------
    rows : (..., n) tensor
    """
    if not isinstance(codes, CompactCodes):
        return codes @ atoms.to(codes.dtype)  # [LASERS Eq. 12]
    *grid, n_slots = codes.indices.shape
    rows = F.embedding_bag(  # [LASERS Eq. 12]
        codes.indices.reshape(-1, n_slots).clamp(min=0),  # -1 has the value 0
        atoms,
        per_sample_weights=codes.values.reshape(-1, n_slots),
        mode="sum",
    )
    return rows.unflatten(0, grid)


def branch_from_zero(layer, width, n_in, n_out):
    """Network with ``width`` hidden units whose output starts at zero.

    ``layer(n_in, n_out)`` makes its two layers.
    """
    last = layer(width, n_out)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(layer(n_in, width), nn.ReLU(), last)


def _count_nonzero(values):
    """Count what is not zero; on a CPU numpy takes a tenth of torch's time for it."""
    found = values.bool()
    if found.device.type == "cpu":
        return np.count_nonzero(found.numpy())
    return int(found.sum())


def _count_atoms(codes, n_components):
    """Count the sites that use each atom, ``(K,)``; one that repeats there is one."""
    indices = codes.indices.masked_fill(codes.values == 0, -1).flatten(0, 2)
    indices = np.sort(indices.cpu().numpy(), axis=1)
    used = indices >= 0
    used[:, 1:] &= indices[:, 1:] != indices[:, :-1]
    return np.bincount(indices[used], minlength=n_components)
