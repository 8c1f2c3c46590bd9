"""Fits that `test_ranks` compares: by one process, and by the ranks of a launch.

``python launched.py FILE RANK N_RANKS FOLDER`` is a rank: the group meets at FILE, and
what it has found is left in FOLDER.
"""

import functools
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from skorch.callbacks import Callback

from sklearn_sparsevae import (
    VQVAE,
    ClosedLoopVAE,
    CodePrior,
    DictionaryLearningVAE,
    GaussianVAE,
    SparseCodingVAE,
    SpikeSlabVAE,
    _ranks,
)
from sklearn_sparsevae.bottlenecks import Gaussian, LearnedISTA
from sklearn_sparsevae.codes import SparseCodes
from sklearn_sparsevae.training.adversarial import (
    PatchDiscriminator,
    adaptive_weight,
    hinge_loss,
)
from sklearn_sparsevae.training.ranks import state_checksum, sum_gradients
from sklearn_sparsevae.training.seeds import OwnGenerator

# Batches of 9, 9, 9 and 1: parts of 4 and 5, and a batch that cannot be divided.
N_IMAGES, BATCH_SIZE = 28, 9
RUN = {"batch_size": BATCH_SIZE, "max_epochs": 1, "random_state": 0}


def photos(n=N_IMAGES, side=12, seed=0):
    """Smooth photos ``(n, side, side)``."""
    noise = np.random.RandomState(seed).rand(n, side, side)
    smooth = gaussian_filter(noise, (0, 1.5, 1.5))
    return ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32)


def codes(n=N_IMAGES):
    """Codes of 2x2 sites, with up to three of six atoms each."""
    rng = np.random.RandomState(1)
    dense = rng.randint(1, 4, (n, 4, 6)) * (rng.rand(n, 4, 6) < 0.3)
    dense[..., 3:] = 0
    dense = dense.reshape(n, -1).astype(np.float32)
    return SparseCodes(dense, grid_shape=(2, 2), n_atoms=6)


def _fit(cls, *args, data=photos, condition=None, **params):
    model = cls(*args, **(RUN | params))
    given = {} if condition is None else {"condition": condition}
    return model.fit(data(), **given)


def _fit_classes(n_classes=3):
    model = ClosedLoopVAE((4, 4), latent_dim=6, target="y", lr=0.01, **RUN)
    return model.fit(photos(), np.arange(N_IMAGES) % n_classes)


_LABELS = np.arange(N_IMAGES) % 3
_SMALL = {"n_downsamples": 2}
_SOFT = {"shrinkage": "soft", "threshold": "structured", "alpha": 0.1}
_IMPATIENT = {"n_epochs_no_change": 1, "tol": 0.9, "validation_fraction": 0.25}
FITS = {
    "pursuit": (SparseCodingVAE, 12),
    "soft": (SparseCodingVAE, 12, _SOFT),
    "dictionary": (DictionaryLearningVAE, 12, {"n_nonzero_coefs": 3}),
    "online": (
        *(DictionaryLearningVAE, 12),
        {"n_nonzero_coefs": 3, "dictionary_update": "online"},
    ),
    "codebook": (VQVAE, 12),
    "averages": (VQVAE, 12, {"codebook_update": "ema", "n_quantizers": 2}),
    "gaussian": (GaussianVAE, 6, {"condition": _LABELS, **_SMALL}),
    "mmd": (GaussianVAE, 6, {"mmd_weight": 50.0, "n_levels": 2, **_SMALL}),
    "spikes": (SpikeSlabVAE, 12),
    "thresholds": (SpikeSlabVAE, 12, {"prior": "threshold"}),
    "adversary": (VQVAE, 12, {"adversarial_weight": 1.0}),
    "crops": (VQVAE, 12, {"crop_size": 8, "batch_size": 300}),
    "stopping": (VQVAE, 12, {"early_stopping": True, "max_epochs": 4, **_IMPATIENT}),
    "loop": (ClosedLoopVAE, (4, 4), {"latent_dim": 6, "lr": 0.01}),
    "prior": (CodePrior, {"width": 8, "n_layers": 1, "n_heads": 2, "data": codes}),
}


def _ready(cls, *args):
    params = args[-1] if isinstance(args[-1], dict) else {}
    args = [a for a in args if not isinstance(a, dict)]
    return functools.partial(_fit, cls, *args, **params)


FITS = {name: _ready(*given) for name, given in FITS.items()}
FITS["classes"] = _fit_classes


def game(n_images=7):
    """Gradients of the game with a discriminator, for photos in float64."""
    generator = torch.Generator().manual_seed(0)
    shape = 2, n_images, 1, 16, 16
    reals, base = torch.rand(shape, generator=generator, dtype=torch.float64)
    with _ranks.together(), _ranks.dividing_batches(), OwnGenerator(0):
        _ranks.begin_batch(n_images)
        part, share = _ranks.part_of(n_images), _ranks.share()
        judge = PatchDiscriminator(1, 16).double()
        last = torch.nn.Parameter(torch.ones(16, 16, dtype=torch.float64))
        fakes, reals = base[part] * last, reals[part]
        loss, deceived = (fakes - reals).square().mean(), -judge(fakes).mean()
        adaptive = adaptive_weight(loss, deceived, last)
        (share * (loss + adaptive * deceived)).backward()
        judge.zero_grad()
        (share * hinge_loss(judge(reals), judge(fakes.detach()))).backward()
        parameters = [last, *judge.parameters()]
        sum_gradients(parameters, loss)
    return [adaptive, *(p.grad for p in parameters)]


