"""Rows that a script has measured, kept so that a second run goes on after them."""

import hashlib
import json

from _shared import _common


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
        Returns what JSON can hold.
    """
    text = json.dumps(settings, sort_keys=True, default=str)
    code = hashlib.sha256(text.encode()).hexdigest()[:10]
    path = _common.RESULTS / name / f"{row}-{code}.json"
    if path.is_file():
        return json.loads(path.read_text())
    path.parent.mkdir(parents=True, exist_ok=True)
    result = measure()
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result))
    part.rename(path)
    return result
