"""What a fit that was stopped says of the epochs that it keeps."""

import warnings

from sklearn.exceptions import ConvergenceWarning


def warn_and_raise(estimator, error):
    """Say that complete epochs are kept, and raise what stopped the fit, if anything.

    Parameters
    ----------
    estimator : object
        It has been given all that those epochs led to.
    error : Exception, KeyboardInterrupt or None
    """
    if error is None:
        return
    warnings.warn(
        f"Training was stopped by {type(error).__name__}; this "
        f"{type(estimator).__name__} keeps the {estimator.n_epochs_} complete epoch(s) "
        "that it has been trained for. Fit again for all of them.",
        ConvergenceWarning,
        stacklevel=4,
    )
    raise error