def statistics(n_images=4):
    """What is computed of all rows of a batch, where its two halves differ."""
    halves = torch.tensor([0.0, 0.0, 1.0, 1.0])
    with _ranks.together(), _ranks.dividing_batches():
        _ranks.begin_batch(n_images)
        part = _ranks.part_of(n_images)
        values = halves[part]
        active = Gaussian(3, 3).figures(
            values[:, None, None, None].expand(-1, 1, 1, 3)
        )["active_units"]
        ista = LearnedISTA(3, 3, alpha=1.0)
        weights = ista._penalty_weights(1 + 0.5 * values[:, None].expand(-1, 3))
        whole = _ranks.take(weights)
    return [torch.tensor(active), whole]


def found(model):
    """Weights, counters, history: all that has to be the same."""
    module = model.net_.module_
    bottleneck = getattr(module, "bottleneck", None)
    counted = {n: getattr(bottleneck, n, None) for n in ("usage", "fresh")}
    return {
        "weights": {k: v.detach().clone() for k, v in module.state_dict().items()},
        "counted": {k: v for k, v in counted.items() if torch.is_tensor(v)},
        "history": {k: v for k, v in model.history_.items() if k != "dur"},
        "checksum": state_checksum(module),
    }


class Raising(Callback):
    """Raises an error in an epoch, on one rank, once a gradient is there."""

    def __init__(self, error, epoch):
        self.error, self.epoch = error, epoch

    def on_grad_computed(self, net, **kwargs):
        """Raise it."""
        if self.error is not None and len(net.history) == self.epoch:
            raise self.error


class Counting(Callback):
    """Counts epochs."""

    n_epochs = 0

    def on_epoch_end(self, net, **kwargs):
        """Count one."""
        self.n_epochs += 1


def stopped(model, data):
    """Fit what does not end well; say how, and what is kept."""
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        try:
            model.fit(data)
        except BaseException as error:
            kept = hasattr(model, "net_") and state_checksum(model.net_.module_)
            epochs = getattr(model, "n_epochs_", 0)
            return f"{type(error).__name__}: {error}", epochs, kept
    return "nothing", model.n_epochs_, None


def failures(rank):
    """Fits that fail on rank 1 alone, or because ranks differ."""
    mine = rank == 1
    errors = {"error": OSError("the disk is gone"), "interrupt": KeyboardInterrupt()}
    for name, error in errors.items():
        callback = Raising(error if mine else None, 2)
        model = VQVAE(12, callbacks=[callback], **LONG)
        yield name, stopped(model, photos())
    bad = photos()
    bad[5] = np.nan
    yield "bad data", stopped(VQVAE(12, **RUN), bad if mine else photos())
    yield "other data", stopped(VQVAE(12, **RUN), photos(seed=rank))
    yield "fewer data", stopped(VQVAE(12, **RUN), photos()[: 28 - rank])
    yield "parameters", stopped(VQVAE(12 + rank, **RUN), photos())
    yield "tiny batches", stopped(VQVAE(12, **(RUN | {"batch_size": 1})), photos())
    huge = DictionaryLearningVAE(12, **(RUN | {"lr": 1e18, "max_epochs": 9}))
    yield "not finite", stopped(huge, photos())


LONG = RUN | {"max_epochs": 3}


def resumed(rank, folder):
    """Fit that one rank stops in its second epoch, and one that goes on."""
    kept = LONG | {"checkpoint": str(Path(folder, "checkpoints"))}
    stop = Raising(OSError("the disk is gone") if rank == 1 else None, 2)
    stopped(VQVAE(12, callbacks=[stop], **kept), photos())
    count = Counting()
    model = VQVAE(12, callbacks=[count], **kept).fit(photos())
    return found(model) | {"n_trained": count.n_epochs}


def main(meeting, rank, n_ranks, folder):
    """Be one of the ranks."""
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=int(rank), world_size=int(n_ranks)
    )
    results = {"failures": dict(failures(int(rank)))}
    results |= {"game": game(), "statistics": statistics()}
    results |= {name: found(fit()) for name, fit in FITS.items()}
    none = VQVAE(12, **(RUN | {"random_state": None, "verbose": 1})).fit(photos())
    results["no seed"] = found(none)
    warm = VQVAE(12, **RUN).partial_fit(photos()).partial_fit(photos()[:20])
    results["partial"] = found(warm)
    results["resumed"] = resumed(int(rank), folder)
    torch.save(results, Path(folder, f"{rank}.pt"))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
