"""Changes, anonymisations, masks, faces and what a file is, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from facechange.service.image_library import Upload, delete_items, find_item
from facechange.service.keys import Caller
from facechange.service.problems import Problem
from facechange.service.queue import OVER
from facechange.service.schemas import (
    AnonymizationRequest,
    ChangeRequest,
    FacesRequest,
    JobAnswer,
    MasksRequest,
    describe_job,
)
from facechange.service.security import ChangeCaller, CurrentService, LibraryCaller
from facechange.service.service import Service
from facechange.service.submission import (
    JobRequest,
    Lookup,
    SubmissionTerms,
    check_words,
    find_earlier,
    hash_request,
    look,
    raise_problem,
    submit,
    wait_for,
    wish,
    wish_anonymization,
    wish_change,
)
from facechange.service.tables import Item
from facechange.service.uploads import Form, file_of, keep_upload, receive_file, upload_folder
from facechange.service.webhooks import accept_webhook

router = APIRouter(prefix="/v1", tags=["changes"])
PASSING_SECONDS = 86_400.0  # how long what comes with a request stays, and its result
LOOKED_AT_SECONDS = 600.0
_Body = TypeVar("_Body", bound=BaseModel)
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=200)]
_JOB_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"model": JobAnswer, "description": "Accepted: look at Location, or follow its events."}
}


_FORM = {
    "type": "object",
    "required": ["request"],
    "properties": {"request": {"type": "string", "contentMediaType": "application/json"}},
    "additionalProperties": {"type": "string", "format": "binary"},
}
_FILE_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "format": "binary"}},
}


def _accepting(body: type[BaseModel] | None, form: dict[str, Any] = _FORM) -> dict[str, Any]:
    """The OpenAPI of a request that is JSON, or a form: of that JSON and the files that it names as `file:NAME`, or of
    one file."""
    content = {"multipart/form-data": {"schema": form}}
    if body is not None:
        content["application/json"] = {"schema": {"$ref": f"#/components/schemas/{body.__name__}"}}
    return {"requestBody": {"required": True, "content": content}}


@router.post("/changes", response_model=JobAnswer, responses=_JOB_ANSWERS, openapi_extra=_accepting(ChangeRequest))
async def change(
    request: Request, caller: ChangeCaller, service: CurrentService, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Give faces of a photograph or a video the identities of others."""
    return await _accept(request, caller, service, idempotency_key, ChangeRequest, wish_change)


