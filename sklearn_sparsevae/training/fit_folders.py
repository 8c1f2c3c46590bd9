"""The folder of checkpoints: in it a folder for each fit.

That is named by the estimator and by a digest of its parameters and data. In it lie
``run.json``, which says what these are, and the states after the last two epochs. No
two fits share a file, unless they are the same one.
"""

import contextlib
import json
import re

from sklearn_sparsevae import _container
from sklearn_sparsevae.training.packing import unpack

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

#: What a fit is, and why it failed.
RUN, FAILED = "run.json", "failed.txt"
#: The tensor that holds what is no tensor.
TEXT = "text"
#: What is known of a state besides.
KNOWN = ("seed", "n_done", "is_over")
_DIGEST = re.compile("[0-9a-f]{16}")
_STATE = re.compile(r"(epoch|finished)-(\d{6})\.safetensors")


def states_in(folder):
    """List pairs of a number of epochs and the file of the state, in their order."""
    if not folder.is_dir():
        return []
    found = ((_STATE.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((int(match[2]), path) for match, path in found if match)


def read_state(path):
    """Return what is known of a state, and the state."""
    arrays, content = _container.read(path, "checkpoint")
    if content.get("fit") != path.parent.name:
        raise ValueError(f"{path} is of another fit, {content.get('fit')}.")
    try:
        text = arrays.pop(TEXT).tobytes().decode()
        return {k: content[k] for k in KNOWN}, unpack(arrays, text)
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} holds no state of a training.") from error


@contextlib.contextmanager
def being_trained(folder):
    """Let other processes see that a fit is being trained, as long as this one lives.

    Yields whether no other process was training it.
    """
    if fcntl is None:
        yield False
        return
    with open(folder / "lock", "a") as handle:
        is_alone = _try_to_lock(handle)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_SH)
        yield is_alone


def _may_be_trained(folder):
    """Whether a process is training a fit, or nobody can say."""
    try:
        with open(folder / "lock", "a") as handle:
            return fcntl is None or not _try_to_lock(handle)
    except OSError:
        return True


def _try_to_lock(handle):
    """Whether nobody else has locked a file: then it is locked."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


# ---- other fits in the same folder --------------------------------------------------


def refuse_others(root, name, run):
    """Raise where the only fit of that name was interrupted and is not this one.

    So nobody takes for resumed what starts anew. A fit that is finished, has failed or
    is being trained does not count; and where there are several, as of a search, there
    may be more.
    """
    folders = list(root.glob(f"{name}-*"))
    if len(folders) != 1:
        return
    (folder,) = folders
    number, newest = (states_in(folder) or [(0, None)])[-1]
    if number == 0 or newest.name.startswith("finished"):
        return
    if (folder / FAILED).exists() or _may_be_trained(folder):
        return
    try:
        there = json.loads((folder / RUN).read_text())
        differences = "; ".join(_differences(there, run))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        differences = f"{RUN} is not there or damaged"
    raise ValueError(
        f"checkpoint={str(root)!r} holds a fit that stopped after {number} epoch(s) "
        f"and differs from this one: {differences}. Fit with what was there to "
        f"continue it, delete {folder} to give it up, or set another folder."
    )


def _differences(there, here):
    """Words for what differs between two fits, parameters first."""
    words = []
    for part, form in (("parameters", "{}"), ("data", "the data ({})")):
        for name in sorted(there[part].keys() | here[part].keys()):
            was, now = (run[part].get(name, "not given") for run in (there, here))
            if was == now:
                continue
            text = f"{name}={_short(was)} there, {_short(now)} here"
            if _DIGEST.fullmatch(str(was)) and _DIGEST.fullmatch(str(now)):
                text = f"other {name}"
            words.append(form.format(text))
    return words


def _short(value):
    text = repr(value)
    return text if len(text) < 80 else text[:77] + "..."
