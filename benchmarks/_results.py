"""Results as files: what a benchmark measured, and the tables made of it.

``results/<name>.json`` is written by a benchmark that runs with ``--record``. README
and documentation type no figure: they name a table or a figure of a file, and this
module says what is shown in its place. It needs Python's standard library alone;
``_record.py`` writes.

A file is a JSON object with

``command``, ``version``, ``date``
    How it was measured, with which version of the package, and when.
``measures`` (may be missing)
    Hash of the settings that the script then had; where they are others now, whatever
    shows the file says so (`_measures`).
``machine``, ``settings``, ``seeds``, ``cpu_seconds``
    Threads and cores; what the figures depend on; seeds of the fits; CPU time of all.
``note`` (may be missing)
    What a reader has to know, such as an earlier default.
``tables``
    By key. A table has ``label``, the title of its first column, ``columns`` and
    ``rows``, both by key, and may have a ``caption`` and a ``note``.

    A column has a ``label``, a ``format`` (as of `format`) and may have ``best``,
    ``"max"`` or ``"min"``, whose best row is then shown bold. A row has a ``label`` and
    a value for each column: a number, a text, none, or an object with ``mean`` and
    ``std`` (and ``values``, by seed) or ``interval``. A row with ``"reference": true``
    does not compete, such as what a paper prints. Labels, captions and notes may have
    ```code```, ``*emphasis*`` and ``**more**``.
``figures``
    Single numbers by key, for prose; no key of a table.

Keys are lower case, so that ``name.table.row.column`` and ``name.figure`` are names;
``python benchmarks/_results.py`` lists them.
"""

import dataclasses
import itertools
import json
import pathlib

import _measures

FOLDER = pathlib.Path(__file__).parent / "results"
BEST = {"max": max, "min": min}
STALE = "*Stale: the script has had other settings since.*"


class MissingResult(LookupError):
    """A file, table, row, column or figure that there is not."""


def read(name, folder=FOLDER):
    """Content of a file."""
    path = pathlib.Path(folder, f"{name}.json")
    if not path.is_file():
        raise MissingResult(f"there is no benchmarks/results/{name}.json")
    return json.loads(path.read_text())


def find(mapping, key, what):
    """Entry of an object; `MissingResult` says which there are."""
    if not isinstance(mapping, dict) or key not in mapping:
        known = ", ".join(mapping) if isinstance(mapping, dict) else "nothing"
        raise MissingResult(f"{what} has no {key!r}; it has {known}")
    return mapping[key]


def figure(path, spec=None, folder=FOLDER):
    """Text of one figure.

    Parameters
    ----------
    path : str
        ``name.figure``, ``name.table.row.column`` with ``.std`` behind it for a part of
        a cell, or what else is in the file, such as ``name.settings.n_train``.
    spec : str, optional
        As of `format`; that of the column when None.
    """
    found, default = _look_up(path, folder)
    if isinstance(found, dict):
        found = find(found, "mean", path)
    return show(found, default if spec is None else spec)


def value(path, folder=FOLDER):
    """Return number, text or object that has a name as of `figure`."""
    return _look_up(path, folder)[0]


def _look_up(path, folder):
    """Value of a figure, and the format of its column."""
    name, *keys = path.split(".")
    content = read(name, folder)
    if not keys:
        raise MissingResult(f"{path!r} names a file, not a figure of it")
    place, default = name, ""
    if keys[0] in content["figures"]:
        found = content["figures"]
    elif keys[0] in content["tables"]:
        found, place = find(content["tables"], keys.pop(0), name), f"{name}, table"
        if len(keys) > 1 and keys[1] in found["columns"]:
            default = found["columns"][keys[1]].get("format", "")
        found = found["rows"]
    else:
        found = content
    for key in keys:
        if isinstance(found, list):
            found = {str(i): part for i, part in enumerate(found)}
        found, place = find(found, key, place), f"{place}.{key}"
    if found is None:
        raise MissingResult(f"{path} is empty")
    return found, default


@dataclasses.dataclass(frozen=True)
class Table:
    """A table as text: cells may have code, emphasis and bold as in Markdown.

    Attributes
    ----------
    header : list of str
    rows : list of list of str
    caption : str
        Caption, command, version, date and notes.
    """

    header: list
    rows: list
    caption: str


