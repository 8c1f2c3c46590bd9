"""How busy this process and its workers keep the cores, whoever else works on them.

A process beside it looks, fifty times a second, how many threads run or wait for a
core. Where that is at least the number of cores that may be used, none is idle; on a
machine that does something else as well they only wait longer. Linux alone tells.
"""

import contextlib
import os
import pathlib
import select
import subprocess
import sys


class Cores:
    """Context in which `busy` may be asked for.

    Parameters
    ----------
    n_cores : int
        That may be used.
    """

    def __init__(self, n_cores):
        self.n_cores = n_cores

    def __enter__(self):
        command = [sys.executable, __file__, str(os.getpid()), str(self.n_cores)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._watcher = subprocess.Popen(command, text=True, bufsize=1, **pipes)
        self.busy()
        return self

    def busy(self):
        """Share of the cores that had something to do since the last call."""
        print(file=self._watcher.stdin, flush=True)
        return float(self._watcher.stdout.readline())

    def __exit__(self, *_):
        self._watcher.stdin.close()
        self._watcher.wait()
        self._watcher.stdout.close()


def _family(pid):
    """Process and those that it started, but for this one."""
    pids = [pid]
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            if parent == pid and int(path.parent.name) != os.getpid():
                pids.append(int(path.parent.name))
    return pids


def _n_running(pid):
    states = []
    with contextlib.suppress(OSError):
        for path in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
            with contextlib.suppress(OSError):
                states.append(path.read_text().rpartition(")")[2].split()[0])
    return states.count("R")


def _watch(pid, n_cores):
    """Answer every line of the input with the share since the one before."""
    samples, family = [], _family(pid)
    while True:
        asked = select.select([sys.stdin], [], [], 0.02)[0]
        if asked and not sys.stdin.readline():
            return
        if asked:
            print(sum(samples) / len(samples) if samples else 1.0, flush=True)
            samples = []
            continue
        if len(samples) % 10 == 0:
            family = _family(pid)
        running = sum(map(_n_running, family))
        samples.append(min(running, n_cores) / n_cores)


if __name__ == "__main__":
    _watch(int(sys.argv[1]), int(sys.argv[2]))
