"""The network of an autoregressive density of tokenised codes.

Tokens are integers ``(n, n_sites, n_slots, 2)``: the slots of a site hold its atoms and
the bins of their coefficients, atoms ascending; empty slots follow, with the number of
atoms in place of an atom (the end of the site) and bin 0.
"""

import dataclasses
import math
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F


@dataclasses.dataclass(frozen=True)
class CodeSpace:
    """What tokens there are.

    Attributes
    ----------
    grid_shape : tuple of int (h, w)
    n_atoms, n_bins : int
    n_slots : int
        Most pairs of an atom and a bin at a site.
    counts : bool
        Whether an atom may stand in several slots of a site, and all slots are full;
        otherwise each stands in one at most, and a site may end early.
    """

    grid_shape: tuple
    n_atoms: int
    n_bins: int
    n_slots: int
    counts: bool

    @property
    def n_sites(self):
        """Sites of an image."""
        return math.prod(self.grid_shape)

    def legal(self, previous: torch.Tensor) -> torch.Tensor:
        """Which atoms ``(..., n_atoms + 1)`` may follow; the last one is the end.

        ``previous`` holds the atoms before, -1 at the start of a site. After the end
        comes nothing but the end.
        """
        atoms = torch.arange(self.n_atoms + 1, device=previous.device)
        previous = previous[..., None]
        if self.counts:
            return (atoms >= previous) & (atoms < self.n_atoms)
        return (atoms > previous) | (atoms == self.n_atoms)


class _Feedforward(nn.Sequential):
    """The residual of a perceptron with one hidden layer."""

    def __init__(self, width, dropout):
        super().__init__(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x):
        return x + super().forward(x)


class _CausalAttention(nn.Module):
    """The residual of attention to what came before, and to itself."""

    def __init__(self, width, n_heads, dropout):
        super().__init__()
        self.n_heads = n_heads
        self.norm = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, past=None):
        """Attend in ``(n, length, width)``.

        With a list ``past``, which starts empty, ``x`` is the next position alone; its
        keys and values are added to the list.
        """
        projected = self.queries_keys_values(self.norm(x))
        heads = projected.unflatten(-1, (3, self.n_heads, -1))
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        if past is not None:
            past.append((key, value))
            key, value = (torch.cat(parts, 2) for parts in zip(*past, strict=True))
        mixed = F.scaled_dot_product_attention(
            query, key, value, is_causal=past is None
        )
        return x + self.dropout(self.out(mixed.transpose(1, 2).flatten(2)))


