"""What a bottleneck costs: training images a second with the same backbone.

One training step is what `fit` does with a batch: encode, code, decode, the terms of
the loss, the gradient, its clipping and Adam. It is measured on the torch module, so
that neither skorch nor the loading of images is in it; nor is the revival of unused
atoms, once in 100 steps. The images are crops of sample photos, 32 pixels a side, the
backbone is LASERS' light one: 8x8 sites of 16 numbers.

How to read the table: every round takes a few steps with each bottleneck in turn.
*images/s* is the median over the rounds, *step / none* and *step / VQ* the medians of
the ratios of the times of a step within a round: what else the machine does hits all of
a round alike. The goal is that a step with dictionary learning takes at most 1.15 times
as long as one with vector quantisation. Leave the other cores idle: threads wait for
one another, and whatever else runs is then measured as well.

Run ``python benchmarks/bottleneck_cost.py``.
"""

import argparse
import time

import _common
import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from sklearn_sparsevae.backbones import LightBackbone
from sklearn_sparsevae.bottlenecks import (
    DictionaryLearning,
    LearnedISTA,
    VectorQuantization,
)
from sklearn_sparsevae.datasets import load_sample_photos, random_crops
from sklearn_sparsevae.training import Autoencoder

SIDE, N_DOWNSAMPLES = 32, 2
LATENT_DIM, N_ATOMS, N_NONZEROS = 16, 512, 5
BATCH_SIZE, N_BATCHES, LR, GRADIENT_CLIP = 128, 8, 1e-3, 1.0
STEPS = 3  # of each bottleneck in a round
NONE, VQ, DL, DL_OMP = "none", "VQ", "DL, ols", "DL, omp"
MAX_COST = 1.15  # of a step with dictionary learning, over one with VQ


class NoBottleneck(nn.Module):
    """Hands the latents on."""

    def initialize(self, rows, seed):
        """There is nothing to start."""

    def to_rows(self, latents):
        """Latents site by site."""
        return latents.permute(0, 2, 3, 1)

    def forward(self, latents):
        """Latents as they came, no terms of a loss."""
        return {"latents": latents, "losses": {}}

    def parameter_groups(self, lr):
        """No parameters."""
        return []


def make_bottlenecks():
    """One of each, by name."""
    shape = (LATENT_DIM, N_ATOMS)
    return {
        NONE: NoBottleneck(),
        VQ: VectorQuantization(*shape),
        DL_OMP: DictionaryLearning(*shape, N_NONZEROS, selection="omp"),
        DL: DictionaryLearning(*shape, N_NONZEROS, selection="ols"),
        "LISTA, 16 steps": LearnedISTA(*shape, n_rollout_steps=16),
    }


class Trainer:
    """The module with one bottleneck, started from the data, and its optimizer."""

    def __init__(self, bottleneck, images):
        torch.manual_seed(_common.SEED)
        backbone = LightBackbone(images.shape[-1], N_DOWNSAMPLES, LATENT_DIM)
        site_size = 2**N_DOWNSAMPLES
        module = Autoencoder(backbone, bottleneck, site_size, (0, 1), "float32")
        self.module = module.to(memory_format=torch.channels_last)
        self.module.initialize(images, _common.SEED)
        groups = self.module.parameter_groups(LR)
        self.optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))

    def step(self, images):
        """Train on one batch."""
        self.optimizer.zero_grad()
        output = self.module(images)
        n_sites = output["latents"][:, 0].numel()
        error = (output["images"] - self.module.to_unit(images)).pow(2).sum()
        loss = error / (2 * n_sites) + sum(output["losses"].values())
        loss.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), GRADIENT_CLIP)
        self.optimizer.step()

    def seconds(self, batches):
        """Time of a step, mean over the batches."""
        start = time.perf_counter()
        for batch in batches:
            self.step(batch)
        return (time.perf_counter() - start) / len(batches)


def measure(images, n_rounds):
    """Seconds of a step by name, ``(n_rounds,)`` each, taken in turn."""
    trainers = {
        name: Trainer(bottleneck, images)
        for name, bottleneck in make_bottlenecks().items()
    }
    batches = images.split(BATCH_SIZE)
    for trainer in trainers.values():
        trainer.seconds(batches[:STEPS])  # what happens only the first time
    seconds = {name: [] for name in trainers}
    for number in range(n_rounds):
        chosen = [batches[(number + i) % len(batches)] for i in range(STEPS)]
        for name, trainer in trainers.items():
            seconds[name].append(trainer.seconds(chosen))
    return {name: np.array(values) for name, values in seconds.items()}


def to_rows(seconds):
    """One dict for each bottleneck."""
    return [
        {
            "bottleneck": name,
            "images_per_second": BATCH_SIZE / float(np.median(own)),
            "step_over_none": float(np.median(own / seconds[NONE])),
            "step_over_vq": float(np.median(own / seconds[VQ])),
        }
        for name, own in seconds.items()
    ]


def print_rows(rows):
    """Print the table."""
    print(
        f"{'bottleneck':20s} {'images/s':>9s} {'step / none':>12s} {'step / VQ':>10s}"
    )
    for row in rows:
        print(
            f"{row['bottleneck']:20s} {row['images_per_second']:9.0f} "
            f"{row['step_over_none']:12.3f} {row['step_over_vq']:10.3f}"
        )


def check(rows):
    """Print and return whether dictionary learning is as cheap as it should be."""
    print()
    return [
        _common.verdict(
            f"a step with {row['bottleneck']} takes {row['step_over_vq']:.3f} times as "
            f"long as with VQ (goal: <= {MAX_COST})",
            row["step_over_vq"] <= MAX_COST,
        )
        for row in rows
        if row["bottleneck"] in (DL, DL_OMP)
    ]


def load_images():
    """Crops of 32x32 pixels, enough for all batches."""
    photos = load_sample_photos(subset="train").images
    crops = random_crops(photos, SIDE, N_BATCHES * BATCH_SIZE, _common.SEED)
    return torch.from_numpy(crops)


def parse():
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = options.add_argument
    add("--rounds", type=_common.positive, default=15, help="of 3 steps of each")
    add("--threads", type=_common.positive, default=2, help="threads of every library")
    path = _common.RESULTS / "bottleneck_cost.json"
    add("--json", default=path, help="where to write JSON")
    return options.parse_args()


def main():
    """Read the command line, measure, print, write JSON."""
    args = parse()
    torch.set_num_threads(args.threads)
    with threadpool_limits(args.threads):
        rows = to_rows(measure(load_images(), args.rounds))
    print(
        f"batches of {BATCH_SIZE} images of {SIDE}x{SIDE}x3, K={N_ATOMS}, "
        f"S={N_NONZEROS}, {args.threads} thread(s), {args.rounds} rounds of {STEPS} "
        "steps"
    )
    print_rows(rows)
    settings = {"threads": args.threads, "rounds": args.rounds}
    _common.write_json(args.json, {**settings, "rows": rows, "checks": check(rows)})


if __name__ == "__main__":
    main()
