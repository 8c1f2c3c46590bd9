"""Rollout steps against sparsity and PSNR, with the paper's rollout: SC-VAE's Table 3.

``rollout_ablation.py`` measures the default of ``SparseCodingVAE``, a pursuit. This is
the rollout as printed: soft thresholds, one for each atom, free matrices W_e and S that
all steps share, the L1 norm, and the fixed DCT, with 1 to 30 steps.

How to read the table: means over three seeds, in brackets the standard deviation. The
paper's "sparsity" is *Hoyer*, between 0 and 1: it says little where a hundred atoms are
on, so non-zeros stand beside it (three of them are the channel means).
"""

from _shared import _cifar, _common, _kept, _record
from threadpoolctl import threadpool_limits

import rollout_ablation  # isort: skip, found by _shared

NAME = "rollout"
KNOB = "n_rollout_steps"
N_TRAIN, N_TEST, MAX_EPOCHS = 200, 200, 2
KNOBS = {KNOB: [1, 5, 15, 30]}
PRINTED = {
    "shrinkage": "soft",
    "penalty": "l1",
    "alpha": 0.1,
    "dictionary": "dct",
    "threshold": "atom",
    "momentum": False,
    "coupled": False,
    "bottleneck_params": {"step_scalars": False},
}


def main():
    """Read the command line, run, print, record."""
    options = _cifar.parser(
        __doc__.splitlines()[0], n_train=N_TRAIN, json_name="claim_rollout.json"
    )
    options.set_defaults(n_test=N_TEST, max_epochs=MAX_EPOCHS)
    args, train, test = _cifar.start(options)
    settings = _cifar.settings(train, test, max_epochs=args.max_epochs)
    rows = []
    with threadpool_limits(args.threads):
        for value in KNOBS[KNOB]:
            knobs = {KNOB: [value]}

            def run(knobs=knobs):
                found = rollout_ablation.search(
                    train, test, args.max_epochs, knobs, **PRINTED
                )
                return rollout_ablation.to_rows(found, knobs)[KNOB]

            own = settings | PRINTED
            rows += _kept.kept(NAME, f"steps-{value}", own, run)
    rollout_ablation.print_rows(rows, KNOB)
    _common.write_json(args.json, rows)
    _record.record(
        args,
        "claim_rollout",
        tables={KNOB: rollout_ablation.to_table(rows, KNOB)},
        settings=settings,
        seeds=rollout_ablation.SEEDS,
    )


if __name__ == "__main__":
    main()
