"""API keys and the page's sessions: random, kept by their hash, scoped, expiring, revocable."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select

from facechange.service.problems import Problem
from facechange.service.tables import ALL, Database, Key, Login, Tenant, TenantSession, new_id

SCOPES = ("change", "library", "consent", "admin")
PREFIX = "fck_"
LOGIN_SECONDS = 12 * 3600.0
DEFAULT_TENANT = "default"
TENANT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Caller:
    """Who asks: a key of a tenant."""

    tenant: str
    key: str
    scopes: frozenset[str]

    def need(self, scope: str) -> None:
        """Raise where the key does not allow it."""
        if scope not in self.scopes:
            raise Problem(403, f"This key may not do that: it lacks the scope {scope}.", "Use a key that has it.", 6)


def make_key(
    session: TenantSession, tenant: str, name: str, scopes: Sequence[str], expires: float | None = None
) -> tuple[Key, str]:
    """A new key, and the only copy of its secret."""
    secret = PREFIX + secrets.token_urlsafe(32)
    row = Key(
        id=new_id("key"), tenant=tenant, name=name, hash=_hash(secret), scopes=sorted(set(scopes)), expires=expires
    )
    session.add(row)
    return row, secret


def has_keys(database: Database) -> bool:
    """Whether anybody was ever given a key."""
    with database.session(ALL) as session:
        return session.scalar(select(Key.id).limit(1)) is not None


def make_first_key(database: Database, tenant: str = DEFAULT_TENANT, name: str = "first") -> str | None:
    """The key of a new installation, with every scope; None where there are keys already."""
    if has_keys(database):
        return None
    with database.session(ALL) as session:
        add_tenant(session, tenant)
        return make_key(session, tenant, name, SCOPES)[1]


def add_tenant(session: TenantSession, tenant: str) -> None:
    """Let there be a tenant of that name."""
    if session.get(Tenant, tenant) is None:
        session.add(Tenant(id=tenant))


def authenticate_key(database: Database, secret: str) -> Caller:
    """Whose key it is; raises a `Problem` where it is nobody's, or no longer."""
    with database.session(ALL) as session:
        row = session.scalar(select(Key).where(Key.hash == _hash(secret)))
    return _as_caller(row)


def log_in(database: Database, secret: str) -> tuple[Caller, str]:
    """The caller of a key, and the cookie of a new session."""
    caller, cookie = authenticate_key(database, secret), secrets.token_urlsafe(32)
    with database.session(ALL) as session:
        session.execute(delete(Login).where(Login.expires < time.time()))
        expires = time.time() + LOGIN_SECONDS
        session.add(Login(hash=_hash(cookie), tenant=caller.tenant, key=caller.key, expires=expires))
    return caller, cookie


def authenticate_session(database: Database, cookie: str) -> Caller:
    """Who has this session; raises a `Problem`."""
    with database.session(ALL) as session:
        login = session.get(Login, _hash(cookie))
        row = session.get(Key, login.key) if login and login.expires > time.time() else None
    return _as_caller(row)


def log_out(database: Database, cookie: str) -> None:
    """End a session."""
    with database.session(ALL) as session:
        session.execute(delete(Login).where(Login.hash == _hash(cookie)))


def _as_caller(row: Key | None) -> Caller:
    ended = row is None or row.revoked is not None or (row.expires is not None and row.expires < time.time())
    if row is None or ended:
        message = "The key is unknown, was revoked or has expired." if row else "The key is unknown."
        raise Problem(401, message, "Send a key: Authorization: Bearer fck_...", 6, WWW_Authenticate="Bearer")
    return Caller(row.tenant, row.id, frozenset(row.scopes))


def _hash(secret: str) -> str:
    """Of 256 random bits, so that no slow hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
