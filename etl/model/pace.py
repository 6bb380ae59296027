"""The one formula of growing pauses. Pure: chance comes in as a number, and whoever waits brings the clock.

tenacity counts the tries of a read, with a sleep of ours, so that it runs in virtual time too. It knows one call only: a
429 holds up every worker, and a fault of Mews the whole run. So the length of a pause is told here, who waits there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Pauses that double from `first` to `longest` seconds, each taken times a random share of `least` to `most`."""

    first: float
    longest: float
    least: float = 0.5
    most: float = 1.0

    def pause(self, failures: int, chance: float, *, asked: float = 0.0) -> float:
        """Seconds to wait after so many failures before this one. `chance` is 0 to 1, `asked` what Mews asked for."""
        step = min(self.longest, max(self.first * 2.0 ** min(failures, 30), asked))
        return step * (self.least + (self.most - self.least) * chance)
