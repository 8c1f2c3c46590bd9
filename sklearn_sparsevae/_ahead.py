"""Work that is done ahead of who waits for it: in threads, in order, within bounds."""

import collections
import functools
from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import ThreadpoolController


def ahead(function, items, n_workers):
    """Yield ``function(item)`` for item after item, made ahead in threads.

    Items are taken in the caller's thread, when there is room: one for each thread and
    one more, besides what the caller works on. Results come in the order of the items,
    and so do errors, with the traceback of the thread. When the generator ends, is
    closed or interrupted, what has begun is awaited, the rest is dropped, and the
    threads end.

    Parameters
    ----------
    function : callable
    items : iterable
    n_workers : int
        Threads; 0 makes a result when it is asked for.

    Examples
    --------
    >>> from sklearn_sparsevae._ahead import ahead
    >>> list(ahead(str.upper, "abc", n_workers=2))
    ['A', 'B', 'C']
    """
    if not n_workers:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(n_workers, "ahead", _on_one_thread)
    results, items, failure = collections.deque(), iter(items), None
    try:
        while True:
            while items is not None and len(results) < n_workers + 2:
                try:
                    results.append(pool.submit(function, next(items)))
                except StopIteration:
                    items = None
                except Exception as error:  # its place is after the results before it
                    items, failure = None, error
            if not results:
                break
            yield results.popleft().result()
        if failure is not None:
            raise failure
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@functools.cache
def _libraries():
    """Libraries with threads of their own; finding them takes milliseconds."""
    return ThreadpoolController().select(user_api="openmp")


def _on_one_thread():
    """Let OpenMP start no threads from this one: those of the pool are enough."""
    _libraries().limit(limits=1)
