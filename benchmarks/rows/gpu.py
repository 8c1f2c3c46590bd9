"""What runs on a GPU, when there is one.

A training step of SC-VAE's network (``vqgan``) on photos of 64x64 pixels: in bfloat16,
beside float32, contiguous instead of channels last, and compiled; the limit is what the
arithmetic of the step takes at the rate of a large matrix product in bfloat16. Then
matching pursuit and spectral embedding on the device, beside the CPU.
"""

import functools

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from rows import SkippedRow
from rows._bare import Trainer
from rows._contenders import Here, race
from rows._photos import crops
from rows._results import Result
from rows.omp import problem
from sklearn_sparsevae.backbones import VQGANBackbone
from sklearn_sparsevae.bottlenecks import VectorQuantization
from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.segmentation._normalized_cut import spectral_embedding
from sklearn_sparsevae.sparse import batch_omp
from sklearn_sparsevae.training import Autoencoder

N_SITES, N_CLUSTERS = 1024, 3


def finished(run, device):
    """Make a call that waits until the device has done its work."""

    def wait():
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return wait


def make_trainer(device, precision, memory_format, width):
    """Make a `Trainer` of the vqgan network with vector quantisation."""
    backbone = VQGANBackbone(3, 3, 64, width)
    bottleneck = VectorQuantization(64, 512)
    module = Autoencoder(backbone, bottleneck, 8, precision)
    return Trainer(module.to(device=device, memory_format=memory_format))


def compiled(trainer):
    """Let torch compile the module of a trainer."""
    trainer.forward = torch.compile(trainer.module)
    return trainer


def measure_step(device, width=128, side=64, n_images=32, compile_module=True):
    """Measure a training step."""
    images = InputSpec().open(crops(side, n_images)).unit()
    images = torch.from_numpy(images).to(device)
    make = functools.partial(make_trainer, device, width=width)
    last, contiguous = torch.channels_last, torch.contiguous_format
    trainers = {
        "bf16": make("bf16", last),
        "float32": make("float32", last),
        "contiguous": make("bf16", contiguous),
    }
    if compile_module:
        trainers["compiled"] = compiled(make("bf16", last))
    steps = {
        name: functools.partial(trainer.step, images, images)
        for name, trainer in trainers.items()
    }
    for step in steps.values():
        step()  # compiles, chooses kernels
    with FlopCounterMode(display=False) as counter:
        steps["bf16"]()
    steps["arithmetic"] = products(device, counter.get_total_flops())
    runs = {name: Here(finished(run, device), n_images) for name, run in steps.items()}
    figures = race(runs)
    limit, ours = figures.pop("arithmetic"), figures.pop("bf16")
    job = "training step, vqgan, bf16"
    return Result(job, "images/s", ours, tuple(figures.values()), limit)


def products(device, flops, size=4096):
    """Make bfloat16 products of as many operations, at least one."""
    size = min(size, max(64, int((flops / 2) ** (1 / 3))))
    matrix = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    out = torch.empty_like(matrix)
    count = max(1, round(flops / (2 * size**3)))

    def run():
        for _ in range(count):
            torch.mm(matrix, matrix, out=out)

    return run


def measure_omp(device, n_signals=262144):
    """Measure matching pursuit on the device, beside the CPU."""
    signals, atoms = map(torch.from_numpy, problem(16, 512, n_signals))
    there = signals.to(device), atoms.to(device)
    out = torch.empty(n_signals, len(atoms), device=device)
    runs = {
        "ours": lambda: batch_omp(*there, 5),
        "CPU": lambda: batch_omp(signals, atoms, 5),
        "product": lambda: torch.mm(there[0], there[1].mT, out=out),
    }
    figures = race({n: Here(finished(r, device), n_signals) for n, r in runs.items()})
    ours, peer, limit = figures.values()
    return Result("OMP on the device", "signals/s", ours, (peer,), limit)


def embed_batch(rows):
    """Leading eigenvectors of ``(1 + cos) / 2`` of many photos ``(n, N, K)``."""
    unit = F.normalize(rows, dim=2)
    factors = torch.cat([torch.ones_like(unit[..., :1]), unit], 2) / 2**0.5
    degrees = factors @ factors.sum(1)[..., None]
    factors = factors / degrees.sqrt()
    _, vectors = torch.linalg.eigh(factors.mT @ factors)
    leading = F.normalize(factors @ vectors[..., -N_CLUSTERS:], dim=1)
    return F.normalize(leading, dim=2)


def measure_embedding(device, n_photos=16, n_atoms=512):
    """Measure the spectral embedding of a batch, beside ours on the CPU."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((n_photos, N_SITES, n_atoms), dtype=np.float32)
    there = torch.from_numpy(rows).to(device)
    runs = {
        "batch": lambda: embed_batch(there),
        "CPU": lambda: [spectral_embedding(photo, N_CLUSTERS) for photo in rows],
    }
    figures = race({n: Here(finished(r, device), n_photos) for n, r in runs.items()})
    batch, ours = figures.values()
    return Result("spectral embedding, batch", "photos/s", batch, (ours,))


def measure():
    """Results of this row."""
    if not torch.cuda.is_available():
        raise SkippedRow("there is no GPU")
    device = torch.device("cuda")
    parts = measure_step, measure_omp, measure_embedding
    return [part(device) for part in parts]
