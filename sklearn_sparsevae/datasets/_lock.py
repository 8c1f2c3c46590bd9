"""One at a time, among threads and processes."""

import contextlib
import os
import time

_WAIT = 0.05  # seconds between two tries, where the system cannot wake us


@contextlib.contextmanager
def only_one(path):
    """Let one thread of one process at a time do what is inside.

    The lock is the system's, and goes when the process that holds it does, however
    that ends. The file stays, empty.

    Parameters
    ----------
    path : path-like
        A file that stands for what is done. Its folder must exist.
    """
    with open(path, "ab") as file:
        _lock(file.fileno())
        yield  # closing the file unlocks it


def _lock(handle):
    if os.name == "posix":
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)
        return
    import msvcrt

    while True:
        try:
            os.lseek(handle, 0, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            time.sleep(_WAIT)
        else:
            return
