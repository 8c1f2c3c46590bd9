"""Directive and role that show what ``benchmarks/results`` has.

``.. results-table:: NAME`` is a table of ``benchmarks/results/NAME.json`` (of several
files, whose rows follow one another, with several names), with command, version and
date under it::

    .. results-table:: reconstruction
       :table: codes
       :columns: psnr nonzeros
       :rows: ours start
       :transpose:

``:table:`` is needed where a file has several; columns and rows are all unless said.
``:result:`reconstruction.codes.ours.psnr``` is one figure, ``:result:`... .2f``` the
same with two digits. What is not there is a warning of the build, an error with ``-W``.
"""

import pathlib
import re
import sys

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))

import _results

LOGGER = logging.getLogger(__name__)
MARKUP = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*")
KINDS = (nodes.literal, nodes.strong, nodes.emphasis)


def inline(text):
    """Nodes of a text with code, bold and emphasis."""
    found, end = [], 0
    for match in MARKUP.finditer(text):
        kind = KINDS[match.lastindex - 1]
        found += [
            nodes.Text(text[end : match.start()]),
            kind("", match[match.lastindex]),
        ]
        end = match.end()
    return [*found, nodes.Text(text[end:])]


def row_of(cells):
    """Node of one row."""
    row = nodes.row()
    for cell in cells:
        row += nodes.entry("", nodes.paragraph("", "", *inline(cell)))
    return row


def table_of(table):
    """Nodes of a table and what stands under it."""
    width = len(table.header)
    group = nodes.tgroup(cols=width)
    group += [nodes.colspec(colwidth=1) for _ in range(width)]
    group += nodes.thead("", row_of(table.header))
    group += nodes.tbody("", *map(row_of, table.rows))
    caption = nodes.paragraph(
        "", "", *inline(table.caption), classes=["results-source"]
    )
    return [nodes.table("", group, classes=["results"]), caption]


class ResultsTable(SphinxDirective):
    """Table of one file or of several."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {
        "table": directives.unchanged_required,
        "columns": directives.unchanged_required,
        "rows": directives.unchanged_required,
        "transpose": directives.flag,
    }

    def run(self):
        """Nodes, or a warning and nothing."""
        names = self.arguments[0].split()
        for name in names:
            self.env.note_dependency(str(_results.FOLDER / f"{name}.json"))
        chosen = {
            key: self.options[key].split()
            for key in ("columns", "rows")
            if key in self.options
        }
        try:
            table = _results.table(
                names,
                self.options.get("table"),
                transpose="transpose" in self.options,
                **chosen,
            )
        except _results.MissingResult as error:
            LOGGER.warning("results-table: %s", error, location=self.get_location())
            return []
        return table_of(table)


class ResultRole(SphinxRole):
    """One figure."""

    def run(self):
        """Text of the figure, or a warning and two question marks."""
        path, *spec = self.text.split(maxsplit=1)
        self.env.note_dependency(str(_results.FOLDER / f"{path.split('.')[0]}.json"))
        try:
            text = _results.figure(path, *spec)
        except (_results.MissingResult, ValueError) as error:
            LOGGER.warning("result: %s", error, location=self.get_location())
            text = "??"
        return [nodes.Text(text)], []


def setup(app):
    """Register both."""
    app.add_directive("results-table", ResultsTable)
    app.add_role("result", ResultRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
