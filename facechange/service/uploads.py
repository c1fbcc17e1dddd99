"""Files that come with a request: to a folder of their own, looked at, then stored. Nothing is held in memory whole."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from fastapi import UploadFile
from starlette.datastructures import UploadFile as StarletteUpload

from facechange.core import FacechangeError, clean_line
from facechange.service.image_library import Upload, add_item, drop_unused, examine_upload, find_item, put_files
from facechange.service.problems import Problem
from facechange.service.service import Service
from facechange.service.tables import Item, TenantSession, new_id

LONGEST_NAME = 200
Form = dict[str, "str | StarletteUpload"]


@contextmanager
def upload_folder(service: Service) -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = service.work_folder(f"upload-{secrets.token_hex(12)}")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clean_name(name: str | None) -> str:
    """A file's name as a client may call it: no folders, no control characters, not too long."""
    return clean_line(PurePath((name or "").replace("\\", "/")).name)[-LONGEST_NAME:] or "upload"


def receive_file(service: Service, file: StarletteUpload | UploadFile, folder: Path, name: str | None = None) -> Upload:
    """Write an upload to `folder` and find out what it is. Raises as `inspect_upload`, and `OSError`."""
    path = folder / new_id("file")
    with path.open("wb") as sink:
        shutil.copyfileobj(file.file, sink, 1 << 20)
    return examine_upload(service, path, clean_name(name or file.filename))


def keep_upload(
    service: Service,
    tenant: str,
    owner: str,
    upload: Upload,
    also: Callable[[TenantSession, Item], None] = lambda session, item: None,
    **details: Any,
) -> Item:
    """Store an upload and give it its place in the library; `also` is done in the same transaction."""
    put_files(service, tenant, upload)
    try:
        with service.database.session(tenant) as session:
            item = add_item(service, session, tenant, upload, owner=owner, **details)
            also(session, item)
    except FacechangeError:
        with service.database.session(tenant) as session:
            drop_unused(service, session, tenant, upload.sha256)
        raise
    return item


def file_of(form: Form, name: str) -> StarletteUpload:
    """The file of a form; raises a `Problem` where there is none."""
    file = form.get(name)
    if not isinstance(file, StarletteUpload):
        raise Problem(422, f"The form has no file {name!r}.", f"Send multipart/form-data with the file as {name}.", 2)
    return file


def text_of(form: Form, name: str) -> str | None:
    """A text of the form; None where it is empty."""
    value = form.get(name)
    if isinstance(value, StarletteUpload):
        raise Problem(422, f"{name} is to be a text, not a file.", "", 2)
    return value or None


def time_of(text: str | None) -> float | None:
    """The seconds of a time in ISO 8601; raises a `Problem`."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise Problem(422, f"{text[:40]!r} is no time.", "Write 2027-05-31T12:00:00Z.", 2) from None


def fetch_item(service: Service, tenant: str, reference: str, folder: Path) -> Path:
    """The file of an entry, in `folder`. Raises a `Problem`, and what the store raises."""
    with service.database.session(tenant) as session:
        item = find_item(session, reference)
    path = folder / f"{item.id}{item.suffix}"
    service.store.fetch(tenant, item.sha256, item.bytes, path)
    return path
