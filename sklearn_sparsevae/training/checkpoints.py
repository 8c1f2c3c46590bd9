"""What is kept on disk of a training that is under way, so that it can go on."""

import contextlib
import json
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np

from sklearn_sparsevae import _container
from sklearn_sparsevae._files import write_text
from sklearn_sparsevae.training.fingerprints import (
    describe,
    describe_data,
    digest_of,
)
from sklearn_sparsevae.training.fit_folders import (
    FAILED,
    KNOWN,
    RUN,
    TEXT,
    being_trained,
    read_state,
    refuse_others,
    states_in,
)
from sklearn_sparsevae.training.packing import pack
from sklearn_sparsevae.training.ranks import from_first, is_first

# Parameters that say how to run a fit and how to follow it, not what comes out.
_FREE = {"callbacks", "checkpoint", "device", "n_workers", "verbose", "warm_start"}
_KEPT = 2  # states of a fit


class Checkpoints:
    """What a training goes on from, and where it is kept: here nowhere.

    Parameters
    ----------
    seed : int
        For a training that starts; another one goes on with its own.
    folder : Path, default=None
        Of the fit.
    found : tuple, default=None
        What is known of the state that lies there, by name, and that state.

    Attributes
    ----------
    seed : int
        Of the training.
    n_done : int
        Epochs that a state which was found has behind it.
    is_found : bool
        Whether there is a state, from which the training is to go on.
    is_over : bool
        Whether that state is the last one.
    """

    def __init__(self, seed, folder=None, found=None):
        self.folder, self.is_found = folder, found is not None
        known, self._states = found or ({}, None)
        start = {"seed": seed, "n_done": 0, "is_over": False} | known
        self.seed, self.n_done, self.is_over = (start[name] for name in KNOWN)

    def load(self, parts, history):
        """Bring parts and history to the state that was found, if one was."""
        if self._states is None:
            return
        states, self._states = self._states, None
        history[:] = states.pop("history")
        try:
            for name, part in parts.items():
                if part is not None and states.get(name) is not None:
                    part.load_state_dict(states[name])
        except (RuntimeError, KeyError, ValueError) as error:
            raise ValueError(
                f"The states in {self.folder} do not fit this version of the package: "
                f"{error}. Delete that folder to start anew."
            ) from error

    def write(self, parts, history, n_done, is_over):
        """Keep the state of parts and history, after so many epochs."""

    def fail(self, error):
        """Note that the training cannot go on, since the same would happen again."""


class FolderCheckpoints(Checkpoints):
    """Keeps the last two states in the folder of the fit, which can be written to."""

    def write(self, parts, history, n_done, is_over):
        """Keep the state of parts and history, after so many epochs."""
        states = {
            name: None if part is None else part.state_dict()
            for name, part in parts.items()
        }
        try:
            arrays, text = pack({**states, "history": list(history)})
        except TypeError as error:
            raise TypeError(
                f"checkpoint={str(self.folder.parent)!r} cannot keep this training: "
                f"{error}. Let callbacks record numbers, texts or arrays."
            ) from error
        arrays[TEXT] = np.frombuffer(text.encode(), np.uint8)
        known = dict(zip(KNOWN, (self.seed, n_done, is_over), strict=True))
        kind = "finished" if is_over else "epoch"
        path = self.folder / f"{kind}-{n_done:06}.safetensors"
        content = {"fit": self.folder.name, **known}
        _container.write(path, "checkpoint", arrays, content)
        for number, old in states_in(self.folder):
            if number <= n_done - _KEPT:
                old.unlink(missing_ok=True)

    def fail(self, error):
        """Note that the training cannot go on, since the same would happen again."""
        write_text(self.folder / FAILED, str(error))


def _newest_in(folder):
    """Read the newest state that is not damaged, and what is known of it; or None."""
    for _, path in reversed(states_in(folder)):
        try:
            return read_state(path)
        except (OSError, ValueError) as error:
            warnings.warn(
                f"A checkpoint cannot be used: {error} The fit goes on from the one "
                "before it, or starts anew where there is none. Check the disk if this "
                "happens again.",
                stacklevel=6,
            )
    return None


@contextlib.contextmanager
def open_checkpoints(estimator, data, seed):
    """Yield where the training of an estimator is kept, and what is there of it.

    Parameters
    ----------
    estimator : object
        With the parameter ``checkpoint``, a folder or None, and all others.
    data : Photos, or dict of ndarray
        What is trained on.
    seed : int
        Drawn from ``random_state``.

    Yields
    ------
    checkpoints : Checkpoints
        Its seed is the one to train with.

    Raises
    ------
    ValueError
        Where the folder cannot be written to, or holds an unfinished fit with other
        parameters or data that nobody is training.
    """
    if estimator.checkpoint is None:
        yield Checkpoints(seed)
        return
    if not is_first():
        yield Checkpoints(seed, *from_first(None))
        return
    root, name = Path(estimator.checkpoint), type(estimator).__name__
    run = {
        "parameters": _describe_parameters(estimator, seed),
        "data": describe_data(data),
    }
    own = root / f"{name}-{digest_of(run)[:16]}"
    if (root / RUN).is_file():
        raise ValueError(
            f"checkpoint={str(root)!r} is the folder of one fit; expected the one "
            f"above it, {str(root.parent)!r}."
        )
    if not states_in(own):
        refuse_others(root, name, run)
    with contextlib.ExitStack() as stack:
        try:
            own.mkdir(parents=True, exist_ok=True)
            if stack.enter_context(being_trained(own)):
                for aside in own.glob(".aside-*"):  # of one that was killed
                    shutil.rmtree(aside, ignore_errors=True)
            write_text(own / RUN, json.dumps(run, indent=1))
            (own / FAILED).unlink(missing_ok=True)
        except OSError as error:
            raise ValueError(
                f"checkpoint={str(root)!r} cannot be written to ({error}). Give a "
                "folder that can, or None."
            ) from error
        # Where several processes train one net, the first of them reads and writes.
        checkpoints = FolderCheckpoints(seed, *from_first((own, _newest_in(own))))
        if estimator.verbose:
            print(_where(checkpoints), file=sys.stderr)
        yield checkpoints


def _describe_parameters(estimator, seed):
    """Describe the parameters that matter for what comes out."""
    given = estimator.get_params(deep=False)
    known = {}
    for name in sorted(given.keys() - _FREE):
        try:
            known[name] = describe(given[name])
        except RecursionError:  # what holds itself is known by its kind alone
            known[name] = type(given[name]).__qualname__
    if hasattr(estimator.random_state, "randint"):
        known["random_state"] = f"a generator that drew {seed}"
    return known


def _where(checkpoints):
    """Words for where a fit starts."""
    n_done, folder = checkpoints.n_done, checkpoints.folder
    if checkpoints.is_over:
        return f"This fit is finished, after {n_done} epoch(s), in {folder}."
    if checkpoints.is_found:
        return f"Continues after {n_done} epoch(s), from {folder}."
    return f"Starts anew, with checkpoints in {folder}."
