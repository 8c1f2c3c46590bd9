"""The benchmark suite: one table of every job, beside its best peer and its limit.

README.md of this folder says what each row measures and how to read the table.

Run ``python benchmarks/suite.py``; ``--list`` names the rows, ``--rows`` takes some.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import pathlib
import platform
import time
import traceback

import _common
import _record
import rows
from rows._results import ratio

TOLERANCE = 0.3  # by how much of itself a ratio may fall unremarked
RATIOS = ("over_peer", "over_limit")


def run_row(name):
    """Results of a row, from a process of its own; none when it cannot run."""
    context = multiprocessing.get_context("spawn")
    try:
        with concurrent.futures.ProcessPoolExecutor(1, context) as process:
            return process.submit(rows.measure, name).result()
    except rows.SkippedRow as reason:
        print(f"skipped: {name}, {reason}", flush=True)
    except Exception:  # the other rows are still worth having
        traceback.print_exc()
        print(f"failed: {name}", flush=True)
    return []


HEADER = (
    f"{'job':42s} {'ours':>16s} {'MiB':>6s}  {'best peer':24s} {'':>8s} "
    f"{'limit':18s} {'':>8s}"
)


def line(result):
    """One line of the table."""
    own = f"{_amount(result.ours, result.unit)} {result.unit}"
    memory = result.ours.memory_mib
    memory = "" if memory is None else f"{memory:.0f}"
    cells = f"{result.job:42s} {own:>16s} {memory:>6s}"
    cells += _other(result.best_peer, result.over_peer, result.unit, 24)
    return (cells + _other(result.limit, result.over_limit, result.unit, 18)).rstrip()


def _other(figure, ratio, unit, width):
    if figure is None:
        return " " * (width + 11)
    text = f"{figure.name} {_amount(figure, unit)}"
    return f"  {text:{width}s} {f'x {ratio:.2f}':>8s}"


def _amount(figure, unit):
    """Median of a figure in its unit, short."""
    value = 1 / figure.rate if unit == "s" else figure.rate
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def to_json(result):
    """Everything of a result, with its ratios."""
    return dataclasses.asdict(result) | {
        "over_peer": result.over_peer,
        "over_limit": result.over_limit,
        "checks": [
            {"goal": str(check), "passed": check.passed} for check in result.checks
        ],
    }


def ratios(results):
    """Ratios of results by job, without those that there are not."""
    return {
        result.job: {
            name: round(value, 3)
            for name in RATIOS
            if (value := getattr(result, name)) is not None
        }
        for result in results
    }


def compare(measured, expected, tolerance):
    """Lines that say which ratios fell; jobs that one of the two lacks are passed over.

    Parameters
    ----------
    measured, expected : dict
        As of `ratios`.
    tolerance : float
        Share of the expected ratio that may be missing.
    """
    return [
        f"fell: {job}, {name} {measured[job][name]:.2f}, expected {before:.2f}"
        for job in measured.keys() & expected.keys()
        for name, before in expected[job].items()
        if measured[job].get(name, before) < (1 - tolerance) * before
    ]


def report_changes(results, path, threads):
    """Print how the ratios compare with those of a file; never an error."""
    stored = json.loads(pathlib.Path(path).read_text())
    if stored["threads"] != threads:
        print(f"The ratios of {path} are those of {stored['threads']} thread(s).")
    lines = compare(ratios(results), stored["ratios"], stored["tolerance"])
    print("\n".join(sorted(lines)) or f"No ratio fell below those of {path}.")


def tables(results):
    """Tables of a run: rates and ratios of every job, and ratios over every peer."""
    columns = _record.columns(
        ours=("ours", ".4g"),
        unit=("", ""),
        memory=("MiB", ".0f"),
        peer=("best peer", ""),
        over_peer=("times as fast", ".2f"),
        limit=("limit", ""),
        over_limit=("share of the limit", ".2f"),
    )
    jobs = [
        {
            "label": result.job,
            "ours": 1 / result.ours.rate if result.unit == "s" else result.ours.rate,
            "unit": result.unit,
            "memory": result.ours.memory_mib,
            "peer": result.best_peer and result.best_peer.name,
            "over_peer": result.over_peer,
            "limit": result.limit and result.limit.name,
            "over_limit": result.over_limit,
        }
        for result in results
    ]
    made = {"jobs": _record.table("job", columns, jobs)}
    pairs = [(result, peer) for result in results for peer in result.peers]
    if pairs:
        columns = _record.columns(times=("times as fast", ".2f"))
        over = [
            {"label": f"{r.job}, over {p.name}", "times": ratio(r.ours, p)}
            for r, p in pairs
        ]
        made["peers"] = _record.table("job", columns, over)
    return made


def name_of_gpu(chosen):
    """Name of the GPU that a row needs, where there is one."""
    if "gpu" not in chosen:
        return None
    import torch  # here, since rows are to start without it

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def settings(threads):
    """Say what the figures depend on."""
    return {
        "threads": threads,
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def parse():
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = options.add_argument
    add("--rows", nargs="+", choices=rows.ROWS, default=rows.ROWS, metavar="ROW")
    add("--list", action="store_true", help="name the rows and end")
    add("--quick", action="store_true", help=f"only {', '.join(rows.QUICK_ROWS)}")
    add("--threads", type=_common.positive, default=2, help="threads of every library")
    add("--json", default=_common.RESULTS / "suite.json", help="where to write JSON")
    add("--compare", metavar="FILE", help="say which ratios fell below those stored")
    add("--store", metavar="FILE", help="store the ratios, to compare later runs with")
    add("--record", action="store_true", help=_record.HELP)
    return options.parse_args()


def main():
    """Run the rows one after another, print, write JSON."""
    args = parse()
    if args.list:
        print("\n".join(rows.ROWS))
        return
    for library in ("OMP", "OPENBLAS", "MKL"):  # for the processes to come
        os.environ[f"{library}_NUM_THREADS"] = str(args.threads)
    start, results = time.perf_counter(), []
    print(HEADER)
    chosen = rows.QUICK_ROWS if args.quick else args.rows
    for name in chosen:
        for result in run_row(name):
            print(line(result), flush=True)
            results.append(result)
    print(f"\n{time.perf_counter() - start:.0f} s, {args.threads} thread(s)")
    for check in (check for result in results for check in result.checks):
        _common.verdict(str(check), check.passed)
    content = settings(args.threads) | {"results": [to_json(r) for r in results]}
    _common.write_json(args.json, content)
    name = "suite" if set(chosen) == set(rows.ROWS) else f"suite_{'_'.join(chosen)}"
    own = {"rows": list(chosen), "python": platform.python_version()}
    own |= {"gpu": gpu} if (gpu := name_of_gpu(chosen)) else {}
    _record.record(args, name, tables=tables(results), settings=own)
    if args.compare:
        report_changes(results, args.compare, args.threads)
    if args.store:
        kept = {"tolerance": TOLERANCE, "threads": args.threads}
        _common.write_json(args.store, kept | {"ratios": ratios(results)})


if __name__ == "__main__":
    main()
