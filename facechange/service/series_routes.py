"""Several jobs by one request: everything in a set anonymised, and a few frames of a video before the whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import select

from facechange.service.image_library import examine_upload, find_item
from facechange.service.inspection import draw_frames
from facechange.service.keys import Caller
from facechange.service.problems import Problem, not_found, problems
from facechange.service.queue import check_quota
from facechange.service.schemas import (
    AnonymizationRequest,
    ChangeRequest,
    JobsAnswer,
    PreviewAnswer,
    PreviewRequest,
    SetAnonymizationRequest,
    describe_job,
)
from facechange.service.security import ChangeCaller, CurrentService
from facechange.service.service import Service
from facechange.service.submission import (
    JobRequest,
    Lookup,
    SubmissionTerms,
    check_words,
    submit,
    wish_anonymization,
    wish_change,
)
from facechange.service.tables import Item, Job, Set
from facechange.service.uploads import clean_name, fetch_item, keep_upload, upload_folder
from facechange.service.webhooks import accept_webhook

router = APIRouter(prefix="/v1", tags=["changes"])
PREVIEW_SECONDS = 3600.0  # how long the frames of a preview stay, and their results


@router.post("/sets/{reference}/anonymizations", status_code=202, response_model=JobsAnswer, responses=problems(409))
def anonymize_set(
    reference: str, body: SetAnonymizationRequest, request: Request, caller: ChangeCaller, service: CurrentService
) -> dict[str, Any]:
    """Make people unrecognisable in everything of a set that is no result: a job for each."""
    with service.database.session(caller.tenant) as session:
        if session.get(Set, reference) is None:
            raise not_found("set", reference)
        query = select(Item.id).where(Item.set == reference, Item.job.is_(None)).order_by(Item.created)
        targets = list(session.scalars(query))
    if not targets:
        raise Problem(409, "There is nothing in the set.", "Put pictures or videos into it.", 3)
    _check(service, caller, body, len(targets))
    options = body.model_dump()
    bodies = [AnonymizationRequest(target=target, **options) for target in targets]
    jobs = [_submit(request, caller, service, each, wish_anonymization) for each in bodies]
    return {"jobs": [describe_job(job, time.time()) for job in jobs]}


@router.post("/previews", status_code=202, response_model=PreviewAnswer)
def preview(body: PreviewRequest, request: Request, caller: ChangeCaller, service: CurrentService) -> dict[str, Any]:
    """Frames of a video, evenly apart, changed as the video would be: an entry of an hour and a job for each."""
    wanted = body.change or body.anonymization
    if wanted is None or (body.change and body.anonymization):
        raise Problem(422, "A preview is of a change or of an anonymisation.", "Give change or anonymization.", 2)
    _check(service, caller, wanted, body.frames)
    with service.database.session(caller.tenant) as session:
        video = find_item(session, wanted.target, "video")
        _wish(wanted, Lookup(session))  # whatever it names is there
    frames = []
    with upload_folder(service) as folder:
        path = fetch_item(service, caller.tenant, video.id, folder)
        for seconds, jpeg in draw_frames(path, video.name, service.settings, body.frames):
            frame = folder / f"frame-{seconds}"
            frame.write_bytes(jpeg)
            upload = examine_upload(service, frame, clean_name(f"{video.name} {seconds:.2f} s.jpg"))
            expires = min(time.time() + PREVIEW_SECONDS, video.expires or float("inf"))
            frames.append((seconds, keep_upload(service, caller.tenant, caller.key, upload, expires=expires).id))
    answers = []
    for seconds, target in frames:
        job = _submit(request, caller, service, wanted.model_copy(update={"target": target}), _wish)
        answers.append({"seconds": seconds, "target": target, "job": describe_job(job, time.time())})
    return {"frames": answers}


def _check(service: Service, caller: Caller, body: Any, count: int) -> None:
    """What is checked once for all of the jobs. Raises a `Problem` and `ConsentError`."""
    if body.consent is not None:
        check_words(body.consent)
    if body.webhook:
        accept_webhook(service, caller, body.webhook)
    with service.database.session(caller.tenant) as session:
        check_quota(session, caller.key, service.settings.jobs_per_key, count)


def _wish(body: ChangeRequest | AnonymizationRequest, lookup: Lookup) -> JobRequest:
    return wish_change(body, lookup) if isinstance(body, ChangeRequest) else wish_anonymization(body, lookup)


def _submit(
    request: Request, caller: Caller, service: Service, body: Any, make: Callable[[Any, Lookup], JobRequest]
) -> Job:
    terms = SubmissionTerms(body.priority, body.webhook)
    return submit(service, caller, request.app.state.wake, lambda lookup: make(body, lookup), terms)
