"""How a benchmark writes its results, in the format that `_results` describes."""

import datetime
import importlib.metadata
import json
import os
import pathlib
import re
import sys

import _results

REQUIRED = (
    "command version date machine settings seeds cpu_seconds tables figures".split()
)
MAX_BYTES = 50_000
WIDTH = 88  # of a line of JSON
KEY = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
HELP = "write the tables that README and documentation show, in benchmarks/results"


def spread(values):
    """Cell of a figure that was measured several times: mean and standard deviation."""
    values = [float(value) for value in values]
    mean = sum(values) / len(values)
    std = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    return {"mean": mean, "std": std}


def record(args, name, *, tables, settings, seeds=(0,), figures=None, note=None):
    """Write a file, where the command line asks for it by ``--record``.

    Parameters
    ----------
    args : Namespace
        With ``record`` and ``threads``.
    name : str
        Of the file, without ``.json``.
    tables, settings, seeds, figures, note
        As the top of this module describes them.
    """
    if not args.record:
        return
    content = {
        "command": command(sys.argv),
        "version": importlib.metadata.version("sklearn-sparsevae"),
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
        if option == "--json":
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
    path.parent.mkdir(exist_ok=True)
    path.write_text(dump(content) + "\n")
    print(f"recorded: {path}")


def _plain(value):
    """Python's own numbers, with five digits that count."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    value = getattr(value, "item", lambda: value)()  # of NumPy
    return float(f"{value:.5g}") if isinstance(value, float) else value


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
    faults = [f"{key} is missing" for key in REQUIRED if key not in content]
    if faults:
        return faults
    if len(dump(content).encode()) > MAX_BYTES:
        faults.append(f"more than {MAX_BYTES} bytes")
    text = json.dumps(content)
    faults += [
        f"{mark!r} is in it" for mark in ("/work", "/home", "/tmp") if mark in text
    ]
    for key, own in content["tables"].items():
        faults += [f"table {key}: {fault}" for fault in _check_table(own)]
    both = content["tables"].keys() & (content["figures"].keys() | set(REQUIRED))
    both |= content["figures"].keys() & set(REQUIRED)
    faults += [f"{key} names two things" for key in sorted(both)]
    names = [*content["tables"], *content["figures"]]
    return faults + [f"key {k!r} is no name" for k in names if not KEY.fullmatch(k)]


def _check_table(own):
    if not own.get("columns") or not own.get("rows"):
        return ["no columns or no rows"]
    faults = []
    for key, column in own["columns"].items():
        if "label" not in column or column.get("best", "max") not in _results.BEST:
            faults.append(f"column {key} has no label, or an unknown best")
    known = own["columns"].keys() | {"label", "reference"}
    for key, row in own["rows"].items():
        if "label" not in row or row.keys() - known:
            faults.append(f"row {key} has no label, or more than {sorted(known)}")
        for column in own["columns"]:
            try:
                _results.show(row.get(column), own["columns"][column].get("format", ""))
            except (TypeError, ValueError, KeyError) as error:
                faults.append(f"row {key}, column {column}: {error}")
    keys = [*own["columns"], *own["rows"]]
    return faults + [f"key {k!r} is no name" for k in keys if not KEY.fullmatch(k)]
