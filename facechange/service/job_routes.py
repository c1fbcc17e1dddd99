"""Jobs over HTTP: list, state, events, result, cancelling."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import select

from facechange.service import queue
from facechange.service.image_library import find_item
from facechange.service.image_library_routes import Before, Limit, page_through
from facechange.service.problems import Problem, not_found, problems
from facechange.service.responses import answer_content
from facechange.service.schemas import JobAnswer, Page, describe_job
from facechange.service.security import ChangeCaller, CurrentService
from facechange.service.service import Service
from facechange.service.tables import Job, TenantSession

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
SHOWN = ("change", "anonymization", "masks", "render")
EVENT_SECONDS, SILENT_SECONDS = 0.4, 15.0


def find_job(session: TenantSession, reference: str) -> Job:
    """The job; raises a `Problem`."""
    job = session.get(Job, reference)
    if job is None or job.kind not in SHOWN:
        raise not_found("job", reference)
    return job


@router.get("", response_model=Page)
def find(
    caller: ChangeCaller,
    service: CurrentService,
    state: Annotated[Literal["queued", "running", "done", "failed", "cancelled"] | None, Query()] = None,
    before: Before = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """The jobs, newest first."""
    query = select(Job).where(Job.kind.in_(SHOWN))
    query = query.where(Job.state == state) if state else query
    with service.database.session(caller.tenant) as session:
        rows, following = page_through(session, query, Job, before, limit)
    now = time.time()
    return {"items": [describe_job(row, now) for row in rows], "next": following}


@router.get("/{reference}", response_model=JobAnswer)
def get(reference: str, caller: ChangeCaller, service: CurrentService) -> dict[str, Any]:
    """One job."""
    with service.database.session(caller.tenant) as session:
        return describe_job(find_job(session, reference), time.time())


@router.post("/{reference}/cancel", response_model=JobAnswer)
def cancel(reference: str, caller: ChangeCaller, service: CurrentService) -> dict[str, Any]:
    """Cancel a job. One that is over stays as it is."""
    with service.database.session(caller.tenant) as session:
        queue.cancel(session, find_job(session, reference))
    with service.database.session(caller.tenant) as session:
        return describe_job(find_job(session, reference), time.time())


@router.get("/{reference}/result", response_class=Response, responses=problems(409, 416))
def get_result(
    reference: str, request: Request, caller: ChangeCaller, service: CurrentService, download: bool = False
) -> Response:
    """The file that a job made, or a range of it."""
    with service.database.session(caller.tenant) as session:
        job = find_job(session, reference)
        if job.result is None:
            remedy = "Wait until it is done." if job.state not in queue.OVER else "Ask for it again."
            raise Problem(409, f"The job {job.id} has no result: it is {job.state}.", remedy, 5)
        item = find_item(session, job.result)
    return answer_content(service, item, request, download)


@router.get("/{reference}/events", response_class=Response)
async def follow(reference: str, caller: ChangeCaller, service: CurrentService) -> Response:
    """Server-sent events: `job`, whenever it changes, until it is over."""
    first = await run_in_threadpool(_read, service, caller.tenant, reference)
    return StreamingResponse(
        _events(service, caller.tenant, first), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


def _read(service: Service, tenant: str, reference: str) -> dict[str, Any]:
    with service.database.session(tenant) as session:
        return describe_job(find_job(session, reference), time.time())


async def _events(service: Service, tenant: str, job: dict[str, Any]) -> AsyncIterator[str]:
    told, last = "", 0.0
    while True:
        text, now = json.dumps(job), time.monotonic()
        if text != told:
            yield f"event: job\ndata: {text}\n\n"
            told, last = text, now
        elif now - last > SILENT_SECONDS:
            yield ": still here\n\n"
            last = now
        if job["state"] in queue.OVER:
            return
        await asyncio.sleep(EVENT_SECONDS)
        try:
            job = await run_in_threadpool(_read, service, tenant, job["id"])
        except Problem:
            return