@router.post(
    "/anonymizations", response_model=JobAnswer, responses=_JOB_ANSWERS, openapi_extra=_accepting(AnonymizationRequest)
)
async def anonymize(
    request: Request, caller: ChangeCaller, service: CurrentService, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Make people unrecognisable."""
    return await _accept(request, caller, service, idempotency_key, AnonymizationRequest, wish_anonymization)


@router.post("/masks", response_model=JobAnswer, responses=_JOB_ANSWERS, openapi_extra=_accepting(MasksRequest))
async def draw_masks(
    request: Request, caller: ChangeCaller, service: CurrentService, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """A sheet of one change: source, target, result and every control mask."""

    def make(body: MasksRequest, lookup: Lookup) -> JobRequest:
        lookup.selectors([body.selector])
        lookup.photograph(body.target)
        return wish("masks", body, lookup, source=lookup.photograph(body.source).id)

    return await _accept(request, caller, service, idempotency_key, MasksRequest, make)


@router.post("/faces", openapi_extra=_accepting(FacesRequest, _FILE_FORM))
async def find_faces(request: Request, caller: ChangeCaller, service: CurrentService) -> dict[str, Any]:
    """The faces of a picture: boxes, points, and the numbers by which they are chosen."""
    async with request.form(max_files=1, max_fields=10) if _is_form(request) else nullcontext() as form:
        body = None if form is not None else _parse(FacesRequest, await request.body())
        return await run_in_threadpool(_look, service, caller, request, "faces", "picture", dict(form or {}), body)


@router.post("/verify", openapi_extra=_accepting(None, _FILE_FORM))
async def verify(request: Request, caller: LibraryCaller, service: CurrentService) -> dict[str, Any]:
    """What is known about a file, anybody's."""
    async with request.form(max_files=1, max_fields=10) as form:
        return await run_in_threadpool(_look, service, caller, request, "verify", "file", dict(form), None)


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("multipart/form-data")


def _parse(kind: type[_Body], text: bytes | str) -> _Body:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise Problem(
            422, describe_invalid(error.errors()), "The OpenAPI document says what is asked for.", 2
        ) from None


def describe_invalid(errors: Any) -> str:
    """The first thing that is wrong with a request, in a sentence."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place or 'The request'}: {first['msg']}."


async def _accept(
    request: Request,
    caller: Caller,
    service: Service,
    idempotency: str | None,
    kind: type[_Body],
    make: Callable[[_Body, Lookup], JobRequest],
) -> JSONResponse:
    """Read a request, accept its job, and answer with it: over where that takes a few seconds, else as it stands."""
    if not _is_form(request):
        body = _parse(kind, await request.body())
        return await run_in_threadpool(_take, request, caller, service, idempotency, body, {}, make)
    async with request.form(max_files=20, max_fields=10, max_part_size=1 << 20) as form:
        text = form.get("request")
        if not isinstance(text, str):
            raise Problem(422, "The form has no part 'request'.", "Send the JSON of the request in it.", 2)
        files = {f"file:{name}": file for name, file in form.items() if isinstance(file, UploadFile)}
        return await run_in_threadpool(_take, request, caller, service, idempotency, _parse(kind, text), files, make)


def _take(
    request: Request,
    caller: Caller,
    service: Service,
    idempotency: str | None,
    body: Any,
    files: dict[str, UploadFile],
    make: Callable[[Any, Lookup], JobRequest],
) -> JSONResponse:
    if body.consent is not None:
        check_words(body.consent)
    if body.webhook:
        accept_webhook(service, caller, body.webhook)
    with upload_folder(service) as folder:
        uploads = {name: receive_file(service, file, folder) for name, file in files.items()}
        digest = hash_request(body.model_dump(mode="json"), (upload.sha256 for upload in uploads.values()))
        terms = SubmissionTerms(body.priority, body.webhook, idempotency, digest)
        job = find_earlier(service, caller, terms)
        if job is None:
            body = _name_uploads(service, caller, body, uploads)
            wake = request.app.state.wake
            job = submit(service, caller, wake, lambda lookup: make(body, lookup), terms)
    if body.wait and job.lane == "quick":
        job = wait_for(service, caller.tenant, job.id, service.settings.answer_seconds)
        raise_problem(job)
    place = f"/v1/jobs/{job.id}"
    status = 200 if job.state in OVER else 202
    return JSONResponse(describe_job(job, time.time()), status, {"Location": place})


def _name_uploads(service: Service, caller: Caller, body: Any, uploads: dict[str, Upload]) -> Any:
    """The request with the files that came with it as library entries of a day."""
    if not uploads:
        return body
    expires = time.time() + PASSING_SECONDS
    items = {
        name: keep_upload(service, caller.tenant, caller.key, upload, expires=expires).id
        for name, upload in uploads.items()
    }

    def name(value: Any) -> Any:
        if isinstance(value, str):
            plain = value.removeprefix("like:")
            return value.replace(plain, items[plain]) if plain in items else value
        if isinstance(value, dict):
            return {key: each if key == "consent" else name(each) for key, each in value.items()}
        return [name(each) for each in value] if isinstance(value, list) else value

    return type(body).model_validate(name(body.model_dump(mode="json")))


@contextmanager
def _passing(service: Service, caller: Caller, form: Form) -> Iterator[Item]:
    """A file of a form as an entry that is gone afterwards."""
    with upload_folder(service) as folder:
        upload = receive_file(service, file_of(form, "file"), folder)
        expires = time.time() + LOOKED_AT_SECONDS
        item = keep_upload(service, caller.tenant, caller.key, upload, expires=expires)
    try:
        yield item
    finally:
        with service.database.session(caller.tenant) as session:
            delete_items(service, session, [find_item(session, item.id)], "looked at")


def _look(
    service: Service, caller: Caller, request: Request, kind: str, name: str, form: Form, body: FacesRequest | None
) -> dict[str, Any]:
    wake = request.app.state.wake
    if body is not None:
        with service.database.session(caller.tenant) as session:
            item = find_item(session, body.picture, "photograph")
        return look(service, caller, wake, kind, name, item)
    with _passing(service, caller, form) as item:
        return look(service, caller, wake, kind, name, item)
