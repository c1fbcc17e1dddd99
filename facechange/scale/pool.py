"""Workers as Ray actors, and calls to them: few at a time, repeated where a worker dies, given up where it dies of
them."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import (
    ObjectLostError,
    OutOfDiskError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RaySystemError,
    WorkerCrashedError,
)

from facechange.core import ClusterError, FacechangeError

DEPTH = 2  # calls a worker: one at work, one that waits, so that no worker does
ATTEMPTS = 2  # workers that may end over one call
VAIN_STARTS = 5  # workers that end one after the other before they can work
LOST = (RayActorError, WorkerCrashedError, ObjectLostError)


class WorkerLostError(FacechangeError):
    """A call ended the workers that it was given to."""


@dataclass
class _Call:
    key: Any
    method: str
    arguments: tuple[Any, ...]
    deaths: int = 0


@dataclass(eq=False)
class _Worker:
    actor: Any
    starting: Any  # the reference that its readiness answers
    node: str = ""  # empty until it is ready
    calls: dict[Any, _Call] = field(default_factory=dict)


class WorkerPool:
    """`size` actors made by `start`, each with a method `ready` that gives its node's number.

    Memory stays flat: no call may be given while `has_room` says no, and what is done has to be taken with `wait`.
    Where a worker dies, another begins, and its calls are made again, now each alone with a worker, so that it is known
    which of them kills. A worker's death with its whole node is nobody's fault.
    """

    def __init__(self, start: Callable[[], Any], size: int) -> None:
        self._start = start
        self._workers: list[_Worker] = []
        self._again: deque[_Call] = deque()
        self._vain = 0
        self.size = size
        for _ in range(size):
            self._begin()

    @property
    def has_room(self) -> bool:
        """Whether another call may be given."""
        return not self._again and any(worker.node and len(worker.calls) < DEPTH for worker in self._workers)

    @property
    def is_busy(self) -> bool:
        """Whether a call is on its way."""
        return bool(self._again) or any(worker.calls for worker in self._workers)

    def give(self, key: Any, method: str, *arguments: Any) -> None:
        """Begin a call of `method`; `wait` gives its result, by `key`. Only where `has_room`."""
        free = [worker for worker in self._workers if worker.node and len(worker.calls) < DEPTH]
        self._send(min(free, key=lambda worker: len(worker.calls)), _Call(key, method, arguments))

    def wait(self) -> list[tuple[Any, Any]]:
        """What is done by now, waiting for something to be: keys with results, or with the exception that a call ended
        in.

        Also returns, with nothing, when a worker is ready. Raises `ClusterError` where no worker can begin, and what its
        start raised.
        """
        self._send_again()
        starting = {worker.starting: worker for worker in self._workers if not worker.node}
        running = {reference: worker for worker in self._workers for reference in worker.calls}
        if not starting and not running:
            return []
        try:
            done, _ = ray.wait([*starting, *running], num_returns=1)
        except RaySystemError as error:
            raise ClusterError("The cluster was lost.", "Start it again; the same command goes on.") from error
        results = []
        for reference in done:
            if reference in starting:
                self._note_start(starting[reference])
            elif reference in running[reference].calls:  # not lost meanwhile with its worker
                results += self._take(running[reference], reference)
        self._send_again()
        return results

    def close(self) -> None:
        """End every worker and what it does."""
        for worker in self._workers:
            with contextlib.suppress(RayError):
                ray.kill(worker.actor)
        self._workers = []

    def _begin(self) -> None:
        actor = self._start()
        self._workers.append(_Worker(actor, actor.ready.remote()))

    def _send(self, worker: _Worker, call: _Call) -> None:
        worker.calls[getattr(worker.actor, call.method).remote(*call.arguments)] = call

    def _send_again(self) -> None:
        """Give the calls that lost their workers to workers that have nothing else to do."""
        for worker in self._workers:
            if self._again and worker.node and not worker.calls:
                self._send(worker, self._again.popleft())

    def _note_start(self, worker: _Worker) -> None:
        try:
            worker.node = ray.get(worker.starting)
            self._vain = 0
        except LOST as error:
            self._vain += 1
            if self._vain >= VAIN_STARTS:
                raise ClusterError(
                    "Workers of the cluster end before they can work.",
                    "Their memory may not suffice for the model: give them more, or take fewer with --ray-workers.",
                ) from error
            self._replace(worker)
        except RayError as error:
            cause = getattr(error, "cause", None)
            raise cause if isinstance(cause, FacechangeError) else error from None

    def _take(self, worker: _Worker, reference: Any) -> list[tuple[Any, Any]]:
        try:
            result = ray.get(reference)
        except LOST as error:
            if isinstance(error, ObjectLostError):  # the result was, not the worker
                self._again.append(worker.calls.pop(reference))
                return []
            return self._lose(worker)
        except (OutOfMemoryError, OutOfDiskError):
            result = MemoryError("out of memory on a node of the cluster")
        except RayError as error:
            result = getattr(error, "cause", None) or error
        return [(worker.calls.pop(reference).key, result)]

    def _lose(self, worker: _Worker) -> list[tuple[Any, Any]]:
        """A worker is dead: another begins; its calls are made again, or given up."""
        alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
        given_up: list[tuple[Any, Any]] = []
        for call in worker.calls.values():
            call.deaths += worker.node in alive
            if call.deaths < ATTEMPTS:
                self._again.append(call)
                continue
            error = WorkerLostError(
                f"It ended {ATTEMPTS} workers, so that it was given up.", "The file may be damaged."
            )
            given_up.append((call.key, error))
        self._replace(worker)
        return given_up

    def _replace(self, worker: _Worker) -> None:
        with contextlib.suppress(RayError):
            ray.kill(worker.actor)
        self._workers.remove(worker)
        self._begin()