def table(names, key=None, *, columns=None, rows=None, transpose=False, folder=FOLDER):
    """Make a table of one file or of several.

    Parameters
    ----------
    names : str or list of str
        Files, whose rows come one after another, in the columns of the first one.
    key : str, optional
        Key of the table in all files; not needed where they have one table.
    columns, rows : list of str, optional
        Keys of those that are shown, in this order; all when None.
    transpose : bool, default=False
        Show rows as columns.
    """
    names = [names] if isinstance(names, str) else list(names)
    contents = [read(name, folder) for name in names]
    parts = [_pick(*part, key) for part in zip(names, contents, strict=True)]
    first, known = parts[0], {}
    for part in reversed(parts):  # of a row that several files have, the first
        known |= part["rows"]
    known = {k: known[k] for part in parts for k in part["rows"]}
    where = f"table {key or ''} of {' '.join(names)}"
    columns = {k: find(first["columns"], k, where) for k in columns or first["columns"]}
    rows = [find(known, k, where) for k in rows or known]
    cells = [[row["label"] for row in rows]]
    cells += [_cells(column, k, rows) for k, column in columns.items()]
    labels = [first.get("label", ""), *(column["label"] for column in columns.values())]
    grid = [[label, *own] for label, own in zip(labels, cells, strict=True)]
    if not transpose:
        grid = [list(line) for line in zip(*grid, strict=True)]
    texts = [first.get("caption")]
    for content, part in zip(contents, parts, strict=True):
        texts += [source(content), part.get("note")]
    return Table(grid[0], grid[1:], " ".join(filter(None, texts)))


def _pick(name, content, key):
    """Table of a file: the one with that key, or its only one."""
    tables = content["tables"]
    if key is not None:
        return find(tables, key, name)
    if len(tables) != 1:
        raise MissingResult(f"{name} has not one table but {', '.join(tables)}")
    return next(iter(tables.values()))


def _cells(column, key, rows):
    """Texts of a column, the best ones bold."""
    spec, best = column.get("format", ""), None
    values = [row.get(key) for row in rows]
    if "best" in column:
        competing = [row.get(key) for row in rows if not row.get("reference")]
        means = [v["mean"] if isinstance(v, dict) else v for v in competing]
        means = [v for v in means if isinstance(v, int | float)]
        best = show(BEST[column["best"]](means), spec) if len(means) > 1 else None
    cells = []
    for row, value in zip(rows, values, strict=True):
        text, *more = show(value, spec).split(" ", 1)
        if text and text == best and not row.get("reference"):
            text = f"**{text}**"
        cells.append(" ".join([text, *more]))
    return cells


def show(value, spec=""):
    """Text of a cell."""
    if value is None:
        return ""
    if isinstance(value, dict):
        text, plain = show(value["mean"], spec), spec.lstrip("+")
        if "std" in value:
            text += f" ({show(value['std'], plain)})"
        if "interval" in value:
            text += " [{} {}]".format(*(show(v, plain) for v in value["interval"]))
        return text
    return value if isinstance(value, str) else format(value, spec)


def names(folder=FOLDER):
    """Names of all tables, figures in them, and single figures."""
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        content = read(path.stem, folder)
        for key, own in content["tables"].items():
            yield f"{path.stem}.{key}"
            for row, column in itertools.product(own["rows"], own["columns"]):
                if column in own["rows"][row]:
                    yield f"{path.stem}.{key}.{row}.{column}"
        yield from (f"{path.stem}.{key}" for key in content["figures"])


def source(content):
    """Command, version, date and note of a file, in a line."""
    n_threads = content["machine"].get("threads")
    threads = f", {n_threads} thread{'s' * (n_threads > 1)}" if n_threads else ""
    text = f"`{content['command']}` (version {content['version']}, {content['date']}"
    stale = STALE if _measures.is_stale(content) else None
    return " ".join(filter(None, [f"{text}{threads}).", stale, content.get("note")]))


if __name__ == "__main__":
    print("\n".join(names()))
