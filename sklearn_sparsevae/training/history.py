"""The history of a training as users see it: an array for each figure."""

import contextlib

import numpy as np

# What skorch keeps for its own callbacks.
_HIDDEN = {"batches", "train_loss_best", "valid_loss_best"}


def as_arrays(epochs):
    """Arrays of what was recorded in the epochs, by name.

    Parameters
    ----------
    epochs : iterable of dict
        What was recorded in each epoch, by name.

    Returns
    -------
    history : dict of ndarray of shape (n_epochs,)
        NaN where an epoch lacks a value. Of what is no number, such as a text that a
        callback recorded, an array of objects.

    Examples
    --------
    >>> from sklearn_sparsevae.training.history import as_arrays
    >>> as_arrays([{"epoch": 1, "loss": 0.5}, {"epoch": 2}])
    {'epoch': array([1, 2]), 'loss': array([0.5, nan])}
    """
    epochs = list(epochs)
    names = dict.fromkeys(name for epoch in epochs for name in epoch)
    return {
        name: _as_array([epoch.get(name, np.nan) for epoch in epochs])
        for name in names
        if name not in _HIDDEN
    }


def _as_array(values):
    # Values of several lengths, or of a GPU, make no array of numbers.
    with contextlib.suppress(ValueError, TypeError):
        array = np.asarray(values)
        if array.ndim == 1 and array.dtype.kind in "biuf":
            return array
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array
