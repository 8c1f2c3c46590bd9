"""What tests ask of histories, which are dicts of arrays."""

import numpy as np


def assert_same_history(found, expected, n_epochs=None):
    """Check that epochs, or the first few, have the same figures but for their time."""
    assert found.keys() == expected.keys()
    for name in found.keys() - {"dur"}:
        pair = (found[name][:n_epochs], expected[name][:n_epochs])
        np.testing.assert_array_equal(*pair, err_msg=name)


def epochs_with(history, names):
    """Say of every epoch whether it has a number under all of these names."""
    columns = [history.get(name, np.nan * history["epoch"]) for name in names]
    return np.isfinite(columns).all(axis=0).tolist()
