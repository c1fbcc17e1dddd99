"""Characters: somebody to play, kept with the pictures and videos that are rendered with whoever plays them (the
patent's para. 99)."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy import select

from facechange.consent import require_grant
from facechange.service.image_library_routes import Before, Limit, page_through
from facechange.service.keys import Caller
from facechange.service.problems import Problem, not_found, problems
from facechange.service.queue import check_quota
from facechange.service.schemas import CharacterRequest, Page, RenderRequest, describe_job, format_time
from facechange.service.security import ChangeCaller, CurrentService, LibraryCaller
from facechange.service.service import Service
from facechange.service.submission import PHOTO_MODEL, VIDEO_MODEL, JobRequest, Lookup, check_words, submit
from facechange.service.tables import Character, Item, Set, TenantSession, new_id
from facechange.service.uploads import clean_name, fetch_item, upload_folder

router = APIRouter(prefix="/v1/characters", tags=["characters"])


@router.get("", response_model=Page)
def find(caller: LibraryCaller, service: CurrentService, before: Before = None, limit: Limit = 50) -> dict[str, Any]:
    """The characters, newest first."""
    with service.database.session(caller.tenant) as session:
        rows, following = page_through(session, select(Character), Character, before, limit)
    return {"items": [_describe(row) for row in rows], "next": following}


@router.post("", status_code=201)
def add(body: CharacterRequest, caller: LibraryCaller, service: CurrentService) -> dict[str, Any]:
    """A new character, and a set for what it is rendered into."""
    _check(service, caller, body)
    with service.database.session(caller.tenant) as session:
        its_set = Set(id=new_id("set"), tenant=caller.tenant, name=clean_name(body.name), kind="character")
        row = Character(id=new_id("chr"), tenant=caller.tenant, set=its_set.id, version=1, **_values(body))
        session.add_all([its_set, row])
        session.flush()
        return _describe(row)


@router.get("/{reference}")
def get(reference: str, caller: LibraryCaller, service: CurrentService) -> dict[str, Any]:
    """One character."""
    with service.database.session(caller.tenant) as session:
        return _describe(find_character(session, reference))


@router.put("/{reference}")
def change(reference: str, body: CharacterRequest, caller: LibraryCaller, service: CurrentService) -> dict[str, Any]:
    """Another person for a character: its next version, with which its set can be rendered again."""
    with service.database.session(caller.tenant) as session:
        find_character(session, reference)
    _check(service, caller, body)
    with service.database.session(caller.tenant) as session:
        row = find_character(session, reference)
        for name, value in _values(body).items():
            setattr(row, name, value)
        row.version += 1
        return _describe(row)


@router.delete("/{reference}", status_code=204)
def delete(reference: str, caller: LibraryCaller, service: CurrentService) -> None:
    """Delete a character; its set and what is in it stay."""
    with service.database.session(caller.tenant) as session:
        session.delete(find_character(session, reference))


@router.post("/{reference}/render", status_code=202, responses=problems(409))
def render(
    reference: str, body: RenderRequest, request: Request, caller: ChangeCaller, service: CurrentService
) -> JSONResponse:
    """Render every picture and video that was put into the character's set, with the character as it is now."""
    words = check_words(body.consent)
    with service.database.session(caller.tenant) as session:
        character = find_character(session, reference)
        query = select(Item).where(Item.set == character.set, Item.job.is_(None))
        originals = [item.id for item in session.scalars(query.order_by(Item.created))]
        check_quota(session, caller.key, service.settings.jobs_per_key, len(originals))
    if not originals:
        raise Problem(409, "There is nothing in the character's set.", f"Put pictures into the set {character.set}.", 3)
    consent = f"{character.consent} {words}".strip() if character.seed is None else words

    def wish(original: str, lookup: Lookup) -> JobRequest:
        target, sources = lookup.item(original), lookup.sources([reference])
        model = body.model or (VIDEO_MODEL if target.kind == "video" else PHOTO_MODEL)
        details = {"rules": [{"sources": sources, "selector": "all"}], "model": model, "consent": consent}
        fixed = {"strength": 1.0, "keep": "mask", "beyond": None, "trim": None, "purpose": body.purpose}
        version = f"{character.name}-v{character.version}"
        return JobRequest("render", {"target": original, "version": version, **details, **fixed}, target)

    wake = request.app.state.wake
    jobs = [submit(service, caller, wake, lambda lookup, each=each: wish(each, lookup)) for each in originals]  # type: ignore[misc]
    return JSONResponse({"jobs": [describe_job(job, time.time()) for job in jobs]}, 202, {"Location": "/v1/jobs"})


def find_character(session: TenantSession, reference: str) -> Character:
    """The character; raises a `Problem`."""
    row = session.get(Character, reference)
    if row is None:
        raise not_found("character", reference)
    return row


def _check(service: Service, caller: Caller, body: CharacterRequest) -> None:
    """Hold a character to what it needs: a seed, or pictures with consent that holds. Raises `ConsentError`."""
    if (body.seed is None) == (not body.sources):
        raise Problem(422, "A character is a persona or a person.", "Give either a seed, or sources and consent.", 2)
    if body.sources:
        with upload_folder(service) as folder:
            paths = [fetch_item(service, caller.tenant, each, folder) for each in body.sources]
            require_grant(service.context_of(caller.tenant), body.consent, paths, [])


def _values(body: CharacterRequest) -> dict[str, Any]:
    consent = check_words(body.consent) if body.sources else ""
    return {"name": clean_name(body.name), "seed": body.seed, "sources": body.sources, "consent": consent}


def _describe(row: Character) -> dict[str, Any]:
    names = ("id", "name", "seed", "sources", "consent", "set", "version")
    return {**{name: getattr(row, name) for name in names}, "created": format_time(row.created)}
