"""The library and its sets, over HTTP."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from sqlalchemy import Select, and_, func, or_, select

from facechange.service.audit import note
from facechange.service.image_library import THUMBNAIL, delete_items, find_item
from facechange.service.problems import not_found, problems
from facechange.service.responses import answer_content, stream_pieces
from facechange.service.schemas import (
    REFERENCE,
    DeletionAnswer,
    ItemAnswer,
    ItemPatch,
    Page,
    SetRequest,
    describe_item,
    format_time,
)
from facechange.service.security import CurrentService, LibraryCaller
from facechange.service.service import Service
from facechange.service.tables import Item, Set, TenantSession, new_id
from facechange.service.uploads import clean_name, file_of, keep_upload, receive_file, text_of, time_of, upload_folder

router = APIRouter(prefix="/v1", tags=["library"])
Limit = Annotated[int, Query(ge=1, le=200)]
Before = Annotated[str | None, Query(pattern=REFERENCE, max_length=64)]
_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "set": {"type": "string"},
                        "name": {"type": "string"},
                        "expires": {"type": "string", "description": "A time in ISO 8601, with its zone."},
                    },
                }
            }
        },
    }
}


@router.post("/library", status_code=201, response_model=ItemAnswer, openapi_extra=_FORM)
async def put(request: Request, caller: LibraryCaller, service: CurrentService) -> dict[str, Any]:
    """Put a picture or a video into the library."""
    async with request.form(max_files=1, max_fields=10) as form:
        return await run_in_threadpool(_put, service, caller.tenant, caller.key, dict(form))


def _put(service: Service, tenant: str, key: str, form: Any) -> dict[str, Any]:

    def write_down(session: TenantSession, item: Item) -> None:
        note(session, tenant, key, "put", item.id)

    details: dict[str, Any] = {
        "also": write_down,
        "set_id": text_of(form, "set"),
        "expires": time_of(text_of(form, "expires")),
    }
    with upload_folder(service) as folder:
        upload = receive_file(service, file_of(form, "file"), folder, text_of(form, "name"))
        return describe_item(keep_upload(service, tenant, key, upload, **details))


@router.get("/library", response_model=Page)
def find(
    caller: LibraryCaller,
    service: CurrentService,
    set: Annotated[str | None, Query(pattern=REFERENCE, max_length=64)] = None,
    kind: Annotated[str | None, Query(pattern="^(photograph|video)$")] = None,
    before: Before = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """The entries, newest first."""
    query = select(Item).where(or_(Item.expires.is_(None), Item.expires > time.time()))
    query = query.where(Item.set == set) if set is not None else query
    query = query.where(Item.kind == kind) if kind is not None else query
    with service.database.session(caller.tenant) as session:
        rows, following = page_through(session, query, Item, before, limit)
    return {"items": [describe_item(row) for row in rows], "next": following}


def page_through(
    session: TenantSession, query: Select[Any], table: Any, before: str | None, limit: int
) -> tuple[list[Any], str | None]:
    """The rows after the one that `before` names, newest first, and what to ask for next. Raises a `Problem`."""
    if before is not None:
        last = session.get(table, before)
        if last is None:
            raise not_found("entry", before)
        older = or_(table.created < last.created, and_(table.created == last.created, table.id < last.id))
        query = query.where(older)
    rows = list(session.scalars(query.order_by(table.created.desc(), table.id.desc()).limit(limit + 1)))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


@router.get("/library/{reference}", response_model=ItemAnswer)
def get(reference: str, caller: LibraryCaller, service: CurrentService) -> dict[str, Any]:
    """One entry."""
    with service.database.session(caller.tenant) as session:
        return describe_item(find_item(session, reference))


@router.get("/library/{reference}/content", response_class=Response, responses=problems(416))
def get_content(
    reference: str, request: Request, caller: LibraryCaller, service: CurrentService, download: bool = False
) -> Response:
    """The file, or a range of it."""
    with service.database.session(caller.tenant) as session:
        item = find_item(session, reference)
    return answer_content(service, item, request, download)


@router.get("/library/{reference}/thumbnail", response_class=Response)
def get_thumbnail(reference: str, caller: LibraryCaller, service: CurrentService) -> Response:
    """A JPEG of at most 320 px."""
    with service.database.session(caller.tenant) as session:
        item = find_item(session, reference)
    pieces = service.store.read(item.tenant, item.sha256 + THUMBNAIL, 0, 1 << 20)
    return stream_pieces(pieces, {"Cache-Control": "private, no-store"}, "image/jpeg")


@router.patch("/library/{reference}", response_model=ItemAnswer)
def change(reference: str, patch: ItemPatch, caller: LibraryCaller, service: CurrentService) -> dict[str, Any]:
    """Another name, set or end; what is not named stays, null takes set and end away."""
    with service.database.session(caller.tenant) as session:
        item = find_item(session, reference)
        given = patch.model_fields_set
        if "name" in given and patch.name:
            item.name = clean_name(patch.name)
        if "set" in given:
            if patch.set is not None and session.get(Set, patch.set) is None:
                raise not_found("set", patch.set)
            item.set = patch.set
        if "expires" in given:
            item.expires = patch.expires.timestamp() if patch.expires else None
        return describe_item(item)


@router.delete("/library/{reference}", response_model=DeletionAnswer)
def delete(reference: str, caller: LibraryCaller, service: CurrentService) -> dict[str, Any]:
    """Delete an entry; what is answered is kept as the record of it."""
    with service.database.session(caller.tenant) as session:
        item = find_item(session, reference)
        record = delete_items(service, session, [item], "by request")[0]
        note(session, caller.tenant, caller.key, "delete", item.id)
        session.flush()
        return {"id": record.id, "sha256": record.sha256, "deleted": format_time(record.deleted)}


@router.get("/sets", response_model=Page)
def find_sets(
    caller: LibraryCaller, service: CurrentService, before: Before = None, limit: Limit = 50
) -> dict[str, Any]:
    """The sets, newest first, and how many entries each has."""
    with service.database.session(caller.tenant) as session:
        rows, following = page_through(session, select(Set), Set, before, limit)
        return {"items": [_describe_set(session, row) for row in rows], "next": following}


@router.post("/sets", status_code=201)
def add_set(body: SetRequest, caller: LibraryCaller, service: CurrentService) -> dict[str, Any]:
    """A new set."""
    with service.database.session(caller.tenant) as session:
        row = Set(id=new_id("set"), tenant=caller.tenant, name=clean_name(body.name), kind=body.kind)
        session.add(row)
        session.flush()
        return _describe_set(session, row)


@router.get("/sets/{reference}")
def get_set(reference: str, caller: LibraryCaller, service: CurrentService) -> dict[str, Any]:
    """One set."""
    with service.database.session(caller.tenant) as session:
        row = session.get(Set, reference)
        if row is None:
            raise not_found("set", reference)
        return _describe_set(session, row)


@router.delete("/sets/{reference}", status_code=204)
def delete_set(reference: str, caller: LibraryCaller, service: CurrentService) -> None:
    """Delete a set; its entries stay."""
    with service.database.session(caller.tenant) as session:
        row = session.get(Set, reference)
        if row is None:
            raise not_found("set", reference)
        for item in session.scalars(select(Item).where(Item.set == reference)):
            item.set = None
        session.delete(row)


def _describe_set(session: TenantSession, row: Set) -> dict[str, Any]:
    items = session.scalar(select(func.count()).select_from(Item).where(Item.set == row.id))
    return {"id": row.id, "name": row.name, "kind": row.kind, "created": format_time(row.created), "items": items}
