"""Examples are drawn, tried and counted; faults are kept, as small as they get."""

import collections
import contextlib
import dataclasses
import random
import re
import signal
import traceback
import warnings

import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning

from tests.fuzz.inputs import OwnError, fingerprint, is_finite
from tests.fuzz.targets import TARGETS

SECONDS = 20  # which no example takes


@dataclasses.dataclass
class Report:
    """Counts by callable and outcome, and one fault of each kind."""

    counts: dict = dataclasses.field(
        default_factory=lambda: collections.defaultdict(collections.Counter)
    )
    faults: dict = dataclasses.field(default_factory=dict)

    def total(self, outcome):
        return sum(counts[outcome] for counts in self.counts.values())


def run(n_examples, seed_=0, only="", see=lambda *_: None, usual=False):
    """Try examples, and first all ``usual`` arguments; ``see`` is told of every one.

    Returns
    -------
    report : Report
    """
    targets = [target for name, target in TARGETS.items() if only in name]
    report = Report()

    def count(target, drawn):
        outcome, fault = try_one(target, drawn)
        report.counts[target.name][outcome] += 1
        if fault is not None and fault.kind not in report.faults:
            report.faults[fault.kind] = smallest(target, drawn, fault)
        see(report, target, drawn, outcome)

    @seed(seed_)
    @settings(
        max_examples=n_examples,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(examples(targets))
    def try_all(example):
        count(*example)

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for target in targets if usual else ():
            count(target, {})
        with warnings.catch_warnings():
            # Of hypothesis, where an example has a long repr.
            warnings.simplefilter("ignore", HypothesisWarning)
            try_all()
    finally:
        torch.set_num_threads(n_threads)
    return report


@st.composite
def examples(draw, targets):
    """Draw a callable, and recipes of those of its arguments that are not usual."""
    target = draw(st.sampled_from(targets))
    names = st.sampled_from(list(target.arguments))
    chosen = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    return target, {name: draw(target.arguments[name].others) for name in chosen}


@dataclasses.dataclass
class Fault:
    """What went wrong in a call, and with what arguments."""

    kind: tuple
    call: str
    text: str


def try_one(target, drawn):
    """Call a target; return "answered", "refused" or "fault", and the fault."""
    recipes = {name: a.usual for name, a in target.arguments.items()} | drawn
    values = {
        name: make(np.random.default_rng(0)) for name, (_, make) in recipes.items()
    }
    before, generators = fingerprint(list(values.values())), global_state()
    try:
        with quietly(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = target.call(dict(values))
            target.check(answer, values)
        finite = is_finite(list(values.values())) and not target.passes
        assert not finite or is_finite(answer), f"not finite: {answer!r:.200}"
        outcome = "answered"
    except OwnError:
        outcome = "refused"
    except Exception as error:
        if not is_refusal(error, target, drawn):
            return "fault", describe(error, target, drawn)
        outcome = "refused"
    try:
        assert fingerprint(list(values.values())) == before, "an input was changed"
        own = drawn.get("random_state", ("0", None))[0]
        assert own == "None" or global_state() == generators, "a global seed moved"
    except AssertionError as error:
        return "fault", describe(error, target, drawn)
    return outcome, None


@contextlib.contextmanager
def quietly():
    """Let nothing take for ever."""

    def stop(*_):
        raise TimeoutError(f"more than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def is_refusal(error, target, drawn):
    """Whether an error is one in words, about an argument that is not as usual."""
    if target.own_errors and isinstance(error, target.own_errors):
        return True
    if not isinstance(error, ValueError | TypeError):
        return False
    names = {word for name in drawn for word in [name, *target.called.get(name, ())]}
    return any(re.search(rf"\b{re.escape(n)}\b", str(error), re.I) for n in names)


def global_state():
    """State of the generators that belong to everybody."""
    numpy = np.random.get_state()
    return (
        torch.get_rng_state().numpy().tobytes(),
        numpy[1].tobytes(),
        random.getstate(),
    )


def describe(error, target, drawn):
    """Fault of an error, with the place of ours that it was raised at, or passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "sklearn_sparsevae" in f.filename] or frames[-1:]
    place = f"{ours[-1].filename.rpartition('sklearn_sparsevae/')[2]}:{ours[-1].lineno}"
    given = ", ".join(f"{name}={label}" for name, (label, _) in drawn.items())
    text = f"{type(error).__name__}: {error}"[:600]
    named = "" if isinstance(error, AssertionError) else place
    kind = type(error).__name__, place, "" if named else str(error)[:30]
    return Fault(
        kind, f"{target.name}({given})", f"{text}\n    at {place}: {ours[-1].line}"
    )


def smallest(target, drawn, fault):
    """Leave out what the same fault does not need."""
    for name in list(drawn):
        fewer = {k: v for k, v in drawn.items() if k != name}
        other = try_one(target, fewer)[1]
        if other is not None and other.kind == fault.kind:
            drawn, fault = fewer, other
    return fault
