"""Time a piece of work: the median of enough runs, and what varies."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LEAST_RUNS, MOST_RUNS = 3, 50
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Timing:
    """Wall-clock times of one piece of work, in milliseconds."""

    median_ms: float
    fastest_ms: float
    slowest_ms: float
    first_ms: float  # the run before the others: caches are cold and memory is new
    runs: int


def measure(work: Callable[[], object], seconds: float = 1.0) -> Timing:
    """Run `work` once cold, then for about `seconds`, at least 3 and at most 50 times."""
    first = _time(work)
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) < LEAST_RUNS or (time.perf_counter() < until and len(times) < MOST_RUNS):
        times.append(_time(work))
    return Timing(statistics.median(times), min(times), max(times), first, len(times))


def peak_memory_mb() -> float | None:
    """The most memory that this process has held so far, in MB; None where the system does not tell."""
    return parse_peak_mb(STATUS.read_text(encoding="utf-8")) if STATUS.exists() else None


def parse_peak_mb(status: str) -> float | None:
    """The peak in a Linux process's status, in MB of 10^6 bytes. `getrusage` would count what the parent process held,
    too."""
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(peak[1]) * 1024 / 1e6 if peak else None


def _time(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1e3
