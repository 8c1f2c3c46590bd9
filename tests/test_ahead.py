"""Work done ahead: in order, within bounds, and over when it is over."""

import threading
import time

import pytest

from sklearn_sparsevae._ahead import ahead


def n_threads():
    return sum(thread.name.startswith("ahead") for thread in threading.enumerate())


every_number = pytest.mark.parametrize("n_workers", [0, 1, 3])


@every_number
def test_results_come_in_order_and_from_threads(n_workers):
    def slow_at_first(i):
        time.sleep(0.005 * (i == 0))
        return i, threading.current_thread() is threading.main_thread()

    results = list(ahead(slow_at_first, range(9), n_workers))
    assert results == [(i, n_workers == 0) for i in range(9)]
    assert not n_threads()


@every_number
def test_no_more_is_taken_than_there_is_room_for(n_workers):
    taken = []
    items = (taken.append(i) or i for i in range(20))
    for i in ahead(abs, items, n_workers):
        assert len(taken) <= i + 1 + (n_workers + 1 if n_workers else 0)


@every_number
@pytest.mark.parametrize("where", ["function", "items"])
def test_an_error_comes_in_its_place_and_says_where(n_workers, where):
    def damaged(i):
        if i == 3:
            raise ValueError("photo 3")
        return i

    damage_items = where == "items"
    items = map(damaged, range(9)) if damage_items else range(9)
    seen = []
    with pytest.raises(ValueError, match="photo 3") as error:
        for result in ahead(abs if damage_items else damaged, items, n_workers):
            seen.append(result)
    assert seen == [0, 1, 2]
    assert error.traceback[-1].name == "damaged"
    assert not n_threads()


@pytest.mark.parametrize("end", [GeneratorExit, KeyboardInterrupt])
def test_an_early_end_leaves_no_thread_and_no_work(end):
    done = []
    results = ahead(done.append, range(100), 2)
    next(results)
    if end is GeneratorExit:
        results.close()
    else:
        with pytest.raises(end):
            results.throw(end)
    assert not n_threads() and len(done) <= 4
