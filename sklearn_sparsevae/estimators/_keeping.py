"""What a file keeps of a fitted estimator, and how it becomes one again."""

import copy
import dataclasses
import numbers

from sklearn_sparsevae.estimators import _parameters as groups
from sklearn_sparsevae.training import Net, RunSettings, net_arrays, restore_net

# Parameters that have no say in what the network is.
_OF_RUNS = {
    field.name
    for group in (
        groups.Images,
        groups.Target,
        groups.Crops,
        groups.Training,
        groups.EarlyStopping,
        groups.Continuing,
        groups.Loading,
        groups.Losses,
        groups.Running,
    )
    for field in dataclasses.fields(group)
}

_LARGE = 2**16  # what a parameter that is no size of a tensor may be


class KeepsNet:
    """Mixin for estimators whose ``net_`` can be rebuilt from what they know.

    Attributes
    ----------
    _net_params_ : dict
        Parameters that the network was built of, which may have been set anew since.
    """

    #: The class of ``net_``.
    _net_class = Net

    def _net_parameters(self):
        """Parameters of which a network is built, as they are now."""
        given = self.get_params(deep=False).items()
        return {k: copy.copy(v) for k, v in given if k not in _OF_RUNS}

    def _fresh_module(self):
        """Return the module as the fit built it, before it was trained."""
        raise NotImplementedError

    def _as_built(self):
        """Return an estimator with the parameters that the network was built of."""
        built = type(self)(**self._net_params_)
        built._validate_params()
        return built

    def _net_arrays(self):
        """Return the numbers of the net, a dict of ndarray."""
        return net_arrays(self.net_)

    def _restore_net(self, arrays):
        """Have the net that `_net_arrays` are of; all else that was fitted is there."""
        self._check_sizes(sum(array.size for array in arrays.values()))
        settings = RunSettings.of(type(self)(), device="cpu")
        self.net_ = restore_net(
            self._net_class, self._fresh_module, arrays, self.history_, settings
        )

    def _check_sizes(self, n_numbers):
        """Refuse sizes that no network of so many numbers has, before they count."""
        for name, value in self._net_params_.items():
            if max(_integers(value), default=0) > _LARGE + n_numbers:
                raise ValueError(
                    f"{name}={value!r} does not fit a network of {n_numbers} numbers"
                )


def _integers(value):
    """Yield the integers of a parameter."""
    if isinstance(value, numbers.Integral):
        yield value
    elif isinstance(value, dict):
        yield from _integers(list(value.values()))
    elif isinstance(value, list | tuple):
        yield from (size for size in value if isinstance(size, numbers.Integral))
