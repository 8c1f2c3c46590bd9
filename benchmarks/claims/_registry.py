"""Claims of the papers, and the verdict that the results of this project give.

A `Claim` says what a paper says and printed, what stands here as a text with figures of
``benchmarks/results`` in braces, and a rule that decides from the same figures. No
verdict is typed: it follows from the files whenever it is shown. The claims of each
paper are a list in a module of this folder. Standard library only, since the
documentation reads this too.
"""

import dataclasses
import math
import pathlib
import re
import shlex
import sys
from collections.abc import Callable

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
import _measures
import _results

HOLDS, PART, FAILS = "holds", "holds in part", "does not hold"
UNTESTED = "cannot be tested here"
VERDICTS = (HOLDS, PART, FAILS, UNTESTED)
FIGURE = re.compile(r"\{([^{} ]+)(?: ([^{}]+))?\}")


class Figures:
    """Figures of the results by name, for the rules of claims."""

    def __init__(self, folder=_results.FOLDER):
        self.folder = folder
        self.read = set()

    def __call__(self, path):
        """Mean of a figure as a number."""
        value = self._value(path)
        return float(value["mean"] if isinstance(value, dict) else value)

    def std(self, path):
        """Return the standard deviation over seeds; 0 of what was measured once."""
        value = self._value(path)
        return float(value.get("std", 0.0)) if isinstance(value, dict) else 0.0

    def above(self, path, other, by=0.0):
        """Whether one is more than another by ``by`` and by two deviations of both."""
        margin = 2 * math.hypot(self.std(path), self.std(other))
        return self(path) - self(other) > max(by, margin)

    def close(self, path, other, within):
        """Whether two differ by no more than ``within``."""
        return abs(self(path) - self(other)) <= within

    def _value(self, path):
        self.read.add(path.split(".")[0])
        return _results.value(path, self.folder)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """What a paper claims, and how it is decided.

    Attributes
    ----------
    name : str
        By which ``make claims CLAIM=name`` reruns it.
    says : str
        The claim in a plain sentence.
    place : str
        Table, figure, section or equation of the paper.
    printed : str
        What the paper printed for it.
    here : str
        What stands here; ``{name.table.row.column}`` or ``{... .1f}`` is a figure.
    holds, in_part : callable, optional
        Rules: take `Figures`, tell whether the claim holds, or at least a part of it.
    tests : tuple of str
        Tests that decide it in place of results, as ``pytest`` names them: the claim
        holds as long as they pass.
    cannot : str, optional
        Why it cannot be tested here.
    """

    name: str
    says: str
    place: str
    printed: str
    here: str = ""
    holds: Callable | None = None
    in_part: Callable | None = None
    tests: tuple[str, ...] = ()
    cannot: str | None = None

    def __post_init__(self):
        ways = [self.holds is not None, bool(self.tests), self.cannot is not None]
        if sum(ways) != 1:
            raise ValueError(f"claim {self.name}: give one of holds, tests and cannot")

    def verdict(self, folder=_results.FOLDER):
        """One of `VERDICTS`, from the results as they are now."""
        if self.cannot is not None:
            return UNTESTED
        if self.tests:
            return HOLDS
        figures = Figures(folder)
        if self.holds(figures):
            return HOLDS
        return PART if self.in_part and self.in_part(figures) else FAILS

    def shown(self, folder=_results.FOLDER):
        """Text of what stands here, with its figures."""
        text = FIGURE.sub(lambda m: _results.figure(m[1], m[2], folder), self.here)
        return " ".join(filter(None, [text, self.cannot]))

    def files(self, folder=_results.FOLDER):
        """Names of the files of results that decide it."""
        figures = Figures(folder)
        for rule in (self.holds, self.in_part):
            rule and rule(figures)
        named = [match[1].split(".")[0] for match in FIGURE.finditer(self.here)]
        return list(dict.fromkeys([*sorted(figures.read), *named]))

    def commands(self, folder=_results.FOLDER):
        """Commands that rerun it, as lists of words; none of what cannot be tested."""
        if self.cannot is not None:
            return []
        if self.tests:
            return [["python", "-m", "pytest", "-q", *self.tests]]
        made = [_results.read(name, folder)["command"] for name in self.files(folder)]
        return [shlex.split(command) for command in dict.fromkeys(made)]

    def stale(self, folder=_results.FOLDER):
        """Names of its files that were measured by other settings than today's."""
        contents = {name: _results.read(name, folder) for name in self.files(folder)}
        return [name for name, own in contents.items() if _measures.is_stale(own)]
