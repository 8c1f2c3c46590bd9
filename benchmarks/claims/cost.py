"""Parameters and operations of one image: SSC-VAE's Table 4.

Models as the papers have them (VQGAN's encoder and decoder of 128 to 512 channels,
three halvings, 512 atoms or codes of length 256, 16 steps, the controller of thresholds
with 256 channels inside) code and decode one image of 256x256 pixels. No model is
trained, and no data is needed: what is counted does not depend on weights.

How to read the table:

* *parameters* are those of the model in millions, *controller* those of the networks
  that infer and refine thresholds.
* *GMac* are multiplications and additions of convolutions and matrix products, in
  thousand millions, counted by ``torch.utils.flop_counter``; those of the bottleneck,
  controller included, stand beside them.
* *printed* is Table 4. Its networks are not VQGAN's, whatever the text says, but those
  of the released code; what a bottleneck adds compares.

Run ``python benchmarks/claims/cost.py``.
"""

import argparse

import numpy as np
import torch
from _shared import _common, _record
from torch.utils.flop_counter import FlopCounterMode

from sklearn_sparsevae import VQVAE, SparseCodingVAE, recipes

SIDE = 256  # pixels of the image that is counted
WIDTH = 128  # of the network: the paper's
FIT = {"max_epochs": 0, "crop_size": None, "random_state": 0}
NETWORK = {k: recipes.SC_VAE[k] for k in ("backbone", "n_downsamples", "latent_dim")}
SC = {**recipes.SC_VAE, **FIT}
SSC = {**recipes.SSC_VAE, **FIT}
MODELS = {
    "SSC-VAE": SparseCodingVAE(**SSC),
    "SC-VAE + In": SparseCodingVAE(**{**SSC, "threshold": "vector"}),
    "SC-VAE": SparseCodingVAE(**SC),
    "VQ-VAE": VQVAE(512, **NETWORK, **FIT),
}
PRINTED = {
    "SSC-VAE": (160.42, 22.95),
    "SC-VAE": (156.52, 19.12),
    "VQ-VAE": (152.16, 19.11),
}


def measure(model, width, side):
    """Count a model; a row, in which operations are those of the bottleneck, and it."""
    rng = np.random.RandomState(_common.SEED)
    model.set_params(backbone_params={"width": width})
    model.fit(rng.rand(8, 64, 64, 3))
    module = model.net_.module_.eval()
    grid = side // module.site_size
    latents = torch.as_tensor(rng.randn(1, module.backbone.latent_dim, grid, grid))
    controller = getattr(module.bottleneck, "thresholds", None)
    row = {
        "parameters": count(module) / 1e6,
        "controller": count(controller) / 1e6 if controller is not None else 0.0,
        "bottleneck_gmac": gmac(module.bottleneck, latents.float()),
    }
    return row, module


def backbone_gmac(module, side):
    """Operations of encoder and decoder, the same in all models."""
    unit = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    return gmac(lambda unit: module.images(module.latents(unit)), unit)


@torch.no_grad()
def gmac(function, given):
    """Multiplications and additions of a call, in thousand millions."""
    with FlopCounterMode(display=False) as counter:
        function(given)
    return counter.get_total_flops() / 2e9


def count(module):
    """Return the number of trained numbers."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def main():
    """Read the command line, run, write JSON."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--side", type=_common.positive, default=SIDE)
    options.add_argument("--width", type=_common.positive, default=WIDTH)
    _common.add_common(options, "cost.json")
    args = options.parse_args()
    torch.set_num_threads(args.threads)
    rows, network = [], None
    for name, model in MODELS.items():
        row, module = measure(model, args.width, args.side)
        network = network or backbone_gmac(module, args.side)
        row |= {"label": name, "gmac": network + row["bottleneck_gmac"]}
        if name in PRINTED:
            row["printed_gmac"], row["printed_parameters"] = PRINTED[name]
        shown = ", ".join(f"{k} {v:.4g}" for k, v in row.items() if k in COLUMNS and v)
        print(f"{name}: {shown}", flush=True)
        rows.append(row)
    _common.write_json(args.json, rows)
    by_name = {row["label"]: row for row in rows}
    ssc, sc, vq = (by_name[name] for name in ("SSC-VAE", "SC-VAE", "VQ-VAE"))
    figures = {
        "more_gmac": 100 * (ssc["gmac"] / sc["gmac"] - 1),
        "controller_gmac": ssc["gmac"] - sc["gmac"],
        "rollout_gmac": sc["bottleneck_gmac"] - vq["bottleneck_gmac"],
    }
    print(", ".join(f"{name} {value:.3g}" for name, value in figures.items()))
    _record.record(
        args,
        "claim_cost",
        tables={"models": _record.table("", _record.columns(**COLUMNS), rows)},
        settings={"side": args.side, "width": args.width},
        figures=figures,
    )


COLUMNS = {
    "parameters": ("parameters, millions", ".2f"),
    "controller": ("controller", ".2f"),
    "gmac": ("GMac", ".1f"),
    "bottleneck_gmac": ("of the bottleneck", ".2f"),
    "printed_parameters": ("printed parameters", ".2f"),
    "printed_gmac": ("printed GMac", ".1f"),
}


if __name__ == "__main__":
    main()
