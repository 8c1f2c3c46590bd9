"""Run the campaign: ``python -m tests.fuzz --examples 10000 --seed 0``."""

import argparse
import sys

import matplotlib

from tests.fuzz.campaign import run

OUTCOMES = ("answered", "refused", "fault")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a part of the callables' names")
    parser.add_argument("--verbose", action="store_true", help="a line an example")
    options = parser.parse_args()
    matplotlib.use("Agg")

    def see(report, target, drawn, outcome):
        if options.verbose:
            given = ", ".join(f"{name}={label}" for name, (label, _) in drawn.items())
            print(f"{outcome:8}  {target.name}({given})", flush=True)
        tried = sum(map(report.total, OUTCOMES))
        if tried % 250 == 0:
            print(f"{tried} of {options.examples}", file=sys.stderr, flush=True)

    report = run(options.examples, options.seed, options.only, see, usual=True)
    row = "{:<45}{:>8}{:>10}{:>9}{:>7}"
    print(row.format("", "tried", *OUTCOMES[:2], "faults"))
    for name, counts in sorted(report.counts.items()):
        print(row.format(name, counts.total(), *(counts[o] for o in OUTCOMES)))
    totals = [report.total(outcome) for outcome in OUTCOMES]
    print(row.format("all", sum(totals), *totals))
    for fault in report.faults.values():
        print(f"\n{fault.call}\n    {fault.text}")
    sys.exit(bool(report.faults))


if __name__ == "__main__":
    main()
