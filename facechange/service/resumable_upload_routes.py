"""Uploads that go on after a broken connection, by the protocol tus 1.0.0."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from wsgiref.handlers import format_date_time

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool

from facechange.service.problems import Problem, problems
from facechange.service.resumable_uploads import UploadWriter, begin, delete_upload, find_upload
from facechange.service.schemas import ResumableUploadAnswer, format_time
from facechange.service.security import CurrentService, LibraryCaller
from facechange.service.service import Service
from facechange.service.tables import ResumableUpload, new_id
from facechange.service.uploads import clean_name, time_of, upload_folder

PLACE = "/v1/uploads"
VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,termination,checksum"
ITEM_HEADER = "X-Facechange-Item"
OCTETS = "application/offset+octet-stream"
PART_BYTES = 16 << 20  # after which a part counts: what a killed server loses at most
WRITE_BYTES = 1 << 20
_HASHES: dict[str, Callable[[], Any]] = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}

router = APIRouter(prefix=PLACE, tags=["uploads"])
Tus = Annotated[str | None, Header(alias="Tus-Resumable", description=VERSION)]
Count = Annotated[int | None, Header(ge=0, le=1 << 53)]


@router.options("", status_code=204)
def tell(caller: LibraryCaller, service: CurrentService) -> Response:
    """What of tus is spoken, and the largest file that is taken."""
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(service.settings.largest_upload_bytes),
        "Tus-Checksum-Algorithm": ",".join(_HASHES),
    }
    return _answer(204, **headers)


@router.post("", status_code=201, response_class=Response, responses=problems(404, 412, 413))
def create(
    caller: LibraryCaller,
    service: CurrentService,
    tus_resumable: Tus = None,
    upload_length: Count = None,
    upload_metadata: Annotated[str | None, Header(max_length=4000)] = None,
) -> Response:
    """Begin an upload of `Upload-Length` bytes. `Upload-Metadata` may hold filename, set and expires, in base 64."""
    _check_version(tus_resumable)
    if not upload_length:
        raise Problem(422, "Upload-Length says how many bytes come, one or more.", "Send it.", 2)
    told = _read_metadata(upload_metadata or "")
    item_expires = time_of(told.get("expires") or None)
    upload = begin(
        service, caller, upload_length, clean_name(told.get("filename")), told.get("set") or None, item_expires
    )
    return _answer(201, Location=f"{PLACE}/{upload.id}", **_describe(upload))


@router.get("/{reference}", response_model=ResumableUploadAnswer)
def get(reference: str, caller: LibraryCaller, service: CurrentService) -> dict[str, Any]:
    """How far an upload is, and the library's entry that it became."""
    with service.database.session(caller.tenant) as session:
        upload = find_upload(session, reference)
    told = {name: getattr(upload, name) for name in ("id", "name", "length", "received", "item")}
    return {**told, "expires": format_time(upload.expires)}


@router.head("/{reference}", response_class=Response, responses=problems(412))
def ask(reference: str, caller: LibraryCaller, service: CurrentService, tus_resumable: Tus = None) -> Response:
    """How far an upload is."""
    with service.database.session(caller.tenant) as session:
        upload = find_upload(session, reference)
    _check_version(tus_resumable)
    return _answer(200, **_describe(upload))


@router.delete("/{reference}", status_code=204, response_class=Response, responses=problems(412))
def end(reference: str, caller: LibraryCaller, service: CurrentService, tus_resumable: Tus = None) -> Response:
    """Give an upload up, and delete what arrived. A library entry that it became stays."""
    with service.database.session(caller.tenant) as session:
        upload = find_upload(session, reference)
    _check_version(tus_resumable)
    delete_upload(service, upload)
    return _answer(204)


