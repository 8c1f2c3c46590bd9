"""What a row hands back, and the one place where figures become ratios."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Figure:
    """How long one contender took.

    Attributes
    ----------
    name : str
    seconds : list of float
        One for each round; figures of one race share their rounds.
    amount : float
        Units of work in a round.
    memory_mib : float or None
        How far a call raised the peak memory of its process; None where the system
        does not tell.
    """

    name: str
    seconds: list
    amount: float = 1
    memory_mib: float | None = None

    @property
    def rate(self):
        """Units of work a second, median over the rounds."""
        return self.amount / statistics.median(self.seconds)


def ratio(ours, other):
    """How many times as fast as the other: median over the pairs of a round."""
    pairs = zip(ours.seconds, other.seconds, strict=True)
    quotients = [(theirs / own) for own, theirs in pairs]
    return statistics.median(quotients) * ours.amount / other.amount


@dataclasses.dataclass(frozen=True)
class Check:
    """A goal, and the figure that meets it or does not."""

    text: str
    value: float
    at_least: float = -float("inf")
    at_most: float = float("inf")

    @property
    def passed(self):
        """Whether the goal is met."""
        return bool(self.at_least <= self.value <= self.at_most)

    def __str__(self):
        bounds = [("at least", self.at_least), ("at most", self.at_most)]
        goal = " and ".join(f"{w} {b:g}" for w, b in bounds if abs(b) != float("inf"))
        return f"{self.text}: {self.value:.3g} (goal: {goal})"


@dataclasses.dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes
    ----------
    job : str
        What is measured; unique in the suite.
    unit : str
        Of the figures: ``"<things>/s"``, or ``"s"`` where a round is one thing.
    ours : Figure
    peers : tuple of Figure
        Other ways to do the job; the table shows the fastest.
    limit : Figure or None
        What no way can undercut on this machine.
    checks : tuple of Check
        The goals that this line decides.
    """

    job: str
    unit: str
    ours: Figure
    peers: tuple = ()
    limit: Figure | None = None
    checks: tuple = ()

    def with_checks(self, *checks):
        """Return the same line, which decides some more goals."""
        return dataclasses.replace(self, checks=(*self.checks, *checks))

    @property
    def best_peer(self):
        """The fastest of the peers, or None."""
        return max(self.peers, key=lambda peer: peer.rate, default=None)

    @property
    def over_peer(self):
        """How many times as fast as the best peer, or None."""
        return None if self.best_peer is None else ratio(self.ours, self.best_peer)

    @property
    def over_limit(self):
        """Share of the physical limit that is reached, or None."""
        return None if self.limit is None else ratio(self.ours, self.limit)
