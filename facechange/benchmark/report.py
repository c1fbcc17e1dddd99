"""Everything that one run of the benchmark measured."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facechange.benchmark.ceilings import Ceilings, measure_ceilings
from facechange.benchmark.networks import NetworkRun, measure_network
from facechange.benchmark.stages import ColdRun, measure_cold_swaps, measure_stages, own_home
from facechange.benchmark.timing import Timing, peak_memory_mb
from facechange.runtime import CHANGE_NAMES
from facechange.runtime.engines import usable_processors
from facechange.swap import load_swapper


@dataclass(frozen=True)
class Plan:
    """What to measure."""

    models: tuple[str, ...] = CHANGE_NAMES  # face-change graphs: names of those that ship, or files
    engine: str = "auto"
    megapixels: tuple[float, ...] = (2, 12)
    batches: tuple[int, ...] = (1, 4, 16)
    threads: tuple[int, ...] = ()  # empty: 1, 2, 4 ... and all processors
    seconds: float = 1.0  # for each figure

    def thread_counts(self) -> list[int]:
        """The numbers of threads to measure with, ascending."""
        most = usable_processors()
        return sorted(
            {*self.threads} or {*(1 << power for power in range(most.bit_length()) if 1 << power < most), most}
        )


@dataclass(frozen=True)
class Photograph:
    """One photograph through one model, on all threads."""

    model: str
    engine: str
    megapixels: float
    stages: dict[str, Timing]  # and "whole"
    cold: list[ColdRun]  # the first fills the caches
    peak_mb: float | None  # of the measuring process so far


@dataclass(frozen=True)
class BenchmarkReport:
    """All figures, and the machine they belong to."""

    machine: dict[str, str]
    ceilings: dict[str, Ceilings]  # of each engine
    networks: list[NetworkRun]
    photographs: list[Photograph]

    def share_of_ceiling(self, run: NetworkRun) -> float:
        """Achieved GFLOP/s of a run on all threads as a part of what its engine reaches at best."""
        return run.gflops / self.ceilings[run.engine].convolution_gflops

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the figures a picture beside each network's."""
        document = asdict(self)
        for described, run in zip(document["networks"], self.networks, strict=True):
            described |= {"picture_ms": run.picture_ms, "gflops": run.gflops}
        return document


def run_benchmark(plan: Plan, progress: Callable[[int, int], None] = lambda done, total: None) -> BenchmarkReport:
    """Measure `plan` step by step; raises `FacechangeError` where a graph or an engine is not to be had."""
    total = 1 + len(plan.models) * (1 + len(plan.megapixels))
    steps: Iterator[int] = iter(range(1, total + 1))
    threads = plan.thread_counts()
    with own_home() as home:
        networks: list[NetworkRun] = []
        photographs: list[Photograph] = []
        for model in plan.models:
            networks += measure_network(model, plan.engine, threads, list(plan.batches), plan.seconds)
            progress(next(steps), total)
            for megapixels in plan.megapixels:
                photographs.append(_measure_photograph(plan, model, megapixels, threads[-1], home))
                progress(next(steps), total)
        ceilings = {
            name: measure_ceilings(name, plan.engine, threads[-1], plan.seconds)
            for name in dict.fromkeys(run.engine for run in networks)
        }
        progress(next(steps), total)
    return BenchmarkReport(describe_machine(threads[-1]), ceilings, networks, photographs)


def describe_machine(threads: int) -> dict[str, str]:
    """What a figure means nothing without."""
    import onnxruntime

    return {
        "processor": _processor_name(),
        "threads": f"{threads} of {os.cpu_count()}",
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "ONNX Runtime": onnxruntime.__version__,
    }


def _measure_photograph(plan: Plan, model: str, megapixels: float, threads: int, home: Path) -> Photograph:
    swapper = load_swapper(model, threads, plan.engine)
    stages = measure_stages(swapper, home, megapixels, plan.seconds)
    options = ["--threads", str(threads), "--model", model]
    if plan.engine != "auto":
        options += ["--engine", plan.engine]
    cold = measure_cold_swaps(home, megapixels, options)
    return Photograph(swapper.card.name, swapper.engine, megapixels, stages, cold, peak_memory_mb())


def _processor_name() -> str:
    """The processor's name as Linux tells it, else as Python does."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
