"""Sessions of the page, keys, models, and whether the service is well."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy import select, text

from facechange.runtime import graph_path
from facechange.service.audit import note, read_notes
from facechange.service.image_library_routes import Before, Limit, page_through
from facechange.service.keys import LOGIN_SECONDS, log_in, log_out, make_key
from facechange.service.problems import Problem, not_found, problems
from facechange.service.schemas import MODELS, AuditPage, KeyRequest, LoginRequest, Page, Session, format_time
from facechange.service.security import COOKIE, AdminCaller, AnyCaller, CurrentService, authenticate
from facechange.service.tables import ALL, Key
from facechange.service.uploads import clean_name

router = APIRouter()
_NOT_READY = {"description": "What is away.", "content": {"application/json": {"schema": {"type": "object"}}}}


@router.post("/v1/session", response_model=Session, tags=["session"])
def begin(body: LoginRequest, request: Request, response: Response, service: CurrentService) -> dict[str, Any]:
    """Log the page in: a cookie that scripts cannot read and other sites cannot use."""
    request.app.state.buckets.take(f"login {request.client.host if request.client else ''}")
    caller, cookie = log_in(service.database, body.key.strip())
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, cookie, max_age=int(LOGIN_SECONDS), httponly=True, samesite="strict", secure=secure, path="/"
    )
    return {"tenant": caller.tenant, "scopes": sorted(caller.scopes)}


@router.get("/v1/session", response_model=Session, tags=["session"])
def who(caller: AnyCaller) -> dict[str, Any]:
    """Whose key this is, and what it may."""
    return {"tenant": caller.tenant, "scopes": sorted(caller.scopes)}


@router.delete("/v1/session", status_code=204, tags=["session"])
def end(request: Request, response: Response, caller: AnyCaller, service: CurrentService) -> None:
    """Log the page out."""
    log_out(service.database, request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE, path="/")


@router.get("/v1/keys", response_model=Page, tags=["keys"])
def find_keys(caller: AdminCaller, service: CurrentService, before: Before = None, limit: Limit = 50) -> dict[str, Any]:
    """The keys, newest first, without their secrets."""
    with service.database.session(caller.tenant) as session:
        rows, following = page_through(session, select(Key), Key, before, limit)
    return {"items": [_describe_key(row) for row in rows], "next": following}


@router.post("/v1/keys", status_code=201, tags=["keys"])
def add_key(body: KeyRequest, caller: AdminCaller, service: CurrentService) -> dict[str, Any]:
    """A new key; its secret is shown this once."""
    expires = body.expires.timestamp() if body.expires else None
    with service.database.session(caller.tenant) as session:
        row, secret = make_key(session, caller.tenant, clean_name(body.name), body.scopes, expires)
        session.flush()
        note(session, caller.tenant, caller.key, "add key", row.id)
        return {**_describe_key(row), "key": secret}


@router.delete("/v1/keys/{reference}", tags=["keys"], responses=problems(409))
def revoke_key(reference: str, caller: AdminCaller, service: CurrentService) -> dict[str, Any]:
    """Revoke a key, and the page's sessions with it."""
    if reference == caller.key:
        raise Problem(409, "A key cannot revoke itself.", "Make another, and revoke this one with it.", 2)
    with service.database.session(caller.tenant) as session:
        row = session.get(Key, reference)
        if row is None:
            raise not_found("key", reference)
        row.revoked = row.revoked or time.time()
        note(session, caller.tenant, caller.key, "revoke key", row.id)
        return _describe_key(row)


def _describe_key(row: Key) -> dict[str, Any]:
    times = {name: format_time(getattr(row, name)) for name in ("created", "expires", "revoked")}
    return {"id": row.id, "name": row.name, "scopes": row.scopes, **times}


@router.get("/v1/audit", response_model=AuditPage, tags=["audit"])
def find_notes(
    caller: AdminCaller,
    service: CurrentService,
    before: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    limit: Limit = 50,
) -> dict[str, Any]:
    """Who did what and when, newest first: keys, consents, entries put and deleted, jobs asked for."""
    with service.database.session(caller.tenant) as session:
        return read_notes(session, before, limit)


@router.get("/v1/models", tags=["models"])
def find_models(caller: AnyCaller) -> dict[str, Any]:
    """The models that there are."""
    return {"items": [{"name": name, "there": graph_path(name).exists()} for name in MODELS]}


@router.get("/healthz", response_class=PlainTextResponse, tags=["operation"])
async def is_alive() -> str:
    """Whether the process answers, also while every thread waits for a database or a store."""
    return "alive"


@router.get("/readyz", tags=["operation"], responses={503: _NOT_READY})
def is_ready(service: CurrentService) -> JSONResponse:
    """Whether database and store can be used."""
    checks = {}
    for name, check in (("database", lambda: _ask(service)), ("store", service.store.check)):
        try:
            check()
            checks[name] = "ready"
        except Exception as error:
            checks[name] = f"away ({type(error).__name__})"
    ready = set(checks.values()) == {"ready"}
    return JSONResponse({"ready": ready, **checks}, 200 if ready else 503)


@router.get("/metrics", response_class=PlainTextResponse, tags=["operation"])
def measure(request: Request, service: CurrentService) -> Response:
    """For Prometheus; where others can reach the service, for keys with the scope admin."""
    if service.settings.is_public:
        authenticate(request).need("admin")
    return Response(request.app.state.measures.describe(service.database), media_type=CONTENT_TYPE_LATEST)


def _ask(service: Any) -> None:
    with service.database.session(ALL) as session:
        session.execute(text("SELECT 1"))
