"""Directives that show the claims of the papers, with verdicts from the results.

``.. claims:: SC-VAE`` is a table of the claims of one paper (a title of ``PAPERS`` in
``benchmarks/claims/_papers.py``), ``.. claims-summary::`` a sentence with how many have
which verdict. What a claim names and is not there is a warning of the build.
"""

import collections
import pathlib
import sys

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks" / "claims"))

import _papers
import _registry
from results import inline

LOGGER = logging.getLogger(__name__)
HEADER = ("claim", "printed", "here", "verdict")
WIDTHS = (32, 18, 36, 14)


def paragraphs(*texts):
    """Make a cell of paragraphs; empty texts are left out."""
    made = [nodes.paragraph("", "", *inline(text)) for text in texts if text]
    return nodes.entry("", *made)


def row_of(claim):
    """Node of the row of one claim, and the names of its files."""
    stale = "*stale*" if claim.stale() else ""
    tests = ", ".join(f"`{test}`" for test in claim.tests)
    cells = (
        paragraphs(claim.says, f"*{claim.place}*", f"`{claim.name}`"),
        paragraphs(claim.printed),
        paragraphs(claim.shown(), tests),
        paragraphs(f"**{claim.verdict()}**", stale),
    )
    return nodes.row("", *cells), claim.files()


class Claims(SphinxDirective):
    """Table of the claims of a paper."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        """Nodes."""
        group = nodes.tgroup(cols=len(HEADER))
        group += [nodes.colspec(colwidth=width) for width in WIDTHS]
        group += nodes.thead("", nodes.row("", *map(paragraphs, HEADER)))
        body = nodes.tbody()
        for claim in _papers.PAPERS[self.arguments[0]]:
            try:
                row, names = row_of(claim)
            except (_registry._results.MissingResult, ValueError) as error:
                where = self.get_location()
                LOGGER.warning("%s: %s", claim.name, error, location=where)
                continue
            body += row
            for name in names:
                path = _registry._results.FOLDER / f"{name}.json"
                self.env.note_dependency(str(path))
        group += body
        return [nodes.table("", group, classes=["results", "claims"])]


class Summary(SphinxDirective):
    """How many claims have which verdict."""

    def run(self):
        """Nodes."""
        claims = [claim for own in _papers.PAPERS.values() for claim in own]
        counts = collections.Counter(claim.verdict() for claim in claims)
        parts = ", ".join(f"{counts[v]} {v}" for v in _registry.VERDICTS)
        text = f"Of {len(claims)} claims: {parts}."
        return [nodes.paragraph("", text)]


def setup(app):
    """Register both."""
    app.add_directive("claims", Claims)
    app.add_directive("claims-summary", Summary)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