_SENT = {"requestBody": {"required": True, "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}}}}


@router.patch(
    "/{reference}",
    status_code=204,
    response_class=Response,
    openapi_extra=_SENT,
    responses=problems(400, 409, 412, 423, 460),
)
async def send(
    reference: str,
    request: Request,
    caller: LibraryCaller,
    service: CurrentService,
    tus_resumable: Tus = None,
    upload_offset: Count = None,
    upload_checksum: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Go on with an upload at `Upload-Offset`. The last byte makes a library entry of it, which `X-Facechange-Item`
    names; so does a request without bytes where that was not yet done."""
    upload = await run_in_threadpool(_find, service, caller.tenant, reference)
    _check_version(tus_resumable)
    if request.headers.get("content-type") != OCTETS:
        raise Problem(415, f"Parts of an upload are {OCTETS}.", "Send that as Content-Type.", 2)
    if upload_offset is None:
        raise Problem(422, "Upload-Offset says where the bytes belong.", "Send it.", 2)
    digest = _read_checksum(upload_checksum) if upload_checksum else None
    writer = await run_in_threadpool(UploadWriter, service, upload)
    try:
        _check_offset(writer.upload, upload_offset, request.headers.get("content-length", "0"))
        with upload_folder(service) as folder:
            await _receive(request, writer, folder / new_id("part"), digest)
        await run_in_threadpool(writer.finish)
    finally:
        await run_in_threadpool(writer.release)
    return _answer(204, **_describe(writer.upload))


async def _receive(request: Request, writer: UploadWriter, path: Path, digest: tuple[str, bytes] | None) -> None:
    """Write a request's bytes in parts to `path`, and have each count; with a checksum only all of them. What came
    before the connection broke counts too."""
    room = writer.upload.length - writer.upload.received
    hashed = _HASHES[digest[0]]() if digest else None
    buffer = bytearray()
    try:
        async for data in request.stream():
            room -= len(data)
            if room < 0:
                raise Problem(413, "More came than Upload-Length said.", "Send no more than that.", 2)
            buffer += data
            if len(buffer) >= WRITE_BYTES:
                await run_in_threadpool(_write, writer, path, buffer, hashed, PART_BYTES)
    except Problem as problem:
        if problem.status != 408:
            raise
        if not digest:
            await run_in_threadpool(_write, writer, path, buffer, None, 0)
        raise
    except Exception:  # the client is gone
        if not digest:
            await run_in_threadpool(_write, writer, path, buffer, None, 0)
        raise Problem(408, "The connection broke.", "Ask how far the upload is, and go on.", 74) from None
    await run_in_threadpool(_write, writer, path, buffer, hashed, PART_BYTES)
    if digest and hashed and hashed.digest() != digest[1]:
        raise Problem(460, "The bytes do not have the checksum that was said.", "Send them again.", 2)
    await run_in_threadpool(_write, writer, path, buffer, None, 0)


def _write(writer: UploadWriter, path: Path, buffer: bytearray, hashed: Any, part_bytes: int) -> None:
    """Append `buffer`, which is empty afterwards, to the file at `path`; have the file count and be gone where it has
    `part_bytes` and needs no checksum."""
    with path.open("ab") as sink:
        sink.write(buffer)
        size = sink.tell()
    if hashed is not None:
        hashed.update(buffer)
    buffer.clear()
    writer.renew()
    if hashed is None and size and size >= part_bytes:
        writer.add(path)
        path.unlink()


def _find(service: Service, tenant: str, reference: str) -> ResumableUpload:
    with service.database.session(tenant) as session:
        return find_upload(session, reference)


def _check_version(told: str | None) -> None:
    if told != VERSION:
        message = f"This speaks tus {VERSION}."
        raise Problem(412, message, f"Send Tus-Resumable: {VERSION}.", 2, Tus_Version=VERSION)


def _check_offset(upload: ResumableUpload, offset: int, content_length: str) -> None:
    if offset != upload.received:
        headers = {"Upload_Offset": str(upload.received)}
        raise Problem(409, f"The upload has {upload.received} bytes, not {offset}.", "Go on there.", 2, **headers)
    if content_length.isdigit() and offset + int(content_length) > upload.length:
        raise Problem(413, "More would come than Upload-Length said.", "Send no more than that.", 2)


def _read_metadata(text: str) -> dict[str, str]:
    """`name base64,name base64`; raises a `Problem`."""
    told = {}
    for pair in filter(None, (pair.strip() for pair in text.split(","))):
        name, _, value = pair.partition(" ")
        try:
            told[name] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            raise Problem(422, f"Upload-Metadata is wrong at {name[:40]!r}.", "Send names and base 64.", 2) from None
        if "\0" in told[name]:  # PostgreSQL knows no such text
            raise Problem(422, f"{name[:40]!r} of Upload-Metadata holds a zero.", "Leave it out.", 2)
    return told


def _read_checksum(text: str) -> tuple[str, bytes]:
    name, _, value = text.partition(" ")
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if name not in _HASHES or not digest:
        raise Problem(400, "Upload-Checksum is not understood.", f"Use {' or '.join(_HASHES)}, in base 64.", 2)
    return name, digest


def _describe(upload: ResumableUpload) -> dict[str, str]:
    told = {"Upload-Offset": str(upload.received), "Upload-Length": str(upload.length)}
    expires = {"Upload-Expires": format_date_time(max(upload.expires, time.time()))}
    return told | expires | ({ITEM_HEADER: upload.item} if upload.item else {})


def _answer(status: int, **headers: str) -> Response:
    return Response(status_code=status, headers={"Tus-Resumable": VERSION, "Cache-Control": "no-store", **headers})
