"""A worker: takes jobs one after the other, keeps models warm, gives signs of life, and tells who asked to be told."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from facechange.core import FacechangeError
from facechange.service import queue
from facechange.service.execution import JobFiles, JobResult, LoadSwapper, fetch_job_files, load_warm, perform
from facechange.service.image_library import (
    Upload,
    add_item,
    delete_items,
    drop_unused,
    examine_upload,
    put_files,
    remove_leftovers,
)
from facechange.service.log import log
from facechange.service.problems import describe_problem
from facechange.service.resumable_uploads import delete_expired_uploads
from facechange.service.service import Service
from facechange.service.store import StoreAwayError
from facechange.service.tables import ALL, Item, Job
from facechange.service.webhooks import deliver_webhooks

LANES = ("quick", "slow")
IDLE_SECONDS = 0.25
SWEEP_SECONDS = 60.0
PROGRESS_SECONDS = 0.5
CLEANING_SECONDS, LEFT_SECONDS = 3600.0, 86_400.0


class StopJob(FacechangeError):
    """The job is cancelled, another worker's, or this worker ends."""


class Worker:
    """One of any number. `load` gives models by name, and keeps them warm. `wake` is set by whoever knows that there is something to do."""

    def __init__(self, service: Service, load: LoadSwapper = load_warm, lanes: Sequence[str] = LANES) -> None:
        self.service = service
        self.load = load
        self.lanes = lanes
        self.wake = threading.Event()
        self.ending = threading.Event()
        self._swept = self._cleaned = 0.0

    def run(self) -> None:
        """Work until `end` is called."""
        while not self.ending.is_set():
            try:
                if not self.run_one():
                    deliver_webhooks(self.service)
                    self.sweep()
                    self.wake.wait(IDLE_SECONDS)
                    self.wake.clear()
            except Exception:  # the database or the store is away: jobs wait, and so does this
                log.exception("a worker could not go on")
                self.ending.wait(2.0)

    def end(self) -> None:
        """Stop after this call; a job on its way waits again, and goes on from what it has."""
        self.ending.set()
        self.wake.set()

    def run_one(self) -> bool:
        """Do one job; False where none waits."""
        settings = self.service.settings
        job = queue.claim(self.service.database, self.lanes, settings.lease_seconds, settings.attempts)
        if job is None:
            return False
        over = threading.Event()
        heart = threading.Thread(target=self._beat, args=(job, over), daemon=True)
        heart.start()
        try:
            self._do(job)
        finally:
            over.set()
            heart.join()
        return True

    def _beat(self, job: Job, over: threading.Event) -> None:
        lease = self.service.settings.lease_seconds
        while not over.wait(lease / 4):
            try:
                queue.heartbeat(self.service.database, job, lease)
            except Exception:  # away for a moment; the fence decides in the end
                log.warning("no sign of life could be given for %s", job.id)

    def _do(self, job: Job) -> None:
        service = self.service
        folder = service.work_folder(job.id)
        names: dict[str, str] = {f"{folder}/": ""}
        try:
            materials = fetch_job_files(service, job, folder)
            names = materials.names
            made = perform(service, job, materials, self.load, self._reporter(job))
            ended = self._deliver(job, made, materials)
        except StopJob:
            ended = self._end_stopped(job)
        except DBAPIError:  # the database is away: the job is as it was, for whoever takes it when the lease ends
            raise
        except StoreAwayError:  # the job waits again, which is none of its attempts, and so does this worker
            queue.release(service.database, job)
            raise
        except Exception as error:
            if describe_problem(error)["status"] >= 500:
                log.exception("job %s failed", job.id)
            with service.database.session(ALL) as session:
                state = "cancelled" if self._is_cancelled(job) else "failed"
                problem = describe_problem(error, names) if state == "failed" else None
                ended = queue.finish(session, job, state, problem=problem)
        if ended:  # else what is there stays, for who goes on
            shutil.rmtree(folder, ignore_errors=True)

    def _end_stopped(self, job: Job) -> bool:
        """After a stop: False where the job goes on, here or elsewhere."""
        if self._is_cancelled(job):
            with self.service.database.session(ALL) as session:
                return queue.finish(session, job, "cancelled")
        queue.release(self.service.database, job)
        return False

    def _is_cancelled(self, job: Job) -> bool:
        with self.service.database.session(ALL) as session:
            return session.get_one(Job, job.id).cancelled

    def _reporter(self, job: Job) -> queue.ReportProgress:
        last = 0.0

        def report(done: int, total: int) -> None:
            nonlocal last
            if self.ending.is_set():
                raise StopJob("This worker ends.")
            if time.monotonic() - last < PROGRESS_SECONDS:
                return
            last = time.monotonic()
            if not queue.heartbeat(self.service.database, job, self.service.settings.lease_seconds, (done, total)):
                raise StopJob("The job was cancelled, or is another worker's.")

        return report

    def _deliver(self, job: Job, made: JobResult, materials: JobFiles) -> bool:
        """Put the result into the library and end the job, both or neither; False where another worker has it."""
        service, database = self.service, self.service.database
        values = {"outcomes": made.outcomes, "summary": made.summary, "answer": made.answer}
        if made.path is None:
            with database.session(ALL) as session:
                return queue.finish(session, job, "done", **values)
        upload = _name_result(examine_upload(service, made.path, made.path.name), job, materials)
        put_files(service, job.tenant, upload)
        target = materials.items.get(job.target or "")
        with database.session(ALL) as session:
            item = add_item(
                service,
                session,
                job.tenant,
                upload,
                owner=job.key,
                set_id=target.set if target and job.kind == "render" else None,
                expires=target.expires if target else None,
                consent=made.consent,
                job=job.id,
            )
            counts = queue.finish(session, job, "done", result=item.id, **values)
            if not counts:  # cancelled, or done by another worker, whose result stands
                session.rollback()
        if not counts:
            with database.session(ALL) as session:
                drop_unused(service, session, job.tenant, upload.sha256)
                return queue.finish(session, job, "cancelled")
        return True

    def sweep(self) -> None:
        """Now and then delete what has expired."""
        now = time.time()
        if now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        with self.service.database.session(ALL) as session:
            over = session.scalars(select(Item).where(Item.expires < now).limit(100)).all()
            delete_items(self.service, session, over, "expired")
        delete_expired_uploads(self.service)
        if now - self._cleaned > CLEANING_SECONDS:
            self._cleaned = now
            remove_leftovers(self.service, LEFT_SECONDS)


def _name_result(upload: Upload, job: Job, materials: JobFiles) -> Upload:
    """Name a result after its target."""
    target = materials.items.get(job.target or "")
    stem = Path(target.name).stem if target else "picture"
    version = job.request.get("version", "changed")
    word = {"anonymization": "anonymized", "masks": "masks"}.get(job.kind, version)
    return Upload(upload.path, f"{stem}-{word}{upload.look.suffix}"[-200:], upload.sha256, upload.bytes, upload.look)
