"""What a metric is: a name that carries the protocol, a unit, which way is better, the protocol in words, and how it is
computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

HIGHER, LOWER, ONE, NEITHER = "↑", "↓", "→ 1", ""  # which way is better, as tables show it
# a face recognizer, a network of 68 landmarks, a face detector
EVALUATOR, LANDMARKER, FINDER = "EVALUATOR", "LANDMARKER", "FINDER"


@dataclass(frozen=True)
class Metric(Generic[P, T]):
    """One metric, stated once: reports, tables, pages and docs/map.md take from here what they say of it.

    `compute` gives a number, an array with a number for each pair or face, or an `Interval` where a number is of a
    whole set. Shares are 0 or 100 for each pair or face, so that a mean is in percent.
    """

    name: str
    unit: str
    better: str
    protocol: str
    compute: Callable[P, T]
    seen_by: str = ""  # `EVALUATOR`, `LANDMARKER` or `FINDER`: whose name follows the metric's in a report

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `compute` gives."""
        return self.compute(*args, **kwargs)

    def by(self, evaluator: str) -> str:
        """Its name in a report where `evaluator` saw it."""
        return f"{self.name}_{evaluator}"

    def is_called(self, name: str) -> bool:
        """Whether `name` is this metric's in a report, whoever saw it."""
        return name == self.name or (bool(self.seen_by) and name.startswith(f"{self.name}_"))


def metric(unit: str, better: str, protocol: str, seen_by: str = "") -> Callable[[Callable[P, T]], Metric[P, T]]:
    """Make a `Metric` of a function, under the function's name."""
    return lambda compute: Metric(compute.__name__, unit, better, protocol, compute, seen_by)
