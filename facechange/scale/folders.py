"""A folder on a cluster: photographs are changed anywhere and in any order, and published here, where the ledger and the
key are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray

from facechange.consent import Grant
from facechange.consent.gate import check_agreed
from facechange.core import FacechangeError, ModelCard
from facechange.faces.select import Chosen
from facechange.provenance import Marks, publish_marked
from facechange.scale.cluster import Cluster
from facechange.scale.personas import Met
from facechange.scale.pool import WorkerPool
from facechange.scale.storage import Mirror
from facechange.scale.worker import LoadSwapper, Made, Seen, Task, start_worker
from facechange.swap.assignment import IdentityAssignment, PersonaAssignment
from facechange.swap.batch import ChangeOptions, Done, Entry, FolderRun, Work
from facechange.swap.batch.find_files import Target
from facechange.swap.batch.journal import stamp
from facechange.swap.batch.run import Job, Perform
from facechange.swap.batch.swap_file import check_photograph, tell_photograph

LOOK, CHANGE = "look", "change"  # the stages of a photograph
LOOKED_AHEAD = 256  # photographs whose faces are known before it is their turn
GPU_ENGINES = ("auto", "cuda", "tensorrt", "pytorch")


@dataclass(frozen=True)
class WorkerRequest:
    """How many workers, and of what."""

    workers: int | None = None  # one a GPU where there are any, else one for each `threads` processors
    threads: int = 1
    engine: str = "auto"


@contextmanager
def opened_pool(cluster: Cluster, load: LoadSwapper, request: WorkerRequest) -> Iterator[WorkerPool]:
    """Workers for as long as the body runs, one a device. More than there is room for wait for the cluster to grow."""
    gpus = cluster.total("GPU") if request.engine in GPU_ENGINES else 0
    size = request.workers or gpus or max(cluster.total("CPU") // request.threads, 1)
    pool = WorkerPool(lambda: start_worker(load, 1 if gpus else request.threads, 1 if gpus else 0), size)
    try:
        yield pool
    finally:
        pool.close()


@dataclass(frozen=True)
class FolderWork:
    """What is to be done to every file, and on whose consent."""

    run: FolderRun
    grant: Grant
    card: ModelCard
    assignment: IdentityAssignment
    options: ChangeOptions
    tell: Callable[[set[str]], None]  # takes the selectors that named nobody in a file
    mirror: Mirror


def change_on_cluster(pool: WorkerPool, work: FolderWork, video_work: Work) -> Perform:
    """What does the files of a folder with the workers of `pool`: photographs, then, one after the other, videos by
    `video_work`."""

    def change_video(target: Target, output: Path) -> Done:
        done = video_work(target, output)
        work.mirror.deliver(output)
        return done

    def perform(jobs: Sequence[Job]) -> Generator[Entry, None, None]:
        yield from _Photographs(pool, work, [job for job in jobs if not job.target.moving]).change()
        for job in jobs:
            if job.target.moving:
                yield work.run.attempt(job, change_video)

    return perform


class _Photographs:
    """Photographs on their way. Where people are hidden, a look at each comes before its change, so that who becomes
    whom is decided here and in the order of the files, as on one machine."""

    def __init__(self, pool: WorkerPool, work: FolderWork, jobs: Sequence[Job]) -> None:
        self._pool, self._work = pool, work
        self._left = deque(jobs)  # not begun
        self._looked: deque[Job] = deque()  # begun, in order, not decided
        self._seen: dict[Job, Any] = {}  # of these what looks gave
        self._decided: deque[tuple[Job, list[Met], Chosen | None]] = deque()
        self._tasks: dict[Job, tuple[Task, tuple[int, ...]]] = {}  # of what is begun, and the stamp before
        self._kept = ray.put(work.assignment if not work.assignment.hides else None), ray.put(work.options)

    def change(self) -> Generator[Entry, None, None]:
        """Do all; what became of each as soon as it is known."""
        while self._left or self._looked or self._decided or self._pool.is_busy:
            yield from self._begin()
            if self._pool.is_busy or not self._pool.has_room:
                for key, result in self._pool.wait():
                    stage, job = key
                    yield from self._note_look(job, result) if stage == LOOK else [self._finish(job, result)]

    def _begin(self) -> Iterator[Entry]:
        """Give the workers what they have room for; decided changes first."""
        hides = self._work.assignment.hides
        while self._pool.has_room and (self._decided or self._left):
            if self._decided:
                self._give_change(*self._decided.popleft())
                continue
            if hides and len(self._looked) >= LOOKED_AHEAD:
                return
            job = self._left.popleft()
            try:
                self._tasks[job] = self._prepare(job)
            except FacechangeError as error:
                yield self._finish(job, error)
                continue
            if hides:
                self._looked.append(job)
                self._pool.give((LOOK, job), "look", self._tasks[job][0], self._kept[1])
            else:
                self._give_change(job, [], None)

    def _prepare(self, job: Job) -> tuple[Task, tuple[int, ...]]:
        check_photograph(job.output)
        before, grant = stamp(job.target.path), self._work.grant
        check_agreed(grant, [job.target.path], ())
        task = Task(
            job.target.path.absolute(),
            grant.context.digests.of(job.target.path),
            job.output.suffix,
            self._work.mirror.address_of(job.target.path),
        )
        return task, before

    def _give_change(self, job: Job, met: list[Met], chosen: Chosen | None) -> None:
        task, marks = self._tasks[job][0], Marks.of(self._work.grant)
        assignment = self._work.assignment
        if isinstance(assignment, PersonaAssignment):
            self._pool.give((CHANGE, job), "change_hiding", task, assignment.seed, met, self._kept[1], marks, chosen)
        else:
            self._pool.give((CHANGE, job), "change", task, *self._kept, marks)

    def _note_look(self, job: Job, result: Seen | BaseException) -> Iterator[Entry]:
        """Decide who becomes whom in those photographs whose turn it is."""
        self._seen[job] = result
        while self._looked and self._looked[0] in self._seen:
            job = self._looked.popleft()
            seen = self._seen.pop(job)
            if isinstance(seen, BaseException):
                yield self._finish(job, seen)
                continue
            met = [(original, self._work.assignment.identity_for(original)) for original in seen.originals]
            self._decided.append((job, met, seen.chosen))

    def _finish(self, job: Job, result: Made | BaseException) -> Entry:
        """Publish what a worker made: here consent is checked again, and here is the key."""
        work, hides = self._work, self._work.assignment.hides
        _, before = self._tasks.pop(job, (None, None))

        def publish(target: Target, output: Path) -> Done:
            if isinstance(result, BaseException):
                raise result
            publish_marked(
                result.marked,
                output,
                grant=work.grant,
                card=work.card,
                target=target.path,
                sources=work.assignment.sources,
                nameless=hides,
            )
            work.mirror.deliver(output)
            work.tell(set(result.changes.unmet))
            return tell_photograph(result.changes, hides)

        entry = work.run.attempt(job, publish, before)
        return replace(entry, seconds=round(entry.seconds + getattr(result, "seconds", 0.0), 3))
