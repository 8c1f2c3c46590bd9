"""Rows that a script has measured, kept so that a second run goes on after them."""

import hashlib
import json

import _common
import _record


def kept(name, row, settings, measure):
    """Return what ``measure()`` does, or did in an earlier run.

    Parameters
    ----------
    name : str
        Of the script: rows lie in ``build/benchmarks/<name>/``.
    row : str
        Of the row, a name of a file.
    settings : object
        All that the row depends on; where it differs, the row is measured anew.
    measure : callable
        Returns what JSON can hold; numbers may be NumPy's.
    """
    text = json.dumps(settings, sort_keys=True, default=str)
    code = hashlib.sha256(text.encode()).hexdigest()[:10]
    path = _common.RESULTS / name / f"{row}-{code}.json"
    if path.is_file():
        return json.loads(path.read_text())
    _record.write_aside(path, json.dumps(measure(), default=float))
    return json.loads(path.read_text())
