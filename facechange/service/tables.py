"""The tables, and the one place where what belongs to a tenant is kept apart from what belongs to others.

Every row of an `Owned` table has a tenant. A session is opened for a tenant, and then reads, changes and deletes that
tenant's rows only, whatever the query says; or for the machinery (`ALL`), which no route uses after it knows who asks.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Engine,
    Float,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    ORMExecuteState,
    Session,
    mapped_column,
    with_loader_criteria,
)

ALL = "*"  # the machinery's view: workers, and looking up whose key it is


def new_id(prefix: str) -> str:
    """An identifier that nobody guesses."""
    return f"{prefix}_{secrets.token_hex(12)}"


class Base(DeclarativeBase):
    """All tables."""

    type_annotation_map: ClassVar = {str: String(255), dict[str, Any]: JSON, list[Any]: JSON}


class Owned:
    """A row that belongs to a tenant."""

    tenant: Mapped[str] = mapped_column(String(64), index=True)


class Tenant(Base):
    """Whose things are kept apart from others'."""

    __tablename__ = "tenants"
    id: Mapped[str] = mapped_column(primary_key=True)
    created: Mapped[float] = mapped_column(Float, default=time.time)


class Key(Owned, Base):
    """An API key, by its hash."""

    __tablename__ = "keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[Any]]
    created: Mapped[float] = mapped_column(Float, default=time.time)
    expires: Mapped[float | None] = mapped_column(Float)
    revoked: Mapped[float | None] = mapped_column(Float)


class Login(Owned, Base):
    """A page's session, by the hash of its cookie."""

    __tablename__ = "logins"
    hash: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str]
    expires: Mapped[float] = mapped_column(Float)


class Set(Owned, Base):
    """Pictures of one person or one character."""

    __tablename__ = "sets"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    created: Mapped[float] = mapped_column(Float, default=time.time)


class Item(Owned, Base):
    """A picture or video of the library."""

    __tablename__ = "items"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    kind: Mapped[str]
    media_type: Mapped[str]
    suffix: Mapped[str]
    sha256: Mapped[str] = mapped_column(index=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int] = mapped_column(Integer)
    height: Mapped[int] = mapped_column(Integer)
    seconds: Mapped[float | None] = mapped_column(Float)
    set: Mapped[str | None] = mapped_column(index=True)
    owner: Mapped[str]  # the key that put it there
    consent: Mapped[str | None]  # number of the record that a result rests on
    job: Mapped[str | None]  # that made it
    created: Mapped[float] = mapped_column(Float, default=time.time)
    expires: Mapped[float | None] = mapped_column(Float, index=True)


class ResumableUpload(Owned, Base):
    """A file that arrives in parts. `lock` is the request's that writes it, until `locked_until`."""

    __tablename__ = "uploads"
    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str]
    name: Mapped[str]
    length: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    parts: Mapped[list[Any]] = mapped_column(default=list)  # [name in the store, bytes], in order
    set: Mapped[str | None]
    item_expires: Mapped[float | None] = mapped_column(Float)
    item: Mapped[str | None]  # what it became
    lock: Mapped[str | None]
    locked_until: Mapped[float] = mapped_column(Float, default=0.0)
    created: Mapped[float] = mapped_column(Float, default=time.time)
    expires: Mapped[float] = mapped_column(Float, index=True)


class Deletion(Owned, Base):
    """That something was deleted, and what it was."""

    __tablename__ = "deletions"
    id: Mapped[str] = mapped_column(primary_key=True)  # the item's
    sha256: Mapped[str]
    deleted: Mapped[float] = mapped_column(Float, default=time.time)
    reason: Mapped[str]


class Character(Owned, Base):
    """A person to play: a persona by its seed, or a kept identity by its file."""

    __tablename__ = "characters"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    seed: Mapped[int | None] = mapped_column(Integer)
    sources: Mapped[list[Any]]  # items of the person, where it is no persona
    consent: Mapped[str] = mapped_column(Text)
    set: Mapped[str]
    version: Mapped[int] = mapped_column(Integer, default=1)
    created: Mapped[float] = mapped_column(Float, default=time.time)


class Job(Owned, Base):
    """Work that was accepted. `fence` goes up with every worker that takes it: a result counts only with the last."""

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("key", "idempotency"), Index("waiting", "state", "lane", "created"))
    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str]
    kind: Mapped[str]
    lane: Mapped[str] = mapped_column(default="slow")  # quick: photographs and looks; slow: videos
    state: Mapped[str] = mapped_column(default="queued")
    priority: Mapped[int] = mapped_column(Integer, default=0)
    request: Mapped[dict[str, Any]]
    idempotency: Mapped[str | None]
    request_hash: Mapped[str] = mapped_column(default="")
    uses: Mapped[list[Any]] = mapped_column(default=list)  # items
    used_hashes: Mapped[list[Any]] = mapped_column(default=list)  # and their SHA-256
    target: Mapped[str | None]
    result: Mapped[str | None]
    outcomes: Mapped[list[Any]] = mapped_column(default=list)
    summary: Mapped[str] = mapped_column(Text, default="")
    answer: Mapped[dict[str, Any] | None]  # of a look: faces, findings
    problem: Mapped[dict[str, Any] | None]
    done: Mapped[int] = mapped_column(Integer, default=0)
    total: Mapped[int] = mapped_column(Integer, default=0)
    cancelled: Mapped[bool] = mapped_column(default=False)
    fence: Mapped[int] = mapped_column(Integer, default=0)
    lease: Mapped[float] = mapped_column(Float, default=0.0)  # until when the worker has it
    webhook: Mapped[str | None] = mapped_column(Text)
    notified: Mapped[bool] = mapped_column(default=True)  # nothing to tell, or told
    created: Mapped[float] = mapped_column(Float, default=time.time)
    started: Mapped[float | None] = mapped_column(Float)
    finished: Mapped[float | None] = mapped_column(Float)


class Audit(Owned, Base):
    """Who did what, without pictures or vectors."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[float] = mapped_column(Float, default=time.time)
    key: Mapped[str]
    what: Mapped[str]
    about: Mapped[str]


class TenantSession(Session):
    """A session that knows whose it is."""


@event.listens_for(TenantSession, "do_orm_execute")
def _keep_apart(state: ORMExecuteState) -> None:
    tenant = state.session.info["tenant"]  # a session without one fails
    if tenant != ALL:
        state.statement = state.statement.options(
            with_loader_criteria(Owned, lambda table: table.tenant == tenant, include_aliases=True)
        )


@event.listens_for(TenantSession, "before_flush")
def _own(session: Session, context: Any, instances: Any) -> None:
    tenant = session.info["tenant"]
    for row in (*session.new, *session.dirty, *session.deleted) if tenant != ALL else ():
        if not isinstance(row, Owned) or row.tenant != tenant:
            raise PermissionError("a row of another tenant's")


class Database:
    """The engine, and sessions for whom they are."""

    def __init__(self, url: str) -> None:
        options: dict[str, Any] = {"pool_pre_ping": True}
        if url.startswith("sqlite"):
            options["connect_args"] = {"timeout": 30}
        self.engine: Engine = create_engine(url, **options)
        if url.startswith("sqlite"):
            event.listen(self.engine, "connect", _tune_sqlite)

    @contextmanager
    def session(self, tenant: str) -> Iterator[TenantSession]:
        """A transaction, committed at the end, with what belongs to `tenant`, or with everything where it is `ALL`."""
        with TenantSession(self.engine, expire_on_commit=False, info={"tenant": tenant}) as session, session.begin():
            yield session


def _tune_sqlite(connection: Any, record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")
