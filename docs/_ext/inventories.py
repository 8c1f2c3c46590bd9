"""Links to the documentation of other projects, without a network.

Intersphinx downloads lists of names. Ours are in ``inventories.txt``: a build needs no
network, and gives the same pages with and without one. Names that are not listed there
stay plain text, and a test of the documentation says which they are.
"""

import zlib
from pathlib import Path

NAMES = Path(__file__).with_name("inventories.txt")
HEADER = """\
# Sphinx inventory version 2
# Project: {}
# Version:
# The remainder of this file is compressed using zlib.
"""


def read_names(path=NAMES):
    """Read the names of each project.

    ``[project] address`` begins a project, a line ``domain:role page#anchor`` the names
    of a kind, and indented lines hold names. A name takes the place of ``$`` in the
    page, the module that it is in that of ``%``.

    Returns
    -------
    projects : dict of str to tuple
        Address of each project, and the list of its ``(name, kind, page)``.
    """
    projects, kind, page = {}, "", ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            project, address = line[1:].split("] ")
            projects[project] = (address, entries := [])
        elif line.startswith("    "):
            for name in line.strip().split("; "):
                where = page.replace("$", name).replace("%", name.rpartition(".")[0])
                entries.append((name, kind, where))
        elif line and not line.startswith("#"):
            kind, page = line.split()
    return projects


def write_inventories(folder):
    """Write an inventory of each project, and return intersphinx's mapping to them."""
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for project, (address, entries) in read_names().items():
        body = "".join(f"{name} {kind} 1 {page} -\n" for name, kind, page in entries)
        path = folder / f"{project}.inv"
        path.write_bytes(HEADER.format(project).encode() + zlib.compress(body.encode()))
        mapping[project] = (address, str(path))
    return mapping
