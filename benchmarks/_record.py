"""How a benchmark writes its results, in the format that `_results` describes.

A script builds tables by `table` and `columns`, names its rows by `key`, and calls
`record`, which does nothing without ``--record`` on the command line.
"""

import datetime
import json
import os
import pathlib
import re
import sys
import tomllib

import _measures
import _results

from sklearn_sparsevae._files import write_text

REQUIRED = (
    "command version date machine settings seeds cpu_seconds tables figures".split()
)
MAX_BYTES = 50_000
WIDTH = 88  # of a line of JSON
KEY = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
HELP = "write the tables that README and documentation show, in benchmarks/results"

# Columns that several benchmarks have, so that they are called the same everywhere.
COLUMNS = {
    "psnr": ("PSNR, dB", ".1f"),
    "ssim": ("SSIM", ".3f"),
    "nonzeros": ("non-zeros a site", ".1f"),
    "atoms": ("atoms in use", ".0f"),
    "bpp": ("bits per pixel", ".2f"),
    "cpu_minutes": ("CPU-minutes", ".1f"),
    "cpu_seconds": ("CPU-seconds", ".0f"),
    "iou": ("IoU", ".3f"),
}


def columns(*keys, best=None, **own):
    """Columns of a table.

    Parameters
    ----------
    *keys : str
        Of `COLUMNS`.
    best : dict, optional
        ``"max"`` or ``"min"`` for the columns whose best row is shown bold.
    **own : tuple of str
        Label and format of further columns, or of known ones that differ here.
    """
    made = {k: COLUMNS[k] for k in keys if k not in own} | own
    made = {k: dict(zip(("label", "format"), made[k], strict=True)) for k in made}
    for k, which in (best or {}).items():
        made[k]["best"] = which
    return made


def table(label, columns, rows, **more):
    """Table of rows in a list, each with a ``label`` and, if that is no key, a ``key``.

    Values of other keys than those of the columns are left out. ``more`` may have a
    caption and a note.
    """
    known, kept = ("label", *columns, "reference"), {}
    for row in rows:
        name = row.get("key", key(row["label"]))
        if name in kept:
            raise ValueError(f"two rows are called {name!r}")
        kept[name] = {k: row[k] for k in known if row.get(k) is not None}
    return {"label": label, "columns": columns, "rows": kept, **more}


def key(text):
    """Key of a text: lower case, with hyphens for what is neither letter nor digit."""
    return re.sub(r"[^a-z0-9_]+|_+(?![a-z0-9])", "-", text.lower()).strip("-_")


def code(text):
    """Text whose settings, such as ``beta=4``, are marked as code."""
    return re.sub(r"\w+=[^\s,]+(, \w+=[^\s,]+)*", r"`\g<0>`", text)


def spread(values):
    """Cell of what was measured several times: mean, standard deviation, values."""
    values = [float(value) for value in values]
    mean = sum(values) / len(values)
    if len(values) == 1:
        return mean
    std = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    return {"mean": mean, "std": std, "values": values}


def record(args, name, *, tables, settings, seeds=(0,), figures=None, note=None):
    """Write a file, where the command line asks for it by ``--record``.

    Parameters
    ----------
    args : Namespace
        With ``record`` and ``threads``.
    name : str
        Of the file, without ``.json``.
    tables, settings, seeds, figures, note
        As the top of `_results` describes them.
    """
    if not args.record:
        return
    project = tomllib.loads((_results.FOLDER.parents[1] / "pyproject.toml").read_text())
    content = {
        "command": command(sys.argv),
        "measures": _measures.measures(pathlib.Path(sys.argv[0]).read_text()),
        "version": project["project"]["version"],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": {"threads": args.threads, "cores": os.cpu_count()},
        "settings": settings,
        "seeds": list(seeds),
        "cpu_seconds": round(sum(os.times()[:4])),
        "note": note,
        "tables": tables,
        "figures": figures or {},
    }
    write(name, {k: v for k, v in content.items() if v is not None})


