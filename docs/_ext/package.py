"""What pages say of the package, read from pyproject.toml so that it cannot drift.

``.. extras-table::`` takes a field for each extra, which says what it is for; what it
installs is read. ``.. requirements-table::`` has what is always installed. In all pages
``|python|`` is the lowest version of Python, ``|repository|`` the address.
"""

import re
import tomllib
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
# What those install who work on the project.
FOR_DEVELOPERS = {"tests", "docs", "benchmarks", "dev"}


def read_project():
    """Return the table ``[project]`` of pyproject.toml."""
    return tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]


def split_requirement(requirement):
    """Split ``"numpy>=1.26; marker"`` into the name and the lowest version."""
    name, lowest = re.match(
        r"([\w.\[\],-]+?)(?:>=([\w.]+))?(?:;|$)", requirement
    ).groups()
    return name, lowest or ""


def substitutions():
    """Return definitions of the substitutions for all pages."""
    project = read_project()
    urls = project.get("urls", {})
    words = {
        "python": project["requires-python"].removeprefix(">="),
        "repository": urls.get("Repository", "the repository"),
    }
    return "\n".join(f".. |{word}| replace:: {text}" for word, text in words.items())


def _row(cells, literal=()):
    row = nodes.row()
    for i, cell in enumerate(cells):
        children = cell if isinstance(cell, list) else [nodes.Text(cell)]
        if i in literal:
            children = [nodes.literal("", cell)]
        row += nodes.entry("", nodes.paragraph("", "", *children))
    return row


def _table(heads, rows):
    group = nodes.tgroup("", cols=len(heads))
    group += [nodes.colspec(colwidth=1) for _ in heads]
    group += nodes.thead("", _row(heads))
    group += nodes.tbody("", *rows)
    return nodes.table("", group)


class ExtrasTable(SphinxDirective):
    """The extras for users: the command's name, what for, which packages."""

    has_content = True

    def run(self):
        """Make the table of the fields ``:name: what for`` of the content."""
        words = {}
        for line in self.content:
            if field := re.match(r":(\w+): (.+)", line):
                name, words[field[1]] = field[1], field[2]
            elif line.strip():
                words[name] += " " + line.strip()
        extras = read_project()["optional-dependencies"]
        if set(words) != set(extras) - FOR_DEVELOPERS:
            odd = set(words) ^ (set(extras) - FOR_DEVELOPERS)
            raise self.error(
                f"extras of pyproject.toml and of this table differ: {odd}"
            )
        rows = []
        for name, text in words.items():
            packages = [split_requirement(r)[0] for r in extras[name]]
            inline, messages = self.state.inline_text(text, self.lineno)
            rows.append(_row([name, inline + messages, ", ".join(packages)], {0}))
        return [_table(["Extra", "For", "Installs"], rows)]


class RequirementsTable(SphinxDirective):
    """The packages that are always installed, and their lowest versions."""

    def run(self):
        """Make the table."""
        requirements = map(split_requirement, read_project()["dependencies"])
        return [_table(["Package", "From"], [_row(r) for r in requirements])]


def setup(app):
    """Register the directives."""
    directives.register_directive("extras-table", ExtrasTable)
    directives.register_directive("requirements-table", RequirementsTable)
    return {"parallel_read_safe": True, "version": "1"}
