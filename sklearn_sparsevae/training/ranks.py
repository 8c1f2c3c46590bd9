"""What the training does so that several processes train one model.

All ranks of a launch call ``fit`` with the same data and parameters. Each plans all
batches, makes its own part of each, and ends with the same model. See
`sklearn_sparsevae._ranks` for what ranks exchange.
"""

import contextlib
import functools
import os
import zlib

import numpy as np
import torch

from sklearn_sparsevae import _ranks
from sklearn_sparsevae._ranks import from_first

__all__ = ["from_first"]

# Parameters of which each rank may have its own.
_OWN = {"device", "verbose", "n_workers"}
_PLAIN = int, float, str, tuple, type(None)


def fitted_together(fit):
    """Let a method of an estimator be run by all ranks of a launch, which end alike."""

    @functools.wraps(fit)
    def fit_together(self, *args, **kwargs):
        with _ranks.together():
            if _ranks.n_ranks() > 1:
                _check_estimator(self)
            return fit(self, *args, **kwargs)

    return fit_together


def _check_estimator(estimator):
    """Refuse ranks that fit with other parameters, as far as these have a value."""
    given = estimator.get_params(deep=False)
    plain = {
        name: os.fspath(value) if isinstance(value, os.PathLike) else value
        for name, value in given.items()
        if isinstance(value, (*_PLAIN, os.PathLike)) and name not in _OWN
    }
    check_alike({"estimator": type(estimator).__name__, **plain})
    if estimator.batch_size < _ranks.n_ranks():
        raise ValueError(
            f"Got batch_size={estimator.batch_size} in a launch of "
            f"{_ranks.n_ranks()} ranks; expected an image for each at least. Raise it, "
            "or launch fewer processes."
        )


def is_first():
    """Whether this process is the one that writes, and shows how far it is."""
    return _ranks.rank() == 0


def in_turn(loader):
    """Yield batch after batch of a `BatchLoader`, taking note of which is under way."""
    with contextlib.closing(iter(loader)) as batches:
        for n_images, batch in zip(loader.sizes(), batches, strict=True):
            _ranks.begin_batch(n_images)
            yield batch


def sum_gradients(parameters, loss):
    """Give parameters the gradient of the whole batch; return its loss.

    Parameters
    ----------
    parameters : iterable of Parameter
        With the gradients of this rank's loss, times `share`. None is left where no
        rank has one.
    loss : scalar tensor
        Mean over this rank's part of the batch.
    """
    if _ranks.n_ranks() == 1:
        return loss.detach()
    parameters = [p for p in parameters if p.requires_grad]
    has = torch.tensor([float(p.grad is not None) for p in parameters])
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    loss, has, *gradients = _ranks.total(
        _ranks.share() * loss.detach(), has.to(loss.device), *gradients
    )
    for parameter, gradient, n in zip(parameters, gradients, has.tolist(), strict=True):
        parameter.grad = gradient if n else None
    return loss


@torch.no_grad()
def average(values):
    """Means over the batch, as floats by name, of those over this rank's part of it."""
    numbers = torch.tensor([float(v) for v in values.values()], dtype=torch.float64)
    (means,) = _ranks.batch_mean(numbers)
    return dict(zip(values, means.tolist(), strict=True))


def start_alike(module, start):
    """Start a module on rank 0 and copy its state to the others.

    Parameters
    ----------
    module : Module
        Fresh, and of the same shapes everywhere.
    start : callable
        Called without arguments, on rank 0 alone.
    """
    shapes = {k: tuple(v.shape) for k, v in module.state_dict().items()}
    check_alike({"shapes": shapes})
    if is_first():
        start()
    _ranks.copy_from_first(list(module.state_dict().values()))


def check_alike(values):
    """Refuse ranks that differ in something.

    Parameters
    ----------
    values : dict
        By name what has to be equal, with short texts.
    """
    for i, other in enumerate(_ranks.gather(values)):
        for name in {**values, **other}:
            if values.get(name) != other.get(name):
                raise ValueError(
                    f"Rank {_ranks.rank()} has {name}={values.get(name)!r}, rank {i} "
                    f"has {other.get(name)!r}; expected that all ranks fit the same "
                    "estimator on the same data, which is divided among them batch by "
                    "batch: do not split it yourself."
                )


def check_same_data(items, net=None):
    """Refuse ranks whose data differ, or the net that is trained further.

    Parameters
    ----------
    items : sequence of ndarray
        Checksums of the first and the last are compared.
    net : Net, default=None
    """
    if _ranks.n_ranks() == 1:
        return
    ends = items[0], items[len(items) - 1]
    values = {"number of items": len(items)}
    values["checksums of data"] = [_checksum(end) for end in ends]
    values["checksum of the fitted model"] = net and state_checksum(net.module_)
    check_alike(values)


def state_checksum(module):
    """Checksum of all weights and buffers."""
    state = module.state_dict().values()
    return _checksum(*(tensor.detach().cpu().numpy() for tensor in state))


def _checksum(*arrays):
    checksum = 0
    for array in arrays:
        checksum = zlib.crc32(np.ascontiguousarray(array).tobytes(), checksum)
    return checksum
