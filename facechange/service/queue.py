"""Jobs that survive whoever works on them: a worker has a job for as long as it gives signs of life, and its result
counts only while nobody else took the job over.

A claim is one conditional UPDATE, so that two workers never have one job by the same `fence`; the result is one too, in
the transaction that puts it into the library. Clocks decide when a job is taken over, never whether a result counts.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import and_, func, or_, select, update

from facechange.service.problems import Problem, describe_problem
from facechange.service.tables import ALL, Database, Job, TenantSession

ReportProgress = Callable[[int, int], None]  # done, in all
OVER = ("done", "failed", "cancelled")
RETRY_SECONDS = 10


def count_waiting(session: TenantSession, key: str) -> int:
    """How many jobs of a key are not over."""
    return session.scalar(select(func.count()).select_from(Job).where(Job.key == key, Job.state.not_in(OVER))) or 0


def check_quota(session: TenantSession, key: str, most: int, more: int = 1) -> None:
    """Raise a `Problem` where a key may not have so many jobs more."""
    if count_waiting(session, key) + more > most:
        message = f"A key may have {most} jobs that are not over."
        raise Problem(429, message, "Wait until some are done.", 75, Retry_After=str(RETRY_SECONDS))


def claim(database: Database, lanes: Sequence[str], lease_seconds: float, attempts: int) -> Job | None:
    """Take a job that waits, or that a worker left: the key with the least at work first, then by priority and age."""
    now = time.time()
    with database.session(ALL) as session:
        free = or_(Job.state == "queued", and_(Job.state == "running", Job.lease < now))
        busy = Counter(session.scalars(select(Job.key).where(Job.state == "running", Job.lease >= now)))
        oldest = select(Job).where(free, Job.lane.in_(lanes)).order_by(Job.priority.desc(), Job.created).limit(100)
        waiting = session.scalars(oldest).all()
        if any(job.state == "running" and job.fence >= attempts for job in waiting):
            fail_exhausted(session, attempts, now)
            waiting = [job for job in waiting if job.fence < attempts or job.state == "queued"]
    for job in sorted(waiting, key=lambda job: (-job.priority, busy[job.key], job.created)):
        taken = update(Job).where(Job.id == job.id, Job.fence == job.fence, Job.state == job.state)
        values = {"state": "running", "fence": job.fence + 1, "lease": now + lease_seconds}
        with database.session(ALL) as session:
            result: Any = session.execute(taken.values(**values, started=job.started or now))
        if result.rowcount:
            with database.session(ALL) as session:
                return session.get_one(Job, job.id)
    return None


def fail_exhausted(session: TenantSession, attempts: int, now: float) -> None:
    """Give up jobs over which so many workers died."""
    error = Problem(500, f"{attempts} workers ended over this.", "Try another file, and tell the operator.", 70)
    hopeless = update(Job).where(Job.state == "running", Job.lease < now, Job.fence >= attempts)
    session.execute(
        hopeless.values(state="failed", problem=describe_problem(error), finished=now, notified=Job.webhook.is_(None))
    )


def heartbeat(database: Database, job: Job, lease_seconds: float, progress: tuple[int, int] | None = None) -> bool:
    """Give a sign of life, and say how far it is. False where the job is to stop: cancelled, or another worker's."""
    values: dict[str, Any] = {"lease": time.time() + lease_seconds}
    if progress is not None:
        values |= {"done": progress[0], "total": progress[1]}
    with database.session(ALL) as session:
        mine = Job.id == job.id, Job.fence == job.fence, Job.state == "running", Job.cancelled.is_(False)
        result: Any = session.execute(update(Job).where(*mine).values(**values))
    return bool(result.rowcount)


def finish(session: TenantSession, job: Job, state: str, **values: Any) -> bool:
    """End a job, in the caller's transaction. False where it is not this worker's any more, or was cancelled meanwhile:
    then nothing else of the transaction may count either."""
    mine = [Job.id == job.id, Job.fence == job.fence, Job.state == "running"]
    mine += [Job.cancelled.is_(state == "cancelled")] if state in ("done", "cancelled") else []
    values |= {"state": state, "finished": time.time(), "notified": job.webhook is None}
    result: Any = session.execute(update(Job).where(*mine).values(**values))
    return bool(result.rowcount)


def release(database: Database, job: Job) -> None:
    """Let a job wait again, as this worker ends."""
    with database.session(ALL) as session:
        mine = Job.id == job.id, Job.fence == job.fence, Job.state == "running"
        session.execute(update(Job).where(*mine).values(state="queued", fence=job.fence - 1))


def cancel(session: TenantSession, job: Job) -> None:
    """Cancel a job: one that waits at once, one that is worked on when its worker hears of it. What is over stays."""
    now = time.time()
    waits = update(Job).where(Job.id == job.id, Job.state == "queued")
    session.execute(waits.values(state="cancelled", cancelled=True, finished=now, notified=job.webhook is None))
    session.execute(update(Job).where(Job.id == job.id, Job.state == "running").values(cancelled=True))
