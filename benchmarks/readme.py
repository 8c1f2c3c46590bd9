"""Figures and tables of README.md, written from the files in ``benchmarks/results``.

What stands between two comments is rewritten. A table, with options as those of the
directive of the documentation (``docs/_ext/results.py``), and a blank line around it::

    <!-- results-table: reconstruction:codes columns=psnr,nonzeros rows=ours,start -->
    <!-- /results-table -->

A figure, in a sentence or in the cell of a table, but not where a line begins, since
Markdown takes the whole line for HTML then::

    It has <!-- result: reconstruction.codes.ours.psnr .1f -->44.9<!-- /result --> dB.

Other words for a table: ``transpose``, and ``bare`` for no line of its source below.
Several files are joined by a plus.

Run ``python benchmarks/readme.py``; ``--check`` says whether it would change a file,
and changes none. It needs no data, and no package.
"""

import argparse
import pathlib
import re
import sys

import _results

ROOT = pathlib.Path(__file__).parents[1]
COMMAND = "python benchmarks/readme.py"
TABLE = re.compile(
    r"(<!-- results-table: (?P<what>[^>]*?) -->\n).*?(<!-- /results-table -->)", re.S
)
FIGURE = re.compile(r"(<!-- result: (?P<what>[^>]*?) -->).*?(<!-- /result -->)", re.S)
AT_LINE_START = re.compile(r"^[ \t>]*([-*+]|\d+[.)])?[ \t]*<!-- result: .*", re.M)
ENDS = {
    "<!-- results-table: ": "<!-- /results-table -->",
    "<!-- result: ": "<!-- /result -->",
}


def rewrite(text, folder=_results.FOLDER):
    """Text with all its marked parts made anew."""
    if found := AT_LINE_START.search(text):
        raise ValueError(f"a line begins with a figure, wrap it elsewhere: {found[0]}")
    for start, end in ENDS.items():
        if text.count(start) != text.count(end):
            raise ValueError(f"{start!r} and {end!r} are not as many")
    text = TABLE.sub(lambda m: m[1] + markdown(m["what"], folder) + "\n" + m[3], text)
    return FIGURE.sub(lambda m: m[1] + figure(m["what"], folder) + m[3], text)


def figure(what, folder=_results.FOLDER):
    """Text of ``path`` or ``path format``."""
    path, *spec = what.split(maxsplit=1)
    return _results.figure(path, *spec, folder=folder)


def markdown(what, folder=_results.FOLDER):
    """Markdown of a table."""
    first, *words = what.split()
    names, _, key = first.partition(":")
    options = {}
    for word in words:
        option, _, value = word.partition("=")
        if option in ("columns", "rows") and value:
            options[option] = value.split(",")
        elif word not in ("transpose", "bare"):
            raise ValueError(f"{what!r}: unknown option {word!r}")
    table = _results.table(
        names.split("+"),
        key or None,
        transpose="transpose" in words,
        folder=folder,
        **options,
    )
    grid = [table.header, ["---"] * len(table.header), *table.rows]
    lines = [
        "| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in grid
    ]
    below = [] if "bare" in words else ["", table.caption]
    return "\n".join(["", *lines, *below, ""])


def main(argv=None):
    """Rewrite the files, or say which are older than the results."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = options.add_argument
    add("files", nargs="*", type=pathlib.Path, default=[ROOT / "README.md"])
    add("--check", action="store_true", help="write nothing; fail where that would")
    args = options.parse_args(argv)
    stale = []
    for path in args.files:
        before = path.read_text()
        try:
            now = rewrite(before)
        except (ValueError, _results.MissingResult) as error:
            sys.exit(f"{path.name}: {error}")
        if now != before:
            stale.append(path.name)
            if not args.check:
                path.write_text(now)
    if stale and args.check:
        sys.exit(f"not what benchmarks/results has: {', '.join(stale)}. Run {COMMAND}")
    print(f"rewritten: {', '.join(stale)}" if stale else "nothing to rewrite")


if __name__ == "__main__":
    main()
