"""Spike-and-slab codes on CIFAR-10 (JPEG): both priors beside a search for atoms.

Each model codes patches of 4x4 pixels. *PSNR* in dB is the mean over held-out test
images, *non-zeros* are those of a patch, its three channel means included, and *used*
counts the other dimensions that any test image uses. *CPU s* is the process time of
the fit.

Run ``python benchmarks/spike_slab.py --data cifar10_jpeg.zip``.
"""

import _cifar
import _common
import _record
import numpy as np
from threadpoolctl import threadpool_limits

from sklearn_sparsevae import DictionaryLearningVAE, SpikeSlabVAE, metrics

SPIKES, THRESHOLDS = {}, {"prior": "threshold"}
PSEUDO = SPIKES | {"n_pseudo_inputs": 16}
VARIANTS = {
    "spikes, untrained": (SpikeSlabVAE, SPIKES | {"max_epochs": 0}),
    "spikes": (SpikeSlabVAE, SPIKES),
    "spikes, sparsity=0.2": (SpikeSlabVAE, SPIKES | {"sparsity": 0.2}),
    "spikes, 16 pseudo-inputs": (SpikeSlabVAE, PSEUDO),
    "the same, sparsity=0.075": (SpikeSlabVAE, PSEUDO | {"sparsity": 0.075}),
    "thresholds, untrained": (SpikeSlabVAE, THRESHOLDS | {"max_epochs": 0}),
    "thresholds": (SpikeSlabVAE, THRESHOLDS),
    "thresholds, sparsity=0.2": (SpikeSlabVAE, THRESHOLDS | {"sparsity": 0.2}),
    "OLS, 64 atoms": (
        DictionaryLearningVAE,
        {"n_nonzero_coefs": 9, "n_components": 64},
    ),
    "OLS, 512 atoms": (DictionaryLearningVAE, {"n_nonzero_coefs": 9}),
}


LABELS = {
    "spikes, untrained": "`SpikeSlabVAE()`, untrained",
    "spikes": "`SpikeSlabVAE()`",
    "spikes, sparsity=0.2": "`SpikeSlabVAE(sparsity=0.2)`",
    "spikes, 16 pseudo-inputs": "`SpikeSlabVAE(n_pseudo_inputs=16)`",
    "the same, sparsity=0.075": "`SpikeSlabVAE(n_pseudo_inputs=16, sparsity=0.075)`",
    "thresholds, untrained": '`SpikeSlabVAE(prior="threshold")`, untrained',
    "thresholds": '`SpikeSlabVAE(prior="threshold")`',
    "thresholds, sparsity=0.2": '`SpikeSlabVAE(prior="threshold", sparsity=0.2)`',
    "OLS, 64 atoms": "`DictionaryLearningVAE(n_nonzero_coefs=9, n_components=64)`",
    "OLS, 512 atoms": "`DictionaryLearningVAE(n_nonzero_coefs=9)`, 512 atoms",
}


def to_table(rows):
    """One row for each variant."""
    columns = _record.columns(
        "psnr",
        "nonzeros",
        used=("atoms in use", "d"),
        cpu_seconds=("CPU-seconds", ".0f"),
    )
    made = [
        row
        | {"key": _record.key(name), "label": LABELS[name]}
        | {"cpu_seconds": row["seconds"]}
        for name, row in rows.items()
    ]
    return _record.table("model", columns, made)


def main():
    """Fit and measure all, print the table, write JSON."""
    options = _cifar.parser(__doc__, n_train=2000, json_name="spike_slab.json")
    options.set_defaults(max_epochs=3, n_test=500)
    arguments, train, test = _cifar.start(options)
    print(f"{'':26}{'PSNR':>7}{'non-zeros':>11}{'used':>6}{'CPU s':>7}")
    rows = {}
    with threadpool_limits(arguments.threads):
        for name, (cls, params) in VARIANTS.items():
            params = {"max_epochs": arguments.max_epochs} | params
            model = cls(n_downsamples=2, random_state=_common.SEED, **params)
            seconds, _ = _common.timed_fit(model, train)
            codes = model.transform(test)
            rows[name] = {
                "psnr": model.score(test),
                "nonzeros": metrics.nonzeros_per_site(codes),
                "used": int(np.count_nonzero(metrics.atom_usage(codes))),
                "seconds": seconds,
            }
            line = "{psnr:7.2f}{nonzeros:11.1f}{used:6}{seconds:7.0f}"
            print(f"{name:26}{line.format(**rows[name])}", flush=True)
    _common.write_json(arguments.json, {"data": _cifar.TITLE, "rows": rows})
    settings = _cifar.settings(train, test, max_epochs=arguments.max_epochs)
    made = {"models": to_table(rows)}
    _record.record(arguments, "spike_slab", tables=made, settings=settings)


if __name__ == "__main__":
    main()
