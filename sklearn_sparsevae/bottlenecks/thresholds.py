"""What a coefficient must exceed: SC-VAE's threshold, and SSC-VAE's (Wang et al.).

A policy maps a grid of latents ``(batch, n, h, w)`` to non-negative thresholds, in
units of ``alpha``: ``(K,)`` for all sites, or ``(batch * h * w, K)``. All start at
``alpha`` everywhere, so that every rollout starts as (F)ISTA and every pursuit with
one threshold.

What moves fast is one number for all atoms. One for each atom, trained fast, gates off
whatever a short rollout cannot tell from its neighbours: usage falls to a tenth of the
dictionary. Where thresholds do differ by atom, they train as slowly as the backbone.

Departures from SSC-VAE's equations or its code:

* A softplus keeps the thresholds non-negative. In the released code half of them are
  negative at the start, and the shrinkage then inflates.
* The residual blocks and attentions start as the identity, and the attentions as
  factors in (0, 2) rather than (0, 1).
* The blocks have ``width=16`` channels inside. The paper's 256 (its Table 4: 3.83
  million parameters with 256 latents and 512 atoms) take more time than the rollout.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

_REDUCTION = 16  # atoms for each hidden unit of the channel attention


class ScalarThreshold(nn.Module):
    """One threshold for all atoms and sites (SC-VAE).

    Parameters
    ----------
    latent_dim, n_atoms : int
        Length of a latent, number of atoms.
    alpha : float
        Where the thresholds start.
    learn : bool
        Train them.
    """

    def __init__(self, latent_dim: int, n_atoms: int, alpha: float, learn: bool):
        super().__init__()
        self.n_atoms = n_atoms
        start = torch.full((1,), _inverse_softplus(alpha))
        self.raw = nn.Parameter(start, requires_grad=learn)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Thresholds ``(K,)`` for any latents."""
        return F.softplus(self.raw).expand(self.n_atoms)

    def scalars(self) -> list[nn.Parameter]:
        """Parameters that have to move by factors, not by thousandths."""
        return [self.raw]

    def networks(self) -> list[nn.Parameter]:
        """Parameters with the learning rate of a network."""
        fast = {id(p) for p in self.scalars()}
        return [p for p in self.parameters() if id(p) not in fast]


class AtomThreshold(ScalarThreshold):
    """One threshold for each atom, the same at every site: SC-VAE's theta as printed.

    Trained as slowly as a network.
    """

    def __init__(self, latent_dim, n_atoms, alpha, learn):
        super().__init__(latent_dim, n_atoms, alpha, learn)
        self.raw = nn.Parameter(self.raw.detach().repeat(n_atoms), requires_grad=learn)

    def forward(self, latents):
        """Thresholds ``(K,)`` for any latents."""
        return F.softplus(self.raw)

    def scalars(self):
        """None."""
        return []


class VectorThreshold(ScalarThreshold):
    """One threshold for each atom and site, inferred from the latents (SSC-VAE + In).

    A convolution to K channels and two residual blocks (SSC-VAE, Section 3.2), added to
    one learned number.

    Parameters
    ----------
    latent_dim, n_atoms, alpha, learn
        As in `ScalarThreshold`.
    width : int
        Channels inside the residual blocks.
    """

    def __init__(self, latent_dim, n_atoms, alpha, learn, width=16):
        super().__init__(latent_dim, n_atoms, alpha, learn)
        self.infer = nn.Sequential(
            nn.Conv2d(latent_dim, n_atoms, 3, padding=1),
            _Block(n_atoms, width),
            _Block(n_atoms, width),
        )
        # In units in which the start is 1; zero: what is inferred comes in gradually.
        self.scale = nn.Parameter(torch.zeros(n_atoms, 1, 1))
        self.requires_grad_(learn)

    def forward(self, latents):
        """Thresholds ``(batch * h * w, K)``."""
        return self.grid(latents).permute(0, 2, 3, 1).flatten(0, 2)

    def grid(self, latents):
        """Thresholds ``(batch, K, h, w)``: the alpha of SSC-VAE's Eq. 5."""
        inferred = self.raw + self.scale * self.infer(latents)
        return F.softplus(inferred)  # [SSC-VAE Eq. 5]


class StructuredThreshold(VectorThreshold):
    """Inferred thresholds, refined over atoms and over sites (SSC-VAE).

    Channel attention, then spatial attention, as in CBAM (Woo et al. 2018). They see
    thresholds in units of ``alpha``: such a small input would hardly ever move them.
    """

    def __init__(self, latent_dim, n_atoms, alpha, learn, width=16):
        super().__init__(latent_dim, n_atoms, alpha, learn, width)
        self.unit = alpha
        hidden = max(8, n_atoms // _REDUCTION)
        self.channels = nn.Sequential(
            nn.Linear(n_atoms, hidden, bias=False),
            nn.ReLU(),
            _zeroed(nn.Linear(hidden, n_atoms, bias=False)),
        )
        self.sites = _zeroed(nn.Conv2d(2, 1, 3, padding=1, bias=False))
        self.requires_grad_(learn)

    def grid(self, latents):
        """Refined thresholds ``(batch, K, h, w)``."""
        alpha = super().grid(latents) / self.unit
        over_sites = alpha.mean((2, 3)), alpha.amax((2, 3))
        logits = sum(map(self.channels, over_sites))
        weight = 2 * torch.sigmoid(logits)  # [SSC-VAE Eq. 9]
        alpha = weight[:, :, None, None] * alpha
        over_atoms = torch.stack([alpha.mean(1), alpha.amax(1)], 1)
        weight = 2 * torch.sigmoid(self.sites(over_atoms))  # [SSC-VAE Eq. 10]
        return self.unit * weight * alpha  # [SSC-VAE Eq. 11]


class _Block(nn.Module):
    """Residual block (SSC-VAE, Section 3.2)."""

    def __init__(self, channels, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, channels, 1),
        )

    def forward(self, x):
        return x + self.body(x)


# Names of ``threshold=`` in the estimator.
THRESHOLDS = {
    "scalar": ScalarThreshold,
    "atom": AtomThreshold,
    "vector": VectorThreshold,
    "structured": StructuredThreshold,
}


def make_threshold(name, latent_dim, n_atoms, alpha, learn, width):
    """Policy of a name; ``width`` is for those that infer."""
    kind = THRESHOLDS[name]
    given = {"width": width} if issubclass(kind, VectorThreshold) else {}
    return kind(latent_dim, n_atoms, alpha, learn, **given)


def over_sites(thresholds: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    """Thresholds of a policy as a grid ``(batch, h, w, K)``."""
    batch, _, height, width = latents.shape
    return thresholds.expand(batch * height * width, -1).unflatten(
        0, (batch, height, width)
    )


def _zeroed(layer):
    nn.init.zeros_(layer.weight)
    return layer


def _inverse_softplus(value):
    return math.log(math.expm1(value)) if value < 20 else float(value)
