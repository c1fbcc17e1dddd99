"""The service's workers as actors: as many as the queue is long, within bounds; one that ends is replaced."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError
from sqlalchemy import func, select

from facechange.consent import Context
from facechange.core import ClusterError
from facechange.scale.cluster import Versions, own_versions
from facechange.service.service import Service, open_service
from facechange.service.settings import ServiceSettings
from facechange.service.tables import ALL, Job
from facechange.service.worker import Worker

LOOK_SECONDS = 2.0
IDLE_LOOKS = 30  # with fewer jobs than workers, before one ends
VAIN_STARTS = 5


def count_open(service: Service, lanes: Sequence[str]) -> int:
    """How many jobs wait or are at work."""
    with service.database.session(ALL) as session:
        open_jobs = (
            select(func.count()).select_from(Job).where(Job.state.in_(("queued", "running")), Job.lane.in_(lanes))
        )
        return session.scalar(open_jobs) or 0


@dataclass
class Scaling:
    """How many workers there should be: at once as many as jobs are open, fewer only after a while."""

    least: int
    most: int
    _calm: int = field(default=0)

    def decide(self, workers: int, jobs: int) -> int:
        """The number to have, of the number there is and of jobs that are open."""
        wanted = min(max(jobs, self.least), self.most)
        if wanted >= workers:
            self._calm = 0
            return wanted
        self._calm += 1
        if self._calm < IDLE_LOOKS:
            return workers
        self._calm = 0
        return workers - 1


class ServiceWorker:
    """An actor that is a worker of the service. Its node sees the service's folder, in which keys and ledgers are: the
    result of a job is published where it is made, and nowhere without them."""

    def __init__(self, settings: ServiceSettings, context: Context, lanes: Sequence[str], versions: Versions) -> None:
        self._settings, self._context, self._lanes, self._versions = settings, context, lanes, versions
        self._worker: Worker | None = None

    def work(self) -> None:
        """Do jobs until `end`. Raises `ClusterError` where the node has other versions, or not the folder."""
        if own_versions() != self._versions:
            raise ClusterError("A node has other versions than this machine.", "Install the same on every node.")
        if not self._settings.home.is_dir() or not self._context.folders.data.is_dir():
            raise ClusterError(
                f"A node does not see {self._settings.home}, or not the keys in {self._context.folders.data}.",
                "Share both folders among the nodes, and with nobody else.",
            )
        self._worker = Worker(open_service(self._settings, self._context), lanes=self._lanes)
        self._worker.run()

    def end(self) -> None:
        """Let the job at work wait again, and end."""
        if self._worker is not None:
            self._worker.end()


@dataclass(eq=False)
class _Actor:
    handle: Any
    working: Any  # the reference that its work answers


class ServiceWorkers:
    """Actors that do the jobs of `service`."""

    def __init__(self, service: Service, lanes: Sequence[str], scaling: Scaling, cpus: float, gpus: float) -> None:
        self._service, self._lanes, self._scaling = service, lanes, scaling
        self._resources = {"num_cpus": cpus, "num_gpus": gpus}
        self._actors: list[_Actor] = []
        self._ended = 0
        self.ending = threading.Event()

    def run(self) -> None:
        """Keep as many as are wanted until `ending` is set. Raises `ClusterError` where none can work."""
        try:
            while not self.ending.is_set():
                self._drop_dead()
                jobs = count_open(self._service, self._lanes)
                wanted = self._scaling.decide(len(self._actors), jobs)
                while len(self._actors) < wanted:
                    self._start()
                if len(self._actors) > wanted:
                    self._actors[-1].handle.end.remote()  # it is dropped when it is done
                self.ending.wait(LOOK_SECONDS)
        finally:
            self._close()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._actors)

    def _start(self) -> None:
        remote: Any = ray.remote
        actor = remote(max_restarts=0, max_concurrency=2, **self._resources)(ServiceWorker)
        handle = actor.remote(self._service.settings, self._service.context, self._lanes, own_versions())
        self._actors.append(_Actor(handle, handle.work.remote()))

    def _drop_dead(self) -> None:
        """Forget those that ended. What they had is taken over by another when its lease is over."""
        for actor in list(self._actors):
            if not ray.wait([actor.working], timeout=0)[0]:
                continue
            self._actors.remove(actor)
            try:
                ray.get(actor.working)
                self._ended = 0
            except RayError as error:
                cause = getattr(error, "cause", None)
                self._ended += 1
                if isinstance(cause, ClusterError):
                    raise cause from None
                if self._ended >= VAIN_STARTS:
                    raise ClusterError(
                        "Workers of the service end one after the other.", "Look at the logs of Ray on their nodes."
                    ) from error
            with contextlib.suppress(RayError):
                ray.kill(actor.handle)

    def _close(self) -> None:
        for actor in self._actors:
            actor.handle.end.remote()
        deadline = time.monotonic() + 20
        for actor in self._actors:
            ray.wait([actor.working], timeout=max(deadline - time.monotonic(), 0))
            with contextlib.suppress(RayError):
                ray.kill(actor.handle)
        self._actors = []
