"""Adam, with orthogonal steps where they help: for the convolutions of a network."""

import math

import torch

# Coefficients of the polynomial that, five times applied, brings singular values to
# about one (Jordan et al. 2024).
_A, _B, _C = 3.4445, -4.7750, 2.0315
_N_ITERATIONS = 5
# Root mean square of a step in units of the learning rate, about that of Adam.
_STEP = 0.2


class Muon(torch.optim.Adam):
    """Adam whose groups with ``"orthogonal": True`` move by orthogonal matrices.

    A convolution's weight is a matrix with a row for each output. Its step is the
    momentum with all singular values brought to one, so that directions that the
    gradient hardly shows are learned as fast as the others [1]_. Steps have the size of
    Adam's, so that one learning rate serves for both. It rises over the first steps.

    torch has an optimizer of that name for matrices only, from version 2.9.

    Parameters
    ----------
    params : iterable
    lr : float
    betas : tuple of float
        Of Adam; the first is the decay of the momentum of orthogonal steps.
    n_warmup : int
        Steps over which the learning rate rises.

    References
    ----------
    .. [1] K. Jordan et al. "Muon: An optimizer for hidden layers in neural networks".
       2024.
    """

    def __init__(self, params, lr=1e-3, betas=(0.95, 0.999), n_warmup=300):
        super().__init__(params, lr=lr, betas=betas)
        self.n_warmup = n_warmup
        for group in self.param_groups:
            group.setdefault("orthogonal", False)
            group.setdefault("n_steps", 0)

    @torch.no_grad()
    def step(self, closure=None):
        """Move all parameters that have a gradient; ``closure`` may compute it."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        groups, rates = self.param_groups, [group["lr"] for group in self.param_groups]
        for group in groups:
            group["n_steps"] += 1
            group["lr"] = group["lr"] * min(1.0, group["n_steps"] / self.n_warmup)
        try:
            for group in groups:
                if group["orthogonal"]:
                    self._move_orthogonally(group)
            self.param_groups = [g for g in groups if not g["orthogonal"]]
            super().step()
        finally:
            self.param_groups = groups
            for group, rate in zip(groups, rates, strict=True):
                group["lr"] = rate
        return loss

    def _move_orthogonally(self, group):
        alike = {}
        for parameter in group["params"]:
            if parameter.grad is not None:
                alike.setdefault(parameter.shape, []).append(parameter)
        decay = group["betas"][0]
        for shape, parameters in alike.items():
            steps = []
            for p in parameters:
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.mul_(decay).add_(p.grad)
                steps.append((p.grad + decay * momentum).flatten(1))
            steps = orthogonalized(torch.stack(steps))
            size = group["lr"] * _STEP * math.sqrt(max(steps.shape[1:]))
            for p, step in zip(parameters, steps, strict=True):
                p.sub_(step.view(shape), alpha=size)


def orthogonalized(matrices: torch.Tensor) -> torch.Tensor:
    """Matrices ``(n, rows, columns)`` with singular values brought to about one.

    Between 0.7 and 1.2, which is as good for training and takes products only. The
    polynomials are those of the smaller Gram matrix, by which the matrix is multiplied
    in the end.
    """
    turned = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if turned else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    gram, product = x @ x.mT, None
    for _ in range(_N_ITERATIONS):
        factor = _B * gram + _C * gram @ gram
        factor.diagonal(dim1=1, dim2=2).add_(_A)
        product = factor if product is None else factor @ product
        gram = factor @ gram @ factor
    x = product @ x
    return x.mT if turned else x
