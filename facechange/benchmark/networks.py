"""Time the face-change graph alone: general and with an identity folded in, in batches, on one thread and on all."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from facechange.benchmark.operations import Operations, count_operations
from facechange.benchmark.timing import Timing, measure
from facechange.core import ModelError
from facechange.runtime import graph_path, load_graph
from facechange.runtime.crops import kept_mask_names


@dataclass(frozen=True)
class NetworkRun:
    """One way to run a face-change graph, and how long it took."""

    model: str
    size_px: int
    engine: str
    threads: int
    batch: int
    baked: bool
    ready_ms: float  # to load the graph or, where baked, to fold the identity into it
    timing: Timing  # of the whole batch
    operations: Operations  # a picture

    @property
    def picture_ms(self) -> float:
        """Milliseconds a picture."""
        return self.timing.median_ms / self.batch

    @property
    def gflops(self) -> float:
        """Achieved GFLOP/s, counting what the general graph computes a picture."""
        return self.operations.flops / self.picture_ms / 1e6


def measure_network(
    model: str | Path, engine: str, threads: list[int], batches: list[int], seconds: float = 1.0
) -> list[NetworkRun]:
    """Every combination of `threads` and `batches`, general and baked. `model` is `load_graph`'s."""
    path = graph_path(model)
    random = np.random.default_rng(0)
    identity = random.normal(size=(1, 512)).astype(np.float32)
    identity /= np.linalg.norm(identity)
    runs: list[NetworkRun] = []
    for count in threads:
        began = time.perf_counter()
        general = load_graph(path, count, engine)
        loaded = time.perf_counter()
        if general.card.role != "change":
            raise ModelError(
                f"{general.card.name} is not a face-change model.", "Give a graph written by facechange export."
            )
        baked = general.bake({"identity": identity})
        ready = {False: (loaded - began) * 1e3, True: (time.perf_counter() - loaded) * 1e3}
        size = general.card.size_px
        target = random.uniform(-1, 1, (max(batches), 3, size, size)).astype(np.float32)
        outputs = ["changed", *kept_mask_names(general.output_names)]  # as a change needs them
        operations = (
            runs[0].operations if runs else count_operations(path, {"target": target[:1], "identity": identity})
        )
        for batch, graph in product(batches, (general, baked)):
            inputs = {"target": target[:batch], "identity": np.repeat(identity, batch, 0)}
            timing = measure(partial(graph.run, {name: inputs[name] for name in graph.input_names}, outputs), seconds)
            is_baked = graph is baked
            runs.append(
                NetworkRun(
                    general.card.name, size, graph.engine, count, batch, is_baked, ready[is_baked], timing, operations
                )
            )
    return runs
