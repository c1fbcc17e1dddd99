"""The only exit: state what was done, encode, write beside the place, rename."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from facechange.core import OutputError
from facechange.pictures import WRITABLE_SUFFIXES, Picture, encode_picture, read_xmp
from facechange.trust.consent import require_consent
from facechange.trust.statement import add_statement, parse_statement


def publish(picture: Picture, path: Path, *, consent: str, model: str, overwrite: bool = True) -> Path:
    """Write a changed picture with its statement; either the whole file appears at `path` or nothing does.

    `consent` is the statement of consent, `model` the model's name and version. Returns `path`.
    Raises `ConsentError` without consent, `OutputError` where the file cannot be written.
    """
    consent = require_consent(consent)
    check_writable(path, overwrite)
    xmp, statement = add_statement(picture.xmp, consent, model)
    text = {"Software": statement["software"], "Consent": statement["consent"], "Model": model}
    data = encode_picture(replace(picture, xmp=xmp), path.suffix, text)
    with _plain_errors(path):
        _write_then_rename(data, Path(os.path.realpath(path)))  # a link stays a link
    return path


def check_writable(path: Path, overwrite: bool = True) -> None:
    """Raise `OutputError` where `publish` would have to, so that no work is done in vain: kind, folder, permission, space."""
    if path.suffix.lower() not in WRITABLE_SUFFIXES:
        raise OutputError(f"The name {path.name} ends in no kind of picture.", f"Use one of {', '.join(WRITABLE_SUFFIXES)}.")
    with _plain_errors(path):
        if path.is_dir():
            raise OutputError(f"{path} is a folder.", "Name a file in it.")
        if not path.parent.is_dir():
            raise OutputError(f"There is no folder {path.parent}.", "Make it first.")
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists already.", "Choose another name.")
        if path.exists() and not (path.is_file() and os.access(path, os.W_OK)):
            raise OutputError(f"{path} may not be overwritten.", "Choose another name.")
        with _part_file(Path(os.path.realpath(path)).parent):
            pass


def read_statement(path: Path) -> dict[str, str]:
    """What a picture says about its change: consent, model, software, digital_source_type; empty where it says nothing.

    Raises `PictureError` where the file is no picture.
    """
    return parse_statement(read_xmp(path))


def _write_then_rename(data: bytes, path: Path) -> None:
    """Write in the same folder, reach the disk, then take the name in one step."""
    with _part_file(path.parent) as part:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            part.chmod(path.stat().st_mode & 0o777)
        part.replace(path)


@contextlib.contextmanager
def _part_file(folder: Path) -> Iterator[Path]:
    """An empty file of a name of its own, gone afterwards unless it was renamed."""
    part = folder / f".facechange-{secrets.token_hex(8)}.part"
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # tempfile would hide it from the group
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    """The system's refusals as sentences."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(f"There is no space left for {path}.", "Free some, or write to another disk.") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise OutputError(f"The folder of {path} may not be written to.", "Choose another folder.") from error
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.", "Choose another place.") from error
