"""How far a measurement has come."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

Progress = Callable[[int, int], None]  # pictures done, of how many


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


def ticking(progress: Progress, total: int) -> Callable[[], None]:
    """A function to call for each picture done."""
    done = count(1)
    return lambda: progress(next(done), total)
