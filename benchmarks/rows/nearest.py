"""Nearest code: for each of 65,536 signals, the nearest of 512 codes.

Gaussian signals and codes. The peers are torch's ``cdist`` with ``argmin`` and
scikit-learn's ``pairwise_distances_argmin``; the limit is the product of signals and
codes alone, in chunks.
"""

import torch

from rows._contenders import Apart, Here, race
from rows._results import Result
from rows.omp import problem, products
from sklearn_sparsevae.sparse import nearest_code

N_CODES, N_SIGNALS = 512, 65536


def scikit_learn(signals, codes):
    """Make scikit-learn's."""
    from sklearn.metrics import pairwise_distances_argmin

    return lambda: pairwise_distances_argmin(signals, codes)


def measure_size(latent_dim):
    """Measure one length of the signals."""
    signals, codes = problem(latent_dim, N_CODES, N_SIGNALS)
    as_tensors = torch.from_numpy(signals), torch.from_numpy(codes)
    runs = {
        "ours": lambda: nearest_code(signals, codes),
        "torch cdist": lambda: torch.cdist(*as_tensors).argmin(1),
        "products": products(signals, codes),
    }
    contenders = {name: Here(run, N_SIGNALS) for name, run in runs.items()}
    apart = Apart(scikit_learn, signals, codes, amount=N_SIGNALS)
    figures = race(contenders | {"scikit-learn": apart})
    peers = figures["torch cdist"], figures["scikit-learn"]
    job = f"nearest code, {latent_dim} x {N_CODES}"
    return Result(job, "signals/s", figures["ours"], peers, figures["products"])


def measure():
    """Results of this row."""
    return [measure_size(16), measure_size(256)]
