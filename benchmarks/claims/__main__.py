"""Claims of the papers: a table of verdicts, or one of them measured anew.

``python benchmarks/claims`` prints every claim with its verdict;
``python benchmarks/claims NAME`` shows one, runs the commands that measure it, with
``--record``, and shows it again. Scripts on data that is not part of the repository
find it in the folder ``SPARSEVAE_DATA``.
"""

import argparse
import collections
import os
import pathlib
import subprocess
import sys
import textwrap

import _papers
import _registry


def show(claim):
    """Print what is known of one claim."""
    stale = "".join(f"\nSTALE: {name}.json" for name in claim.stale())
    lines = [
        f"{claim.name}: {claim.verdict().upper()}",
        *textwrap.wrap(f"{claim.says} ({claim.place})", 86),
        *textwrap.wrap(f"printed: {claim.printed}", 86),
        *textwrap.wrap(f"here: {claim.shown()}", 86),
    ]
    print("\n  ".join(lines) + stale, flush=True)


def show_all():
    """Print a line for each claim, and how many have which verdict."""
    counts = collections.Counter()
    for title, claims in _papers.PAPERS.items():
        print(f"\n{title}")
        for claim in claims:
            counts[claim.verdict()] += 1
            mark = "  (stale)" if claim.stale() else ""
            print(f"  {claim.name:32} {claim.verdict():22} {claim.says}{mark}")
    print("\n" + ", ".join(f"{counts[v]} {v}" for v in _registry.VERDICTS))


def with_data(command):
    """Command for this machine: its Python, and archives from their folder."""
    folder = os.environ.get("SPARSEVAE_DATA")
    words = [sys.executable, *command[1:]]
    for i, word in enumerate(words[:-1]):
        if word == "--data" and folder and not pathlib.Path(words[i + 1]).exists():
            words[i + 1] = str(pathlib.Path(folder, words[i + 1]))
    return words


def rerun(claim):
    """Run what measures a claim; end the program where that fails."""
    for command in claim.commands():
        record = [] if claim.tests else ["--record"]
        print("\n$ " + " ".join([*command, *record]), flush=True)
        done = subprocess.run([*with_data(command), *record], check=False)
        if done.returncode:
            raise SystemExit(done.returncode)


def main():
    """Show all, or rerun one."""
    options = argparse.ArgumentParser(prog="benchmarks/claims", description=__doc__)
    options.add_argument("name", nargs="?", help="of one claim")
    name = options.parse_args().name
    known = {claim.name: claim for own in _papers.PAPERS.values() for claim in own}
    if not name:
        return show_all()
    if name not in known:
        options.error(f"no claim is called {name!r}; there are {', '.join(known)}")
    show(known[name])
    if not known[name].commands():
        return None
    rerun(known[name])
    print()
    return show(known[name])


if __name__ == "__main__":
    main()
