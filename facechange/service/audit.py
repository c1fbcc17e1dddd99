"""Who did what and when: what a request changed, without pictures, vectors or words of consent."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from facechange.service.schemas import format_time
from facechange.service.tables import Audit, TenantSession


def note(session: TenantSession, tenant: str, key: str, what: str, about: str) -> None:
    """Write down that a key did something, in the transaction in which it is done."""
    session.add(Audit(tenant=tenant, key=key, what=what, about=about))


def read_notes(session: TenantSession, before: int | None, limit: int) -> dict[str, Any]:
    """A page of the tenant's notes, newest first."""
    query = select(Audit).order_by(Audit.id.desc()).limit(limit + 1)
    query = query.where(Audit.id < before) if before is not None else query
    rows = list(session.scalars(query))
    items = [
        {"id": row.id, "at": format_time(row.at), "key": row.key, "what": row.what, "about": row.about}
        for row in rows[:limit]
    ]
    return {"items": items, "next": rows[limit - 1].id if len(rows) > limit else None}
