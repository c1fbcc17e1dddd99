"""Simulate a folder, or requests that arrive, on a cluster: where it queues, and what lost and slow nodes cost.

Needs SimPy (`pip install simpy`). Service times are those of docs/scale.md; give your own:

    python tools/simulate_scale.py --nodes 1 4 10 --cores 16 --lost 1 --slow 0.1
    python tools/simulate_scale.py --nodes 4 --rate 50 --spike 3
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import simpy

CHANGE_S = 0.644  # processor seconds of a worker for a photograph of 12 megapixels by facechange-512
PUBLISH_S = 0.0092  # of the driver, which publishes one after the other
RESTART_S = 5.0  # until another worker is warm


@dataclass
class Run:
    """One run: what is asked for, and what was seen."""

    nodes: int
    cores: int
    pictures: int
    rate: float  # pictures a second that arrive; 0: all are there
    spike: float  # factor of the rate in the middle third
    lost: int  # nodes that end at a random time of the first tenth
    slow: float  # share of nodes that take twice as long
    seed: int
    waits: list[float] = field(default_factory=list)
    publish_busy_s: float = 0.0
    repeated: int = 0

    def simulate(self) -> float:
        """Seconds until the last picture is published."""
        self._random = random.Random(self.seed)
        self._env = simpy.Environment()
        self._left = simpy.Store(self._env)
        self._publishing = simpy.Resource(self._env, 1)
        self._all = self._env.event()
        self._env.process(self._arrive())
        share = self.pictures * CHANGE_S / (self.nodes * self.cores)
        for node in range(self.nodes):
            ends = self._random.uniform(0, share / 10) if node < self.lost else float("inf")
            factor = 2.0 if self._random.random() < self.slow else 1.0
            for _ in range(self.cores):
                self._env.process(self._work(ends, factor))
        self._env.run(self._all)
        return float(self._env.now)

    def _arrive(self) -> Iterator[simpy.Event]:
        for number in range(self.pictures):
            if self.rate:
                busy = self.pictures / 3 <= number < 2 * self.pictures / 3
                yield self._env.timeout(self._random.expovariate(self.rate * (self.spike if busy else 1)))
            yield self._left.put(self._env.now)

    def _work(self, ends: float, factor: float) -> Iterator[simpy.Event]:
        yield self._env.timeout(RESTART_S)
        while True:
            came = yield self._left.get()
            took = CHANGE_S * factor * self._random.lognormvariate(-0.02, 0.2)
            if self._env.now + took > ends:  # lost with its node: what it had is done elsewhere
                self.repeated += 1
                yield self._left.put(came)
                return
            yield self._env.timeout(took)
            self._env.process(self._publish(came))

    def _publish(self, came: float) -> Iterator[simpy.Event]:
        with self._publishing.request() as turn:
            yield turn
            yield self._env.timeout(PUBLISH_S)
        self.publish_busy_s += PUBLISH_S
        self.waits.append(self._env.now - came)
        if len(self.waits) == self.pictures:
            self._all.succeed()


def main() -> None:
    """A line for each number of nodes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 4, 10])
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--pictures", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--spike", type=float, default=1.0)
    parser.add_argument("--lost", type=int, default=0)
    parser.add_argument("--slow", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    given = vars(parser.parse_args())
    print("nodes  pictures/s  driver busy  p50 s  p95 s  done twice")
    for nodes in given.pop("nodes"):
        run = Run(nodes, **given)
        seconds = run.simulate()
        waits = sorted(run.waits)
        half, most = waits[len(waits) // 2], waits[int(0.95 * len(waits))]
        print(
            f"{nodes:5d}  {run.pictures / seconds:10.1f}  {100 * run.publish_busy_s / seconds:9.0f} %  "
            f"{half:5.1f}  {most:5.1f}  {run.repeated:10d}"
        )


if __name__ == "__main__":
    main()
