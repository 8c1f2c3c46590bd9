"""Contenders, the races between them, and the memory that they take."""

import ctypes
import gc
import importlib.util
import multiprocessing
import pathlib
import re
import sys
import time

from rows._results import Figure

N_ROUNDS = 5
# Seconds after which threads that OpenMP left spinning have gone to sleep.
PAUSE = 0.05
# Seconds of a call beside which the 0.01 that waking threads may take are few.
LONG = 0.3


class Here:
    """A contender in this process: calls of ``run``, each of ``amount`` units."""

    def __init__(self, run, amount=1):
        self.run, self.amount = run, amount

    def seconds(self):
        """Time of a call, or of another right after it where waking threads counts."""
        first = self._seconds()
        return first if first > LONG else self._seconds()

    def _seconds(self):
        start = time.perf_counter()
        self.run()
        return time.perf_counter() - start

    def memory(self):
        """MiB by which a call raises the peak memory; None where Linux is not."""
        return peak_growth(self.run)


class Apart:
    """A contender in a process of its own, where ``make(*args)`` makes its ``run``.

    For libraries with threads of their own, which must not meet those of another.
    """

    def __init__(self, make, *args, amount=1):
        self.amount = amount
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        context.Process(target=_serve, args=(theirs, make, args), daemon=True).start()
        theirs.close()

    def __getattr__(self, name):
        """Ask the other process to do it."""
        if name not in ("seconds", "memory"):
            raise AttributeError(name)
        return lambda: self._ask(name)

    def _ask(self, what):
        self._pipe.send(what)
        return self._pipe.recv()


def _serve(pipe, make, args):
    """Do what is asked until the other end of the pipe is closed."""
    contender = Here(make(*args))
    try:
        while True:
            pipe.send(getattr(contender, pipe.recv())())
    except EOFError:
        pass


def race(contenders, n_rounds=N_ROUNDS):
    """Let contenders, given by name, run in turn; a `Figure` of each, by name.

    Every round calls all of them once, so that what else the machine does hits all of
    a round alike, and after a pause, since threads of the one before may still keep a
    core busy while they wait for more. The call whose memory is measured comes before
    the first round; what is to be compiled must have been by then.
    """
    memory = {name: contender.memory() for name, contender in contenders.items()}
    seconds = {name: [] for name in contenders}
    for _ in range(n_rounds):
        for name, contender in contenders.items():
            time.sleep(PAUSE)
            seconds[name].append(contender.seconds())
    return {
        name: Figure(name, seconds[name], contender.amount, memory[name])
        for name, contender in contenders.items()
    }


def installed(package, contender):
    """Whether a package is there; says which contender is missing without it."""
    if importlib.util.find_spec(package):
        return True
    print(f"skipped: {contender}, {package} is not installed", flush=True)
    return False


def peak_growth(call):
    """MiB by which a call raises the peak memory of this process above the present.

    Memory that was freed before is handed back to the system first, or what the call
    reuses of it would not count. None where the system is not Linux.
    """
    if not sys.platform.startswith("linux"):
        call()
        return None
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _status("VmRSS")
    call()
    return _status("VmHWM") - before


def _status(name):
    """MiB that the system tells of this process."""
    text = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+)", text)[1]) / 1024