def command(argv):
    """Command line as a reader would type it, without folders of this machine."""
    script = pathlib.Path(argv[0]).resolve()
    words = ["python", script.relative_to(_results.FOLDER.parents[1]).as_posix()]
    rest = iter(argv[1:])
    for word in rest:
        option, _, value = word.partition("=")
        if option in ("--json", "--encoders", "--figure", "--plot"):  # where to write
            value or next(rest, None)
        elif option == "--data":
            words += ["--data", pathlib.Path(value or next(rest)).name]
        elif option != "--record":
            words.append(word)
    return " ".join(words)


def write(name, content, folder=_results.FOLDER):
    """Check and write a file."""
    content = _plain(content)
    if faults := check(content):
        raise ValueError(f"results {name}: {'; '.join(faults)}")
    path = pathlib.Path(folder, f"{name}.json")
    write_aside(path, dump(content) + "\n")
    print(f"recorded: {path}")


def write_aside(path, text):
    """Write aside, then rename, so that no reader sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def _plain(value):
    """Python's own numbers, with five digits that count."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    value = getattr(value, "item", lambda: value)()  # of NumPy
    if isinstance(value, float):
        return float(f"{value:.5g}")
    return value if isinstance(value, str | int | None) else str(value)


def dump(value, indent=0, used=0):
    """JSON with one line for whatever fits in it, so that changes are easy to read."""
    line = json.dumps(value, ensure_ascii=False)
    fits = indent and indent + used + len(line) < WIDTH
    if fits or not value or not isinstance(value, dict | list):
        return line
    pad, ends = "\n" + (indent + 1) * " ", "{}" if isinstance(value, dict) else "[]"
    if isinstance(value, dict):
        heads = [f"{json.dumps(k, ensure_ascii=False)}: " for k in value]
        value = value.values()
    else:
        heads = [""] * len(value)
    parts = [
        pad + head + dump(part, indent + 1, len(head))
        for head, part in zip(heads, value, strict=True)
    ]
    return ends[0] + ",".join(parts) + "\n" + indent * " " + ends[1]


def check(content):
    """Say what is wrong with the content of a file; an empty list when nothing is."""
    faults = [f"{k} is missing" for k in REQUIRED if k not in content]
    if faults:
        return faults
    text = dump(content)
    if len(text.encode()) > MAX_BYTES:
        faults.append(f"more than {MAX_BYTES} bytes")
    faults += [
        f"a path is in it: {path}" for path in re.findall(r"[ \"]/\w+/\S*", text)
    ]
    tables, figures = content["tables"], content["figures"]
    for name, own in tables.items():
        faults += [f"table {name}: {fault}" for fault in _check_table(own)]
    if re.search(r"\b(NaN|Infinity)\b", text):
        faults.append("a number is not finite")
    twice = [*tables, *figures, *REQUIRED]
    faults += [f"{k} names two things" for k in {*twice} if twice.count(k) > 1]
    return faults + _bad_keys([*tables, *figures])


def _check_table(own):
    faults, columns, rows = [], own["columns"], own["rows"]
    if not columns or not rows:
        faults.append("no columns or no rows")
    for name, column in columns.items():
        if "label" not in column or column.get("best", "max") not in _results.BEST:
            faults.append(f"column {name} has no label, or an unknown best")
    known = columns.keys() | {"label", "reference"}
    for name, row in rows.items():
        if "label" not in row or row.keys() - known:
            faults.append(f"row {name} has no label, or more than {sorted(known)}")
        for k, column in columns.items():
            try:
                _results.show(row.get(k), column.get("format", ""))
            except (TypeError, ValueError, KeyError) as error:
                faults.append(f"row {name}, column {k}: {error}")
    return faults + _bad_keys([*columns, *rows])


def _bad_keys(keys):
    return [f"key {k!r} is no name" for k in keys if not KEY.fullmatch(k)]
