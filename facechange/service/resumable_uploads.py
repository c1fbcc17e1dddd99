"""Files that arrive in parts: each part is stored, sealed as everything else, before it counts, so that any server can
go on where another stopped. The last one makes a library entry of them, by the same look as at any upload."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select, update

from facechange.core import FacechangeError
from facechange.service.audit import note
from facechange.service.image_library import examine_upload
from facechange.service.keys import Caller
from facechange.service.problems import Problem, not_found
from facechange.service.service import Service
from facechange.service.tables import ALL, Item, ResumableUpload, Set, TenantSession, new_id
from facechange.service.uploads import keep_upload, upload_folder

KEEP_SECONDS = 86_400.0  # since the last part
LOCK_SECONDS = 60.0  # without a sign of life of the request that writes
UPLOADS_PER_KEY = 100  # begun, and neither finished nor expired
PARTS = 10_000


def begin(
    service: Service, caller: Caller, length: int, name: str, set_id: str | None, item_expires: float | None
) -> ResumableUpload:
    """An upload of so many bytes, none of which is there yet. Raises a `Problem` where it may not be."""
    largest = service.settings.largest_upload_bytes
    if length > largest:
        raise Problem(413, f"More than {largest >> 20} MiB are not taken.", "Make the file smaller.", 3)
    with service.database.session(caller.tenant) as session:
        open_uploads = select(func.count()).select_from(ResumableUpload)
        open_uploads = open_uploads.where(ResumableUpload.key == caller.key, ResumableUpload.item.is_(None))
        if (session.scalar(open_uploads) or 0) >= UPLOADS_PER_KEY:
            message = f"This key has {UPLOADS_PER_KEY} uploads that are not finished."
            raise Problem(429, message, "Finish some, or delete them.", 75, Retry_After="60")
        if set_id is not None and session.get(Set, set_id) is None:
            raise not_found("set", set_id)
        upload = ResumableUpload(
            id=new_id("upl"),
            tenant=caller.tenant,
            key=caller.key,
            name=name,
            length=length,
            set=set_id,
            item_expires=item_expires,
            expires=time.time() + KEEP_SECONDS,
        )
        session.add(upload)
    return upload


def find_upload(session: TenantSession, reference: str) -> ResumableUpload:
    """The upload, whose time is not over; raises a `Problem`."""
    upload = session.get(ResumableUpload, reference)
    if upload is None or upload.expires < time.time():
        raise not_found("upload", reference)
    return upload


class UploadWriter:
    """The one request that writes an upload now; whoever comes meanwhile gets a `Problem` (423)."""

    def __init__(self, service: Service, upload: ResumableUpload) -> None:
        self._service = service
        self._lock = secrets.token_hex(12)
        self._renewed = time.monotonic()
        now = time.time()
        free = update(ResumableUpload).where(ResumableUpload.id == upload.id, ResumableUpload.locked_until < now)
        values = {"lock": self._lock, "locked_until": now + LOCK_SECONDS}
        with service.database.session(upload.tenant) as session:
            result: Any = session.execute(free.values(**values))
        if not result.rowcount:
            raise Problem(423, "Another request is sending this upload.", "Wait until it ends.", 75, Retry_After="2")
        with service.database.session(upload.tenant) as session:
            self.upload = find_upload(session, upload.id)  # as it is now that nobody else changes it

    def renew(self) -> None:
        """Give a sign of life, where it is time for one. Raises a `Problem` where another request took over."""
        if time.monotonic() - self._renewed > LOCK_SECONDS / 4:
            self._renewed = time.monotonic()
            self._change(locked_until=time.time() + LOCK_SECONDS)

    def add(self, path: Path) -> None:
        """Let the bytes at `path` count. Raises a `Problem`, and `OSError` where they cannot be stored."""
        upload, size = self.upload, path.stat().st_size
        if len(upload.parts) >= PARTS:
            raise Problem(422, f"An upload may have {PARTS} parts.", "Send larger parts.", 2)
        name = f"{upload.id.removeprefix('upl_')}part{secrets.token_hex(6)}"
        self._service.store.put(path, upload.tenant, name)
        parts, now = [*upload.parts, [name, size]], time.time()
        try:
            self._change(
                parts=parts,
                received=upload.received + size,
                locked_until=now + LOCK_SECONDS,
                expires=now + KEEP_SECONDS,
            )
        except Problem:
            self._service.store.delete(upload.tenant, name)
            raise
        upload.parts, upload.received = parts, upload.received + size

    def finish(self) -> None:
        """Make a library entry of an upload that is whole, once. What cannot become one is gone. Raises as
        `examine_upload`, and `OSError` where it may be tried again."""
        service, upload = self._service, self.upload
        if upload.item is not None or upload.received < upload.length:
            return
        with upload_folder(service) as folder:
            path = folder / new_id("file")
            with path.open("wb") as sink:
                for name, size in upload.parts:
                    for data in service.store.read(upload.tenant, name, 0, size):
                        sink.write(data)
                    self.renew()
            try:
                looked_at = examine_upload(service, path, upload.name)
            except FacechangeError:
                delete_upload(service, upload)
                raise

            def claim(session: TenantSession, item: Item) -> None:
                session.flush()
                self._change(session, item=item.id)
                note(session, upload.tenant, upload.key, "put", item.id)

            details = {"set_id": upload.set, "expires": upload.item_expires}
            upload.item = keep_upload(service, upload.tenant, upload.key, looked_at, claim, **details).id
        _delete_parts(service, upload)

    def release(self) -> None:
        """Let others write."""
        mine = ResumableUpload.id == self.upload.id, ResumableUpload.lock == self._lock
        with self._service.database.session(self.upload.tenant) as session:
            session.execute(update(ResumableUpload).where(*mine).values(lock=None, locked_until=0.0))

    def _change(self, session: TenantSession | None = None, **values: Any) -> None:
        if session is None:
            with self._service.database.session(self.upload.tenant) as session:
                return self._change(session, **values)
        mine = ResumableUpload.id == self.upload.id, ResumableUpload.lock == self._lock
        result: Any = session.execute(update(ResumableUpload).where(*mine).values(**values))
        if not result.rowcount:
            raise Problem(409, "Another request went on with this upload, or deleted it.", "Ask how far it is.", 75)


def delete_upload(service: Service, upload: ResumableUpload) -> None:
    """Let an upload and its parts be gone."""
    with service.database.session(upload.tenant) as session:
        session.execute(delete(ResumableUpload).where(ResumableUpload.id == upload.id))
    _delete_parts(service, upload)


def delete_expired_uploads(service: Service) -> None:
    """Delete the uploads that nobody went on with."""
    now = time.time()
    with service.database.session(ALL) as session:
        over = ResumableUpload.expires < now, ResumableUpload.locked_until < now
        uploads = session.scalars(select(ResumableUpload).where(*over).limit(100)).all()
    for upload in uploads:
        delete_upload(service, upload)


def _delete_parts(service: Service, upload: ResumableUpload) -> None:
    for name, _ in upload.parts:
        service.store.delete(upload.tenant, name)
