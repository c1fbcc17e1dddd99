"""The image library: pictures and videos by identifier, each content stored once a tenant, and gone when it is
deleted."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, text

from facechange.service.inspection import MediaInfo, inspect_upload
from facechange.service.problems import not_found
from facechange.service.service import Service
from facechange.service.tables import ALL, Deletion, Item, Job, ResumableUpload, Set, TenantSession, new_id

THUMBNAIL = "thumbnail"


@dataclass(frozen=True)
class Upload:
    """A file that arrived, and what the client said of it."""

    path: Path
    name: str
    sha256: str
    bytes: int
    look: MediaInfo


def examine_upload(service: Service, path: Path, name: str) -> Upload:
    """Find out what arrived at `path`. Raises as `inspect_upload`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return Upload(path, name, digest.hexdigest(), path.stat().st_size, inspect_upload(path, name, service.settings))


def put_files(service: Service, tenant: str, upload: Upload) -> None:
    """Store an upload and its thumbnail. Raises `OSError`."""
    service.store.put(upload.path, tenant, upload.sha256)
    small = upload.path.with_name(f"{upload.path.name}.{THUMBNAIL}")
    small.write_bytes(upload.look.thumbnail)
    try:
        service.store.put(small, tenant, upload.sha256 + THUMBNAIL)
    finally:
        small.unlink()


def add_item(
    service: Service,
    session: TenantSession,
    tenant: str,
    upload: Upload,
    *,
    owner: str,
    set_id: str | None = None,
    expires: float | None = None,
    consent: str | None = None,
    job: str | None = None,
) -> Item:
    """Give an upload, whose files were stored, its place in the library; in the caller's transaction."""
    if set_id is not None and session.get(Set, set_id) is None:
        raise not_found("set", set_id)
    if expires is None and service.settings.keep_days:
        expires = time.time() + service.settings.keep_days * 86400
    look = upload.look
    item = Item(
        id=new_id("vid" if look.kind == "video" else "pic"),
        tenant=tenant,
        name=upload.name,
        kind=look.kind,
        media_type=look.media_type,
        suffix=look.suffix,
        sha256=upload.sha256,
        bytes=upload.bytes,
        width=look.width,
        height=look.height,
        seconds=look.seconds,
        set=set_id,
        owner=owner,
        consent=consent,
        job=job,
        expires=expires,
    )
    session.add(item)
    _hold_content(session, tenant, upload.sha256)
    if not service.store.has(tenant, upload.sha256):  # the last entry with this content was deleted meanwhile
        put_files(service, tenant, upload)
    return item


def find_item(session: TenantSession, reference: str, kind: str | None = None) -> Item:
    """The entry, whose time is not over; raises a `Problem` that does not tell a stranger's from one that never was."""
    item = session.get(Item, reference)
    if item is None or (item.expires is not None and item.expires < time.time()):
        raise not_found(kind or "picture or video", reference)
    if kind is not None and item.kind != kind:
        raise not_found(kind, reference)
    return item


def delete_items(service: Service, session: TenantSession, items: Sequence[Item], reason: str) -> list[Deletion]:
    """Delete entries, their content where no other entry has it, and keep a record of each; in the caller's
    transaction.

    The files go before the transaction ends: what a crash leaves is an entry whose deletion can be asked for again.
    """
    records = []
    for item in items:
        record = Deletion(id=item.id, tenant=item.tenant, sha256=item.sha256, reason=reason)
        session.add(record)
        session.delete(item)
        drop_unused(service, session, item.tenant, item.sha256)
        records.append(record)
    return records


def drop_unused(service: Service, session: TenantSession, tenant: str, sha256: str) -> None:
    """Delete content that no entry has; in the caller's transaction."""
    _hold_content(session, tenant, sha256)
    # by tenant explicitly: the machinery deletes what has expired
    having = select(func.count()).select_from(Item).where(Item.sha256 == sha256, Item.tenant == tenant)
    if not session.scalar(having):
        for name in (sha256, sha256 + THUMBNAIL):
            service.store.delete(tenant, name)


def remove_leftovers(service: Service, seconds: float) -> None:
    """Delete what killed processes left so long ago: work folders of no job on its way, content of no entry."""
    work = service.settings.home / "work"
    for folder in work.iterdir() if work.is_dir() else ():
        with service.database.session(ALL) as session:
            job = session.get(Job, folder.name)
        with suppress(FileNotFoundError):  # another worker was quicker
            if (job is None or job.finished) and time.time() - folder.stat().st_mtime > seconds:
                shutil.rmtree(folder, ignore_errors=True)
    for tenant, name in list(service.store.find_old(seconds)):
        if re.fullmatch(f"[0-9a-f]{{64}}({THUMBNAIL})?", name):
            with service.database.session(ALL) as session:
                drop_unused(service, session, tenant, name[:64])
        elif not _is_part(service, name):  # half written, or of an upload that is gone
            service.store.delete_part(tenant, name)


def _is_part(service: Service, name: str) -> bool:
    """Whether an upload that is on its way needs this file of the store."""
    if not re.fullmatch(r"[0-9a-f]{24}part[0-9a-f]{12}", name):
        return False
    with service.database.session(ALL) as session:
        upload = session.get(ResumableUpload, f"upl_{name[:24]}")
    return upload is not None and name in (part for part, _ in upload.parts)


def _hold_content(session: TenantSession, tenant: str, sha256: str) -> None:
    """Let nobody else add or delete this content until the transaction ends: SQLite has one writer, PostgreSQL a lock
    for it."""
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(f"{tenant} {sha256}".encode()).digest()[:8], signed=True)
        session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
