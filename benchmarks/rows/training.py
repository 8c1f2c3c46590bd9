"""A training step: through skorch, in a bare loop, and what the bottleneck costs.

Crops of 32x32 pixels in batches of 128, LASERS' light network, 8x8 sites of 16 numbers,
512 atoms. Ours trains through skorch, as `fit` does; the peer is a bare loop with the
same module, batches, optimizer and loss, the limit that loop without a bottleneck. Both
started from the same data. With a network of one layer, what skorch costs is all there
is to see. The last line is the bare loop in bfloat16 beside that in float32.
"""

import copy
import dataclasses
import functools

import _common

from rows._bare import GRADIENT_CLIP, LR, NoBottleneck, OneLayer, Trainer
from rows._contenders import Here, race
from rows._photos import crops
from rows._results import Check, Result, ratio
from sklearn_sparsevae.backbones import LightBackbone
from sklearn_sparsevae.bottlenecks import (
    DictionaryLearning,
    LearnedISTA,
    VectorQuantization,
)
from sklearn_sparsevae.images import InputSpec
from sklearn_sparsevae.training import Autoencoder, TrainingSettings, train_net
from sklearn_sparsevae.training.batching import ImageBatches

BATCH_SIZE, N_BATCHES = 128, 2
N_ONE_LAYER = 32  # batches, for a network of one layer
SHAPE = (16, 512)
BOTTLENECKS = {
    "VQ": functools.partial(VectorQuantization, *SHAPE),
    "OLS": functools.partial(DictionaryLearning, *SHAPE, 5),
    "LISTA": functools.partial(LearnedISTA, *SHAPE, n_rollout_steps=16),
}
SETTINGS = TrainingSettings(
    max_epochs=0,
    batch_size=BATCH_SIZE,
    lr=LR,
    lr_schedule=None,
    gradient_clip=GRADIENT_CLIP,
    device="cpu",
)


def light(bottleneck, precision="float32"):
    """Autoencoder with the light network."""
    backbone = LightBackbone(3, 2, SHAPE[0])
    return Autoencoder(backbone, bottleneck(), 4, precision)


def one_layer():
    """Autoencoder of one layer each way."""
    return Autoencoder(OneLayer(3), NoBottleneck(), 1, "float32")


def start(build, images):
    """Net as skorch trains it, before the first step."""
    return train_net(build, InputSpec().open(images[:256]), SETTINGS, _common.SEED)


def through_skorch(net, batches):
    """Contender that trains for an epoch as `fit` does."""
    settings = dataclasses.replace(SETTINGS, max_epochs=1)
    return Here(lambda: net.run(batches, None, settings, _common.SEED), len(batches))


def bare(module, batches):
    """Contender that trains for an epoch in a bare loop."""
    trainer = Trainer(module)
    return Here(lambda: trainer.epoch(batches, BATCH_SIZE), len(batches))


def measure_light(images):
    """Results with the light network."""
    batches, contenders = ImageBatches(InputSpec().open(images)), {}
    for name, bottleneck in BOTTLENECKS.items():
        net = start(functools.partial(light, bottleneck), images)
        contenders[f"bare loop, {name}"] = bare(copy.deepcopy(net.module_), batches)
        contenders[name] = through_skorch(net, batches)
    for name, bottleneck, precision in (
        ("no bottleneck", NoBottleneck, "float32"),
        ("bf16", BOTTLENECKS["VQ"], "bf16"),
    ):
        net = start(functools.partial(light, bottleneck, precision), images)
        contenders[name] = bare(net.module_, batches)
    figures = race(contenders)
    vq, ols = figures["bare loop, VQ"], figures["bare loop, OLS"]
    text = "training step with OLS over that with VQ, seconds"
    cost = Check(text, ratio(vq, ols), at_most=1.15)
    return [
        *(_skorch_result(f"training step, {n}", n, figures) for n in BOTTLENECKS),
        _bf16_result(figures).with_checks(cost),
    ]


def _skorch_result(job, name, figures):
    ours, peer = figures[name], figures[f"bare loop, {name}"]
    text = f"{job}, skorch over a bare loop"
    check = Check(text, ratio(ours, peer), at_least=0.97)
    limit = figures["no bottleneck"]
    return Result(job, "images/s", ours, (peer,), limit, (check,))


def _bf16_result(figures):
    ours, peer = figures["bf16"], figures["bare loop, VQ"]
    checks = ()
    if has_bf16_units():
        text = "training step, bf16 over float32"
        checks = (Check(text, ratio(ours, peer), at_least=1.3),)
    return Result("training step, VQ, bf16", "images/s", ours, (peer,), None, checks)


def has_bf16_units():
    """Whether this CPU computes in bfloat16, as Linux tells."""
    try:
        with open("/proc/cpuinfo") as file:
            return "bf16" in file.read()
    except OSError:
        return False


def measure_one_layer(images):
    """Measure a network of one layer."""
    net, batches = start(one_layer, images), ImageBatches(InputSpec().open(images))
    peer = bare(copy.deepcopy(net.module_), batches)
    figures = race({"ours": through_skorch(net, batches), "bare loop": peer})
    ours, peer = figures.values()
    text = "training step, one layer, skorch over a bare loop"
    check = Check(text, ratio(ours, peer), at_least=0.9)
    job = "training step, one layer"
    return Result(job, "images/s", ours, (peer,), checks=(check,))


def measure():
    """Results of this row."""
    images = crops(32, BATCH_SIZE * N_ONE_LAYER)
    few = images[: BATCH_SIZE * N_BATCHES]
    return [*measure_light(few), measure_one_layer(images)]
