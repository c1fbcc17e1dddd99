"""The ledger of consent over HTTP: the command line's verbs, on the tenant's own ledger."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import select

from facechange.consent.recording import record_consent, revoke_consent
from facechange.consent.status import Status, Statuses, read_statuses
from facechange.core import ConsentError
from facechange.service import queue
from facechange.service.audit import note
from facechange.service.image_library import delete_items
from facechange.service.problems import not_found
from facechange.service.schemas import ConsentRequest, RevokeRequest, format_time
from facechange.service.security import ConsentCaller, CurrentService
from facechange.service.tables import Item, Job
from facechange.service.uploads import fetch_item, upload_folder

router = APIRouter(prefix="/v1/consents", tags=["consents"])


@router.get("")
def find(caller: ConsentCaller, service: CurrentService, everything: bool = False) -> dict[str, Any]:
    """The records in force, oldest first; with `everything` also statements that came with a change, and what ended."""
    statuses = read_statuses(service.context_of(caller.tenant).ledger)
    shown = [each for each in statuses.all() if everything or (each.in_force and each.record.added)]
    return {"items": [_describe(each) for each in shown], "next": None}


@router.post("", status_code=201)
def add(body: ConsentRequest, caller: ConsentCaller, service: CurrentService) -> dict[str, Any]:
    """Record an agreement."""
    context = service.context_of(caller.tenant)
    with upload_folder(service) as folder:
        paths = [fetch_item(service, caller.tenant, each, folder) for each in body.pictures]
        record = record_consent(
            context,
            paths,
            who=body.who,
            role=body.role,
            basis=body.basis,
            purpose=body.purpose,
            until=body.until,
            release=fetch_item(service, caller.tenant, body.release, folder) if body.release else None,
            statement=body.statement,
            recorded_by=caller.key,
        )
    with service.database.session(caller.tenant) as session:
        note(session, caller.tenant, caller.key, "add consent", record.id)
    return get(record.id, caller, service)


@router.get("/{reference}")
def get(reference: str, caller: ConsentCaller, service: CurrentService) -> dict[str, Any]:
    """One record, and whether it holds."""
    status = read_statuses(service.context_of(caller.tenant).ledger).find(reference)
    if status is None:
        raise not_found("record of consent", reference)
    return _describe(status)


@router.post("/{reference}/revoke")
def revoke(reference: str, body: RevokeRequest, caller: ConsentCaller, service: CurrentService) -> dict[str, Any]:
    """Take an agreement back: what rests on it is deleted, pictures and results, with a record of each deletion."""
    context = service.context_of(caller.tenant)
    before = read_statuses(context.ledger).find(reference)
    if before is None:
        raise not_found("record of consent", reference)
    if before.state != "revoked":
        revoke_consent(context, before.record.id, body.reason, caller.key)
    statuses = read_statuses(context.ledger)
    status = statuses.find(before.record.id)
    if status is None:
        raise ConsentError(f"There is no record of consent {reference}.")
    with service.database.session(caller.tenant) as session:
        deleted = delete_items(
            service, session, _resting_items(session, statuses, status), f"{status.record.id} revoked"
        )
        note(session, caller.tenant, caller.key, "revoke consent", status.record.id)
        session.flush()
        records = [{"id": each.id, "sha256": each.sha256, "deleted": format_time(each.deleted)} for each in deleted]
    return {**_describe(status), "deleted": records}


def _resting_items(session: Any, statuses: Statuses, status: Status) -> list[Item]:
    """The entries that nobody agrees to any more: pictures of the record that no other record in force speaks for, and
    what was made of them. Jobs with them that are not over are cancelled."""
    hashes = {*status.record.sources, *status.record.targets}
    for other in statuses.naming(hashes):
        if other.in_force and other.record.added:
            hashes -= {*other.record.sources, *other.record.targets}
    results: set[str] = set()
    for job in session.scalars(select(Job)):
        if hashes.isdisjoint(job.used_hashes):
            continue
        if job.state not in queue.OVER:
            queue.cancel(session, job)
        elif job.result:
            results.add(job.result)
    gone = list(session.scalars(select(Item).where(Item.sha256.in_(hashes))))
    rest = session.scalars(select(Item).where(Item.consent == status.record.id))
    made = [item for item in (session.get(Item, each) for each in results) if item is not None]
    return list({item.id: item for item in (*gone, *rest, *made)}.values())


def _describe(status: Status) -> dict[str, Any]:
    record = status.record
    names = ("id", "who", "basis", "purpose", "until", "release", "statement", "recorded_by", "recorded_at", "added")
    lists = {name: list(getattr(record, name)) for name in ("sources", "targets", "rests_on")}
    place = {"state": status.state, "reason": status.reason, "line": status.line.number, "hash": status.line.hash}
    return {**{name: getattr(record, name) for name in names}, **lists, **place}
