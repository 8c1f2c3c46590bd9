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
    """Count a model; a row."""
    rng = np.random.RandomState(_common.SEED)
    model.set_params(backbone_params={"width": width})
    model.fit(rng.rand(8, 64, 64, 3))
    module = model.net_.module_.eval()
    unit = torch.as_tensor(rng.rand(1, 3, side, side), dtype=torch.float32)
    with torch.no_grad():
        latents = module.latents(unit)
        with FlopCounterMode(display=False) as all_counter:
            module(unit.permute(0, 2, 3, 1))
        with FlopCounterMode(display=False) as counter:
            module.bottleneck(latents)
    controller = getattr(module.bottleneck, "thresholds", None)
    return {
        "parameters": count(module) / 1e6,
        "controller": count(controller) / 1e6 if controller is not None else 0.0,
        "gmac": all_counter.get_total_flops() / 2e9,
        "bottleneck_gmac": counter.get_total_flops() / 2e9,
    }


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
    rows = []
    for name, model in MODELS.items():
        row = measure(model, args.width, args.side)
        gmac, parameters = PRINTED.get(name, (None, None))
        row |= {"label": name, "printed_gmac": gmac, "printed_parameters": parameters}
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
