"""How evenly things are used, for training and for metrics."""

import numpy as np


def perplexity(counts):
    """``exp(-sum(p log p))`` of shares ``p``; 0 where nothing is counted.

    Parameters
    ----------
    counts : ndarray
        How often each thing was used, not negative.

    Returns
    -------
    perplexity : float
        Number of things that, used equally often, would be as varied.
    """
    if not counts.any():
        return 0.0
    share = counts[counts > 0] / counts.sum()
    return float(np.exp(-np.sum(share * np.log(share))))
