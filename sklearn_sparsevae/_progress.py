"""How far a long run is: one line with a bar, its rate and the time left.

What goes through images or codes opens a bar by `progress`; loops deep inside, which
know of no ``verbose``, are `tracked`, and are shown inside `showing` alone. Without
``verbose`` nothing is printed, and tqdm is not even imported.
"""

import contextlib
import sys
import threading
import warnings


class _Silent:
    """Stands for a bar where nothing is shown, or where somebody counts already."""

    def update(self, n=1):
        """Take note of nothing."""


SILENT = _Silent()


class _State(threading.local):
    shown = False


_state = _State()


def bar_class():
    """Return tqdm's bar for where this runs: a widget in notebooks that can show one.

    Without ipywidgets a notebook has a line of text, which is as good: tqdm's advice to
    install them is left out.
    """
    from tqdm import TqdmWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)
        from tqdm.auto import tqdm
    return tqdm


@contextlib.contextmanager
def showing(verbose):
    """Let loops of this thread that are `tracked` be shown, if ``verbose``."""
    before, _state.shown = _state.shown, bool(verbose)
    try:
        yield
    finally:
        _state.shown = before


@contextlib.contextmanager
def progress(what, total, verbose, unit="images"):
    """Bar of what goes through so many items, on the error output; closed at the end.

    Parameters
    ----------
    what : str
        What is shown before the bar.
    total : int or None
        None where nobody knows: then there is no bar and no time left.
    verbose : int
        0 gives a bar that shows nothing.
    unit : str
        Plural of what is counted.

    Yields
    ------
    bar : object
        ``bar.update(n)`` says that n more are done.
    """
    if not verbose:
        yield SILENT
        return
    counts = "{l_bar}{bar}| {n:.0f}/{total}{unit} [{elapsed}<{remaining}, "
    if total is None:
        counts = "{desc}: {n:.0f}{unit} [{elapsed}, "
    bar = bar_class()(
        desc=what,
        total=total,
        unit=f" {unit}",
        file=sys.stderr,
        bar_format=counts + "{rate_noinv_fmt}]",
    )
    with bar:
        yield bar
        bar.n = round(bar.n)  # whole, whatever the sum of its parts


def tracked(items, what, unit):
    """Yield items that have a length, with a bar where this thread is `showing`."""
    with progress(what, len(items), _state.shown, unit) as bar:
        for item in items:
            yield item
            bar.update()