class CodeTransformer(nn.Module):
    """The probability of every token, given those before it.

    A transformer looks at the sites before a site; what it finds, together with the
    pairs that the site already has, gives the next atom, and that its bin. Pairs are
    embedded jointly and summed up: since their order in a site is fixed, a sum can say
    all that is known of them. Sums make work and memory linear in the slots, and only
    attention quadratic in the sites.

    Parameters
    ----------
    space : CodeSpace
    width : int
        Length of the vectors that stand for sites, pairs and slots.
    n_layers : int
        Blocks that look at the sites before.
    n_heads : int
        Attention heads; they share ``width``.
    dropout : float
    """

    def __init__(self, space, width, n_layers, n_heads, dropout):
        super().__init__()
        self.space, self.width = space, width
        self.atoms = nn.Embedding(space.n_atoms + 1, width)
        self.bins = nn.Embedding(space.n_bins, width)
        self.pair = _Feedforward(width, dropout)
        self.rows, self.columns = (
            nn.Parameter(torch.randn(size, width)) for size in space.grid_shape
        )
        self.slots = nn.Parameter(torch.randn(space.n_slots, width))
        self.blocks = nn.ModuleList()
        for _ in range(n_layers):
            attention = _CausalAttention(width, n_heads, dropout)
            feedforward = _Feedforward(width, dropout)
            self.blocks.append(nn.ModuleList([attention, feedforward]))
        self.slot = nn.Sequential(
            _Feedforward(width, dropout),
            _Feedforward(width, dropout),
            nn.LayerNorm(width),
        )
        self.atom_logits = nn.Linear(width, space.n_atoms + 1)
        self.bin = nn.Sequential(_Feedforward(width, dropout), nn.LayerNorm(width))
        self.bin_logits = nn.Linear(width, space.n_bins)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Log-probability of the pair in each slot, ``(n, n_sites, n_slots)``, in nats.

        That of the end in the first empty slot; zero in those after it.
        """
        atoms, bins = tokens.unbind(-1)
        pairs = self._embed(atoms, bins)
        sites = F.pad(pairs.sum(2)[:, :-1], (0, 0, 1, 0))
        known = pairs.cumsum(2) - pairs
        hidden = self._hidden(self._context(sites)[:, :, None], known)
        previous = F.pad(atoms[..., :-1], (1, 0), value=-1)
        of_atom = self._log_atoms(hidden, previous).gather(-1, atoms[..., None])
        of_bin = self._log_bins(hidden, atoms).gather(-1, bins[..., None])
        is_pair = atoms < self.space.n_atoms
        return of_atom[..., 0] + of_bin[..., 0] * is_pair

    @torch.no_grad()
    def generate(self, n_images: int, choose: Callable, bar) -> torch.Tensor:
        """Fill tokens of ``n_images`` images with what ``choose`` says of each.

        All images go on together, site by site and slot by slot; a site that has ended
        is not looked at again. What is computed, and in which order, depends on nothing
        but the tokens so far: given the same ones, probabilities are the same.

        Parameters
        ----------
        n_images : int
        choose : callable
            ``choose(log_probabilities, place)`` returns an index for each row, where
            ``tokens[place]`` are those that it fills. It is not asked for bins where
            there is only one.
        bar : object
            ``bar.update(n)`` is told how many images more are done, in parts.

        Returns
        -------
        tokens : tensor of int (n_images, n_sites, n_slots, 2)
        """
        space, device = self.space, self.slots.device
        tokens = torch.zeros(
            (n_images, space.n_sites, space.n_slots, 2), dtype=int, device=device
        )
        tokens[..., 0] = space.n_atoms
        site = self.slots.new_zeros((n_images, self.width))
        pasts = [[] for _ in self.blocks]
        for i in range(space.n_sites):
            context = self._context(site[:, None], i, pasts)[:, 0]
            site = torch.zeros_like(site)
            rows = torch.arange(n_images, device=device)
            atoms = torch.full((n_images,), -1, device=device)
            for k in range(space.n_slots):
                hidden = self._hidden(context[rows], site[rows], slice(k, k + 1))
                atoms = choose(self._log_atoms(hidden, atoms), (rows, i, k, 0))
                goes_on = atoms < space.n_atoms
                rows, hidden, atoms = rows[goes_on], hidden[goes_on], atoms[goes_on]
                if not len(rows):
                    break
                tokens[rows, i, k, 0] = atoms
                if space.n_bins > 1:
                    bins = choose(self._log_bins(hidden, atoms), (rows, i, k, 1))
                    tokens[rows, i, k, 1] = bins
                site[rows] += self._embed(*tokens[rows, i, k].T)
            bar.update(n_images / space.n_sites)
        return tokens

    def _embed(self, atoms, bins):
        """Joint embedding of atoms and bins; zero for an empty slot."""
        pairs = self.pair(self.atoms(atoms) + self.bins(bins))
        return pairs * (atoms < self.space.n_atoms)[..., None]

    def _context(self, sites, first=0, pasts=None):
        """Say of each site what those before tell; ``sites`` holds the one before."""
        places = (self.rows[:, None] + self.columns).flatten(0, 1)
        x = sites + places[first : first + sites.shape[1]]
        for i, (attention, feedforward) in enumerate(self.blocks):
            x = feedforward(attention(x, None if pasts is None else pasts[i]))
        return x

    def _hidden(self, context, known, slots=slice(None)):
        """Join what is known of slots: sites before, pairs before, and which it is."""
        return self.slot(context + known + self.slots[slots])

    def _log_atoms(self, hidden, previous):
        logits = self.atom_logits(hidden)
        illegal = ~self.space.legal(previous)
        return logits.masked_fill(illegal, -torch.inf).log_softmax(-1)

    def _log_bins(self, hidden, atoms):
        return self.bin_logits(self.bin(hidden + self.atoms(atoms))).log_softmax(-1)

    def parameter_groups(self, lr: float) -> list[dict]:
        """Optimizer groups: all at one rate."""
        return [{"params": list(self.parameters()), "lr": lr}]
